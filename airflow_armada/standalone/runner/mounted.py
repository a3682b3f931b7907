"""Run a command that sees volumes at the paths where its container mounts them.

A program of its own, which imports next to nothing: ``mounted.py ROOT BINDS FOLDER COMMAND...``, where ``BINDS`` is a
JSON list of ``[source, target, read only]`` and ``FOLDER`` where to start. It makes a mount namespace, in it a root
that shows the machine's files with the volumes among them, and becomes the command. The machine's own files stay as
they are: a path that does not exist there is made in memory, for this process and its children only. Needs root, or
user namespaces for ordinary users.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys

CANNOT_START = 128
_NEW_MOUNTS, _NEW_USER = 0x00020000, 0x10000000
_RDONLY, _REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 1, 32, 4096, 16384, 1 << 18
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, doing: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{doing}: {os.strerror(number)}")


def _mount(source: str, target: str, kind: str, flags: int) -> None:
    result = _libc.mount(source.encode(), target.encode(), kind.encode() or None, ctypes.c_ulong(flags), None)
    _check(result, f"cannot mount {source} at {target}")


def _new_namespace() -> None:
    """Get mounts of one's own; an ordinary user needs a user namespace for that."""
    if _libc.unshare(_NEW_MOUNTS) == 0:
        return
    user, group = os.geteuid(), os.getegid()
    _check(_libc.unshare(_NEW_USER | _NEW_MOUNTS), "this user cannot have mounts of its own")
    for name, content in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(content)


def _bind(source: str, target: str) -> None:
    """Show a file or a folder, with what is mounted in it, at another path."""
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
        return
    if os.path.isdir(source):
        os.mkdir(target)
    else:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600))
    _mount(source, target, "", _BIND | _RECURSIVE)


def _in_memory(folder: str, content: str) -> None:
    """Put a folder in memory in the place of one, with the content of another."""
    names = os.listdir(content)
    _mount("tmpfs", folder, "tmpfs", 0)
    os.chmod(folder, 0o755)
    for name in names:
        _bind(os.path.join(content, name), os.path.join(folder, name))


def _make(root: str, target: str, own: set[str], is_file: bool) -> None:
    """Make a path in the new root, where it is not there already.

    :param own: folders of the new root that are in memory
    """
    inner, outer = root, "/"
    parts = target.strip("/").split("/")
    for number, part in enumerate(parts, start=1):
        into, inner = inner, os.path.join(inner, part)
        if not os.path.lexists(inner):
            if into not in own:
                _in_memory(into, outer)
            if is_file and number == len(parts):
                os.close(os.open(inner, os.O_WRONLY | os.O_CREAT, 0o600))
            else:
                os.mkdir(inner)
            own |= {into, inner}
        outer = os.path.join(outer, part)


def _enter(root: str, binds: list[tuple[str, str, bool]], folder: str) -> None:
    # Links are resolved here: within the new root they would lead out of it.
    binds = [(source, os.path.realpath(target), read_only) for source, target, read_only in binds]
    _new_namespace()
    _mount("none", "/", "", _RECURSIVE | _PRIVATE)
    _in_memory(root, "/")
    own = {root}
    for source, target, _ in binds:
        _make(root, target, own, not os.path.isdir(source))
    for source, target, read_only in binds:
        inner = os.path.join(root, target.strip("/"))
        if not os.path.lexists(inner):
            os.makedirs(inner)
        _mount(source, inner, "", _BIND)
        if read_only:
            _mount(source, inner, "", _BIND | _REMOUNT | _RDONLY)
    os.chroot(root)
    os.makedirs(folder, exist_ok=True)
    os.chdir(folder)


def main(root: str, binds: str, folder: str, *command: str) -> None:
    """Become the command."""
    try:
        _enter(root, json.loads(binds), folder)
        os.execvp(command[0], command)
    except OSError as error:
        print(f"cannot start {command[0]!r} with its volumes: {error.strerror or error}", file=sys.stderr)
        sys.exit(CANNOT_START)


if __name__ == "__main__":
    main(*sys.argv[1:])
