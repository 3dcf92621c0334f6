"""Dovecot beside a server: what a killed one leaves is gone before the next starts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from world_kit import loopback

from conformance.adapters.exim.target import EximTarget
from conformance.adapters.postfix.target import PostfixTarget
from conformance.adapters.sandbox import Launcher, Sandbox
from conformance.adapters.target import AdapterTarget
from conformance.scenario.model import AccountSpec, DomainSpec, Given
from conformance.targets.base import Surroundings, TargetError
from conformance.targets.file import load_target
from conformance.world.transcript import Transcript

TARGETS = Path(__file__).parent.parent / "targets"
GIVEN = Given(
    main_domain="company.com",
    domains=(DomainSpec("company.com", accounts=(AccountSpec("john"),)),),
)
LOCK = "dovecot/state/instances.lock"
MAIL = "mail/company.com/john/Maildir/new/1"


class NoPrograms(Launcher):
    """Starts nothing; notes which files a program would have found."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    async def run(self, sandbox: Sandbox, *_: object, **__: object) -> None:  # type: ignore[override]
        """Look, and refuse."""
        files = sandbox.folder.rglob("*")
        self.found = {str(each.relative_to(sandbox.folder)) for each in files}
        raise TargetError("nothing is started here")


@pytest.mark.parametrize(("kind", "file"), [(PostfixTarget, "postfix"), (EximTarget, "exim")])
def test_a_lock_is_not_waited_for(kind: type[AdapterTarget], file: str, tmp_path: Path) -> None:
    target = kind(load_target(TARGETS / f"{file}.toml"))
    target.launcher = launcher = NoPrograms()
    with loopback() as plan:
        around = Surroundings(plan, tmp_path, "127.0.0.1", Transcript())
        session = target.session(target.plan(GIVEN), around)
        for path in session.watched:
            (tmp_path / "server" / path).mkdir(parents=True)
        for path in (LOCK, MAIL, "spool/input/1-H"):
            session.sandbox.write(path, "1:host")
        (tmp_path / "server/dovecot").chmod(0o700)
        with pytest.raises(TargetError, match="nothing is started here"):
            asyncio.run(session.start_again())
    assert {MAIL, "spool/input/1-H", "dovecot"} <= launcher.found
    assert LOCK not in launcher.found
    assert (tmp_path / "server/dovecot").stat().st_mode & 0o777 == 0o755
