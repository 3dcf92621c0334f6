"""Commands on keys and certificates of domains, and what a browser gets of them."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from cli_world import MAIN, CLIWorld
from cryptography import x509

from reference.formats import pem
from reference.formats.dictionary import dump
from reference.protocols.http_certificate import certificate_octets

CERTIFICATES = Path(__file__).parent.parent / "fixtures" / "certificates"
NAMES = f'{{"Common Name"="{MAIN}";Contact="bill@domain.company";}}'


@pytest.fixture
def world(tmp_path: Path) -> CLIWorld:
    world = CLIWorld(tmp_path)
    world.ok("CreateAccount john")
    return world


def security(world: CLIWorld) -> dict[str, Any]:
    found = world.ok("GetDomainSecurity")
    assert isinstance(found, dict)
    return found


def assign(world: CLIWorld, **texts: str) -> None:
    world.ok(f"UpdateDomainSettings {MAIN} {dump(dict(texts))}")


def test_nothing_at_first(world: CLIWorld) -> None:
    assert security(world) == {"CertificateType": "No"}
    assert world.refused(f"GenerateDomainCertificate {MAIN} {NAMES}") == (
        "the domain has no private key"
    )


def test_a_key_is_made_and_its_beginning_shown(world: CLIWorld) -> None:
    world.ok(f"GenerateDomainKey {MAIN} 1024")
    shown = security(world)
    text = world.domains.main.get("PrivateSecureKey")
    assert shown["PrivateKey"] == f"{''.join(text.splitlines()[1:-1])[:20]}..."
    assert (shown["KeySize"], shown["KeyTest"]) == ("1024", "Verification String is OK")
    assert shown["CommonNames"] == [MAIN]
    assert text not in dump(shown)


@pytest.mark.parametrize("size", ["0", "1023", "many", "-512"])
def test_sizes_of_no_key(world: CLIWorld, size: str) -> None:
    assert "512, 1024, 2048" in world.refused(f'GenerateDomainKey {MAIN} "{size}"')
    assert security(world) == {"CertificateType": "No"}


def test_a_certificate_goes_with_a_new_key(world: CLIWorld) -> None:
    world.ok(
        f"GenerateDomainKey {MAIN} 1024",
        f"SetDomainAliases {MAIN} (mail.mycompany.com)",
        f"GenerateDomainCertificate {MAIN} {NAMES.replace(MAIN, 'mail.' + MAIN)}",
    )
    shown = security(world)
    assert shown["IssuedTo"] == shown["IssuedBy"]
    assert shown["IssuedTo"]["Common Name"] == "mail.mycompany.com"
    assert (shown["ValidFrom"], shown["ValidTill"]) == ("08-Sep-01", "06-Sep-11")
    world.ok(f"GenerateDomainKey {MAIN} 1024")
    assert "IssuedTo" not in security(world)


def test_a_request(world: CLIWorld) -> None:
    world.ok(f"GenerateDomainKey {MAIN} 1024")
    text = world.ok(f"GenerateDomainRequest {MAIN} {NAMES}")
    assert isinstance(text, str)
    request = x509.load_pem_x509_csr(text.encode())
    assert request.is_signature_valid
    assert pem.shown(request.subject) == {"Common Name": MAIN, "Contact": "bill@domain.company"}


@pytest.mark.parametrize(
    ("attributes", "complaint"),
    [
        ('{Contact="bill@domain.company";}', "Common Name must be"),
        ('{"Common Name"="other.com";Contact="bill@domain.company";}', "Common Name must be"),
        (f'{{"Common Name"="{MAIN}";}}', "Contact must be"),
        (f'{{"Common Name"="{MAIN}";Contact="bill";}}', "Contact must be"),
        (NAMES.replace("{", "{Colour=red;"), "Colour is no certificate attribute"),
        (NAMES.replace("{", "{Unit=(a,b);"), "Unit is no certificate attribute"),
        (NAMES.replace("{", "{Country=Germany;"), "attributes are not right"),
    ],
)
def test_bad_attributes(world: CLIWorld, attributes: str, complaint: str) -> None:
    world.ok(f"GenerateDomainKey {MAIN} 1024")
    for command in ("GenerateDomainCertificate", "GenerateDomainRequest"):
        assert complaint in world.refused(f"{command} {MAIN} {attributes}")
    assert "IssuedTo" not in security(world)


def test_a_chain_is_told(world: CLIWorld) -> None:
    texts = {name: (CERTIFICATES / name).read_text() for name in ("client1.key", "client1.pem")}
    chain = (CERTIFICATES / "intermediate.pem").read_text()
    assign(
        world,
        PrivateSecureKey=texts["client1.key"],
        SecureCertificate=texts["client1.pem"],
        CAChain=chain * 2,
    )
    shown = security(world)
    assert len(shown["Chain"]) == 2
    assert shown["Chain"][0]["IssuedTo"]["Common Name"] == "Mailproof Test Intermediate"
    assert shown["Chain"][0]["IssuedBy"]["Common Name"] == "Mailproof Test Root"


def test_users_have_no_business_here(world: CLIWorld) -> None:
    for line in ("GetDomainSecurity", f"GenerateDomainKey {MAIN} 1024"):
        world.refused(line, user="john")
    assert security(world) == {"CertificateType": "No"}


def test_the_certificate_for_browsers() -> None:
    text = (CERTIFICATES / "client1.pem").read_text()
    assert ssl.DER_cert_to_PEM_cert(certificate_octets(text)).split() == text.split()
