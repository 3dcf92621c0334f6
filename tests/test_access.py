"""Logins: names, proofs, services, client-only logins and mobile users."""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path

import pytest
from reception_world import CLIENT, SERVER_IP, STRANGER, AccessWorld

from reference.kernel.access import (
    Digest,
    LoginRefused,
    MovedElsewhere,
    NotFromClient,
    SecureMethodRequired,
    ServiceDisabled,
    WrongName,
    WrongPassword,
)
from reference.kernel.protection import Standing
from reference.kernel.routes import RoutingLoop


@pytest.fixture(autouse=True)
def _no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    # What survives a power failure is the storage's test.
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def world(tmp_path: Path) -> AccessWorld:
    return AccessWorld(tmp_path)


# Names


@pytest.mark.parametrize(
    ("name", "local_ip", "address"),
    [
        ("john", SERVER_IP, "john@company.com"),
        ("john@company.com", SERVER_IP, "john@company.com"),
        ("john%client1.com", SERVER_IP, "john@client1.com"),
        ("john@client1.com", "10.0.0.2", "john@client1.com"),
        ("john", "10.0.0.2", "john@client1.com"),
        ("john%company.com", "10.0.0.2", "john@company.com"),
        (" john ", SERVER_IP, "john@company.com"),
    ],
)
def test_which_account_a_name_means(
    world: AccessWorld, name: str, local_ip: str, address: str
) -> None:
    client1 = world.domains.get("client1.com")
    assert client1 is not None
    client1.update({"IPAddresses": ["10.0.0.2"]})
    password = f"secret of {address.partition('@')[2]}"
    login = world.login(name, password, local_ip=local_ip)
    assert login.account.address == login.label == address
    assert world.router.asked == [(address, "access")]


def test_what_the_router_says_counts(world: AccessWorld) -> None:
    world.router.local("j.smith@mail.company.com", "john")
    assert world.login("j.smith@mail.company.com").account is world.john


def test_a_unified_account_opens_with_its_own_password(world: AccessWorld) -> None:
    world.router.local("abcdef@unified.example", "john", real_to="abcdef")
    login = world.login("abcdef@unified.example")
    assert (login.account, login.real_to) == (world.john, "abcdef")
    assert world.login().real_to == ""


@pytest.mark.parametrize(
    ("name", "mailbox"),
    [
        ("private#john", "private"),
        ("lists/info#john@company.com", "lists/info"),
        ("~boss/INBOX#john%company.com", "~boss/INBOX"),
    ],
)
def test_a_name_may_name_a_mailbox(world: AccessWorld, name: str, mailbox: str) -> None:
    login = world.login(name)
    assert (login.account, login.mailbox) == (world.john, mailbox)


def test_a_name_that_leads_elsewhere(world: AccessWorld) -> None:
    with pytest.raises(MovedElsewhere) as caught:
        world.login("john@far.example")
    assert caught.value.address == "john@far.example"


def test_a_name_that_leads_nowhere(world: AccessWorld) -> None:
    world.router.routes["loop@company.com"] = RoutingLoop("routing loop")
    with pytest.raises(WrongName, match="routing loop"):
        world.login("loop")
    with pytest.raises(WrongName):
        world.login("nosuch")
    world.router.local("fw@company.com", "fw")
    world.domains.main.create_forwarder("fw", "x@far.example")
    with pytest.raises(WrongName):
        world.login("fw")


# Proofs


def digest(method: str, password: str) -> Digest:
    challenge = "<1.2@company.com>"
    if method == "APOP":
        response = hashlib.md5((challenge + password).encode()).hexdigest()
    else:
        response = hmac.new(password.encode(), challenge.encode(), "md5").hexdigest()
    return Digest(name="john", method=method, challenge=challenge, response=response)


@pytest.mark.parametrize("method", ["APOP", "CRAM-MD5"])
def test_digests(world: AccessWorld, method: str) -> None:
    assert world.login(digest(method, "secret of company.com")).account is world.john
    with pytest.raises(WrongPassword):
        world.login(digest(method, "wrong"))


@pytest.mark.parametrize("method", ["APOP", "CRAM-MD5"])
def test_one_way_encrypted_passwords_make_no_digest(world: AccessWorld, method: str) -> None:
    world.john.update({"PasswordEncryption": "U-crpt"})
    world.john.set_password("secret")
    assert world.login("john", "secret").account is world.john
    with pytest.raises(WrongPassword):
        world.login(digest(method, "secret"))


@pytest.mark.parametrize("method", ["", "APOP", "CRAM-MD5"])
def test_without_a_password_nobody_gets_in(world: AccessWorld, method: str) -> None:
    world.john.update({"Password": "default"})
    with pytest.raises(WrongPassword):
        world.login(digest(method, "") if method else "john", "")


def test_a_secure_method_may_be_required(world: AccessWorld) -> None:
    world.john.update({"RequireAPOP": "YES"})
    with pytest.raises(SecureMethodRequired):
        world.login()
    assert world.login(secure=True).account is world.john
    assert world.login(digest("APOP", "secret of company.com")).account is world.john


