"""Domains: a fresh installation, names and aliases, addresses, renaming and removing."""

from __future__ import annotations

from pathlib import Path

import pytest
from storage_world import Installation, StillClock

from reference.formats import dictionary
from reference.formats.dictionary import Value
from reference.storage.account import Account
from reference.storage.base import FOLDERS, prepare, remove_process_id, write_process_id
from reference.storage.domains import Domain, Domains
from reference.storage.errors import (
    BadName,
    DomainAliasExists,
    DomainExists,
    DomainNotEmpty,
    InUse,
    MainDomainOnly,
    NoSuchDomain,
    SettingError,
)


@pytest.fixture
def server(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "base")


@pytest.fixture
def domains(server: Installation) -> Domains:
    return server.domains


def test_a_fresh_installation(server: Installation) -> None:
    assert server.fresh
    assert all((server.base / folder).is_dir() for folder in FOLDERS)
    main = server.domains.main
    assert (main.name, main.is_main, list(main.accounts)) == ("mycompany.com", True, ["postmaster"])
    postmaster = main.accounts["postmaster"]
    assert postmaster.rights == {"Master"}
    kept = dictionary.parse(
        (server.base / "Accounts" / "postmaster.macnt" / "account.settings").read_text()
    )
    assert isinstance(kept, dict)
    password = kept["Password"]
    assert isinstance(password, str)
    assert postmaster.check_password(password)
    assert postmaster.password_text() == password
    assert server.settings.text("Router.table").splitlines() == [
        "<root> = postmaster",
        "localhost =",
        "mailhost =",
        "<blacklist-admin*@blacklisted> = postmaster",
    ]


def test_an_installation_is_left_alone(server: Installation) -> None:
    server.domains.set_main_name("other.com")
    server.settings.set_text("Router.table", "")
    before = {p: p.read_bytes() for p in server.base.rglob("*") if p.is_file()}
    again = prepare(server.base, clock=StillClock(), host_name="third.com")
    assert not again.fresh
    assert {p: p.read_bytes() for p in server.base.rglob("*") if p.is_file()} == before


def test_an_interrupted_installation_is_taken_up_again(tmp_path: Path) -> None:
    one = Installation(tmp_path / "base")
    postmaster = tmp_path / "base" / "Accounts" / "postmaster.macnt" / "account.settings"
    password = postmaster.read_bytes()
    (tmp_path / "base" / "Settings" / "Main.settings").unlink()
    (tmp_path / "base" / "Accounts" / "Settings" / "Access.settings").unlink()
    two = Installation(tmp_path / "base")
    assert two.fresh
    assert two.domains.main.accounts["postmaster"].rights == {"Master"}
    assert postmaster.read_bytes() == password
    assert one.base == two.base


def test_two_installations_have_different_passwords(tmp_path: Path) -> None:
    one, two = (Installation(tmp_path / name) for name in "ab")
    assert one.domains.main.accounts["postmaster"].password_text() != (
        two.domains.main.accounts["postmaster"].password_text()
    )


def test_a_computer_without_a_usable_name(tmp_path: Path) -> None:
    prepare(tmp_path, clock=StillClock(), host_name="???")
    assert Installation(tmp_path).domains.main.name == "localhost.localdomain"


def test_the_process_id(tmp_path: Path) -> None:
    write_process_id(tmp_path)
    assert (tmp_path / "ProcessID").read_text().strip().isdigit()
    remove_process_id(tmp_path)
    remove_process_id(tmp_path)
    assert not (tmp_path / "ProcessID").exists()


def test_a_domain_is_created_in_its_folder(server: Installation) -> None:
    domain = server.domains.create("Client1.com", {"AutoSignup": "yes"})
    assert domain.name == "client1.com"
    assert (server.base / "Domains" / "client1.com" / "Settings" / "Domain.settings").is_file()
    again = server.restart()
    assert again.names() == ["mycompany.com", "client1.com"]
    found = again.get("CLIENT1.com.")
    assert found is not None
    assert found.explicit == {"AutoSignup": "YES"}
    assert found.get("AutoSignup") is True
    assert found.accounts == {}


@pytest.mark.parametrize("name", ["mycompany.com", "CLIENT1.com", "mail.client1.com"])
def test_domain_names_are_unique(domains: Domains, name: str) -> None:
    client = domains.create("client1.com")
    domains.set_aliases(client, ["mail.client1.com"])
    with pytest.raises((DomainExists, DomainAliasExists)):
        domains.create(name)


