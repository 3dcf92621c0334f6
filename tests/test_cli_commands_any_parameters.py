"""Whatever an administrator sends, he gets an answer, and the server keeps its wits."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_world import CLIWorld
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reference.cli import cluster
from reference.cli.command import Command
from reference.cli.commands import COMMANDS
from reference.formats.dictionary import Value, dump

ODD_STRINGS = st.sampled_from(
    [
        *("", "*", "@", "a@", "@b", "a@b@c", ".", "..", "../../etc/passwd", "a/b", "\0", "\r\n"),
        *("x" * 300, "é", "\udcff", "default", "#", "%", "INBOX", "all", "postmaster", "user1"),
        *("user1@client1.com", "client1.com", "mycompany.com", "SMTP", "Router", "-1", "99999999"),
        *("<a", '"', "=", "10.0.0.1-", "a = b", "<*@x> = error", "unlimited", "never", "YES"),
    ]
)
STRINGS = ODD_STRINGS | st.text(max_size=8)
KEYWORDS = STRINGS | st.sampled_from(
    ["Password", "AccessModes", "MaxAccountSize", "IPAddresses", "DomainName", "ListenerPorts"]
)
VALUES: st.SearchStrategy[Value] = st.recursive(
    STRINGS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS, inner, max_size=3),
    max_leaves=5,
)
DICTIONARIES: st.SearchStrategy[Value] = st.dictionaries(KEYWORDS, VALUES, max_size=3)
KINDS: dict[str, st.SearchStrategy[str]] = {
    "string": STRINGS.map(dump),
    "number": st.sampled_from(["0", "1", "-1", "5", "100000000000000000"]),
    "array": st.lists(VALUES, max_size=3).map(dump),
    "dictionary": DICTIONARIES.map(dump),
    "rest": STRINGS,
}


#: What a parameter may name that is there; anything else comes now and then.
NAMES: dict[str, list[str]] = {
    "accountName": ["user1", "postmaster", "*", "user1@client1.com", "User1@mycompany.com"],
    "oldAccountName": ["user1", "user1@client1.com"],
    "domainName": ["client1.com", "mycompany.com", "*"],
    "oldDomainName": ["client1.com"],
    "listName": ["l1", "l1@mycompany.com"],
    "moduleName": ["SMTP", "Router", "Server", "Queue", "Strings"],
    "mailboxName": ["INBOX", "box"],
}
OWN_COMMANDS = [command for command in COMMANDS if command not in cluster.COMMANDS]


@st.composite
def lines(draw: st.DrawFn, command: Command) -> str:
    """Make a line that fits the command's usage, with any values."""
    parts = [command.name]
    skipping = 0
    for word in command.usage.notation.replace("[", " [ ").replace("]", " ] ").split():
        if word == "[":
            skipping += bool(skipping) or draw(st.booleans())
        elif word == "]":
            skipping -= bool(skipping)
        elif not skipping:
            name, colon, kind = word.partition(":")
            if not colon:
                parts.append(word)
            elif name in NAMES and draw(st.integers(0, 4)):
                parts.append(dump(draw(st.sampled_from(NAMES[name]))))
            else:
                words = st.sampled_from(kind.split("|"))
                parts.append(draw(KINDS.get(kind, words)))
    return " ".join(parts)


@pytest.fixture
def world(tmp_path: Path) -> CLIWorld:
    world = CLIWorld(tmp_path)
    world.account("postmaster").open()  # as a session does
    world.ok('CreateDomain "client1.com"', "CreateAccount user1", "CreateList l1 for user1")
    world.ok('CreateAccount "user1@client1.com"', 'SetAccountRights "user1@client1.com" (Domain)')
    return world


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.sampled_from(OWN_COMMANDS).flatmap(lines))
def test_every_command_answers_any_parameters(world: CLIWorld, line: str) -> None:
    postmaster = world.account("postmaster")
    if postmaster.rights != {"Master"}:
        postmaster.set_rights({"Master"})
    reply = world.run(line)
    assert reply.code in (200, 500, 501)
    for inline in (True, False):
        sent = reply.render(inline=inline)
        assert sent.count("\r\n") == (2 if reply.value is not None and not inline else 1)
        assert sent.encode("utf-8", "surrogateescape").endswith(b"\r\n")
    if reply.value is None:
        assert (reply.code == 200) == (reply.text == "OK")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.sampled_from(OWN_COMMANDS).flatmap(lines))
def test_domain_administrator_never_changes_the_main_domain(world: CLIWorld, line: str) -> None:
    def main_domain() -> object:
        main = world.domains.main
        accounts = {account.name: account.explicit for account in main.accounts.values()}
        return main.explicit, accounts, sorted(main.forwarders), sorted(main.lists)

    before = main_domain(), world.domains.names(), world.settings.module("SMTP")
    world.run(line, "user1@client1.com")
    assert (main_domain(), world.domains.names(), world.settings.module("SMTP")) == before
