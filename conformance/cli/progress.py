"""The live picture of a run: a line a chapter with a bar, drawn from pytest's reports."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePath
from typing import Any

import pytest
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn


def chapter_of(node_id: str) -> str:
    """Return the chapter of a test: the folder of its scenario file."""
    return PurePath(node_id.split("::", 1)[0]).parent.name


class ChapterProgress:
    """A pytest plugin that shows how far each chapter is, instead of pytest's own terminal.

    ``only`` are the words of the command line: cases that they do not mean are left out, so that a
    single row of a file can be run.
    """

    def __init__(self, console: Console, *, only: frozenset[str] = frozenset()) -> None:
        self._console = console
        self._only = only
        self._progress = Progress(
            TextColumn("{task.description:16}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[bad]}"),
            console=console,
            transient=not console.is_terminal,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._bad: Counter[str] = Counter()
        self._left: Counter[str] = Counter()
        self._total: Counter[str] = Counter()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Keep the named rows only."""
        rows = {word for word in self._only if "[" in word}
        if rows:
            files = {word.split("[", 1)[0] for word in rows}
            kept = [i for i in items if i.name in rows or i.name.split("[", 1)[0] not in files]
            config.hook.pytest_deselected(items=[i for i in items if i not in kept])
            items[:] = kept

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Draw the lines of a run without workers."""
        if session.items:
            self._begin(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        """Draw the lines once the first worker knows what there is."""
        if not self._total:
            self._begin(ids)

    def _begin(self, node_ids: Iterable[str]) -> None:
        self._total = Counter(chapter_of(node_id) for node_id in node_ids)
        self._left = Counter(self._total)
        self._progress.start()
        for chapter, number in sorted(self._total.items()):
            self._tasks[chapter] = self._progress.add_task(chapter, total=number, bad="")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a case that has ended."""
        if report.when != "call" and report.passed:
            return
        if report.when == "teardown":
            return
        chapter = chapter_of(report.nodeid)
        self._left[chapter] -= 1
        self._bad[chapter] += report.failed
        bad = f"[red]{self._bad[chapter]} bad[/]" if self._bad[chapter] else ""
        if chapter in self._tasks:
            self._progress.update(self._tasks[chapter], advance=1, bad=bad)
        if not self._left[chapter] and not self._console.is_terminal:
            note = f"  {self._bad[chapter]} bad" if self._bad[chapter] else ""
            self._console.print(f"{chapter:16} {self._total[chapter]:4} cases{note}")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Show what is wrong with a scenario file."""
        if report.failed:
            self._console.print(escape(str(report.longrepr)), soft_wrap=True, style="red")

    def pytest_internalerror(self, excrepr: object) -> None:
        """Show what broke in the harness itself."""
        print(excrepr, file=sys.stderr)

    def close(self) -> None:
        """Stop drawing."""
        self._progress.stop()
