"""Names of mailboxes and the files that hold them.

Guide 3.5.2, Mailboxes (Mailbox Names, Mailbox Formats). Names are case-sensitive, except INBOX; the
slash separates the levels of nested mailboxes. The mailbox ``box`` is the file ``box.mbox`` or the
directory ``box.mdir``, as its format is; the mailbox ``box/inner`` is ``inner.mbox`` in the folder
``box.folder``, so that a mailbox can hold messages and submailboxes at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePath

from reference.storage.errors import BadName

#: The extensions of the formats: text, directory.
TEXT = ".mbox"
DIRECTORY = ".mdir"
_FOLDER = ".folder"


def checked(name: str) -> str:
    """Return a mailbox name in its one form. Raises BadName."""
    if name.upper() == "INBOX":
        return "INBOX"
    parts = name.split("/")
    for part in parts:
        if not part or part.startswith(".") or not part.isprintable():
            raise BadName("The Mailbox name is incorrect")
        if len(part.encode("utf-8", "surrogateescape")) > 200:
            raise BadName("The Mailbox name is too long")
    if parts[0].upper() == "INBOX":
        parts[0] = "INBOX"
    return "/".join(parts)


def file_of(name: str, extension: str = TEXT) -> PurePath:
    """Return the path, below the account's folder, of a checked name's file or directory."""
    *above, last = name.split("/")
    return PurePath(*(part + _FOLDER for part in above), last + extension)


def is_mailbox(path: Path) -> bool:
    """Tell whether a file or directory is a mailbox of one of the formats."""
    if path.suffix == TEXT:
        return path.is_file()
    return path.suffix == DIRECTORY and path.is_dir()


def divided(name: str) -> tuple[str, str]:
    """Divide the name of a new mailbox into its own name and the extension of a format, or none."""
    for extension in (TEXT, DIRECTORY):
        if name.endswith(extension):
            return name.removesuffix(extension), extension
    return name, ""


def names_in(folder: Path) -> list[str]:
    """Return the names of the mailboxes in an account's folder, INBOX first."""
    found = sorted(_walk(folder, ""))
    return ["INBOX", *(name for name in found if name != "INBOX")]


def _walk(folder: Path, above: str) -> Iterator[str]:
    for entry in folder.iterdir() if folder.is_dir() else ():
        if is_mailbox(entry):
            yield above + entry.stem
        elif entry.suffix == _FOLDER and entry.is_dir():
            yield from _walk(entry, f"{above}{entry.stem}/")
