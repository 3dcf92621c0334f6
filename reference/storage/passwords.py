"""Account passwords: how they are kept and how one is checked.

Guide 3.5.2, Security (CommuniGate Passwords) and Migration. A password string is kept

- *clear*: the string itself;
- *A-crpt*: after the octet 001, obscured so that nobody reads it over a shoulder. The documents
  give no algorithm, only that secure (challenge) methods work with it, hence it can be undone;
- *U-crpt*: after the octet 002, one-way: a Unix crypt string or ``{method}eNcoDeD``. Challenge
  methods do not work with it.

The prefix decides how a password is checked, whatever the account's Encryption setting says; the
setting decides how a new one is kept. U-crpt writes SHA-512 crypt (``$6$``) and reads ``$6$``,
``$5$``, ``$1$``, ``{MD5}``, ``{SHA}``, ``{NS-MTA-MD5}``, and ``{crypt}`` or ``{WM-CRY}`` around a
crypt string. The historical DES crypt is left out: Python's library has no DES any more, so an
account with such a string is refused until it gets a new password.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets

from reference.storage.shacrypt import md5_crypt, sha_crypt

REVERSIBLE = "\001"
ONE_WAY = "\002"

_NETSCAPE = re.compile(r"([0-9A-Fa-f]{32})([0-9A-Fa-f]{32})")
_ALPHABET = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_SALT = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def random_password(length: int = 14) -> str:
    """Return a random password that a person can copy from a screen."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def keep(password: str, encryption: str) -> str:
    """Return the string to store for a new password under ``clear``, ``A-crpt`` or ``U-crpt``."""
    if not password:
        return ""
    octets = _octets(password)
    if encryption.lower() == "u-crpt":
        salt = "".join(secrets.choice(_SALT) for _ in range(16))
        return ONE_WAY + sha_crypt(octets, f"$6${salt}")
    if encryption.lower() == "a-crpt" or password[0] in REVERSIBLE + ONE_WAY:
        # A password that begins like a prefix could not be told from one: never keep it clear.
        salt_octets = secrets.token_bytes(8)
        hidden = salt_octets + _veil(octets, salt_octets)
        return REVERSIBLE + base64.b64encode(hidden).decode("ascii")
    return password


def is_kept(string: str) -> bool:
    """Tell whether a string carries an encryption prefix and must be stored as it is."""
    return string[:1] in {REVERSIBLE, ONE_WAY}


def clear_text(kept: str) -> str:
    """Return the password for a challenge method, or an empty string when it cannot be had."""
    if kept.startswith(ONE_WAY):
        return ""
    if not kept.startswith(REVERSIBLE):
        return kept
    try:
        hidden = base64.b64decode(kept[1:], validate=True)
    except (binascii.Error, ValueError):
        return ""
    return _veil(hidden[8:], hidden[:8]).decode("utf-8", "surrogateescape")


def matches(kept: str, password: str) -> bool:
    """Tell whether a clear password is the kept one; the time does not depend on how alike.

    An absent or empty password lets nobody in (Guide 3.5.2, Security, CommuniGate Passwords).
    """
    if not kept or not password:
        return False
    if kept.startswith(ONE_WAY):
        return _one_way(kept[1:], _octets(password))
    expected = clear_text(kept)
    return bool(expected) and _same(_octets(expected), _octets(password))


def _one_way(kept: str, password: bytes) -> bool:
    method, brace, rest = kept[1:].partition("}")
    if not kept.startswith("{") or not brace:
        return _crypt(kept, password)
    match method.upper():
        case "CRYPT" | "WM-CRY":
            return _crypt(rest, password)
        case "MD5":
            return _digest(rest, hashlib.md5(password, usedforsecurity=False).digest())
        case "SHA":
            return _digest(rest, hashlib.sha1(password, usedforsecurity=False).digest())
        case "NS-MTA-MD5":
            return _netscape(rest, password)
    return False


def _crypt(kept: str, password: bytes) -> bool:
    if kept.startswith("$1$"):
        made = md5_crypt(password, kept)
    elif kept.startswith(("$5$", "$6$")):
        made = sha_crypt(password, kept)
    else:
        return False
    return bool(made) and _same(_octets(kept), made.encode("ascii"))


def _digest(kept: str, digest: bytes) -> bool:
    try:
        return _same(base64.b64decode(kept, validate=True), digest)
    except (binascii.Error, ValueError):
        return False


def _netscape(kept: str, password: bytes) -> bool:
    """Check 32 hexadecimal digits of MD5(salt, 0x59, password, 0xF7, salt), then the salt."""
    parts = _NETSCAPE.fullmatch(kept)
    if parts is None:
        return False
    salt = parts[2].encode("ascii")
    made = hashlib.md5(salt + b"\x59" + password + b"\xf7" + salt, usedforsecurity=False)
    return _same(parts[1].lower().encode("ascii"), made.hexdigest().encode("ascii"))


def _veil(octets: bytes, salt: bytes) -> bytes:
    """Obscure octets, or show obscured ones again."""
    stream = hashlib.shake_256(b"A-crpt" + salt).digest(len(octets))
    return bytes(a ^ b for a, b in zip(octets, stream, strict=True))


def _same(one: bytes, other: bytes) -> bool:
    # Digests have one length, so that not even the length shows in the time.
    return hmac.compare_digest(hashlib.sha256(one).digest(), hashlib.sha256(other).digest())


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
