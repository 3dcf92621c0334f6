"""Kill the server under load at random moments and see whether a message is lost or torn.

    python bench/kill.py [--rounds 200] [--seed 1]

Six SMTP clients send letters to accounts, to a mailing list, to a remote host (that takes, delays,
refuses, or loses the connection) and to nobody; a POP client reads and removes. The server is
killed with SIGKILL and started again on the same base directory. In the end every letter that was
answered with 250 must have been delivered or returned, whole, and nothing else. The exit status is
1 if one was lost or torn.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from hardy.kills import Experiment, Outcome


async def _run(folder: Path, rounds: int, seed: int) -> Outcome:
    def progress(number: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{number} of {rounds}", end="", file=sys.stderr, flush=True)

    return await Experiment(folder=folder, seed=seed).run(rounds, progress)


def main() -> int:
    """Run the experiment and print what came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=200, help="how often to kill")
    parser.add_argument("--seed", type=int, default=1, help="of the moments and the letters")
    options = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mailproof-kill-") as folder:
        outcome = asyncio.run(_run(Path(folder), options.rounds, options.seed))
    print("\n".join(outcome.lines()))
    print(f"seed {options.seed}, {time.monotonic() - begun:.0f} seconds")
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
