"""Files of the base directory: written so that a crash leaves the old text or the new one.

Guide 3.5.2, Data Formats: the files are text; whether their lines end with LF or CR LF makes no
difference. A file is written under another name, forced to the disk and renamed; the folder is
forced to the disk, too. Octets that are no UTF-8 survive reading and writing.

This module knows nothing of what the files mean, and never leaves a half-written one under its
own name.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from reference.formats import dictionary
from reference.formats.dictionary import Value
from reference.storage.errors import FileError

#: Names that end so are leftovers of an interrupted operation.
TEMPORARY = ".tmp"


def decode(octets: bytes) -> str:
    """Return the text of a file: UTF-8 with strange octets kept, lines ended by LF."""
    return octets.replace(b"\r\n", b"\n").decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """Return the octets of a text."""
    return text.encode("utf-8", "surrogateescape")


def fsync_folder(folder: Path) -> None:
    """Force the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, octets: bytes) -> None:
    """Write a file that nobody else knows yet, and force its content to the disk.

    The name is durable after :func:`fsync_folder` only. Raises FileError.
    """
    try:
        with path.open("wb") as file:
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from error


def replace_file(path: Path, octets: bytes, *, durable: bool = True) -> None:
    """Put new content in a file's place, all of it or nothing. Raises FileError.

    ``durable`` False leaves out the disk's part: a crash of the computer may then lose the change
    (or the file, which the caller must survive), a crash of the server cannot.
    """
    temporary = path.with_name(path.name + TEMPORARY)
    try:
        if durable:
            write_durably(temporary, octets)
        else:
            temporary.write_bytes(octets)
        temporary.replace(path)
        if durable:
            fsync_folder(path.parent)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from error


def read_text(path: Path) -> str | None:
    """Return a file's text, or None when there is no such file. Raises FileError."""
    try:
        return decode(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from error


def read_dictionary(path: Path) -> dict[str, Value]:
    """Return the dictionary in a file; a missing or empty file is an empty dictionary.

    Raises FileError with the line and column of what is wrong.
    """
    text = read_text(path)
    if text is None or not text.strip():
        return {}
    try:
        value = dictionary.parse(text)
    except dictionary.DictionaryError as error:
        raise FileError(f"{path}: {error}") from error
    if not isinstance(value, dict):
        raise FileError(f"{path}: a dictionary is expected")
    return value


def dictionary_octets(value: Mapping[str, Value]) -> bytes:
    """Return the content of a dictionary file."""
    return encode(dictionary.dump(dict(value), pretty=True) + "\n")


def write_dictionary(path: Path, value: Mapping[str, Value], *, durable: bool = True) -> None:
    """Replace a dictionary file. Raises FileError."""
    replace_file(path, dictionary_octets(value), durable=durable)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, durably. Raises FileError."""
    try:
        if not path.is_dir():
            make_folder(path.parent)
            path.mkdir(exist_ok=True)
            fsync_folder(path.parent)
    except FileExistsError:
        raise FileError(f"{path}: this is a file, not a directory") from None
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from error


def remove_folder(path: Path) -> None:
    """Remove a folder with all that is in it: at once by name, then from the disk.

    Raises FileError when it cannot be taken away at all.
    """
    doomed = path.with_name(path.name + TEMPORARY)
    try:
        if doomed.exists():
            shutil.rmtree(doomed)
        path.rename(doomed)
        fsync_folder(path.parent)
        shutil.rmtree(doomed)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from error


def move(old: Path, new: Path) -> None:
    """Rename a file or folder durably. Raises FileError."""
    try:
        old.rename(new)
        fsync_folder(new.parent)
        if old.parent != new.parent:
            fsync_folder(old.parent)
    except OSError as error:
        raise FileError(f"{old}: {error.strerror}") from error
