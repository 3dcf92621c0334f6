"""IMAP sessions: logins and INBOX."""

from __future__ import annotations

import base64
import hmac
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reception_world import CLIENT, STRANGER, FakeAccess, FakeSide, ImapWorld

from reference.kernel.protection import AddressTable
from reference.protocols.imap_grammar import (
    IMAPSyntaxError,
    literal_at_end,
    parse_arguments,
    parse_fetch,
    parse_set,
    quoted,
)
from reference.storage.mbox_format import Flag

ONE = (
    b"From: Ann <ann@b.example>\r\nSubject: one\r\n folded\r\nX-Real-To: abcdef\r\n"
    b"Date: Mon, 01 Apr 2002 10:00:00 +0000\r\n\r\nbody\r\n.\r\n"
)
TWO = b'Subject: "two"\r\nX-Real-To: xyz\r\n\r\n\xff\0\r\n'


@pytest.fixture(autouse=True)
def _no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    # What survives a power failure is the storage's test.
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def world(tmp_path: Path) -> ImapWorld:
    world = ImapWorld(tmp_path)
    world.store(ONE, TWO)
    return world


# Logins


@pytest.mark.parametrize(
    "login",
    [
        b'a LOGIN john "secret of company.com"\r\n',
        b"a login {4}\r\njohn {21+}\r\nsecret of company.com\r\n".replace(b"{21+}", b"{21}"),
        b"a LOGIN {4+}\r\njohn {21+}\r\nsecret of company.com\r\n",
        b'a LOGIN "john" "secret of company.com"\r\n'.replace(b"john", b"jo" + b"hn"),
    ],
)
def test_login(world: ImapWorld, login: bytes) -> None:
    wire = world.dial_imap()
    assert wire.heard() == b"* OK company.com IMAP4rev1 server ready\r\n"
    wire.send(login.replace(b"{21", b"{%d" % len("secret of company.com")))
    assert wire.heard().decode().endswith("a OK completed\r\n")
    assert world.john.sessions == 1
    assert wire.say("b LOGOUT") == "* BYE closing connection\r\nb OK completed\r\n"
    wire.drop()
    assert world.john.sessions == 0


def test_a_wrong_login_and_commands_before_the_login(world: ImapWorld) -> None:
    wire = world.dial_imap()
    wire.heard()
    assert wire.say("a SELECT INBOX", "b FETCH 1 FLAGS").count(" BAD ") == 2
    assert wire.say("c LOGIN john wrong") == "c NO Incorrect Password\r\n"
    assert wire.say("d LOGIN nosuch wrong").startswith("d NO ")
    assert wire.say("e LOGIN john").startswith("e BAD ")
    for _ in range(8):
        wire.say("f LOGIN john wrong")
    assert wire.closed


def test_a_login_referral(world: ImapWorld) -> None:
    wire = world.dial_imap()
    wire.heard()
    reply = wire.say("1234 LOGIN John@othercompany.example x")
    assert reply == (
        "1234 NO [REFERRAL IMAP://John;AUTH=*@othercompany.example/] "
        "account has been moved to a remote system\r\n"
    )


def test_authenticate(world: ImapWorld) -> None:
    wire = world.dial_imap()
    assert "AUTH=CRAM-MD5" in wire.say("a CAPABILITY")
    challenge = wire.say("b AUTHENTICATE CRAM-MD5").removeprefix("+ ")
    digest = hmac.new(b"secret of company.com", base64.b64decode(challenge), "md5").hexdigest()
    assert wire.say(base64.b64encode(f"john {digest}".encode())) == "b OK completed\r\n"
    wire = world.dial_imap()
    wire.heard()
    assert wire.say("a AUTHENTICATE LOGIN", "*").endswith("a BAD authentication cancelled\r\n")
    assert wire.say("b AUTHENTICATE XYZ").startswith("b NO ")
    assert wire.say("c AUTHENTICATE").startswith("c BAD ")


