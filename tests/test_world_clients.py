"""Line clients, submission, CLI and POP3 clients, against small scripted servers."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
import socket
import struct
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world_kit import CLOSE, SERVER, STRANGER, LineServer, loopback, world

from conformance.scenario.model import Given, PeerSpec
from conformance.world.clients.control import CliClient, CliReply, LoginRefused
from conformance.world.clients.line import (
    BadReply,
    ConnectionClosed,
    ConnectRefused,
    Dialect,
    LineClient,
    Reply,
    ReplyTimeout,
    TlsFailed,
    dot_stuffed,
)
from conformance.world.clients.pop import FetchRefused, fetch_all
from conformance.world.clients.replies import ReplyReader
from conformance.world.clients.submit import Credentials, Envelope, Submission, submit
from conformance.world.loopback import LoopbackPlan
from conformance.world.plan import PlanError
from conformance.world.transcript import Transcript

Answers = Mapping[str, bytes | Sequence[bytes]]
Scene = Callable[[LoopbackPlan, Transcript, LineServer], Coroutine[Any, Any, None]]


def play(scene: Scene, greeting: bytes, answers: Answers, port: int) -> None:
    """Play a scene with a scripted server at the server's address."""

    async def run() -> None:
        with loopback() as plan:
            server = LineServer(greeting, answers)
            async with server.listening(plan, port):
                await scene(plan, Transcript(), server)

    asyncio.run(run())


# Where replies end.

STREAMS = [
    (
        Dialect.SMTP,
        ["EHLO x", "QUIT"],
        b"220 hello there\r\n250-mail\r\n250-SIZE 100\r\n250\r\n221 bye\n",
        [("220", "hello there"), ("250", "mail"), ("221", "bye")],
    ),
    (
        Dialect.POP,
        ["LIST", "LIST 1", "RETR 1", "RETR 9", "UIDL", "AUTH", "AUTH PLAIN", "CAPA", "xtnd xmit"],
        (
            b"+OK hi\r\n+OK 1 message\r\n1 20\r\n.\r\n+OK 1 20\r\n"
            b"+OK\r\nA: b\r\n\r\n..\r\n...\r\n.\r\n"
            b"-ERR none\r\n+OK\r\n.\r\n+OK\r\nPLAIN\r\n.\r\n+ \r\n-ERR\r\n+OK send\r\n"
        ),
        [
            ("+OK", "hi"),
            ("+OK", "1 message"),
            ("+OK", "1 20"),
            ("+OK", ""),
            ("-ERR", "none"),
            ("+OK", ""),
            ("+OK", ""),
            ("+", ""),
            ("-ERR", ""),
            ("+OK", "send"),
        ],
    ),
    (
        Dialect.IMAP,
        ["a LOGIN j s", "b FETCH 1 BODY[]", "c APPEND INBOX {3}", "abc", "d LOGOUT"],
        (
            b"* OK ready\r\n* CAPABILITY IMAP4rev1\r\na OK in\r\n"
            b"* 1 FETCH (BODY[] {8}\r\nx OK\r\n\r\n BODY[2] {0}\r\n)\r\nb ok done\r\n"
            b"+ go\r\nc OK put\r\n* BYE\r\nd OK out\r\n"
        ),
        [
            ("* OK", "ready"),
            ("a OK", "in"),
            ("b OK", "done"),
            ("+", "go"),
            ("c OK", "put"),
            ("d OK", "out"),
        ],
    ),
    (
        Dialect.PWD,
        ["USER x", "PASS y", "GETACCOUNT a", "LISTDOMAINS", "GETDOMAINALIASES", "INLINE", "X"],
        (
            b"200 PWD Server 3.5 ready\r\n300 please\r\n200 login OK\r\n"
            b'200 data follow\r\n{A="}\\"";\r\nB=(1,\r\n2);}\r\n200 data follow\r\n("a.com",b)\r\n'
            b'200 Data Follow\r\n"two words"\r\n201 {A=1;}\r\n501 no such account\r\n'
        ),
        [
            ("200", "PWD Server 3.5 ready"),
            ("300", "please"),
            ("200", "login OK"),
            ("200", "data follow"),
            ("200", "data follow"),
            ("200", "Data Follow"),
            ("201", "{A=1;}"),
            ("501", "no such account"),
        ],
    ),
]


