"""The Login page of a domain, as far as it is about security.

Guide 3.5.2, WebUser Interface, and Security, Using Default and Self-Signed Certificates: if the
domain has an enabled certificate, its Login page has a link Secure Certificate, by which a browser
gets the certificate and may take it for a trusted one. The WebUser Interface that one would log in
to is not offered.
"""

from __future__ import annotations

import html

#: Where the certificate is, and what it is (RFC 2585).
CERTIFICATE_NAME = "SecureCertificate.cer"
CERTIFICATE_TYPE = "application/pkix-cert"

_PAGE = """<!DOCTYPE html>
<html><head><title>{domain}</title></head>
<body><h1>{domain}</h1>
{links}</body></html>
"""
_LINK = f'<p><a href="/{CERTIFICATE_NAME}">Secure Certificate</a></p>\n'


def login_page(domain: str, *, certificate: bool) -> bytes:
    """Return the page of a domain."""
    page = _PAGE.format(domain=html.escape(domain), links=_LINK if certificate else "")
    return page.encode("utf-8")


def certificate_octets(text: str) -> bytes:
    """Return a certificate in PEM as browsers want it, in DER."""
    from cryptography.hazmat.primitives.serialization import Encoding

    from reference.formats import pem

    return pem.read_certificate(text).public_bytes(Encoding.DER)
