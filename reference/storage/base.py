"""The base directory: making it for a fresh installation, and knowing one that is there.

Guide 3.5.2, System Administration (Base Directory Structure), Router (Default Records). A fresh
server has a Main Domain with the computer's name, the account ``postmaster`` in it with a random
password in clear text and all access rights, and the default Routing Table. Interrupted half-way,
the work is taken up again at the next start. Nothing that is there already is ever changed.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from reference.kernel.clock import Clock
from reference.storage import account_files, names, passwords
from reference.storage.domains import FALLBACK_NAME
from reference.storage.errors import BadName, FileError
from reference.storage.files import (
    dictionary_octets,
    encode,
    fsync_folder,
    make_folder,
    read_dictionary,
    read_text,
    replace_file,
    write_durably,
)
from reference.storage.settings import ROUTER_TABLE

#: The folders of a base directory.
FOLDERS = (
    *("Settings", "Queue", "BadFiles", "Accounts", "Accounts/Settings", "Domains"),
    *("Submitted", "SystemLogs"),
)

#: The Routing Table of a fresh installation.
DEFAULT_ROUTER_TABLE = """\
<root> = postmaster
localhost =
mailhost =
<blacklist-admin*@blacklisted> = postmaster
"""

POSTMASTER = "postmaster"
_PROCESS_ID = "ProcessID"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseDirectory:
    """A base directory that is complete."""

    path: Path
    fresh: bool
    """True when it has just been made."""


def claim(path: Path) -> int:
    """Take a base directory for this process alone; make it when it is missing.

    It stays taken until the descriptor that is returned is closed, at the latest with the end of
    the process, however that comes. Raises FileError when another server has it.
    """
    make_folder(path)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if not isinstance(error, BlockingIOError):
            raise FileError(f"{path}: {error.strerror}") from error
        owner = (read_text(path / _PROCESS_ID) or "").strip()
        process = f" (process {owner})" if owner else ""
        raise FileError(f"{path} is in use by another server{process}") from None
    return descriptor


def prepare(path: Path, *, clock: Clock, host_name: str = "") -> BaseDirectory:
    """Make what a base directory lacks of a fresh installation.

    ``host_name`` is the computer's name; it becomes the Main Domain's. Raises FileError.
    """
    make_folder(path)
    for name in FOLDERS:
        try:
            (path / name).mkdir(exist_ok=True, parents=True)
        except OSError as error:
            raise FileError(f"{path / name}: {error.strerror}") from error
    main = path / "Settings" / "Main.settings"
    if main.exists():
        return BaseDirectory(path=path, fresh=False)
    postmaster = path / "Accounts" / f"{POSTMASTER}.macnt"
    if not postmaster.exists():
        settings = {"Password": passwords.random_password(), "RealName": "Postmaster"}
        validity = str(max(1, int(clock.time())))
        account_files.make(
            postmaster, settings, {"INBOX": {"UIDValidity": validity, "LastUID": "0"}}
        )
    access = path / "Accounts" / "Settings" / "Access.settings"
    write_durably(access, dictionary_octets({**read_dictionary(access), POSTMASTER: ["Master"]}))
    fsync_folder(access.parent)
    if not (path / "Settings" / ROUTER_TABLE).exists():
        replace_file(path / "Settings" / ROUTER_TABLE, encode(DEFAULT_ROUTER_TABLE))
    # Written last: whoever finds this file finds all the others.
    replace_file(main, dictionary_octets({"DomainName": _domain_name(host_name)}))
    return BaseDirectory(path=path, fresh=True)


def _domain_name(host_name: str) -> str:
    try:
        return names.domain_name(host_name)
    except BadName:
        return FALLBACK_NAME


def write_process_id(base: Path) -> None:
    """Write the file that exists while the server runs. Raises FileError."""
    replace_file(base / _PROCESS_ID, f"{os.getpid()}\n".encode(), durable=False)


def remove_process_id(base: Path) -> None:
    """Remove that file; harmless when it is gone, or was made by root and cannot be removed."""
    with suppress(OSError):
        (base / _PROCESS_ID).unlink()
