"""Where Exim listens: the documents' Listener Ports, and how many connections it takes."""

from __future__ import annotations

from conformance.adapters.listeners import Listener, listeners_of
from conformance.adapters.site import Site
from conformance.targets.base import NotApplicable

__all__ = ["listening", "smtp_listeners"]


def smtp_listeners(site: Site) -> list[Listener]:
    """Return the listeners of the SMTP module."""
    return listeners_of(site.settings, "SMTP", 25)


def listening(site: Site) -> dict[str, str]:
    """Return the options for listeners and limits of connections. Raises NotApplicable."""
    settings = site.settings
    found = smtp_listeners(site)
    ports = list(dict.fromkeys(each.port for each in found))
    interfaces = [f"[{each.address or '0.0.0.0'}]:{each.port}" for each in found]
    options = {
        "daemon_smtp_ports": " : ".join(str(port) for port in ports),
        "local_interfaces": "<; "
        + " ; ".join(f"{each.address or '0.0.0.0'}.{each.port}" for each in found),
        "tls_on_connect_ports": " : ".join(str(each.port) for each in found if each.tls),
    }
    if len(set(interfaces)) != len(found):
        raise NotApplicable("Exim cannot listen twice at one address and port")
    if settings.given("SMTP", "SameAddressLimit"):
        options["smtp_accept_max"] = "100"
        options["smtp_accept_max_per_host"] = settings.text("SMTP", "SameAddressLimit")
    if settings.given("SMTP", "InputChannels"):
        channels = settings.number("SMTP", "InputChannels", 100)
        if channels == 0:
            # smtp_accept_max = 0 is no limit; a daemon listens somewhere, so where nobody comes.
            options["local_interfaces"] = "127.0.0.1"
        options["smtp_accept_max"] = str(channels)
    return options
