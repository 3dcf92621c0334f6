"""Unix crypt strings that are made of digests: ``$1$`` (MD5), ``$5$`` (SHA-256), ``$6$`` (SHA-512).

The algorithms are those of the public specifications (Poul-Henning Kamp's for MD5; Ulrich
Drepper's, "Unix crypt using SHA-256 and SHA-512", for the others). Python's own ``crypt`` module is
gone from its newer versions. Pure functions; a malformed setting gives an empty string.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence

_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SHA_SETTING = re.compile(r"\$([56])\$(?:rounds=(\d{1,9})\$)?([^$\s]{0,16})[^$]*(?:\$.*)?")
_MD5_SETTING = re.compile(r"\$1\$([^$\s]{0,8})[^$]*(?:\$.*)?")

#: More rounds than this would let a stored string keep the server busy for seconds.
MOST_ROUNDS = 200_000

_MD5_ORDER = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5), (11,))
_SHA256_ORDER = (
    *((0, 10, 20), (21, 1, 11), (12, 22, 2), (3, 13, 23), (24, 4, 14), (15, 25, 5)),
    *((6, 16, 26), (27, 7, 17), (18, 28, 8), (9, 19, 29), (31, 30)),
)
_SHA512_ORDER = (
    *((0, 21, 42), (22, 43, 1), (44, 2, 23), (3, 24, 45), (25, 46, 4), (47, 5, 26), (6, 27, 48)),
    *((28, 49, 7), (50, 8, 29), (9, 30, 51), (31, 52, 10), (53, 11, 32), (12, 33, 54)),
    *((34, 55, 13), (56, 14, 35), (15, 36, 57), (37, 58, 16), (59, 17, 38), (18, 39, 60)),
    *((40, 61, 19), (62, 20, 41), (63,)),
)


def sha_crypt(password: bytes, setting: str) -> str:
    """Return the crypt string of a password for ``$5$salt`` or ``$6$salt`` (with rounds or not)."""
    parts = _SHA_SETTING.fullmatch(setting)
    if parts is None:
        return ""
    new, order = (
        (hashlib.sha256, _SHA256_ORDER) if parts[1] == "5" else (hashlib.sha512, _SHA512_ORDER)
    )
    rounds = 5000 if parts[2] is None else max(1000, int(parts[2]))
    if rounds > MOST_ROUNDS:
        return ""
    salt = parts[3].encode("utf-8")
    digest = _sha_rounds(new, password, salt, rounds)
    given = "" if parts[2] is None else f"rounds={rounds}$"
    return f"${parts[1]}${given}{parts[3]}${_encode(digest, order)}"


def _sha_rounds(
    new: Callable[[bytes], hashlib._Hash], password: bytes, salt: bytes, rounds: int
) -> bytes:
    length = len(password)
    alternate = new(password + salt + password).digest()
    start = password + salt + _repeat(alternate, length)
    bits = length
    while bits:
        start += alternate if bits & 1 else password
        bits >>= 1
    digest = new(start).digest()
    p = _repeat(new(password * length).digest(), length)
    s = _repeat(new(salt * (16 + digest[0])).digest(), len(salt))
    for turn in range(rounds):
        mixed = p if turn & 1 else digest
        if turn % 3:
            mixed += s
        if turn % 7:
            mixed += p
        digest = new(mixed + (digest if turn & 1 else p)).digest()
    return digest


def md5_crypt(password: bytes, setting: str) -> str:
    """Return the crypt string of a password for ``$1$salt``, as BSD systems keep it."""
    parts = _MD5_SETTING.fullmatch(setting)
    if parts is None:
        return ""
    salt = parts[1].encode("utf-8")
    alternate = _md5(password + salt + password)
    start = password + b"$1$" + salt + _repeat(alternate, len(password))
    bits = len(password)
    while bits:
        start += b"\0" if bits & 1 else password[:1]
        bits >>= 1
    digest = _md5(start)
    for turn in range(1000):
        mixed = password if turn & 1 else digest
        if turn % 3:
            mixed += salt
        if turn % 7:
            mixed += password
        digest = _md5(mixed + (digest if turn & 1 else password))
    return f"$1${parts[1]}${_encode(digest, _MD5_ORDER)}"


def _md5(octets: bytes) -> bytes:
    return hashlib.md5(octets, usedforsecurity=False).digest()


def _repeat(octets: bytes, length: int) -> bytes:
    """Return ``length`` octets of a repeated string."""
    return (octets * (length // len(octets) + 1))[:length] if length else b""


def _encode(digest: bytes, order: Sequence[tuple[int, ...]]) -> str:
    """Write a digest in crypt's base 64: groups of octets, the first one most significant."""
    result = []
    for group in order:
        number = 0
        for position in group:
            number = number << 8 | digest[position]
        for _ in range(len(group) + 1):
            result.append(_ALPHABET[number & 63])
            number >>= 6
    return "".join(result)
