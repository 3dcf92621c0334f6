"""What a session of an adapter consists of: files, folders, programs. Plain values.

Paths are relative to the session's folder, which the server finds at :data:`.sandbox.INSIDE`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from conformance.adapters.sandbox import Service


@dataclass(frozen=True, slots=True)
class File:
    """A file of a session."""

    text: str | bytes
    mode: int = 0o644
    owner: str = "root"


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of a session."""

    mode: int = 0o755
    owner: str = "root"
    group: str = ""
    volatile: bool = False
    """It holds nothing but what belongs to running programs (sockets, locks): made anew at each
    start, whatever ended the programs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a session consists of; paths are relative to the session's folder."""

    files: Mapping[str, File]
    folders: Mapping[str, Folder] = field(default_factory=dict)
    services: Sequence[Service]
    ports: Mapping[str, int] = field(default_factory=dict)
    """Documented ports that differ (service → port)."""
    hosts: Mapping[str, str] = field(default_factory=dict)
    """Name → address: what /etc/hosts says besides localhost."""
    resolver: str = ""
    """Options of resolv.conf, as ``timeout:1 attempts:2``; empty: the resolver's own."""
