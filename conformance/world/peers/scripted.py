"""What all sessions of a remote host share: silence on purpose, until the behaviour changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from conformance.world.transcript import Transcript


class Silent(Protocol):
    """The remote host of a session that may be silent."""

    transcript: Transcript
    behaviour_changed: asyncio.Event
    on_change: Callable[[], None]


class Hanging:
    """A session that may leave a command without a reply."""

    hanging = False
    """It is silent now, on purpose."""

    async def hang(self, host: Silent, channel: str) -> None:
        """Be silent until the host's behaviour changes."""
        host.transcript.remark("does not answer, on purpose", channel=channel)
        self.hanging = True
        host.on_change()
        try:
            await host.behaviour_changed.wait()
        finally:
            self.hanging = False
            host.on_change()
