"""Mounts of the sandbox: mount(2) in the few forms that it takes, for a private mount namespace.

Every call raises OSError with what it was about. Only the launcher calls them, after it has entered
a mount namespace of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from conformance.world import kernel

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_FOLDERS = ("pts", "shm", "mqueue")
_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}


def memory(target: str, options: str) -> None:
    """Show an empty folder in memory at ``target``."""
    kernel.mount("tmpfs", target, kind="tmpfs", options=options)


def bind(source: str, target: str) -> None:
    """Show ``source``, with all that is mounted below it, at ``target``."""
    kernel.mount(source, target, flags=kernel.MS_BIND | kernel.MS_RECURSIVE)


def lay_over(target: str, folders: Sequence[str]) -> None:
    """Show the contents of ``folders`` in ``target``, over its own; nothing can be written."""
    if folders:
        options = f"lowerdir={':'.join([*folders, target])}"
        kernel.mount("overlay", target, kind="overlay", options=options)


def private_devices(log: str) -> None:
    """Show a /dev with the usual devices, in which /dev/log is a link to ``log``."""
    fresh = Path("/run/sandbox/dev")
    fresh.mkdir()
    memory(str(fresh), "mode=755")
    for name in _DEVICES:
        if Path("/dev", name).exists():
            (fresh / name).touch()
            bind(f"/dev/{name}", str(fresh / name))
    for name in _FOLDERS:
        if Path("/dev", name).is_dir():
            (fresh / name).mkdir()
            bind(f"/dev/{name}", str(fresh / name))
    for name, target in _LINKS.items():
        (fresh / name).symlink_to(target)
    (fresh / "log").symlink_to(log)
    bind(str(fresh), "/dev")
