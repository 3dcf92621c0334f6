"""Steps in order: reads them, follows connections, variables, peers and the server's process.

What a step means can depend on the steps before it (is this connection open, is this name bound, is
the server running); this reader keeps that state for one row of one file. It judges nothing that
depends on what a server does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from conformance.scenario.complaints import Complaints, Place, Placed, either, suggest
from conformance.scenario.dialogue import DialogueError, Event, SendFile, parse_line
from conformance.scenario.dialogue_checks import Conversation
from conformance.scenario.model import Given, PeerSpec, Step
from conformance.scenario.nodes import Fields, Items, Node, Text, kind_of
from conformance.scenario.shapes import ADDRESS, text_of
from conformance.scenario.step_keys import BARE_WORDS, PEER_CHANGES, STEP_KINDS
from conformance.scenario.steps import (
    STRANGER,
    BouncedStep,
    DialogueStep,
    MailStep,
    NotRelayedStep,
    PeerStep,
    ProcessAction,
    ProcessStep,
    Refusal,
    RelayedStep,
    StepValue,
    WaitStep,
    WriteStep,
)

PROTOCOLS = ("smtp", "pop", "imap", "pwd")
_NEEDS_SERVER = frozenset({"mail", "route", "cli", "delivered", "not delivered", "wait", "rest"})
_ALL_KEYS = (*STEP_KINDS, *PROTOCOLS, "peer")


@dataclass(frozen=True, slots=True)
class _DialogueKey:
    """What the key of a dialogue says: ``smtp alice from 10.1.1.1 to 10.0.0.1 port 26``."""

    protocol: str
    connection: str
    source: str
    to: str
    port: int | None

    @property
    def addressed(self) -> bool:
        """True when the key says how to connect."""
        return bool(self.source or self.to or self.port)


class StepReader:
    """Reads the steps of one row."""

    def __init__(self, given: Given, messages: Collection[str], complaints: Complaints) -> None:
        self._given = given
        self._messages = messages
        self._complaints = complaints
        self._conversations: dict[tuple[str, str], Conversation] = {}
        self._bound: set[str] = set()
        self._peers: dict[str, PeerSpec] = {peer.name: peer for peer in given.peers}
        self._running = True

    def read(self, node: Node) -> tuple[Step, ...]:
        """Return the steps of a ``steps`` list."""
        if not isinstance(node, Items) or not node.items:
            self._complaints.add(
                node,
                f"steps are a list, not {kind_of(node)}; begin each step with “- ”"
                if not isinstance(node, Items)
                else "a scenario needs at least one step",
            )
            return ()
        steps = (self._step(item) for item in node.items)
        return tuple(step for step in steps if step is not None)

    def _step(self, node: Node) -> Step | None:
        if isinstance(node, Text) and not node.absent:
            key, value = node, Text("", node.line, node.column)
            if node.value in STEP_KINDS and node.value not in BARE_WORDS:
                self._complaints.add(
                    node,
                    f"“{node.value}” needs a value; write - "
                    f"{node.value}: {STEP_KINDS[node.value].example}",
                )
                return None
        elif isinstance(node, Fields) and len(node.pairs) == 1:
            key, value = node.pairs[0]  # type: ignore[assignment]
        else:
            self._complaints.add(
                node.pairs[1][0] if isinstance(node, Fields) and node.pairs else node,
                "a step is a mapping with one key; begin the next step with “- ”",
            )
            return None
        read = self._value(key, value)
        if read is None:
            return None
        kind, step_value = read
        return Step(kind, self._complaints.position(key), step_value)

    def _value(self, key: Text, node: Node) -> tuple[str, StepValue] | None:
        words = key.value.split()
        if words and words[0] in PROTOCOLS:
            dialogue = self._dialogue(key, words, node)
            return (words[0], dialogue) if dialogue else None
        name = " ".join(words)
        if name == "peer":
            return name, self._peer(node)
        kind = STEP_KINDS.get(name)
        if kind is None:
            known = f"; steps are {either(sorted(_ALL_KEYS))}"
            hint = suggest(name, _ALL_KEYS, otherwise=suggest(words[0] if words else "", PROTOCOLS))
            self._complaints.add(key, f"unknown step “{key.value}”{hint or known}")
            return None
        if name in _NEEDS_SERVER:
            self._need_server(key, name)
        before = len(self._complaints)
        value = kind.make(kind.shape.read(node, self._complaints))
        return name, value if len(self._complaints) > before else self._checked(value, key, node)

    # Dialogues.

    def _dialogue(self, key: Text, words: list[str], node: Node) -> DialogueStep | None:
        spoken = self._key(key, words)
        events = self._events(node, words[0])
        if spoken is None:
            return None
        slot = (spoken.protocol, spoken.connection)
        held = self._conversations.get(slot) if spoken.connection else None
        opens = held is None or (held.over and spoken.addressed)
        if opens:
            self._need_server(key, spoken.protocol)
        self._check_opening(key, spoken, held)
        conversation = Conversation(spoken.protocol, self._bound) if opens else held
        if spoken.connection and conversation:
            self._conversations[slot] = conversation
        if conversation and events:
            for line, mistake in conversation.follow(events):
                self._complaints.add(_line_place(node, line), mistake)
        return DialogueStep(
            protocol=spoken.protocol,
            events=events,
            connection=spoken.connection,
            opens=opens,
            source=spoken.source or STRANGER,
            to=spoken.to,
            port=spoken.port,
        )

    def _check_opening(self, key: Text, spoken: _DialogueKey, held: Conversation | None) -> None:
        name, protocol = spoken.connection, spoken.protocol
        if not name or (held and held.over):
            return
        if held is None and not spoken.addressed:
            open_names = [n for p, n in self._conversations if p == protocol]
            self._complaints.add(
                key,
                f"no {protocol} connection “{name}” is open{suggest(name, open_names)}; "
                f"begin it with {protocol} {name} from ADDRESS",
            )
        elif held is not None and spoken.addressed:
            self._complaints.add(
                key, f"the connection “{name}” is open already; go on with {protocol} {name}"
            )

    def _key(self, key: Text, words: list[str]) -> _DialogueKey | None:
        form = f"{words[0]} [NAME] [from ADDRESS] [to ADDRESS] [port N]"
        rest = words[1:]
        name = rest.pop(0) if rest and rest[0] not in ("from", "to", "port") else ""
        said: dict[str, str] = {}
        while len(rest) >= 2 and rest[0] in ("from", "to", "port") and rest[0] not in said:
            said[rest[0]] = rest[1]
            rest = rest[2:]
        if rest:
            hint = suggest(rest[0], ("from", "to", "port"))
            self._complaints.add(key, f"“{rest[0]}” does not fit here{hint}; the form is {form}")
            return None
        for word in ("from", "to"):
            if word in said:
                ADDRESS.read(Text(said[word], key.line, key.column), self._complaints)
        port = said.get("port", "0")
        if not port.isdigit() or int(port) > 65535:
            self._complaints.add(key, f"“{port}” is no port; the form is {form}")
            return None
        if said.get("to"):
            self._server_address(key, said["to"])
        return _DialogueKey(
            words[0], name, said.get("from", ""), said.get("to", ""), int(port) or None
        )

    def _events(self, node: Node, protocol: str) -> tuple[Event, ...]:
        text = text_of(node, self._complaints, "a dialogue in a block (after “|”)")
        if text is None or not isinstance(node, Text):
            return ()
        if node.style == ">":
            self._complaints.add(node, "“>” joins the lines of a dialogue; write “|”")
            return ()
        events: list[Event] = []
        for number, line in enumerate(text.split("\n")):
            place = node.place(number)
            try:
                event = parse_line(line, place.line, protocol)
            except DialogueError as error:
                offset = len(line) - len(line.lstrip()) + max(0, error.offset)
                self._complaints.add(node.place(number, offset), str(error))
                continue
            if isinstance(event, SendFile):
                self._message(place, event.name)
            if event is not None:
                events.append(event)
        if not events and not text.strip():
            self._complaints.add(node, "this dialogue is empty; begin with the greeting, S: …")
        return tuple(events)

    # Steps that refer to the world.

    def _checked(self, value: StepValue, key: Text, node: Node) -> StepValue:
        """Check a step against ``given`` and the steps before it; return it completed."""
        match value:
            case MailStep():
                return self._mail(value, node)
            case RelayedStep():
                self._peer_names(_at(node, "host"), (value.host,))
                if value.source:
                    self._server_address(_at(node, "source"), value.source)
            case NotRelayedStep():
                self._peer_names(node, value.hosts)
            case BouncedStep():
                if value.host:
                    self._peer_names(_at(node, "host"), (value.host,))
                else:
                    self._need_server(key, "bounced")
            case ProcessStep():
                self._process(key, value.action)
            case WriteStep():
                if self._running:
                    self._complaints.add(key, "“write” needs a stopped server; put - stop before")
            case WaitStep():
                self._let_servers_speak()
        return value

    def _mail(self, mail: MailStep, node: Node) -> MailStep:
        if mail.file:
            self._message(_at(node, "file"), mail.file)
            for name in ("subject", "header", "body"):
                if isinstance(node, Fields) and node.get(name):
                    self._complaints.add(
                        _at(node, name), f"the file is the whole message; leave out “{name}”"
                    )
        if mail.server:
            self._server_address(_at(node, "server"), mail.server)
        if mail.account and not mail.password:
            self._account(_at(node, "as"), mail.account)
        return replace(mail, refused=self._refusals(mail, _at(node, "refused")))

    def _refusals(self, mail: MailStep, place: Placed) -> tuple[Refusal, ...]:
        """Return the refusals with ``all`` spelt out."""
        refusals: list[Refusal] = []
        for refusal in mail.refused:
            if refusal.place == "rcpt" and refusal.recipient.lower() == "all":
                refusals += [replace(refusal, recipient=address) for address in mail.to]
                continue
            if refusal.place == "rcpt" and refusal.recipient not in mail.to:
                hint = suggest(refusal.recipient, (*mail.to, "all"))
                self._complaints.add(
                    place, f"“{refusal.recipient}” is no recipient of this mail{hint}"
                )
            refusals.append(refusal)
        return tuple(refusals)

    def _account(self, place: Placed, account: str) -> None:
        main = self._given.main_domain
        known = [
            f"{name}@{domain.name}".lower()
            for domain in self._given.domains
            for one in domain.accounts
            for name in (one.name, *one.aliases)
        ]
        known.append(f"postmaster@{main}".lower())
        wanted = account.lower() if "@" in account else f"{account}@{main}".lower()
        domains = {
            alias.lower(): domain.name.lower()
            for domain in self._given.domains
            for alias in domain.aliases
        }
        name, _, domain_name = wanted.rpartition("@")
        if f"{name}@{domains.get(domain_name, domain_name)}" not in known:
            self._complaints.add(
                place,
                f"the account “{account}” is not in given{suggest(account, known)}; "
                "add it there, or give its “password” here",
            )

    def _peer(self, node: Node) -> PeerStep:
        changes = PEER_CHANGES.read(node, self._complaints)
        self._peer_names(node, changes, keys=True)
        changed: list[PeerSpec] = []
        for name, values in changes.items():
            if name in self._peers:
                self._peers[name] = _changed(self._peers[name], values)
                changed.append(self._peers[name])
        return PeerStep(tuple(changed))

    def _peer_names(self, node: Placed, names: Iterable[str], *, keys: bool = False) -> None:
        for name in names:
            if name not in self._peers:
                place = node
                if keys and isinstance(node, Fields):
                    place = next(key for key, _ in node.pairs if key.value == name)
                known = f"; peers are {', '.join(self._peers)}" if self._peers else ""
                hint = suggest(name, self._peers, otherwise=known)
                self._complaints.add(
                    place, f"“{name}” is no peer of this scenario{hint}; peers stand in given"
                )

    def _server_address(self, place: Placed, address: str) -> None:
        if address not in self._given.addresses:
            self._complaints.add(
                place,
                f"{address} is no address of the server computer "
                f"({', '.join(self._given.addresses)}); add it to “addresses” of given",
            )

    def _message(self, place: Placed, name: str) -> None:
        if name not in self._messages:
            hint = suggest(name, self._messages)
            self._complaints.add(place, f"there is no “{name}” in fixtures/messages/{hint}")

    # The server's process.

    def _process(self, key: Text, action: ProcessAction) -> None:
        if action is ProcessAction.START:
            if self._running:
                self._complaints.add(key, "the server is running; “start” follows stop or kill")
            self._running = True
            return
        if not self._running:
            self._complaints.add(key, f"the server is stopped; put - start before “{action.value}”")
        self._running = action is ProcessAction.RESTART
        self._let_servers_speak()

    def _need_server(self, key: Text, what: str) -> None:
        if not self._running:
            self._complaints.add(key, f"the server is stopped; put - start before “{what}”")

    def _let_servers_speak(self) -> None:
        for conversation in self._conversations.values():
            conversation.may_speak()


def _changed(peer: PeerSpec, values: dict[str, Any]) -> PeerSpec:
    return replace(peer, **values)


def _at(node: Node, key: str) -> Node:
    """Return where a key's value stands, or the whole node."""
    return (node.get(key) if isinstance(node, Fields) else None) or node


def _line_place(node: Node, line: int) -> Placed:
    """Return the place of a line of a dialogue's block."""
    if isinstance(node, Text) and node.style == "|":
        return Place(line, node.indent + 1)
    return node
