"""Accounts, forwarders and mailing lists of a domain."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from storage_world import Installation

from reference.formats.dictionary import Value
from reference.storage.account import Account
from reference.storage.domains import Domain, Domains
from reference.storage.errors import (
    AccountExists,
    AliasExists,
    BadName,
    ForwarderExists,
    InUse,
    ListExists,
    MailboxExists,
    NameTaken,
    NoSuchAccount,
    NoSuchForwarder,
    NoSuchList,
    NoSuchMailbox,
    SettingError,
    StorageError,
)
from reference.storage.files import read_dictionary
from reference.storage.kinds import SERVICES


@pytest.fixture
def server(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "base")


@pytest.fixture
def domains(server: Installation) -> Domains:
    return server.domains


@pytest.fixture
def domain(domains: Domains) -> Domain:
    return domains.create("domain2.com")


def same(server: Installation) -> Domain:
    """The domain after a restart."""
    found = server.restart().get("domain2.com")
    assert found is not None
    return found


def account(domain: Domain, name: str) -> Account:
    found = domain.find(name)
    assert isinstance(found, Account)
    return found


def test_the_files_of_an_account(server: Installation) -> None:
    john = server.domains.main.create_account("John", {"RealName": "John", "Password": "pw"})
    folder = server.base / "Accounts" / "john.macnt"
    assert sorted(p.name for p in folder.iterdir()) == [
        "INBOX.mbox",
        "account.info",
        "account.settings",
    ]
    assert read_dictionary(folder / "account.settings") == {"RealName": "John", "Password": "pw"}
    assert (john.name, john.label, john.address) == ("john", "john", "john@mycompany.com")
    assert server.domains.find("JOHN", server.domains.main) is john


def test_labels_in_secondary_domains(domains: Domains, domain: Domain) -> None:
    john = domain.create_account("john")
    assert john.label == domain.label_of(john) == domains.label_of(john) == "john@domain2.com"


def test_names_are_unique_in_a_domain_and_free_in_others(domains: Domains, domain: Domain) -> None:
    john = domain.create_account("john")
    domain.set_aliases(john, ["jack"])
    domain.create_forwarder("fwd", "john")
    domain.create_list("news", "john")
    for name, refusal in {
        "JOHN": AccountExists,
        "jack": AliasExists,
        "Fwd": ForwarderExists,
        "news": ListExists,
    }.items():
        with pytest.raises(refusal):
            domain.create_account(name)
        with pytest.raises(refusal):
            domain.create_forwarder(name, "x@y")
        with pytest.raises(refusal):
            domain.create_list(name, "john")
    other = domain.create_account("other")
    for name in ("john", "jack", "fwd", "news", "other"):
        with pytest.raises(NameTaken):
            domain.set_aliases(other, ["free", name])
    assert other.aliases == ()
    assert domains.main.create_account("john").name == "john"
    assert str(AccountExists()) == "Account with this name already exists"


def test_the_name_all_is_taken_only_while_it_means_everybody(domain: Domain) -> None:
    domain.update({"MailToAllAction": "anybody"})
    with pytest.raises(NameTaken, match="all Accounts"):
        domain.create_account("All")
    domain.update({"MailToAllAction": "nobody"})
    assert domain.create_account("All").name == "all"


def test_what_is_wrong_makes_no_account(server: Installation, domain: Domain) -> None:
    with pytest.raises(BadName):
        domain.create_account("a/b")
    with pytest.raises(SettingError):
        domain.create_account("john", {"MaxAccountSize": "big"})
    with pytest.raises(StorageError, match="MailDirMailbox"):
        domain.create_account("john", type="MailDirMailbox")
    assert domain.accounts == {}
    assert same(server).accounts == {}


def test_aliases_follow_their_account(server: Installation, domain: Domain) -> None:
    smith = domain.create_account("j.smith")
    domain.set_aliases(smith, ["Smith", "jsmith", "smith"])
    assert smith.aliases == ("Smith", "jsmith")
    domain.set_rights(smith, ["Domain", "CanCreateAccounts"])
    domain.create_list("news", "jsmith")
    domain.create_forwarder("js", "j.smith")
    domain.rename_account(smith, "James.Smith")
    for view in (domain, same(server)):
        found = account(view, "SMITH")
        assert found.name == "james.smith"
        assert found.aliases == ("Smith", "jsmith")
        assert found.rights == {"Domain", "CanCreateAccounts"}
        assert view.lists["news"].owner == "james.smith"
        assert view.forwarders["js"].address == "j.smith"
        assert view.find("j.smith") is None
    domain.set_aliases(smith, [])
    assert smith.aliases == ()
    assert domain.find("jsmith") is None


def test_a_renamed_account_keeps_mail_settings_and_password(
    server: Installation, domain: Domain
) -> None:
    one = domain.create_account("one", {"Password": "pw"})
    one.mailbox().append([b"x\r\n"], return_path="", time=0)
    domain.rename_account(one, "two")
    one.update({"RealName": "Two"})
    one.mailbox().append([b"y\r\n"], return_path="", time=0)
    for view in (domain, same(server)):
        two = account(view, "two")
        assert two.check_password("pw")
        assert two.get("RealName") == "Two"
        assert len(two.mailbox().messages()) == 2
        assert list(view.accounts) == ["two"]
    domain.rename_account(one, "TWO")
    with pytest.raises(BadName):
        domain.rename_account(one, "a b")
    domain.create_account("three")
    with pytest.raises(AccountExists):
        domain.rename_account(one, "three")


def test_an_account_in_use_stays(domain: Domain) -> None:
    john = domain.create_account("john")
    john.open()
    with pytest.raises(InUse):
        domain.rename_account(john, "jack")
    with pytest.raises(InUse):
        domain.delete_account(john)
    john.close()
    domain.delete_account(john)
    with pytest.raises(NoSuchAccount):
        domain.delete_account(john)


def test_a_removed_account_leaves_nothing(server: Installation, domain: Domain) -> None:
    john = domain.create_account("john")
    folder = john.folder
    domain.set_aliases(john, ["jack"])
    domain.set_rights(john, ["Domain"])
    domain.create_list("news", "john")
    domain.create_forwarder("js", "john")
    domain.delete_account(john)
    assert not folder.exists()
    for view in (domain, same(server)):
        assert view.find("john") is view.find("jack") is view.find("news") is None
        assert view.find("js") is not None
    again = domain.create_account("jack")
    assert again.rights == frozenset()
    assert domain.create_account("john").aliases == ()


def test_an_interrupted_account_is_swept_away(server: Installation, domain: Domain) -> None:
    (domain.folder / "half.macnt.tmp").mkdir()
    view = same(server)
    assert view.accounts == {}
    assert not (domain.folder / "half.macnt.tmp").exists()
    assert view.create_account("half").name == "half"


def test_an_interrupted_renaming_is_finished(server: Installation, domain: Domain) -> None:
    john = domain.create_account("john")
    domain.set_aliases(john, ["jack"])
    note = domain.folder / "Settings" / "Renaming.data"
    note.write_text("{From=john;To=jim;}")
    assert account(same(server), "jack").name == "jim"
    assert not note.exists()
    note.write_text("{From=jim;To=joe;}")
    (domain.folder / "jim.macnt").rename(domain.folder / "joe.macnt")
    assert account(same(server), "jack").name == "joe"


@pytest.mark.parametrize(
    ("method", "place"),
    [
        ("flat", ""),
        ("2 Letters 1 Level", "js.sub"),
        ("2 Letters 2 Levels", "j.sub/s.sub"),
        ("Hashed 1 Level", None),
        ("Hashed 2 Levels", None),
    ],
)
def test_foldering(server: Installation, domain: Domain, method: str, place: str | None) -> None:
    domain.create_account("older")
    domain.update({"Foldering": method})
    account = domain.create_account("jsmith")
    if place is not None:
        assert account.folder == domain.folder / place / "jsmith.macnt"
    assert account.folder.is_dir()
    assert (account.place == "") == (method == "flat")
    assert sorted(same(server).accounts) == ["jsmith", "older"]


def test_rename_in_place(domain: Domain) -> None:
    domain.update({"Foldering": "2 Letters 1 Level"})
    one, two = domain.create_account("jsmith"), domain.create_account("jones")
    domain.rename_account(one, "bsmith")
    assert one.folder == domain.folder / "bs.sub" / "bsmith.macnt"
    domain.update({"RenameInPlace": "YES"})
    domain.rename_account(two, "bones")
    assert two.folder == domain.folder / "jo.sub" / "bones.macnt"
    assert two.folder.is_dir()


def test_a_large_domain_opens_without_reading_its_accounts(
    server: Installation, domain: Domain
) -> None:
    for number in range(500):
        folder = domain.folder / f"user{number}.macnt"
        folder.mkdir()
        (folder / "account.settings").write_text("this is no dictionary")
    view = same(server)
    assert len(view.accounts) == 500
    assert view.find("User499") is not None


# Settings ----------------------------------------------------------------------------------------


def test_settings_fall_through(server: Installation, domain: Domain) -> None:
    john = domain.create_account("john")
    assert john.get("MaxAccountSize") > 10**15
    server.settings.update("AccountDefaults", {"MaxAccountSize": "10M"})
    assert john.get("MaxAccountSize") == 10 << 20
    domain.account_defaults.update({"MaxAccountSize": "30M"})
    assert john.effective()["MaxAccountSize"] == "30M"
    john.update({"MaxAccountSize": "5M"})
    assert john.get("MaxAccountSize") == 5 << 20
    assert john.explicit == {"MaxAccountSize": "5M"}
    john.update({"MaxAccountSize": "default"})
    assert (john.explicit, john.get("MaxAccountSize")) == ({}, 30 << 20)
    domain.account_defaults.update({"MaxAccountSize": "Default"})
    assert account(same(server), "john").get("MaxAccountSize") == 10 << 20


def test_custom_settings_and_letter_case(server: Installation, domain: Domain) -> None:
    john = domain.create_account("john", {"RealName": "John"})
    john.update({"realname": "x", "city": "Rome", "list": ["a", {"b": "c"}]})
    found = account(same(server), "john")
    assert found.get("RealName") == "John"
    assert found.explicit == {
        "RealName": "John",
        "realname": "x",
        "city": "Rome",
        "list": ["a", {"b": "c"}],
    }
    assert found.effective()["city"] == "Rome"
    assert found.get("town") is None


def test_a_refused_change_changes_nothing(server: Installation, domain: Domain) -> None:
    john = domain.create_account("john", {"RealName": "John"})
    with pytest.raises(SettingError):
        john.update({"RealName": "x", "MailToAll": "perhaps"})
    with pytest.raises(SettingError):
        john.replace({"MailToAll": "perhaps"})
    assert account(same(server), "john").explicit == {"RealName": "John"}
    john.replace({"city": "Rome"})
    assert john.explicit == {"city": "Rome"}


def test_the_template_is_copied(domain: Domain) -> None:
    domain.template.update(
        {"MaxAccountSize": "5M", "RealName": "New", "InitialMailboxes": ["Sent"]}
    )
    john = domain.create_account("john", {"RealName": "John"})
    assert john.explicit == {"MaxAccountSize": "5M", "RealName": "John"}
    domain.template.update({"MaxAccountSize": "default"})
    assert john.explicit["MaxAccountSize"] == "5M"
    assert domain.create_account("jack").explicit == {"RealName": "New"}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(min_size=1, max_size=4), inner, max_size=3)
        ),
        max_leaves=5,
    )
)
def test_any_value_survives_a_restart(server: Installation, value: Value) -> None:
    postmaster = server.domains.main.accounts["postmaster"]
    postmaster.update({"Custom": value})
    expected = None if isinstance(value, str) and value.lower() == "default" else value
    again = server.restart().main.accounts["postmaster"]
    assert again.explicit.get("Custom") == expected


# Services and passwords --------------------------------------------------------------------------


def test_services_need_the_account_and_the_domain(server: Installation, domain: Domain) -> None:
    john = domain.create_account("john")
    assert john.services == frozenset(SERVICES)
    domain.account_defaults.update({"AccessModes": ["Mail", "POP"]})
    assert john.services == {"Mail", "POP"}
    john.update({"AccessModes": ["Mail", "IMAP"]})
    assert john.services == {"Mail", "IMAP"}
    domain.update({"DomainAccessModes": ["Mail", "POP"]})
    assert john.services == {"Mail"}
    john.update({"AccessModes": "None"})
    assert account(same(server), "john").services == frozenset()


def test_passwords_follow_the_encryption_setting(server: Installation, domain: Domain) -> None:
    john = domain.create_account("john", {"Password": "one"})
    assert john.explicit["Password"] == "one"
    domain.account_defaults.update({"PasswordEncryption": "A-crpt"})
    john.set_password("two")
    assert "two" not in (john.folder / "account.settings").read_text()
    john.update({"PasswordEncryption": "U-crpt", "Password": "three"})
    assert not john.check_password("two")
    found = account(same(server), "john")
    assert found.check_password("three")
    assert found.password_text() == ""
    found.update({"PasswordEncryption": "default"})
    found.set_password("four")
    assert found.check_password("four")
    assert found.password_text() == "four"
    assert account(domain, "john") is john
    jack = domain.create_account("jack", {"Password": "five"})
    assert jack.explicit["Password"] != "five"
    assert jack.password_text() == "five"
    # What GetAccountSettings has shown can be sent back as it is.
    kept = jack.explicit["Password"]
    jack.update({"Password": kept})
    assert jack.explicit["Password"] == kept


def test_prefixed_passwords_are_taken_as_they_are(domain: Domain) -> None:
    john = domain.create_account(
        "test", {"Password": "\002{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "PasswordEncryption": "clear"}
    )
    assert john.check_password("password")
    assert not john.check_password("\002{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=")


def test_when_a_password_opens_nothing(domain: Domain) -> None:
    john = domain.create_account("john")
    assert not john.check_password("")
    assert john.password_text() == ""
    domain.account_defaults.update({"Password": "everybody"})
    assert not john.check_password("everybody")
    john.set_password("secret")
    john.update({"UseAppPassword": "NO"})
    assert not john.check_password("secret")
    assert john.password_text() == ""
    john.update({"UseAppPassword": "YES"})
    john.set_password("")
    assert "Password" not in john.explicit


# Info and mailboxes ------------------------------------------------------------------------------


def test_info(server: Installation, domain: Domain) -> None:
    john = domain.create_account("john")
    assert john.info("LastLogin") == ""
    john.set_info("LastLogin", "04-04-2001")
    assert account(same(server), "john").info("LastLogin") == "04-04-2001"
    assert "#LastLogin" in read_dictionary(john.folder / "account.info")


@pytest.mark.parametrize("damage", [b"{garbage", b"", None])
def test_a_corrupted_info_file_is_survived(
    server: Installation, domain: Domain, damage: bytes | None
) -> None:
    john = domain.create_account("john")
    for number in range(3):
        john.mailbox().append([b"%d\r\n" % number], return_path="", time=0)
    path = john.folder / "account.info"
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage)
    server.clock.now += 1000
    inbox = account(same(server), "john").mailbox()
    assert [m.uid for m in inbox.messages()] == [1, 2, 3]
    assert inbox.uid_validity == int(server.clock.now)
    assert read_dictionary(path)["INBOX"] == {
        "UIDValidity": str(int(server.clock.now)),
        "LastUID": "0",
    }
    assert bool(server.remarks) == (damage == b"{garbage")


def test_uids_survive_restarts_and_deletes(server: Installation, domain: Domain) -> None:
    john = domain.create_account("john")
    inbox = john.mailbox("inbox")
    assert inbox is john.mailbox()
    first = inbox.append([b"x\r\n"], return_path="", time=0)
    validity = inbox.uid_validity
    inbox.delete([first.uid])
    server.clock.now += 1000
    again = account(same(server), "john").mailbox()
    assert again.append([b"y\r\n"], return_path="", time=0).uid == 2
    assert again.uid_validity == validity


def test_other_mailboxes(server: Installation, domain: Domain) -> None:
    john = domain.create_account("john", {"MaxMailboxes": "4"})
    with pytest.raises(NoSuchMailbox):
        john.mailbox("private")
    private = john.create_mailbox("private")
    private.append([b"x\r\n"], return_path="", time=0)
    john.create_mailbox("private/inner")
    john.create_mailbox("work.mbox")
    for name in ("private", "inbox", "private/inner"):
        with pytest.raises(MailboxExists):
            john.create_mailbox(name)
    with pytest.raises(StorageError, match="as many"):
        john.create_mailbox("fifth")
    found = account(same(server), "john")
    assert found.mailbox_names() == ["INBOX", "private", "private/inner", "work"]
    assert len(found.mailbox("private").messages()) == 1
    assert found.storage() == sum(path.stat().st_size for path in john.folder.rglob("*.mbox"))


def test_a_torn_message_is_remarked(server: Installation, domain: Domain) -> None:
    john = domain.create_account("john")
    john.mailbox().append([b"x\r\n"], return_path="", time=0)
    path = john.folder / "INBOX.mbox"
    os.truncate(path, path.stat().st_size - 2)
    assert account(same(server), "john").mailbox().messages() == ()
    assert "torn" in server.remarks[0]


def test_rights_are_in_one_file(server: Installation, domain: Domain) -> None:
    domain.set_rights(domain.create_account("john"), ["Domain", "CanCreateAccounts"])
    path = domain.folder / "Settings" / "Access.settings"
    assert read_dictionary(path) == {"john": ["CanCreateAccounts", "Domain"]}
    path.write_text("{John=Domain;}")
    john = account(same(server), "john")
    assert john.rights == {"Domain"}
    john.set_rights([])
    assert read_dictionary(path) == {}


# Forwarders and lists ----------------------------------------------------------------------------


def test_forwarders(server: Installation, domain: Domain) -> None:
    domain.create_forwarder("Jim", " john@otherdomain.com ")
    for view in (domain, same(server)):
        found = view.forwarders["jim"]
        assert (found.name, found.address, found.domain) == ("Jim", "john@otherdomain.com", view)
        assert view.find("JIM") is found
    for address in ("", "  ", "a\nb"):
        with pytest.raises(BadName):
            domain.create_forwarder("other", address)
    domain.delete_forwarder("JIM")
    with pytest.raises(NoSuchForwarder):
        domain.delete_forwarder("jim")
    assert same(server).forwarders == {}


def test_lists(server: Installation, domain: Domain) -> None:
    domain.create_account("owner")
    with pytest.raises(NoSuchAccount):
        domain.create_list("news", "nobody")
    news = domain.create_list("RD-List", "owner")
    news.update({"RealName": "News", "Postings": "from subscribers"})
    news.update({"Postings": "default"})
    with pytest.raises(SettingError):
        news.update({"Owner": "root"})
    news.subscribe("Bill@Company.com", mode="Digest", real_name="Bill Jones")
    news.subscribe("ann@company.com")
    for mode in ("sometimes", ""):
        with pytest.raises(SettingError):
            news.subscribe("x@y", mode=mode)
    domain.rename_list(news, "News")
    found = same(server).lists["news"]
    assert (found.name, found.owner, found.settings) == ("News", "owner", {"RealName": "News"})
    assert [(s.address, s.mode, s.real_name) for s in found.subscribers.values()] == [
        ("Bill@Company.com", "digest", "Bill Jones"),
        ("ann@company.com", "feed", ""),
    ]
    assert news.unsubscribe("bill@company.com")
    assert not news.unsubscribe("bill@company.com")
    domain.delete_list(news)
    with pytest.raises(NoSuchList):
        domain.delete_list(news)
    assert same(server).lists == {}
