"""Remote POP3 hosts: what they hold, what they say, and what they are told to say."""

from __future__ import annotations

import asyncio
import poplib
from collections.abc import Callable

import pytest
from world_kit import world

from conformance.scenario.model import Given, PeerSpec, RemoteMailbox, StoredMail
from conformance.world.world import World

MAILS = (
    StoredMail("aa", {"Subject": "one", "To": "a@b,\n c@d"}, "first\n.dotted"),
    StoredMail("bb", {"Subject": "two"}, "second"),
)
HOST = PeerSpec(
    name="pop.provider.com",
    address="11.22.33.44",
    ports=(110,),
    mailboxes={"john": RemoteMailbox("secret", MAILS)},
    apop=True,
)


def visit(
    spec: PeerSpec, talk: Callable[[poplib.POP3], object], after: Callable[[World], object]
) -> None:
    """Let a client talk to a host, in a thread; then look at the world."""

    async def run() -> None:
        async with world(Given(peers=(spec,))) as built:
            address, port = built.plan.address(spec.address), built.plan.port(110)

            def client() -> None:
                pop = poplib.POP3(address, port, timeout=5)
                try:
                    talk(pop)
                finally:
                    pop.close()

            await asyncio.to_thread(client)
            await built.settle()
            after(built)

    asyncio.run(run())


def log_in(pop: poplib.POP3) -> None:
    pop.user("john")
    pop.pass_("secret")


def left(built: World) -> list[str]:
    return built.peers["pop.provider.com"].mailboxes["john"].uids


def test_a_friendly_host() -> None:
    def talk(pop: poplib.POP3) -> None:
        pop.apop("john", "secret")
        assert pop.stat()[0] == 2
        assert pop.uidl()[1] == [b"1 aa", b"2 bb"]
        assert pop.retr(1)[1] == [
            *(b"Subject: one", b"To: a@b,", b" c@d", b"", b"first", b".dotted")
        ]
        assert pop.top(2, 0)[1] == [b"Subject: two", b""]
        pop.dele(1)
        assert pop.list()[1] == [b"2 24"]
        pop.quit()

    def after(built: World) -> None:
        assert left(built) == ["bb"]
        heard = [line.text for line in built.peers["pop.provider.com"].heard]
        assert heard[-2:] == ["LIST", "QUIT"]

    visit(HOST, talk, after)


def test_without_quit_nothing_is_deleted() -> None:
    def talk(pop: poplib.POP3) -> None:
        log_in(pop)
        pop.dele(1)

    visit(HOST, talk, lambda built: left(built) == ["aa", "bb"] or pytest.fail("deleted"))


@pytest.mark.parametrize(
    ("replies", "command"),
    [
        ({"connect": ("-ERR busy",)}, None),
        ({"pass": ("-ERR in use",)}, log_in),
        ({"uidl": ("drop",)}, lambda pop: (log_in(pop), pop.uidl())),
    ],
)
def test_a_scripted_host(
    replies: dict[str, tuple[str, ...]], command: Callable[[poplib.POP3], object] | None
) -> None:
    spec = PeerSpec(
        name=HOST.name,
        address=HOST.address,
        ports=(110,),
        mailboxes=HOST.mailboxes,
        replies=replies,
    )
    with pytest.raises((poplib.error_proto, ConnectionError)):
        visit(spec, command or log_in, lambda _: None)


def test_a_wrong_password_and_a_mailbox_in_use() -> None:
    def talk(pop: poplib.POP3) -> None:
        pop.user("john")
        with pytest.raises(poplib.error_proto):
            pop.pass_("wrong")
        log_in(pop)
        other = poplib.POP3(pop.host, pop.port, timeout=5)
        with pytest.raises(poplib.error_proto, match="in use"):
            log_in(other)
        other.close()

    visit(HOST, talk, lambda built: left(built) == ["aa", "bb"] or pytest.fail("changed"))
