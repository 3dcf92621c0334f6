"""When outgoing connections are secured, whose certificates do, and by which address mail goes."""

from __future__ import annotations

from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.formats import pem
from reference.queue.envelope import Envelope, Recipient, Source
from reference.transport.smtp_secure import Listed, bears, complaint
from reference.transport.smtp_source import source_address

NOW = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
YEAR = 365 * 86400.0
NAMES = st.text("ab.-*", min_size=1, max_size=8)


@given(st.lists(NAMES, max_size=4), st.text("ab.-", max_size=8))
def test_listed_is_a_glob(names: list[str], name: str) -> None:
    assert (name in Listed(names)) == any(fnmatchcase(name, pattern) for pattern in names)


def test_listed_does_not_mind_letter_case_and_blanks() -> None:
    assert "Company.DOM" in Listed([" company.dom "])
    assert "company.dom" in Listed(["COMPANY.*"])
    assert "" not in Listed([])
    assert "companyxdom" not in Listed(["company.dom"])


@pytest.mark.parametrize(
    ("own", "name", "expected"),
    [
        ("company.dom", "Company.dom.", True),
        ("company.dom", "a.company.dom", False),
        ("*.company.dom", "a.company.dom", True),
        ("*.company.dom", "a.b.company.dom", False),
        ("*.company.dom", "company.dom", False),
        ("*.company.dom", ".company.dom", False),
        ("*", "dom", False),
    ],
)
def test_names_of_certificates(own: str, name: str, expected: bool) -> None:
    assert bears(own, name) is expected


def certificate(name: str, *, made: float = NOW) -> Any:
    key = pem.make_test_key()
    return pem.sign_self(key, pem.subject({"Common Name": name}), host=name, now=made)


def test_what_is_wrong_with_a_certificate() -> None:
    names = ("company.dom", "relay1.company.dom")
    assert complaint(certificate("relay1.company.dom"), names, NOW) == ""
    assert "smtp.company.dom, not to company.dom" in complaint(
        certificate("smtp.company.dom"), names, NOW
    )
    assert "expired" in complaint(certificate("company.dom", made=NOW - 11 * YEAR), names, NOW)
    assert "not valid yet" in complaint(certificate("company.dom", made=NOW + YEAR), names, NOW)
    assert "no certificate" in complaint(None, names, NOW)


class FakeDomain:
    def __init__(self, use: str, *addresses: str) -> None:
        self.use = use
        self.addresses = addresses

    def get(self, keyword: str) -> Any:
        return {"RelayAddress": self.use}[keyword]


class FakeDomains:
    """``client1.com`` with two addresses, and the Main Domain with the rest."""

    def __init__(self, use: str) -> None:
        self.client = FakeDomain(use, "10.0.0.2", "10.0.0.3")
        self.main = FakeDomain("any", "10.0.0.1")

    def get(self, name: str) -> FakeDomain | None:
        return {"": self.main, "company.com": self.main, "client1.com": self.client}.get(name)

    def by_address(self, ip: str) -> FakeDomain | None:
        return next((d for d in (self.client, self.main) if ip in d.addresses), None)

    def addresses_of(self, domain: FakeDomain) -> tuple[str, ...]:
        return domain.addresses


@pytest.mark.parametrize(
    ("use", "sender", "account", "at", "expected"),
    [
        ("any", "mary@client1.com", "", "10.0.0.3", ""),
        ("first", "mary@client1.com", "", "10.0.0.1", "10.0.0.2"),
        ("first", "mary@client1.com", "mary@client1.com", "10.0.0.3", "10.0.0.2"),
        ("first", "x@far.example", "mary@client1.com", "10.0.0.1", "10.0.0.2"),
        ("first", "mary@client1.com", "john", "10.0.0.2", ""),
        ("first", "x@far.example", "", "10.0.0.3", "10.0.0.2"),
        ("first", "", "", "10.0.0.3", "10.0.0.2"),
        ("first", "x@far.example", "", "", ""),
        ("same", "mary@client1.com", "", "10.0.0.3", "10.0.0.3"),
        ("same", "mary@client1.com", "", "10.0.0.1", ""),
        ("same", "mary@client1.com", "", "", ""),
    ],
)
def test_source_address(use: str, sender: str, account: str, at: str, expected: str) -> None:
    source = Source("SMTP", "192.0.2.1", account, "", at)
    envelope = Envelope(sender, (Recipient("u@host.example"),), source)
    assert source_address(envelope, FakeDomains(use)) == expected


def test_first_without_an_address_is_any() -> None:
    domains = FakeDomains("first")
    domains.client.addresses = ()
    source = Source("SMTP", "192.0.2.1", "", "", "10.0.0.1")
    envelope = Envelope("mary@client1.com", (Recipient("u@host.example"),), source)
    assert source_address(envelope, domains) == ""
