"""Certificates and signing requests, as steps compare them.

A name's fields go by their short names: CN, C, ST, L, O, OU and E (the e-mail address).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.scenario.steps import HeaderCheck

SHORT = {
    "commonName": "CN",
    "countryName": "C",
    "stateOrProvinceName": "ST",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "emailAddress": "E",
}


def fields(name: Any) -> dict[str, str]:
    """Return the fields of an X.509 name by their short names."""
    return {SHORT.get(each.oid._name, each.oid.dotted_string): str(each.value) for each in name}


def name_complaint(name: Any, checks: Sequence[HeaderCheck], what: str) -> str:
    """Return what is wrong with a name, or nothing."""
    found = fields(name)
    for check in checks:
        value = found.get(check.name)
        if value is None or (check.pattern is not None and not check.pattern.matches(value)):
            shown = ", ".join(f"{key}={text}" for key, text in found.items())
            wanted = check.pattern.describe() if check.pattern is not None else "any"
            return f"the {what} is {shown or 'empty'}, expected {check.name} {wanted}"
    return ""


def signed_by_itself(certificate: Any) -> bool:
    """Tell whether a certificate's issuer is its subject, and its own key has signed it."""
    from cryptography.exceptions import InvalidSignature

    try:
        certificate.verify_directly_issued_by(certificate)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def request_complaint(text: str, subject: Sequence[HeaderCheck]) -> str:
    """Return what is wrong with a PEM signing request, or nothing."""
    from cryptography import x509

    try:
        request = x509.load_pem_x509_csr(text.encode())
    except ValueError as error:
        return f"the answer is no PEM signing request: {error}"
    if not request.is_signature_valid:
        return "the signing request's signature does not verify"
    return name_complaint(request.subject, subject, "subject")
