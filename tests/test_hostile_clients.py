"""What a client may send, it may send: the server answers or closes, and keeps serving others.

All tests ill-treat the same server process. After each one it has to serve a well-behaved client,
to have as many descriptors open as before and nothing half-made in its Queue, and its log must not
tell of a fault of its own.
"""

from __future__ import annotations

import base64
import contextlib
import random
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hardy.restarts import DOMAIN
from hardy.victim import GREETINGS, SERVICES, Client, Victim
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

MEGABYTE = 1 << 20
FEW = settings(
    max_examples=25,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SENDER = f"sender@{DOMAIN}".encode()
BOX = f"box@{DOMAIN}".encode()
_PLAIN = base64.b64encode(b"\0box\0secret")

#: The port of the users' web pages.
WEB = 8100

#: For each protocol a session as a client may say it, all at once.
SESSIONS = {
    "SMTP": (
        b"EHLO client.example\r\nAUTH PLAIN " + _PLAIN + b"\r\nMAIL FROM:<" + SENDER + b"> SIZE=99"
        b"\r\nRCPT TO:<" + BOX + b"> NOTIFY=NEVER\r\nDATA\r\nSubject: hello\r\n\r\n..\r\nbody\r\n"
        b".\r\nNOOP\r\nQUIT\r\n"
    ),
    "POP": (
        b"CAPA\r\nUSER box\r\nPASS secret\r\nSTAT\r\nLIST\r\nUIDL\r\nRETR 1\r\nTOP 1 0\r\n"
        b"DELE 1\r\n"
        b"RSET\r\nNOOP\r\nXTND XMIT\r\nTo: nobody\r\n\r\nhello\r\n.\r\nQUIT\r\n"
    ),
    "IMAP": (
        b'a CAPABILITY\r\nb LOGIN "box" {6}\r\nsecret\r\nc SELECT INBOX\r\nd FETCH 1:* (FLAGS '
        b"BODY[])\r\ne UID SEARCH ALL\r\nf STORE 1 +FLAGS (\\Seen)\r\ng CLOSE\r\nh LOGOUT\r\n"
    ),
    "PWD": (
        b"INLINE\r\nUSER box\r\nPASS secret\r\nNOOP\r\nGetAccountSettings box\r\nListAccounts\r\n"
        b"SetAccountPassword box TO secret\r\nHELP\r\nQUIT\r\n"
    ),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    victim = Victim(tmp_path_factory.mktemp("victim"), ["sender", "box", "other"])
    try:
        yield victim
    finally:
        status = victim.stop()
    assert status == 0
    assert not victim.errors()


@pytest.fixture
def victim(server: Victim) -> Iterator[Victim]:
    """The server; what it looks like afterwards is compared with what it looked like before."""
    server.serves()
    server.mail("box")
    server.rest()
    before = server.descriptors()
    yield server
    server.serves()
    server.rest()
    assert server.descriptors() <= before
    assert not [name for name in server.queued() if not name.endswith(".msg")]
    assert not server.complaints()


def deliver(victim: Victim, octets: bytes, box: bytes = BOX) -> bytes:
    """Send what follows the 354; return the reply."""
    with victim.connect("SMTP") as client:
        client.send(b"MAIL FROM:<%b>\r\nRCPT TO:<%b>\r\nDATA\r\n" % (SENDER, box))
        assert [client.line()[:3] for _ in range(3)] == [b"250", b"250", b"354"]
        client.send(octets)
        return client.line()


def body(message: bytes) -> bytes:
    return message.partition(b"\r\n\r\n")[2]


# Disconnects -------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", SESSIONS)
def test_a_client_may_end_at_any_octet(victim: Victim, service: str) -> None:
    session = SESSIONS[service]
    for length in range(len(session) + 1):
        with victim.connect(service) as client:
            client.send(session[:length])
            client.finish()
    victim.rest()
    messages = victim.mail("box")
    if service == "SMTP":
        complete = session.index(b"\r\n.\r\n") + len(b"\r\n.\r\n")
        assert len(messages) == len(session) + 1 - complete
        assert {body(message) for message in messages} == {b".\r\nbody\r\n"}


@pytest.mark.parametrize("service", SESSIONS)
def test_a_connection_may_break_at_any_octet(victim: Victim, service: str) -> None:
    session = SESSIONS[service]
    for length in range(len(session) + 1):
        client = Client(victim.place.server, SERVICES[service])
        client.send(session[:length])
        client.reset()
    victim.rest()
    for message in victim.mail("box"):
        assert body(message) == b".\r\nbody\r\n"


def test_web_clients_may_send_anything(victim: Victim) -> None:
    rng = random.Random(2)
    request = b"POST /~box/x%00 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
    hostile = [
        *(request[:length] for length in range(len(request) + 1)),
        *(rng.randbytes(rng.randrange(3000)) for _ in range(30)),
        *(b"GET /" + b"x" * MEGABYTE, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 10_000),
        *(b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"\r\n" * 1000),
    ]
    for octets in hostile:
        with Client(victim.place.server, WEB) as client:
            client.send(octets)
            client.finish()
    with Client(victim.place.server, WEB) as client:
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert client.finish().startswith(b"HTTP/1.")


def test_a_message_without_end_leaves_nothing(victim: Victim) -> None:
    rng = random.Random(1)
    for length in (0, 1, 70_000, MEGABYTE):
        for end in (b"", b"\r", b"\r\n", b"\r\n.", b"\r\n.\r"):
            with victim.connect("SMTP") as client:
                client.send(b"MAIL FROM:<>\r\nRCPT TO:<%b>\r\nDATA\r\n" % BOX)
                assert [client.line()[:3] for _ in range(3)] == [b"250", b"250", b"354"]
                client.send(rng.randbytes(length).replace(b"\r\n.\r\n", b"") + end)
                client.finish()
    victim.rest()
    assert not victim.queued()
    assert not victim.mail("box")


# Garbage -----------------------------------------------------------------------------------------

_WORDS = st.sampled_from(
    [word for session in SESSIONS.values() for word in re.split(rb"(?<=\n)|(?= )", session)]
)
_OCTETS = st.lists(st.one_of(st.binary(max_size=200), _WORDS), max_size=30).map(b"".join)
_LINE = st.binary(max_size=300).map(lambda octets: octets.replace(b"\n", b"") + b"\r\n")


@pytest.mark.parametrize("service", SESSIONS)
@FEW
@given(octets=_OCTETS)
@example(octets=b"\0" * 5000)
@example(octets=b"\r\n" * 500)
@example(octets=bytes(range(256)) * 50)
def test_garbage_is_answered_or_the_connection_closed(
    victim: Victim, service: str, octets: bytes
) -> None:
    with victim.connect(service) as client:
        client.send(octets)
        client.finish()


_REPLIES = {
    "SMTP": rb"[2345]\d\d ",
    "POP": rb"(\+OK|-ERR)",
    "IMAP": rb"(\S+|\*) (OK|NO|BAD|BYE)",
    "PWD": rb"[2345]\d\d ",
}


@pytest.mark.parametrize("service", SESSIONS)
@FEW
@given(lines=st.lists(_LINE, min_size=1, max_size=40))
@example(lines=[b"\r\n"] * 5)
@example(lines=[b"\xff\xfe \0\r\n", b"a \0\r\n", b"MAIL FROM:<\0>\r\n"])
def test_each_line_is_answered_once(victim: Victim, service: str, lines: list[bytes]) -> None:
    """A line of garbage gets one reply; if they are too many, the connection is closed."""
    with victim.connect(service) as client:
        client.send(b"".join(lines))
        replies = client.finish().splitlines()
    answers = [line for line in replies if re.match(_REPLIES[service], line)]
    assert answers == replies
    assert len(replies) <= len(lines) + 1
    if len(replies) < len(lines):
        assert re.search(rb"too many|BYE", replies[-1])


_VERB = st.sampled_from(
    [b"MAIL FROM:<", b"RCPT TO:<", b"MAIL ", b"RCPT TO:", b"HELO ", b"VRFY ", b"NOOP ", b"RSET"]
)


@FEW
@given(lines=st.lists(st.tuples(_VERB, _LINE).map(b"".join), min_size=1, max_size=15))
@example(lines=[b"MAIL FROM:<>\r\n", b"RCPT TO:<a\0b@c>\r\n", b"RCPT TO:<\xff@\xff>\r\n"])
@example(lines=[b"MAIL FROM:<" + b"a" * 4000 + b"@b>\r\n", b"RCPT TO:<" + b"@a:" * 900 + b">\r\n"])
@example(lines=[b"RCPT TO:<" + b"(" * 2000 + b'"\\' * 900 + b">\r\n", b"MAIL FROM:<[[[]@[>\r\n"])
def test_each_garbled_command_is_answered_once(victim: Victim, lines: list[bytes]) -> None:
    with victim.connect("SMTP") as client:
        client.send(b"".join(lines))
        replies = client.finish().splitlines()
    assert len(replies) == len(lines)
    assert all(re.match(rb"[25]\d\d ", reply) for reply in replies)


def test_nobody_forges_a_log_record(victim: Victim) -> None:
    """Every line of the log is a record (the fixture looks), and none is a client's."""
    forged = b"x\r\n00:00:00.000 1 SYSTEM forged\n00:00:00.000 1 SYSTEM forged"
    with victim.connect("SMTP") as client:
        client.send(b"AUTH PLAIN " + base64.b64encode(b"\0" + forged + b"\0secret") + b"\r\n")
        assert client.line().startswith(b"5")
        client.send(b"AUTH LOGIN\r\n" + base64.b64encode(forged) + b"\r\neA==\r\n")
        assert [client.line()[:3] for _ in range(3)] == [b"334", b"334", b"535"]
    with victim.connect("IMAP") as client:
        client.send(b"a LOGIN {%d}\r\n%b {6}\r\nsecret\r\n" % (len(forged), forged))
        assert b"a NO" in client.finish()
    victim.rest()
    log = b"".join(path.read_bytes() for path in victim.base.glob("SystemLogs/*"))
    assert b"forged" in log
    assert b"\n00:00:00.000" not in log


# Too much -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", SESSIONS)
def test_a_line_without_end_is_not_kept(victim: Victim, service: str) -> None:
    before = victim.memory()
    with victim.connect(service) as client:
        for _ in range(16):
            client.send(b"A" * MEGABYTE)
        victim.serves()
        assert victim.memory() < before + 8 * MEGABYTE
        client.send(b"\r\nQUIT\r\nx LOGOUT\r\n")
        replies = client.finish().splitlines()
    assert re.match(rb"5\d\d|-ERR|\* (BAD|BYE)", replies[0])


def test_a_message_of_one_long_line_passes_through(victim: Victim) -> None:
    before = victim.memory()
    line = b"x" * (16 * MEGABYTE) + b"\r\n"
    assert deliver(victim, b"\r\n" + line + b".\r\n").startswith(b"250")
    victim.rest()
    assert victim.memory() < before + 24 * MEGABYTE
    (message,) = victim.mail("box")
    assert body(message) == line


def test_a_storm_of_commands_is_answered_in_order_and_holds_nobody_up(victim: Victim) -> None:
    said = [b"NOOP", b"HELO client", b"VRFY x", b"RSET"] * 10_000
    expected = [b"250", b"250", b"252", b"250"] * 10_000
    with victim.connect("SMTP") as client:
        storm = threading.Thread(target=client.send, args=(b"\r\n".join(said) + b"\r\nQUIT\r\n",))
        storm.start()
        victim.serves()
        assert [line[:3] for line in client.rest().splitlines()] == [*expected, b"221"]
        storm.join()


def test_many_messages_in_one_go_are_all_taken(victim: Victim) -> None:
    one = b"MAIL FROM:<>\r\nRCPT TO:<%b>\r\nDATA\r\n\r\n%d\r\n.\r\n"
    with victim.connect("SMTP") as client:
        client.send(b"".join(one % (BOX, number) for number in range(60)) + b"QUIT\r\n")
        replies = [line[:3] for line in client.rest().splitlines()]
    assert replies == [b"250", b"250", b"354", b"250"] * 60 + [b"221"]
    victim.rest()
    assert sorted(int(body(message)) for message in victim.mail("box")) == list(range(60))


def test_a_storm_of_errors_ends_the_session(victim: Victim) -> None:
    for service in ("SMTP", "POP", "IMAP", "PWD"):
        with victim.connect(service) as client:
            client.send(b"USER box\r\nPASS wrong\r\nl LOGIN box wrong\r\n" * 200)
            replies = client.rest().splitlines()
        assert len(replies) < 100, service


# Neither reading nor leaving ----------------------------------------------------------------------

_LONG_ANSWERS = {
    "SMTP": b"HELP\r\n" * 20_000,
    "POP": b"USER box\r\nPASS secret\r\n" + b"RETR 1\r\n" * 200,
    "IMAP": b"a LOGIN box secret\r\na SELECT INBOX\r\n" + b"a FETCH 1 BODY[]\r\n" * 200,
    "PWD": b"HELP\r\n" * 20_000,
}


@pytest.mark.parametrize("service", SESSIONS)
def test_who_does_not_read_gets_no_more_and_is_cut_off_in_the_end(
    victim: Victim, service: str
) -> None:
    assert deliver(victim, b"\r\n" + b"y" * MEGABYTE + b"\r\n.\r\n").startswith(b"250")
    victim.rest()
    before, descriptors = victim.memory(), victim.descriptors()
    clients = [victim.connect(service) for _ in range(8)]
    for client in clients:
        client.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            client.socket.send(_LONG_ANSWERS[service])
    victim.serves()
    assert victim.memory() < before + 60 * MEGABYTE
    for _ in range(3):
        victim.advance(700)
    victim.serves()
    victim.rest()
    assert victim.descriptors() <= descriptors
    for client in clients:
        client.reset()
    assert len(victim.mail("box")) == 1


@pytest.mark.parametrize("service", SESSIONS)
def test_idle_clients_are_sent_away(victim: Victim, service: str) -> None:
    clients = [victim.connect(service) for _ in range(20)]
    clients[0].send(SESSIONS[service][:20])
    if service == "SMTP":
        clients[1].send(b"MAIL FROM:<>\r\nRCPT TO:<%b>\r\nDATA\r\nhalf a" % BOX)
    victim.rest()
    victim.advance(2000)
    for client in clients:
        assert client.rest()
        client.close()


@pytest.mark.parametrize("service", SESSIONS)
def test_too_many_clients_are_told_so(victim: Victim, service: str) -> None:
    address = victim.place.server, SERVICES[service]
    clients = [Client(*address) for _ in range(130)]
    greetings = [client.line() for client in clients]
    assert sum(line.startswith(GREETINGS[service]) for line in greetings) == 100
    assert all(b"too many" in line for line in greetings[100:])
    assert all(client.rest() == b"" for client in clients[100:])
    for client in clients:
        client.reset()
    victim.rest()


def test_thousands_of_sessions_leave_nothing_behind(victim: Victim) -> None:
    def visit(count: int) -> None:
        for number in range(count):
            service = list(SERVICES)[number % len(SERVICES)]
            client = Client(victim.place.server, SERVICES[service])
            if number % 3:
                client.send(SESSIONS[service][: number % len(SESSIONS[service])])
                client.finish()
            if number % 2:
                client.reset()
            client.close()
        victim.mail("box")
        victim.serves()
        victim.rest()

    visit(400)
    before, descriptors = victim.memory(), victim.descriptors()
    visit(1600)
    assert victim.descriptors() <= descriptors
    assert victim.memory() < before + 2 * MEGABYTE


# Smuggling ----------------------------------------------------------------------------------------

_ENDS = [
    *(b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r.\r\n", b"\r\n.\n", b"\r\n.\r", b"\n.\r", b"\r.\n"),
    *(
        b"\r\n\0.\r\n",
        b"\r\n.\0\r\n",
        b"\r\n. \r\n",
        b"\r\n.\r\r\n",
        b"\r\r\n.\r\r\n",
        b"\n\n.\n\n",
    ),
    *(b"\r\n\x2e\x0b\n", b"\r\n.\x85", b"\x85.\x85", b"\r\n\xe2\x80\xa8.\r\n"),
]


@pytest.mark.parametrize("pieces", [False, True])
@pytest.mark.parametrize("end", _ENDS)
def test_nobody_smuggles_a_second_message(victim: Victim, end: bytes, pieces: bool) -> None:
    """Whatever looks like an end of data: there is one message, or an error."""
    hidden = b"MAIL FROM:<evil@x>\r\nRCPT TO:<%b>\r\nDATA\r\nSubject: evil\r\n\r\nevil\r\n" % BOX
    content = b"Subject: first\r\n\r\nfirst" + end + hidden + b".\r\nNOOP\r\n"
    with victim.connect("SMTP") as client:
        client.send(b"MAIL FROM:<%b>\r\nRCPT TO:<%b>\r\nDATA\r\n" % (SENDER, BOX))
        assert [client.line()[:3] for _ in range(3)] == [b"250", b"250", b"354"]
        for piece in re.split(rb"(?<=[\r\n.])", content) if pieces else [content]:
            client.send(piece)
        reply = client.line()
        assert reply[:3] in (b"250", b"554")
        assert client.line().startswith(b"250"), "the NOOP"
    victim.rest()
    messages = victim.mail("box")
    assert len(messages) == (1 if reply.startswith(b"250") else 0)
    for message in messages:
        assert message.startswith(b"Return-Path: <" + SENDER)
        assert message.endswith((end + hidden).replace(b"\r\n.", b"\r\n"))


@FEW
@given(
    lines=st.lists(
        st.one_of(st.binary(max_size=40), st.sampled_from([b"", b".", b"..", b"From x", b"."])).map(
            lambda line: line.replace(b"\r", b"").replace(b"\n", b"")
        ),
        max_size=20,
    )
)
@example(lines=[bytes(range(256)).replace(b"\r", b"").replace(b"\n", b"")])
def test_any_octets_reach_the_mailbox_unchanged(victim: Victim, lines: list[bytes]) -> None:
    content = b"\r\n" + b"".join(line + b"\r\n" for line in lines)
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    assert deliver(victim, stuffed + b".\r\n").startswith(b"250")
    victim.rest()
    (message,) = victim.mail("box")
    expected = re.sub(rb"(?<=\r\n\r\n)From", b">From", b"\r\n" + content)
    assert message.endswith(expected)


# The end ------------------------------------------------------------------------------------------


def test_the_server_ends_in_order_however_many_clients_hang_on(tmp_path: Path) -> None:
    victim = Victim(tmp_path, ["box"])
    clients = [victim.connect(service) for service in SERVICES for _ in range(5)]
    clients[0].send(b"MAIL FROM:<>\r\nRCPT TO:<%b>\r\nDATA\r\nhalf a" % BOX)
    clients[1].send(b"MAIL FROM:<>\r\nRCPT TO:<%b>\r\nDATA\r\n\r\nwhole\r\n.\r\n" % BOX)
    assert [clients[1].line()[:3] for _ in range(4)] == [b"250", b"250", b"354", b"250"]
    assert victim.stop() == 0
    for client in clients:
        client.close()
    assert not victim.errors()
    assert not victim.complaints()
    assert not [name for name in victim.queued() if name.endswith(".tmp")]
