"""The note of a renaming under way, so that a crash in the middle of it is made good.

A renaming moves a folder and then changes what refers to the old name. The note is written first
and removed last; whoever finds one at the opening does the rest of the work.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from reference.storage.errors import StorageError
from reference.storage.files import fsync_folder, make_folder, read_dictionary, write_dictionary

Step = Callable[[str, str], None]


class Renaming:
    """Renamings whose note is one file."""

    def __init__(self, path: Path, *, move: Step, follow: Step) -> None:
        """``move(old, new)`` moves the folder, if it is still at the old name; ``follow(old, new)``
        changes what refers to it and bears being done again.
        """
        self._path = path
        self._move = move
        self._follow = follow

    def do(self, old: str, new: str) -> None:
        """Rename. Raises StorageError; then nothing has changed, or the rest follows later."""
        make_folder(self._path.parent)
        write_dictionary(self._path, {"From": old, "To": new})
        try:
            self._move(old, new)
        except StorageError:
            self._forget()
            raise
        self._follow(old, new)
        self._forget()

    def recover(self) -> None:
        """Finish a renaming that was interrupted, if there is one. Raises StorageError."""
        note = read_dictionary(self._path)
        if note:
            old, new = str(note.get("From", "")), str(note.get("To", ""))
            self._move(old, new)
            self._follow(old, new)
            self._forget()

    def _forget(self) -> None:
        self._path.unlink(missing_ok=True)
        fsync_folder(self._path.parent)
