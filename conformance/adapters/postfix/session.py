"""A running Postfix: what is under way in its queue, and its clock."""

from __future__ import annotations

import stat
from pathlib import Path

from conformance.adapters.rest import Look
from conformance.adapters.target import AdapterSession
from conformance.targets.base import Holds

_MOVING = ("maildrop", "incoming", "active")
_WAITING = ("deferred", "hold")


class PostfixSession(AdapterSession):
    """One Postfix with its Dovecot."""

    watched = tuple(f"spool/{name}" for name in (*_MOVING, *_WAITING))

    def look(self, held: Holds) -> Look:
        """Return what is under way: messages on their way, connections to remote hosts.

        A message whose file is not executable yet is still being received (mail_queue_enter(3)).
        """
        connections = self.look_at_connections(held)
        moving = [path for path in self._messages(_MOVING) if _is_complete(path)]
        if connections.busy:
            return connections
        if moving and not connections.held:
            return Look(busy=f"{len(moving)} messages in {', '.join(_MOVING)}")
        return connections

    def queue_files(self) -> list[Path]:
        """Return the messages in all queues."""
        return sorted(self._messages((*_MOVING, *_WAITING)))

    def _messages(self, queues: tuple[str, ...]) -> list[Path]:
        spool = self.sandbox.folder / "spool"
        return [path for queue in queues for path in (spool / queue).iterdir()]


def _is_complete(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IXUSR)
    except FileNotFoundError:
        # It has just gone its way, and the next look will see where.
        return False