def _all_replies(dialect: Dialect, commands: Sequence[str], pieces: Sequence[bytes]) -> list[Reply]:
    reader = ReplyReader(dialect)
    for command in commands:
        reader.sent(command)
    replies = []
    for piece in pieces:
        reader.feed(piece)
        while (reply := reader.next_reply()) is not None:
            replies.append(reply)
    assert reader.unread == b""
    return replies


@pytest.mark.parametrize(("dialect", "commands", "stream", "expected"), STREAMS)
def test_replies_end_where_they_do(
    dialect: Dialect, commands: list[str], stream: bytes, expected: list[tuple[str, str]]
) -> None:
    replies = _all_replies(dialect, commands, [stream])
    assert [(reply.code, reply.text) for reply in replies] == expected
    assert b"".join(reply.raw for reply in replies) == stream


@given(st.sampled_from(STREAMS), st.lists(st.integers(0, 400), max_size=20))
def test_replies_do_not_depend_on_how_the_octets_arrive(
    case: tuple[Dialect, list[str], bytes, Any], cuts: list[int]
) -> None:
    dialect, commands, stream, _ = case
    edges = sorted({0, *(min(cut, len(stream)) for cut in cuts), len(stream)})
    pieces = [stream[start:end] for start, end in itertools.pairwise(edges)]
    assert _all_replies(dialect, commands, pieces) == _all_replies(dialect, commands, [stream])


def test_the_lines_of_a_reply_without_their_codes() -> None:
    smtp = _all_replies(Dialect.SMTP, [], [b"250-mail\r\n250-SIZE 100\r\n250 HELP\r\n"])[0]
    assert smtp.texts == ("mail", "SIZE 100", "HELP")
    stream = b"+OK\r\n+OK 2 lines\r\n..a\r\nb\r\n.\r\n"
    pop = _all_replies(Dialect.POP, ["RETR 1"], [stream])[1]
    assert pop.texts == ("2 lines", ".a", "b")
    imap = _all_replies(Dialect.IMAP, ["a NOOP"], [b"* OK\r\n", b"* 3 EXISTS\r\na OK done\r\n"])[1]
    assert imap.texts == ("* 3 EXISTS", "a OK done")
    pwd = _all_replies(Dialect.PWD, [], [b"200 data follow\r\n(a,\r\nb)\r\n"])[0]
    assert pwd.texts == ("data follow", "(a,", "b)")


@pytest.mark.parametrize(
    ("dialect", "octets", "complaint"),
    [
        (Dialect.SMTP, b"hello\r\n", "not an SMTP reply line: 'hello'"),
        (Dialect.SMTP, b"2500 OK\r\n", "not an SMTP reply line"),
        (Dialect.SMTP, b"250-a\r\n251 b\r\n", "the code changes inside one reply"),
        (Dialect.POP, b"OK\r\n", "not a POP3 reply line"),
        (Dialect.IMAP, b"a\r\n", "not an IMAP response"),
        (Dialect.PWD, b"ready\r\n", "not a PWD reply line"),
    ],
)
def test_what_is_no_reply_is_refused(dialect: Dialect, octets: bytes, complaint: str) -> None:
    with pytest.raises(BadReply, match=complaint):
        _all_replies(dialect, [], [octets])


@given(st.sampled_from(list(Dialect)), st.binary(max_size=80))
def test_any_octets_are_read_or_refused(dialect: Dialect, octets: bytes) -> None:
    reader = ReplyReader(dialect)
    reader.feed(octets)
    taken = b""
    try:
        while (reply := reader.next_reply()) is not None:
            taken += reply.raw
    except BadReply:
        pass
    assert taken + reader.unread == octets


@given(st.binary(max_size=100))
def test_dot_stuffing_hides_every_lone_dot(content: bytes) -> None:
    data = dot_stuffed(content)
    assert data.endswith(b".\r\n")
    lines = data.split(b"\r\n")[:-2]
    assert b"." not in lines
    plain = b"\n".join(line.removeprefix(b".") for line in lines)
    assert plain == content.replace(b"\r\n", b"\n").removesuffix(b"\n")


# The raw client.


