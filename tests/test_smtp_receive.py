"""The SMTP receiver: its dialogues, its refusals, and what a client may do to it."""

from __future__ import annotations

import base64
import hmac
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reception_world import CLIENT, STRANGER, FakeSide, SMTPWorld, Wire, codes
from twisted.internet.defer import Deferred

from reference.kernel.protection import AddressTable
from reference.kernel.routes import (
    Address,
    BlacklistedAddress,
    Route,
    RoutingLoop,
    SpamTrap,
    UnknownDomain,
)
from reference.queue.envelope import Recipient
from reference.transport.dnr import DNSFailure, NoData


@pytest.fixture
def world(tmp_path: Path) -> SMTPWorld:
    return SMTPWorld(tmp_path)


def transaction(wire: Wire, *recipients: str, sender: str = "a@b.example") -> list[int]:
    lines = [f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{address}>" for address in recipients), "DATA"]
    return codes(wire.say(*lines))


def message(wire: Wire, content: bytes = b"Subject: x\r\n\r\nhello\r\n") -> list[int]:
    return codes(wire.say(content + b"."))


# The way of a message


def test_a_message_is_received(world: SMTPWorld) -> None:
    wire = world.connect()
    assert transaction(wire, "john@mycompany.com") == [250, 250, 354]
    assert message(wire) == [250]
    (draft,) = world.queue.committed
    assert draft.body == b"Subject: x\r\n\r\nhello\r\n"
    assert draft.envelope.return_path == "a@b.example"
    assert [r.address for r in draft.envelope.recipients] == ["john@mycompany.com"]
    assert draft.envelope.source.ip == STRANGER
    assert codes(wire.say("QUIT")) == [221]
    assert wire.closed


def test_the_trace_field_tells_who_and_when(world: SMTPWorld) -> None:
    wire = world.connect()
    transaction(wire, "john@mycompany.com")
    message(wire)
    (draft,) = world.queue.committed
    assert bytes(draft.octets).startswith(
        b"Received: from test.example ([192.0.2.1])\r\n"
        b"  by mycompany.com (SMTP)\r\n"
        b"  with ESMTP id 1000\r\n"
        b"  for <john@mycompany.com>; Tue, 14 Nov 2023 22:13:20 +0000\r\n"
    )


def test_several_recipients_are_not_told_to_each_other(world: SMTPWorld) -> None:
    wire = world.connect()
    assert transaction(wire, "john@mycompany.com", "mary@mycompany.com") == [250, 250, 250, 354]
    message(wire)
    assert b" for <" not in world.queue.committed[0].octets


def test_helo_names_cannot_write_header_fields(world: SMTPWorld) -> None:
    wire = world.dial()
    wire.say("HELO a(b) c;\xe9 d")
    transaction(wire, "john@mycompany.com")
    message(wire)
    assert b"from a?b??c???d ([" in world.queue.committed[0].octets


def test_one_session_carries_several_messages(world: SMTPWorld) -> None:
    wire = world.connect()
    for _ in range(3):
        assert transaction(wire, "john@mycompany.com") == [250, 250, 354]
        assert message(wire) == [250]
    assert len(world.queue.committed) == 3


def test_everything_in_one_packet(world: SMTPWorld) -> None:
    wire = world.connect()
    wire.send(
        b"MAIL FROM:<a@b>\r\nRCPT TO:<john@mycompany.com>\r\nDATA\r\n..x\r\n.\r\n"
        b"MAIL FROM:<>\r\nRCPT TO:<mary@mycompany.com>\r\nDATA\r\n.\r\nQUIT\r\n"
    )
    assert codes(wire.heard().decode()) == [250, 250, 354, 250] * 2 + [221]
    assert [draft.body for draft in world.queue.committed] == [b".x\r\n", b""]


def test_the_documents_spelling_without_brackets(world: SMTPWorld) -> None:
    wire = world.connect()
    assert wire.say("MAIL FROM: user@host") == "250 user@host sender accepted\r\n"
    assert codes(wire.say("RCPT TO: john@mycompany.com")) == [250]


def test_dsn_parameters_are_kept(world: SMTPWorld) -> None:
    wire = world.connect()
    wire.say("MAIL FROM:<a@b> RET=HDRS ENVID=QQ314 BODY=8BITMIME")
    wire.say("RCPT TO:<john@mycompany.com> NOTIFY=FAILURE ORCPT=rfc822;x@y", "DATA")
    message(wire)
    envelope = world.queue.committed[0].envelope
    assert (envelope.ret, envelope.envid, envelope.body) == ("HDRS", "QQ314", "8BITMIME")
    assert list(envelope.recipients) == [Recipient("john@mycompany.com", "FAILURE", "rfc822;x@y")]


def test_250_comes_after_the_commit_and_holds_what_follows(world: SMTPWorld) -> None:
    world.queue.slow = True
    wire = world.connect()
    transaction(wire, "john@mycompany.com")
    assert wire.say(b"x\r\n.", "NOOP", "QUIT") == ""
    assert world.work.tasks == 1
    world.queue.waiting[0].callback("1000")
    assert codes(wire.heard().decode()) == [250, 250, 221]
    assert world.work.tasks == 0


def test_a_full_disk_is_a_temporary_failure(world: SMTPWorld) -> None:
    wire = world.connect()
    world.queue.broken = True
    assert transaction(wire, "john@mycompany.com") == [250, 250, 354]
    assert message(wire) == [452]


def test_a_message_that_does_not_come_at_once_has_a_file(world: SMTPWorld) -> None:
    wire = world.connect()
    assert transaction(wire, "john@mycompany.com") == [250, 250, 354]
    assert message(wire) == [250]
    assert transaction(wire, "john@mycompany.com") == [250, 250, 354]
    wire.say("Subject: hello")
    assert [draft.kept for draft in world.queue.drafts] == [False, True]


def test_a_client_that_sends_no_more_still_gets_its_replies(world: SMTPWorld) -> None:
    world.queue.slow = True
    wire = world.connect()
    transaction(wire, "john@mycompany.com")
    wire.send(b".\r\nNOOP\r\nDATA")
    wire.session.readConnectionLost()
    assert not wire.closed
    world.queue.waiting[0].callback("1000")
    assert codes(wire.heard().decode()) == [250, 250]
    assert wire.closed


# Limits


def test_ehlo_lists_what_is_offered(world: SMTPWorld) -> None:
    wire = world.connect()
    lines = wire.say("EHLO x").splitlines()
    assert [line[4:] for line in lines[1:]] == [
        "HELP",
        "PIPELINING",
        "DSN",
        "SIZE",
        "8BITMIME",
        "AUTH CRAM-MD5 LOGIN PLAIN",
    ]
    world.settings.set(
        "SMTP", MessageLimit=4096, Advertise8BITMIME="nobody", AdvertiseSecureSASL=False
    )
    lines = wire.say("EHLO x").splitlines()
    assert [line[4:] for line in lines[4:]] == ["SIZE 4096", "AUTH LOGIN PLAIN"]


@pytest.mark.parametrize(
    ("audience", "stranger", "client"),
    [("everybody", True, True), ("non-clients", True, False), ("nobody", False, False)],
)
def test_auth_is_advertised_to_whom_it_is(
    world: SMTPWorld, audience: str, stranger: bool, client: bool
) -> None:
    world.protection.replace(AddressTable.CLIENTS, CLIENT)
    world.settings.set("SMTP", AdvertiseAUTH=audience)
    assert ("AUTH" in world.connect(STRANGER).say("EHLO x")) == stranger
    assert ("AUTH" in world.connect(CLIENT).say("EHLO x")) == client


def test_size_limit(world: SMTPWorld) -> None:
    world.settings.set("SMTP", MessageLimit=1000)
    wire = world.connect()
    assert codes(wire.say("MAIL FROM:<a@b> SIZE=1001")) == [552]
    assert codes(wire.say("MAIL FROM:<a@b> SIZE=1000", "RCPT TO:<john@mycompany.com>")) == [250] * 2
    assert codes(wire.say("DATA")) == [354]
    wire.send(b"x" * 1001)
    assert world.queue.drafts[0].state == "aborted"
    assert wire.heard() == b""
    assert message(wire, b"y\r\n") == [552]
    assert transaction(wire, "john@mycompany.com") == [250, 250, 354]
    assert message(wire, b"x" * 998 + b"\r\n") == [250]


def test_recipient_limit(world: SMTPWorld) -> None:
    world.settings.set("SMTP", RecipientLimit=2)
    wire = world.connect()
    replies = transaction(wire, *["john@mycompany.com"] * 3)
    assert replies == [250, 250, 250, 452, 354]
    message(wire)
    assert len(world.queue.committed[0].envelope.recipients) == 2


def test_error_limit(world: SMTPWorld) -> None:
    world.settings.set("SMTP", ErrorLimit=3)
    wire = world.connect()
    assert codes(wire.say("X", "X")) == [500, 500]
    assert codes(wire.say("X", "NOOP")) == [500, 421]
    assert wire.closed


def test_an_accepted_message_pardons_errors(world: SMTPWorld) -> None:
    world.settings.set("SMTP", ErrorLimit=3)
    wire = world.connect()
    wire.say("X", "X")
    transaction(wire, "john@mycompany.com")
    assert message(wire) == [250]
    assert codes(wire.say("X", "X", "NOOP")) == [500, 500, 250]


def test_a_silent_client_is_sent_away(world: SMTPWorld) -> None:
    wire = world.connect()
    world.clock.advance(299)
    assert codes(wire.say("NOOP")) == [250]
    world.clock.advance(299)
    assert not wire.closed
    world.clock.advance(1)
    assert codes(wire.heard().decode()) == [421]
    assert wire.closed


def test_a_client_that_does_not_read_is_cut_off(world: SMTPWorld) -> None:
    wire = world.connect()
    wire.session.pauseProducing()
    wire.send(b"NOOP\r\n" * 10)
    assert wire.heard() == b""
    world.clock.advance(300)
    assert wire.transport.disconnected


def test_commands_wait_until_the_client_reads(world: SMTPWorld) -> None:
    wire = world.connect()
    wire.session.pauseProducing()
    wire.send(b"NOOP\r\n" * 3)
    wire.session.resumeProducing()
    assert codes(wire.heard().decode()) == [250] * 3


def test_a_closed_connection_does_not_linger(world: SMTPWorld) -> None:
    wire = world.connect()
    wire.say("QUIT")
    world.clock.advance(60)
    assert wire.transport.disconnected


@pytest.mark.parametrize("length", [4097, 1_000_000])
def test_a_long_command_line_is_refused_and_forgotten(world: SMTPWorld, length: int) -> None:
    wire = world.connect()
    wire.send(b"x" * length)
    assert len(wire.session._input) <= 4097
    assert codes(wire.say("", "NOOP")) == [500, 250]


def test_a_long_line_with_parameters_is_understood(world: SMTPWorld) -> None:
    wire = world.connect()
    envid = "x" * 100
    assert codes(wire.say(f"MAIL FROM:<{'u' * 900}@b.example> ENVID={envid}")) == [250]


# Sequence


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["RCPT TO:<john@mycompany.com>"], [503]),
        (["DATA"], [503]),
        (["MAIL FROM:<a@b>", "DATA"], [250, 503]),
        (["MAIL FROM:<a@b>", "MAIL FROM:<a@b>"], [250, 503]),
        (["MAIL FROM:<a@b>", "RSET", "RCPT TO:<john@mycompany.com>"], [250, 250, 503]),
        (["MAIL FROM:<a@b>", "EHLO x", "RCPT TO:<john@mycompany.com>"], [250, 250, 503]),
        (["MAIL FROM:<a@b>", "RCPT TO:<nosuch@mycompany.com>", "DATA"], [250, 550, 503]),
        (["HELO", "EHLO", "NOOP x", "HELP"], [501, 501, 250, 214]),
        (["VRFY john", "VRFY", "EXPN x", "SAML a.b", "SEND", ""], [252, 501, *[500] * 4]),
        (["MAIL FROM:<a b@c>", "MAIL FROM:<a@>"], [501, 501]),
        (["DATA x", "STARTTLS"], [501, 503]),
    ],
)
def test_sequence(world: SMTPWorld, lines: list[str], expected: list[int]) -> None:
    assert codes(world.connect().say(*lines)) == expected


