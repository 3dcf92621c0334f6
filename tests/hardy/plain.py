"""Server processes for the tests of starts and ends: what they are told, and how they end."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from hardy.places import Place
from hardy.warm import ROOT

#: Seconds within which a process must have done what it is told.
BOUND = 60.0


class Harness:
    """A control socket that waits for its server."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"control-{time.monotonic_ns()}"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen()
        # The server may be somebody else by the time it connects.
        self.path.chmod(0o777)

    def await_ready(self, pid: int) -> socket.socket:
        """Return the connection of the server as soon as it is ready."""
        process = os.pidfd_open(pid)
        try:
            waited: list[socket.socket | int] = [self._listener, process]
            readable, _, _ = select.select(waited, [], [], BOUND)
            assert self._listener in readable, "the server has ended, or is silent"
        finally:
            os.close(process)
        control, _ = self._listener.accept()
        self._listener.close()
        control.settimeout(BOUND)
        assert json.loads(control.makefile("rb").readline()) == {"event": "ready", "pid": pid}
        return control


class Started:
    """A process that tells over a control socket when it is ready. Use it in a ``with`` block."""

    def __init__(
        self,
        program: Sequence[str],
        *,
        base: Path,
        place: Place,
        folder: Path,
        before: Sequence[str] = (),
    ) -> None:
        """``before`` goes before the server's own options, ``folder`` has room for the rest."""
        self._output = folder / f"output-{time.monotonic_ns()}"
        harness = Harness(folder)
        options = ["--base", str(base), *place.options(), "--control", str(harness.path)]
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [*program, *before, *options],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self.control = harness.await_ready(self.process.pid)

    def __enter__(self) -> Started:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.control.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def end_by(self, number: signal.Signals) -> int:
        """Send a signal; return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(BOUND)

    def output(self) -> str:
        """Return what the process has written."""
        return self._output.read_text("utf-8", "replace")


class Forks:
    """A warm process that is spoken to line by line."""

    def __init__(self, folder: Path) -> None:
        self._errors = folder / "errors"
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "reference.warm"],
                cwd=ROOT,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._input = self.process.stdin
        self._output = self.process.stdout
        self._heard = b""
        self._number = 0
        assert self.hear() == {"ready": True}

    def fork(self, arguments: Sequence[str]) -> int:
        """Start a server; return its process id."""
        self._number += 1
        self.say(json.dumps({"id": self._number, "argv": list(arguments)}).encode() + b"\n")
        answer = self.hear()
        assert answer["id"] == self._number
        return int(answer["pid"])

    def run(self, arguments: Sequence[str]) -> tuple[int, str]:
        """Run a server that must end by itself; return its status and what it said."""
        before = self._errors.stat().st_size
        pid = self.fork(arguments)
        ended = self.hear()
        assert ended["exit"] == pid
        return int(ended["status"]), self._errors.read_bytes()[before:].decode("utf-8", "replace")

    def start(self, base: Path, place: Place, folder: Path) -> tuple[int, socket.socket]:
        """Start a server that is ready on return; return its process id and control socket."""
        harness = Harness(folder)
        options = ["--base", str(base), *place.options(), "--control", str(harness.path)]
        pid = self.fork(options)
        return pid, harness.await_ready(pid)

    def errors(self) -> str:
        """Return what the servers have written to their standard error."""
        return self._errors.read_text("utf-8", "replace")

    def say(self, octets: bytes) -> None:
        """Write to the warm process."""
        self._input.write(octets)

    def hear(self) -> dict[str, Any]:
        """Read the next line that the warm process says."""
        end = time.monotonic() + BOUND
        while b"\n" not in self._heard:
            readable, _, _ = select.select([self._output], [], [], max(0.0, end - time.monotonic()))
            assert readable, "the warm process is silent"
            octets = os.read(self._output.fileno(), 65536)
            assert octets, "the warm process has ended"
            self._heard += octets
        line, _, self._heard = self._heard.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def close(self) -> int:
        """End the standard input; return the status with which the warm process ends."""
        self._input.close()
        try:
            return self.process.wait(BOUND)
        finally:
            self.process.kill()
            self.process.wait()
            self._output.close()
