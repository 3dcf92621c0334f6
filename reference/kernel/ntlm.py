"""NTLM, the server's side: Microsoft's "Secure Password Authentication", without I/O.

Guide 3.5.2, SMTP Module, Advertise NTLM AUTH; the messages are those of MS-NLMP. The client sends
NEGOTIATE, the server CHALLENGE with eight random octets, the client AUTHENTICATE with a response
made of them and the password. Responses of NTLMv2 and of NTLM (also with the client's challenge in
it, "NTLM2 session") are understood; those of LAN Manager, which any guesser breaks, are not.
No key for signing or sealing is made: SMTP, POP and IMAP have no use for one.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import struct
from dataclasses import dataclass, field

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from reference.formats.md4 import md4

NONCE = 8
"""Octets of a challenge."""

_SIGNATURE = b"NTLMSSP\0"
_DOMAIN_PAIRS = (2, 4)  # MsvAvNbDomainName, MsvAvDnsDomainName
_OLD_RESPONSE = 24


class NTLMError(ValueError):
    """A message that is not what NTLM has at its place; one sentence."""


class Flag(enum.IntFlag):
    """Flags of the negotiation (MS-NLMP 2.2.2.5)."""

    UNICODE = 0x1
    OEM = 0x2
    REQUEST_TARGET = 0x4
    NTLM = 0x200
    ALWAYS_SIGN = 0x8000
    TARGET_TYPE_DOMAIN = 0x10000
    EXTENDED_SESSION_SECURITY = 0x80000
    TARGET_INFO = 0x800000


#: What the server agrees to when the client wants it.
_AGREED = Flag.ALWAYS_SIGN | Flag.EXTENDED_SESSION_SECURITY


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What AUTHENTICATE says."""

    name: str
    domain: str
    lm_response: bytes = field(repr=False)
    response: bytes = field(repr=False)


def challenge(negotiate: bytes, *, nonce: bytes, target: str) -> bytes:
    """Return the CHALLENGE to a NEGOTIATE; ``target`` is the server's domain. Raises NTLMError."""
    _check(negotiate, 1, 16)
    (wanted,) = struct.unpack_from("<I", negotiate, 12)
    unicode = bool(wanted & Flag.UNICODE)
    name = target.upper().encode("utf-16-le" if unicode else "ascii", "replace")
    pairs = b"".join(
        struct.pack("<HH", pair, len(text)) + text
        for pair, text in zip(
            _DOMAIN_PAIRS,
            (target.upper().encode("utf-16-le"), target.encode("utf-16-le")),
            strict=True,
        )
    ) + bytes(4)
    flags = (
        (Flag.UNICODE if unicode else Flag.OEM)
        | Flag.NTLM
        | Flag.REQUEST_TARGET
        | Flag.TARGET_TYPE_DOMAIN
        | Flag.TARGET_INFO
        | (wanted & _AGREED)
    )
    payload = 56
    return (
        _SIGNATURE
        + struct.pack("<IHHII", 2, len(name), len(name), payload, flags)
        + nonce
        + bytes(8)
        + struct.pack("<HHI", len(pairs), len(pairs), payload + len(name))
        + bytes(8)
        + name
        + pairs
    )


def read_reply(octets: bytes) -> Reply:
    """Return what an AUTHENTICATE says. Raises NTLMError."""
    _check(octets, 3, 64)
    lm_response, response, domain, name = (_part(octets, at) for at in (12, 20, 28, 36))
    (flags,) = struct.unpack_from("<I", octets, 60)
    coding = "utf-16-le" if flags & Flag.UNICODE else "latin-1"
    return Reply(
        name=name.decode(coding, "replace"),
        domain=domain.decode(coding, "replace"),
        lm_response=lm_response,
        response=response,
    )


def proves(password: str, *, nonce: bytes, reply: Reply) -> bool:
    """Tell whether a reply to the challenge ``nonce`` was made with a password."""
    key = md4(password.encode("utf-16-le", "surrogatepass"))
    if len(reply.response) > _OLD_RESPONSE:
        return hmac.compare_digest(_new_proof(key, nonce, reply), reply.response[:16])
    if len(reply.response) != _OLD_RESPONSE:
        return False
    own = nonce
    if reply.lm_response[8:] == bytes(16):  # NTLM2 session: the client's challenge, and nothing
        own = hashlib.md5(nonce + reply.lm_response[:8], usedforsecurity=False).digest()[:8]
    return hmac.compare_digest(_old_response(key, own), reply.response)


def _new_proof(key: bytes, nonce: bytes, reply: Reply) -> bytes:
    """Return the proof of NTLMv2 (MS-NLMP 3.3.2)."""
    whom = (reply.name.upper() + reply.domain).encode("utf-16-le", "surrogatepass")
    return hmac.digest(hmac.digest(key, whom, "md5"), nonce + reply.response[16:], "md5")


def _old_response(key: bytes, nonce: bytes) -> bytes:
    """Return the response of NTLM: the challenge under three DES keys (MS-NLMP 6, DESL)."""
    padded = key + bytes(5)
    return b"".join(_des(padded[at : at + 7], nonce) for at in (0, 7, 14))


def _des(key: bytes, block: bytes) -> bytes:
    number = int.from_bytes(key, "big")
    spread = bytes((number >> shift & 0x7F) << 1 for shift in range(49, -1, -7))
    cipher = Cipher(TripleDES(spread * 3), modes.ECB())
    return cipher.encryptor().update(block)


def _check(octets: bytes, kind: int, least: int) -> None:
    if len(octets) < least or octets[:8] != _SIGNATURE:
        raise NTLMError("this is no message of NTLM")
    if struct.unpack_from("<I", octets, 8) != (kind,):
        raise NTLMError("this is not the message of NTLM that is expected here")


def _part(octets: bytes, at: int) -> bytes:
    """Return what the fields at a place point to."""
    length, _, start = struct.unpack_from("<HHI", octets, at)
    if start + length > len(octets):
        raise NTLMError("a field of the message lies outside of it")
    return octets[start : start + length]