def test_mail_without_helo_is_accepted(world: SMTPWorld) -> None:
    wire = world.dial()
    wire.heard()
    assert transaction(wire, "john@mycompany.com") == [250, 250, 354]
    message(wire)
    assert b"from [192.0.2.1] ([192.0.2.1])\r\n" in world.queue.committed[0].octets


def test_the_prompt_names_the_dedicated_domain(world: SMTPWorld) -> None:
    assert world.dial(to="10.0.0.2").heard() == b"220 client.com ESMTP Test 1.0\r\n"


# Content


@pytest.mark.parametrize("content", [b"a\nb\r\n", b"a\rb\r\n", b"x\n.\nMAIL FROM:<e@f>\r\n"])
def test_bare_line_ends_are_refused_after_the_end(world: SMTPWorld, content: bytes) -> None:
    wire = world.connect()
    transaction(wire, "john@mycompany.com")
    assert message(wire, content) == [554]
    assert world.queue.drafts[0].state == "aborted"
    assert codes(wire.say("NOOP")) == [250]


def test_a_mail_loop_is_cut(world: SMTPWorld) -> None:
    wire = world.connect()
    transaction(wire, "john@mycompany.com")
    assert message(wire, b"Received: x\r\n" * 101 + b"\r\nbody\r\n") == [554]
    transaction(wire, "john@mycompany.com")
    assert message(wire, b"received: x\r\n" * 100 + b"\r\nReceived: body\r\n") == [250]


