"""The engine's process: enters the network plan, keeps the target, runs scenarios one by one.

``python -m conformance.run.engine DESCRIPTOR`` is started by :mod:`conformance.run.client` with one
end of a socket pair. It ends when the other end does, whatever the reason: then the server under
test is killed, the folders are removed, and nothing of the run is left. It is a process of its own
because a namespace, once entered, is for ever, and because a scenario may break anything.
"""

from __future__ import annotations

import asyncio
import faulthandler
import shutil
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from conformance.run.case import CaseRun
from conformance.run.messages import Broken, Done, EngineSettings, Held, Hold, Ready, Release, Run
from conformance.run.outcome import CaseResult, Outcome
from conformance.scenario.model import Scenario
from conformance.targets.base import SERVICE_PORTS, Target, TargetError
from conformance.targets.kinds import make_target
from conformance.targets.process import die_with_parent
from conformance.world.choose import choose_plan
from conformance.world.folders import ScratchFolder
from conformance.world.plan import Plan, PlanError

#: Seconds beyond the bound of a scenario after which the engine itself is stuck.
STUCK = 5.0


class Engine:
    """Answers one client until that is gone."""

    def __init__(
        self, connection: Connection, settings: EngineSettings, plan: Plan, target: Target
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._plan = plan
        self._target = target
        self._scratch = ScratchFolder()
        self._remover = ThreadPoolExecutor(max_workers=1)
        self._number = 0
        self._held: CaseRun | None = None
        self._gone = asyncio.Event()
        self._requests: asyncio.Queue[Any] = asyncio.Queue()

    async def serve(self) -> None:
        """Open the target, answer requests, give everything back."""
        loop = asyncio.get_running_loop()
        try:
            try:
                await self._target.open(self._plan)
            except TargetError as error:
                self._connection.send(Broken(str(error)))
                return
            facts = {**self._target.describe(), "plan": self._plan.name}
            self._connection.send(Ready(self._plan.name, facts))
            loop.add_reader(self._connection.fileno(), self._receive)
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._end)
            await self._answer_all()
        finally:
            if self._held is not None:
                await self._held.close()
            await self._target.close()
            self._remover.shutdown(wait=True)
            self._scratch.remove()

    def _receive(self) -> None:
        try:
            self._requests.put_nowait(self._connection.recv())
        except (EOFError, OSError):
            self._end()

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._connection.fileno())
        self._gone.set()

    async def _answer_all(self) -> None:
        gone = asyncio.create_task(self._gone.wait())
        while not gone.done():
            request = asyncio.create_task(self._requests.get())
            await asyncio.wait({request, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not request.done():
                request.cancel()
                return
            answer = asyncio.create_task(self._answer(request.result()))
            # A loop that is stuck cannot see its own bound: this thread of C ends the process.
            faulthandler.dump_traceback_later(self._settings.bound + STUCK, exit=True)
            await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
            faulthandler.cancel_dump_traceback_later()
            if gone.done():
                # Nobody is left to hear it: give up, but let the scenario clean up.
                answer.cancel()
                await asyncio.gather(answer, return_exceptions=True)
                return
            try:
                self._connection.send(answer.result())
            except OSError:
                return

    async def _answer(self, request: Any) -> Any:
        if isinstance(request, Run):
            return await self._run(request.scenario)
        if isinstance(request, Hold):
            return await self._hold(request.scenario)
        if isinstance(request, Release):
            return await self._release()
        raise TypeError(f"the engine was asked for {request!r}")

    async def _run(self, scenario: Scenario) -> Done:
        case, folder = self._case(scenario)
        done = await case.run()
        self._remover.submit(shutil.rmtree, folder, ignore_errors=True)
        return done

    async def _hold(self, scenario: Scenario) -> Held:
        case, folder = self._case(scenario)
        self._held = case
        done = await case.stage()
        if done.result.outcome is not Outcome.PASSED:
            await self._release()
            return Held(problem=done.result.reason)
        given = scenario.given
        return Held(
            addresses=tuple((each, self._plan.address(each)) for each in given.addresses),
            ports={
                service: self._plan.port(case.session.port(service)) for service in SERVICE_PORTS
            },
            base=str(folder / "base"),
            passwords={
                f"{account.name}@{domain.name}": account.password
                for domain in given.domains
                for account in domain.accounts
            },
        )

    async def _release(self) -> Done:
        case, self._held = self._held, None
        if case is not None:
            await case.close()
        return Done(CaseResult(id="", outcome=Outcome.PASSED))

    def _case(self, scenario: Scenario) -> tuple[CaseRun, Path]:
        self._number += 1
        folder = self._scratch.path / str(self._number)
        folder.mkdir()
        case = CaseRun(
            scenario,
            plan=self._plan,
            target=self._target,
            settings=self._settings,
            folder=folder,
        )
        return case, folder


def main(descriptor: int) -> int:
    """Serve the client at a socket's descriptor; return the exit status."""
    # Ctrl-C reaches the client, which ends the connection; the engine then ends in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # An engine that can clean up shall do so, though nobody hears it any more.
    die_with_parent(signal.SIGTERM)
    connection = Connection(descriptor)
    try:
        settings: EngineSettings = connection.recv()
    except EOFError:
        return 0
    try:
        target = make_target(settings.target)
        plan = choose_plan(_plan_name(settings))
    except (PlanError, TargetError) as error:
        connection.send(Broken(str(error)))
        return 1
    try:
        asyncio.run(Engine(connection, settings, plan, target).serve())
    except BrokenPipeError:
        return 0
    finally:
        plan.close()
    return 0


def _plan_name(settings: EngineSettings) -> str:
    """Return the plan to ask for. Raises PlanError when the target does not support it."""
    name, supported = settings.plan, settings.target.plans
    if name == "auto":
        return "auto" if len(supported) > 1 else supported[0]
    if name not in supported:
        raise PlanError(
            f"{settings.target.name} does not support the {name} plan, only {', '.join(supported)}"
        )
    return name


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
