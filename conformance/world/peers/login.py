"""AUTH at a remote host: PLAIN, LOGIN and CRAM-MD5 against the names and passwords of a scenario.

The conversation goes through a call that sends a challenge (in base64) and returns the response.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable, Mapping

METHODS = ("CRAM-MD5", "LOGIN", "PLAIN")

#: Sends a challenge in base64 and returns the client's line.
Challenge = Callable[[str], Awaitable[str]]


async def login_name(arg: str, logins: Mapping[str, str], challenge: Challenge) -> str:
    """Return the name that has logged in, or nothing; without logins everybody may.

    ``arg`` is what follows AUTH.
    """
    method, _, initial = arg.partition(" ")
    try:
        match method.upper():
            case "PLAIN":
                return await _plain(initial, logins, challenge)
            case "LOGIN":
                return await _login(initial, logins, challenge)
            case "CRAM-MD5":
                return await _cram_md5(logins, challenge)
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return ""


async def _plain(initial: str, logins: Mapping[str, str], challenge: Challenge) -> str:
    _, name, password = (*_decoded(initial or await challenge("")).split("\0"), "", "")[:3]
    return _known(name, password, logins)


async def _login(initial: str, logins: Mapping[str, str], challenge: Challenge) -> str:
    name = _decoded(initial or await challenge(_encoded("Username:")))
    return _known(name, _decoded(await challenge(_encoded("Password:"))), logins)


async def _cram_md5(logins: Mapping[str, str], challenge: Challenge) -> str:
    text = "<1896.697170952@peer.example>"
    name, _, digest = _decoded(await challenge(_encoded(text))).rpartition(" ")
    if not logins:
        return name
    password = logins.get(name)
    if password is None:
        return ""
    right = hmac.new(password.encode(), text.encode(), "md5").hexdigest()
    return name if hmac.compare_digest(right, digest) else ""


def _known(name: str, password: str, logins: Mapping[str, str]) -> str:
    return name if not logins or logins.get(name) == password else ""


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


def _decoded(text: str) -> str:
    return base64.b64decode(text, validate=True).decode()