def test_a_dropped_connection_leaves_no_draft(world: SMTPWorld) -> None:
    wire = world.connect()
    transaction(wire, "john@mycompany.com")
    wire.send(b"half a mess")
    wire.drop()
    assert [draft.state for draft in world.queue.drafts] == ["aborted"]
    assert world.work.tasks == 0
    assert not world.clock.getDelayedCalls()


def test_a_connection_dropped_during_the_commit(world: SMTPWorld) -> None:
    world.queue.slow = True
    wire = world.connect()
    transaction(wire, "john@mycompany.com")
    wire.say(b"x\r\n.")
    wire.drop()
    world.queue.waiting[0].callback("1000")
    assert world.work.tasks == 0
    assert not world.log.faults


# Routing refusals


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (BlacklistedAddress("blacklisted"), "553 bad@mycompany.com Blacklisted Address"),
        (UnknownDomain("unknown domain"), "550 bad@mycompany.com unknown domain"),
        (RoutingLoop("routing loop"), "550 bad@mycompany.com routing loop"),
    ],
)
def test_what_cannot_be_routed(world: SMTPWorld, error: Exception, expected: str) -> None:
    world.router.routes["bad@mycompany.com"] = error  # type: ignore[assignment]
    wire = world.connect()
    wire.say("MAIL FROM:<a@b>")
    assert wire.say("RCPT TO:<bad@mycompany.com>").strip() == expected


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_spam_trap_rejects_the_whole_message(world: SMTPWorld, place: int) -> None:
    world.router.routes["trap@mycompany.com"] = SpamTrap("spamtrap")
    recipients = ["john@mycompany.com", "mary@mycompany.com"]
    recipients.insert(place, "trap@mycompany.com")
    wire = world.connect()
    replies = transaction(wire, *recipients)
    assert replies[1 + place] == 553
    assert replies[-1] == 554
    assert not world.queue.drafts
    assert transaction(wire, "john@mycompany.com") == [250, 250, 354]


