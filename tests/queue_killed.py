"""A server that submits messages until it is killed: it prints each name once it is durable.

``queue_killed.py FOLDER MOST``: at most so many messages are submitted together.
"""

from __future__ import annotations

import sys
from pathlib import Path

from queue_world import FakeLog, FakeSettings, ReactorTime, Turns

from reference.kernel.routes import Address, Route
from reference.kernel.work import Work
from reference.queue import Envelope, PoolThreads, Queue, Recipient, Source
from reference.queue.writer import Writer


class Nowhere:
    """A router that refuses nothing and a module that never delivers."""

    name = "SMTP"

    def route(self, address: str, /):  # type: ignore[no-untyped-def]
        return Route("SMTP", "x", address, Address(address, ""))

    def enqueue(self, *_: object) -> None:
        return None

    def release(self, host: str) -> bool:
        return False


def main(folder: Path, most: int) -> None:
    turns = Turns()
    threads = PoolThreads(reactor=turns.reactor, size=1, name="files")
    log = FakeLog()
    nowhere = Nowhere()
    queue = Queue(
        folder=folder,
        clock=ReactorTime(),
        work=Work(),
        log=log,
        settings=FakeSettings(),
        router=nowhere,
        files=threads,
        readers=threads,
        host=lambda: "here.example",
        crew=Writer(reactor=turns.reactor, folder=str(folder), log=log),
    )
    queue.attach(nowhere)
    number = 0
    while True:
        batch = []
        for _ in range(number % most + 1):
            number += 1
            body = f"Subject: {number}\r\n\r\n".encode() + bytes([65 + number % 26]) * 3000
            envelope = Envelope("a@b", [Recipient(f"u{number}@x")], Source("TEST"))
            batch.append(queue.submit(envelope, body + b"\r\n"))
            batch[-1].addCallback(lambda name, number=number: print(name, number, flush=True))
        for submitted in batch:
            turns.wait(submitted)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
