"""The listeners of smtpd(8): lines of master.cf, from the documents' Listener Ports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conformance.adapters.addresses import AddressList
from conformance.adapters.postfix.config import Config
from conformance.adapters.site import Settings, Site


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


def smtp_listeners(site: Site, config: Config) -> None:
    """Write a service for every listener of the SMTP module. Raises NotApplicable."""
    limit = site.settings.text("SMTP", "InputChannels", "-")
    for number, listener in enumerate(listeners_of(site.settings, "SMTP", 25)):
        place = f"{listener.address}:{listener.port}" if listener.address else str(listener.port)
        options = []
        if listener.tls:
            options.append("smtpd_tls_wrappermode=yes")
        if listener.grant is not None:
            named, others = ("DUNNO", _AWAY) if listener.grant else (_AWAY, "DUNNO")
            networks = AddressList(listener.addresses).networks
            lines = [f"{network} {named}" for network in networks]
            table = config.table("cidr", f"listener-{number}", [*lines, f"0.0.0.0/0 {others}"])
            options.append(f"{{smtpd_client_restrictions=check_client_access {table}}}")
        words = "".join(f" -o {option}" for option in options)
        config.services.append(f"{place} inet n - n - {limit} smtpd{words}")


_AWAY = "421 4.7.0 not from your address"