# Relaying


def test_a_local_recipient_leaves_the_internet(world: SMTPWorld) -> None:
    wire = world.connect()
    wire.say("MAIL FROM:<a@b>")
    reply = wire.say("RCPT TO:<john@mycompany.com>")
    assert reply == "250 john@mycompany.com will leave the Internet\r\n"


def test_a_stranger_does_not_relay(world: SMTPWorld) -> None:
    wire = world.connect()
    wire.say("MAIL FROM:<a@b>")
    assert wire.say("RCPT TO:<x@far.example>") == "550 x@far.example we do not relay\r\n"
    assert world.names.asked == ["MX far.example"]


def test_a_client_relays_without_any_question(world: SMTPWorld) -> None:
    world.protection.replace(AddressTable.CLIENTS, CLIENT)
    wire = world.connect(CLIENT)
    wire.say("MAIL FROM:<a@b>")
    reply = wire.say("RCPT TO:<x@far.example>")
    assert reply == "250 x@far.example will relay mail from a client address\r\n"
    assert not world.names.asked


def test_a_registered_return_path_is_told_to_log_in(world: SMTPWorld) -> None:
    wire = world.connect()
    wire.say("MAIL FROM:<john@mycompany.com>")
    reply = wire.say("RCPT TO:<x@far.example>")
    assert reply == "450 x@far.example try to authenticate first\r\n"


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ({"MX far.example": [(10, "m.far.example")], "A m.far.example": [CLIENT]}, 250),
        ({"MX far.example": NoData(""), "A far.example": [CLIENT]}, 250),
        ({"MX far.example": [(10, "m.far.example")], "A m.far.example": ["192.0.2.9"]}, 550),
        (
            {"MX far.example": [(10, "m.far.example")], "A m.far.example": [CLIENT, "192.0.2.9"]},
            550,
        ),
        (
            {
                "MX far.example": [(10, "m.far.example"), (20, "c.far.example")],
                "A m.far.example": ["192.0.2.9"],
                "A c.far.example": [CLIENT],
            },
            550,
        ),
        (
            {
                "MX far.example": [(10, "gone.far.example"), (20, "c.far.example")],
                "A c.far.example": [CLIENT],
            },
            250,
        ),
        ({"MX far.example": DNSFailure("")}, 451),
    ],
)
def test_relaying_to_a_client_host(world: SMTPWorld, answers: dict[str, object], code: int) -> None:
    world.protection.replace(AddressTable.CLIENTS, CLIENT)
    world.names.answers.update(answers)
    wire = world.connect()
    wire.say("MAIL FROM:<a@b>")
    assert codes(wire.say("RCPT TO:<x@far.example>")) == [code]


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("[10.1.1.1]", 250),
        ("[10.1.1.1:26]", 250),
        ("[10.1.1.2]", 550),
        ("far.example:26", 250),
        ("@10.0.0.2:far.example", 250),
    ],
)
def test_queues_that_are_no_plain_names(world: SMTPWorld, host: str, code: int) -> None:
    world.protection.replace(AddressTable.CLIENTS, CLIENT)
    world.names.answers.update({"MX far.example": [(1, "m")], "A m": [CLIENT]})
    world.router.routes["x@y.example"] = Route("SMTP", host, "x@y", Address("x", "y.example"))
    wire = world.connect()
    wire.say("MAIL FROM:<a@b>")
    assert codes(wire.say("RCPT TO:<x@y.example>")) == [code]


