"""The certificates that a site wants its server to show, by the server's addresses.

Guide 3.5.2, Security, Domain Security Settings: a domain with dedicated addresses shows its own
certificate (Custom), the server-wide one (Server, Test) or none (No) there; all other addresses are
the Main Domain's. The server-wide certificate is signed with its own key and issued to the Main
Domain; it is made once a process.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from conformance.adapters.site import Site, SiteDomain
from conformance.targets.base import NotApplicable
from conformance.world.certificates import self_signed


@dataclass(frozen=True, slots=True)
class Certificate:
    """What an address shows; texts in PEM."""

    key: str
    chain: str
    """The certificate, and those of its authorities."""

    def __repr__(self) -> str:
        return "Certificate(...)"


def certificates(site: Site) -> Mapping[str, Certificate | None]:
    """Return address → what it shows (None: no TLS). Raises NotApplicable."""
    owners: dict[str, SiteDomain] = {}
    for domain in site.domains:
        for address in domain.addresses:
            owners[address] = domain
    main = next(domain for domain in site.domains if domain.is_main)
    own = {domain.name: _of(domain, site.main_domain) for domain in site.domains}
    return {address: own[owners.get(address, main).name] for address in site.addresses}


def _of(domain: SiteDomain, main_domain: str) -> Certificate | None:
    settings = domain.settings
    key = settings.text("Domain", "PrivateSecureKey")
    certificate = settings.text("Domain", "SecureCertificate")
    chain = settings.text("Domain", "CAChain")
    kinds = {"no": "", "server": "server", "test": "server", "custom": "custom"}
    kind = settings.choice("Domain", "CertificateType", kinds, "")
    if kind == "server":
        return _server_wide(main_domain)
    if kind == "custom":
        if not key or not certificate:
            raise NotApplicable(f"the domain {domain.name} has no key and certificate to show")
        return Certificate(f"{key.rstrip()}\n", f"{certificate.rstrip()}\n{chain}")
    return None


@functools.cache
def _server_wide(name: str) -> Certificate:
    pem = self_signed(name).decode("ascii")
    begin = pem.index("-----BEGIN CERTIFICATE")
    return Certificate(pem[:begin], pem[begin:])
