"""Where an address goes in a table: the Router's rounds, as far as records alone decide them.

Guide 3.5.2, Router, Routing Table: the first record that matches is applied, and the new address
begins again. A translator asks for it where the new server's order of look-ups is another one:
which record wins, which records can never apply, which lead in a circle.

Local domains, modules and the DNS are not known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conformance.translate.destination import Destination, Kind, split_address
from conformance.translate.records import Purpose, Record

__all__ = ["Place", "apply", "circles", "first", "goes_on", "hidden_by", "match", "witness"]

_ROUNDS = 100
#: What a wildcard stands for in a made address.
_SAMPLE = "sample"


@dataclass(frozen=True, slots=True)
class Place:
    """An address on its way; the Main Domain's name is empty."""

    local: str
    domain: str


def match(record: Record, place: Place) -> str | None:
    """Return what the wildcard stands for (or an empty text), None if the record does not apply."""
    if Purpose.MAIL not in record.purposes:
        return None
    left = record.left
    if left.local is None:
        return _star(left.domain, place.domain) if place.domain else None
    if left.domain.lower() != place.domain.lower():
        return None
    return _star(left.local, place.local)


def _star(picture: str, text: str) -> str | None:
    before, star, after = picture.lower().partition("*")
    folded = text.lower()
    if not star:
        return "" if folded == before else None
    end = len(text) - len(after)
    if end < len(before) or not folded.startswith(before) or not folded.endswith(after):
        return None
    return text[len(before) : end]


def first(records: Iterable[Record], place: Place) -> tuple[Record, str] | None:
    """Return the first record that applies, and what its wildcard stands for."""
    for record in records:
        star = match(record, place)
        if star is not None:
            return record, star
    return None


def apply(destination: Destination, place: Place, star: str) -> Place | None:
    """Return the new address; None when the Router is done with it."""
    if destination.kind not in (Kind.ADDRESS, Kind.UUCP):
        return None
    local = place.local if destination.local is None else destination.local.replace("*", star)
    if destination.path:
        local = f"{local}%{destination.path.replace('*', star)}"
    domain = destination.domain.replace("*", star)
    return Place(local, domain) if domain else Place(*split_address(local))


def witness(record: Record) -> Place:
    """Return an address that the record's left part describes."""
    left = record.left
    if left.local is None:
        return Place("user", left.domain.replace("*", _SAMPLE).lower())
    return Place(left.local.replace("*", _SAMPLE), left.domain.lower())


def goes_on(records: Sequence[Record], record: Record) -> bool:
    """Tell whether another record applies to what the record makes of an address."""
    place = apply(record.destination, witness(record), _SAMPLE)
    return place is not None and first(records, place) is not None


def circles(records: Sequence[Record], record: Record) -> bool:
    """Tell whether an address that the record applies to never leaves the table."""
    place: Place | None = witness(record)
    for _ in range(_ROUNDS):
        found = first(records, place) if place is not None else None
        if place is None or found is None:
            return False
        place = apply(found[0].destination, place, found[1])
    return True


def hidden_by(records: Sequence[Record], record: Record) -> Record | None:
    """Return the record before it that takes everything that this one describes, or None."""
    place = witness(record)
    for before in records:
        if before is record:
            return None
        if match(before, place) is not None and _covers(before, record):
            return before
    return None


def _covers(before: Record, record: Record) -> bool:
    """Tell whether ``before``, which takes the sample of ``record``, takes everything of it."""
    if record.left.is_alias:
        if not before.left.is_alias or not record.left.star:
            return True
        return _folded(before) == _folded(record) or before.left.local == "*"
    if before.left.is_alias:
        return before.left.local == "*" and not record.left.star
    return not record.left.star or _folded(before) == _folded(record)


def _folded(record: Record) -> str:
    return str(record.left).lower()
