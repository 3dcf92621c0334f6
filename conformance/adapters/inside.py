"""A program run inside a session: among its processes, with its files and its network."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conformance.targets.base import TargetError

#: Seconds that a program may take.
BOUND = 10.0
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a program."""

    status: int
    output: str
    errors: str


async def run_inside(
    pid: int, command: Sequence[str], *, environment: Mapping[str, str] | None = None
) -> Done:
    """Run a program in the namespaces of ``pid``, a session's first process. Raises TargetError.

    nsenter(1), of the package util-linux, enters them.
    """
    process = await start_inside(pid, command, environment=environment)
    try:
        async with asyncio.timeout(BOUND):
            output, errors = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise TargetError(f"{' '.join(command)} does not end within {BOUND:g} seconds") from None
    return Done(process.returncode or 0, output.decode(), errors.decode())


async def start_inside(
    pid: int, command: Sequence[str], *, environment: Mapping[str, str] | None = None
) -> asyncio.subprocess.Process:
    """Start a program in the namespaces of ``pid``; the caller waits for it. Raises TargetError."""
    try:
        return await asyncio.create_subprocess_exec(
            "/usr/bin/nsenter",
            f"--target={pid}",
            "--mount",
            "--pid",
            "--net",
            "--",
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**_ENVIRONMENT, **(environment or {})},
        )
    except FileNotFoundError:
        raise TargetError("nsenter cannot be found: apt-get install util-linux") from None
