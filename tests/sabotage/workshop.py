"""Where copies of the reference are made, changed, and put before the scenarios.

A server under test is told by its target file where its code is: the file of a copy sets
``PYTHONPATH`` to the folder that the copy stands in. So nothing in the reference and nothing in the
harness knows that it is being tampered with.
"""

from __future__ import annotations

import py_compile
import queue
import shutil
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from conformance.run.client import EngineClient
from conformance.run.messages import EngineSettings
from conformance.run.outcome import CaseResult
from conformance.scenario.model import Scenario
from conformance.targets.file import TargetFile, load_target
from sabotage.case import Sabotage

ROOT = Path(__file__).parents[2]
PACKAGE = "reference"


class Workshop:
    """Makes copies and runs scenarios against them."""

    def __init__(self, folder: Path, *, engines: int) -> None:
        """``engines`` scenarios are run at a time. The copies are made in ``folder``."""
        self._folder = folder
        self._engines = engines
        self._number = 0
        self._original = folder / "original"
        copied = shutil.copytree(
            ROOT / PACKAGE, self._original, ignore=shutil.ignore_patterns("__pycache__")
        )
        # Compiled once, here: each copy then compiles just what is changed in it.
        for path in copied.rglob("*.py"):
            py_compile.compile(str(path), dfile=str(path.relative_to(folder)), doraise=True)

    def copy(self, case: Sabotage | None = None) -> TargetFile:
        """Return the target file of a new copy, with a change or without. Raises SabotageError."""
        self._number += 1
        home = self._folder / str(self._number)
        package = shutil.copytree(self._original, home / PACKAGE)
        if case is not None:
            case.apply(package)
        file = load_target(shutil.copy(ROOT / "targets" / "reference.toml", home))
        start = replace(file.start, environment={**file.start.environment, "PYTHONPATH": "{here}"})
        return replace(file, start=start)

    def run(self, target: TargetFile, scenarios: Iterable[Scenario]) -> list[CaseResult]:
        """Run scenarios against a copy; each gives a result, in any order."""
        settings = EngineSettings(target=target, fixtures=ROOT / "fixtures")
        clients = [EngineClient(settings) for _ in range(self._engines)]
        waiting: queue.SimpleQueue[Scenario] = queue.SimpleQueue()
        for scenario in scenarios:
            waiting.put(scenario)
        results: list[CaseResult] = []
        try:
            # Begun by this thread: an engine dies with the thread that has begun it.
            for client in clients:
                client.begin()
            _together([threading.Thread(target=_work, args=(c, waiting, results)) for c in clients])
        finally:
            for client in clients:
                client.close()
            shutil.rmtree(target.path.parent)
        return results


def _work(
    client: EngineClient, waiting: queue.SimpleQueue[Scenario], results: list[CaseResult]
) -> None:
    while not client.hopeless:
        try:
            scenario = waiting.get_nowait()
        except queue.Empty:
            return
        results.append(client.run(scenario))


def _together(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
