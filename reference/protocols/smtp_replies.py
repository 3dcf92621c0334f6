"""What the SMTP receiver says: every reply code and text, and which refusal gets which.

Texts that an administrator can change are Server Strings (Guide 3.5.2, System Administration,
Customizing Server Prompts); ``^0`` stands for the server's version and ``^1`` for its name. The
codes and the texts of the blacklist dialogues are those of the SMTP Module chapter. Nothing here
decides anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from reference.kernel.relay import Verdict
from reference.kernel.routes import (
    BlacklistedAddress,
    RoutingError,
    RoutingLoop,
    SpamTrap,
    UnknownAccount,
    UnknownDomain,
)


class SettingsReader(Protocol):
    """The part of the settings that holds the Server Strings."""

    def get(self, module: str, keyword: str, /) -> Any:
        """Return the typed value of a setting."""


#: Reply code and, where it is not the error's own, the text of a routing error.
REFUSALS: Mapping[type[RoutingError], tuple[int, str]] = {
    UnknownAccount: (550, ""),
    UnknownDomain: (550, ""),
    SpamTrap: (553, "Blacklisted Address"),
    BlacklistedAddress: (553, "Blacklisted Address"),
    RoutingLoop: (550, ""),
    RoutingError: (550, ""),
}

#: Reply code and text (a Server String's keyword, or literal) of each verdict on relaying.
VERDICTS: Mapping[Verdict, tuple[int, str]] = {
    Verdict.STAYS: (250, "SMTPNonInternet"),
    Verdict.FROM_CLIENT: (250, "will relay mail from a client address"),
    Verdict.AUTHENTICATED: (250, "will relay mail for an authenticated user"),
    Verdict.MARKED: (250, "will relay mail for a rerouted address"),
    Verdict.OPEN: (250, "will relay mail"),
    Verdict.TO_CLIENT: (250, "will relay mail to a client address"),
    Verdict.TO_BACKED_UP: (250, "will relay mail to a host we back up"),
    Verdict.LATER: (451, "the host cannot be found now, try again later"),
    Verdict.LOGIN_FIRST: (450, "try to authenticate first"),
    Verdict.REFUSED: (550, "SMTPNoRelay"),
}

#: Code for every recipient from a blacklisted host that the Router does not take.
BLACKLISTED = 591
IN_BLACK_LIST = "Your host is in our Black List. No mail will be accepted"
IS_BLACKLISTED = "Your host is blacklisted. No mail will be accepted"
WHITE_HOLE = "Your host is blacklisted. Send your questions to blacklist-admin@{domain}."

#: Server Strings of the SMTP module.
STRINGS = frozenset({"SMTPByeBye", "SMTPNoRelay", "SMTPNonInternet", "SMTPNormalPrompt"})


class ServerStrings:
    """The Server Strings with their symbols filled in."""

    def __init__(self, *, settings: SettingsReader, version: str, name: Callable[[], str]) -> None:
        """``name`` gives the Main Domain name."""
        self._settings = settings
        self._version = version
        self._name = name

    def text(self, keyword: str, name: str = "") -> str:
        """Return a string as the client gets it; ``name`` replaces the Main Domain name."""
        text = str(self._settings.get("Strings", keyword))
        return text.replace("^0", self._version).replace("^1", name or self._name())


def reply(code: int, text: str) -> bytes:
    """Return a reply of one line. Line ends in the text become blanks."""
    return f"{code} {_one_line(text)}\r\n".encode("utf-8", "surrogateescape")


def replies(code: int, lines: list[str]) -> bytes:
    """Return a reply of several lines (RFC 5321, 4.2.1)."""
    last = len(lines) - 1
    return "".join(
        f"{code}{' ' if at == last else '-'}{_one_line(line)}\r\n" for at, line in enumerate(lines)
    ).encode("utf-8", "surrogateescape")


def refusal(error: RoutingError, address: str) -> tuple[int, str]:
    """Return the reply to a recipient that the Router refuses."""
    for kind in type(error).__mro__:
        if kind in REFUSALS:
            code, text = REFUSALS[kind]
            return code, f"{address} {text or error.text}"
    return 550, f"{address} {error.text}"


def verdict_reply(verdict: Verdict, address: str, strings: ServerStrings) -> tuple[int, str]:
    """Return the reply to a recipient that the Router knows."""
    code, text = VERDICTS[verdict]
    if text in STRINGS:
        text = strings.text(text)
    return code, f"{address} {text}" if address else text


def _one_line(text: str) -> str:
    return text if text.isprintable() else " ".join(text.split())