def test_client_only_logins_close_the_connection(world: ImapWorld) -> None:
    world.settings.update("Protection", {"NonClientLogins": "reject"})
    wire = world.dial_imap()
    assert "a NO " in wire.say('a LOGIN john "secret of company.com"')
    assert wire.closed
    world.protection.replace(AddressTable.CLIENTS, CLIENT)
    assert "a OK " in world.dial_imap(CLIENT).say('a LOGIN john "secret of company.com"')


def test_a_login_makes_a_temporary_client(world: ImapWorld) -> None:
    world.settings.update("Protection", {"ProcessAsClient": "YES", "ProcessAsClientFor": "10m"})
    wire = world.open_imap()
    world.clock.advance(1000)
    assert world.protection.is_temporary(STRANGER)
    wire.drop()
    world.clock.advance(600)
    assert not world.protection.is_temporary(STRANGER)


def test_starttls(tmp_path: Path) -> None:
    world = ImapWorld(tmp_path, tls=FakeSide())
    wire = world.dial_imap()
    assert "STARTTLS" in wire.say("a CAPABILITY")
    wire.send(b"b STARTTLS\r\nc LOGIN injected x\r\n")
    assert wire.heard() == b"b OK begin TLS negotiation\r\n"
    assert wire.transport.tls == ["side"]
    assert "STARTTLS" not in wire.say("a CAPABILITY")
    assert wire.say("d STARTTLS").startswith("d BAD")


# Mailboxes


def test_select_and_examine(world: ImapWorld) -> None:
    wire = world.open_imap()
    reply = wire.say("c SELECT inbox")
    uids = [message.uid for message in world.inbox.messages()]
    assert "* 2 EXISTS\r\n" in reply
    assert f"[UIDVALIDITY {world.inbox.uid_validity}]" in reply
    assert f"[UIDNEXT {uids[-1] + 1}]" in reply
    assert reply.endswith("c OK [READ-WRITE] completed\r\n")
    assert wire.say("d EXAMINE INBOX").endswith("d OK [READ-ONLY] completed\r\n")
    assert wire.say("e SELECT nosuch").startswith("e NO ")
    assert wire.say("f FETCH 1 FLAGS").startswith("f BAD ")


def test_list(world: ImapWorld) -> None:
    world.john.create_mailbox("Entwürfe")
    world.john.create_mailbox("lists/info")
    wire = world.open_imap()
    everything = '* LIST () "/" "INBOX"\r\n* LIST () "/" "Entw&APw-rfe"\r\n'
    nested = '* LIST () "/" "lists/info"\r\n'
    assert wire.say('a LIST "" *') == everything + nested + "a OK completed\r\n"
    assert wire.say('a LIST "" %').startswith(everything)
    assert nested not in wire.say('a LIST "" %')
    assert wire.say("a LIST lists/ %") == nested + "a OK completed\r\n"
    assert wire.say('a LIST "" ""').startswith('* LIST (\\Noselect) "/" ""')
    assert wire.say("b EXAMINE Entw&APw-rfe").endswith("b OK [READ-ONLY] completed\r\n")
    assert wire.say("b EXAMINE &").count("b ") == 1


def test_status(world: ImapWorld) -> None:
    wire = world.open_imap()
    assert wire.say("a STATUS INBOX (MESSAGES UNSEEN)") == (
        '* STATUS "INBOX" (MESSAGES 2 UNSEEN 2)\r\na OK completed\r\n'
    )
    assert wire.say("a STATUS INBOX (XYZ)").startswith("a BAD")
    assert wire.say("a STATUS INBOX").startswith("a BAD")


def test_a_unified_account_shows_ones_own_messages(world: ImapWorld) -> None:
    world.router.local("xyz@unified.example", "john", real_to="xyz")
    wire = world.open_imap("xyz@unified.example")
    assert 'Subject: "two"' in wire.say("a FETCH 1:* RFC822.HEADER")


