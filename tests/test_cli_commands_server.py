"""Commands on the server: modules, protection, Router, monitoring, cluster."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cli_world import CLIWorld

from reference.cli import cluster
from reference.cli.commands import COMMANDS
from reference.cli.interpreter import Interpreter
from reference.cli.replies import Reply
from reference.kernel.protection import AddressTable


@pytest.fixture
def world(tmp_path: Path) -> CLIWorld:
    world = CLIWorld(tmp_path)
    world.ok("CreateAccount user1", "CreateAccount other")
    return world


def grant(world: CLIWorld, right: str) -> None:
    world.ok(f"SetAccountRights user1 ({right})")


def test_module_settings(world: CLIWorld) -> None:
    assert world.ok("GetModule SMTP") == {}
    world.ok("UpdateModule smtp {RelayToBackup=YES; RecipientLimit=5;}")
    world.ok("UpdateModule SMTP {RelayToBackup=default;}")
    assert world.ok("GetModule SMTP") == {"RecipientLimit": "5"}
    world.ok("SetModule SMTP {ErrorLimit=3;}")
    assert world.ok("GetModule SMTP") == {"ErrorLimit": "3"}
    assert world.settings.get("SMTP", "ErrorLimit") == 3


@pytest.mark.parametrize(
    "line",
    [
        "GetModule NOMODULE",
        "UpdateModule SMTP {RecipientLimit=many; ErrorLimit=4;}",
        "UpdateModule SMTP {NoSuchKeyword=1;}",
        "SetModule SMTP {ErrorLimit=4;",
        "SetModule SMTP",
        "GetModule AccountDefaults",
        "SetModule DomainDefaults {MailToUnknown=Discarded;}",
    ],
)
def test_refused_module_command_changes_nothing(world: CLIWorld, line: str) -> None:
    world.refused(line)
    assert world.ok("GetModule SMTP") == {}
    assert world.ok("GetDomainDefaults") == {}


def test_main_domain_is_renamed(world: CLIWorld) -> None:
    world.ok('UpdateServerSettings {DomainName="newname.com";}')
    assert world.ok("MainDomainName") == "newname.com"
    assert world.ok("GetServerSettings") == {"DomainName": "newname.com"}


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("ClientIPs", AddressTable.CLIENTS),
        ("BlacklistedIPs", AddressTable.BLACKLISTED),
        ("WhiteHoleIPs", AddressTable.WHITE_HOLES),
    ],
)
def test_address_lists(world: CLIWorld, name: str, table: AddressTable) -> None:
    assert world.ok(f"Get{name}") == ""
    world.ok(f'Set{name} "10.0.0.1 ; us\\e10.0.1.0-10.0.1.255"')
    reply = world.run(f"Get{name}")
    assert reply.render(inline=True) == '201 "10.0.0.1 ; us\\e10.0.1.0-10.0.1.255"\r\n'
    assert "10.0.1.7" in world.protection.table(table)
    assert "line 2" in world.refused(f'Set{name} "10.0.0.1\\e10.0.0.1000"')
    assert "10.0.1.7" in world.protection.table(table)


def test_protection_settings(world: CLIWorld) -> None:
    world.ok('SetProtection {DetectClientsByName=YES; ClientNames=("*.isp.com");}')
    assert world.ok("GetProtection") == {"DetectClientsByName": "YES", "ClientNames": ["*.isp.com"]}
    world.ok("SetProtection {ProcessAsClient=YES;}")
    assert world.ok("GetProtection") == {"ProcessAsClient": "YES"}
    assert world.ok("GetModule Protection") == {"ProcessAsClient": "YES"}


def test_banned_lines_and_server_rules_are_kept(world: CLIWorld) -> None:
    assert world.ok("GetBanned") == {}
    assert world.ok("GetServerRules") == []
    world.ok('SetBanned {HeaderLines=("X-Spam: *");}', "SetServerRules ((1,r,(),((Discard))))")
    assert world.ok("GetBanned") == {"HeaderLines": ["X-Spam: *"]}
    assert world.ok("GetServerRules") == [["1", "r", [], [["Discard"]]]]
    world.refused("SetServerRules ((high,r,(),()))")
    assert world.ok("GetServerMailRules") == [["1", "r", [], [["Discard"]]]]


def test_damaged_file_is_told_and_can_be_replaced(world: CLIWorld) -> None:
    (world.base / "Settings" / "Rules.data").write_text("(1,")
    assert "damaged" in world.refused("GetServerRules")
    world.ok("SetServerRules ()")
    assert world.ok("GetServerRules") == []
    world.refused('SetServerRules ((1,"",(),()))')
    world.refused("SetServerRules ((1,r,x,()))")


def test_router_table(world: CLIWorld) -> None:
    before = world.ok("GetRouterTable")
    assert isinstance(before, str)
    assert before.splitlines()[0] == "<root> = postmaster"
    world.ok('SetRouterTable "mail.x.com = mycompany.com\\erelay.x.com = mycompany.com"')
    assert world.ok('Route "user1@relay.x.com"') == ["LOCAL", "user1", ""]
    shown = world.run("GetRouterTable").render(inline=True)
    assert shown == '201 "mail.x.com = mycompany.com\\erelay.x.com = mycompany.com"\r\n'
    assert (world.base / "Settings" / "Router.table").read_text().count("\n") == 1


def test_wrong_line_leaves_the_router_table_in_force(world: CLIWorld) -> None:
    world.ok('SetRouterTable "mail.x.com = mycompany.com"')
    text = world.refused('SetRouterTable "a.com = b.com\\e<broken = user1"')
    assert "line 2" in text
    assert "column" in text
    assert world.ok("GetRouterTable") == "mail.x.com = mycompany.com"
    assert world.ok('Route "user1@mail.x.com"') == ["LOCAL", "user1", ""]


def test_routes(world: CLIWorld) -> None:
    assert world.ok('Route "user@remote.example"') == [
        "SMTP",
        "remote.example",
        "user@remote.example",
    ]
    assert world.ok("Route user1@mycompany.com") == ["LOCAL", "user1", ""]
    route = world.ok("Route NULL")
    assert isinstance(route, list)
    assert route[0] == "SYSTEM"
    assert world.refused('Route "nobody1@mycompany.com"') == "unknown user account"
    world.refused('Route "a@b@@"')


def test_route_for_access_or_for_mail(world: CLIWorld) -> None:
    world.ok('SetRouterTable "Access: <guest> = user1\\eMail: <guest> = other"')
    assert world.ok("Route guest") == ["LOCAL", "other", ""]
    assert world.ok("Route guest access") == ["LOCAL", "user1", ""]
    assert world.ok("Route guest Mail") == ["LOCAL", "other", ""]
    world.refused("Route guest telephone")


def test_monitoring(world: CLIWorld) -> None:
    world.ok('RELEASESMTPQUEUE "Remote.Example"', "RefreshOSData", "Shutdown")
    assert world.released == ["remote.example"]
    assert (world.refreshed, world.stopped) == (1, 1)
    assert "nowhere.com" in world.refused("ReleaseSMTPQueue nowhere.com")


def test_complaint_that_repeats_what_was_sent_stays_one_line(world: CLIWorld) -> None:
    odd = Reply(501, "there is no queue a\r\n200 OK" + "x" * 1000).render(inline=False)
    assert odd.startswith("501 there is no queue a  200 OKx")
    assert odd.count("\n") == 1
    assert len(odd) < 600


def test_log_record(world: CLIWorld) -> None:
    world.ok('WRITELOG 1 "test record"', 'WRITELOG 5 "detail"')
    world.refused('WRITELOG 9 "x"')
    world.log.flush()
    assert world.log.path is not None
    text = world.log.path.read_text()
    assert " 1 SYSTEM test record\n" in text
    assert "detail" not in text


@pytest.mark.parametrize(
    ("line", "rights"),
    [
        ("GetModule SMTP", {"Settings"}),
        ("UpdateModule SMTP {}", {"Settings"}),
        ("GetRouterTable", {"Settings"}),
        ("GetClientIPs", {"Settings"}),
        ("GetServerRules", {"Settings"}),
        ("Route user1", {"Settings", "AllDomains"}),
        ("CreateAccount x", {"AllDomains"}),
        ("UpdateDomainSettings {}", {"AllDomains"}),
        ("WriteLog 1 x", {"Monitor"}),
        ("ReleaseSMTPQueue x.com", {"Monitor"}),
        ("Shutdown", {"Monitor"}),
        ("SetAccountRights other ()", set()),
    ],
)
def test_server_right_that_a_command_asks_for(world: CLIWorld, line: str, rights: set[str]) -> None:
    world.refused(line, user="user1")
    for right in ("Settings", "AllDomains", "Monitor"):
        grant(world, right)
        assert (world.run(line, "user1").code == 200) is (right in rights), right
    grant(world, "Master")
    world.run("DeleteAccount x")
    world.ok(line, user="user1")


def test_cluster_commands_are_refused_with_the_reason(world: CLIWorld) -> None:
    for command in cluster.COMMANDS:
        text = world.refused(f'{command.name} "a" (b) {{c=d;}}')
        assert "Cluster" in text or "Directory" in text


def test_unknown_command(world: CLIWorld) -> None:
    reply = world.run("NoSuchCommand 1")
    assert (reply.code, reply.text) == (500, "unknown command")
    assert world.run("").code == 500


@pytest.mark.parametrize("line", ["listdomains", "ListDomains", "LISTDOMAINS", "  ListDomains  "])
def test_letter_case_of_names(world: CLIWorld, line: str) -> None:
    assert world.ok(line) == ["mycompany.com"]


def test_help_tells_names_and_usages(world: CLIWorld) -> None:
    names = world.interpreter.help("").value
    assert isinstance(names, list)
    assert "CreateForwarder" in names
    usage = world.interpreter.help("createforwarder").value
    assert usage == "CreateForwarder forwarderName:string TO address:string"
    assert world.interpreter.help("x").code == 500


def test_two_commands_cannot_have_one_name(world: CLIWorld) -> None:
    version = next(command for command in COMMANDS if command.name == "GetVersion")
    with pytest.raises(ValueError, match="GetVersion"):
        Interpreter(kernel=world.kernel, commands=[version, replace(version)])
