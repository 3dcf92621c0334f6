"""Steps ``disk`` and ``clock``: what befalls the server computer under way."""

from __future__ import annotations

from pathlib import Path

from conformance.run.scene import Scene
from conformance.scenario.model import Step
from conformance.scenario.steps import ClockStep, DiskStep
from conformance.targets.base import NotApplicable, TargetError
from conformance.world.disk import Disk


async def disk(scene: Scene, step: Step) -> None:
    """Fill the disk or free it, make directories read-only or writable again.

    Raises NotApplicable when the server's files are not on the scenario's disk, TargetError.
    """
    value: DiskStep = step.value
    its = _disk_of(scene)
    # What the server frees or fills by itself is done by then, so that room means the same twice.
    await scene.rest()
    try:
        if value.space_changes:
            its.leave(value.left)
        for name in value.read_only:
            its.make_read_only(_folder(scene, name))
        for name in value.writable:
            its.make_writable(_folder(scene, name))
    except OSError as error:
        raise TargetError(f"the disk cannot be changed: {error}") from None
    scene.transcript.remark(_describe(value))


async def clock(scene: Scene, step: Step) -> None:
    """Set the server's wall clock; no time passes. Raises NotApplicable, TargetError."""
    value: ClockStep = step.value
    await scene.rest()
    await scene.session.set_clock(value.seconds)
    scene.clock += value.seconds
    scene.transcript.remark(f"the clock was set by {value.seconds:+g} seconds")


def _disk_of(scene: Scene) -> Disk:
    if scene.disk is None or not scene.disk.holds(scene.session.base):
        raise NotApplicable("the server keeps its files elsewhere than where it was told to")
    return scene.disk


def _folder(scene: Scene, name: str) -> Path:
    folder = scene.session.base / name
    if not folder.is_dir():
        raise TargetError(f"there is no directory {name} below the base directory")
    return folder


def _describe(value: DiskStep) -> str:
    said = []
    if value.space_changes:
        left = value.left
        said.append("free" if left is None else f"full but for {left} octets" if left else "full")
    said += [f"read-only in {name}" for name in value.read_only]
    said += [f"writable again in {name}" for name in value.writable]
    return f"the disk is {', '.join(said)}"
