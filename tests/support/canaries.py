"""Searching everything that was written for secrets that must be nowhere, in any of the forms they may take."""

from __future__ import annotations

import base64
import contextlib
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote


def forms(secret: str) -> set[bytes]:
    """
    Give what to look for: the secret as it is, in hexadecimal, as part of a URL, and as part of whatever base64 text.

    :param secret: at least 16 characters long, so that each form is telling
    """
    raw = secret.encode()
    found = {raw, raw.hex().encode(), quote(secret).encode(), quote(secret, safe="").encode()}
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw)
        # The outer characters depend on the neighbours as well.
        inner = encoded[4 if before else 0 : -4]
        found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def traces(content: bytes, secrets: Iterable[str]) -> list[str]:
    """Return the secrets that some bytes hold."""
    return [secret for secret in secrets if any(form in content for form in forms(secret))]


def traces_in(folder: Path, secrets: Iterable[str]) -> list[str]:
    """
    Search all files below a folder, a database's among them: they are read as bytes, deleted rows included.

    :return: for each find the file and the secret
    """
    secrets = list(secrets)
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found += [f"{path.relative_to(folder)}: {secret}" for secret in traces(path.read_bytes(), secrets)]
    return found


class ProcessList:
    """What anybody on the machine can see of processes: their arguments, collected while something runs."""

    def __init__(self) -> None:
        self.arguments: set[bytes] = set()

    def look(self) -> None:
        """Take note of all processes that run at this moment."""
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError):
                    self.arguments.add((entry / "cmdline").read_bytes())


@contextlib.contextmanager
def process_list() -> Iterator[ProcessList]:
    """Look at the processes again and again until the end of the block."""
    seen, end = ProcessList(), threading.Event()

    def watch() -> None:
        while not end.wait(0.2):
            seen.look()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        end.set()
        thread.join()
