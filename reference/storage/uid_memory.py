"""Which messages of a remote account have been retrieved, by their UIDs, durably.

Guide 3.5.2, RPOP Module (Leave): a message that stays on the remote host is not retrieved again. A
UID is appended to the file and forced to the disk as soon as its message is the server's, so that a
killed server does not retrieve it a second time. One file for each remote account; a line is a UID.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from pathlib import Path

from reference.storage.errors import FileError
from reference.storage.files import fsync_folder, make_folder, read_text, replace_file


class UidMemory:
    """The UIDs of one remote account. All methods block, and raise FileError."""

    def __init__(self, folder: Path, label: str) -> None:
        """``label`` names the remote account among those with files in ``folder``."""
        digest = hashlib.sha256(label.encode("utf-8", "surrogateescape")).hexdigest()
        self._path = folder / f"RPOP.{digest[:24]}.uids"

    def read(self) -> set[str]:
        """Return the UIDs."""
        return set((read_text(self._path) or "").split("\n")) - {""}

    def add(self, uid: str) -> None:
        """Remember one more."""
        new = not self._path.exists()
        make_folder(self._path.parent)
        try:
            with self._path.open("ab") as file:
                file.write(f"{uid}\n".encode("utf-8", "surrogateescape"))
                file.flush()
                os.fsync(file.fileno())
            if new:
                fsync_folder(self._path.parent)
        except OSError as error:
            raise FileError(f"{self._path}: {error.strerror}") from error

    def keep(self, uids: Collection[str]) -> None:
        """Forget all but these."""
        known = self.read()
        kept = known & set(uids)
        if kept == known:
            return
        if kept:
            text = "".join(f"{uid}\n" for uid in sorted(kept))
            replace_file(self._path, text.encode("utf-8", "surrogateescape"))
            return
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise FileError(f"{self._path}: {error.strerror}") from error