def test_a_forwarding_server_in_the_client_list_opens_nothing(world: SMTPWorld) -> None:
    world.settings.set("SMTP", Forward="Smart.example")
    world.protection.replace(AddressTable.CLIENTS, CLIENT)
    world.names.answers.update({"A smart.example": [CLIENT], "A far.example": ["192.0.2.9"]})
    address = Address("x", "far.example")
    world.router.routes["x@far.example"] = Route("SMTP", "smart.example", "x@far.example", address)
    wire = world.connect()
    wire.say("MAIL FROM:<a@b>")
    assert codes(wire.say("RCPT TO:<x@far.example>")) == [550]


def test_relaying_to_a_host_that_is_backed_up(world: SMTPWorld) -> None:
    world.settings.set("SMTP", RelayToBackup=True)
    world.names.answers["MX far.example"] = [(10, "m.far.example"), (20, "mycompany.com")]
    world.names.answers["MX only.example"] = [(10, "mycompany.com")]
    wire = world.connect()
    wire.say("MAIL FROM:<a@b>")
    assert codes(wire.say("RCPT TO:<x@far.example>", "RCPT TO:<x@only.example>")) == [250, 550]


def test_a_slow_resolver_holds_the_session_but_not_the_server(world: SMTPWorld) -> None:
    answer: Deferred[list[tuple[int, str]]] = Deferred()
    world.names.answers["MX far.example"] = answer
    wire = world.connect()
    wire.say("MAIL FROM:<a@b>")
    assert wire.say("RCPT TO:<x@far.example>", "RCPT TO:<john@mycompany.com>") == ""
    assert world.work.tasks == 0
    world.clock.advance(299)
    assert codes(world.connect().say("NOOP")) == [250]
    answer.callback([])
    assert codes(wire.heard().decode()) == [550, 250]
    assert world.work.tasks == 0


def test_a_connection_dropped_during_a_question(world: SMTPWorld) -> None:
    answer: Deferred[list[tuple[int, str]]] = Deferred()
    world.names.answers["MX far.example"] = answer
    wire = world.connect()
    wire.say("MAIL FROM:<a@b>", "RCPT TO:<x@far.example>")
    wire.drop()
    answer.callback([])
    assert not world.log.faults
    assert world.work.tasks == 0


# Temporary clients and clients by name


