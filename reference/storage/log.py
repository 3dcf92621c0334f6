"""The Server Log: one file for all components, a line a record.

Guide 3.5.2, Server Logs. A record is a time stamp (server local time), the level, the tag of the
component and the text: ``21:08:46.123 4 SMTP-00012 connection from [10.0.0.1]``. The levels are 0
(crashes), 1 (failures), 2 (major), 3 (problems), 4 (low-level) and 5 (all info); a component's
Log setting tells up to which level its records are written. A new file ``YYYY-MM-DD_HH-MM.log``
begins at midnight, or more often, or when the file is too large; then old files are removed.

Records of one turn of the reactor are written together, at its end. Line ends and other control
characters in a text are escaped, so nobody forges a record. Secrets are the callers' affair: they
pass none, or what :func:`masked` leaves of a line.
"""

from __future__ import annotations

import enum
import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from reference.kernel.clock import Clock
from reference.storage.files import encode
from reference.storage.settings import Settings


class Level(enum.IntEnum):
    """How important a record is."""

    CRASHES = 0
    FAILURES = 1
    MAJOR = 2
    PROBLEMS = 3
    LOW_LEVEL = 4
    ALL_INFO = 5


#: The tag's name → the module whose Log setting rules it.
_MODULES = {
    "SYSTEM": "Server",
    "ROUTER": "Router",
    "SMTP": "SMTP",
    "SMTPI": "SMTP",
    "SMTPO": "SMTP",
    "SMTPW": "SMTP",
    "LOCAL": "LOCAL",
    "LIST": "LIST",
    "PIPE": "PIPE",
    "RPOP": "RPOP",
    "POP": "POP",
    "IMAP": "IMAP",
    "PWD": "PWD",
    "CLI": "PWD",
    "DNR": "DNR",
    "TCP": "Schedule",
    "TLS": "TLS",
    "QUEUE": "Queue",
}
#: The tag's name → module and keyword of the Log setting that rules it, where it has its own.
_LEVELS = {
    "ACCOUNT": ("DomainDefaults", "AccountsLogLevel"),
    "MAILBOX": ("DomainDefaults", "MailboxesLogLevel"),
    "TEMPFILE": ("Queue", "TempFilerLogLevel"),
    "ENQUEUER": ("Queue", "EnqueuerLogLevel"),
    "ENQUEUERRULES": ("Queue", "EnqueuerLogLevel"),
    "DEQUEUER": ("Queue", "DequeuerLogLevel"),
}
_DEFAULT_LEVEL = Level.PROBLEMS

_TAG = re.compile(r"[A-Za-z]+")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_SHOWN = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_DAY = 86400.0


