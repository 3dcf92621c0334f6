"""Peers that exchange roles: they hand out what they hold, and take a client's connection over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from test_world_peers import Sender, play
from world_kit import SERVER, STRANGER, LineServer, world

from conformance.scenario.dialogue import DialogueError, ExchangeRoles, format_event, parse_line
from conformance.scenario.dialogue_checks import Conversation
from conformance.scenario.model import Given, HeldMail, PeerSpec
from conformance.world.clients.line import Dialect, LineClient
from conformance.world.peers.provider import held_content
from conformance.world.transcript import Transcript
from conformance.world.world import World

HELD = (
    HeldMail(("john@company.com", "nobody@company.com"), "user@elsewhere.example", "one"),
    HeldMail(("mary@company.com",), "", "two", ".dots\n"),
)
RECEIVER = {
    "EHLO": b"250 hello\r\n",
    "MAIL": b"250 OK\r\n",
    "RCPT": b"250 OK\r\n",
    "RCPT TO:<nobody@company.com>": b"550 unknown\r\n",
    "DATA": b"354 go on\r\n",
    ".": b"250 taken\r\n",
    "QUIT": b"221 bye\r\n",
}


def hand_out(scene: Callable[[World, Sender], Coroutine[Any, Any, None]], **spec: Any) -> None:
    play(scene, holds=HELD, **spec)


def test_after_atrn_the_peer_is_the_client() -> None:
    async def scene(built: World, server: Sender) -> None:
        assert (await server.reply()).startswith("220")
        hello = await server.say("EHLO company.com")
        assert "|250-ETRN" in hello
        assert "|250 ATRN" in hello
        assert (await server.say("ATRN")).startswith("250")
        assert await server.say("220 ready") == "EHLO relay.com"
        assert await server.say("250 hello") == "MAIL FROM:<user@elsewhere.example>"
        assert await server.say("250 OK") == "RCPT TO:<john@company.com>"
        assert await server.say("250 OK") == "RCPT TO:<nobody@company.com>"
        assert await server.say("550 unknown") == "DATA"
        server.writer.write(b"354 go on\r\n")
        assert b"Subject: one\r\n" in await server.reader.readuntil(b"\r\n.\r\n")
        assert await server.say("250 taken") == "MAIL FROM:<>"
        assert await server.say("550 no") == "QUIT"
        assert await server.say("221 bye") == ""
        heard = [line.text for line in built.peers["relay.com"].heard]
        assert heard == ["EHLO company.com", "ATRN"]

    hand_out(scene)


@pytest.mark.parametrize("verb", ["ATRN", "TURN"])
def test_who_has_not_logged_in_gets_nothing(verb: str) -> None:
    async def scene(built: World, server: Sender) -> None:
        await server.reply()
        assert (await server.say(verb)).startswith("530")
        assert (await server.say("RSET")).startswith("250")

    hand_out(scene, logins={"domain.dom": "sesame"})


def test_there_is_no_mail() -> None:
    async def scene(built: World, server: Sender) -> None:
        await server.reply()
        assert (await server.say("ATRN")).startswith("453")

    play(scene)


def test_a_script_can_refuse_everything() -> None:
    async def scene(built: World, server: Sender) -> None:
        await server.reply()
        assert await server.say("ETRN company.com") == "459 no"
        assert await server.say("ATRN") == "450 no"
        assert not built.working

    hand_out(scene, replies={"etrn": ("459 no",), "atrn": ("450 no",)})


def test_after_etrn_the_peer_connects() -> None:
    async def scene(built: World, server: Sender) -> None:
        receiver = LineServer(b"220 ready\r\n", RECEIVER)
        async with receiver.listening(built.plan, 25):  # type: ignore[arg-type]
            await server.reply()
            assert (await server.say("ETRN company.com")).startswith("250")
            assert built.working
            await asyncio.wait_for(built.finish(), 5)
        assert not built.working
        assert receiver.sources == [built.plan.address("11.22.33.44")]
        assert receiver.heard[0] == "EHLO relay.com"
        assert receiver.heard.count("DATA") == 2
        assert "..dots" in receiver.heard
        assert receiver.heard[-1] == "QUIT"

    hand_out(scene)


def test_a_peer_that_nobody_listens_to_gives_up() -> None:
    async def scene(built: World, server: Sender) -> None:
        await server.reply()
        await server.say("ETRN company.com")
        await asyncio.wait_for(built.finish(), 5)

    hand_out(scene)


def test_a_peer_takes_a_client_connection_over() -> None:
    async def run() -> None:
        peer = PeerSpec(name="relay.com", address="11.22.33.44")
        async with world(Given(peers=(peer,))) as built:
            reached: asyncio.Future[str] = asyncio.get_running_loop().create_future()

            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                writer.write(b"220 hi\r\n")
                await reader.readline()
                writer.write(b"250 turned\r\n")
                sender = Sender(reader, writer)
                replies = [await sender.reply(), await sender.say("EHLO company.com")]
                replies += await sender.send(b"Subject: kept\r\n\r\n")
                writer.close()
                reached.set_result("; ".join(reply[:3] for reply in replies))

            sock = built.plan.listening_socket(SERVER, 25)
            listening = await asyncio.start_server(serve, sock=sock)
            client = LineClient(built.plan, Transcript(), dialect=Dialect.SMTP, channel="customer")
            await client.connect(STRANGER, SERVER, 25)
            await client.read_reply()
            await client.send(b"ATRN\r\n")
            await client.read_reply()
            relay = built.peers["relay.com"]
            relay.take_over(client.give_away())
            assert await asyncio.wait_for(reached, 5) == "220; 250; 250; 250; 354; 250"
            (message,) = relay.messages
            assert message.turned
            assert message.content == b"Subject: kept\r\n\r\n"
            assert relay.connections == []
            assert relay.open == 0
            listening.close()

    asyncio.run(run())


def test_what_is_held_is_a_message() -> None:
    content = held_content(HELD[1])
    assert content.startswith(b"From: <postmaster@elsewhere.example>\n")
    assert content.endswith(b"\n\n.dots\n\n")


def test_the_line_of_a_dialogue() -> None:
    event = parse_line("--- turn domain.dom", 7, "smtp")
    assert event == ExchangeRoles(7, "domain.dom")
    assert format_event(event) == "--- turn domain.dom"
    with pytest.raises(DialogueError):
        parse_line("--- turn", 7, "smtp")


@pytest.mark.parametrize(
    ("lines", "mistakes"),
    [
        (["S: 220", "C: ATRN", "S: 250", "--- turn domain.dom"], []),
        (["S: 220", "C: TURN", "S: 2*", "--- turn domain.dom"], []),
        (["S: 220", "C: ATRN", "S: 450", "--- turn domain.dom"], ["--- turn follows"]),
        (["S: 220", "C: NOOP", "S: 250", "--- turn domain.dom"], ["--- turn follows"]),
        (["S: 220", "C: ATRN", "S: 250", "--- turn a.b", "C: QUIT"], ["the connection ended"]),
        (["S: 220", "C: ETRN a.b", "S: 4*|5*"], []),
        (["S: 220", "C: ETRN a.b", "S: 4*|9*"], ["“4*|9*” cannot come"]),
    ],
)
def test_what_can_match(lines: list[str], mistakes: list[str]) -> None:
    events = [parse_line(line, number, "smtp") for number, line in enumerate(lines, 1)]
    talk = Conversation("smtp", set())
    found = [mistake.text for mistake in talk.follow(tuple(filter(None, events)))]
    assert len(found) == len(mistakes)
    assert all(text.startswith(start) for text, start in zip(found, mistakes, strict=True))
