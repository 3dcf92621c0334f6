"""Remote hosts: every reply of a script, what they keep, and TLS with each certificate."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world_kit import SERVER, world

from conformance.scenario.model import Given, PeerSpec
from conformance.world import certificates
from conformance.world.peers.script import Script
from conformance.world.plan import PlanError
from conformance.world.world import World

ADDRESS = "11.22.33.44"


class Sender:
    """The server under test as a peer sees it: says lines, reads whole replies."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def reply(self) -> str:
        """Read a reply: its lines, joined by a bar; empty at the end of the connection."""
        lines = []
        while line := (await asyncio.wait_for(self.reader.readline(), 5)).decode().rstrip("\r\n"):
            lines.append(line)
            if line[3:4] != "-":
                break
        return "|".join(lines)

    async def say(self, line: str) -> str:
        """Say a line and read the reply."""
        self.writer.write(line.encode() + b"\r\n")
        return await self.reply()

    async def send(self, content: bytes, sender: str = "a@b.c", *recipients: str) -> list[str]:
        """Send a whole message after the greeting and EHLO."""
        replies = [await self.say(f"MAIL FROM:<{sender}>")]
        replies += [await self.say(f"RCPT TO:<{each}>") for each in recipients or ("x@y.z",)]
        replies.append(await self.say("DATA"))
        if replies[-1].startswith("354"):
            self.writer.write(content)
            replies.append(await self.say("."))
        return replies


@contextlib.asynccontextmanager
async def connection(built: World, port: int = 25) -> AsyncIterator[Sender]:
    """Connect as the server under test does."""
    plan = built.plan
    reader, writer = await asyncio.open_connection(
        plan.address(ADDRESS), plan.port(port), local_addr=(plan.address(SERVER), 0)
    )
    try:
        yield Sender(reader, writer)
    finally:
        writer.close()


def play(
    scene: Callable[[World, Sender], Coroutine[Any, Any, None]],
    replies: dict[str, tuple[str, ...]] | None = None,
    **spec: Any,
) -> None:
    """Play a scene with one peer, relay.com, and one connection to it."""
    peer = PeerSpec(name="relay.com", address=ADDRESS, replies=replies or {}, **spec)

    async def run() -> None:
        async with world(Given(peers=(peer,))) as built, connection(built) as sender:
            await scene(built, sender)

    asyncio.run(run())


def test_a_friendly_host_takes_everything() -> None:
    async def scene(built: World, sender: Sender) -> None:
        assert (await sender.reply()).startswith("220 relay.com ESMTP")
        assert await sender.say("EHLO mail.mycompany.com") == (
            "250-relay.com|250-8BITMIME|250-SIZE|250 PIPELINING"
        )
        replies = await sender.send(
            b"Subject: x\r\n\r\n..dot\r\nbare\nlf\r\n", "", "x@y.z", "u@v.w"
        )
        assert [reply[:3] for reply in replies] == ["250", "250", "250", "354", "250"]
        assert (await sender.say("RSET")).startswith("250")
        assert (await sender.say("NOOP")).startswith("250")
        assert (await sender.say("QUIT")).startswith("221")
        assert await sender.reply() == ""
        peer = built.peers["relay.com"]
        (message,) = peer.messages
        assert message.mail_from == ""
        assert message.recipients == ("x@y.z", "u@v.w")
        assert message.content == b"Subject: x\r\n\r\n.dot\r\nbare\nlf\r\n"
        assert (message.port, message.source, message.connection) == (25, SERVER, 1)
        assert (message.helo, message.tls) == ("mail.mycompany.com", False)
        assert [(each.number, each.source, each.port) for each in peer.connections] == [
            (1, SERVER, 25)
        ]

    play(scene)


@pytest.mark.parametrize(
    "address",
    [
        '"john smith"@y.z',
        '"a>b"@y.z',
        "@relay1,@relay2:user@host",
        "user%host",
        "[1.2.3.4]",
        "u@[1.2.3.4]",
        "u!v@w",
        "ж@y.z",
    ],
)
def test_addresses_are_kept_as_they_were_heard(address: str) -> None:
    async def scene(built: World, sender: Sender) -> None:
        await sender.reply()
        await sender.say("EHLO x")
        await sender.send(b"", address, address, address)
        (message,) = built.peers["relay.com"].messages
        assert message.mail_from == address
        assert message.recipients == (address, address)

    play(scene)