# Messages


def test_fetch(world: ImapWorld) -> None:
    wire = world.open_imap()
    uid = world.inbox.messages()[0].uid
    assert wire.say("a FETCH 1 (FLAGS UID RFC822.SIZE)") == (
        f"* 1 FETCH (FLAGS () UID {uid} RFC822.SIZE {len(ONE)})\r\na OK completed\r\n"
    )
    assert wire.say(f"a UID FETCH {uid} FLAGS").startswith(f"* 1 FETCH (FLAGS () UID {uid})")
    assert 'INTERNALDATE "14-Nov-2023 22:13:20 +0000"' in wire.say("a FETCH 1 FAST")
    assert wire.say("a FETCH 9 FLAGS") == "a OK completed\r\n"


def test_octets_are_the_stored_ones(world: ImapWorld) -> None:
    wire = world.open_imap()
    wire.send(b"a FETCH 2 BODY[]\r\n")
    assert wire.heard() == b"* 2 FETCH (BODY[] {%d}\r\n%b)\r\na OK completed\r\n" % (len(TWO), TWO)


@pytest.mark.parametrize(
    ("item", "label", "octets"),
    [
        ("RFC822.TEXT", "RFC822.TEXT", b"body\r\n.\r\n"),
        ("body.peek[text]", "BODY[TEXT]", b"body\r\n.\r\n"),
        ("BODY.PEEK[TEXT]<2.3>", "BODY[TEXT]<2>", b"dy\r"),
        ("BODY.PEEK[TEXT]<99.3>", "BODY[TEXT]<99>", b""),
        (
            "BODY.PEEK[HEADER.FIELDS (subject X-None)]",
            "BODY[HEADER.FIELDS (subject X-None)]",
            b"Subject: one\r\n folded\r\n\r\n",
        ),
        (
            'BODY.PEEK[HEADER.FIELDS.NOT ("From" Subject Date)]',
            'BODY[HEADER.FIELDS.NOT ("From" Subject Date)]',
            b"X-Real-To: abcdef\r\n\r\n",
        ),
        ("BODY.PEEK[HEADER]", "BODY[HEADER]", ONE.partition(b"body")[0]),
    ],
)
def test_sections(world: ImapWorld, item: str, label: str, octets: bytes) -> None:
    wire = world.open_imap()
    expected = f"* 1 FETCH ({label} {{{len(octets)}}}\r\n{octets.decode()})\r\n"
    assert wire.say(f"a FETCH 1 {item}") == expected + "a OK completed\r\n"


def test_envelope_and_structure(world: ImapWorld) -> None:
    wire = world.open_imap()
    reply = wire.say("a FETCH 1 (ENVELOPE BODYSTRUCTURE)")
    assert '(("Ann" NIL "ann" "b.example"))' in reply
    assert '"one folded"' in reply
    assert 'BODYSTRUCTURE ("text" "plain"' in reply


def test_reading_marks_as_seen(world: ImapWorld) -> None:
    wire = world.open_imap()
    wire.say("a FETCH 1 BODY.PEEK[]", "b FETCH 1 RFC822.HEADER")
    assert not any(message.flags for message in world.inbox.messages())
    assert "FLAGS (\\Seen)" in wire.say("c FETCH 1 (RFC822 FLAGS)")
    assert Flag.SEEN in world.inbox.messages()[0].flags
    wire.say("d EXAMINE INBOX", "e FETCH 2 BODY[]")
    assert Flag.SEEN not in world.inbox.messages()[1].flags


