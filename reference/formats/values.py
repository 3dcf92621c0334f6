"""Values of settings as text: flags, durations, sizes.

Guide 3.5.2 shows them in its settings panels; the words are those of the settings files: flags are
``YES`` and ``NO``, durations ``30s``, ``10m``, ``2h``, ``1d`` or ``never``, sizes ``100K``, ``3M``,
``1G`` or ``unlimited``. Words are read in any letter case. ``-1`` stands for no limit.

``never`` is an infinite duration and ``unlimited`` a size greater than any, so that a limit is
checked with one comparison. Every function that reads raises ValueError with a text that says what
to write instead; what is printed is read as the same value.
"""

from __future__ import annotations

import math
import re
import sys
from typing import Final

__all__ = [
    "NEVER",
    "UNLIMITED",
    "parse_duration",
    "parse_flag",
    "parse_size",
    "print_duration",
    "print_flag",
    "print_size",
]

NEVER: Final = math.inf
UNLIMITED: Final = sys.maxsize

_TRUE = frozenset({"yes", "true", "on", "1"})
_FALSE = frozenset({"no", "false", "off", "0"})
_DURATION = re.compile(r"([0-9]{1,12}) *([a-z]*)")
_SECONDS = {
    "": 1,
    "s": 1,
    "sec": 1,
    "second": 1,
    "m": 60,
    "min": 60,
    "minute": 60,
    "h": 3600,
    "hour": 3600,
    "d": 86400,
    "day": 86400,
    "w": 604800,
    "week": 604800,
}
_SIZE = re.compile(r"([0-9]{1,15}) *([kmg]?)b?")
_OCTETS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def parse_flag(text: str) -> bool:
    """Read a flag: ``YES`` or ``NO``."""
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(f"{text!r} is not a flag; write YES or NO")


def print_flag(value: bool) -> str:
    """Print a flag."""
    return "YES" if value else "NO"


def parse_duration(text: str) -> float:
    """Read a duration such as ``30s``, ``10m``, ``2h``, ``1d`` or ``never``; return seconds.

    A number without a unit is a number of seconds.
    """
    word = text.strip().lower()
    if word in ("never", "-1"):
        return NEVER
    if word == "immediately":
        return 0.0
    match = _DURATION.fullmatch(word)
    if match is not None:
        unit = match[2]
        seconds = _SECONDS.get(unit) or _SECONDS.get(unit.removesuffix("s"))
        if seconds is not None:
            return float(int(match[1]) * seconds)
    raise ValueError(f"{text!r} is not a time; write for example 30s, 10m, 2h, 1d or never")


def print_duration(seconds: float) -> str:
    """Print a duration of whole seconds in the greatest unit that leaves no rest."""
    if seconds == NEVER:
        return "never"
    whole = int(seconds)
    if whole != seconds or whole < 0:
        raise ValueError(f"a duration has whole seconds, not {seconds}")
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if whole and whole % length == 0:
            return f"{whole // length}{unit}"
    return f"{whole}s"


def parse_size(text: str) -> int:
    """Read a size such as ``2048``, ``100K``, ``3M``, ``1G`` or ``unlimited``; return octets."""
    word = text.strip().lower()
    if word in ("unlimited", "-1"):
        return UNLIMITED
    match = _SIZE.fullmatch(word)
    if match is None:
        raise ValueError(f"{text!r} is not a size; write for example 2048, 100K, 3M or unlimited")
    return min(int(match[1]) * _OCTETS[match[2]], UNLIMITED)


def print_size(octets: int) -> str:
    """Print a size in the greatest unit that leaves no rest."""
    if octets >= UNLIMITED:
        return "unlimited"
    if octets < 0:
        raise ValueError(f"a size is not negative: {octets}")
    for unit in ("g", "m", "k"):
        if octets and octets % _OCTETS[unit] == 0:
            return f"{octets // _OCTETS[unit]}{unit.upper()}"
    return str(octets)
