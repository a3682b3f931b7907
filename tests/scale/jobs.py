"""The jobs of the scale stage: what they run and print."""

QUEUE = "scale"
BEFORE, AFTER = 3, 3
"""Lines that each job prints when it starts, and when it ends."""
BLOCKING = 32
"""Tasks that wait on workers at a time."""

SHORT = """
for n in $(seq 1 {before}); do echo "job {number} line $n"; done
tail --pid={holder} -s 0.5 -f /dev/null
for n in $(seq 1 {after}); do echo "job {number} last line $n"; done
"""

WRITER = """
exec 3<> <(:)
n=0
while kill -0 {holder} 2>/dev/null; do n=$((n+1)); echo "job {number} line $n"; read -r -t 0.2 -u 3; done
echo "job {number} last line $n"
"""
"""Writes about five lines a second, without starting a process for each."""


def script(text: str, number: int, holder: int | str) -> str:
    """Return what a job runs.

    :param text: :data:`SHORT` or :data:`WRITER`
    :param number: map index of its task
    :param holder: id of the process with whose end it ends
    """
    return text.format(before=BEFORE, after=AFTER, number=number, holder=holder)


def is_whole(text: str, number: int, shown: list[str]) -> bool:
    """Tell whether all lines that a job printed are there, once and in order."""
    if text == SHORT:
        first = [f"job {number} line {n}" for n in range(1, BEFORE + 1)]
        return shown == first + [f"job {number} last line {n}" for n in range(1, AFTER + 1)]
    last = len(shown) - 1
    lines = [f"job {number} line {n}" for n in range(1, last + 1)]
    return shown == [*lines, f"job {number} last line {last}"]
