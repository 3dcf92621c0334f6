"""Target files: what a TOML file says about a server under test.

Read once by the command or by the pytest plugin, checked completely, and handed on as a frozen,
picklable :class:`TargetFile`. Every complaint names the file, the line where that can be told, the
key, and what to write instead. This module starts nothing; :mod:`conformance.targets.kinds` makes a
target of a file, docs/targets.md describes the keys for people.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.targets.base import SERVICE_PORTS, TargetError

#: What may stand in braces in a target file → what it becomes.
PLACEHOLDERS: Mapping[str, str] = {
    "python": "the interpreter that runs the harness",
    "here": "the folder of the target file",
    "base": "a fresh base directory for the server",
    "address": "the server computer's first IP address",
    "addresses": "its IP addresses, with commas between",
    "dns": "the IP address of the name server",
    "port_offset": "what the server adds to every port (0 in the namespace plan)",
    "control": "the path of the control socket",
}
PLANS = ("namespace", "loopback")
#: A plan that a target must ask for by its name: there is no world in it.
DIRECT = "direct"
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class TargetFileError(TargetError):
    """A target file that cannot be used; the text names the file, the key and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """``[start]``: how one server is started."""

    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    within: float = 10.0
    """Seconds until the server must accept connections."""
    end_within: float = 5.0
    """Seconds that an orderly end may take."""
    settle: float = 0.3
    """Seconds of silence that count as rest, for a server without a control socket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """``[login]``: the administrator of a fresh server."""

    user: str = "postmaster"
    password: str = ""
    password_file: str = ""
    """A file in the documents' dictionary format whose key Password holds the password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """``[files]``: where the server keeps its files; globs relative to ``base``."""

    base: str = "{base}"
    log: str = "SystemLogs/*.log"
    queue: str = "Queue/*.msg"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFile:
    """What a target file says, checked."""

    path: Path
    name: str
    capabilities: frozenset[str]
    kind: str = "cli"
    plans: tuple[str, ...] = PLANS
    baseline: Path | None = None
    """The file of the failures that are expected of this server."""
    start: Start = field(default_factory=Start)
    warm: tuple[str, ...] = ()
    """``[warm] command``: a process that forks ready servers; empty: none."""
    login: Login = field(default_factory=Login)
    files: Files = field(default_factory=Files)
    ports: Mapping[str, int] = field(default_factory=lambda: dict(SERVICE_PORTS))
    keywords: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Module → label → keyword: overrides of :mod:`conformance.targets.labels`."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """``[options]``: what an adapter wants to know; not checked here."""

    @property
    def has_control(self) -> bool:
        """True when the server is told the path of a control socket."""
        return any("{control}" in word for word in self.start.command)


@dataclass(frozen=True, slots=True)
class _Source:
    """The file's text, to say where a key stands."""

    path: Path
    text: str

    def error(self, table: str, key: str, complaint: str) -> TargetFileError:
        line = self._line(table, key)
        name = f"{table}.{key}" if table and key else table or key
        where = f"{self.path}:{line}" if line else str(self.path)
        return TargetFileError(f"{where}: {name}: {complaint}")

    def _line(self, table: str, key: str) -> int:
        here, table_line = "", 0
        for number, line in enumerate(self.text.splitlines(), 1):
            head = re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line)
            if head:
                here = head[1].replace('"', "")
                table_line = number if here == table else table_line
            elif here == table and key and re.match(rf'\s*"?{re.escape(key)}"?\s*=', line):
                return number
        return 0 if key and not table else table_line


def suggest(word: str, known: Sequence[str]) -> str:
    """Return `` (did you mean "x"?)`` for the known word nearest to ``word``, or nothing."""
    near = difflib.get_close_matches(word, known, n=1)
    return f' (did you mean "{near[0]}"?)' if near else ""


