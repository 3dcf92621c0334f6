"""The Personal Web Site of an account: files and folders in ``account.web``.

Guide 3.5.2, Web Files. Names are relative, with ``/`` between folders. The names that the server
keeps for itself (``index.html``) cannot be stored. What a name may not do: leave the folder, or
hide a file.
"""

from __future__ import annotations

from pathlib import Path

from reference.storage.account import Account
from reference.storage.errors import StorageError
from reference.storage.files import replace_file

FOLDER = "account.web"
#: The page that is meant when no file is named (Guide 3.5.2, HTTP Access to Personal Web Sites).
HOME = "default.html"
#: The name of the management forms.
MANAGEMENT = "index.html"
PRIVATE = "private"


class BadWebFile(StorageError):  # noqa: N818 - a domain error as the others
    """A file name that cannot be, or that does not exist."""


class WebFiles:
    """One account's Web Site."""

    def __init__(self, account: Account) -> None:
        self._folder = account.folder / FOLDER

    def path(self, name: str) -> Path:
        """Return where a file is or would be. Raises BadWebFile."""
        parts = name.strip("/").split("/")
        if any(not part or part.startswith(".") or "\0" in part for part in parts):
            raise BadWebFile(
                f"{name[:80]!r} is not a file name; write page.html or folder/page.html"
            )
        return self._folder.joinpath(*parts)

    def store(self, name: str, content: bytes) -> None:
        """Store a file; one of this name is replaced. Raises BadWebFile, FileError."""
        path = self.path(name)
        if path.name.lower() == MANAGEMENT:
            raise BadWebFile(f"{MANAGEMENT} is the name of the management page")
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)

    def read(self, name: str) -> bytes:
        """Return a file's content. Raises BadWebFile."""
        path = self.path(name)
        try:
            return path.read_bytes()
        except OSError as error:
            raise BadWebFile(f"there is no Web Site file {name[:80]!r}") from error

    def rename(self, old: str, new: str) -> None:
        """Give a file another name. Raises BadWebFile."""
        target = self.path(new)
        content_path = self._existing(old)
        if target.exists():
            raise BadWebFile(f"a Web Site file {new[:80]!r} exists already")
        target.parent.mkdir(parents=True, exist_ok=True)
        content_path.rename(target)

    def delete(self, name: str) -> None:
        """Remove a file. Raises BadWebFile."""
        self._existing(name).unlink()

    def _existing(self, name: str) -> Path:
        path = self.path(name)
        if not path.is_file():
            raise BadWebFile(f"there is no Web Site file {name[:80]!r}")
        return path

    def listing(self, folder: str = "") -> dict[str, int | None]:
        """Return the names in a folder: sizes in octets of files, None for folders.

        Raises BadWebFile.
        """
        path = self.path(folder) if folder else self._folder
        if not path.is_dir():
            if folder:
                raise BadWebFile(f"there is no Web Site folder {folder[:80]!r}")
            return {}
        return {
            entry.name: None if entry.is_dir() else entry.stat().st_size
            for entry in sorted(path.iterdir())
        }

    def totals(self) -> tuple[int, int]:
        """Return the size in octets and the number of all files."""
        sizes = [path.stat().st_size for path in self._folder.rglob("*") if path.is_file()]
        return sum(sizes), len(sizes)