def test_a_dialogue_goes_over_the_wire_as_it_is_written() -> None:
    async def scene(plan: LoopbackPlan, transcript: Transcript, server: LineServer) -> None:
        client = LineClient(plan, transcript, dialect=Dialect.SMTP, channel="smtp")
        await client.connect(STRANGER, SERVER, 25)
        assert client.connected
        assert (await client.read_reply()).code == "220"
        await client.send(b"EHLO ")
        await client.send(b"h\xf6st\r\n")
        assert (await client.read_reply()).texts == ("mail", "SIZE")
        await client.send(b"DATA\r\n")
        assert (await client.read_reply()).code == "354"
        await client.send_data(b"Subject: x\n\n.dot\nend")
        assert (await client.read_reply()).text == "taken"
        await client.send(b"QUIT\r\n")
        await client.read_reply()
        client.close()
        assert server.sources == [plan.address(STRANGER)]
        assert server.heard[1:] == ["DATA", "Subject: x", "", "..dot", "end", ".", "QUIT"]
        shown = [f"{line.arrow} {line.text}" for line in transcript.lines]
        assert shown == [
            "< 220 hello",
            "* 5 octets sent without a line end",
            "> EHLO h\\xf6st",
            "< 250-mail",
            "< 250 SIZE",
            "> DATA",
            "< 354 go",
            "> Subject: x",
            "> ",
            "> ..dot",
            "> end",
            "> .",
            "< 250 taken",
            "> QUIT",
            "< 221 bye",
        ]

    answers = {
        "EHLO": b"250-mail\r\n250 SIZE\r\n",
        "DATA": b"354 go\r\n",
        ".": b"250 taken\r\n",
        "QUIT": b"221 bye\r\n",
    }
    play(scene, b"220 hello\r\n", answers, 25)


def test_silence_ends_in_a_time_out_that_says_what_was_awaited() -> None:
    async def scene(plan: LoopbackPlan, transcript: Transcript, server: LineServer) -> None:
        client = LineClient(plan, transcript, dialect=Dialect.SMTP, channel="smtp", seconds=0.01)
        await client.connect(STRANGER, SERVER, 25)
        with pytest.raises(ReplyTimeout, match=r"no reply for 0\.01 s"):
            await client.read_reply()
        with pytest.raises(ReplyTimeout, match=r"did not close for 0\.01 s"):
            await client.expect_close()
        await client.drop()
        assert transcript.lines[0].text == "250-half a reply"

    play(scene, b"250-half a reply\r\n", {}, 25)


def test_a_close_instead_of_a_reply_is_said() -> None:
    async def scene(plan: LoopbackPlan, transcript: Transcript, server: LineServer) -> None:
        client = LineClient(plan, transcript, dialect=Dialect.SMTP, channel="smtp")
        await client.connect(STRANGER, SERVER, 25)
        await client.read_reply()
        await client.send(b"NOOP\r\n")
        with pytest.raises(ConnectionClosed, match="closed the connection instead of a reply"):
            await client.read_reply()
        assert not client.connected
        await client.expect_close()
        with pytest.raises(ConnectionClosed):
            await client.send(b"NOOP\r\n")

    play(scene, b"220 hello\r\n", {"NOOP": CLOSE}, 25)


def test_words_before_the_close_are_found() -> None:
    async def scene(plan: LoopbackPlan, transcript: Transcript, server: LineServer) -> None:
        client = LineClient(plan, transcript, dialect=Dialect.SMTP, channel="smtp")
        await client.connect(STRANGER, SERVER, 25)
        await client.read_reply()
        await client.send(b"NOOP\r\nQUIT\r\n")
        with pytest.raises(BadReply, match="said more before it closed"):
            await client.expect_close()

    play(scene, b"220 hello\r\n", {"NOOP": b"250 ok\r\n", "QUIT": CLOSE}, 25)


