"""The life of a server that is one process: what a session of any kind tells of it."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from conformance.scenario.model import Given
from conformance.targets.base import Holds, TargetError
from conformance.targets.life import ProcessSession
from conformance.targets.process import spawn

BOUND = 20.0
#: Turns of the event loop in which a task that has something to tell tells it.
TURNS = 20
LIVES = "import signal; signal.pause()"
COMPLAINS = "import sys; sys.exit('no room')"


class Life(ProcessSession):
    """A session whose server is a Python program."""

    def __init__(self, folder: Path, program: str, *, fails: str = "") -> None:
        super().__init__()
        self.folder = folder
        self.program = program
        self.fails = fails
        self.asked: list[signal.Signals] = []

    async def launch(self) -> None:
        """Start the program; fail then, if that is wanted."""
        self.process, _ = await spawn(
            [sys.executable, "-c", self.program],
            environment={},
            folder=self.folder,
            output=self.folder / "output",
            enter=lambda: None,
        )
        self._may_end = False
        if self.fails:
            raise TargetError(self.fails)

    async def configure(self, given: Given) -> None:
        """Configure nothing."""

    async def rest(self, held: Holds) -> None:
        """Be at rest."""

    async def _end(self, number: signal.Signals) -> None:
        self.asked.append(number)
        self.may_end()
        assert self.process is not None
        self.process.signal(number)
        assert await self.gone(BOUND)


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run the work within a bound."""
    asyncio.run(asyncio.wait_for(work, BOUND))


async def tells(task: asyncio.Task[str]) -> bool:
    """Tell whether the task has ended after some turns of the loop."""
    for _ in range(TURNS):
        await asyncio.sleep(0)
    return task.done()


def test_an_end_in_the_middle_is_told_with_the_last_words(tmp_path: Path) -> None:
    async def work() -> None:
        life = Life(tmp_path, COMPLAINS)
        await life.start()
        assert await life.ended() == "the server ended in the middle with status 1: no room"
        assert not life.running
        assert life.complaints() == "no room"

    run(work())


@pytest.mark.parametrize(
    ("end", "number"), [("kill", signal.SIGKILL), ("halt", signal.SIGTERM)], ids=["kill", "halt"]
)
def test_an_end_that_was_asked_for_is_not_told(
    tmp_path: Path, end: str, number: signal.Signals
) -> None:
    async def work() -> None:
        life = Life(tmp_path, LIVES)
        await life.start()
        assert life.running
        told = asyncio.create_task(life.ended())
        await asyncio.sleep(0)
        await (life.kill() if end == "kill" else life.halt())
        assert life.asked == [number]
        assert not life.running
        assert not await tells(told)
        told.cancel()

    run(work())


def test_the_end_of_a_later_process_is_told_to_who_asks_then(tmp_path: Path) -> None:
    async def work() -> None:
        life = Life(tmp_path, LIVES)
        await life.start()
        before = asyncio.create_task(life.ended())
        await asyncio.sleep(0)
        await life.kill()
        life.program = COMPLAINS
        await life.launch()
        assert "with status 1" in await life.ended()
        assert not await tells(before)
        before.cancel()

    run(work())


def test_a_session_without_a_process_is_gone_and_says_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        life = Life(tmp_path, LIVES)
        assert await life.gone(0)
        assert not life.running
        assert life.complaints() == ""
        told = asyncio.create_task(life.ended())
        assert not await tells(told)
        told.cancel()
        await life.stop()

    run(work())


def test_a_server_that_cannot_be_started_is_ended(tmp_path: Path) -> None:
    async def work() -> None:
        life = Life(tmp_path, LIVES, fails="it hears nobody")
        with pytest.raises(TargetError, match="it hears nobody"):
            await life.start()
        assert life.process is not None
        assert await life.gone(BOUND)
        assert life.process.status.result() == 128 + signal.SIGKILL

    run(work())


def test_stop_does_not_wait_for_the_end(tmp_path: Path) -> None:
    async def work() -> None:
        life = Life(tmp_path, LIVES)
        await life.start()
        await life.stop()
        assert life.running
        assert await life.gone(BOUND)
        assert life.asked == []

    run(work())