@pytest.mark.parametrize(("verb", "place"), [("mail", 0), ("rcpt", 1), ("data", 2), ("message", 3)])
def test_any_verb_can_refuse_and_nothing_is_kept(verb: str, place: int) -> None:
    async def scene(built: World, sender: Sender) -> None:
        await sender.reply()
        await sender.say("EHLO x")
        replies = await sender.send(b"text\r\n")
        assert replies[place] == "452 try later"
        assert built.peers["relay.com"].messages == []
        # A second try meets the second reply.
        await sender.say("RSET")
        assert (await sender.send(b"text\r\n"))[-1].startswith("250")
        assert len(built.peers["relay.com"].messages) == 1

    play(scene, {verb: ("452 try later", "ok")})


def test_the_last_reply_repeats_and_turns_are_counted_over_connections() -> None:
    async def scene(built: World, sender: Sender) -> None:
        await sender.reply()
        await sender.say("HELO x")
        assert await sender.say("MAIL FROM:<a@b.c>") == "451 first"
        async with connection(built) as second:
            await second.reply()
            await second.say("HELO x")
            assert await second.say("MAIL FROM:<a@b.c>") == "550 second"
            assert await second.say("MAIL FROM:<a@b.c>") == "550 second"
        assert len(built.peers["relay.com"].connections) == 2

    play(scene, {"mail": ("451 first", "550 second")})


def test_a_recipient_has_a_reply_of_its_own() -> None:
    async def scene(built: World, sender: Sender) -> None:
        await sender.reply()
        await sender.say("EHLO x")
        replies = await sender.send(b"", "a@b.c", "good@y.z", "BAD@y.z", "other@y.z", "bad@y.z")
        assert replies[1:5] == ["250 fine", "550 unknown", "250 fine", "451 full"]
        assert built.peers["relay.com"].messages[0].recipients == ("good@y.z", "other@y.z")

    play(scene, {"rcpt": ("250 fine",), "bad@y.z": ("550 unknown", "451 full")})


def test_a_host_may_know_helo_only() -> None:
    async def scene(built: World, sender: Sender) -> None:
        await sender.reply()
        assert await sender.say("EHLO x") == "500 what?"
        assert await sender.say("HELO x") == "250 relay.com"
        assert (await sender.send(b""))[-1].startswith("250")

    play(scene, {"ehlo": ("500 what?",)})


def test_a_greeting_can_refuse_and_a_421_closes() -> None:
    async def scene(built: World, sender: Sender) -> None:
        assert await sender.reply() == "421 busy"
        assert await sender.reply() == ""
        async with connection(built) as second:
            assert await second.reply() == "554-no|554 service"
            assert (await second.say("QUIT")).startswith("221")

    play(scene, {"connect": ("421 busy", "554-no\n554 service")})


@pytest.mark.parametrize("verb", ["connect", "ehlo", "mail", "rcpt", "data", "message", "quit"])
def test_a_host_can_drop_the_connection_anywhere(verb: str) -> None:
    async def talk(sender: Sender) -> None:
        await sender.reply()
        await sender.say("EHLO x")
        await sender.send(b"")
        await sender.say("QUIT")

    async def scene(built: World, sender: Sender) -> None:
        with contextlib.suppress(ConnectionError):
            await talk(sender)
            assert await sender.reply() == ""
        said = [line.text for line in built.transcript.lines if line.arrow == ">"]
        order = ["connect", "ehlo", "mail", "rcpt", "data", "message", "quit"]
        replies = [line for line in said if line[3:4] == " "]
        assert len(replies) == order.index(verb)
        assert len(built.peers["relay.com"].messages) == (verb == "quit")

    play(scene, {verb: ("drop",)})


@pytest.mark.parametrize("verb", ["connect", "mail", "message"])
def test_a_silent_host_holds_the_server_as_long_as_the_connection_lasts(verb: str) -> None:
    async def scene(built: World, sender: Sender) -> None:
        wait = f"smtp:{built.plan.address(ADDRESS)}:25"
        changed = asyncio.Event()
        built.on_change = changed.set
        sender.writer.write(
            b"EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<x@y.z>\r\nDATA\r\ntext\r\n.\r\n"
        )
        while not built.held(wait):
            await asyncio.wait_for(changed.wait(), 5)
        changed.clear()
        assert not built.held(wait, 2)
        assert not built.held(wait.replace(":25", ":26"))
        assert not built.held("smtp:11.22.33.99:25")
        sender.writer.close()
        await asyncio.wait_for(changed.wait(), 5)
        assert not built.held(wait)
        assert built.peers["relay.com"].messages == []

    play(scene, {verb: ("hang",)})


def test_behaviour_can_change_in_the_middle() -> None:
    async def scene(built: World, sender: Sender) -> None:
        await sender.reply()
        await sender.say("EHLO x")
        assert await sender.say("MAIL FROM:<a@b.c>") == "450 not yet"
        built.set_peer(PeerSpec(name="relay.com", address=ADDRESS))
        assert (await sender.send(b""))[-1].startswith("250")
        with pytest.raises(KeyError):
            built.set_peer(PeerSpec(name="nobody.com", address=ADDRESS))

    play(scene, {"mail": ("450 not yet",)})


