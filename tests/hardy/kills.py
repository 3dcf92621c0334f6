"""The kill experiment: a server under load, killed with SIGKILL again and again, and what is left.

Every moment of death is drawn from a seeded generator: so many letters accepted in this run, then
so many turns of the event loop (a few microseconds each); or so many turns after the fork, while
the server still starts and takes over its queue. Nothing waits for a time.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from hardy.letters import Letter
from hardy.load import BOXES, LIST, LIST_BOXES, SENDER, Ledger, read, write, write_letter
from hardy.places import OFFSET
from hardy.restarts import DOMAIN, SINK_PORT, Restarted
from hardy.sink import Sink

WRITERS = 6
#: Every so many rounds the queue is let run empty and the mailboxes are emptied.
DRAIN_EVERY = 20
#: Seconds that a round may take.
BOUND = 120.0


@dataclass
class Outcome:
    """What came out of an experiment."""

    rounds: int = 0
    kills_at_start: int = 0
    """Kills before the server said that it was ready."""
    accepted: int = 0
    unconfirmed: int = 0
    """Letters that were sent whole and got no reply."""
    events: int = 0
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    duplicates: dict[str, int] = field(default_factory=dict)
    repaired: int = 0
    """Torn ends that the server has cut from mailboxes."""

    @property
    def good(self) -> bool:
        """Tell whether no letter was lost, torn, or delivered where it must not be."""
        return not (self.lost or self.wrong)

    def lines(self) -> list[str]:
        """Return the outcome for people."""
        copies = ", ".join(f"{count} {kind}" for kind, count in self.duplicates.items() if count)
        return [
            f"{self.rounds} kills, {self.kills_at_start} of them before the server was ready",
            f"{self.accepted} letters accepted, {self.unconfirmed} sent whole without a reply",
            f"{self.events} deliveries and reports; duplicates: {copies or 'none'}",
            f"{self.repaired} torn ends cut from mailboxes",
            f"lost: {len(self.lost)}",
            *self.lost[:20],
            f"torn or wrong: {len(self.wrong)}",
            *self.wrong[:20],
        ]


class Experiment:
    """One server on one base directory; use :meth:`run` once."""

    def __init__(self, *, folder: Path, seed: int) -> None:
        self.ledger = Ledger()
        self._rng = random.Random(seed)
        self._server = Restarted(folder)
        self._sink = Sink(hear=self.ledger.taken, run=lambda: self._server.runs)
        self._numbers = itertools.count(1)
        self._acknowledged = 0
        self._wanted = 0
        self._enough = asyncio.Event()
        self._kills_at_start = 0

    async def run(self, rounds: int, progress: Callable[[int], object] = lambda _: None) -> Outcome:
        """Kill the server ``rounds`` times under load; let it finish, and look."""
        server = self._server
        try:
            await self._sink.listen(server.place.remote, SINK_PORT + OFFSET)
            await server.open([SENDER, *BOXES], _list_commands())
            for number in range(1, rounds + 1):
                async with asyncio.timeout(BOUND):
                    await self._round()
                if number % DRAIN_EVERY == 0 or number == rounds:
                    await self._drain()
                progress(number)
        finally:
            await server.close()
            await self._sink.close()
        return self._outcome(rounds)

    # Rounds --------------------------------------------------------------------------------------

    async def _round(self) -> None:
        """Kill the server at the next moment and start it again."""
        if self._rng.random() < 0.2:
            await _turns(self._rng.expovariate(1 / 1500))
            self._kills_at_start += not self._server.control.is_ready
            await self._server.kill()
        else:
            await self._server.control.ready()
            await self._under_load()
        await self._server.start()

    async def _under_load(self) -> None:
        self._acknowledged = 0
        self._wanted = self._rng.randrange(40)
        self._enough.clear()
        if not self._wanted:
            self._enough.set()
        box = self._rng.choice((*BOXES, SENDER))
        clients = [asyncio.create_task(self._write()) for _ in range(WRITERS)]
        clients.append(asyncio.create_task(self._read(box)))
        await self._enough.wait()
        await _turns(self._rng.expovariate(1 / 60))
        await self._server.kill()
        await asyncio.gather(*clients)

    async def _write(self) -> None:
        rng = random.Random(self._rng.random())
        await write(self._server.place.server, lambda: self._letter(rng), self._accepted, rng)

    async def _read(self, box: str) -> None:
        rng = random.Random(self._rng.random())
        await read(self._server.place.server, box, self.ledger, lambda: rng.random() < 0.5)

    def _letter(self, rng: random.Random) -> Letter:
        letter = write_letter(str(next(self._numbers)), rng)
        letter.run = self._server.runs
        self.ledger.letters[letter.number] = letter
        return letter

    def _accepted(self) -> None:
        self._acknowledged += 1
        if self._acknowledged >= self._wanted:
            self._enough.set()

    # The end -------------------------------------------------------------------------------------

    async def _drain(self) -> None:
        """Let the server deliver all that it has, and empty the mailboxes."""
        await self._server.finish()
        for box in (*BOXES, SENDER):
            if not await read(self._server.place.server, box, self.ledger, lambda: True):
                self.ledger.faults.append(f"{box} cannot be read")
        if left := self._server.queued():
            self.ledger.faults.append(f"{len(left)} left in the Queue: {' '.join(left[:10])}")

    def _outcome(self, rounds: int) -> Outcome:
        letters = self.ledger.letters.values()
        return Outcome(
            rounds=rounds,
            kills_at_start=self._kills_at_start,
            accepted=len(self.ledger.accepted),
            unconfirmed=sum(letter.complete and not letter.accepted for letter in letters),
            events=self.ledger.events.total(),
            lost=[str(event) for event in self.ledger.lost()],
            wrong=[*self.ledger.wrong(self._server.runs), *self._server.complaints()],
            duplicates={fate.value: count for fate, count in self.ledger.duplicates().items()},
            repaired=sum("of a torn message cut" in line for line in self._server.log()),
        )


def _list_commands() -> list[str]:
    subscribers = [*(f"{box}@{DOMAIN}" for box in LIST_BOXES), f"{LIST}@sink.example"]
    return [
        f"CreateList {LIST} for {SENDER}",
        *(f'List {LIST} feed silently "{subscriber}"' for subscriber in subscribers),
    ]


async def _turns(count: float) -> None:
    """Let the event loop turn so many times."""
    for _ in range(int(count)):
        turned = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(turned.set_result, None)
        await turned
