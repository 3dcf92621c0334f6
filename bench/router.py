"""Measure what routing an address costs with 10, 1,000 and 100,000 records in the Routing Table.

    python bench/router.py [--check]

The tables mix exact domains, exact addresses, and wildcards at the beginning, at the end and in the
middle of domains and of local parts. The addresses hit records of every kind, near the top and near
the bottom, and half of them hit none. Printed is the median time for an address, parsing and the
modules' answers included, and its ratio to that with 10 records. With ``--check`` the exit status
is 1 if 100,000 records cost more than twice as much as ten.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from reference.kernel.router import Router
from reference.kernel.routes import Accept, Address
from reference.kernel.table import RoutingTable

SIZES = (10, 1_000, 100_000)
LIMIT = 2.0
ADDRESSES = 400
REPEATS = 15
WORDS = ("mail", "shop", "north", "west", "sales", "support", "campus", "lab", "dial", "gate", "uk")

# For each kind: a record, and an address that it applies to.
_KINDS: tuple[Callable[[str], tuple[str, str]], ...] = (
    lambda name: (f"{name}.com = {name}.example.net", f"user@{name}.com"),
    lambda name: (f"<{name}@client.com> = {name}@example.net", f"{name}@client.com"),
    lambda name: (f"<info@{name}.org> = {name}@example.net", f"info@{name}.org"),
    lambda name: (f"*.{name}.edu = *.example.net", f"user@cs.{name}.edu"),
    lambda name: (f"{name}-*.isp.net = *.example.net", f"user@{name}-12.isp.net"),
    lambda name: (f"{name}.* = *.example.net", f"user@{name}.lab"),
    lambda name: (f"<*@{name}.name> = *@example.net", f"jim@{name}.name"),
    lambda name: (f"<{name}-*@lists.com> = *@example.net", f"{name}-owner@lists.com"),
    lambda name: (f"<*-{name}@corp.com> = *@example.net", f"dan-{name}@corp.com"),
    lambda name: (f"<{name}> = {name}-x@example.net", f"{name}@main.example"),
)


@dataclass(frozen=True)
class _Domain:
    name: str
    is_main: bool


class _Domains:
    main = _Domain("main.example", True)

    def get(self, name: str) -> _Domain | None:
        return None

    def by_address(self, ip: str) -> _Domain | None:
        return None


class _Smtp:
    name = "SMTP"

    def route(self, address: Address, *, final: bool) -> Accept | None:
        return Accept(address.domain, str(address)) if final else None


def names(size: int) -> Iterator[str]:
    """Return names of hosts and users, of many lengths, all different."""
    for number in range(size):
        word = WORDS[number % len(WORDS)]
        yield f"{word}{number}" if number % 3 else f"{word}-{WORDS[number % 7]}{number}"


def table_and_addresses(size: int) -> tuple[RoutingTable, list[str]]:
    """Return a table of ``size`` records, and addresses for all of its parts."""
    pairs = [_KINDS[number % len(_KINDS)](name) for number, name in enumerate(names(size))]
    table = RoutingTable.parse("\n".join(record for record, _ in pairs))
    chance = random.Random(size)
    hits = [chance.choice(pairs)[1] for _ in range(ADDRESSES // 2)]
    misses = [
        f"user{n}@{WORDS[n % len(WORDS)]}.elsewhere{n}.example" for n in range(ADDRESSES // 2)
    ]
    return table, hits + misses


def median_seconds(router: Router, addresses: list[str]) -> float:
    """Return the median over the addresses of the best of some routings of each."""
    best = dict.fromkeys(addresses, float("inf"))
    for _ in range(REPEATS):
        for address in addresses:
            start = time.perf_counter()
            router.route(address)
            best[address] = min(best[address], time.perf_counter() - start)
    return statistics.median(best.values())


def main() -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help=f"fail if the ratio is over {LIMIT}")
    check = parser.parse_args().check
    medians: dict[int, float] = {}
    for size in SIZES:
        start = time.perf_counter()
        table, addresses = table_and_addresses(size)
        built = time.perf_counter() - start
        router = Router(table=table, domains=_Domains(), modules=[_Smtp()])
        medians[size] = median_seconds(router, addresses)
        ratio = medians[size] / medians[SIZES[0]]
        print(
            f"{size:>7,} records: {medians[size] * 1e6:6.1f} us an address, ratio {ratio:.2f}"
            f" (table read in {built:.2f} s)"
        )
    ratio = medians[SIZES[-1]] / medians[SIZES[0]]
    if check and ratio > LIMIT:
        print(f"FAILED: {ratio:.2f} times the cost of {SIZES[0]} records, allowed is {LIMIT}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