def test_several_ports_and_names_in_the_transcript() -> None:
    async def scene(built: World, sender: Sender) -> None:
        await sender.reply()
        async with connection(built, 26) as other:
            await other.reply()
            await other.say("EHLO x")
            await other.send(b"hello\r\n")
        (message,) = built.peers["relay.com"].messages
        assert message.port == 26
        channels = {line.channel for line in built.transcript.lines}
        assert {"relay.com", "relay.com:26 #2"} <= channels
        heard = [line.text for line in built.transcript.lines if line.arrow == "<"]
        assert heard == ["EHLO x", "MAIL FROM:<a@b.c>", "RCPT TO:<x@y.z>", "DATA", "hello", "."]

    play(scene, ports=(25, 26))


def test_verbs_out_of_order_are_refused() -> None:
    async def scene(built: World, sender: Sender) -> None:
        await sender.reply()
        assert (await sender.say("RCPT TO:<x@y.z>")).startswith("503")
        assert (await sender.say("DATA")).startswith("503")
        assert (await sender.say("MAIL FROM a@b.c")).startswith("501")
        await sender.say("MAIL FROM:<a@b.c>")
        assert (await sender.say("RCPT TO:x")).startswith("501")
        assert (await sender.say("WHAT")).startswith("500")

    play(scene)


@pytest.mark.parametrize("kind", certificates.KINDS)
def test_tls_with_each_certificate(kind: str) -> None:
    def judged() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=certificates.authority_pem().decode())
        return context

    def unjudged() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    complaint = {
        "expired": "certificate has expired",
        "wrong-name": "Hostname mismatch",
        "self-signed": "self-signed certificate",
    }.get(kind)

    async def scene(built: World, sender: Sender) -> None:
        await sender.reply()
        assert "STARTTLS" in await sender.say("EHLO x")
        assert (await sender.say("STARTTLS")).startswith("220")
        if complaint is not None:
            with pytest.raises(ssl.SSLCertVerificationError, match=complaint):
                await sender.writer.start_tls(judged(), server_hostname="relay.com")
        async with connection(built) as again:
            await again.reply()
            await again.say("EHLO x")
            await again.say("STARTTLS")
            context = judged() if complaint is None else unjudged()
            await again.writer.start_tls(context, server_hostname="relay.com")
            assert "STARTTLS" not in await again.say("EHLO x")
            await again.send(b"secret\r\n")
        (message,) = built.peers["relay.com"].messages
        assert message.tls
        assert message.content == b"secret\r\n"

    play(scene, certificate=kind)


def test_an_unknown_certificate_is_refused_when_the_world_is_built() -> None:
    async def scene(built: World, sender: Sender) -> None:
        raise AssertionError("not reached")

    with pytest.raises(PlanError, match="unknown certificate 'golden'; known are good, expired"):
        play(scene, certificate="golden")


def test_passwords_that_a_peer_hears_are_masked() -> None:
    async def scene(built: World, sender: Sender) -> None:
        await sender.reply()
        await sender.say("EHLO x")
        assert (await sender.say("AUTH LOGIN")).startswith("334")
        assert (await sender.say("am9obg==")).startswith("334")
        assert (await sender.say("c2VjcmV0")).startswith("235")
        shown = "\n".join(line.text for line in built.transcript.lines)
        assert "AUTH LOGIN" in shown
        assert "c2VjcmV0" not in shown

    play(scene, extensions=("AUTH LOGIN",))


def test_a_certificate_of_a_chosen_name() -> None:
    async def scene(built: World, sender: Sender) -> None:
        await sender.reply()
        await sender.say("EHLO x")
        await sender.say("STARTTLS")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=certificates.authority_pem().decode())
        await sender.writer.start_tls(context, server_hostname="company.dom")
        shown = sender.writer.get_extra_info("peercert")
        assert (("commonName", "company.dom"),) in shown["subject"]

    play(scene, certificate="good", certificate_name="company.dom")


def test_tls_begins_with_the_connection_at_port_465() -> None:
    peer = PeerSpec(name="relay.com", address=ADDRESS, ports=(25, 465), certificate="good")

    async def run() -> None:
        async with world(Given(peers=(peer,))) as built, connection(built, 465) as sender:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(cadata=certificates.authority_pem().decode())
            await sender.writer.start_tls(context, server_hostname="relay.com")
            assert (await sender.reply()).startswith("220")
            assert "STARTTLS" not in await sender.say("EHLO x")
            await sender.send(b"secret\r\n")
            (message,) = built.peers["relay.com"].messages
            assert (message.tls, message.port) == (True, 465)
            assert all(line.tls for line in built.peers["relay.com"].heard)

    asyncio.run(run())


