"""Measure how many messages a second servers accept and deliver, durably, side by side.

    python bench/transport.py [--check] [--rounds 7] [--messages 2000] [--exim PATH]
    python bench/transport.py --memory 100000

The reference, Postfix, Exim and aiosmtpd with its Maildir handler run on the same disk. 20 sessions
send messages of 4 Koctets to 20 accounts; the servers take turns, round after round, so that the
machine's moods hit all, and each begins when the machine has come to rest. A round lasts from the
first connection until the last message is in its mailbox; printed are medians over the rounds, and
ratios within rounds. A server that is not there is skipped, with the reason.

With ``--check`` the exit status is 1 unless the reference reaches 0.8 of Postfix and 1.2 of
aiosmtpd. With ``--memory`` only the reference runs, and gets so many messages; printed is its
memory on the way, and with ``--check`` the status is 1 if it has grown by more than 5 %.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from hardy.places import Place
from transport_servers import BOUND, Aiosmtpd, Exim, Postfix, Reference, Server, running

#: What the reference must reach of others.
WANTED = {"Postfix": 0.8, "aiosmtpd": 1.2}
#: The share of idle time at which the machine is at rest, and the seconds that are waited for it.
IDLE = 0.9
REST_BOUND = 5.0
#: By how much the memory may grow after the first tenth of the messages.
GROWTH = 1.05
BOXES = 20


@dataclass(frozen=True)
class Round:
    """What one server did in one round."""

    accepted: float
    """Messages a second up to the last 250."""
    delivered: float
    """Messages a second up to the last message in a mailbox."""
    latencies: dict[str, float]
    """Seconds from MAIL to the 250."""
    generator: float
    """The part of the time in which the generator used a processor."""


def send(address: str, port: int, *, messages: int, sessions: int, size: int) -> dict[str, Any]:
    """Run the load generator in a process of its own; return what it says. Ends on an error."""
    command = (
        *(sys.executable, str(Path(__file__).with_name("transport_load.py"))),
        *("--address", address, "--port", str(port), "--messages", str(messages)),
        *("--sessions", str(sessions), "--size", str(size), "--recipients", str(BOXES)),
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the load generator failed: {done.stdout}{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def one_round(server: Server, options: argparse.Namespace, messages: int) -> Round:
    """Send messages to a server and wait until they are delivered."""
    let_the_machine_rest()
    before = server.delivered()
    result = send(
        server.address,
        server.port,
        messages=messages,
        sessions=options.sessions,
        size=options.size,
    )
    end = time.monotonic() + BOUND
    while (there := server.delivered() - before) < messages:
        if time.monotonic() > end:
            sys.exit(f"{server.name} has delivered {there} of {messages}\n{server.output()}")
        time.sleep(0.002)
    seconds = result["ended"] - result["begun"]
    return Round(
        accepted=messages / seconds,
        delivered=messages / (time.monotonic() - result["begun"]),
        latencies=result["latencies"],
        generator=result["processor"] / seconds,
    )


def let_the_machine_rest() -> None:
    """Wait until what the server before has left to do is done, so that nobody else pays for it.

    Its delivered messages leave its queue, its processes end, the disk writes what is not forced.
    """
    os.sync()
    end = time.monotonic() + REST_BOUND
    while time.monotonic() < end:
        idle, total = _processor()
        time.sleep(0.1)
        idle_then, total_then = _processor()
        if idle_then - idle >= IDLE * (total_then - total):
            return


def _processor() -> tuple[int, int]:
    """Return for how long the processors were idle, and how long there have been processors."""
    first = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
    times = [int(word) for word in first.split()[1:]]
    return times[3], sum(times[:8])


def sync_seconds(folder: Path) -> float:
    """Return what it takes to force 4 Koctets in a new file to this disk, the median."""
    taken = []
    for number in range(50):
        path = folder / f"sync{number}"
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
        os.write(descriptor, bytes(4096))
        begun = time.perf_counter()
        os.fsync(descriptor)
        taken.append(time.perf_counter() - begun)
        os.close(descriptor)
        path.unlink()
    return statistics.median(taken)


def generator_alone(place: Place, options: argparse.Namespace) -> float:
    """Return how many messages a second the generator sends to a server that stores nothing."""
    port = 20999
    script = str(Path(__file__).with_name("transport_load.py"))
    words = ("--sink", "--address", place.server, "--port", str(port))
    sink = subprocess.Popen([sys.executable, script, *words])
    try:
        for _ in range(200):
            try:
                result = send(place.server, port, messages=1, sessions=1, size=options.size)
                break
            except SystemExit:
                time.sleep(0.05)
        result = send(
            place.server,
            port,
            messages=options.messages,
            sessions=options.sessions,
            size=options.size,
        )
    finally:
        sink.terminate()
        sink.wait()
    sent: int = result["accepted"]
    return float(sent / (result["ended"] - result["begun"]))


def compare(options: argparse.Namespace, folder: Path, place: Place) -> int:
    """Measure the servers in turns and print; return the exit status."""
    print(f"an fsync of 4 Koctets takes {sync_seconds(folder) * 1e6:.0f} us on this disk")
    print(f"the load generator alone: {generator_alone(place, options):.0f} messages a second")
    Exim.program = _exim(options.exim)
    kinds = [kind for kind in (Reference, Postfix, Exim, Aiosmtpd) if _wanted(kind, options)]
    servers = [
        kind(folder=folder / kind.name, place=place, number=number, boxes=BOXES)
        for number, kind in enumerate(kinds)
    ]
    with running(servers) as started:
        rounds: dict[str, list[Round]] = {server.name: [] for server in started}
        for server in started:
            one_round(server, options, max(options.messages // 10, options.sessions))
        for number in range(options.rounds):
            # Whoever comes first finds the disk at rest: everybody does, in turn.
            turn = number % len(started)
            for server in started[turn:] + started[:turn]:
                rounds[server.name].append(one_round(server, options, options.messages))
        for server in started:
            print(f"{server.name} syncs {server.syncs}")
    return report(rounds, check=options.check)


def report(rounds: dict[str, list[Round]], *, check: bool) -> int:
    """Print medians and ratios; return the exit status."""
    print(
        f"{'':10} {'accepted/s':>10} {'delivered/s':>11} {'latency ms':>10} {'99 %':>7}"
        f" {'generator':>9}  reference is"
    )
    failed = []
    for name, those in rounds.items():
        ratios = [
            mine.delivered / other.delivered
            for mine, other in zip(rounds.get("reference", []), those, strict=False)
        ]
        ratio = statistics.median(ratios) if ratios else 0.0
        span = f" ({min(ratios):.2f} to {max(ratios):.2f})" if ratios else ", for it did not run"
        print(
            f"{name:10} {_median([each.accepted for each in those]):10.0f}"
            f" {_median([each.delivered for each in those]):11.0f}"
            f" {_median([each.latencies['median'] for each in those]) * 1e3:10.1f}"
            f" {_median([each.latencies['99'] for each in those]) * 1e3:7.1f}"
            f" {_median([each.generator for each in those]):9.0%}"
            f"  {ratio:.2f} times as fast{span}"
        )
        if name in WANTED and ratio < WANTED[name]:
            failed.append(f"{ratio:.2f} of {name}, {WANTED[name]} are wanted")
    missing = [name for name in WANTED if name not in rounds]
    if check and missing:
        failed.append(f"not compared with {', '.join(missing)}")
    for line in failed if check else ():
        print(f"FAILED: {line}")
    return 1 if check and failed else 0


def memory(options: argparse.Namespace, folder: Path, place: Place) -> int:
    """Send many messages to the reference and print its memory; return the exit status."""
    server = Reference(folder=folder / "reference", place=place, number=0, boxes=BOXES)
    with running([server]):
        step = max(options.memory // 20, 1)
        seen = []
        for number in range(20):
            rate = one_round(server, options, step).delivered
            seen.append(server.memory())
            mega = seen[-1] / 1e6
            print(f"{(number + 1) * step:>8,} messages: {mega:6.1f} MB, {rate:.0f} a second")
    first, last = seen[1], seen[-1]
    print(f"memory at the end is {last / first:.3f} of that after a tenth")
    return 1 if options.check and last > first * GROWTH else 0


def _wanted(kind: type[Server], options: argparse.Namespace) -> bool:
    return not options.only or kind.name.lower() in options.only.lower().split(",")


def _exim(named: str) -> str:
    """Return Exim's program: it starts itself again, from whatever folder it is in then."""
    unpacked = Path(__file__).parent.parent / ".packages/exim/usr/sbin/exim4"
    found = shutil.which(named or "exim4") or ("" if named else shutil.which(unpacked))
    return str(Path(found).resolve()) if found else named or "exim4"


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--rounds", type=int, default=7)
    add("--messages", type=int, default=2000, help="of a round, for each server")
    add("--sessions", type=int, default=20)
    add("--size", type=int, default=4096, help="octets of a message")
    add("--only", default="", metavar="NAME[,NAME…]", help="only these servers")
    add("--exim", default="", metavar="PATH", help="Exim (or that of .packages/exim)")
    add("--folder", type=Path, help="where to put everything: a folder on the disk to measure")
    add("--memory", type=int, default=0, metavar="N", help="the reference's memory over N messages")
    add("--check", action="store_true", help="fail below the ratios that are wanted")
    options = parser.parse_args(arguments)
    place = Place()
    try:
        with tempfile.TemporaryDirectory(prefix="mailproof-bench-", dir=options.folder) as name:
            # The servers have users of their own, who must get in.
            folder = Path(name)
            folder.chmod(0o755)
            measure = memory if options.memory else compare
            return measure(options, folder, place)
    finally:
        place.close()


if __name__ == "__main__":
    sys.exit(main())
