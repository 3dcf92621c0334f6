"""How many scenario rows a second ``mailproof run`` does, its start-up included.

``python bench/scenarios.py [--runs 3] [--workers 2] [--check 30] [-- ARGUMENTS OF mailproof run]``
prints, for each run, rows, seconds and rows a second, then the median and the slowest scenarios.
With ``--check N`` the exit status is 1 when the median is below N rows a second or a scenario takes
more than a second.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def one_run(workers: str, words: list[str], results: Path) -> tuple[int, float]:
    """Run the scenarios once; return the number of rows and the seconds."""
    command = [sys.executable, "-m", "conformance.cli", "run", "-n", workers]
    began = time.perf_counter()
    done = subprocess.run(
        [*command, "--results", str(results), *words], capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - began
    if done.returncode != 0:
        sys.exit(f"mailproof run ended with status {done.returncode}:\n{done.stdout}{done.stderr}")
    return len(json.loads(results.read_text())["cases"]), seconds


def main() -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--workers", default="2")
    parser.add_argument("--check", type=float, default=0.0, metavar="ROWS_A_SECOND")
    parser.add_argument("words", nargs="*", help="arguments of mailproof run")
    options = parser.parse_args()
    rates = []
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "result.json"
        for number in range(options.runs):
            rows, seconds = one_run(options.workers, options.words, results)
            rates.append(rows / seconds)
            rate = f"{rates[-1]:.1f} rows a second"
            print(f"run {number + 1}: {rows} rows in {seconds:.2f} s, {rate}")
        cases = json.loads(results.read_text())["cases"]
    slowest = sorted(cases, key=lambda case: -case["seconds"])[:5]
    median = statistics.median(rates)
    print(f"median {median:.1f} rows a second with {options.workers} workers")
    for case in slowest:
        print(f"  {case['seconds']:.3f} s  {case['id']}")
    too_slow = options.check and (median < options.check or slowest[0]["seconds"] > 1.0)
    return 1 if too_slow else 0


if __name__ == "__main__":
    sys.exit(main())