def test_a_session_goes_on_relaying_when_its_address_is_forgotten(world: SMTPWorld) -> None:
    world.settings.set("Protection", ProcessAsClient=True, ProcessAsClientFor=60.0)
    world.protection.visit(STRANGER).leave()
    in_time = world.connect()
    world.clock.advance(61)
    too_late = world.connect()
    for wire, code in ((in_time, 250), (too_late, 550)):
        wire.say("MAIL FROM:<a@b>")
        assert codes(wire.say("RCPT TO:<x@far.example>")) == [code]


def test_a_login_during_the_session_counts(world: SMTPWorld) -> None:
    world.settings.set("Protection", ProcessAsClient=True)
    wire = world.connect()
    wire.say("MAIL FROM:<a@b>")
    assert codes(wire.say("RCPT TO:<x@far.example>")) == [550]
    world.protection.visit(STRANGER)
    assert codes(wire.say("RCPT TO:<x@far.example>")) == [250]


def test_a_client_by_name_relays_for_two_questions(world: SMTPWorld) -> None:
    world.settings.set("Protection", DetectClientsByName=True, ClientNames=("*.campus.edu",))
    world.names.answers[f"PTR {STRANGER}"] = ["pc1.campus.edu"]
    world.names.answers["A pc1.campus.edu"] = [STRANGER]
    wire = world.connect()
    for _ in range(2):
        wire.say("MAIL FROM:<a@b>")
        assert codes(wire.say("RCPT TO:<x@far.example>", "RSET")) == [250, 250]
    assert world.names.asked == [f"PTR {STRANGER}", "A pc1.campus.edu"]


def test_the_prompt_does_not_wait_for_a_name(world: SMTPWorld) -> None:
    world.settings.set("Protection", DetectClientsByName=True, ClientNames=("*.campus.edu",))
    answer: Deferred[list[str]] = Deferred()
    world.names.answers[f"PTR {STRANGER}"] = answer
    wire = world.connect()
    assert wire.say("MAIL FROM:<a@b>", "RCPT TO:<john@mycompany.com>").startswith("250 a@b")
    assert world.work.tasks == 0
    answer.callback([])
    assert codes(wire.heard().decode()) == [250]


# Blacklisted hosts

RECIPIENTS = ("somebody@somehost", "abuse@somehost", "blacklist-admin@somehost")


def blacklisted(world: SMTPWorld) -> list[str]:
    world.protection.replace(AddressTable.BLACKLISTED, "10.34.56.78")
    wire = world.connect("10.34.56.78")
    assert wire.say("MAIL FROM: user@host") == "250 user@host sender accepted\r\n"
    return [wire.say(f"RCPT TO: {address}").strip() for address in RECIPIENTS]


def white_hole(world: SMTPWorld, name: str) -> None:
    for address in (f"{name}%somehost@blacklisted", f"{name}@blacklisted"):
        world.router.local(address, "postmaster")


def test_a_blacklisted_host_reaches_nobody(world: SMTPWorld) -> None:
    text = "591 Your host is in our Black List. No mail will be accepted"
    assert blacklisted(world) == [text] * 3


def test_a_white_hole_of_another_name_is_not_told(world: SMTPWorld) -> None:
    white_hole(world, "abuse")
    first, second, third = blacklisted(world)
    assert first.startswith("591 Your host")
    assert "blacklist-admin@" not in first
    assert second == "250 abuse%somehost@blacklisted will leave the Internet"
    assert third == first


def test_the_white_hole_is_told(world: SMTPWorld) -> None:
    white_hole(world, "blacklist-admin")
    first, second, third = blacklisted(world)
    text = "591 Your host is blacklisted. Send your questions to blacklist-admin@mycompany.com."
    assert (first, second) == (text, text)
    assert third == "250 blacklist-admin%somehost@blacklisted will leave the Internet"


def test_a_local_recipient_is_no_exception(world: SMTPWorld) -> None:
    world.protection.replace(AddressTable.BLACKLISTED, "10.34.56.78")
    assert transaction(world.connect("10.34.56.78"), "john@mycompany.com") == [250, 591, 503]
    assert transaction(world.connect("10.34.56.79"), "john@mycompany.com") == [250, 250, 354]