def load_target(path: str | Path) -> TargetFile:
    """Read and check a target file. Raises TargetFileError with one clear sentence."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        tables = tomllib.loads(text)
    except FileNotFoundError:
        raise TargetFileError(f"{path}: there is no such target file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise TargetFileError(f"{path}: cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise TargetFileError(f"{path}: not TOML: {error}") from None
    return _Reader(_Source(path, text), tables).read()


class _Reader:
    """Turns the tables of one file into a TargetFile."""

    _KEYS = (
        "name",
        "kind",
        "capabilities",
        "plans",
        "baseline",
        "start",
        "warm",
        "login",
        "files",
        "ports",
        "keywords",
        "options",
    )

    def __init__(self, source: _Source, tables: dict[str, Any]) -> None:
        self._source = source
        self._tables = tables

    def read(self) -> TargetFile:
        self._refuse_unknown("", self._tables, self._KEYS)
        name = self._text("", self._tables, "name", "")
        if not name:
            raise self._source.error("", "name", 'is missing: a short name, as name = "myserver"')
        kind = self._text("", self._tables, "kind", "cli")
        if "capabilities" not in self._tables:
            raise self._source.error(
                "", "capabilities", 'is missing: what the server can do, as ["smtp", "pop", "cli"]'
            )
        start = self._start(kind)
        return TargetFile(
            path=self._source.path.resolve(),
            name=name,
            kind=kind,
            capabilities=frozenset(self._texts("", self._tables, "capabilities")),
            plans=self._plans(kind, start),
            baseline=self._baseline(),
            start=start,
            warm=self._command("warm", self._table("warm", ("command",)), required=False),
            login=self._login(),
            files=self._files(),
            ports=self._ports(),
            keywords=self._keywords(),
            options=self._table("options", None),
        )

    def _baseline(self) -> Path | None:
        named = self._text("", self._tables, "baseline", "")
        if not named:
            return None
        path = self._source.path.resolve().parent / named
        if not path.is_file():
            raise self._source.error("", "baseline", f"there is no file {path}")
        return path

    def _start(self, kind: str) -> Start:
        table = self._table("start", ("command", "environment", "within", "end_within", "settle"))
        environment = table.get("environment", {})
        if not isinstance(environment, dict) or not all(
            isinstance(value, str) for value in environment.values()
        ):
            raise self._source.error("start", "environment", "must be a table of texts")
        for key, value in environment.items():
            self._check_placeholders("start", key, value)
        plain = Start()
        return Start(
            command=self._command("start", table, required=kind == "cli"),
            environment=environment,
            within=self._seconds("start", table, "within", plain.within),
            end_within=self._seconds("start", table, "end_within", plain.end_within),
            settle=self._seconds("start", table, "settle", plain.settle),
        )

    def _command(
        self, table_name: str, table: dict[str, Any], *, required: bool
    ) -> tuple[str, ...]:
        if "command" not in table:
            if required or (table and table_name == "warm"):
                raise self._source.error(
                    table_name,
                    "command",
                    'is missing: a list of words, as ["myserver", "--base", "{base}"]',
                )
            return ()
        words = self._texts(table_name, table, "command")
        if not words:
            raise self._source.error(table_name, "command", "is empty")
        for word in words:
            self._check_placeholders(table_name, "command", word)
        return words

    def _plans(self, kind: str, start: Start) -> tuple[str, ...]:
        offset = any("{port_offset}" in word for word in start.command)
        if "plans" not in self._tables:
            return PLANS if offset or kind != "cli" else ("namespace",)
        plans = self._texts("", self._tables, "plans")
        for plan in plans:
            if plan not in (*PLANS, DIRECT):
                complaint = f"{plan!r} is not a network plan{suggest(plan, (*PLANS, DIRECT))}"
                raise self._source.error("", "plans", complaint)
        if kind == "cli" and "loopback" in plans and not offset:
            raise self._source.error(
                "", "plans", "the loopback plan needs {port_offset} in the start command"
            )
        return plans

    def _login(self) -> Login:
        table = self._table("login", ("user", "password", "password_file"))
        login = Login(
            user=self._text("login", table, "user", "postmaster"),
            password=self._text("login", table, "password", ""),
            password_file=self._text("login", table, "password_file", ""),
        )
        if login.password and login.password_file:
            raise self._source.error("login", "password", "stands beside password_file: choose one")
        self._check_placeholders("login", "password_file", login.password_file)
        return login

    def _files(self) -> Files:
        table = self._table("files", ("base", "log", "queue"))
        plain = Files()
        files = Files(
            base=self._text("files", table, "base", plain.base),
            log=self._text("files", table, "log", plain.log),
            queue=self._text("files", table, "queue", plain.queue),
        )
        for key in ("base", "log", "queue"):
            self._check_placeholders("files", key, getattr(files, key))
        return files

    def _ports(self) -> dict[str, int]:
        table = self._table("ports", tuple(SERVICE_PORTS))
        for service, port in table.items():
            if not isinstance(port, int) or isinstance(port, bool) or not 0 < port < 65536:
                raise self._source.error("ports", service, "must be a number from 1 to 65535")
        return {**SERVICE_PORTS, **table}

    def _keywords(self) -> dict[str, dict[str, str]]:
        tables = self._table("keywords", None)
        for module, table in tables.items():
            if not isinstance(table, dict):
                raise self._source.error(
                    "keywords", module, f"must be a table: [keywords.{module}], label = keyword"
                )
            for label in table:
                self._text(f"keywords.{module}", table, label, "")
        return tables

    def _table(self, name: str, known: Sequence[str] | None) -> dict[str, Any]:
        table = self._tables.get(name, {})
        if not isinstance(table, dict):
            raise self._source.error("", name, f"must be a table: write [{name}] above its keys")
        if known is not None:
            self._refuse_unknown(name, table, known)
        return table

    def _refuse_unknown(self, name: str, table: Mapping[str, Any], known: Sequence[str]) -> None:
        for key in table:
            if key not in known:
                place = f"; known here: {', '.join(known)}"
                raise self._source.error(name, key, f"unknown key{suggest(key, known) or place}")

    def _text(self, name: str, table: Mapping[str, Any], key: str, default: str) -> str:
        value = table.get(key, default)
        if not isinstance(value, str):
            raise self._source.error(name, key, f"must be a text in quotes, not {value!r}")
        return value

    def _texts(self, name: str, table: Mapping[str, Any], key: str) -> tuple[str, ...]:
        value = table[key]
        if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
            raise self._source.error(
                name, key, f'must be a list of texts, as ["a", "b"], not {value!r}'
            )
        return tuple(value)

    def _seconds(self, name: str, table: Mapping[str, Any], key: str, default: float) -> float:
        value = table.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise self._source.error(name, key, f"must be a number of seconds, not {value!r}")
        return float(value)

    def _check_placeholders(self, name: str, key: str, text: str) -> None:
        for placeholder in _PLACEHOLDER.findall(text):
            if placeholder not in PLACEHOLDERS:
                near = suggest(placeholder, tuple(PLACEHOLDERS))
                known = ", ".join(f"{{{known}}}" for known in PLACEHOLDERS)
                raise self._source.error(
                    name, key, f"unknown placeholder {{{placeholder}}}{near or f'; known: {known}'}"
                )


def fill(text: str, values: Mapping[str, str]) -> str:
    """Put values in for the placeholders of a text (only known names stand in a checked file)."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]], text)
