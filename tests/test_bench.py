"""The benchmarks run, judge and measure what they say: a few messages only."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bench"))

from transport import Round, report

BENCH = Path(__file__).resolve().parent.parent / "bench"


def run(script: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCH / script), "--folder", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_the_reference_and_aiosmtpd_are_compared(tmp_path: Path) -> None:
    few = ("--rounds", "1", "--messages", "40", "--sessions", "4")
    done = run("transport.py", tmp_path, *few, "--only", "reference,aiosmtpd")
    assert done.returncode == 0, done.stderr
    names = [line.split()[0] for line in done.stdout.splitlines()]
    assert names[-2:] == ["reference", "aiosmtpd"]
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_absent_is_skipped_and_fails_the_check(tmp_path: Path) -> None:
    few = ("--rounds", "1", "--messages", "20", "--sessions", "2", "--exim", "no-such-exim")
    done = run("transport.py", tmp_path, *few, "--only", "reference,exim", "--check")
    assert "Exim: skipped, it " in done.stdout
    assert done.returncode == 1
    assert "FAILED: not compared with Postfix, aiosmtpd" in done.stdout


def test_memory_is_reported(tmp_path: Path) -> None:
    done = run("transport.py", tmp_path, "--memory", "200")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(" MB") == 20


def test_a_queue_and_many_sessions_do_no_harm(tmp_path: Path) -> None:
    few = ("--sessions", "30", "--queue", "60", "--domains", "12", "--letters", "3")
    done = run("load.py", tmp_path, *few)
    assert done.returncode == 0, done.stderr
    assert "30 sessions together" in done.stdout
    assert "restart with 60 messages" in done.stdout
    assert "FAILED" not in done.stdout


def _rounds(**rates: float) -> dict[str, list[Round]]:
    times = {"median": 0.1, "99": 0.2}
    return {name: [Round(rate, rate, times, 0.1)] * 3 for name, rate in rates.items()}


@pytest.mark.parametrize(
    ("postfix", "aiosmtpd", "status"),
    [(1000.0, 600.0, 0), (1010.0, 600.0, 1), (1000.0, 700.0, 1)],
)
def test_the_check_knows_the_ratios(postfix: float, aiosmtpd: float, status: int) -> None:
    rounds = _rounds(reference=800.0, Postfix=postfix, aiosmtpd=aiosmtpd)
    assert report(rounds, check=True) == status
    assert report(rounds, check=False) == 0
