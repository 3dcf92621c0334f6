"""The certificate of a domain as its Login page offers it.

Guide 3.5.2, Security, Using Default and Self-Signed Certificates: if the domain has an enabled
certificate, its Login page has a link Secure Certificate, by which a browser gets the certificate
and may take it for a trusted one.
"""

from __future__ import annotations

#: Where the certificate is, and what it is (RFC 2585).
CERTIFICATE_NAME = "SecureCertificate.cer"
CERTIFICATE_TYPE = "application/pkix-cert"


def certificate_octets(text: str) -> bytes:
    """Return a certificate in PEM as browsers want it, in DER."""
    from cryptography.hazmat.primitives.serialization import Encoding

    from reference.formats import pem

    return pem.read_certificate(text).public_bytes(Encoding.DER)
