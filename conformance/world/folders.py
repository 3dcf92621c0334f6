"""Scratch folders: where the servers of a run keep their files, in memory if that can be had.

A folder belongs to one process, which holds a lock on it while it lives. A folder whose lock nobody
holds was left by a process that was killed; whoever comes next removes it. So nothing piles up.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "mailproof-run-"
_LOCK = "lock"
_IN_MEMORY = Path("/dev/shm")


class ScratchFolder:
    """A fresh folder, removed by :meth:`remove` or by the next process."""

    def __init__(self, parent: Path | None = None) -> None:
        parent = parent or _parent()
        self._remove_abandoned(parent)
        fresh = Path(tempfile.mkdtemp(prefix="mailproof-new-", dir=parent))
        self._lock = os.open(fresh / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        # It gets the name under which abandoned folders are looked for when it is locked.
        self.path = fresh.rename(parent / fresh.name.replace("mailproof-new-", _PREFIX))

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)

    @staticmethod
    def _remove_abandoned(parent: Path) -> None:
        for folder in parent.glob(f"{_PREFIX}*"):
            try:
                lock = os.open(folder / _LOCK, os.O_RDWR)
            except OSError:
                # Just being made, or another user's.
                continue
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            except OSError:
                continue
            finally:
                os.close(lock)


def _parent() -> Path:
    if os.access(_IN_MEMORY, os.W_OK | os.X_OK):
        return _IN_MEMORY
    return Path(tempfile.gettempdir())
