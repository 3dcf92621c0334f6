"""The Rule action Execute of Server-Wide Rules.

Guide 3.5.2, Automated Mail Processing (Rule Actions, Execute). The message goes to the program's
standard input; with the tag ``[FILE]`` the program gets the message file's name. An exit code that
is not zero, or an input that was not read to its end, rejects the message; the sender hears of the
program's own words only with ``[STDERR]``. The program has two minutes.

A program that is named without a slash is looked for in the base directory, then where the
operating system looks: the document tells the current directory only.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reference.queue.directory import Log
from reference.queue.report import line
from reference.transport.commands import CommandError, Tag, read_command
from reference.transport.programs import Command, Ended, NotStarted, Programs
from reference.transport.rule_subject import QueuedSubject

#: Seconds that a program may take.
TIME_LIMIT = 120.0
REJECTION = "automated processing failed"

_TAG = "ENQUEUERRULES"
_PROBLEM, _LOW_LEVEL = 3, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """Runs the programs that Rules name; ``base`` is the base directory."""

    base: Path
    programs: Programs
    log: Log

    async def execute(self, text: str, subject: QueuedSubject) -> str:
        """Run a command line; return the text that rejects the message, or an empty one.

        Raises OSError when the message cannot be read.
        """
        message = subject.message
        try:
            command = read_command(text)
            words = command.completed(
                file=os.path.relpath(message.path, self.base),
                return_path=subject.return_path,
                recipients=[each.strip("<>") for each in subject.recipients],
            )
        except CommandError as error:
            return self._failed(subject, f"Execute: {error}")

        def content() -> Iterable[bytes]:
            return () if Tag.FILE in command.tags else message.blocks()

        started = Command(words=[self._program(words[0]), *words[1:]], folder=self.base)
        try:
            ended = await self.programs.run(started, content, limit=TIME_LIMIT)
        except NotStarted as error:
            return self._failed(subject, f"Execute: {error}")
        if ended.output:
            self._note(_LOW_LEVEL, subject, f"Execute: output: {_text(ended.output)}")
        trouble = _trouble(ended)
        if not trouble:
            return ""
        said = _text(ended.errors)
        self._failed(
            subject, f"Execute: {words[0]}: {trouble}; standard error: {said or 'nothing'}"
        )
        return said if said and Tag.STDERR in command.tags else REJECTION

    def _program(self, name: str) -> str:
        here = self.base / name
        return str(here) if os.sep not in name and os.access(here, os.X_OK) else name

    def _failed(self, subject: QueuedSubject, text: str) -> str:
        self._note(_PROBLEM, subject, text)
        return REJECTION

    def _note(self, level: int, subject: QueuedSubject, text: str) -> None:
        self.log.write(level, _TAG, f"[{subject.message.name}] {text}")


def _trouble(ended: Ended) -> str:
    if ended.interrupted:
        return f"interrupted after {TIME_LIMIT:g} seconds"
    if ended.code:
        return f"exit code {ended.code}"
    return "" if ended.read_all else "it has not read the whole message"


def _text(octets: bytes) -> str:
    return line(octets.decode("utf-8", "replace")).strip()