@pytest.mark.parametrize(
    ("dialect", "greeting", "complaint"),
    [
        (Dialect.SMTP, b"421 later\r\n", ""),
        (Dialect.SMTP, b"", ""),
        (Dialect.POP, b"-ERR later\r\n", ""),
        (Dialect.IMAP, b"* BYE later\r\n", ""),
        (Dialect.SMTP, b"554 never\r\n", "said 554 never before it closed"),
        (Dialect.SMTP, b"220 welcome\r\n", "said 220 welcome before it closed"),
        (Dialect.POP, b"+OK welcome\r\n", "said .OK welcome before it closed"),
        (Dialect.SMTP, b"421 later\r\n421 again\r\n", "more than an error"),
    ],
)
def test_a_client_is_turned_away(dialect: Dialect, greeting: bytes, complaint: str) -> None:
    async def scene(plan: LoopbackPlan, transcript: Transcript, server: LineServer) -> None:
        client = LineClient(plan, transcript, dialect=dialect, channel="line")
        await client.connect(STRANGER, SERVER, 25)
        await client.send(b"QUIT\r\n")
        if not complaint:
            await client.expect_turned_away()
            return
        with pytest.raises(BadReply, match=complaint):
            await client.expect_turned_away()

    play(scene, greeting, {"QUIT": CLOSE}, 25)


def test_an_alert_of_tls_is_no_word() -> None:
    async def scene(plan: LoopbackPlan, transcript: Transcript, server: LineServer) -> None:
        client = LineClient(plan, transcript, dialect=Dialect.SMTP, channel="smtp")
        await client.connect(STRANGER, SERVER, 25)
        await client.send(b"QUIT\r\n")
        await client.expect_close()

    play(scene, b"\x15\x03\x01\x00\x02\x02\x46", {"QUIT": CLOSE}, 25)


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("method", "challenges", "responses"),
    [
        ("PLAIN", [""], ["\0john\0secret"]),
        ("LOGIN", ["Username:", "Password:"], ["john", "secret"]),
        ("CRAM-MD5", ["<1@a>"], [f"john {hmac.new(b'secret', b'<1@a>', 'md5').hexdigest()}"]),
    ],
)
def test_a_client_logs_in(method: str, challenges: list[str], responses: list[str]) -> None:
    async def scene(plan: LoopbackPlan, transcript: Transcript, server: LineServer) -> None:
        client = LineClient(plan, transcript, dialect=Dialect.SMTP, channel="smtp")
        await client.connect(STRANGER, SERVER, 25)
        await client.read_reply()
        assert (await client.authenticate(method, "john", "secret")).code == "235"
        assert server.heard == [f"AUTH {method}", *map(_encoded, responses)]
        assert not any(_encoded(responses[-1]) in line.text for line in transcript.lines)

    said = [f"334 {_encoded(challenge)}\r\n".encode() for challenge in challenges]
    turns = [*said, b"235 welcome\r\n"]
    play(
        scene,
        b"220 hello\r\n",
        dict(zip(["AUTH", *map(_encoded, responses)], turns, strict=True)),
        25,
    )


def test_a_challenge_that_is_none_is_said() -> None:
    async def scene(plan: LoopbackPlan, transcript: Transcript, server: LineServer) -> None:
        client = LineClient(plan, transcript, dialect=Dialect.SMTP, channel="smtp")
        await client.connect(STRANGER, SERVER, 25)
        await client.read_reply()
        with pytest.raises(BadReply, match="is no challenge of CRAM-MD5"):
            await client.authenticate("CRAM-MD5", "john", "secret")

    play(scene, b"220 hello\r\n", {"AUTH": b"334 not base64!\r\n"}, 25)


def test_nobody_listening_and_strange_hosts_are_refused() -> None:
    async def run() -> None:
        with loopback() as plan:
            client = LineClient(plan, Transcript(), dialect=Dialect.SMTP, channel="smtp")
            with pytest.raises(ConnectRefused, match=r"10\.0\.0\.1 port 25 takes no connection"):
                await client.connect(STRANGER, SERVER, 25)
            with pytest.raises(PlanError, match="none of the server's addresses"):
                await client.connect(STRANGER, "11.22.33.44", 25)
            with pytest.raises(ConnectionClosed, match="not connected"):
                await client.send(b"x")

    asyncio.run(run())


def test_a_connection_that_is_taken_and_reset_at_once_is_closed() -> None:
    async def run() -> None:
        with loopback() as plan, plan.listening_socket(SERVER, 25) as listener:
            listener.settimeout(5)
            resets = asyncio.create_task(asyncio.to_thread(_take_and_reset, listener, 20))
            for _ in range(20):
                client = LineClient(plan, Transcript(), dialect=Dialect.SMTP, channel="smtp")
                await client.connect(STRANGER, SERVER, 25)
                with pytest.raises(ConnectionClosed):
                    await client.read_reply()
            await resets

    asyncio.run(run())


