"""The live picture of a run: a line a chapter with a bar, drawn from pytest's reports.

On a terminal the lines move; anywhere else each chapter is one line, printed when it is complete.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from types import TracebackType
from typing import Any

import pytest
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn


def chapter_of(node_id: str) -> str:
    """Return the chapter of a test: what its scenario's id begins with."""
    return node_id.partition("::")[2].partition("/")[0]


class ChapterProgress:
    """A pytest plugin that shows how far each chapter is, instead of pytest's own terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description:16}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[bad]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._bad: Counter[str] = Counter()
        self._left: Counter[str] = Counter()
        self._total: Counter[str] = Counter()
        self._unreadable = False

    def __enter__(self) -> ChapterProgress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Let a wrong -k be said here and now: in a worker it would break pytest-xdist.

        Raises pytest.UsageError.
        """
        config = session.config
        config.hook.pytest_collection_modifyitems(session=session, config=config, items=[])

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Draw the lines of a run without workers, below what --lf has to say."""
        if session.items:
            remarks: list[str | list[str]] = session.config.hook.pytest_report_collectionfinish(
                config=session.config, start_path=session.startpath, items=session.items
            )
            for remark in remarks:
                for line in [remark] if isinstance(remark, str) else remark:
                    self._console.print(line, markup=False, soft_wrap=True)
            self._begin(item.nodeid for item in session.items)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note that a scenario file does not load (the session says why)."""
        self._unreadable |= report.failed

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        """Draw the lines once the first worker knows what there is.

        Raises pytest.Session.Interrupted when some of it cannot be read, as pytest does by itself
        without workers.
        """
        if self._unreadable:
            raise pytest.Session.Interrupted("some scenarios cannot be read")
        if not self._total:
            self._begin(ids)

    def _begin(self, node_ids: Iterable[str]) -> None:
        self._total = Counter(chapter_of(node_id) for node_id in node_ids)
        self._left = Counter(self._total)
        self._progress.start()
        for chapter, number in sorted(self._total.items()):
            self._tasks[chapter] = self._progress.add_task(chapter, total=number, bad="")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a case that has ended: with its call, or with a set-up that went wrong."""
        if report.when == "teardown" or (report.when == "setup" and report.passed):
            return
        chapter = chapter_of(report.nodeid)
        self._left[chapter] -= 1
        self._bad[chapter] += report.failed
        bad = self._bad[chapter]
        self._progress.update(
            self._tasks[chapter], advance=1, bad=f"[red]{bad} bad[/]" if bad else ""
        )
        if not self._left[chapter] and not self._console.is_terminal:
            note = f"  {bad} bad" if bad else ""
            self._console.print(f"{chapter:16} {self._total[chapter]:4} cases{note}")

    def pytest_internalerror(self, excrepr: object) -> None:
        """Show what broke in the harness itself."""
        print(excrepr, file=sys.stderr)
