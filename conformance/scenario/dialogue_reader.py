"""Dialogue steps: their keys, their lines, and the connections that they open and go on with."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.scenario.complaints import Complaints, Place, Placed, suggest
from conformance.scenario.dialogue import DialogueError, Event, ExchangeRoles, SendFile, parse_line
from conformance.scenario.dialogue_checks import Conversation
from conformance.scenario.nodes import Node, Text
from conformance.scenario.references import References
from conformance.scenario.shapes import ADDRESS, text_of
from conformance.scenario.steps import STRANGER, DialogueStep

PROTOCOLS = ("smtp", "pop", "imap", "pwd")


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


class DialogueReader:
    """Reads the dialogues of one row, in order."""

    def __init__(self, references: References, complaints: Complaints) -> None:
        self._references = references
        self._complaints = complaints
        self._conversations: dict[tuple[str, str], Conversation] = {}
        self._bound: set[str] = set()

    def let_servers_speak(self) -> None:
        """Note that a server may speak unasked on all open connections (time-out, shutdown)."""
        for conversation in self._conversations.values():
            conversation.may_speak()

    def read(self, key: Text, node: Node) -> DialogueStep | None:
        """Return the step of a key such as ``smtp alice from 10.1.1.1`` and its block of lines."""
        words = key.value.split()
        spoken = self._key(key, words)
        events = self._events(node, words[0])
        if spoken is None:
            return None
        slot = (spoken.protocol, spoken.connection)
        held = self._conversations.get(slot) if spoken.connection else None
        opens = held is None or (held.over and spoken.addressed)
        if not self._can_open(key, spoken, held):
            return None
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

    def _can_open(self, key: Text, spoken: _DialogueKey, held: Conversation | None) -> bool:
        """Tell whether a named connection is begun, or gone on with, in its turn; complain."""
        name, protocol = spoken.connection, spoken.protocol
        if not name or (held and held.over):
            return True
        if held is None and not spoken.addressed:
            open_names = [n for p, n in self._conversations if p == protocol]
            self._complaints.add(
                key,
                f"no {protocol} connection “{name}” is open{suggest(name, open_names)}; "
                f"begin it with {protocol} {name} from ADDRESS",
            )
            return False
        if held is not None and spoken.addressed:
            self._complaints.add(
                key, f"the connection “{name}” is open already; go on with {protocol} {name}"
            )
            return False
        return True

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
            self._references.server_address(key, said["to"])
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
                self._references.message(place, event.name)
            if isinstance(event, ExchangeRoles):
                self._references.peer(place, event.peer)
            if event is not None:
                events.append(event)
        if not events and not text.strip():
            self._complaints.add(node, "this dialogue is empty; begin with the greeting, S: …")
        return tuple(events)


def _line_place(node: Node, line: int) -> Placed:
    """Return the place of a line of a dialogue's block."""
    if isinstance(node, Text) and node.style == "|":
        return Place(line, node.indent + 1)
    return node
