"""The programs of an adapter: found in trees before this computer's own, and whole."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import ClassVar

import pytest
from world_kit import loopback

from conformance.adapters.target import AdapterSession, AdapterTarget, Layout
from conformance.targets.base import TargetError
from conformance.targets.file import load_target

PROGRAM = "/usr/sbin/exampled"


class Example(AdapterTarget):
    """A server of one set-uid program."""

    programs: ClassVar = {PROGRAM: "example-mta"}
    set_uid = (PROGRAM,)

    def layout(self, site: object) -> Layout:
        raise NotImplementedError

    def session(self, layout: Layout, surroundings: object) -> AdapterSession:
        raise NotImplementedError


def complaint(folder: Path) -> str:
    """Return why a target whose trees are ``first`` and ``second`` does not open."""
    file = folder / "example.toml"
    file.write_text(
        'name = "example"\nkind = "exim"\ncapabilities = ["smtp"]\n'
        '[options]\ntree = ["first", "second"]\n'
    )
    with loopback() as plan, pytest.raises(TargetError) as caught:
        asyncio.run(Example(load_target(file)).open(plan))
    return str(caught.value)


def install(tree: Path, mode: int) -> None:
    program = Path(f"{tree}{PROGRAM}")
    program.parent.mkdir(parents=True, exist_ok=True)
    program.touch()
    program.chmod(mode)


def test_a_program_that_is_not_there_is_named_with_its_package(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    said = complaint(tmp_path)
    assert said.startswith(f"{PROGRAM} cannot be found: apt-get install example-mta, ")


def test_a_copy_without_its_set_uid_bit_is_named(tmp_path: Path) -> None:
    install(tmp_path / "second", 0o755)
    assert complaint(tmp_path).startswith(
        f"{tmp_path}/second{PROGRAM} has no set-uid bit that counts"
    )
    # The first tree lies over the second.
    install(tmp_path / "first", 0o4755)
    assert "needs the namespace plan" in complaint(tmp_path)