def test_a_bad_domain_is_not_created(server: Installation) -> None:
    with pytest.raises(BadName):
        server.domains.create("../evil")
    with pytest.raises(SettingError):
        server.domains.create("client1.com", {"AutoSignup": "perhaps"})
    assert list((server.base / "Domains").iterdir()) == []


def test_aliases_lead_to_their_domain(server: Installation) -> None:
    domains = server.domains
    client = domains.create("client1.com")
    domains.set_aliases(client, ["Mail.client1.com", "www.client1.com"])
    domains.set_aliases(domains.main, ["mail.mycompany.com"])
    for view in (domains, server.restart()):
        client_again = view.get("client1.com")
        assert client_again is not None
        assert view.get("MAIL.client1.com") is client_again
        assert view.get("mail.mycompany.com") is view.main
        assert view.get("") is view.main
        assert view.get("unknown.com") is None
        assert client_again.aliases == ("mail.client1.com", "www.client1.com")
        assert view.main.aliases == ("mail.mycompany.com",)
        assert view.names() == ["mycompany.com", "client1.com"]


@pytest.mark.parametrize("alias", ["client2.com", "mycompany.com", "mail.client2.com", "a b"])
def test_a_wrong_alias_changes_nothing(domains: Domains, alias: str) -> None:
    client, other = domains.create("client1.com"), domains.create("client2.com")
    domains.set_aliases(client, ["www.client1.com"])
    domains.set_aliases(other, ["mail.client2.com"])
    with pytest.raises((DomainExists, DomainAliasExists, BadName)):
        domains.set_aliases(client, ["new.client1.com", alias])
    assert client.aliases == ("www.client1.com",)
    assert domains.get("new.client1.com") is None


def test_the_main_domain_gets_another_name(server: Installation) -> None:
    domains = server.domains
    domains.create("client1.com")
    domains.set_aliases(domains.main, ["mail.mycompany.com"])
    domains.set_main_name("New.com")
    assert domains.main.name == "new.com"
    assert domains.get("mycompany.com") is None
    assert domains.get("mail.mycompany.com") is domains.main
    for taken in ("client1.com", "mail.mycompany.com", "", "a b"):
        with pytest.raises(SettingError):
            domains.set_main_name(taken)
    assert server.restart().main.name == "new.com"


def test_a_domain_is_renamed_with_everything(server: Installation) -> None:
    domains = server.domains
    client = domains.create("client1.com", {"AutoSignup": "YES"})
    account = client.create_account("john", {"RealName": "John"})
    client.set_aliases(account, ["jack"])
    client.create_forwarder("js", "john")
    client.create_list("news", "john")
    client.set_rights(account, ["Domain"])
    account.mailbox().append([b"x\r\n"], return_path="", time=0)
    domains.set_aliases(client, ["www.client1.com"])
    domains.rename("client1.com", "Client3.com")
    assert domains.get("client3.com") is client
    account.update({"RealName": "Jim"})
    for view in (domains, server.restart()):
        found = view.get("www.client1.com")
        assert found is not None
        assert found.name == "client3.com"
        assert found.get("AutoSignup") is True
        assert view.get("client1.com") is None
        john = found.find("JACK")
        assert isinstance(john, Account)
        assert john.get("RealName") == "Jim"
        assert john.rights == {"Domain"}
        assert len(john.mailbox().messages()) == 1
        assert found.lists["news"].owner == "john"
        assert found.find("js") is not None
        assert john.label == "john@client3.com"


def test_what_cannot_be_renamed_or_removed(domains: Domains) -> None:
    client = domains.create("client1.com")
    domains.create("client2.com")
    account = client.create_account("john")
    with pytest.raises(MainDomainOnly):
        domains.rename("MYCOMPANY.com", "x.com")
    with pytest.raises(MainDomainOnly):
        domains.delete("mycompany.com", force=True)
    with pytest.raises(NoSuchDomain):
        domains.rename("unknown.com", "x.com")
    with pytest.raises(DomainExists):
        domains.rename("client1.com", "client2.com")
    with pytest.raises(DomainNotEmpty):
        domains.delete("client1.com")
    account.open()
    with pytest.raises(InUse):
        domains.rename("client1.com", "client3.com")
    with pytest.raises(InUse):
        domains.delete("client1.com", force=True)
    account.close()
    domains.rename("client1.com", "client3.com")


