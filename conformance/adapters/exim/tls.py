"""TLS of the listeners: certificates of domains, and whether STARTTLS is offered."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.adapters.site import Site
from conformance.adapters.target import File

__all__ = ["Secure", "certificates"]


@dataclass(frozen=True, slots=True)
class Secure:
    """Files, and options of the main part."""

    files: dict[str, File]
    options: dict[str, str]


def certificates(site: Site) -> Secure:
    """Return the server's certificates. Raises NotApplicable."""
    return Secure({}, {"tls_advertise_hosts": ""})