def test_hidden_names(world: AccessWorld) -> None:
    world.settings.update("Server", {"HideAccountUnknown": "YES"})
    texts = set()
    for name, password in (("nosuch", "x"), ("john", "x"), ("john@far.example", "x")):
        with pytest.raises(LoginRefused) as caught:
            world.login(name, password)
        texts.add((type(caught.value), caught.value.text))
    assert texts == {(LoginRefused, "Incorrect Account Name or Password")}


# Services


def without(world: AccessWorld, service: str, *, domain: bool) -> None:
    every = ["Mail", "POP", "IMAP", "PWD", "Relay", "Mobile"]
    modes = [name for name in every if name != service]
    if domain:
        world.domains.main.update({"DomainAccessModes": list(modes)})
    else:
        world.john.update({"AccessModes": list(modes)})


@pytest.mark.parametrize("domain", [False, True])
@pytest.mark.parametrize("service", ["POP", "IMAP", "PWD"])
def test_a_disabled_service(world: AccessWorld, service: str, domain: bool) -> None:
    without(world, service, domain=domain)
    for asked in ("POP", "IMAP", "PWD", "SMTP"):
        if asked == service:
            with pytest.raises(ServiceDisabled):
                world.login(service=asked)
        else:
            world.login(service=asked)


@pytest.mark.parametrize("service", ["POP", "IMAP", "PWD", "SMTP"])
@pytest.mark.parametrize("domain", [False, True])
def test_without_mobile_only_client_addresses_get_in(
    world: AccessWorld, service: str, domain: bool
) -> None:
    without(world, "Mobile", domain=domain)
    with pytest.raises(ServiceDisabled):
        world.login(service=service)
    world.login(service=service, ip=CLIENT)
    world.login(service=service, ip=SERVER_IP)
    world.login(service=service, standing=Standing.BY_NAME)


def test_services_are_told_after_the_password_only(world: AccessWorld) -> None:
    without(world, "POP", domain=False)
    with pytest.raises(WrongPassword):
        world.login("john", "wrong")


# Client-only logins


@pytest.mark.parametrize("service", ["POP", "IMAP", "PWD", "SMTP"])
def test_client_only_logins(world: AccessWorld, service: str) -> None:
    world.settings.update("Protection", {"NonClientLogins": "reject"})
    with pytest.raises(NotFromClient) as caught:
        world.login(service=service)
    assert caught.value.closes
    world.login(service=service, ip=CLIENT)
    world.login(service=service, ip=SERVER_IP)


def test_client_only_logins_know_clients_by_name(world: AccessWorld) -> None:
    world.settings.update(
        "Protection",
        {
            "NonClientLogins": "reject",
            "DetectClientsByName": "YES",
            "ClientNames": ["*.campus.edu"],
        },
    )
    world.names.answers[f"PTR {STRANGER}"] = ["pc1.campus.edu"]
    world.names.answers["A pc1.campus.edu"] = [STRANGER]
    world.login()
    with pytest.raises(NotFromClient):
        world.login(ip="192.0.2.2")


# Mobile users


@pytest.fixture
def mobile(world: AccessWorld) -> AccessWorld:
    world.settings.update("Protection", {"ProcessAsClient": "YES", "ProcessAsClientFor": "10m"})
    return world


@pytest.mark.parametrize("service", ["POP", "IMAP", "PWD"])
def test_a_login_makes_a_temporary_client(mobile: AccessWorld, service: str) -> None:
    login = mobile.login(service=service)
    assert mobile.protection.is_temporary(STRANGER)
    login.leave()
    login.leave()
    mobile.clock.advance(600)
    assert not mobile.protection.is_temporary(STRANGER)
    assert mobile.john.sessions == 0


def test_auth_makes_none(mobile: AccessWorld) -> None:
    login = mobile.login(service="SMTP")
    assert login.relay
    assert not mobile.protection.is_temporary(STRANGER)


def test_a_refused_login_makes_none(mobile: AccessWorld) -> None:
    with pytest.raises(WrongPassword):
        mobile.login("john", "wrong")
    assert not mobile.protection.is_temporary(STRANGER)


def test_client_addresses_use_no_place(mobile: AccessWorld) -> None:
    mobile.settings.update("Protection", {"RememberClients": "1"})
    mobile.login()
    mobile.login(ip=CLIENT)
    mobile.login(ip=SERVER_IP)
    assert mobile.protection.is_temporary(STRANGER)
    assert not mobile.protection.is_temporary(CLIENT)


@pytest.mark.parametrize("domain", [False, True])
def test_without_relay_the_address_is_not_remembered(mobile: AccessWorld, domain: bool) -> None:
    without(mobile, "Relay", domain=domain)
    assert not mobile.login().relay
    assert not mobile.protection.is_temporary(STRANGER)
    assert not mobile.login(service="SMTP").relay


def test_a_session_keeps_the_account_in_use(world: AccessWorld) -> None:
    login = world.login()
    assert world.john.sessions == 1
    login.leave()
    assert world.john.sessions == 0


def test_registered_addresses(world: AccessWorld) -> None:
    assert world.access.account_of("john@company.com") is world.john
    for address in ("nosuch@company.com", "x@far.example", "no address", ""):
        assert world.access.account_of(address) is None
