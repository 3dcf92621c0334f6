"""Put the reference under load: many sessions at the same time, and a queue that cannot be sent.

    python bench/load.py [--check] [--sessions 1000] [--queue 50000] [--domains 5000]

First so many SMTP sessions are opened; when all are greeted, each sends messages to local accounts.
Then the queue is filled with messages to many domains: a third of them have no name server that
answers, a third lead to a host that refuses connections, a third to one that says 421. In this
state messages to a local account are sent, one at a time, and the seconds until they are in the
mailbox are reported; then the server is ended and started again on its queue.

The server begins with the customary limit of 1,024 open files. With ``--check`` the exit status is
1 if anything was refused or lost, or if local mail took longer than 2 seconds.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from dnslib import MX, QTYPE, RCODE, RR, A, DNSRecord
from hardy.places import OFFSET, Place
from transport_servers import Reference, running

#: Seconds until local mail must be delivered, whatever waits in the queue.
LATENCY = 2.0
#: Seconds that the server gets for anything.
BOUND = 300.0
FILES = 1024
#: What becomes of connections to the hosts that the queue is for.
KINDS = ("silent", "refuses", "busy")


class Loaded(Reference):
    """The reference with as many channels as there are sessions."""

    def __init__(self, *, folder: Path, place: Place, sessions: int) -> None:
        super().__init__(folder=folder, place=place, number=0, boxes=20)
        self.extra = [
            f"UpdateModule SMTP {{InputChannels={sessions + 50};}}",
            "UpdateModule Queue {LogLevel=3;}",
        ]

    def prepare(self) -> Sequence[str]:
        """Return the command, with few open files allowed."""
        command = " ".join(super().prepare())
        return "sh", "-c", f"ulimit -Sn {FILES} && exec {command}"

    def again(self) -> float:
        """End the server and start it on the same directory; return the seconds to its prompt."""
        self.stop()
        begun = time.monotonic()
        Path(self.folder / "output").rename(self.folder / "output.1")
        self.launch(self.prepare())
        return time.monotonic() - begun

    def resubmitted(self) -> int:
        """Return how many messages were taken over from the last run."""
        logs = (self.base / "SystemLogs").glob("*.log")
        return sum(path.read_bytes().count(b" resubmitted\n") for path in logs)

    def queued(self) -> int:
        """Return how many messages wait."""
        return sum(1 for _ in (self.base / "Queue").glob("*.msg"))


def names_and_hosts(refusing: str, busy: str) -> None:
    """Be the name server and the busy host, in a process of its own, until it is ended."""
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind((refusing, 53 + OFFSET))
    host = socket.create_server((busy, 25 + OFFSET), backlog=1024)
    addresses = {"refuses.example": refusing, "busy.example": busy}
    with selectors.DefaultSelector() as selector:
        selector.register(names, selectors.EVENT_READ)
        selector.register(host, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is host:
                    connection, _ = host.accept()
                    connection.sendall(b"421 too busy\r\n")
                    connection.close()
                else:
                    octets, client = names.recvfrom(4096)
                    answer = _answer(DNSRecord.parse(octets), addresses)
                    if answer is not None:
                        names.sendto(answer.pack(), client)


def _answer(question: Any, addresses: dict[str, str]) -> Any:
    """Return the answer to a question, None for none."""
    name = str(question.q.qname).rstrip(".").lower()
    domain = name.partition(".")[2]
    if domain == "silent.example":
        return None
    reply = question.reply()
    if domain not in addresses:
        reply.header.rcode = RCODE.NXDOMAIN
    elif question.q.qtype == QTYPE.A:
        reply.add_answer(RR(name, QTYPE.A, rdata=A(addresses[domain]), ttl=3600))
    elif question.q.qtype == QTYPE.MX:
        reply.add_answer(RR(name, QTYPE.MX, rdata=MX(name, 10), ttl=3600))
    return reply


def send(server: Loaded, *, messages: int, sessions: int, **more: object) -> dict[str, Any]:
    """Run the load generator; return what it says."""
    command = [sys.executable, str(Path(__file__).with_name("transport_load.py"))]
    given = {"messages": messages, "sessions": sessions, **more}
    for key, value in {"address": server.address, "port": server.port, **given}.items():
        command += [f"--{key}", str(value)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    result: dict[str, Any] = json.loads(done.stdout) if done.stdout else {"errors": [done.stderr]}
    return result


def wait_until(true: Callable[[], bool], what: str) -> float:
    """Wait until something is true; return the seconds. Ends the program when it never is."""
    begun = time.monotonic()
    while not true():
        if time.monotonic() > begun + BOUND:
            sys.exit(f"FAILED: after {BOUND:.0f} seconds {what}")
        time.sleep(0.01)
    return time.monotonic() - begun


def many_sessions(server: Loaded, sessions: int) -> list[str]:
    """Open many sessions and let all send; print, and return the errors."""
    messages = sessions * 3
    result = send(server, messages=messages, sessions=sessions)
    if result["errors"]:
        return _some(result["errors"])
    wait_until(lambda: server.delivered() >= messages, "not all is delivered")
    seconds, times = result["ended"] - result["begun"], result["latencies"]
    print(
        f"{result['together']} sessions together, opened in {result['opening']:.1f} s;"
        f" {messages} messages at {messages / seconds:.0f} a second,"
        f" each taking {times['median']:.2f} s (most {times['most']:.2f})"
    )
    return []


def _some(errors: list[object]) -> list[str]:
    """Return how many errors there are, and the first."""
    return [f"{len(errors)} errors, the first of them: {errors[0]}"]


def fill(server: Loaded, messages: int, domains: int) -> list[str]:
    """Fill the queue; print, and return the errors."""
    begun, before = time.monotonic(), server.memory()
    for kind in KINDS:
        to = f"user@d{{number}}.{kind}.example"
        share = messages // len(KINDS)
        result = send(
            server,
            messages=share,
            sessions=20,
            size=1024,
            recipients=max(1, domains // len(KINDS)),
            to=to,
        )
        if result["errors"]:
            return _some(result["errors"])
        seconds = result["ended"] - result["begun"]
        print(f"  {share} to {kind} hosts at {share / seconds:.0f} a second")
    print(
        f"{server.queued()} messages in the queue after {time.monotonic() - begun:.0f} s;"
        f" memory {server.memory() / 1e6:.0f} MB,"
        f" {(server.memory() - before) / messages:.0f} octets a message"
    )
    return []


def latency(server: Loaded, letters: int, when: str) -> float:
    """Send messages to local accounts one at a time; return the longest time to the mailbox."""
    taken = []
    for _ in range(letters):
        before = server.delivered()
        begun = time.monotonic()
        if send(server, messages=1, sessions=1)["errors"]:
            return BOUND
        wait_until(lambda there=before: server.delivered() > there, "local mail is not delivered")  # type: ignore[misc]
        taken.append(time.monotonic() - begun)
    # A new process sends each message: what that takes is measured with the queue empty.
    print(f"local mail {when}: {statistics.median(taken):.3f} s, most {max(taken):.3f} s")
    return max(taken)


def measure(options: argparse.Namespace, server: Loaded) -> list[str]:
    """Measure all; return what went wrong."""
    wrong = many_sessions(server, options.sessions)
    latency(server, options.letters, "with an empty queue")
    wrong += fill(server, options.queue, options.domains)
    slow = [latency(server, options.letters, "with the full queue")]
    count = server.queued()
    prompt = server.again()
    slow.append(latency(server, options.letters, "right after the restart"))
    rest = wait_until(lambda: server.resubmitted() >= count, "not all is resubmitted")
    print(
        f"restart with {count} messages: {prompt:.1f} s to the prompt,"
        f" all are in their queues {rest:.1f} s after that and {options.letters} local messages"
    )
    slow.append(latency(server, options.letters, "after the restart"))
    print(f"memory {server.memory() / 1e6:.0f} MB")
    if server.queued() < count:
        wrong.append(f"{count - server.queued()} messages are gone from the queue")
    if max(slow) > LATENCY:
        wrong.append(f"local mail took {max(slow):.1f} s, {LATENCY} are allowed")
    if server.output().strip():
        wrong.append(f"the server complains: {server.output()[:500]}")
    return wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--sessions", type=int, default=1000)
    add("--queue", type=int, default=50_000, help="messages in the queue")
    add("--domains", type=int, default=5000, help="how many domains they are for")
    add("--letters", type=int, default=50, help="messages that measure local mail")
    add("--folder", type=Path, help="where to put everything")
    add("--check", action="store_true", help="fail on an error or slow local mail")
    options = parser.parse_args(arguments)
    place = Place()
    world = multiprocessing.Process(
        target=names_and_hosts,
        args=(place.remote, place.remote.replace("127.67", "127.68", 1)),
        daemon=True,
    )
    world.start()
    try:
        with tempfile.TemporaryDirectory(prefix="mailproof-load-", dir=options.folder) as name:
            server = Loaded(folder=Path(name) / "base", place=place, sessions=options.sessions)
            with running([server]) as started:
                wrong = measure(options, server) if started else ["the server does not start"]
    finally:
        world.terminate()
        world.join()
        place.close()
    for line in wrong:
        print(f"FAILED: {line}")
    return 1 if options.check and wrong else 0


if __name__ == "__main__":
    sys.exit(main())
