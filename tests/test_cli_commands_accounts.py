"""Commands on accounts, their settings, aliases and rights."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_world import CLIWorld

from reference.cli.command import Access
from reference.cli.commands import COMMANDS


@pytest.fixture
def world(tmp_path: Path) -> CLIWorld:
    return CLIWorld(tmp_path)


@pytest.fixture
def two(world: CLIWorld) -> CLIWorld:
    """Two domains with user1 and an administrator each."""
    for name in ("client1.com", "client2.com"):
        world.ok(
            f'CreateDomain "{name}"', f'CreateAccount "user1@{name}"', f'CreateAccount "adm@{name}"'
        )
    world.ok("CreateAccount user1", "CreateAccount plain")
    return world


def test_sample_session(world: CLIWorld) -> None:
    world.ok('CreateAccount "user1"')
    reply = world.run('CreateAccount "user1"')
    assert (reply.code, reply.text) == (501, "Account with this name already exists")
    world.ok('RenameAccount "user1" into "user2"', 'CreateDomain "client1.com"')
    assert world.ok("ListAccounts") == {"postmaster": "macnt", "user2": "macnt"}


def test_created_account_has_its_settings(world: CLIWorld) -> None:
    world.ok(r'CreateAccount "user1" {RealName="John \"Jack\" Smith"; MaxAccountSize=1M;}')
    settings = world.ok('GetAccountSettings "user1"')
    assert settings == {"RealName": 'John "Jack" Smith', "MaxAccountSize": "1M"}
    assert world.account("user1").explicit == settings


@pytest.mark.parametrize(
    "line",
    [
        "CreateAccount",
        'CreateAccount "user9@nodomain.com"',
        "CreateAccount user9 NoSuchMailbox",
        "CreateAccount user9 MaildirMailbox",
        "CreateAccount user9 external",
        "CreateAccount user9 {MaxAccountSize=much;}",
        "CreateAccount user9 {RealName=A",
        "CreateAccount postmaster",
        'CreateAccount "us er9"',
        "CreateAccount user9 {Rules=();}",
    ],
)
def test_refused_creation_creates_nothing(world: CLIWorld, line: str) -> None:
    world.refused(line)
    assert world.ok("ListAccounts") == {"postmaster": "macnt"}


def test_settings_are_updated_replaced_and_taken_away(world: CLIWorld) -> None:
    world.ok("CreateAccount user1 {RealName=A; MaxAccountSize=1M;}")
    world.ok('UpdateAccountSettings user1 {RealName="New Name";}')
    assert world.ok("GetAccount user1") == {"RealName": "New Name", "MaxAccountSize": "1M"}
    world.ok("updacnt user1 {MaxAccountSize=default;}")
    assert world.ok("gtacnt user1") == {"RealName": "New Name"}
    effective = world.ok("GetAccountEffectiveSettings user1")
    assert isinstance(effective, dict)
    assert effective["MaxAccountSize"] == "unlimited"
    world.ok("SetAccountSettings user1 {MaxMailboxes=3;}")
    assert world.ok("GetAccountSettings user1") == {"MaxMailboxes": "3"}


@pytest.mark.parametrize(
    "settings",
    ["{RealName=B; MaxAccountSize=much;}", "{RealName=B;", "{RealName B;}", "(RealName)"],
)
def test_bad_settings_change_nothing(world: CLIWorld, settings: str) -> None:
    world.ok("CreateAccount user1 {RealName=A;}")
    world.refused(f"UpdateAccountSettings user1 {settings}")
    assert world.ok("GetAccountSettings user1") == {"RealName": "A"}


def test_complaint_names_the_column(world: CLIWorld) -> None:
    text = world.refused("UpdateAccountSettings postmaster {RealName=B")
    assert "column 45" in text
    assert ";" in text


def test_password_is_set_and_verified(world: CLIWorld) -> None:
    world.ok("CreateAccount user1 {Password=old;}", 'SetAccountPassword "user1" To "newpw"')
    world.ok('VerifyAccountPassword "user1" PASSWORD "newpw"')
    world.refused('VerifyAccountPassword "user1" PASSWORD "old"')


def test_aliases_are_replaced(two: CLIWorld) -> None:
    two.ok("SetAccountAliases user1 (a1)", 'SetAccountAliases "user1@client1.com" (b1)')
    two.ok('SetAccountAliases user1 (jsmith,"j.smith")')
    assert two.ok("gtacntals user1") == ["jsmith", "j.smith"]
    assert two.ok('GetAccountAliases "user1@client1.com"') == ["b1"]
    two.refused("SetAccountAliases user1 (plain)")
    two.refused("SetAccountAliases user1 (a2,(a3))")
    two.refused("SetAccountAliases user1 (a2,,a3)")
    assert two.ok("GetAccountAliases user1") == ["jsmith", "j.smith"]
    two.ok("SetAccountAliases user1 ()")
    assert two.ok("GetAccountAliases user1") == []


def test_alias_stands_for_the_account_except_to_rename_or_remove_it(two: CLIWorld) -> None:
    two.ok("SetAccountAliases user1 (boss)", "UpdateAccountSettings boss {RealName=B;}")
    assert two.ok("GetAccountSettings user1") == {"RealName": "B"}
    two.refused("DeleteAccount boss")
    two.refused("RenameAccount boss into chief")


def test_rename_keeps_the_account_in_its_domain(two: CLIWorld) -> None:
    two.ok('RenameAccount "user1@client1.com" into "user2@client1.com"')
    two.refused('RenameAccount "user2@client1.com" into "user2@client2.com"')
    two.refused('RenameAccount "user2@client1.com" into "adm"')
    assert two.ok('ListAccounts "client1.com"') == {"adm": "macnt", "user2": "macnt"}


def test_delete(two: CLIWorld) -> None:
    two.ok("DeleteAccount user1")
    two.refused("DeleteAccount user1")
    two.refused("GetAccountSettings user1")


@pytest.mark.parametrize("command", ["GetAccountSettings", "GetAccountEffectiveSettings"])
def test_everybody_reads_his_own_settings_only(two: CLIWorld, command: str) -> None:
    two.ok(f"{command} *", f"{command} user1", f"{command} user1@mycompany.com", user="user1")
    two.refused(f"{command} plain", user="user1")
    two.refused(f"{command} user1@client1.com", user="user1")


def test_own_settings_cannot_be_modified_without_rights(two: CLIWorld) -> None:
    two.refused("UpdateAccountSettings * {MaxAccountSize=unlimited;}", user="user1")
    assert two.ok("GetAccountSettings *", user="user1") == {}


def test_info(two: CLIWorld) -> None:
    two.account("user1").set_info("LastLogin", "22-10-2001_15:24:45")
    assert two.ok("GetAccountInfo user1 Key LastLogin") == "22-10-2001_15:24:45"
    assert two.ok("GetAccountInfo * Key LastLogin", user="user1") == "22-10-2001_15:24:45"
    assert two.ok("GetAccountInfo user1 Key lastlogin") == ""
    assert two.ok('GetAccountInfo user1 Key "#LastLogin"') == ""
    two.refused("GetAccountInfo plain Key LastLogin", user="user1")


def test_location_is_relative_to_the_domain(two: CLIWorld) -> None:
    assert two.ok('GetAccountLocation "user1@client1.com"') == "user1.macnt"


def test_rules_and_rpop_are_nested_data_and_no_settings(two: CLIWorld) -> None:
    rules = (
        '((5,"My Rule",((From,is,"*x*"),("Human Generated","---")),(("Store in",box),(Discard))))'
    )
    two.ok("UpdateAccountSettings user1 {RealName=A;}", f"SetAccountMailRules user1 {rules}")
    two.ok('SetAccountRPOP user1 ({domain="isp.com";})')
    expected = [
        "5",
        "My Rule",
        [["From", "is", "*x*"], ["Human Generated", "---"]],
        [["Store in", "box"], ["Discard"]],
    ]
    assert two.ok("GetAccountRules user1") == [expected]
    assert two.ok("GetAccountSettings user1") == {"RealName": "A"}
    two.ok("SetAccountSettings user1 {RealName=B;}")
    assert two.ok("gtacntrl user1") == [expected]
    assert two.ok("GetAccountRPOP user1") == [{"domain": "isp.com"}]
    two.refused("SetAccountRules user1 ((x,y))")
    two.refused("SetAccountRules user1 (rule)")
    two.ok("SetAccountRules user1 ()", "SetAccountRPOP user1 ()")
    assert two.ok("GetAccountRules user1") == []
    assert two.ok("GetAccountRPOP user1") == []


def test_web_user_settings_are_kept_apart(two: CLIWorld) -> None:
    assert two.ok("GetWebUser user1") == {}
    two.ok("SetWebUser * {Layout=(a,{b=c;}); Skin=Old;}", user="user1")
    two.ok("stwusr user1 {Layout=(a,{b=c;});}")
    assert two.ok("gtwusr *", user="user1") == {"Layout": ["a", {"b": "c"}]}
    assert two.ok("GetAccountSettings user1") == {}
    two.refused("SetWebUser user1 {}", user="plain")
    two.ok("SetWebUser user1 {}")
    assert two.ok("GetWebUser user1") == {}


def test_template_gives_new_accounts_their_settings(two: CLIWorld) -> None:
    two.ok(
        'UpdateAccountTemplate "client1.com" {MaxAccountSize=10M; RealName=T;}',
        'CreateAccount "new@client1.com" {MaxAccountSize=5M;}',
    )
    settings = two.ok('GetAccountSettings "new@client1.com"')
    assert settings == {"MaxAccountSize": "5M", "RealName": "T"}
    two.ok('UpdateAccountTemplate "client1.com" {MaxAccountSize=default;}')
    assert two.ok('gtacntmp "client1.com"') == {"RealName": "T"}
    two.ok('SetAccountTemplate "client1.com" {}')
    assert two.ok('GetAccountTemplate "client1.com"') == {}
    assert two.ok("GetAccountTemplate") == {}


def test_defaults_come_from_the_domain_then_from_the_server(two: CLIWorld) -> None:
    def effective() -> object:
        settings = two.ok('GetAccountEffectiveSettings "user1@client1.com"')
        assert isinstance(settings, dict)
        return settings["MaxAccountSize"]

    two.ok("SetAllAccountsDefaults {MaxAccountSize=3M;}")
    assert effective() == "3M"
    two.ok('SetAccountDefaults "client1.com" {MaxAccountSize=4M; MaxMailboxes=2;}')
    assert effective() == "4M"
    two.ok('UpdateAccountDefaults "client1.com" {MaxAccountSize=default;}')
    assert effective() == "3M"
    assert two.ok('GetAccountDefaults "client1.com"') == {"MaxMailboxes": "2"}
    two.ok("UpdateAllAccountsDefaults {MaxMailboxes=7;}")
    assert two.ok("GetAllAccountsDefaults") == {"MaxAccountSize": "3M", "MaxMailboxes": "7"}


def test_default_domain_is_the_administrators(two: CLIWorld) -> None:
    two.ok('SetAccountRights "adm@client1.com" (CanCreateAccounts)')
    two.ok("CreateAccount made", user="adm@client1.com")
    assert two.ok("ListAccounts", user="adm@client1.com") == {
        "adm": "macnt",
        "made": "macnt",
        "user1": "macnt",
    }


def test_initial_rights(two: CLIWorld) -> None:
    assert two.ok("GetAccountRights postmaster") == ["Master"]
    assert two.ok("gtacntrght user1") == []


def test_rights_act_at_once_and_are_revoked_at_once(two: CLIWorld) -> None:
    two.refused("ListDomains", user="user1")
    two.ok('SetAccountRights user1 ("Can Modify User Accounts")')
    assert two.ok("GetAccountRights user1") == ["AllDomains"]
    two.ok("ListDomains", user="user1")
    two.ok("stacntrght user1 ()")
    two.refused("ListDomains", user="user1")


def test_who_may_grant_rights(two: CLIWorld) -> None:
    two.ok("SetAccountRights user1 (AllDomains)", "SetAccountRights plain (Settings,Monitor)")
    two.refused("SetAccountRights plain (AllDomains)", user="user1")
    two.refused("SetAccountRights plain (Master)", user="plain")
    two.ok('SetAccountRights "adm@client1.com" (CanCreateLists)', user="user1")
    two.refused('SetAccountRights "adm@client1.com" (CanCreateLists)', user="plain")
    assert two.ok("GetAccountRights plain") == ["Settings", "Monitor"]


def test_rights_are_refused_when_unknown_or_out_of_place(two: CLIWorld) -> None:
    assert "CanFly" in two.refused("SetAccountRights user1 (Monitor,CanFly)")
    for right in ("Master", "AllDomains", "Settings", "Monitor"):
        two.refused(f'SetAccountRights "adm@client1.com" ({right})')
    assert two.ok('GetAccountRights "adm@client1.com"') == []
    assert two.ok("GetAccountRights user1") == []


@pytest.mark.parametrize(
    ("right", "line"),
    [
        ("CanCreateAccounts", "CreateAccount x"),
        ("CanCreateAccounts", "RenameAccount user1 into x"),
        ("CanCreateAccounts", "DeleteAccount user1"),
        ("CanCreateAliases", "SetAccountAliases user1 (x)"),
        ("CanModifyRules", "SetAccountRules user1 ()"),
        ("CanModifyRPOP", "SetAccountRPOP user1 ()"),
        ("BasicSettings", "SetAccountPassword user1 To x"),
        ("CanCreateForwarders", 'CreateForwarder x TO "a@b.c"'),
        ("CanAccessMailboxes", "ListMailboxes user1"),
        ("CanPostAlerts", "GetDomainAlerts"),
    ],
)
def test_domain_administrator_needs_the_right_for_it(two: CLIWorld, right: str, line: str) -> None:
    adm = "adm@client1.com"
    two.refused(line, user=adm)
    two.ok(f'SetAccountRights "{adm}" (Domain)')
    two.refused(line, user=adm)
    two.ok(f'SetAccountRights "{adm}" ({right})')
    two.ok(line, user=adm)


@pytest.mark.parametrize(
    "line",
    [
        "ListAccounts client2.com",
        "CreateAccount x@client2.com",
        "DeleteAccount user1@client2.com",
        "GetAccountSettings user1@client2.com",
        "UpdateAccountSettings user1@client2.com {RealName=X;}",
        "GetDomainSettings client2.com",
        'CreateForwarder x@client2.com TO "a@b.c"',
        "GetDomainSettings nodomain.com",
    ],
)
def test_domain_administrator_does_not_reach_other_domains(two: CLIWorld, line: str) -> None:
    adm = "adm@client1.com"
    two.ok(f'SetAccountRights "{adm}" (CanCreateAccounts,CanCreateForwarders,BasicSettings)')
    assert two.refused(line, user=adm) == "you do not have the access right for this operation"
    assert two.ok('ListAccounts "client2.com"') == {"adm": "macnt", "user1": "macnt"}


def test_administrator_domain_extends_the_reach(two: CLIWorld) -> None:
    adm = "adm@client2.com"
    two.ok('UpdateDomainSettings "client1.com" {AdminDomainName="client2.com";}')
    two.ok(f'SetAccountRights "{adm}" (CanCreateAccounts)')
    two.refused('CreateAccount "x@client1.com"', user=adm)
    two.ok(f'SetAccountRights "{adm}" (CanCreateAccounts,CanAdminSubDomains)')
    two.ok('CreateAccount "x@client1.com"', user=adm)


def test_domain_administrator_changes_the_settings_of_his_rights_only(two: CLIWorld) -> None:
    adm = "adm@client1.com"
    two.ok(f'SetAccountRights "{adm}" (BasicSettings,CanCreateAccounts,MailRerouteAddress)')
    two.ok("UpdateAccountSettings user1 {RealName=B; MaxAccountSize=9M;}", user=adm)
    assert two.ok("GetAccountSettings user1@client1.com") == {"RealName": "B"}
    two.ok("CreateAccount x {RealName=C; MaxAccountSize=9M;}", user=adm)
    assert two.ok("GetAccountSettings x@client1.com") == {"RealName": "C"}
    two.ok(
        "UpdateDomainSettings {MailRerouteAddress=pm; AccountsLimit=900; MailToUnknown=Discarded;}",
        user=adm,
    )
    assert two.ok("GetDomainSettings client1.com") == {"MailRerouteAddress": "pm"}


def test_domain_administrator_is_bound_by_the_accounts_limit(two: CLIWorld) -> None:
    adm = "adm@client1.com"
    two.ok('UpdateDomainSettings "client1.com" {AccountsLimit=2;}')
    two.ok(f'SetAccountRights "{adm}" (CanCreateAccounts)')
    two.refused("CreateAccount x", user=adm)
    two.ok('CreateAccount "x@client1.com"')


SYSTEM_ONLY = [
    "ListDomains",
    "MainDomainName",
    "GetDomainDefaults",
    "UpdateDomainDefaults {}",
    "SetDomainDefaults {}",
    "GetAllAccountsDefaults",
    "UpdateAllAccountsDefaults {}",
    "SetAllAccountsDefaults {}",
    'CreateDomain "x.com"',
    'RenameDomain "client2.com" into "y.com"',
    'DeleteDomain "client2.com" force',
    'SetDomainAliases "client1.com" ()',
    'SetDomainSettings "client1.com" {}',
    'SetAccountSettings "user1@client1.com" {}',
    'SetAccountDefaults "client1.com" {}',
    'SetAccountTemplate "client1.com" {}',
    'GetAccountLocation "user1@client1.com"',
    "GetServerAlerts",
]


@pytest.mark.parametrize("line", SYSTEM_ONLY)
def test_some_commands_are_the_system_administrators(two: CLIWorld, line: str) -> None:
    two.ok('SetAccountRights "adm@client1.com" (Domain,BasicSettings,CanCreateAccounts)')
    two.ok("SetAccountRights user1 (AllDomains)", "SetAccountRights plain (Settings,Monitor)")
    two.refused(line, user="adm@client1.com")
    two.refused(line, user="plain")
    two.ok(line, user="user1")


def test_account_of_the_session_may_vanish(two: CLIWorld) -> None:
    gone = two.account("user1")
    two.ok("DeleteAccount user1", "CreateAccount user1")
    two.ok("GetAccountSettings *", user="user1")
    assert gone is not two.account("user1")


def test_no_administrative_command_is_open_to_everybody(two: CLIWorld) -> None:
    closed = [command.name for command in COMMANDS if command.access is not Access.EVERYBODY]
    assert len(closed) > 80
    for name in closed:
        assert "access right" in two.refused(name, user="user1")
