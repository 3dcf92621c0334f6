"""A small disk for the server under test: it can be filled up, and directories made read-only.

The server's folder is put on a file system of its own, in memory and of a limited size, and what
fills it up lies beside the folder on the same file system: so the server meets what it would meet
on a real disk (ENOSPC, EROFS), whatever server it is and however it writes. Files that it has open
already go on being written when their directory becomes read-only.

Mounting needs a mount namespace that nobody else sees; :mod:`conformance.world.namespace` has one.
"""

from __future__ import annotations

import os
from pathlib import Path

from conformance.world import kernel

#: Octets of the disk.
SIZE = 16 << 20


class Disk:
    """The disk under a folder. Every method may raise OSError."""

    def __init__(self, folder: Path) -> None:
        """Put the folder, which must be empty, on a disk of its own."""
        self._folder = folder
        self._whole = folder.with_name(f"{folder.name}.disk")
        self._whole.mkdir()
        kernel.mount_memory(str(self._whole), SIZE)
        self._filler = self._whole / "filler"
        room = self._whole / "room"
        room.mkdir()
        kernel.bind_mount(str(room), str(folder))
        self._read_only: list[Path] = []

    def holds(self, path: Path) -> bool:
        """Tell whether a path leads onto this disk."""
        return path.resolve().is_relative_to(self._folder.resolve())

    def leave(self, octets: int | None) -> None:
        """Leave so much room, rounded down to whole blocks; None: all there is."""
        self._filler.unlink(missing_ok=True)
        if octets is None:
            return
        descriptor = os.open(self._filler, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            found = os.fstatvfs(descriptor)
            taken = max(0, found.f_bavail - octets // found.f_frsize) * found.f_frsize
            if taken:
                os.posix_fallocate(descriptor, 0, taken)
        finally:
            os.close(descriptor)

    def make_read_only(self, folder: Path) -> None:
        """Refuse every change below a folder of the disk from now on."""
        if folder not in self._read_only:
            kernel.bind_mount(str(folder), str(folder))
            kernel.make_read_only(str(folder))
            self._read_only.append(folder)

    def make_writable(self, folder: Path) -> None:
        """Allow changes again; nothing happens when they are allowed."""
        if folder in self._read_only:
            self._read_only.remove(folder)
            kernel.unmount(str(folder))

    def close(self) -> None:
        """Take the disk away, with all that is on it."""
        for folder in [*reversed(self._read_only), self._folder, self._whole]:
            kernel.unmount(str(folder))
        self._whole.rmdir()
