"""Servers that tell the harness nothing: when do they accept connections, when are they at rest?

There is no event for either, so both are found out by looking, within bounds. A server with a
control socket never comes here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from conformance.world.plan import Plan

#: Seconds between two attempts to connect.
_BETWEEN = 0.02


async def accepts(plan: Plan, address: str, port: int, ended: asyncio.Future[int]) -> None:
    """Return when a documented address and port accepts a connection, or the server has ended."""
    loop = asyncio.get_running_loop()
    while not ended.done():
        with plan.client_socket(address) as sock:
            sock.setblocking(False)
            try:
                await loop.sock_connect(sock, plan.connect_address(address, port))
            except OSError:
                await asyncio.wait({ended}, timeout=_BETWEEN)
            else:
                return


async def settle(moved: asyncio.Event, seconds: float, state: Callable[[], object]) -> None:
    """Return when for ``seconds`` neither the world nor ``state()`` has changed."""
    before: object = None
    while True:
        moved.clear()
        now = state()
        try:
            async with asyncio.timeout(seconds):
                await moved.wait()
        except TimeoutError:
            if now == before:
                return
        before = now
