"""A client's side of the SASL mechanisms that a dialogue can log in with: no I/O, no base64.

A mechanism is a conversation: it is sent the server's challenges, the first of them empty where the
client begins, and yields responses. NTLM is pyspnego's, so that a server under test meets a client
that was not made for it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Generator, Mapping

#: Yields responses, is sent challenges.
Conversation = Generator[bytes, bytes, None]


def conversation(method: str, name: str, password: str) -> Conversation:
    """Return a conversation at its start: send it the first challenge. KeyError: unknown method."""
    begun = _METHODS[method.upper()](name, password)
    next(begun)
    return begun


def _plain(name: str, password: str) -> Conversation:
    yield b""
    yield f"\0{name}\0{password}".encode()


def _login(name: str, password: str) -> Conversation:
    yield b""
    yield name.encode()
    yield password.encode()


def _cram_md5(name: str, password: str) -> Conversation:
    challenge = yield b""
    digest = hmac.new(password.encode(), challenge, hashlib.md5).hexdigest()
    yield f"{name} {digest}".encode()


def _ntlm(name: str, password: str) -> Conversation:
    # Few scenarios need it, and it takes a tenth of a second to import.
    import spnego

    client = spnego.client(
        name, password, protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm
    )
    challenge = yield b""
    while not client.complete:
        # An empty challenge is the server's way to say: you begin.
        challenge = yield client.step(challenge or None) or b""


_METHODS: Mapping[str, Callable[[str, str], Conversation]] = {
    "PLAIN": _plain,
    "LOGIN": _login,
    "CRAM-MD5": _cram_md5,
    "NTLM": _ntlm,
}