def _take_and_reset(listener: socket.socket, times: int) -> None:
    for _ in range(times):
        taken, _ = listener.accept()
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        taken.close()


def test_tls_begins_in_the_middle_and_forgets_what_came_in_the_clear() -> None:
    async def run() -> None:
        # A peer at the server's own address plays the server.
        peer = PeerSpec(name="mail.com", address="10.0.0.2", certificate="self-signed", dns=False)
        async with world(Given(addresses=(SERVER, "10.0.0.2"), peers=(peer,))) as built:
            client = LineClient(built.plan, built.transcript, dialect=Dialect.SMTP, channel="smtp")
            await client.connect(STRANGER, "10.0.0.2", 25)
            for line in (b"", b"EHLO x\r\n", b"STARTTLS\r\n"):
                if line:
                    await client.send(line)
                await client.read_reply()
            await client.start_tls()
            assert client.certificate_names()
            await client.send(b"EHLO x\r\n")
            assert "STARTTLS" not in (await client.read_reply()).texts
            await client.send(b"QUIT\r\n")
            await client.read_reply()
            await client.expect_close()

    asyncio.run(run())


def test_a_failed_tls_handshake_is_said() -> None:
    async def scene(plan: LoopbackPlan, transcript: Transcript, server: LineServer) -> None:
        client = LineClient(plan, transcript, dialect=Dialect.SMTP, channel="smtp", seconds=2)
        await client.connect(STRANGER, SERVER, 25)
        await client.read_reply()
        await client.send(b"STARTTLS\r\n")
        await client.read_reply()
        with pytest.raises(TlsFailed, match="TLS handshake"):
            await client.start_tls()

    play(scene, b"220 hello\r\n", {"STARTTLS": [b"220 go\r\n250 not TLS\r\n"]}, 25)


# A whole submission.

FRIENDLY: dict[str, bytes | Sequence[bytes]] = {
    "EHLO": b"250-mail\r\n250-AUTH=PLAIN\r\n250 AUTH PLAIN CRAM-MD5\r\n",
    "HELO": b"250 mail\r\n",
    "AUTH": b"235 in\r\n",
    "MAIL": b"250 ok\r\n",
    "RCPT": b"250 ok\r\n",
    "RCPT TO:<bad@y.z>": b"550 no\r\n",
    "DATA": b"354 go\r\n",
    ".": b"250 taken\r\n",
    "QUIT": b"221 bye\r\n",
}


def _submit(
    changes: Answers,
    recipients: tuple[str, ...] = ("x@y.z",),
    credentials: Credentials | None = None,
    greeting: bytes = b"220 hello\r\n",
) -> tuple[Submission, list[str]]:
    done: list[Submission] = []
    heard: list[str] = []

    async def scene(plan: LoopbackPlan, transcript: Transcript, server: LineServer) -> None:
        done.append(
            await submit(
                plan,
                transcript,
                source=STRANGER,
                host=SERVER,
                envelope=Envelope("a@b.c", recipients),
                content=b"Subject: x\n\n.\n",
                credentials=credentials,
                helo="host",
                seconds=2,
            )
        )
        heard.extend(server.heard)

    play(scene, greeting, {**FRIENDLY, **changes}, 25)
    return done[0], heard


def test_a_submission_tells_what_every_phase_got() -> None:
    result, heard = _submit({}, ("x@y.z", "bad@y.z", "u@v.w"))
    assert result.taken
    assert result.accepted == ("x@y.z", "u@v.w")
    assert [(address, str(reply)) for address, reply in result.recipients] == [
        ("x@y.z", "250 ok"),
        ("bad@y.z", "550 no"),
        ("u@v.w", "250 ok"),
    ]
    assert result.message is not None
    assert result.message.text == "taken"
    assert result.quit is not None
    assert (result.auth, result.broken) == (None, "")
    assert heard == [
        "EHLO host",
        "MAIL FROM:<a@b.c>",
        "RCPT TO:<x@y.z>",
        "RCPT TO:<bad@y.z>",
        "RCPT TO:<u@v.w>",
        "DATA",
        "Subject: x",
        "",
        "..",
        ".",
        "QUIT",
    ]


