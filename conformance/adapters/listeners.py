"""Listener Ports of the documents, as values (Guide 3.5.2, TCP/IP Listeners)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conformance.adapters.site import Settings


@dataclass(frozen=True, slots=True)
class Listener:
    """A port to listen at."""

    port: int
    address: str = ""
    """Empty: every address of the server computer."""
    tls: bool = False
    grant: bool | None = None
    """True: only ``addresses`` may connect; False: these may not; None: everybody may."""
    addresses: tuple[str, ...] = ()


def listeners_of(settings: Settings, module: str, port: int) -> list[Listener]:
    """Return the listeners of a module."""
    elements = settings.value(module, "ListenerPorts", [str(port)])
    return [_listener(element) for element in elements]


def _listener(element: Any) -> Listener:
    if not isinstance(element, Mapping):
        return Listener(int(element))
    restriction = str(element.get("Restriction", "None")).lower()
    lines = str(element.get("RestrictionList", "")).replace(",", "\n").splitlines()
    return Listener(
        port=int(element["Port"]),
        address=str(element.get("Address", "")),
        tls=str(element.get("InitTLS", "no")).lower() == "yes",
        grant={"grant": True, "deny": False}.get(restriction),
        addresses=tuple(line.strip() for line in lines if line.strip()),
    )
