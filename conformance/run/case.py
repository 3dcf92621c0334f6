"""One scenario from its world to its verdict.

The world is built while the server starts; then the server is configured, the steps are judged one
after the other, and everything is given back. Whatever happens there is a CaseResult: what the
server did wrong is *failed*; what it cannot be asked is *not applicable*; and when the server or
the harness itself breaks, it is an *error*, never a failure of conformance.
"""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from conformance.run.judges import JUDGES
from conformance.run.messages import Done, EngineSettings
from conformance.run.outcome import CaseResult, Outcome
from conformance.run.scene import Mismatch, Scene
from conformance.scenario.model import Level, Scenario, Step
from conformance.scenario.project import project
from conformance.targets.base import NotApplicable, Session, Surroundings, Target, TargetError
from conformance.world.disk import Disk
from conformance.world.dns.zone import ZoneError
from conformance.world.plan import Plan, PlanError
from conformance.world.transcript import Transcript
from conformance.world.world import DNS_ADDRESS, World

#: Seconds after a broken connection in which the death of the server is waited for.
DEATH_NOTICE = 0.3


class CaseRun:
    """One scenario under way."""

    def __init__(
        self,
        scenario: Scenario,
        *,
        plan: Plan,
        target: Target,
        settings: EngineSettings,
        folder: Path,
    ) -> None:
        self._scenario = scenario
        self._plan = plan
        self._target = target
        self._settings = settings
        self._folder = folder
        self._began = time.perf_counter()
        self._transcript = Transcript()
        self._world = World(plan, self._transcript)
        self._session: Session | None = None
        self._scene: Scene | None = None
        self._disk: Disk | None = None
        self._step: Step | None = None

    async def run(self) -> Done:
        """Run the scenario to its end and give everything back. Never raises."""
        reason = self._why_not()
        if reason:
            return Done(self._result(Outcome.NOT_APPLICABLE, reason))
        try:
            done = await self._within_bound(self._perform)
        finally:
            await self.close()
        return done

    async def stage(self) -> Done:
        """Build the world and configure the server, and leave both for :meth:`close`."""
        reason = self._why_not()
        if reason:
            return Done(self._result(Outcome.NOT_APPLICABLE, reason))
        return await self._within_bound(self._set_up)

    @property
    def session(self) -> Session:
        """The server, once it has started."""
        if self._session is None:
            raise TargetError("the server has not been started")
        return self._session

    def _why_not(self) -> str:
        if self._scenario.level is Level.TEXT and not self._settings.strict:
            return "literal reply texts are checked with --strict only"
        if self._needs_disk and not self._plan.disks:
            return f"the {self._plan.name} plan cannot give the server a disk of its own"
        return self._target.lacks(self._scenario)

    @property
    def _needs_disk(self) -> bool:
        return any(step.kind == "disk" for step in self._scenario.steps)

    async def _within_bound(self, work: Callable[[], object]) -> Done:
        """Do the work and say how it ended."""
        bound = asyncio.timeout(self._settings.bound)
        try:
            async with bound:
                await work()  # type: ignore[misc]
        except Mismatch as mismatch:
            return Done(self._mismatch(mismatch))
        except NotApplicable as error:
            return Done(self._result(Outcome.NOT_APPLICABLE, str(error)))
        except (TargetError, PlanError, ZoneError) as error:
            return self._error(str(error))
        except TimeoutError:
            if bound.expired():
                return self._error(f"{self._where()} hung for {self._settings.bound:g} seconds")
            return self._broken()
        except Exception:  # noqa: BLE001 - one broken case must not end the run
            return self._broken()
        return Done(self._result(Outcome.PASSED))

    async def _perform(self) -> None:
        await self._set_up()
        steps = asyncio.create_task(self._play())
        ended = asyncio.create_task(self.session.ended())
        try:
            await asyncio.wait({steps, ended}, return_when=asyncio.FIRST_COMPLETED)
            if steps.done() and _lost_its_connection(steps):
                await asyncio.wait({ended}, timeout=DEATH_NOTICE)
            if ended.done():
                raise TargetError(ended.result())
            steps.result()
        finally:
            for task in (steps, ended):
                task.cancel()
            await asyncio.gather(steps, ended, return_exceptions=True)

    async def _set_up(self) -> None:
        self._scenario = scenario = project(self._scenario, self._plan.text)
        given = scenario.given
        await self._target.vacant()
        self._plan.set_server_addresses(given.addresses)
        if self._needs_disk:
            self._disk = Disk(self._folder)
        surroundings = Surroundings(
            plan=self._plan,
            folder=self._folder,
            dns_address=self._plan.address(DNS_ADDRESS),
            transcript=self._transcript,
        )
        starting = asyncio.create_task(self._target.start(given, surroundings))
        try:
            await self._world.build(given)
            self._session = await starting
        except BaseException:
            # A server that has come up all the same must not stay.
            starting.cancel()
            (outcome,) = await asyncio.gather(starting, return_exceptions=True)
            if isinstance(outcome, Session):
                self._session = outcome
            raise
        self._world.on_change = self._session.world_changed
        self._scenario = scenario = self._placed(scenario)
        await self._session.configure(scenario.given)
        self._scene = Scene(
            scenario=scenario,
            plan=self._plan,
            world=self._world,
            session=self._session,
            transcript=self._transcript,
            disk=self._disk,
            fixtures=self._settings.fixtures,
            strict=self._settings.strict,
            patience=self._settings.patience,
        )

    def _placed(self, scenario: Scenario) -> Scenario:
        """Return the scenario with the places of this run in its texts."""

        def text(text: str) -> str:
            if "{base}" in text:
                text = text.replace("{base}", str(self.session.base))
            return text.replace("{python}", sys.executable)

        return project(scenario, text)

    async def _play(self) -> None:
        scene = self._scene
        if scene is None:
            raise TargetError("the scene is not set")
        for index, step in enumerate(self._scenario.steps):
            self._step = step
            self._transcript.step = index
            await JUDGES[step.kind](scene, step)

    async def close(self) -> None:
        """End the server and the world. Never raises."""
        self._world.on_change = None
        if self._scene is not None:
            self._scene.close()
        closing = [self._world.close()]
        if self._session is not None:
            closing.append(self._session.stop())
        for problem in await asyncio.gather(*closing, return_exceptions=True):
            if isinstance(problem, BaseException):
                self._transcript.remark(f"could not be ended: {problem!r}", bad=True)
        if self._disk is not None:
            self._disk.close()

    # The verdict

    def _where(self) -> str:
        if self._step is None:
            return "the start of the server" if self._session is None else "its configuration"
        return f"step {self._transcript.step + 1}, {self._step.kind},"

    def _mismatch(self, mismatch: Mismatch) -> CaseResult:
        self._note_complaints()
        position = mismatch.position or (self._step.position if self._step else "")
        return self._result(Outcome.FAILED, str(mismatch), position=str(position))

    def _error(self, reason: str) -> Done:
        self._note_complaints()
        started = self._session is not None
        return Done(self._result(Outcome.ERROR, reason), started=started)

    def _broken(self) -> Done:
        for line in traceback.format_exc().splitlines():
            self._transcript.remark(line)
        last = traceback.format_exc().strip().splitlines()[-1]
        return Done(self._result(Outcome.ERROR, f"the harness broke at {self._where()} {last}"))

    def _note_complaints(self) -> None:
        said = self._session.complaints() if self._session is not None else ""
        if said:
            self._transcript.remark(f"the server's standard error: {said}")

    def _result(self, outcome: Outcome, reason: str = "", *, position: str = "") -> CaseResult:
        stopped = outcome in (Outcome.FAILED, Outcome.ERROR) and self._step is not None
        if stopped and self._step is not None and not position:
            position = str(self._step.position)
        if outcome in (Outcome.FAILED, Outcome.ERROR):
            self._transcript.remark(reason, bad=not any(li.bad for li in self._transcript.lines))
        return CaseResult(
            id=self._scenario.id,
            outcome=outcome,
            seconds=time.perf_counter() - self._began,
            reason=reason,
            step=self._transcript.step if stopped else -1,
            position=position,
            transcript=self._transcript.lines,
        )


def _lost_its_connection(steps: asyncio.Task[None]) -> bool:
    problem = None if steps.cancelled() else steps.exception()
    return isinstance(problem, Mismatch) and problem.lost