def test_store_search_expunge(world: ImapWorld) -> None:
    wire = world.open_imap()
    first, second = (message.uid for message in world.inbox.messages())
    assert wire.say("a STORE 1 +FLAGS (\\Deleted \\flagged)").startswith(
        "* 1 FETCH (FLAGS (\\Flagged \\Deleted))"
    )
    assert wire.say("b SEARCH DELETED") == "* SEARCH 1\r\nb OK completed\r\n"
    assert wire.say("b UID SEARCH UNDELETED 1:*").startswith(f"* SEARCH {second}\r\n")
    assert wire.say(f"b SEARCH UID {first} ALL").startswith("* SEARCH 1\r\n")
    assert wire.say("b SEARCH FROM x").startswith("b BAD")
    assert wire.say(f"c UID STORE {second} FLAGS.SILENT \\Seen") == "c OK completed\r\n"
    assert wire.say("c STORE 1 FLAGS (Custom)").startswith("c NO")
    assert wire.say("d EXPUNGE") == "* 1 EXPUNGE\r\nd OK completed\r\n"
    assert [message.uid for message in world.inbox.messages()] == [second]
    assert wire.say("e STORE 1 FLAGS ()").startswith("* 1 FETCH (FLAGS ())")
    wire.say("f STORE 1 +FLAGS \\Deleted", "g CLOSE")
    assert not world.inbox.messages()


def test_a_mailbox_open_for_reading_is_not_changed(world: ImapWorld) -> None:
    wire = world.open_imap()
    wire.say("a STORE 1 +FLAGS \\Deleted", "b EXAMINE INBOX")
    assert wire.say("c STORE 1 FLAGS ()", "d EXPUNGE").count(" NO ") == 2
    wire.say("e CLOSE")
    assert len(world.inbox.messages()) == 2


def test_others_change_the_mailbox(world: ImapWorld) -> None:
    wire = world.open_imap()
    first, second = (message.uid for message in world.inbox.messages())
    world.inbox.delete([first])
    world.store(b"Subject: three\r\n\r\n\r\n")
    assert wire.say("a FETCH 1:* UID") == f"* 2 FETCH (UID {second})\r\na OK completed\r\n"
    assert wire.say("b NOOP") == "* 1 EXPUNGE\r\n* 2 EXISTS\r\nb OK completed\r\n"
    assert wire.say("c FETCH 1 UID").startswith(f"* 1 FETCH (UID {second})")


# Robustness


def test_limits(world: ImapWorld) -> None:
    wire = world.dial_imap()
    wire.heard()
    assert wire.say(b"x" * 100_000, "a NOOP").endswith("a OK completed\r\n")
    assert wire.say("a LOGIN {99999}").startswith("* BAD")
    assert not wire.closed
    assert wire.say("a LOGIN {99999+}").startswith("* BAD")
    assert wire.closed


@pytest.mark.parametrize(
    "line",
    [
        *("", "a", " NOOP", "* NOOP", "+ NOOP", "a XYZ", "a FETCH", "a UID", "a UID NOOP"),
        *("a FETCH 1 XYZ", "a FETCH x FLAGS", "a FETCH 1 (", "a FETCH 1 BODY[1]", 'a LIST "'),
        *("a FETCH 1 BODY[HEADER.FIELDS]", "a FETCH 1 (FLAGS (UID))", "a LIST )", "a SELECT (x)"),
        *("a SELECT", "a SEARCH", "a STORE 1 XFLAGS ()", "a CREATE x", "a " + "(" * 50),
        "a STORE 1 FLAGS",
    ],
)
def test_refused(world: ImapWorld, line: str) -> None:
    reply = world.open_imap().say(line)
    assert " BAD " in reply
    assert reply.count("\r\n") == 1


