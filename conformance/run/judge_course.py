"""Steps that move the world on: ``settings``, ``wait``, ``rest``, the process, zone and peers."""

from __future__ import annotations

import time

from conformance.run.scene import Mismatch, Scene
from conformance.scenario.model import Step
from conformance.scenario.steps import (
    PeerStep,
    ProcessAction,
    ProcessStep,
    SettingsStep,
    WaitStep,
    ZoneStep,
)
from conformance.targets.base import SettingsRefused


async def wait(scene: Scene, step: Step) -> None:
    """Let time pass for the server. Raises TargetError, NotApplicable."""
    value: WaitStep = step.value
    await scene.world.settle()
    moment = value.until
    seconds = value.seconds if moment is None else moment.seconds_from(scene.clock)
    await scene.session.advance(seconds, scene.world.held)
    scene.clock += seconds
    await scene.world.settle()
    scene.transcript.remark(f"{seconds:g} seconds have passed")


async def settings(scene: Scene, step: Step) -> None:
    """Change settings of modules. Raises Mismatch, TargetError, NotApplicable."""
    value: SettingsStep = step.value
    try:
        await scene.session.change_settings(value.modules)
    except SettingsRefused as refusal:
        if not value.refused:
            raise Mismatch(str(refusal)) from None
        return
    if value.refused:
        raise Mismatch("the settings were accepted, expected to be refused")


async def rest(scene: Scene, step: Step) -> None:
    """Let the server come to rest. Raises TargetError."""
    await scene.rest()


async def process(scene: Scene, step: Step) -> None:
    """Stop, start, restart or kill the server. Raises TargetError, NotApplicable."""
    value: ProcessStep = step.value
    action = value.action
    if action in (ProcessAction.STOP, ProcessAction.RESTART):
        await scene.session.halt()
    elif action is ProcessAction.KILL:
        await scene.session.kill()
    scene.transcript.remark(f"server: {action.value}")
    if action in (ProcessAction.START, ProcessAction.RESTART):
        await scene.session.start_again()
        scene.clock = time.time()


async def zone(scene: Scene, step: Step) -> None:
    """Change DNS records. Raises ZoneError."""
    value: ZoneStep = step.value
    scene.world.update_zone(value.text)


async def peer(scene: Scene, step: Step) -> None:
    """Change how peers behave."""
    value: PeerStep = step.value
    for spec in value.peers:
        scene.world.set_peer(spec)
        scene.transcript.remark(f"{spec.name} behaves otherwise from now on")