@pytest.mark.parametrize("said", ["500 what", "drop"])
def test_what_comes_in_place_of_a_handshake(said: str) -> None:
    async def scene(built: World, sender: Sender) -> None:
        await sender.reply()
        await sender.say("EHLO x")
        assert (await sender.say("STARTTLS")).startswith("220")
        sender.writer.write(b"\x16\x03\x01 a hello\r\n of bytes\r\n")
        if said != "drop":
            assert await sender.reply() == said
        with contextlib.suppress(ConnectionError):
            assert await sender.reply() == ""
        assert [line.text for line in built.peers["relay.com"].heard] == ["EHLO x", "STARTTLS"]

    play(scene, {"tls": (said,)}, certificate="good")


def test_starttls_can_be_refused() -> None:
    async def scene(built: World, sender: Sender) -> None:
        await sender.reply()
        await sender.say("EHLO x")
        assert await sender.say("STARTTLS") == "454 later"
        assert (await sender.say("NOOP")).startswith("250")

    play(scene, {"starttls": ("454 later",)}, certificate="good")


@pytest.mark.parametrize(
    ("lines", "last"),
    [
        (["AUTH PLAIN AG1lAHNlY3JldA=="], "235"),
        (["AUTH PLAIN", "AG1lAHNlY3JldA=="], "235"),
        (["AUTH PLAIN AG1lAHdyb25n"], "535"),
        (["AUTH LOGIN", "bWU=", "c2VjcmV0"], "235"),
        (["AUTH LOGIN bWU=", "c2VjcmV0"], "235"),
        (["AUTH LOGIN", "bWU=", "d3Jvbmc="], "535"),
        (["AUTH LOGIN", "*", "*"], "535"),
        (["AUTH NTLM"], "535"),
    ],
)
def test_logins(lines: list[str], last: str) -> None:
    async def scene(built: World, sender: Sender) -> None:
        await sender.reply()
        assert "AUTH CRAM-MD5 LOGIN PLAIN" in await sender.say("EHLO x")
        assert (await sender.say("MAIL FROM:<a@b.c>")).startswith("530")
        reply = ""
        for line in lines:
            if reply.startswith("5"):
                break
            reply = await sender.say(line)
        assert reply.startswith(last)
        replies = await sender.send(b"x\r\n")
        assert replies[0].startswith("250" if last == "235" else "530")
        assert [m.login for m in built.peers["relay.com"].messages] == ["me"] * (last == "235")

    play(scene, logins={"me": "secret"})


def test_a_login_by_digest() -> None:
    async def scene(built: World, sender: Sender) -> None:
        await sender.reply()
        await sender.say("EHLO x")
        challenge = (await sender.say("AUTH CRAM-MD5")).removeprefix("334 ")
        digest = hmac.new(b"secret", base64.b64decode(challenge), "md5").hexdigest()
        response = base64.b64encode(f"me {digest}".encode()).decode()
        assert (await sender.say(response)).startswith("235")
        challenge = await sender.say("AUTH CRAM-MD5")
        wrong = base64.b64encode(b"you " + digest.encode()).decode()
        assert (await sender.say(wrong)).startswith("535")

    play(scene, logins={"me": "secret"})


def test_those_that_hang_look_again_when_the_behaviour_changes() -> None:
    async def scene(built: World, sender: Sender) -> None:
        await sender.reply()
        await sender.say("EHLO x")
        sender.writer.write(b"MAIL FROM:<a@b.c>\r\n")
        peer = built.peers["relay.com"]
        while not peer.held(f"smtp:{built.plan.address(ADDRESS)}:25"):
            await asyncio.sleep(0)
        built.set_peer(PeerSpec(name="relay.com", address=ADDRESS, replies={"mail": ("450 no",)}))
        assert await sender.reply() == "450 no"
        assert not peer.held(f"smtp:{built.plan.address(ADDRESS)}:25")

    play(scene, {"mail": ("hang",)})


@settings(max_examples=50)
@given(
    st.lists(st.sampled_from(["ok", "450 a", "550 b"]), min_size=1, max_size=4), st.integers(1, 9)
)
def test_replies_come_in_turn(replies: list[str], times: int) -> None:
    script = Script({"MAIL": tuple(replies)})
    said = [script.next_reply("mail") for _ in range(times)]
    assert said == [replies[min(turn, len(replies) - 1)] for turn in range(times)]
    assert script.next_reply("rcpt") == "ok"
