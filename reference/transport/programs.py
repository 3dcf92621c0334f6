"""External programs: one run of one program, as a process of its own.

Guide 3.5.2, PIPE Module (Delivering to External Applications) and Automated Mail Processing (Rule
Actions, Execute). A program gets octets on its standard input, must read all of them, and has a
time limit on the server's clock; what it says on its other channels is kept up to a limit. What an
exit code or an error text means is the callers' business.

A run holds a thread and a task (:mod:`reference.kernel.work`) until the process has ended, so the
server is not at rest while a program works. There is no shell: a command line is split into words.
"""

from __future__ import annotations

import array
import fcntl
import os
import selectors
import signal
import subprocess
import termios
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from reference.kernel.clock import Clock
from reference.kernel.work import Work
from reference.queue.threads import Threads

#: Octets that are kept of what a program says on one of its channels.
SAID_LIMIT = 4096
_BLOCK = 65536


class NotStarted(Exception):  # noqa: N818 - it is what happened
    """The program could not be started; ``str()`` says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run."""

    words: Sequence[str]
    """The program and its parameters."""
    folder: Path
    """The process's current directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended."""

    code: int
    """The exit code; of a process that a signal ended, minus its number."""
    read_all: bool
    """It has read all of its standard input."""
    output: bytes
    """The beginning of what it said on its standard output."""
    errors: bytes
    """The same for its standard error channel."""
    interrupted: bool = False
    """It took longer than it might and was ended."""


@dataclass(slots=True)
class _Leash:
    """Ends a process that takes too long, from another thread."""

    process: subprocess.Popen[bytes] | None = None
    pulled: bool = False

    def pull(self) -> None:
        """End the process and what it has begun."""
        self.pulled = True
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


class Programs:
    """Runs programs. ``threads`` has one thread for each that may run at a time."""

    def __init__(self, *, threads: Threads, clock: Clock, work: Work) -> None:
        self._threads = threads
        self._clock = clock
        self._work = work

    async def run(
        self, command: Command, content: Callable[[], Iterable[bytes]], *, limit: float
    ) -> Ended:
        """Run a program, with ``content`` (called in a thread) on its input, for ``limit`` seconds.

        Raises NotStarted, and OSError when the content cannot be read.
        """
        leash = _Leash()
        with self._work.doing(f"program {command.words[0]}"):
            timer = self._clock.call_later(limit, leash.pull)
            try:
                return await self._threads.run(lambda: run_program(command, content(), leash))
            finally:
                if timer.active():
                    timer.cancel()


def run_program(command: Command, content: Iterable[bytes], leash: _Leash | None = None) -> Ended:
    """Run a program to its end; blocks. Raises NotStarted and what ``content`` raises."""
    leash = leash or _Leash()
    readable, writable = os.pipe()
    try:
        process = _start(command, readable)
    except NotStarted:
        os.close(readable)
        os.close(writable)
        raise
    leash.process = process
    if leash.pulled:
        leash.pull()
    run = _Run(process, writable, iter(content))
    try:
        run.attend()
        # Our own end of the input shows what was left in it.
        read_all = run.all_written and _waiting(readable) == 0
    finally:
        run.close()
        os.close(readable)
    return Ended(
        code=process.returncode,
        read_all=read_all,
        output=bytes(run.said["output"]),
        errors=bytes(run.said["errors"]),
        interrupted=leash.pulled,
    )


def _start(command: Command, stdin: int) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(command.words),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=command.folder,
            process_group=0,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise NotStarted(f"cannot run {command.words[0]}: {reason}") from error


@dataclass(slots=True)
class _Run:
    """A process under way and its three channels."""

    process: subprocess.Popen[bytes]
    stdin: int
    blocks: Iterator[bytes]
    said: dict[str, bytearray] = field(
        default_factory=lambda: {"output": bytearray(), "errors": bytearray()}
    )
    all_written: bool = False
    _pending: bytes = b""
    _input_open: bool = True

    def attend(self) -> None:
        """Feed the process and listen to it until it has ended."""
        os.set_blocking(self.stdin, False)
        ended = os.pidfd_open(self.process.pid)
        channels: dict[str, IO[bytes]] = {
            "output": _channel(self.process.stdout),
            "errors": _channel(self.process.stderr),
        }
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(ended, selectors.EVENT_READ, "ended")
                selector.register(self.stdin, selectors.EVENT_WRITE, "input")
                for name, channel in channels.items():
                    os.set_blocking(channel.fileno(), False)
                    selector.register(channel, selectors.EVENT_READ, name)
                while not self._turn(selector, channels):
                    pass
            # What was said last may still lie in the channels.
            for name, channel in channels.items():
                self._listen(name, channel)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            raise
        finally:
            os.close(ended)
            self.process.wait()
            for channel in channels.values():
                channel.close()

    def _turn(self, selector: selectors.BaseSelector, channels: dict[str, IO[bytes]]) -> bool:
        """Do what is possible now; tell whether the process has ended."""
        ready = {key.data: key for key, _ in selector.select()}
        if "input" in ready and not self._feed():
            selector.unregister(self.stdin)
            self._close_input()
        for name, channel in channels.items():
            if name in ready and not self._listen(name, channel):
                selector.unregister(channel)
        return "ended" in ready

    def _feed(self) -> bool:
        """Write some of the content; return False when there is no more to write."""
        if not self._pending:
            block = next(self.blocks, None)
            if block is None:
                self.all_written = True
                return False
            self._pending = block
        try:
            written = os.write(self.stdin, self._pending[:_BLOCK])
        except BlockingIOError:
            return True
        self._pending = self._pending[written:]
        return True

    def _listen(self, name: str, channel: IO[bytes]) -> bool:
        """Keep the beginning of what is said; return False when the channel has ended."""
        while True:
            try:
                octets = os.read(channel.fileno(), _BLOCK)
            except BlockingIOError:
                return True
            if not octets:
                return False
            room = SAID_LIMIT - len(self.said[name])
            self.said[name] += octets[: max(0, room)]

    def _close_input(self) -> None:
        if self._input_open:
            self._input_open = False
            os.close(self.stdin)

    def close(self) -> None:
        """Give the channel to the process back."""
        self._close_input()


def _channel(channel: IO[bytes] | None) -> IO[bytes]:
    assert channel is not None
    return channel


def _waiting(descriptor: int) -> int:
    """Return how many octets of a pipe nobody has read."""
    number = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, number)
    return number[0]
