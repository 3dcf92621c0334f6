"""A message header as octets: its fields one by one, addresses in them, fields taken off.

RFC 822, 3. A header is what stands before the empty line; lines end with CR LF, a line that begins
with a blank belongs to the field above it. Octets are kept as they are: what is not asked for
passes unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from email.utils import getaddresses

_FIELD = re.compile(rb"[^\r\n]*(?:\r\n[ \t][^\r\n]*)*(?:\r\n|\Z)")
_NAME = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
_FOLD = re.compile(r"[\r\n]+[ \t]*")


@dataclass(frozen=True, slots=True)
class Field:
    """One field; ``octets`` is all of it, with the line end."""

    octets: bytes
    name: str
    """In lower case; empty for what is no field."""
    value: str
    """Unfolded."""


def fields(header: bytes) -> Iterator[Field]:
    """Yield the fields of a header."""
    for found in _FIELD.finditer(header):
        octets = found[0]
        named = _NAME.match(octets)
        if named is not None:
            value = _FOLD.sub(" ", named[2].decode("utf-8", "surrogateescape")).strip()
            yield Field(octets, named[1].decode("ascii").lower(), value)
        elif octets:
            yield Field(octets, "", "")


def addresses(parts: Iterable[Field], names: Collection[str]) -> list[str]:
    """Return the addresses in the fields of these names, each once, in their order."""
    values = [part.value for part in parts if part.name in names]
    found = (address for _, address in getaddresses(values) if address)
    return list(dict.fromkeys(found))


def first(parts: Iterable[Field], name: str) -> str | None:
    """Return the value of the first field of a name, None without one."""
    return next((part.value for part in parts if part.name == name), None)


def path(value: str) -> str:
    """Return the address in a Return-Path field; empty for ``<>``."""
    found = getaddresses([value]) if value.strip() not in ("", "<>") else []
    return found[0][1] if found else ""


def without(parts: Iterable[Field], names: Collection[str]) -> bytes:
    """Return the header without the fields of these names; each field ends with CR LF."""
    kept = (part.octets for part in parts if part.name not in names)
    return b"".join(octets if octets.endswith(b"\r\n") else octets + b"\r\n" for octets in kept)
