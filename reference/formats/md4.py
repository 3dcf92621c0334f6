"""The MD4 digest (RFC 1320): what NTLM makes of a password. For nothing else: MD4 is broken.

Python's library has it only where OpenSSL still gives it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

_MASK = 0xFFFFFFFF
_START = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
_Round = tuple[Callable[[int, int, int], int], int, tuple[int, ...], tuple[int, ...]]
#: Function, constant, order of the words, shifts (RFC 1320, 3.4).
_ROUNDS: tuple[_Round, ...] = (
    (lambda x, y, z: (x & y) | (~x & z), 0, tuple(range(16)), (3, 7, 11, 19)),
    (
        lambda x, y, z: (x & y) | (x & z) | (y & z),
        0x5A827999,
        (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15),
        (3, 5, 9, 13),
    ),
    (
        lambda x, y, z: x ^ y ^ z,
        0x6ED9EBA1,
        (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15),
        (3, 9, 11, 15),
    ),
)


def md4(octets: bytes) -> bytes:
    """Return the 16 octets of the digest."""
    padding = b"\x80" + bytes((55 - len(octets)) % 64)
    padded = octets + padding + struct.pack("<Q", len(octets) * 8 & 0xFFFFFFFFFFFFFFFF)
    state: tuple[int, ...] = _START
    for at in range(0, len(padded), 64):
        state = _block(state, struct.unpack_from("<16I", padded, at))
    return struct.pack("<4I", *state)


def _block(state: tuple[int, ...], words: tuple[int, ...]) -> tuple[int, ...]:
    a, b, c, d = state
    for mix, constant, order, shifts in _ROUNDS:
        for step, at in enumerate(order):
            total = (a + (mix(b, c, d) & _MASK) + words[at] + constant) & _MASK
            shift = shifts[step % 4]
            a, b, c, d = d, (total << shift | total >> (32 - shift)) & _MASK, b, c
    return tuple((old + new) & _MASK for old, new in zip(state, (a, b, c, d), strict=True))