def test_a_listed_client_is_not_blacklisted(world: SMTPWorld) -> None:
    world.protection.replace(AddressTable.BLACKLISTED, CLIENT)
    world.protection.replace(AddressTable.CLIENTS, CLIENT)
    assert transaction(world.connect(CLIENT), "john@mycompany.com") == [250, 250, 354]


# AUTH


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_auth_plain_opens_the_way(world: SMTPWorld) -> None:
    wire = world.connect()
    assert codes(wire.say(f"AUTH PLAIN {b64(chr(0) + 'john' + chr(0) + 'secret')}")) == [235]
    assert transaction(wire, "x@far.example") == [250, 250, 354]
    message(wire)
    (draft,) = world.queue.committed
    assert draft.envelope.source.account == "john@mycompany.com"
    assert b"(account john@mycompany.com verified)" in draft.octets
    assert b"with ESMTPA id" in draft.octets
    assert world.access.account.sessions == 1
    wire.drop()
    assert world.access.account.sessions == 0


def test_auth_login(world: SMTPWorld) -> None:
    wire = world.connect()
    assert wire.say("AUTH LOGIN") == f"334 {b64('Username:')}\r\n"
    assert wire.say(b64("john")) == f"334 {b64('Password:')}\r\n"
    assert codes(wire.say(b64("secret"))) == [235]
    assert codes(wire.say("AUTH LOGIN")) == [503]


def test_auth_cram_md5_challenges_are_unique(world: SMTPWorld) -> None:
    wire = world.connect()
    challenges = set()
    for _ in range(2):
        reply = wire.say("AUTH CRAM-MD5")
        challenge = base64.b64decode(reply[4:])
        assert re.fullmatch(rb"<[0-9.]+@mycompany\.com>", challenge)
        challenges.add(challenge)
        digest = hmac.new(b"secret", challenge, "md5").hexdigest()
        wire.say(b64(f"john {digest}"))
    assert len(challenges) == 2


def test_auth_without_relay_service_relays_nothing(world: SMTPWorld) -> None:
    world.access.relay = False
    wire = world.connect()
    wire.say(f"AUTH PLAIN {b64(chr(0) + 'john' + chr(0) + 'secret')}")
    replies = transaction(wire, "x@far.example", "mary@mycompany.com", sender="john@mycompany.com")
    assert replies == [250, 550, 250, 354]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["AUTH"], [504]),
        (["AUTH XYZ"], [504]),
        (["AUTH PLAIN", "*", "NOOP"], [334, 501, 250]),
        (["AUTH PLAIN", "!!!"], [334, 501]),
        (["AUTH PLAIN ="], [501]),
        (["AUTH CRAM-MD5 AAAA"], [501]),
        (["AUTH PLAIN", b64("\0john\0wrong"), "NOOP"], [334, 535, 250]),
        (["AUTH PLAIN", b64("other\0john\0secret")], [334, 501]),
        (["MAIL FROM:<a@b>", "AUTH PLAIN"], [250, 503]),
        (["AUTH LOGIN", b64("")], [334, 334]),
        (["AUTH PLAIN", "A" * 13000, "NOOP"], [334, 500, 250]),
        (["AUTH PLAIN", b64("\0john\0" + "x" * 6000), "NOOP"], [334, 535, 250]),
    ],
)
def test_auth_refusals(world: SMTPWorld, lines: list[str], expected: list[int]) -> None:
    assert codes(world.connect().say(*lines)) == expected


def test_passwords_never_reach_the_log(world: SMTPWorld) -> None:
    wire = world.connect()
    for secret in (b64("\0john\0wrong"), b64("\0john\0secret")):
        wire.say(f"AUTH PLAIN {secret}")
        wire.say("AUTH PLAIN")
        wire.say(secret)
    text = "\n".join(record[2] for record in world.log.records)
    assert "secret" not in text
    assert b64("\0john\0")[:8] not in text


def test_force_auth(world: SMTPWorld) -> None:
    world.settings.set("SMTP", ForceAUTH="non-clients")
    world.settings.set("Protection", ProcessAsClient=True)
    world.protection.replace(AddressTable.CLIENTS, CLIENT)
    world.protection.visit(STRANGER)  # temporary clients do not count here
    for ip, path, code in (
        (STRANGER, "john@mycompany.com", 530),
        (STRANGER, "", 250),
        (STRANGER, "a@b.example", 250),
        (CLIENT, "john@mycompany.com", 250),
    ):
        assert codes(world.connect(ip).say(f"MAIL FROM:<{path}>")) == [code]
    wire = world.connect()
    wire.say(f"AUTH PLAIN {b64(chr(0) + 'john' + chr(0) + 'secret')}")
    assert codes(wire.say("MAIL FROM:<john@mycompany.com>")) == [250]


