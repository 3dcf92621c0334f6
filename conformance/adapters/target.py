"""The common base of adapters: one target class and one session class to derive from.

An adapter says what its server needs, everything else is here::

    class ExampleTarget(AdapterTarget):
        programs = {"/usr/sbin/exampled": "example-mta"}     # program → Debian package
        hidden = ("/etc/example",)                           # shown empty in the sandbox

        def layout(self, site: Site) -> Layout:              # pure; raises NotApplicable
            …
            return Layout(files=…, folders=…, services=…)

        def session(self, layout, surroundings) -> AdapterSession:
            return ExampleSession(self, layout, surroundings)

    class ExampleSession(AdapterSession):
        watched = ("spool/input",)                           # folders whose changes are events
        def look(self, held) -> Look: …                      # what is under way (see .rest)
        def queue_files(self) -> list[Path]: …

``layout`` is asked twice: by ``lacks``, before anything is built (so a row that is not applicable
costs nothing), and by ``start``. ``[options] tree`` of a target file names a folder (or a list)
with the contents of Debian packages that are not installed (``dpkg -x``); ``usr`` of it is laid
over /usr in the sandbox; a folder that does not exist is left out. Paths in files are those below
:data:`.sandbox.INSIDE`.
"""

from __future__ import annotations

import abc
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from conformance.adapters.clock import PACKAGE, library
from conformance.adapters.connections import Connections
from conformance.adapters.layout import File, Folder, Layout
from conformance.adapters.sandbox import Launcher
from conformance.adapters.session import END_BOUND, AdapterSession, changed
from conformance.adapters.site import Site
from conformance.scenario.model import Given, Scenario
from conformance.scenario.steps import SettingsStep
from conformance.targets.base import NotApplicable, Surroundings, Target, TargetError
from conformance.targets.file import TargetFile, TargetFileError
from conformance.world.plan import Plan

__all__ = ["AdapterSession", "AdapterTarget", "File", "Folder", "Layout", "changed"]


class AdapterTarget(Target):
    """A server of another family."""

    programs: ClassVar[Mapping[str, str]] = {}
    """Program, as the sandbox finds it → Debian package that has it."""
    set_uid: ClassVar[Sequence[str]] = ()
    """Those of ``programs`` that do nothing right without their set-uid bit."""
    hidden: ClassVar[Sequence[str]] = ()
    """Folders of this computer's own configuration, shown empty."""
    missing: ClassVar[Mapping[str, str]] = {}
    """Capability that the target file leaves out → a clause that says what the server has not."""
    etc: Mapping[str, str] = MappingProxyType({})
    """Files below /etc that the programs insist on, the same for all sessions: name → text."""

    def __init__(self, file: TargetFile) -> None:
        self.file = file
        self.name = file.name
        self.capabilities = file.capabilities
        tree = file.options.get("tree", [])
        trees = [tree] if isinstance(tree, str) else tree
        if not isinstance(trees, list) or not all(isinstance(each, str) for each in trees):
            raise TargetFileError(f"{file.path}: options.tree: must be a folder or a list of them")
        folders = [file.path.parent / each for each in trees]
        self.trees = [str(folder) for folder in folders if folder.is_dir()]
        self.launcher: Launcher | None = None
        self.connections: Connections | None = None
        self._previous: AdapterSession | None = None

    @abc.abstractmethod
    def layout(self, site: Site) -> Layout:
        """Return what a session for the site consists of. Raises NotApplicable, TargetError."""

    @abc.abstractmethod
    def session(self, layout: Layout, surroundings: Surroundings) -> AdapterSession:
        """Return a session that has not been started."""

    def lacks(self, scenario: Scenario) -> str:
        """Return why the scenario is not applicable: a capability, or a wish of its ``given``."""
        reason = super().lacks(scenario)
        if reason:
            clauses = [
                self.missing[name]
                for name in scenario.requires
                if name not in self.capabilities and name in self.missing
            ]
            return f"{reason}: {'; '.join(clauses)}" if clauses else reason
        if "clock" in scenario.requires and not library():
            return f"needs real time: {PACKAGE} is not installed"
        given = scenario.given
        if "clock" in scenario.requires and "timeout" in given.dns_faults.values():
            return (
                "needs real time: the resolver of the C library waits for an answer by poll(2), "
                "which libfaketime does not make shorter"
            )
        try:
            self.plan(given)
            for step in scenario.steps:
                if isinstance(step.value, SettingsStep) and not step.value.refused:
                    given = changed(given, step.value.modules)
                    self.plan(given)
        except NotApplicable as error:
            return str(error)
        except TargetError:
            # It is an error of the case, and ``start`` tells it.
            return ""
        return ""

    def plan(self, given: Given) -> Layout:
        """Return the layout for a given, all of whose wishes are taken. Raises NotApplicable."""
        site = Site(given)
        layout = self.layout(site)
        site.check()
        return layout

    async def open(self, plan: Plan) -> None:
        """Start the launcher. Raises TargetError when something is missing."""
        missing = [path for path in self.programs if self._found(path) is None]
        if missing:
            packages = " ".join(sorted({self.programs[path] for path in missing}))
            raise TargetError(
                f"{', '.join(missing)} cannot be found: apt-get install {packages}, "
                f"or name a folder with the packages' contents in {self.file.path}: options.tree"
            )
        for path in filter(None, map(self._found, self.set_uid)):
            if not path.stat().st_mode & stat.S_ISUID or os.statvfs(path).f_flag & os.ST_NOSUID:
                raise TargetError(
                    f"{path} has no set-uid bit that counts: its package gives it one, which a "
                    "copy may lose (cp -a keeps it) and a file system mounted nosuid ignores"
                )
        self.launcher = await Launcher.start(
            plan, hidden=self.hidden, etc=self.etc, trees=self.trees
        )
        self.connections = Connections(plan)

    def _found(self, path: str) -> Path | None:
        """Return where the sandbox finds a program: trees lie over what is installed."""
        places = [Path(f"{tree}{path}") for tree in (*self.trees, "")]
        return next((place for place in places if place.exists()), None)

    async def vacant(self) -> None:
        """Return when the session before has ended. Raises TargetError."""
        if self._previous is not None and not await self._previous.gone(END_BOUND):
            raise TargetError("the server of the scenario before does not end")

    async def start(self, given: Given, surroundings: Surroundings) -> AdapterSession:
        """Start a fresh server in the state of ``given``. Raises NotApplicable, TargetError."""
        session = self.session(self.plan(given), surroundings)
        session.given = given
        self._previous = session
        await session.start()
        return session

    async def close(self) -> None:
        """End the launcher, and with it whatever is left."""
        if self.connections is not None:
            self.connections.close()
        if self.launcher is not None:
            await self.launcher.close()

    def describe(self) -> Mapping[str, Any]:
        """Return what the target file states."""
        return {
            "name": self.name,
            "kind": self.file.kind,
            "file": str(self.file.path),
            "programs": sorted(self.programs),
            "clock": "clock" in self.capabilities,
            "capabilities": sorted(self.capabilities),
        }