class ServerLog:
    """The System Log."""

    def __init__(
        self,
        *,
        folder: Path,
        clock: Clock,
        settings: Settings | None = None,
        later: Callable[[Callable[[], object]], object] | None = None,
        log_all: bool = False,
        console: TextIO | None = None,
    ) -> None:
        """Write into files of ``folder``, which must exist.

        ``later`` calls a function at the end of the reactor's turn; without it every record is
        written at once. ``log_all`` disregards the Log settings (``--LogAll``); ``console`` gets
        every record, too (``--LogToConsole``).
        """
        self._folder = folder
        self._clock = clock
        self._settings = settings
        self._later = later
        self._log_all = log_all
        self._console = console
        self._owner = threading.get_ident()
        self._lock = threading.RLock()
        self._pending: list[str] = []
        self._file: Path | None = None
        self._descriptor = -1  # of the file; -1 while it is not open
        self._looked = 0  # the second in which it was last seen under its name
        self._size = 0
        self._opened = 0.0
        self._second = (-1, "")
        self._ends = 0.0
        self._levels: dict[str, int] = {}
        self._limit = 0.0  # octets of a file; 0 for no limit
        self._reread()
        if settings is not None:
            settings.subscribe("Logs", self._reread)
            for module in {*_MODULES.values(), *(module for module, _ in _LEVELS.values())}:
                settings.subscribe(module, self._levels.clear)

    @property
    def path(self) -> Path | None:
        """The current file; None before the first record."""
        return self._file

    def on(self, tag: str, level: int) -> bool:
        """Tell whether a record of this tag and level would be written."""
        if self._log_all:
            return True
        limit = self._levels.get(tag)
        if limit is None:
            limit = self._level(tag)
        return level <= limit

    def write(self, level: int, tag: str, text: str) -> None:
        """Write a record if the component's Log setting lets it. May be called from any thread.

        ``tag`` is the component's, with a session number as in ``POP-12357`` or without. Never
        raises for the sake of a full disk or a folder that is gone: the record is lost then.
        """
        if not self.on(tag, level):
            return
        with self._lock:
            now = self._clock.time()
            if not text.isprintable():
                text = _CONTROLS.sub(_escaped, text)
            line = f"{self._stamp(now)} {level:d} {tag} {text}\n"
            if self._console is not None:
                self._console.write(line)
            try:
                self._turn_file(now)
            except OSError:
                # There is nowhere to complain; the server must go on.
                return
            self._pending.append(line)
            if self._later is None or threading.get_ident() != self._owner:
                self.flush()
            elif len(self._pending) == 1:
                self._later(self.flush)
            elif len(self._pending) > 1000:
                self.flush()

    def flush(self) -> None:
        """Write what is pending."""
        with self._lock:
            if not self._pending or self._file is None:
                return
            octets = encode("".join(self._pending))
            self._pending.clear()
            self._size += len(octets)
            try:
                os.write(self._opened_file(self._file), octets)
            except OSError:
                # There is nowhere to complain; the server must go on.
                return

    def close(self) -> None:
        """Write what is pending and let go of the file; later records go to the same one."""
        with self._lock:
            self.flush()
            self._shut()

    def _opened_file(self, path: Path) -> int:
        """Return the descriptor of the file; one that was taken away is made anew in a second."""
        second = self._second[0]
        if self._descriptor >= 0 and second != self._looked and not _is_at(path, self._descriptor):
            self._shut()
        self._looked = second
        if self._descriptor < 0:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(path, flags, 0o666)
        return self._descriptor

    def _shut(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    # Levels --------------------------------------------------------------------------------------

    def _level(self, tag: str) -> int:
        found = _TAG.match(tag)
        name = found[0].upper() if found else ""
        limit: int = _DEFAULT_LEVEL
        if self._settings is not None:
            module = _MODULES.get(name, "Server")
            limit = self._settings.get(*_LEVELS.get(name, (module, "LogLevel")))
        if len(self._levels) > 10_000:
            # Every session has a tag of its own.
            self._levels.clear()
        self._levels[tag] = limit
        return limit

    # Files ---------------------------------------------------------------------------------------

    def _stamp(self, now: float) -> str:
        second = int(now)
        if self._second[0] != second:
            self._second = (second, time.strftime("%H:%M:%S", time.localtime(second)))
        return f"{self._second[1]}.{int(now * 1000) % 1000:03d}"

    def _turn_file(self, now: float) -> None:
        """Begin a new file when it is time to."""
        limit = self._limit
        if self._file is not None:
            large = 0 < limit <= self._size
            if self._opened <= now < self._ends and not large:
                return
            self.flush()
            self._shut()
        local = time.localtime(now)
        stem = time.strftime("%Y-%m-%d_%H-%M", local)
        path = self._folder / f"{stem}.log"
        number = 1
        # After a restart within the same minute the file goes on; a full one does not.
        while path.exists() and (path == self._file or 0 < limit <= path.stat().st_size):
            number += 1
            path = self._folder / f"{stem}_{number}.log"
        self._file = path
        self._size = path.stat().st_size if path.exists() else 0
        self._opened = now
        next_midnight = time.mktime((*local[:2], local.tm_mday + 1, 0, 0, 0, 0, 0, -1))
        self._ends = min(next_midnight, now + max(60.0, self._option("NewFileEvery", _DAY)))
        self._remove_old(now)

    def _remove_old(self, now: float) -> None:
        oldest = now - self._option("DeleteOldFiles", float("inf"))
        if oldest <= 0:
            return
        for path in self._folder.iterdir():
            if path.is_file() and path != self._file and path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)

    def _reread(self) -> None:
        self._limit = self._option("LargerThan", 0)

    def _option(self, keyword: str, default: float) -> float:
        return default if self._settings is None else float(self._settings.get("Logs", keyword))


def _is_at(path: Path, descriptor: int) -> bool:
    """Tell whether a path leads to an open file."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False


def _escaped(match: re.Match[str]) -> str:
    return _SHOWN.get(match[0]) or f"\\{ord(match[0]):03d}"


#: What is hidden: the group of each pattern.
_SECRETS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"^\s*(?:PASS|NEWPASS|EPASS)\s+(?P<secret>.+)$",
        r"^\s*APOP\s+\S+\s+(?P<secret>.+)$",
        r"^\s*(?:\S+\s+)?LOGIN\s+(?:\"(?:[^\"\\]|\\.)*\"|\S+)\s+(?P<secret>.+)$",
        r"^\s*(?:\S+\s+)?AUTH(?:ENTICATE)?\s+\S+\s+(?P<secret>.+)$",
        r"\bSetAccountPassword\b.*?\bTO\s+(?P<secret>.+)$",
        r"\bVerifyAccountPassword\b.*?\bPASSWORD\s+(?P<secret>.+)$",
        r"\b\w*Password\"?\s*=\s*(?P<secret>\"(?:[^\"\\]|\\.)*\"?|[^;}\s]+)",
    )
)


def masked(line: str) -> str:
    """Return a protocol or CLI line with what may be a password or a proof of one hidden."""
    for pattern in _SECRETS:
        line = pattern.sub(
            lambda m: (
                m[0][: m.start("secret") - m.start()] + "***" + m[0][m.end("secret") - m.start() :]
            ),
            line,
        )
    return line
