"""The target ``exim``: Exim and Dovecot, unchanged, in a sandbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from conformance.adapters import dovecot
from conformance.adapters.clock import library
from conformance.adapters.exim.config import CONFIG, EXIM, configuration
from conformance.adapters.exim.session import EximSession
from conformance.adapters.sandbox import Service
from conformance.adapters.site import Site
from conformance.adapters.target import AdapterSession, AdapterTarget, Folder, Layout
from conformance.targets.base import Surroundings
from conformance.targets.file import TargetFile

#: Capability → what Exim has not, or has otherwise.
_MISSING_PARTS: Mapping[str, str] = {
    "lists": (
        "Exim could send to the addresses of a file (a redirect router), without subscription, "
        "modes or an archive; the adapter writes no lists"
    ),
    "log": (
        "Exim and Dovecot write to syslog, without the documents' levels and tags of modules, "
        "and the adapter shows it to no scenario"
    ),
    "schedule": (
        "Exim sends at any hour (-q is one interval between queue runs): "
        "a program like cron would have to start them"
    ),
    "rules": (
        "there are no Rules: Exim has filter files in languages of their own (its own and Sieve), "
        "and the adapter writes none"
    ),
    "execute": "no rule runs a program: pipe of Exim's filters does, which the adapter writes not",
    "pipe": (
        "there is no PIPE module: programs hand mail in by the command exim, not by files in a "
        "folder, and the pipe transport runs commands of the configuration, not what an address "
        "names"
    ),
    "atrn": "of the commands that ask for mail Exim knows ETRN, and neither ATRN nor TURN",
    "wakeups": "Exim's smtp transport sends mail only, and never an ETRN or ATRN to have some sent",
}


class EximTarget(AdapterTarget):
    """Exim of Debian's package exim4-daemon-heavy."""

    programs: ClassVar[Mapping[str, str]] = {EXIM: "exim4-daemon-heavy", **dovecot.PROGRAMS}
    set_uid: ClassVar[Sequence[str]] = (EXIM,)
    hidden: ClassVar[Sequence[str]] = ("/var/spool/exim4", *dovecot.HIDDEN)
    missing: ClassVar[Mapping[str, str]] = {**dovecot.MISSING, **_MISSING_PARTS}

    def __init__(self, file: TargetFile) -> None:
        super().__init__(file)
        # Exim keeps its privileges with a configuration that this list names, and with no other.
        self.etc = {"exim4/trusted_configs": f"{CONFIG}\n"}
        if "clock" in self.capabilities and library():
            # Exim is set-uid, and such a program is loaded with what this file names only.
            self.etc["ld.so.preload"] = f"{library()}\n"

    def layout(self, site: Site) -> Layout:
        """Return the session's files and services. Raises NotApplicable, TargetError."""
        access = dovecot.dovecot(site)
        return Layout(
            files={**access.files, **configuration(site)},
            folders={
                **access.folders,
                "spool": Folder(mode=0o750, owner="Debian-exim"),
                "spool/input": Folder(mode=0o750, owner="Debian-exim"),
                "spool/db": Folder(mode=0o750, owner="Debian-exim"),
            },
            services=[
                access.service,
                Service(
                    name="exim",
                    command=[EXIM, "-C", CONFIG, "-bdf"],
                    clock=True,
                    ready=r"^exim\[\d+\]: .*exim .* daemon started",
                ),
            ],
            resolver="timeout:1 attempts:2",
        )

    def session(self, layout: Layout, surroundings: Surroundings) -> AdapterSession:
        """Return a session that has not been started."""
        return EximSession(self, layout, surroundings)