# STARTTLS


def test_starttls_forgets_what_was_said_in_the_clear(tmp_path: Path) -> None:
    world = SMTPWorld(tmp_path, tls=FakeSide())
    wire = world.connect()
    assert "STARTTLS" in wire.say("EHLO x")
    wire.say(f"AUTH PLAIN {b64(chr(0) + 'john' + chr(0) + 'secret')}")
    wire.send(b"STARTTLS\r\nMAIL FROM:<injected@example>\r\nRCPT TO:<john@mycompany.com>\r\n")
    assert codes(wire.heard().decode()) == [220]
    assert wire.transport.tls == ["side"]
    assert codes(wire.say("RCPT TO:<john@mycompany.com>")) == [503]
    assert "STARTTLS" not in wire.say("EHLO x")
    assert codes(wire.say("STARTTLS")) == [503]
    assert transaction(wire, "x@far.example") == [250, 550, 503]


# Robustness

FRAGMENTS = st.sampled_from(
    [
        *(b"EHLO x\r\n", b"HELO x\r\n", b"MAIL FROM:<a@b>\r\n", b"MAIL FROM:<>\r\n"),
        *(b"RCPT TO:<john@mycompany.com>\r\n", b"RCPT TO:<x@far.example>\r\n", b"DATA\r\n"),
        *(b"\r\n.\r\n", b".\r\n", b"text\r\n", b"RSET\r\n", b"QUIT\r\n", b"AUTH LOGIN\r\n"),
        *(b"am9obg==\r\n", b"*\r\n", b"\n", b"\r", b"\0", b"\xff\xfe", b"NOOP\n", b"x" * 5000),
    ]
)
STREAMS = st.lists(st.one_of(FRAGMENTS, st.binary(max_size=20)), max_size=25).map(b"".join)


def outcome(world: SMTPWorld, stream: bytes, cuts: list[int]) -> tuple[bytes, list[bytes]]:
    before = len(world.queue.drafts)
    wire = world.connect()
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    for start, end in pairwise(places):
        wire.send(stream[start:end])
    replies = re.sub(rb"\b1\d{3}\b|<[0-9.]+@", b"#", wire.heard())
    wire.drop()
    drafts = world.queue.drafts[before:]
    assert all(draft.state != "open" for draft in drafts)
    return replies, [draft.body for draft in drafts if draft.state == "committed"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(stream=STREAMS, cuts=st.lists(st.integers(min_value=0, max_value=600), max_size=30))
def test_packets_may_be_cut_anywhere(world: SMTPWorld, stream: bytes, cuts: list[int]) -> None:
    assert outcome(world, stream, cuts) == outcome(world, stream, [])
    assert not world.log.faults
    assert world.work.tasks == 0
    assert not world.clock.getDelayedCalls()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(stream=st.binary(max_size=300))
def test_garbage_gets_an_answer(world: SMTPWorld, stream: bytes) -> None:
    wire = world.connect()
    wire.send(stream)
    wire.send(b"\r\n")
    assert wire.heard()
    wire.drop()
    assert not world.log.faults


def test_a_fault_of_the_server_is_answered(world: SMTPWorld) -> None:
    def fault(address: str, purpose: str = "mail") -> Route:
        raise ZeroDivisionError

    wire = world.connect()
    wire.say("MAIL FROM:<a@b>")
    world.router.route = fault  # type: ignore[method-assign,assignment]
    assert codes(wire.say("RCPT TO:<john@mycompany.com>", "NOOP")) == [421]
    assert wire.closed
    assert len(world.log.faults) == 1


def test_a_flood_of_input_during_a_wait_is_held_back(world: SMTPWorld) -> None:
    world.queue.slow = True
    wire = world.connect()
    transaction(wire, "john@mycompany.com")
    wire.send(b".\r\n" + b"NOOP\r\n" * 50_000)
    assert wire.transport.producerState == "paused"
    world.queue.waiting[0].callback("1000")
    assert wire.transport.producerState == "producing"
    assert codes(wire.heard().decode()) == [250] * 50_001
