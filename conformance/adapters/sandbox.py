"""The sandbox: programs run unchanged, and this computer's own mail service never notices.

A server runs with the run's network (namespace plan), in a mount namespace that belongs to the
engine's launcher (:mod:`.launcher`), and in a process namespace of its own for each session:

- ``/run`` is empty but for ``/run/mailproof``, the session's folder (:data:`INSIDE`), where all its
  configuration, spools, mailboxes and sockets are. The harness sees the same files at
  ``Sandbox.folder`` (below ``Surroundings.folder``, in memory if that can be had).
- ``/etc/{passwd,group,shadow,hosts,nsswitch.conf,resolv.conf}`` are the sandbox's own; its users
  are :data:`USERS`, with numbers that no other user of the computer has. Every folder of ``hidden``
  (``/etc/postfix``, say) is shown empty. Package trees (``dpkg -x``) are laid over ``/usr``, so a
  server that is not installed is found where it expects itself. A session's files
  ``resolv.conf`` and ``hosts`` are its /etc/resolv.conf and /etc/hosts.
- ``/dev`` is private and holds the usual few devices; ``/dev/log`` is the session's socket ``log``,
  which :class:`.syslog.Syslog` reads.
- The session's first process (pid 1 of its process namespace) starts the services, waits for them
  and ends with the first that ends. Its end, by ``kill -9`` too, ends every process of the session,
  and it gets ``SIGKILL`` itself when the launcher ends; that ends with the harness.

Usage::

    launcher = await Launcher.start(plan, hidden=("/etc/postfix",), trees=("/opt/exim",))
    sandbox = Sandbox(folder)                       # an empty folder of one session
    sandbox.write("etc/main.cf", "…")               # relative to INSIDE
    sandbox.make("spool/active", mode=0o700, owner="postfix")
    process = await launcher.run(sandbox, [Service("postfix", ["/usr/lib/…/master", "-d"])])
    process.signal(signal.SIGKILL); await process.gone(5)

Nothing here knows a server. Root is needed: mail servers give up privileges for users of their own.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from conformance.targets.base import TargetError
from conformance.targets.process import ServerProcess, WarmProcess
from conformance.world.folders import ScratchFolder
from conformance.world.plan import Plan

INSIDE = "/run/mailproof"
"""Where a server finds its session's folder."""

#: Seconds that files of a session look old.
_AGE = 3600.0

#: User → (number, groups besides its own of the same name and number).
USERS: Mapping[str, tuple[int, tuple[str, ...]]] = {
    "root": (0, ()),
    "daemon": (1, ()),
    "mail": (8, ()),
    "postfix": (61001, ()),
    "postdrop": (61002, ()),
    "dovecot": (61003, ()),
    "dovenull": (61004, ()),
    "Debian-exim": (61005, ()),
    "vmail": (61006, ()),
    "nobody": (65534, ()),
}


@dataclass(frozen=True, slots=True)
class Service:
    """One program of a session."""

    name: str
    """For complaints."""
    command: Sequence[str]
    ready: str = ""
    """A pattern (searched) of the line that it logs when it accepts connections; "": at once."""
    environment: Mapping[str, str] = field(default_factory=dict)
    end: int = signal.SIGTERM
    """The signal that ends it in an orderly way."""
    clock: bool = False
    """It gets the session's clock (:mod:`.clock`), if there is one."""


class Sandbox:
    """The files of one session; paths are relative to :data:`INSIDE`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        """Where the harness sees the files."""
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)

    def write(self, path: str, text: str | bytes, *, mode: int = 0o644, owner: str = "root") -> str:
        """Write a file and the folders above it; return its path as the server sees it."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        self._belongs(file, mode, owner)
        # Some servers wait until a file of theirs is no longer quite fresh.
        old = time.time() - _AGE
        os.utime(file, (old, old))
        return f"{INSIDE}/{path}"

    def make(self, path: str, *, mode: int = 0o755, owner: str = "root", group: str = "") -> str:
        """Make a folder and those above it; return its path as the server sees it."""
        made = self.folder / path
        made.mkdir(parents=True, exist_ok=True)
        self._belongs(made, mode, owner, group)
        return f"{INSIDE}/{path}"

    @staticmethod
    def _belongs(path: Path, mode: int, owner: str, group: str = "") -> None:
        user, its_group = USERS[owner][0], USERS[group or owner][0]
        if user or its_group:
            os.chown(path, user, its_group)
        path.chmod(mode)


class Launcher:
    """The process that starts the sessions' programs; one an engine."""

    def __init__(self, warm: WarmProcess, folder: ScratchFolder) -> None:
        self._warm = warm
        self._folder = folder

    @classmethod
    async def start(
        cls,
        plan: Plan,
        *,
        hidden: Sequence[str] = (),
        etc: Mapping[str, str] | None = None,
        trees: Sequence[str] = (),
    ) -> Launcher:
        """Start the launcher. Raises TargetError that says what is not permitted here.

        ``hidden`` are folders to be shown empty, ``etc`` are files to be shown below /etc (name →
        text, for all sessions), ``trees`` are folders whose ``usr`` is laid over
        /usr.
        """
        if plan.name != "namespace":
            raise TargetError("the server needs the namespace plan: its ports cannot be moved")
        if os.geteuid() != 0 or not _has_users():
            raise TargetError(
                "mail servers change their user, which needs root (not in a user namespace "
                "of one user): run as root"
            )
        folder = ScratchFolder()
        setting = {"hidden": list(hidden), "etc": dict(etc or {}), "trees": list(trees)}
        try:
            warm = await WarmProcess.start(
                [sys.executable, "-m", "conformance.adapters.launcher", json.dumps(setting)],
                environment={},
                folder=folder.path,
                enter=plan.enter_server,
            )
        except TargetError as error:
            folder.remove()
            raise TargetError(f"the sandbox cannot be had: {error}") from None
        return cls(warm, folder)

    async def run(
        self,
        sandbox: Sandbox,
        services: Sequence[Service],
        *,
        environment: Mapping[str, str] | None = None,
    ) -> ServerProcess:
        """Start a session's services, one after the other, and return their first process.

        ``environment`` is that of all services. Raises TargetError.
        """
        order = {
            "folder": str(sandbox.folder),
            "services": [asdict(service) for service in services],
        }
        return await self._warm.fork(
            [json.dumps(order)], environment=environment or {}, folder=sandbox.folder
        )

    async def close(self) -> None:
        """End the launcher, and every session with it."""
        await self._warm.close()
        self._folder.remove()


def _has_users() -> bool:
    """Tell whether this user namespace has the users that servers change to."""
    try:
        lines = Path("/proc/self/uid_map").read_text(encoding="ascii").split("\n")
    except OSError:
        return True
    sizes = [int(line.split()[2]) for line in lines if line]
    return sum(sizes) > max(number for number, _ in USERS.values())