@pytest.mark.parametrize(
    ("changes", "last", "reached"),
    [
        ({"EHLO": b"500 x\r\n", "HELO": b"550 x\r\n"}, "helo", ["EHLO host", "HELO host"]),
        ({"MAIL": b"550 x\r\n"}, "mail", ["EHLO host", "MAIL FROM:<a@b.c>"]),
        (
            {"DATA": b"550 x\r\n"},
            "data",
            ["EHLO host", "MAIL FROM:<a@b.c>", "RCPT TO:<x@y.z>", "DATA"],
        ),
    ],
)
def test_a_submission_ends_where_it_is_refused(
    changes: Answers, last: str, reached: list[str]
) -> None:
    result, heard = _submit(changes)
    assert getattr(result, last).code == "550"
    assert result.message is None
    assert not result.taken
    assert heard == [*reached, "QUIT"]
    assert result.quit is not None


def test_without_a_recipient_there_is_no_data() -> None:
    result, heard = _submit({}, ("bad@y.z",))
    assert (result.data, result.accepted) == (None, ())
    assert "DATA" not in heard


def test_a_refused_connection_goes_no_further() -> None:
    result, heard = _submit({}, greeting=b"554 go away\r\n")
    assert result.helo is None
    assert heard == ["QUIT"]


def test_a_server_that_breaks_off_is_a_result() -> None:
    result, _ = _submit({"RCPT": CLOSE})
    assert "closed the connection" in result.broken
    assert result.mail is not None
    assert result.recipients == ()


def test_a_submission_authenticates_with_plain() -> None:
    result, heard = _submit({}, credentials=Credentials("john@b.c", "secret"))
    assert result.auth is not None
    assert base64.b64decode(heard[1].split()[2]) == b"\0john@b.c\0secret"
    assert result.taken


def test_a_submission_authenticates_with_a_challenge_where_there_is_no_other_way() -> None:
    changes: dict[str, bytes | Sequence[bytes]] = {
        "EHLO": b"250-mail\r\n250 AUTH CRAM-MD5\r\n",
        "AUTH": b"334 " + base64.b64encode(b"<1.2@mail>") + b"\r\n",
    }
    digest = hmac.new(b"secret", b"<1.2@mail>", hashlib.md5).hexdigest()
    response = base64.b64encode(f"john {digest}".encode()).decode()
    result, _ = _submit(
        {**changes, response: b"235 in\r\n"}, credentials=Credentials("john", "secret")
    )
    assert result.auth is not None
    assert result.auth.code == "235"
    assert result.taken
    refused, heard = _submit({"AUTH": b"535 no\r\n"}, credentials=Credentials("john", "wrong"))
    assert refused.mail is None
    assert heard[-1] == "QUIT"


# The CLI.

CLI: dict[str, bytes | Sequence[bytes]] = {
    "USER": b"300 password\r\n",
    "PASS secret": b"200 in\r\n",
    "PASS": b"500 wrong\r\n",
    "INLINE": b"200 inline\r\n",
    "LISTDOMAINS": b'201 ("a.com","b.com")\r\n',
    "QUIT": b"200 closed\r\n",
    "CREATEACCOUNT": b"501 exists\r\n",
    "NOOP": b"200 OK\r\n",
}


def test_the_cli_client_logs_in_and_sends_many_commands_at_once() -> None:
    async def scene(plan: LoopbackPlan, transcript: Transcript, server: LineServer) -> None:
        cli = CliClient(plan, transcript)
        await cli.connect(SERVER, SERVER)
        await cli.login("postmaster", "secret")
        assert cli.inline
        assert cli.connected
        replies = await cli.commands(["LISTDOMAINS", "CREATEACCOUNT x", *["NOOP"] * 200])
        assert replies[0] == CliReply(201, "", '("a.com","b.com")')
        assert replies[0].succeeded
        assert replies[1] == CliReply(501, "exists", "")
        assert not replies[1].succeeded
        assert len(replies) == 202
        await cli.command("NOOP two\nlines")
        assert server.heard[-1] == "NOOP two lines"
        await cli.quit()
        assert all("secret" not in line.text for line in transcript.lines)

    play(scene, b"200 PWD Server 3.5 ready\r\n", CLI, 106)


