"""The Linux calls that network plans need and Python 3.11 does not have.

Namespaces (unshare(2), setns(2), mount(2)) and prctl(2), through the C library. Every call raises
OSError with the call's name. Nothing is imported here that costs time at a process's start.
"""

from __future__ import annotations

import ctypes
import errno
import os

NEW_MOUNTS = 0x00020000
NEW_USER = 0x10000000
NEW_PROCESSES = 0x20000000
NEW_NETWORK = 0x40000000

MS_BIND, MS_RECURSIVE = 4096, 16384
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 2, 4, 8
_MS_PRIVATE = 1 << 18
_MNT_DETACH = 2
_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, call: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{call}: {os.strerror(code)}")


def unshare(flags: int) -> None:
    """Enter new namespaces. Raises OSError."""
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def set_network(descriptor: int) -> None:
    """Enter the network namespace of the descriptor; this thread only. Raises OSError."""
    _check(_libc.setns(ctypes.c_int(descriptor), ctypes.c_int(NEW_NETWORK)), "setns")


def set_processes(descriptor: int) -> None:
    """Have children be born into the descriptor's process namespace. Raises OSError."""
    _check(_libc.setns(ctypes.c_int(descriptor), ctypes.c_int(NEW_PROCESSES)), "setns")


def keep_mounts_private() -> None:
    """Keep what is mounted from now on inside this mount namespace. Raises OSError."""
    flags = ctypes.c_ulong(_MS_PRIVATE | MS_RECURSIVE)
    _check(_libc.mount(b"none", b"/", None, flags, None), "mount --make-rprivate /")


def mount(source: str, target: str, *, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Show ``source`` at ``target``; the arguments are those of the call. Raises OSError."""
    result = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        kind.encode() or None,
        ctypes.c_ulong(flags),
        options.encode() or None,
    )
    _check(result, f"mount on {target}")


def unmount(target: str) -> bool:
    """Take away what is mounted at ``target``; return False if nothing is. Raises OSError."""
    if _libc.umount2(os.fsencode(target), _MNT_DETACH) == 0:
        return True
    if ctypes.get_errno() == errno.EINVAL:
        return False
    _check(-1, f"umount {target}")
    return False


def bind_mount(source: str, target: str) -> None:
    """Show the file or folder ``source`` in the place of ``target``. Raises OSError."""
    mount(source, target, flags=MS_BIND)


def mount_proc() -> None:
    """Show this process namespace's own processes in /proc. Raises OSError."""
    flags = ctypes.c_ulong(_MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    _check(_libc.mount(b"proc", b"/proc", b"proc", flags, None), "mount /proc")


def die_with_parent(signal: int) -> None:
    """Have the kernel send this process the signal when its parent ends. Raises OSError."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal, 0, 0, 0), "prctl")
