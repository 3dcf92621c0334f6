"""Where account folders stand in a domain's folder, and how one is made.

Guide 3.5.2, Domains (Subdirectories for Large Domains): accounts may lie in nested ``.sub``
subfolders. The Foldering Method names the subfolder of a new account only; at start the folders
are scanned, so accounts are found wherever they are. The documents do not give the hash function of
the hashed methods: this one is CRC-32.
"""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from reference.formats.dictionary import Value
from reference.storage.account import INBOX, INFO_FILE, SETTINGS_FILE, SUFFIX
from reference.storage.errors import FileError
from reference.storage.files import (
    TEMPORARY,
    dictionary_octets,
    fsync_folder,
    make_folder,
    write_durably,
)
from reference.storage.mailbox_names import file_of

_SUB = ".sub"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def place_of(name: str, method: str) -> str:
    """Return the subfolder for a new account's folder under a Foldering Method; empty for none."""
    number = zlib.crc32(name.encode())
    hashed = _LETTERS[number % 26], _LETTERS[number // 26 % 26], _LETTERS[number // 676 % 26]
    match method:
        case "2 Letters 1 Level":
            return name[:2] + _SUB
        case "2 Letters 2 Levels":
            return "/".join(letter + _SUB for letter in name[:2])
        case "Hashed 1 Level":
            return hashed[0] + hashed[1] + _SUB
        case "Hashed 2 Levels":
            return f"{hashed[0]}{hashed[1]}{_SUB}/{hashed[2]}{_SUB}"
    return ""


def scan(folder: Path, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield the name and the place of each account below a domain's folder.

    Leftovers of interrupted operations are removed. Raises FileError.
    """
    try:
        with os.scandir(folder / place) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX):
                    yield entry.name[: -len(SUFFIX)], place
                elif entry.name.endswith(_SUB):
                    yield from scan(folder, f"{place}/{entry.name}".lstrip("/"))
                elif entry.name.endswith(SUFFIX + TEMPORARY):
                    shutil.rmtree(entry.path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise FileError(f"{folder / place}: {error.strerror}") from error


def make(folder: Path, settings: Mapping[str, Value], info: Mapping[str, Value]) -> None:
    """Make an account's folder with its files: the whole of it or nothing. Raises FileError."""
    make_folder(folder.parent)
    temporary = folder.with_name(folder.name + TEMPORARY)
    try:
        if temporary.exists():
            shutil.rmtree(temporary)
        temporary.mkdir()
        write_durably(temporary / SETTINGS_FILE, dictionary_octets(settings))
        # These two can be made again when they are missing; the disk may take its time.
        (temporary / INFO_FILE).write_bytes(dictionary_octets(info))
        (temporary / file_of(INBOX)).touch()
        fsync_folder(temporary)
        temporary.rename(folder)
        fsync_folder(folder.parent)
    except OSError as error:
        raise FileError(f"{folder}: {error.strerror}") from error