FRAGMENTS = st.sampled_from(
    [
        *(b"a LOGIN john x\r\n", b"b LOGIN {4}\r\njohn x\r\n", b"c CAPABILITY\r\n", b"d NOOP\r\n"),
        *(b"e AUTHENTICATE LOGIN\r\n", b"*\r\n", b"f LOGIN {0}\r\n {0+}\r\n\r\n", b"g LOGOUT\r\n"),
        *(b"h SELECT INBOX\r\n", b"\n", b"\r", b"\0", b"\xff", b'"', b"{9}\r\n", b"x" * 70_000),
    ]
)
STREAMS = st.lists(st.one_of(FRAGMENTS, st.binary(max_size=20)), max_size=20).map(b"".join)
cuts = st.lists(st.integers(min_value=0, max_value=600), max_size=20)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(stream=STREAMS, cuts=cuts, inside=st.booleans())
def test_packets_may_be_cut_anywhere(
    world: ImapWorld, stream: bytes, cuts: list[int], inside: bool
) -> None:
    def outcome(places: list[int]) -> bytes:
        wire = world.open_imap() if inside else world.dial_imap()
        at = [0, *sorted(min(place, len(stream)) for place in places), len(stream)]
        for start, end in pairwise(at):
            wire.send(stream[start:end])
        wire.drop()
        return re.sub(rb"\+ [A-Za-z0-9+/=]+", b"#", wire.heard())

    assert outcome(cuts) == outcome([])
    assert not world.log.faults
    assert world.work.tasks == 0
    assert not world.clock.getDelayedCalls()


def test_a_fault_of_the_server_is_answered(world: ImapWorld) -> None:
    wire = world.dial_imap()
    wire.heard()
    object.__setattr__(world.imap_office, "access", FakeAccess())
    wire.say("a LOGIN john secret")
    assert "* BYE internal error" in wire.say("b SELECT INBOX")
    assert wire.closed
    assert len(world.log.faults) == 1


def test_a_silent_client_is_sent_away(world: ImapWorld) -> None:
    before, inside = world.dial_imap(), world.open_imap()
    world.clock.advance(61)
    assert before.closed
    assert not inside.closed
    world.clock.advance(1800)
    assert inside.closed
    assert b"* BYE" in inside.heard()


def test_nothing_touches_the_global_reactor() -> None:
    code = (
        "import sys, reference.protocols.imap, reference.protocols.pop;"
        "import reference.protocols.smtp_receive;"
        "sys.exit('twisted.internet.reactor' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Grammar


@given(st.recursive(st.binary(max_size=12), lambda inner: st.lists(inner, max_size=4)))
def test_what_is_printed_is_read(value: bytes | list[bytes]) -> None:
    pieces: list[bytes] = [b""]

    def put(item: bytes | list[bytes]) -> None:
        if isinstance(item, bytes):
            printed = quoted(item)
            if printed.startswith(b"{"):
                announced, _, octets = printed.partition(b"\r\n")
                pieces[-1] += b" " + announced
                pieces.extend([octets, b""])
            else:
                pieces[-1] += b" " + printed
            return
        pieces[-1] += b" ("
        for inner in item:
            put(inner)
        pieces[-1] += b")"

    put(value)
    assert parse_arguments(pieces) == [value]


@given(st.binary(max_size=60))
def test_any_text_is_parsed_or_refused(text: bytes) -> None:
    try:
        for value in parse_arguments([text]):
            parse_fetch(value)
            parse_set(value, 10)
    except IMAPSyntaxError:
        return


sets = st.lists(
    st.tuples(st.integers(1, 30), st.one_of(st.none(), st.integers(1, 30), st.just("*"))),
    min_size=1,
)


@given(sets, st.integers(1, 30))
def test_sets(parts: list[tuple[int, int | str | None]], largest: int) -> None:
    text = ",".join(str(a) if b is None else f"{a}:{b}" for a, b in parts)
    expected = set()
    for first, second in parts:
        last = first if second is None else largest if second == "*" else int(second)
        expected |= set(range(min(first, last), max(first, last) + 1))
    ranges = parse_set(text.encode(), largest)
    assert {n for first, last in ranges for n in range(first, last + 1)} == expected


def test_literals_are_found() -> None:
    assert literal_at_end(b"a LOGIN {4}") is not None
    for line in (b"a LOGIN {4", b"a {4} b", b"a {-4}", b"a {}", b"{99999999999}"):
        assert literal_at_end(line) is None
