"""The pytest process's side of its engine: start it, give it scenarios, survive its end.

An engine is a fresh interpreter of its own (``python -m conformance.run.engine``). Whatever happens
to it, a scenario gets a result: an engine that dies or hangs makes *error* of the case under way,
and the next case gets a new engine. This module never looks at what a scenario says.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

from conformance.run.messages import Broken, Done, EngineSettings, Held, Hold, Ready, Release, Run
from conformance.run.outcome import CaseResult, Outcome
from conformance.scenario.model import Scenario

_ROOT = Path(__file__).parents[2]
#: Seconds beyond the engine's own bound until it counts as hung.
GRACE = 10.0
#: Seconds that a fresh engine has to come up.
START_BOUND = 60.0
#: After so many scenarios in a row without a server, or without an engine that lives to tell,
#: the run is given up.
ENOUGH = 3


class EngineError(Exception):
    """There is no working engine; one sentence."""


class EngineClient:
    """One engine, started when it is first needed."""

    def __init__(self, settings: EngineSettings) -> None:
        self.settings = settings
        self.hopeless = ""
        """Why no further scenario can be run; empty while there is hope."""
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._errors: Any = None
        self._ready: Ready | None = None
        self._unstarted = 0

    def __enter__(self) -> EngineClient:
        self.begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def begin(self) -> None:
        """Start the engine's process without waiting for it."""
        if self._process is not None:
            return
        ours, theirs = socket.socketpair()
        # The engine imports what this process imports, installed or not.
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH", ""))))
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the engine
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "conformance.run.engine", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._errors,
                stderr=self._errors,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,
            )
        self._connection = Connection(ours.detach())
        self._connection.send(self.settings)

    def ready(self) -> Ready:
        """Wait until the engine has its plan and its target. Raises EngineError."""
        if self.hopeless:
            raise EngineError(self.hopeless)
        if self._ready is None:
            self.begin()
            answer = self._receive(START_BOUND)
            if isinstance(answer, Broken):
                self.hopeless = answer.reason
                self._end()
                raise EngineError(answer.reason)
            self._ready = answer
        return self._ready

    def run(self, scenario: Scenario) -> CaseResult:
        """Run one scenario. Never raises: what breaks is an *error* of the case."""
        try:
            done: Done = self._ask(Run(scenario), self.settings.bound + GRACE)
        except EngineError as error:
            reason = str(error)
            done = Done(CaseResult(id=scenario.id, outcome=Outcome.ERROR, reason=reason), False)
        self._unstarted = 0 if done.started else self._unstarted + 1
        if self._unstarted >= ENOUGH and not self.hopeless:
            self.hopeless = f"given up after {ENOUGH} scenarios in a row: {done.result.reason}"
        return done.result

    def hold(self, scenario: Scenario) -> Held:
        """Build the scenario's world and leave it running until :meth:`release` or :meth:`close`.

        Raises EngineError when it does not come up.
        """
        held: Held = self._ask(Hold(scenario), self.settings.bound + GRACE)
        if held.problem:
            raise EngineError(held.problem)
        return replace(held, enter=self._enter())

    def _enter(self) -> tuple[str, ...]:
        """Return the words that make a command run inside the engine's namespaces."""
        if self._process is None or self.ready().plan != "namespace":
            return ()
        pid = self._process.pid
        other_user = _user_namespace(str(pid)) != _user_namespace("self")
        user = ("--user", "--preserve-credentials") if other_user else ()
        return ("nsenter", "--target", str(pid), *user, "--net")

    def release(self) -> None:
        """Tear down what :meth:`hold` built. Raises EngineError."""
        self._ask(Release(), self.settings.bound)

    def close(self) -> None:
        """End the engine and everything that it started."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                pass
        self._end()

    def _ask(self, request: Run | Hold | Release, seconds: float) -> Any:
        self.ready()
        connection = self._connection
        if connection is None:
            raise EngineError("the engine is closed")
        try:
            connection.send(request)
        except OSError:
            raise self._died() from None
        return self._receive(seconds)

    def _receive(self, seconds: float) -> Any:
        connection = self._connection
        if connection is None:
            raise EngineError("the engine is closed")
        try:
            if connection.poll(seconds):
                return connection.recv()
        except (EOFError, OSError):
            raise self._died() from None
        except BaseException:
            # Interrupted: the answer under way would be taken for that of the next request.
            self.close()
            raise
        self._end()
        raise EngineError(f"the engine hung: no answer within {seconds:g} seconds; it was killed")

    def _died(self) -> EngineError:
        """Reap an engine that is gone and say what it left behind."""
        process = self._process
        status = ""
        if process is not None:
            try:
                code = process.wait(5)
                status = f" (signal {-code})" if code < 0 else f" (status {code})"
            except subprocess.TimeoutExpired:
                status = " (it closed its connection)"
        words = self._last_words()
        self._end()
        return EngineError(f"the engine died{status}{f': {words}' if words else ''}")

    def _last_words(self, lines: int = 6) -> str:
        self._errors.seek(0)
        text = self._errors.read().decode("utf-8", "replace")
        return " | ".join(text.strip().splitlines()[-lines:])

    def _end(self) -> None:
        """Kill what is left and forget it; a later request starts a new engine."""
        if self._connection is not None:
            self._connection.close()
        process = self._process
        if process is not None:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        if self._errors is not None:
            self._errors.close()
        self._connection = self._process = self._errors = self._ready = None


def _user_namespace(process: str) -> str:
    return str(Path(f"/proc/{process}/ns/user").readlink())
