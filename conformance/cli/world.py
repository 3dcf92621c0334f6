"""``mailproof world ID``: set up a scenario's world and leave it running for telnet."""

from __future__ import annotations

import argparse
import shlex
import signal
from collections.abc import Collection

from rich.console import Console

from conformance.cli import paths
from conformance.cli.selection import SelectionError, load_scenarios, one
from conformance.cli.terminal import Terminal, shown
from conformance.run.client import EngineClient, EngineError
from conformance.run.messages import EngineSettings, Held
from conformance.run.outcome import EXIT_AS_EXPECTED
from conformance.scenario.fixtures import fixtures_folder
from conformance.scenario.load import find_root
from conformance.scenario.model import Scenario
from conformance.scenario.steps import STRANGER, DialogueStep, HttpStep, MailStep
from conformance.targets.base import TargetError
from conformance.targets.file import load_target
from conformance.world.projection import projected_address

MISUSE = (SelectionError, TargetError, EngineError)
_ENDS = (signal.SIGINT, signal.SIGTERM)


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser.description = (
        "Build the world of one scenario around a server, print where to telnet, and keep it until "
        "Ctrl-C. The scenario's steps are not run."
    )
    parser.add_argument("id", metavar="ID", help="a scenario, as router/loop or router/loop[row]")
    parser.add_argument("--target", metavar="FILE", help="default: the reference server")
    parser.add_argument("--plan", choices=("auto", "namespace", "loopback"), default="auto")


def run(options: argparse.Namespace) -> int:
    """Hold one world until interrupted. Raises MISUSE."""
    console = Terminal()
    scenario = one(load_scenarios(), options.id)
    settings = EngineSettings(
        target=load_target(options.target or paths.reference_target()),
        plan=options.plan,
        fixtures=fixtures_folder(find_root(scenario.position.path)),
    )
    with EngineClient(settings) as engine:
        held = engine.hold(scenario)
        # From here on the signals wait for sigwait, so that none is lost before it; whatever was
        # started before must not inherit that.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
        try:
            _print(
                console,
                scenario,
                held,
                plan=engine.ready().plan,
                capabilities=settings.target.capabilities,
            )
            signal.sigwait(_ENDS)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    console.print("\nThe world is gone.")
    return EXIT_AS_EXPECTED


#: A service and the capability that speaks of it.
_SERVICES = {"pwd": "cli", "smtps": "tls"}


def _print(
    console: Console, scenario: Scenario, held: Held, *, plan: str, capabilities: Collection[str]
) -> None:
    def say(text: str = "") -> None:
        console.print(text, soft_wrap=True)

    say(f"[bold]{shown(scenario.title)}[/]\n{shown(scenario.id)} ({plan} plan)\n")
    sources = {
        name: name if plan == "namespace" else projected_address(name)
        for name in _clients(scenario)
    }
    words = shlex.join((*held.enter, "telnet", "-b", next(iter(sources.values()))))
    for documented, real in held.addresses:
        for service, port in held.ports.items():
            if _SERVICES.get(service, service) in capabilities:
                say(f"  {service:6} {shown(words)} {real} {port}{_stands_for(documented, real)}")
    say("\nThe address behind -b is the client's. Those of the scenario:")
    for documented, real in sources.items():
        say(f"  {real}{_stands_for(documented, real)}")
    say(f"\n  files  {shown(held.base)}")
    for account, password in held.passwords.items():
        say(f"  login  {shown(account)} {shown(password)}")
    say("\nCtrl-C ends it.")


def _stands_for(documented: str, real: str) -> str:
    return "" if documented == real else f"  (stands for {documented})"


def _clients(scenario: Scenario) -> list[str]:
    """Return the addresses that the scenario's clients have, in order; a stranger's at least."""
    sources = [
        step.value.source
        for step in scenario.steps
        if isinstance(step.value, DialogueStep | MailStep | HttpStep)
    ]
    return list(dict.fromkeys((*sources, STRANGER)))
