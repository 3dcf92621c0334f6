"""Remote POP accounts as setting values: the records that the RPOP module polls.

Guide 3.5.2, RPOP Module (Specifying Unified Domain-Wide Accounts, Specifying Remote Accounts for
Individual Users): Poll Every, Account, at Host, Password, Leave, APOP and, of a Unified Domain-Wide
Account, Special Header. As data a record is a dictionary such as ``{period=10m; authName=john;
domain="pop.provider.com:111"; password=x; leave=NO; APOP=YES; specialHeader="X-Real-To";}``. The
documents' tables end with an empty row, and ``never`` takes a row away: both are no records.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from reference.formats import values
from reference.formats.dictionary import Value
from reference.storage.kinds import Kind

#: The key under which an account keeps its records.
RECORDS = "RPOP"
POP_PORT = 110
_KEYS = ("period", "authName", "domain", "password", "leave", "APOP", "specialHeader")
_BY_NAME = {key.lower(): key for key in _KEYS}
_HOST = re.compile(r"(?P<host>[^\s:,]+(?:\s*,\s*[^\s:,]+)*)(?::(?P<port>\d{1,5}))?")
_FIELD_NAME = re.compile(r"[!-9;-~]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteAccount:
    """An account on a remote host."""

    name: str
    host: str
    """A host's name, or IP addresses with commas between them, in lower case."""
    port: int = POP_PORT
    password: str = field(default="", repr=False)
    period: float = math.inf
    """Seconds between two polls."""
    leave: bool = False
    """Messages stay on the remote host."""
    apop: bool = True
    """APOP may be used."""
    special_header: str = ""
    """The field with the envelope recipients; empty: there is none."""

    @property
    def polled(self) -> bool:
        """Tell whether there is anything to do."""
        return bool(self.name and self.host) and 0 < self.period < math.inf

    @property
    def label(self) -> str:
        """How the log calls it, and what its messages are remembered by."""
        port = "" if self.port == POP_PORT else f":{self.port}"
        return f"{self.name}@{self.host}{port}"


def read_account(row: Value) -> RemoteAccount:
    """Return a record. Raises ValueError."""
    if not isinstance(row, dict):
        raise ValueError("an RPOP record is a dictionary")
    cells: dict[str, str] = {}
    for key, text in row.items():
        name = _BY_NAME.get(key.lower())
        if name is None or not isinstance(text, str):
            raise ValueError(f"{key!r} is incorrect; an RPOP record has {', '.join(_KEYS)}")
        cells[name] = text.strip() if name != "password" else text
    host, port = _host(cells.get("domain", ""))
    special = cells.get("specialHeader", "").removesuffix(":")
    if not _FIELD_NAME.fullmatch(special):
        raise ValueError(f"{special!r} is no name of a header field")
    if any(not character.isprintable() for character in cells.get("authName", "")):
        raise ValueError("the name of a remote account is one line")
    return RemoteAccount(
        name=cells.get("authName", ""),
        host=host,
        port=port,
        password=cells.get("password", ""),
        period=values.parse_duration(cells.get("period", "never") or "never"),
        leave=_flag(cells.get("leave", ""), default=False),
        apop=_flag(cells.get("APOP", ""), default=True),
        special_header=special,
    )


def read_accounts(rows: Value) -> tuple[RemoteAccount, ...]:
    """Return those of an array of records that are to be polled. Raises ValueError."""
    if rows == "":
        return ()
    if not isinstance(rows, list):
        raise ValueError("an array of RPOP records is expected")
    return tuple(account for account in map(read_account, rows) if account.polled)


def _flag(text: str, *, default: bool) -> bool:
    return values.parse_flag(text) if text else default


def _host(text: str) -> tuple[str, int]:
    if not text:
        return "", POP_PORT
    found = _HOST.fullmatch(text)
    port = int(found["port"] or POP_PORT) if found else 0
    if found is None or not 0 < port < 65536:
        raise ValueError(f"{text!r} is no host; write pop.provider.com or pop.provider.com:111")
    return found["host"].replace(" ", "").lower(), port


@dataclass(frozen=True)
class RemoteAccounts(Kind):
    """An array of RPOP records."""

    description: str = (
        "an array of records such as "
        '{period=10m;authName=mydomain;domain="pop.provider.com";password=x;}'
    )

    def parse(self, value: Value) -> tuple[RemoteAccount, ...]:
        return read_accounts(value)

    def print(self, value: Iterable[RemoteAccount]) -> Value:
        return [_printed(account) for account in value]


def _printed(account: RemoteAccount) -> Value:
    port = "" if account.port == POP_PORT else f":{account.port}"
    return {
        "period": values.print_duration(account.period),
        "authName": account.name,
        "domain": account.host + port,
        "password": account.password,
        "leave": values.print_flag(account.leave),
        "APOP": values.print_flag(account.apop),
        "specialHeader": account.special_header,
    }
