"""Steps in order: reads them, follows connections, variables, peers and the server's process.

What a step means can depend on the steps before it (is this connection open, is this name bound, is
the server running); this reader keeps that state for one row of one file. It judges nothing that
depends on what a server does.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from conformance.scenario.complaints import Complaints, Placed, either, suggest
from conformance.scenario.dialogue_reader import PROTOCOLS, DialogueReader
from conformance.scenario.model import Given, PeerSpec, Step
from conformance.scenario.nodes import Fields, Items, Node, Text, kind_of
from conformance.scenario.references import References
from conformance.scenario.step_keys import BARE_WORDS, PEER_CHANGES, STEP_KINDS
from conformance.scenario.steps import (
    BouncedStep,
    ConnectedStep,
    HeardStep,
    HttpStep,
    MailStep,
    NotRelayedStep,
    PeerStep,
    ProcessAction,
    ProcessStep,
    PutStep,
    Refusal,
    RelayedStep,
    RemoteMailboxStep,
    StepValue,
    TlsStep,
    WaitStep,
    WriteStep,
)

_NEEDS_SERVER = frozenset(
    {"mail", "route", "cli", "delivered", "not delivered", "wait", "rest", "tls", "clock"}
)
#: Keys of a peer whose fields are called otherwise.
_FIELDS = {"certificate name": "certificate_name", "cut after": "cuts"}
_ALL_KEYS = (*STEP_KINDS, *PROTOCOLS, "peer")


class StepReader:
    """Reads the steps of one row."""

    def __init__(self, given: Given, messages: Collection[str], complaints: Complaints) -> None:
        self._complaints = complaints
        self._references = References(given, messages, complaints)
        self._dialogues = DialogueReader(self._references, complaints)
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
        key: Text
        value: Node
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
            key, value = node.pairs[0]
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
            dialogue = self._dialogues.read(key, node)
            if dialogue and dialogue.opens:
                self._need_server(key, words[0])
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

    # Steps that refer to the world.

    def _checked(self, value: StepValue, key: Text, node: Node) -> StepValue:
        """Check a step against ``given`` and the steps before it; return it completed."""
        match value:
            case MailStep():
                return self._mail(value, node)
            case RelayedStep() | HeardStep() | NotRelayedStep() | ConnectedStep():
                self._about_peers(value, node)
            case RemoteMailboxStep():
                self._references.mailbox(_at(node, "host"), value.host, value.account)
            case HttpStep(server=server) | TlsStep(to=server) if server:
                key_name = "server" if isinstance(value, HttpStep) else "to"
                self._references.server_address(_at(node, key_name), server)
            case BouncedStep():
                if value.host:
                    self._references.peer(_at(node, "host"), value.host)
                else:
                    self._need_server(key, "bounced")
            case ProcessStep():
                self._process(key, value.action)
            case WriteStep() if not isinstance(value, PutStep):
                if self._running:
                    self._complaints.add(key, "“write” needs a stopped server; put - stop before")
            case WaitStep():
                self._dialogues.let_servers_speak()
        return value

    def _about_peers(
        self, value: RelayedStep | HeardStep | NotRelayedStep | ConnectedStep, node: Node
    ) -> None:
        hosts = (value.host,) if isinstance(value, RelayedStep | HeardStep) else value.hosts
        self._references.peers(_at(node, "host"), hosts)
        if isinstance(value, RelayedStep) and value.source:
            self._references.server_address(_at(node, "source"), value.source)

    def _mail(self, mail: MailStep, node: Node) -> MailStep:
        if mail.file:
            self._references.message(_at(node, "file"), mail.file)
            for name in ("subject", "header", "body"):
                if isinstance(node, Fields) and node.get(name):
                    self._complaints.add(
                        _at(node, name), f"the file is the whole message; leave out “{name}”"
                    )
        if mail.server:
            self._references.server_address(_at(node, "server"), mail.server)
        if mail.account and not mail.password:
            self._references.account(_at(node, "as"), mail.account)
        if any(refusal.place == "sometime" for refusal in mail.refused):
            instead = "for the sender may get a report, or write “anywhere” instead of “sometime”"
            self._references.account(_at(node, "from"), mail.sender, instead=instead)
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

    def _peer(self, node: Node) -> PeerStep:
        changes = PEER_CHANGES.read(node, self._complaints)
        changed: list[PeerSpec] = []
        for key, _ in node.pairs if isinstance(node, Fields) else ():
            if self._references.peer(key, key.value):
                # What a change leaves out stays as it was.
                change = {_FIELDS.get(name, name): of for name, of in changes[key.value].items()}
                peer = replace(self._peers[key.value], **change)
                self._peers[key.value] = peer
                changed.append(peer)
        return PeerStep(tuple(changed))

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
        self._dialogues.let_servers_speak()

    def _need_server(self, key: Text, what: str) -> None:
        if not self._running:
            self._complaints.add(key, f"the server is stopped; put - start before “{what}”")


def _at(node: Node, key: str) -> Node:
    """Return where a key's value stands, or the whole node."""
    return (node.get(key) if isinstance(node, Fields) else None) or node
