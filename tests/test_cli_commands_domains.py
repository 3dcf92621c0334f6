"""Commands on domains, forwarders, alerts, mailing lists and mailboxes."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_world import CLIWorld

from reference.cli.lists import subscriber


@pytest.fixture
def world(tmp_path: Path) -> CLIWorld:
    world = CLIWorld(tmp_path)
    world.ok('CreateDomain "client1.com"', 'CreateAccount "adm@client1.com"', "CreateAccount user1")
    return world


# Domains


def test_domains_are_listed(world: CLIWorld) -> None:
    assert world.ok("lstdmn") == ["mycompany.com", "client1.com"]
    assert world.ok("MainDomainName") == "mycompany.com"


def test_creation_with_settings(world: CLIWorld) -> None:
    world.ok('crdmn "client2.com" {MailToUnknown=Discarded;}')
    assert world.ok('GetDomainSettings "client2.com"') == {"MailToUnknown": "Discarded"}


@pytest.mark.parametrize(
    "line",
    [
        'CreateDomain "client1.com"',
        'CreateDomain "mycompany.com"',
        'CreateDomain "bad domain"',
        'CreateDomain "client9.com" {MailToUnknown=Eaten;}',
        "CreateDomain",
    ],
)
def test_refused_creation_creates_nothing(world: CLIWorld, line: str) -> None:
    world.refused(line)
    assert world.ok("ListDomains") == ["mycompany.com", "client1.com"]


def test_settings_are_updated_and_replaced(world: CLIWorld) -> None:
    world.ok('UpdateDomainSettings "client1.com" {MailToUnknown=Discarded; ListsLimit=3;}')
    world.ok('upddmn "client1.com" {ListsLimit=default;}')
    assert world.ok('gtdmn "client1.com"') == {"MailToUnknown": "Discarded"}
    effective = world.ok('GetDomainEffectiveSettings "client1.com"')
    assert isinstance(effective, dict)
    assert effective["ListsLimit"] == "-1"
    world.ok('stdmn "client1.com" {AccountsLimit=9;}')
    assert world.ok('GetDomainSettings "client1.com"') == {"AccountsLimit": "9"}
    world.refused('UpdateDomainSettings "nodomain.com" {}')


def test_settings_without_a_name_are_the_administrators_domain(world: CLIWorld) -> None:
    world.ok("UpdateDomainSettings {MailToUnknown=Discarded;}")
    assert world.ok("GetDomainSettings mycompany.com") == {"MailToUnknown": "Discarded"}
    assert world.ok("GetDomainSettings") == {"MailToUnknown": "Discarded"}


def test_server_wide_defaults(world: CLIWorld) -> None:
    world.ok("SetDomainDefaults {MailToUnknown=Discarded; ListsLimit=5;}")
    world.ok("upddmndfl {ListsLimit=6;}")
    assert world.ok("gtdmndfl") == {"MailToUnknown": "Discarded", "ListsLimit": "6"}
    effective = world.ok('GetDomainEffectiveSettings "client1.com"')
    assert isinstance(effective, dict)
    assert effective["ListsLimit"] == "6"


def test_rename_with_and_without_into(world: CLIWorld) -> None:
    world.ok('RenameDomain "client1.com" into "client3.com"', 'rndmn "client3.com" "client4.com"')
    assert world.ok("ListDomains") == ["mycompany.com", "client4.com"]
    assert world.ok('ListAccounts "client4.com"') == {"adm": "macnt"}
    world.refused('RenameDomain "nodomain.com" into "x.com"')
    world.refused('RenameDomain "mycompany.com" into "x.com"')


def test_delete_needs_force_for_a_domain_with_objects(world: CLIWorld) -> None:
    world.refused('DeleteDomain "client1.com"')
    world.refused('DeleteDomain "nodomain.com"')
    world.ok('dldmn "client1.com" force')
    assert world.ok("ListDomains") == ["mycompany.com"]


def test_aliases_are_replaced(world: CLIWorld) -> None:
    world.ok('SetDomainAliases "client1.com" ("old.client1.com")')
    world.ok('stdmnals "client1.com" ("mail.client1.com","www.client1.com")')
    assert world.ok('gtdmnals "client1.com"') == ["mail.client1.com", "www.client1.com"]
    world.refused('SetDomainAliases "client1.com" ("mycompany.com")')
    assert world.ok('GetDomainAliases "client1.com"') == ["mail.client1.com", "www.client1.com"]


def test_domain_alias_names_the_domain(world: CLIWorld) -> None:
    world.ok('SetDomainAliases "client1.com" ("mail.client1.com")')
    assert world.ok('ListAccounts "mail.client1.com"') == {"adm": "macnt"}
    world.refused('DeleteDomain "mail.client1.com" force')


# Forwarders


def test_forwarders(world: CLIWorld) -> None:
    world.ok('CreateForwarder "jim@client1.com" TO "john@otherdomain.dom"')
    world.ok('CreateForwarder jack to "user1"')
    assert world.ok('ListForwarders "client1.com"') == ["jim"]
    assert world.ok("ListForwarders") == ["jack"]
    assert world.ok('GetForwarder "jim@client1.com"') == "john@otherdomain.dom"
    world.ok("DeleteForwarder jack")
    assert world.ok("ListForwarders") == []


@pytest.mark.parametrize(
    "line",
    [
        'CreateForwarder user1 TO "a@b.c"',
        'CreateForwarder jim TO ""',
        'CreateForwarder jim "a@b.c"',
        "CreateForwarder jim TO (a)",
        "DeleteForwarder nofwd",
        "GetForwarder nofwd",
        "GetForwarder user1",
    ],
)
def test_refused_forwarder_command_changes_nothing(world: CLIWorld, line: str) -> None:
    world.refused(line)
    assert world.ok("ListForwarders") == []


def test_ordinary_account_has_no_forwarder_commands(world: CLIWorld) -> None:
    for line in ('CreateForwarder x TO "a@b.c"', "ListForwarders", "DeleteForwarder x"):
        world.refused(line, user="user1")


def test_domain_administrator_has_forwarders_but_not_the_router(world: CLIWorld) -> None:
    world.ok('SetAccountRights "adm@client1.com" (CanCreateForwarders)')
    world.ok('CreateForwarder jim TO "a@b.c"', user="adm@client1.com")
    assert world.ok("ListForwarders", user="adm@client1.com") == ["jim"]
    world.refused("GetRouterTable", user="adm@client1.com")
    world.refused('SetRouterTable ""', user="adm@client1.com")


def test_route_of_a_forwarder(world: CLIWorld) -> None:
    world.ok('CreateForwarder "jim@client1.com" TO "john@otherdomain.dom"')
    route = world.ok('Route "jim@client1.com"')
    assert route == ["SMTP", "otherdomain.dom", "john@otherdomain.dom"]


# Alerts


def test_domain_alerts(world: CLIWorld) -> None:
    world.ok('PostDomainAlert "client1.com" ALERT "first"', 'PostDomainAlert "own"')
    world.ok('PostDomainAlert "client1.com" ALERT "second"')
    alerts = world.ok('GetDomainAlerts "client1.com"')
    assert isinstance(alerts, dict)
    assert list(alerts.values()) == ["first", "second"]
    world.ok(f'RemoveDomainAlert "client1.com" ALERT "{min(alerts)}"')
    assert world.ok('gtalrt "client1.com"') == {max(alerts): "second"}
    world.refused('PostDomainAlert "client1.com" "text"')
    world.refused('RemoveDomainAlert "client1.com" ALERT "never"')
    world.ok('stalrt "client1.com" {}')
    assert world.ok('GetDomainAlerts "client1.com"') == {}
    assert world.ok('GetDomainSettings "client1.com"') == {}


def test_server_alerts(world: CLIWorld) -> None:
    world.ok('PostServerAlert "x"', 'SetServerAlerts {one=a; two="b c";}')
    world.ok("RemoveServerAlert one")
    assert world.ok("GetServerAlerts") == {"two": "b c"}
    world.refused("SetServerAlerts {one=(a);}")


# Mailing lists


def test_list_and_its_subscribers(world: CLIWorld) -> None:
    world.ok("CreateList list1 for user1", "UpdateList list1 {RealName=L;}")
    world.ok('LIST list1 subscribe "user2@client1.com"')
    world.ok('LIST list1@mycompany.com FEED silently "Bill Jones" <BJones@company.com>')
    world.ok('LIST list1 digest "a@b.c"', 'LIST list1 unsubscribe "user2@client1.com"')
    assert world.ok("ListSubscribers list1") == ["BJones@company.com", "a@b.c"]
    assert world.ok('ListSubscribers list1 FILTER "B.C"') == ["a@b.c"]
    assert world.ok('ListSubscribers list1 "" 1') == ["BJones@company.com"]
    assert world.ok("GetDomainLists") == {"list1": "2"}
    assert world.ok("GetAccountLists user1") == {"list1": "2"}
    assert world.ok("GetAccountLists postmaster") == {}
    assert world.ok("GetList list1") == {"Owner": "user1", "RealName": "L"}
    world.refused('LIST list1 unsubscribe "nobody@b.c"')
    world.refused('LIST list1 eat "a@b.c"')
    world.ok("RenameList list1 into list2")
    assert world.ok("ListLists") == ["list2"]
    world.ok("DeleteList list2")
    assert world.ok("ListLists") == []


def test_list_needs_an_owner_of_its_domain(world: CLIWorld) -> None:
    world.refused("CreateList list1 for owner9")
    world.refused('CreateList "list1@client1.com" for user1')
    world.ok('CreateList "list1@client1.com" for adm')
    world.refused('CreateList "list2@client1.com" for "user1@mycompany.com"')
    assert world.ok('ListLists "client1.com"') == ["list1"]


def test_owner_may_use_the_commands_on_his_list(world: CLIWorld) -> None:
    world.ok("CreateAccount user2", "CreateList list1 for user1")
    for line in ("GetList list1", "UpdateList list1 {RealName=A;}", "List list1 feed a@b.c"):
        world.ok(line, user="user1")
        world.refused(line, user="user2")
    world.refused("DeleteList list1", user="user1")
    world.refused("CreateList list2 for user1", user="user1")
    world.refused("ListSubscribers list1", user="adm@client1.com")


@pytest.mark.parametrize(
    ("text", "address", "name"),
    [
        ("a@b.c", "a@b.c", ""),
        ('"a@b.c"', "a@b.c", ""),
        ("<a@b.c>", "a@b.c", ""),
        ('"Bill Jones" <a@b.c>', "a@b.c", "Bill Jones"),
        ("Bill Jones <a@b.c>", "a@b.c", "Bill Jones"),
        ('"\\"Bill Jones\\" <a@b.c>"', "a@b.c", "Bill Jones"),
        ('"Bill', '"Bill', ""),
    ],
)
def test_forms_of_a_subscriber(text: str, address: str, name: str) -> None:
    assert subscriber(text) == (address, name)


# Mailboxes


def test_mailboxes(world: CLIWorld) -> None:
    world.ok('CreateMailbox user1 MAILBOX "Archive"', 'CREATEMAILBOX * MAILBOX "m1"', user="user1")
    world.ok('CreateMailbox user1 MAILBOX "Archive/March"')
    names = world.ok("ListMailboxes user1")
    assert isinstance(names, dict)
    assert set(names) == {"INBOX", "Archive", "Archive/March", "m1"}
    some = world.ok('lstmbx user1 FILTER "A%"')
    assert isinstance(some, dict)
    assert set(some) == {"Archive"}
    about = world.ok("GetMailboxInfo user1 MAILBOX INBOX")
    assert isinstance(about, dict)
    assert about["Messages"] == "0"
    world.refused('CreateMailbox user1 MAILBOX "Archive"')
    world.refused("ListMailboxes user1", user="adm@client1.com")


def test_mailbox_aliases(world: CLIWorld) -> None:
    world.ok('SetMailboxAliases * {"my alias"="INBOX"; pub="~user2/news";}', user="user1")
    aliases = {"my alias": "INBOX", "pub": "~user2/news"}
    assert world.ok("GetMailboxAliases user1") == aliases
    assert world.ok("GetAccountSettings user1") == {}
    world.refused("SetMailboxAliases user1 {pub=(a);}")
    assert world.ok("GetMailboxAliases user1") == aliases
    world.ok("SetMailboxAliases user1 {}")
    assert world.ok("GetMailboxAliases user1") == {}