def test_without_inline_answers_data_follow() -> None:
    async def scene(plan: LoopbackPlan, transcript: Transcript, server: LineServer) -> None:
        cli = CliClient(plan, transcript)
        await cli.connect(SERVER, SERVER)
        await cli.login("postmaster", "secret")
        assert not cli.inline
        reply = await cli.command("GETACCOUNT x")
        assert reply == CliReply(200, "data follow", '{A=1;\nB="2";}')
        cli.close()

    answers = {**CLI, "INLINE": b"500 what?\r\n"}
    answers["GETACCOUNT"] = b'200 data follow\r\n{A=1;\r\nB="2";}\r\n'
    play(scene, b"200 PWD Server 3.5 ready\r\n", answers, 106)


def test_a_challenge_in_the_greeting_is_answered() -> None:
    async def scene(plan: LoopbackPlan, transcript: Transcript, server: LineServer) -> None:
        cli = CliClient(plan, transcript)
        await cli.connect(SERVER, SERVER)
        await cli.login("postmaster", "secret", inline=False)
        digest = hashlib.md5(b"<1.2@mail.com>secret").hexdigest()
        assert server.heard == [f"APOP postmaster {digest}"]
        cli.close()

    play(scene, b"200 PWD ready <1.2@mail.com>\r\n", {"APOP": b"200 in\r\n"}, 106)


@pytest.mark.parametrize("greeting", [b"200 ready\r\n", b"500 busy\r\n"])
def test_a_refused_login_is_said(greeting: bytes) -> None:
    async def enter(cli: CliClient) -> None:
        await cli.connect(SERVER, SERVER)
        await cli.login("postmaster", "other")

    async def scene(plan: LoopbackPlan, transcript: Transcript, server: LineServer) -> None:
        cli = CliClient(plan, transcript)
        with pytest.raises(LoginRefused, match=r"500 (wrong|busy)"):
            await enter(cli)
        cli.close()

    play(scene, greeting, CLI, 106)


# Fetching over POP3.

POP: dict[str, bytes | Sequence[bytes]] = {
    "USER": b"+OK\r\n",
    "PASS secret": b"+OK\r\n",
    "PASS": b"-ERR wrong password\r\n",
    "STAT": b"+OK 2 60\r\n",
    "RETR 1": b"+OK\r\nSubject: one\r\n\r\n..dot\r\n.\r\n",
    "RETR 2": b"+OK\r\nSubject: two\r\n\r\n" + b"x" * 100_000 + b"\r\n.\r\n",
    "QUIT": b"+OK bye\r\n",
}


def _fetch(changes: Answers, password: str = "secret", seconds: float = 5) -> list[bytes]:
    fetched: list[bytes] = []

    async def scene(plan: LoopbackPlan, transcript: Transcript, server: LineServer) -> None:
        fetched.extend(
            await fetch_all(
                plan,
                transcript,
                source=STRANGER,
                host=SERVER,
                user="john@b.c",
                password=password,
                seconds=seconds,
            )
        )
        assert server.heard[-1] == "QUIT"
        assert "DELE" not in " ".join(server.heard)
        assert server.sources == [plan.address(STRANGER)]
        assert all("secret" not in line.text for line in transcript.lines)

    play(scene, b"+OK\r\n", {**POP, **changes}, 110)
    return fetched


def test_all_messages_are_fetched_as_they_are() -> None:
    one, two = _fetch({})
    assert one == b"Subject: one\r\n\r\n.dot\r\n"
    assert len(two) == len("Subject: two\r\n\r\n") + 100_002


def test_an_empty_mailbox_and_a_hasty_goodbye() -> None:
    assert _fetch({"STAT": b"+OK 0 0\r\n", "QUIT": CLOSE}) == []


def test_a_refused_fetch_says_why() -> None:
    with pytest.raises(FetchRefused, match="refused PASS: wrong password"):
        _fetch({}, "other")
    with pytest.raises(FetchRefused, match="refused RETR 2: gone"):
        _fetch({"RETR 2": b"-ERR gone\r\n"})


def test_a_server_that_closes_or_falls_silent_is_said() -> None:
    with pytest.raises(ConnectionClosed, match="at STAT"):
        _fetch({"STAT": CLOSE})
    with pytest.raises(ReplyTimeout, match="no reply to STAT"):
        _fetch({"STAT": b""}, seconds=0.05)
