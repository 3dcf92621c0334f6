"""TLS: the certificates that listeners show, and what is sent encrypted.

Exim specification, chapter 42. Which certificate an address shows is decided in
:mod:`conformance.adapters.certificates`; Exim finds its file by ``$received_ip_address``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from conformance.adapters.certificates import certificates
from conformance.adapters.sandbox import INSIDE
from conformance.adapters.site import Site
from conformance.adapters.target import File
from conformance.world.certificates import authority_pem

__all__ = ["Secure", "listening_with_tls", "sending_with_tls"]

_FOLDER = f"{INSIDE}/etc/tls"
_AUTHORITIES = f"{_FOLDER}/authorities"


@dataclass(frozen=True, slots=True)
class Secure:
    """Files, and options of the main part or of a transport."""

    files: dict[str, File] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)


def listening_with_tls(site: Site) -> Secure:
    """Return the server's certificates. Raises NotApplicable."""
    shown = certificates(site)
    files = {
        f"etc/tls/{address}": File(each.key + each.chain, mode=0o640, owner="Debian-exim")
        for address, each in shown.items()
        if each is not None
    }
    own = f"{_FOLDER}/$received_ip_address"
    if not files:
        # Without the name of a certificate a daemon makes one at its start, which takes it long.
        return Secure(options={"tls_advertise_hosts": "", "tls_certificate": own})
    return Secure(
        files,
        {
            "tls_advertise_hosts": f"${{if exists{{{own}}}{{*}}{{}}}}",
            "tls_certificate": own,
            "tls_privatekey": own,
            "tls_resumption_hosts": "*",
        },
    )


def sending_with_tls(site: Site) -> Secure:
    """Return the options of the SMTP transports: what must, may and must not be encrypted."""
    secure = _encrypted(site)
    return Secure(
        {**secure.files, _AUTHORITIES.removeprefix(f"{INSIDE}/"): File(authority_pem())},
        {**secure.options, "tls_verify_certificates": _AUTHORITIES},
    )


def _encrypted(site: Site) -> Secure:
    settings = site.settings
    required = [each.lower() for each in settings.texts("SMTP", "SecureDomains")]
    if not required:
        possible = settings.flag("SMTP", "SecureWherePossible")
        return Secure(options={} if possible else {"hosts_avoid_tls": "*"})
    # The domain is listed, or the host that it is routed to.
    names = " : ".join(required)
    unlisted = " : ".join([*(f"! {each}" for each in required), "*"])
    if "*" in required:
        # Whatever the domain: several may share a connection.
        return Secure(options={"hosts_require_tls": "*", **_unverified(site)})
    listed = f"${{if match_domain{{$domain}}{{{names}}}{{*}}{{{names}}}}}"
    others = f"${{if match_domain{{$domain}}{{{names}}}{{}}{{{unlisted}}}}}"
    # Exim would take several domains over one connection, and $domain would be none of them.
    options = {"multi_domain": "no", "hosts_require_tls": listed}
    if not settings.flag("SMTP", "SecureWherePossible"):
        options["hosts_avoid_tls"] = others
    unverified = _unverified(site)
    if unverified:
        return Secure(options=options | unverified)
    return Secure(
        options=options
        | {
            "tls_verify_hosts": listed,
            "tls_verify_cert_hostnames": listed,
            "tls_try_verify_hosts": "",
        },
    )


def _unverified(site: Site) -> dict[str, str]:
    """Return options for a smart host, whose certificate may say anything."""
    if not site.settings.text("SMTP", "Forward"):
        return {}
    return {"tls_verify_hosts": "", "tls_try_verify_hosts": ""}
