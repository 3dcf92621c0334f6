"""The load of the kill experiment: who writes which letters, and who reads the mailboxes meanwhile.

A writer sends letters until its connection is lost. A reader fetches a mailbox over POP, notes what
it has seen, and removes a part of it. Both only note what happened; whether it was right, the
:class:`Ledger` says at the end.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable

from hardy.letters import Event, Fate, Letter, compose, is_report, number_of, reported, whole
from hardy.restarts import DOMAIN
from hardy.sink import Taken
from hardy.talk import Talk

SENDER = "sender"
BOXES = ("box0", "box1", "box2", "box3")
LIST = "team"
LIST_BOXES = ("box0", "box1")


def write_letter(number: str, rng: random.Random) -> Letter:
    """Make a letter to recipients of all kinds."""
    letter = Letter(number, compose(number, rng), (), frozenset())
    recipients: dict[str, list[Event]] = {}

    def add(path: str, *events: tuple[Fate, str]) -> None:
        recipients[path] = [Event(number, fate, who) for fate, who in events]

    kinds = set(rng.choices(_KINDS, k=rng.choice((1, 1, 2, 4))))
    if "list" in kinds:
        # Nobody gets the letter by two ways, so a second copy is a duplicate.
        kinds -= {"box", "confirmed"}
        add(
            f"<{LIST}@{DOMAIN}>",
            *((Fate.STORED, box) for box in LIST_BOXES),
            (Fate.SENT, f"{LIST}"),
        )
    if "box" in kinds:
        for box in rng.sample(BOXES[:3], k=rng.choice((1, 1, 3))):
            add(f"<{box}@{DOMAIN}>", (Fate.STORED, box))
    if "confirmed" in kinds:
        address = f"{BOXES[3]}@{DOMAIN}"
        add(f"<{address}> NOTIFY=SUCCESS", (Fate.STORED, BOXES[3]), (Fate.CONFIRMED, address))
    if "unknown" in kinds:
        address = f"unknown-{number}@{DOMAIN}"
        add(f"<{address}>", (Fate.FAILED, address))
    for kind in ("taken", "later", "cut"):
        if kind in kinds:
            add(f"<{kind}-{number}@sink.example>", (Fate.SENT, f"{kind}-{number}"))
    if "refused" in kinds:
        address = f"refused-{number}@sink.example"
        add(f"<{address}>", (Fate.FAILED, address))
    letter.recipients = tuple(recipients)
    letter.expected = frozenset(event for events in recipients.values() for event in events)
    return letter


_KINDS = (
    *("box", "box", "box", "confirmed", "unknown", "list"),
    *("taken", "taken", "taken", "later", "cut", "refused"),
)


class Ledger:
    """What was sent, and what became of it."""

    def __init__(self) -> None:
        self.letters: dict[str, Letter] = {}
        self.events: Counter[Event] = Counter()
        self.faults: list[str] = []
        """What must never be: torn, foreign, or resurrected messages."""
        self._mail: dict[tuple[str, bytes], str] = {}
        self._removed: set[tuple[str, bytes]] = set()
        self._runs: dict[Event, set[int]] = {}

    def fetched(self, box: str, uid: bytes, message: bytes) -> None:
        """Note a message that a reader has got from a mailbox."""
        place = (box, uid)
        number = number_of(message)
        if place in self._removed:
            self.faults.append(f"{box}: message {uid!r} is back although it was removed")
        if place in self._mail:
            if self._mail[place] != number:
                self.faults.append(f"{box}: {uid!r} names another message than before")
            return
        self._mail[place] = number
        if is_report(message):
            events = reported(message)
            if not events:
                self.faults.append(f"{box}: torn report: {message[:2000]!r}")
            self.events.update(events)
        elif not whole(message):
            self.faults.append(f"{box}: torn message: {message[:2000]!r}")
        else:
            self.events[Event(number, Fate.STORED, box)] += 1

    def removed(self, box: str, uid: bytes) -> None:
        """Note that the removal of a message was confirmed."""
        self._removed.add((box, uid))

    def taken(self, taken: Taken) -> None:
        """Note a letter that the remote host has taken."""
        event = Event(taken.number, Fate.SENT, taken.recipient)
        if not whole(taken.message):
            self.faults.append(f"remote host: torn message: {taken.message[:2000]!r}")
        self.events[event] += 1
        runs = self._runs.setdefault(event, set())
        if taken.run in runs and taken.recipient != LIST:
            self.faults.append(f"{event} twice although the server was not killed in between")
        runs.add(taken.run)

    @property
    def accepted(self) -> list[Letter]:
        """The letters that the server has answered with 250."""
        return [letter for letter in self.letters.values() if letter.accepted]

    def lost(self) -> list[Event]:
        """Return what should have become of accepted letters and did not."""
        return [
            event
            for letter in self.accepted
            for event in sorted(letter.expected, key=str)
            if event not in self.events
        ]

    def wrong(self, runs: int) -> list[str]:
        """Return what is wrong with what became of letters; the server had ``runs`` runs."""
        found = list(self.faults)
        for event, copies in self.events.items():
            letter = self.letters.get(event.number)
            if letter is None or event not in letter.expected:
                found.append(f"{event} was not to be expected")
            elif not letter.complete:
                found.append(f"{event} although the letter was never finished")
            elif copies > _most(letter, event, runs):
                found.append(f"{event} {copies} times")
        return found

    def duplicates(self) -> Counter[Fate]:
        """Return how many copies too many there are, by kind."""
        return Counter(
            {
                fate: sum(n - 1 for event, n in self.events.items() if event.fate is fate)
                for fate in Fate
            }
        )


def _most(letter: Letter, event: Event, runs: int) -> int:
    """Return how many copies there may be: a kill between a delivery and its mark makes one more.

    Reports and postings of a list are messages themselves. A kill may double them, and their
    deliveries as well.
    """
    lived = 1 + runs - letter.run
    posted = any(recipient.startswith(f"<{LIST}@") for recipient in letter.recipients)
    if posted or event.fate in (Fate.FAILED, Fate.CONFIRMED):
        return lived * (lived + 1) // 2
    return lived


async def write(
    address: str,
    letters: Callable[[], Letter],
    accepted: Callable[[], object],
    rng: random.Random,
) -> None:
    """Send letters until the connection is lost."""
    try:
        talk = await Talk.connect(address, 25)
        try:
            await talk.expect(b"220")
            talk.send(b"EHLO client.example")
            await talk.expect(b"250")
            while True:
                letter = letters()
                if rng.random() < 0.05:
                    await _give_up(talk, letter, rng)
                    talk.close()
                    talk = await Talk.connect(address, 25)
                    await talk.expect(b"220")
                else:
                    await _send(talk, letter, rng)
                    accepted()
        finally:
            talk.close()
    except OSError:
        return  # the server was killed


async def _begin(talk: Talk, letter: Letter, rng: random.Random) -> None:
    commands = [f"MAIL FROM:<{SENDER}@{DOMAIN}>"]
    commands += [f"RCPT TO:{recipient}" for recipient in letter.recipients]
    if rng.random() < 0.5:
        talk.send(*(each.encode() for each in commands), b"DATA")
        for _ in commands:
            await talk.expect(b"250")
    else:
        for each in commands:
            talk.send(each.encode())
            await talk.expect(b"250")
        talk.send(b"DATA")
    await talk.expect(b"354")


async def _send(talk: Talk, letter: Letter, rng: random.Random) -> None:
    await _begin(talk, letter, rng)
    octets = _stuffed(letter.octets)
    cut = rng.randrange(len(octets))
    talk.writer.write(octets[:cut])
    await talk.writer.drain()
    letter.complete = True
    talk.writer.write(octets[cut:] + b".\r\n")
    await talk.expect(b"250")
    letter.accepted = True


async def _give_up(talk: Talk, letter: Letter, rng: random.Random) -> None:
    """Send a part of a letter."""
    await _begin(talk, letter, rng)
    octets = _stuffed(letter.octets)
    talk.writer.write(octets[: rng.randrange(len(octets))])
    await talk.writer.drain()


def _stuffed(octets: bytes) -> bytes:
    return octets.replace(b"\r\n.", b"\r\n..")


async def read(address: str, box: str, ledger: Ledger, removes: Callable[[], bool]) -> bool:
    """Fetch a mailbox and remove the messages that ``removes`` says; tell whether it was done."""
    try:
        talk = await Talk.connect(address, 110)
        try:
            await talk.expect(b"+OK")
            talk.send(f"USER {box}".encode(), b"PASS secret", b"UIDL")
            await talk.expect(b"+OK")
            await talk.expect(b"+OK")
            doomed = []
            for number, uid in [line.split() for line in await talk.lines()]:
                talk.send(b"RETR " + number)
                lines = await talk.lines()
                message = b"".join(line.removeprefix(b".") + b"\r\n" for line in lines)
                ledger.fetched(box, uid, message)
                if removes():
                    talk.send(b"DELE " + number)
                    await talk.expect(b"+OK")
                    doomed.append(uid)
            talk.send(b"QUIT")
            await talk.expect(b"+OK")
            for uid in doomed:
                ledger.removed(box, uid)
        finally:
            talk.close()
    except (OSError, asyncio.IncompleteReadError):
        return False  # the server was killed
    return True
