"""Commands for those who watch the server: log records, queues, the end.

Guide 3.5.2, Command Line Interface, Monitoring and Miscellaneous Commands.
"""

from __future__ import annotations

from datetime import UTC, datetime

from reference.cli.command import Access, Answer, Call, Command, row
from reference.cli.replies import CommandError

__all__ = ["COMMANDS"]

VERSION = "3.5.2"


def _write_log(call: Call) -> Answer:
    level = call.arguments.number("logLevel", 0)
    if not 0 <= level <= 5:
        raise CommandError("the log level is a number from 0 to 5")
    call.kernel.log.write(level, "SYSTEM", call.arguments.text("logRecord"))
    return None


def _release(call: Call) -> Answer:
    queue = call.arguments.text("queueName")
    if not call.kernel.release(queue.strip().lower()):
        raise CommandError(f"there is no queue {queue}")
    return None


def _shutdown(call: Call) -> Answer:
    call.kernel.shutdown()
    return None


def _version(call: Call) -> Answer:
    return VERSION


def _time(call: Call) -> Answer:
    now = datetime.fromtimestamp(call.kernel.clock.time(), UTC)
    return f"{now:%d-%m-%Y_%H:%M:%S}"


COMMANDS: tuple[Command, ...] = (
    row("WriteLog", _write_log, "logLevel:number logRecord:string", access=Access.MONITOR),
    row("ReleaseSMTPQueue", _release, "queueName:string", access=Access.MONITOR),
    row("Shutdown", _shutdown, access=Access.MONITOR),
    row("GetVersion", _version, access=Access.EVERYBODY),
    row("GetCurrentTime", _time, access=Access.EVERYBODY),
)