def test_a_removed_domain_is_gone(server: Installation) -> None:
    domains = server.domains
    client = domains.create("client1.com", {"IPAddresses": ["10.0.0.2"]})
    client.create_account("john")
    domains.set_aliases(client, ["www.client1.com"])
    domains.delete("client1.com", force=True)
    for view in (domains, server.restart()):
        assert view.names() == ["mycompany.com"]
        assert view.get("client1.com") is None
        assert view.get("www.client1.com") is None
        assert view.by_address("10.0.0.2") is view.main
    assert list((server.base / "Domains").iterdir()) == []
    server.domains.create("www.client1.com")


def test_a_renaming_that_a_crash_interrupted_is_finished(server: Installation) -> None:
    domains = server.domains
    client = domains.create("client1.com")
    domains.set_aliases(client, ["www.client1.com"])
    note = server.base / "Settings" / "RenamingDomain.data"
    note.write_text(
        "{From=client1.com;To=client3.com;}".replace("=client", '="client').replace(".com", '.com"')
    )
    # Before the folder was moved, and after.
    for moved in (False, True):
        if moved:
            note.write_text('{From="client3.com";To="client4.com";}')
            (server.base / "Domains" / "client3.com").rename(
                server.base / "Domains" / "client4.com"
            )
        again = server.restart()
        found = again.get("www.client1.com")
        assert found is not None
        assert found.name == ("client4.com" if moved else "client3.com")
        assert not note.exists()


# Addresses ---------------------------------------------------------------------------------------


def test_dedicated_addresses(server: Installation) -> None:
    domains = server.domains
    client = domains.create("client1.com", {"IPAddresses": ["[10.0.0.2]"]})
    for view in (domains, server.restart()):
        assert view.by_address("10.0.0.2") is view.get("client1.com")
        assert view.by_address("10.0.0.1") is view.main
        assert view.addresses_of(view.main) == ("10.0.0.1", "10.0.0.3")
    assert client.explicit == {"IPAddresses": ["10.0.0.2"]}


def test_unassigned_addresses_belong_to_nobody_if_main_is_manual(domains: Domains) -> None:
    domains.main.update({"IPMode": "Manually Defined", "IPAddresses": ["10.0.0.1"]})
    assert domains.by_address("10.0.0.1") is domains.main
    assert domains.by_address("10.0.0.3") is None
    domains.main.update({"IPMode": "All Available"})
    assert domains.by_address("10.0.0.3") is domains.main


@pytest.mark.parametrize(
    "settings",
    [
        {"IPAddresses": ["10.0.0.2"]},
        {"IPAddresses": ["10.9.9.9"]},
        {"IPAddresses": ["x"]},
        {"IPMode": "All Available"},
    ],
)
def test_addresses_that_cannot_be_dedicated(domains: Domains, settings: dict[str, Value]) -> None:
    domains.create("client1.com", {"IPAddresses": ["10.0.0.2"]})
    other = domains.create("client2.com", {"IPAddresses": ["10.0.0.3"]})
    with pytest.raises(SettingError):
        other.update(settings)
    with pytest.raises(SettingError):
        domains.create("client3.com", settings)
    assert domains.by_address("10.0.0.3") is other
    assert domains.get("client3.com") is None


# Settings ----------------------------------------------------------------------------------------


def test_domain_settings_fall_through_to_the_defaults(server: Installation) -> None:
    one, two = (server.domains.create(name) for name in ("client1.com", "client2.com"))
    server.settings.update("DomainDefaults", {"MailToUnknown": "Discarded"})
    two.update({"MailToUnknown": "Accepted and bounced"})
    assert one.get("MailToUnknown") == "Discarded"
    assert one.effective()["MailToUnknown"] == "Discarded"
    assert two.get("MailToUnknown") == "Accepted and Bounced"
    two.update({"MailToUnknown": "default"})
    assert two.get("MailToUnknown") == "Discarded"
    assert two.explicit == {}
    two.replace({"AutoSignup": "YES"})
    assert two.explicit == {"AutoSignup": "YES"}
    assert two.get("NoSuchSetting") is None


def test_domains_that_are_on_the_disk_without_settings(server: Installation) -> None:
    (server.base / "Domains" / "client9.com" / "john.macnt").mkdir(parents=True)
    (server.base / "Domains" / "client8.com.tmp").mkdir()
    domains = server.restart()
    assert domains.names() == ["mycompany.com", "client9.com"]
    found = domains.get("client9.com")
    assert isinstance(found, Domain)
    assert list(found.accounts) == ["john"]
    # Its INBOX is made when it is needed.
    assert found.accounts["john"].mailbox().messages() == ()
