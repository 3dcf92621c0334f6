"""Commands on the keys and certificates of domains.

Guide 3.5.2, Security, Domain Security Settings, describes a page of the WebAdmin Interface; what
its buttons do stands here. The texts that can be entered there are Domain Settings:
PrivateSecureKey, SecureCertificate and CAChain. Of a key these commands show the beginning only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from reference.cli.command import Access, Answer, Call, Command, row
from reference.cli.replies import CommandError
from reference.formats.dictionary import Value
from reference.storage.domain import Domain
from reference.storage.kinds_pem import CERTIFICATE, CHAIN, KEY

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from reference.formats.pem import Key

__all__ = ["COMMANDS"]

_COMMON, _CONTACT = "Common Name", "Contact"
_ADDRESS = re.compile(r"[^\s@<>]+@[^\s@<>]+")
#: How much of a key's text is shown, as on the guide's page.
_SHOWN = 20


def _domain(call: Call) -> Domain:
    return call.domain(call.arguments.optional("domainName"))


def _own_names(domain: Domain) -> list[str]:
    return [domain.name, *domain.aliases]


def _key(domain: Domain) -> Key:
    from reference.formats import pem

    text = domain.get(KEY)
    if not text:
        raise CommandError("the domain has no private key")
    return pem.read_key(text)


def _generate_key(call: Call) -> Answer:
    from reference.formats import pem

    size = call.arguments.text("size")
    try:
        key = pem.make_key(int(size) if size.isdecimal() else 0)
    except ValueError as error:
        raise CommandError(str(error)) from None
    _domain(call).update({KEY: pem.key_text(key)})
    return None


def _attributes(call: Call, domain: Domain) -> dict[str, str]:
    """Return the certificate attributes, checked. Raises CommandError."""
    from reference.formats.pem import ATTRIBUTES

    given = call.arguments.dictionary("attributes")
    attributes = {name: value for name, value in given.items() if isinstance(value, str)}
    unknown = sorted(set(given) - set(ATTRIBUTES)) or sorted(set(given) - set(attributes))
    if unknown:
        raise CommandError(f"{unknown[0]} is no certificate attribute")
    if attributes.get(_COMMON, "").lower() not in _own_names(domain):
        raise CommandError(f"{_COMMON} must be the name of the domain or one of its aliases")
    if not _ADDRESS.fullmatch(attributes.get(_CONTACT, "")):
        raise CommandError(f"{_CONTACT} must be a valid E-mail address")
    return attributes


def _generate_certificate(call: Call) -> Answer:
    from reference.formats import pem

    domain = _domain(call)
    key, attributes = _key(domain), _attributes(call, domain)
    try:
        certificate = pem.sign_self(
            key,
            pem.subject(attributes),
            host=attributes[_COMMON],
            now=call.kernel.clock.time(),
        )
    except ValueError as error:
        raise CommandError(str(error)) from None
    domain.update({CERTIFICATE: pem.certificate_text(certificate)})
    return None


def _generate_request(call: Call) -> Answer:
    from reference.formats import pem

    domain = _domain(call)
    key, attributes = _key(domain), _attributes(call, domain)
    try:
        return pem.request_text(key, pem.subject(attributes))
    except ValueError as error:
        raise CommandError(str(error)) from None


def _get(call: Call) -> Answer:
    from reference.formats import pem

    domain = _domain(call)
    key_text, certificate, chain = (domain.get(name) or "" for name in (KEY, CERTIFICATE, CHAIN))
    shown: dict[str, Value] = {"CertificateType": domain.get("CertificateType")}
    if key_text:
        key = pem.read_key(key_text)
        body = "".join(key_text.splitlines()[1:-1])
        shown |= {
            "PrivateKey": f"{body[:_SHOWN]}...",
            "KeySize": str(key.key_size),
            "KeyTest": (
                "Verification String is OK" if pem.works(key) else "Verification String is wrong"
            ),
            "CommonNames": list(_own_names(domain)),
        }
    if certificate:
        shown |= _described(pem.read_certificate(certificate))
    if chain:
        shown["Chain"] = [_described(each) for each in pem.read_chain(chain)]
    return shown


def _described(certificate: Certificate) -> dict[str, Value]:
    from reference.formats import pem

    return {
        "IssuedTo": _as_value(pem.shown(certificate.subject)),
        "IssuedBy": _as_value(pem.shown(certificate.issuer)),
        "ValidFrom": f"{certificate.not_valid_before_utc:%d-%b-%y}",
        "ValidTill": f"{certificate.not_valid_after_utc:%d-%b-%y}",
    }


def _as_value(attributes: Mapping[str, str]) -> dict[str, Value]:
    pairs: Iterable[tuple[str, str]] = attributes.items()
    return dict(pairs)


_NAME = "[domainName:string]"
_MADE = "domainName:string attributes:dictionary"

COMMANDS: tuple[Command, ...] = (
    row("GetDomainSecurity", _get, _NAME, access=Access.SYSTEM),
    row("GenerateDomainKey", _generate_key, "domainName:string size:string", access=Access.SYSTEM),
    row("GenerateDomainCertificate", _generate_certificate, _MADE, access=Access.SYSTEM),
    row("GenerateDomainRequest", _generate_request, _MADE, access=Access.SYSTEM),
)
