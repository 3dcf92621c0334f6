"""Checks of senders: return paths, Reverse Connect, SPF, HELO names; and what sessions say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from reception_world import CLIENT, STRANGER, SMTPWorld, Wire
from transport_world import Remote
from twisted.internet.defer import Deferred

from reference.kernel.address import parse_path
from reference.kernel.protection import AddressTable
from reference.kernel.routes import BlacklistedAddress, Route
from reference.protocols.smtp_sender import Audience, SenderOptions
from reference.transport.dnr import DNSFailure, NoData

NOT_DATA: Any = NoData("none")
FAILURE: Any = DNSFailure("the server fails")
BLACK = "10.34.56.78"
RELAY_IP = "10.20.1.5"


@pytest.fixture
def world(tmp_path: Path) -> SMTPWorld:
    world = SMTPWorld(tmp_path / "Settings")
    world.protection.replace(AddressTable.CLIENTS, CLIENT)
    world.protection.replace(AddressTable.BLACKLISTED, BLACK)
    return world


def mail(world: SMTPWorld, path: str, *, ip: str = STRANGER, helo: str = "test.example") -> str:
    wire = world.dial(ip)
    wire.say(f"EHLO {helo}")
    return wire.say(f"MAIL FROM:<{path}>")


def draft_of(world: SMTPWorld, wire: Wire) -> bytes:
    """Send a message in a transaction that has its sender; return what is queued."""
    wire.say("RCPT TO:<john@mycompany.com>")
    wire.say("DATA")
    wire.say("Subject: x", "", ".")
    (draft,) = world.queue.committed
    return bytes(draft.octets)


def options(world: SMTPWorld, **settings: str) -> None:
    world.settings.set("SMTP", **settings)


# Return paths


@pytest.mark.parametrize(
    ("path", "answers", "code"),
    [
        ("", {}, 250),
        ("john", {}, 550),
        ("john@mycompany.com", {}, 250),
        ("nobody@mycompany.com", {}, 550),
        ("x@bad.test", {}, 550),
        ("x@a.test", {"MX a.test": NOT_DATA, "A a.test": ["10.1.1.9"]}, 250),
        ("x@a.test", {"MX a.test": NOT_DATA}, 550),
        ("x@a.test", {"MX a.test": FAILURE}, 451),
        ("x@a.test", {"MX a.test": NOT_DATA, "A a.test": FAILURE}, 451),
        ("x@a.test", {"MX a.test": NOT_DATA, "A a.test": [BLACK]}, 550),
        ("x@m.test", {"MX m.test": [(10, "r.test")], "A r.test": ["10.1.1.9"]}, 250),
        ("x@m.test", {"MX m.test": [(10, "r.test")]}, 550),
        ("x@m.test", {"MX m.test": [(0, "")]}, 550),
        ("x@m.test", {"MX m.test": [(10, "r.test")], "A r.test": FAILURE}, 451),
        ("x@m.test", {"MX m.test": [(10, "r.test")], "A r.test": [BLACK]}, 550),
        (
            "x@m.test",
            {
                "MX m.test": [(10, "r.test"), (10, "s.test")],
                "A r.test": ["10.1.1.9"],
                "A s.test": [BLACK],
            },
            550,
        ),
        (
            "x@m.test",
            {
                "MX m.test": [(10, "r.test"), (20, "s.test")],
                "A r.test": ["10.1.1.9"],
                "A s.test": [BLACK],
            },
            250,
        ),
        (
            "x@m.test",
            {"MX m.test": [(10, "r.test"), (20, "s.test")], "A s.test": ["10.1.1.9"]},
            250,
        ),
        (f"x@[{CLIENT}]", {}, 250),
        ("x@[192.0.2.99]", {}, 550),
    ],
)
def test_return_paths(world: SMTPWorld, path: str, answers: dict[str, Any], code: int) -> None:
    options(world, VerifyReturnPath="everybody")
    world.names.answers.update(answers)
    assert mail(world, path, helo="host").startswith(str(code))
    assert mail(world, path, ip=CLIENT, helo="host").startswith(str(code))


@pytest.mark.parametrize("rerouted", [True, False])
def test_a_rerouted_address_is_known(world: SMTPWorld, rerouted: bool) -> None:
    options(world, VerifyReturnPath="non-clients")
    address = parse_path("x@partner.test").address
    world.router.routes["x@partner.test"] = Route(
        "SMTP", "relay.test", "x@partner.test", address, rerouted=rerouted
    )
    assert mail(world, "x@partner.test", helo="host").startswith("250" if rerouted else "550")
    assert world.names.asked == ([] if rerouted else ["MX partner.test"])


def test_the_router_is_asked_before_the_dns(world: SMTPWorld) -> None:
    options(world, VerifyReturnPath="non-clients")
    world.router.routes["x@offender.test"] = BlacklistedAddress("Blacklisted Address")
    assert mail(world, "x@offender.test", helo="host").startswith("550")
    assert not world.names.asked


def test_without_options_only_local_names_are_checked(world: SMTPWorld) -> None:
    world.router.routes["x@offender.test"] = BlacklistedAddress("Blacklisted Address")
    for path, code in (
        ("nobody@mycompany.com", "550"),
        ("x@offender.test", "250"),
        ("x@[192.0.2.99]", "250"),
        ("nobody", "250"),
    ):
        assert mail(world, path).startswith(code)
    assert not world.names.asked


def test_a_blacklisted_host_is_not_checked(world: SMTPWorld) -> None:
    options(world, VerifyReturnPath="everybody", ReverseConnect="everybody", CheckSPF="everybody")
    assert mail(world, "x@bad.test", ip=BLACK, helo="host").startswith("250")


def test_a_slow_name_server_holds_the_command_and_not_the_server(world: SMTPWorld) -> None:
    options(world, VerifyReturnPath="non-clients")
    slow: Deferred[list[Any]] = Deferred()
    world.names.answers["MX slow.test"] = slow
    wire = world.dial()
    wire.say("EHLO host")
    assert wire.say("MAIL FROM:<x@slow.test>") == ""
    assert not world.work.tasks
    slow.callback([(10, "r.test")])
    assert wire.heard().startswith(b"550")


# HELO


@pytest.mark.parametrize(
    ("name", "origin", "asked"),
    [
        ("good.test", "from good.test ([192.0.2.1] verified)", ["A good.test"]),
        ("other.test", "from [192.0.2.1] (HELO other.test)", ["A other.test"]),
        ("none.test", "from [192.0.2.1] (HELO none.test)", ["A none.test"]),
        ("host", "from [192.0.2.1] (HELO host)", []),
        ("[192.0.2.1]", "from [192.0.2.1] ([192.0.2.1] verified)", []),
        ("[192.0.2.9]", "from [192.0.2.1] (HELO [192.0.2.9])", []),
    ],
)
def test_the_helo_name_is_marked(
    world: SMTPWorld, name: str, origin: str, asked: list[str]
) -> None:
    options(world, VerifyReturnPath="non-clients")
    world.names.answers["A good.test"] = ["10.9.9.9", STRANGER]
    world.names.answers["A other.test"] = ["10.9.9.9"]
    wire = world.dial()
    wire.say(f"HELO {name}")
    assert world.names.asked == asked
    wire.say("MAIL FROM:<>")
    assert draft_of(world, wire).startswith(f"Received: {origin}\r\n".encode())


def test_a_clients_helo_name_is_not_looked_up(world: SMTPWorld) -> None:
    options(world, VerifyReturnPath="non-clients")
    mail(world, "", ip=CLIENT, helo="good.test")
    assert not world.names.asked


# Reverse Connect


def relay(world: SMTPWorld, **replies: Any) -> Remote:
    options(world, ReverseConnect="non-clients")
    world.names.answers["MX good.dom"] = [(10, "mx.good.dom")]
    world.names.answers["A mx.good.dom"] = [RELAY_IP]
    remote = Remote(**replies)
    world.network.remotes[f"{RELAY_IP}:25"] = remote
    return remote


def test_the_senders_server_is_asked(world: SMTPWorld) -> None:
    remote = relay(world)
    assert mail(world, "a@good.dom").startswith("250")
    assert remote.lines == ["EHLO mycompany.com", "MAIL FROM:<>", "RCPT TO:<a@good.dom>", "QUIT"]
    assert not remote.messages


@pytest.mark.parametrize(
    ("verb", "reply", "code"),
    [
        ("rcpt", "550 no such user", 550),
        ("rcpt", "450 greylisted", 451),
        ("connect", "421 busy", 451),
        ("ehlo", "drop", 451),
        ("mail", "550 no bounces here", 451),
        ("rcpt", "nonsense", 451),
    ],
)
def test_what_the_senders_server_says(world: SMTPWorld, verb: str, reply: str, code: int) -> None:
    relay(world, **{verb: [reply]})
    assert mail(world, "a@good.dom").startswith(str(code))


def test_helo_for_servers_that_know_no_ehlo(world: SMTPWorld) -> None:
    remote = relay(world, ehlo=["500 what"])
    assert mail(world, "a@good.dom").startswith("250")
    assert remote.lines[1] == "HELO mycompany.com"


def test_nobody_there(world: SMTPWorld) -> None:
    relay(world)
    del world.network.remotes[f"{RELAY_IP}:25"]
    assert mail(world, "a@good.dom").startswith("451")
    assert mail(world, "a@nowhere.dom").startswith("550")


def test_a_silent_server_is_given_up(world: SMTPWorld) -> None:
    relay(world, rcpt=["hang"])
    wire = world.dial()
    wire.say("EHLO host")
    assert wire.say("MAIL FROM:<a@good.dom>") == ""
    world.clock.advance(100)
    assert wire.heard().startswith(b"451")
    assert not world.work.tasks
    assert not world.work.waits


@pytest.mark.parametrize(
    ("path", "ip"), [("john@mycompany.com", STRANGER), ("", STRANGER), ("a@good.dom", CLIENT)]
)
def test_whom_no_server_is_asked_about(world: SMTPWorld, path: str, ip: str) -> None:
    relay(world)
    assert mail(world, path, ip=ip).startswith("250")
    assert not world.network.tried


# SPF


@pytest.mark.parametrize(
    ("record", "ip", "code", "result"),
    [
        ("v=spf1 ip4:192.0.2.0/24 -all", STRANGER, 250, "pass"),
        ("v=spf1 ip4:10.0.0.0/8 -all", STRANGER, 550, ""),
        ("v=spf1 ip4:10.0.0.0/8 ~all", STRANGER, 250, "softfail"),
        ("v=spf1 ip4:10.0.0.0/8 ?all", STRANGER, 250, "neutral"),
        ("v=spf1 mx -all", RELAY_IP, 250, "pass"),
        ("v=spf1 a:web.dom -all", "10.20.1.6", 250, "pass"),
        ("v=spf1 include:other.dom -all", "10.20.1.7", 250, "pass"),
        ("v=spf1 redirect=other.dom", "10.20.1.7", 250, "pass"),
        ("v=spf1 redirect=other.dom", STRANGER, 550, ""),
        ("v=spf1 ptr:host.dom -all", "10.20.1.8", 250, "pass"),
        ("v=spf1 exists:%{i}.list.dom -all", "10.20.1.9", 250, "pass"),
        ("v=spf1 exp=why.dom ip4:10.0.0.0/8 -all", STRANGER, 550, ""),
        ("v=spf1 include:slow.dom -all", STRANGER, 451, ""),
        ("v=spf1 include:none.dom -all", STRANGER, 250, "permerror"),
        ("v=spf1 nonsense -all", STRANGER, 250, "permerror"),
        ("v=spf1 a:n1.dom a:n2.dom a:n3.dom -all", STRANGER, 250, "permerror"),
        ("v=spf1 include:good.dom -all", STRANGER, 250, "permerror"),
        ("no record of this kind", STRANGER, 250, "none"),
    ],
)
def test_spf(world: SMTPWorld, record: str, ip: str, code: int, result: str) -> None:
    options(world, CheckSPF="non-clients")
    world.names.answers |= {
        "TXT good.dom": [record],
        "MX good.dom": [(10, "mx.good.dom")],
        "A mx.good.dom": [RELAY_IP],
        "A web.dom": ["10.20.1.6"],
        "TXT other.dom": ["v=spf1 ip4:10.20.1.7 -all"],
        "TXT slow.dom": FAILURE,
        "PTR 10.20.1.8": ["a.host.dom"],
        "A a.host.dom": ["10.20.1.8"],
        "A 10.20.1.9.list.dom": ["127.0.0.1"],
        "TXT why.dom": ["because"],
    }
    wire = world.dial(ip)
    wire.say("EHLO host.example")
    assert wire.say("MAIL FROM:<a@good.dom>").startswith(str(code))
    assert "TXT why.dom" not in world.names.asked
    if code != 250:
        return
    assert draft_of(world, wire).startswith(f"Received-SPF: {result} (mycompany.com: ".encode())


def test_a_record_cannot_ask_without_end(world: SMTPWorld) -> None:
    options(world, CheckSPF="non-clients")
    world.names.answers["TXT good.dom"] = ["v=spf1 " + " ".join(f"mx:m{n}.dom" for n in range(10))]
    for n in range(10):
        world.names.answers[f"MX m{n}.dom"] = [(10, f"r{k}.m{n}.dom") for k in range(10)]
        for k in range(10):
            world.names.answers[f"A r{k}.m{n}.dom"] = ["10.1.1.9"]
    assert mail(world, "a@good.dom").startswith("250")
    assert len(world.names.asked) < 60


def test_a_silent_name_server_is_given_up(world: SMTPWorld) -> None:
    options(world, CheckSPF="non-clients")
    world.names.answers["TXT good.dom"] = Deferred()
    wire = world.dial()
    wire.say("EHLO host")
    assert wire.say("MAIL FROM:<a@good.dom>") == ""
    world.clock.advance(21)
    assert wire.heard().startswith(b"451")
    assert not world.work.tasks


def test_words_of_strangers_write_no_fields(world: SMTPWorld) -> None:
    options(world, CheckSPF="non-clients")
    wire = world.dial()
    wire.say('EHLO a"b(c)\x07d')
    wire.say('MAIL FROM:<"a b"@good.dom>')
    fields = draft_of(world, wire).split(b"\r\nReceived: ")[0]
    assert all(32 <= octet < 127 for octet in fields if octet not in b"\r\n")
    assert fields.count(b'"') == 4


# Options


def test_audiences() -> None:
    for audience, client, stranger in (
        (Audience.NOBODY, False, False),
        (Audience.NON_CLIENTS, False, True),
        (Audience.EVERYBODY, True, True),
    ):
        assert audience.includes(client=True) is client
        assert audience.includes(client=False) is stranger
    assert not SenderOptions().any
    assert SenderOptions(spf=Audience.EVERYBODY).any


# Banned lines


def test_a_banned_message_leaves_nothing(world: SMTPWorld) -> None:
    world.settings.set("Banned", HeaderLines=("Subject: buy*",))
    for subject, code in (("buy now", "554"), ("hello", "250")):
        wire = world.connect()
        wire.say("MAIL FROM:<>", "RCPT TO:<john@mycompany.com>", "DATA")
        assert wire.say(f"Subject: {subject}", "", "body", ".").startswith(code)
    assert [draft.state for draft in world.queue.drafts] == ["aborted", "committed"]
