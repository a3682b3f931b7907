"""Results of images that write a file, as those for Airflow's KubernetesPodOperator: ``/airflow/xcom/return.json``.

The command of the container is wrapped: when it has ended well, a shell prints the file as the job's result. A sidecar
would take resources of its own, and nobody could ask it when the job has ended.
"""

from __future__ import annotations

from posixpath import dirname
from typing import Any

from airflow_armada.jobs.problems import Problem
from airflow_armada.jobs.results import MAX_RESULT_BYTES, NONCE_VARIABLE

XCOM_FILE = "/airflow/xcom/return.json"
"""Where images that were written for Airflow's KubernetesPodOperator put their result."""

_PART = 4000  # bytes on a line, which no container runtime splits
_VOLUME = "airflow-xcom"

# Signals reach the command, and its exit code is the container's. No more is used than the simplest image has.
_SCRIPT = f"""
file=$1; shift
child= told=
trap 'told=1; [ -z "$child" ] || kill -TERM $child 2>/dev/null' TERM INT
"$@" & child=$!
[ -z "$told" ] || kill -TERM $child 2>/dev/null
wait $child; code=$?
while kill -0 $child 2>/dev/null; do wait $child; code=$?; done
[ $code -eq 0 ] || exit $code
marker="::armada-result${{{NONCE_VARIABLE}:+:${NONCE_VARIABLE}}}"
if [ ! -s "$file" ]; then printf '\\n%s::null\\n' "$marker"; exit 0; fi
parts=$(( ($(wc -c < "$file") + {_PART} - 1) / {_PART} ))
[ $parts -le {MAX_RESULT_BYTES // _PART + 2} ] || parts={MAX_RESULT_BYTES // _PART + 2}
part=1
echo
while [ $part -le $parts ]; do
  printf '%s:%d/%d::' "$marker" $part $parts
  tail -c +$(( (part - 1) * {_PART} + 1 )) "$file" | head -c {_PART} | tr '\\n\\r' '  '
  echo
  part=$(( part + 1 ))
done
"""


def print_file(pod: Any, container: Any, file: str) -> list[Problem]:
    """Let a container print a file as its result when its command has ended well; a file that is not there means null.

    :param pod: the pod spec, changed in place
    :param container: the container, whose command is wrapped
    :param file: path of the file, JSON of at most 65,536 bytes
    :return: why it cannot be done, or nothing
    """
    if not container.command:
        rule, hint = "is required with result_file", "the image's own entry point is not known; repeat it here"
        return [Problem("cmds", "", rule, hint)]
    if not isinstance(file, str) or not file.startswith("/"):
        return [Problem("result_file", "", "must be an absolute path", f"write {XCOM_FILE}, for instance")]
    command = ["sh", "-c", _SCRIPT.strip(), "sh", file, *container.command, *container.args]
    container.command[:] = command
    container.ClearField("args")
    folder = dirname(XCOM_FILE)
    if file.startswith(f"{folder}/") and all(mount.mountPath.rstrip("/") != folder for mount in container.volumeMounts):
        pod.volumes.add(name=_VOLUME).volumeSource.emptyDir.SetInParent()
        container.volumeMounts.add(name=_VOLUME, mountPath=folder)
    return []
