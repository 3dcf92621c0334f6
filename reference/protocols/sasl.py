"""SASL mechanisms, the server's side: PLAIN, LOGIN, CRAM-MD5 and NTLM, without I/O.

A mechanism is a conversation: challenges out, responses in, and credentials at its end. It says
who claims to be whom and with what proof; whether that is true, :mod:`reference.kernel.access`
decides. No mechanism sees a stored password.

Guide 3.5.2, Security, Authentication Methods. RFC 4616 (PLAIN), RFC 2195 (CRAM-MD5), RFC 4954.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable, Generator

from reference.kernel import ntlm
from reference.kernel.access import ClearText, Credentials, Digest, NTLMResponse

#: A conversation: yields challenges, is sent responses, returns credentials.
Conversation = Generator[bytes, bytes, Credentials]

#: The mechanisms in the order in which they are advertised, the secure one first.
MECHANISMS = ("CRAM-MD5", "LOGIN", "PLAIN")
#: Works everywhere and is advertised only where an administrator wants it.
NTLM = "NTLM"
#: Those that send the password itself.
CLEAR_TEXT = ("LOGIN", "PLAIN")


class SASLError(Exception):
    """A response that is not what the mechanism asks for, or a mechanism that is not known."""


class Cancelled(SASLError):  # noqa: N818 - the client's wish, not a fault
    """The client has given up with ``*``."""


def _plain() -> Conversation:
    response = yield b""
    parts = response.split(b"\0")
    if len(parts) != 3:
        raise SASLError("PLAIN needs an authorization name, a name and a password")
    authorization, name, password = map(_text, parts)
    if not name:
        raise SASLError("PLAIN needs a name")
    if authorization and authorization != name:
        raise SASLError("acting for another account is not supported")
    return ClearText(name=name, password=password)


def _login() -> Conversation:
    name = _text((yield b"Username:"))
    password = _text((yield b"Password:"))
    if not name:
        raise SASLError("LOGIN needs a name")
    return ClearText(name=name, password=password)


def _cram_md5(challenge: str) -> Conversation:
    response = _text((yield challenge.encode("ascii")))
    name, blank, digest = response.rpartition(" ")
    if not blank or not name:
        raise SASLError("CRAM-MD5 needs a name and a digest")
    return Digest(name=name, method="CRAM-MD5", challenge=challenge, response=digest)


def _ntlm(domain: str) -> Conversation:
    nonce = secrets.token_bytes(ntlm.NONCE)
    try:
        negotiate = yield b""
        reply = ntlm.read_reply((yield ntlm.challenge(negotiate, nonce=nonce, target=domain)))
    except ntlm.NTLMError as error:
        raise SASLError(str(error)) from error
    if not reply.name:
        raise SASLError("NTLM needs a name")
    return NTLMResponse(nonce=nonce, reply=reply)


def _text(octets: bytes) -> str:
    text = octets.decode("utf-8", "surrogateescape")
    if "\0" in text:
        raise SASLError("a NUL in a name or password")
    return text


class Exchange:
    """One authentication in progress, in the base64 lines of SMTP and POP.

    ``challenge`` makes the unique text of a CRAM-MD5 challenge, as ``<1.2@mycompany.com>``; the
    domain in it is the one that NTLM tells the client.
    """

    def __init__(self, mechanism: str, challenge: Callable[[], str]) -> None:
        """Begin. Raises SASLError when the mechanism is not known."""
        conversations: dict[str, Callable[[], Conversation]] = {
            "PLAIN": _plain,
            "LOGIN": _login,
            "CRAM-MD5": lambda: _cram_md5(challenge()),
            NTLM: lambda: _ntlm(challenge().rpartition("@")[2].rstrip(">")),
        }
        begin = conversations.get(mechanism.upper())
        if begin is None:
            raise SASLError(f"the method {mechanism} is not supported")
        # LOGIN and CRAM-MD5 begin with the server's turn; an initial response to CRAM-MD5 is
        # none that it could have made, and one to LOGIN is the name, as some mailers send it.
        self.takes_initial = mechanism.upper() != "CRAM-MD5"
        self._conversation = begin()
        self.line = _encode(next(self._conversation))
        """The challenge to send, in base64."""

    def answer(self, line: bytes) -> Credentials | None:
        """Take a line of the client; return credentials at the end, or None to send ``line``.

        Raises SASLError when the line is wrong; the exchange is then over.
        """
        if line.strip() == b"*":
            raise Cancelled("authentication cancelled")
        try:
            challenge = self._conversation.send(_decode(line))
        except StopIteration as end:
            credentials: Credentials = end.value
            return credentials
        self.line = _encode(challenge)
        return None

    def initial(self, line: bytes) -> Credentials | None:
        """Take an initial response; ``=`` stands for an empty one. Like :meth:`answer`."""
        if not self.takes_initial:
            raise SASLError("the method takes no initial response")
        return self.answer(b"" if line == b"=" else line)


def _encode(challenge: bytes) -> str:
    return base64.b64encode(challenge).decode("ascii")


def _decode(line: bytes) -> bytes:
    try:
        return base64.b64decode(line.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SASLError("the response is not in base64") from error
