"""``mailproof world ID``: set up a scenario's world and leave it running for telnet."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys

from rich.console import Console
from rich.markup import escape

from conformance.cli import paths
from conformance.cli.selection import SelectionError, load_scenarios, one
from conformance.run.client import EngineClient, EngineError
from conformance.run.messages import EngineSettings, Held
from conformance.run.outcome import EXIT_AS_EXPECTED, EXIT_BROKEN
from conformance.scenario.model import Scenario
from conformance.targets.base import TargetError
from conformance.targets.file import load_target


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "world",
        help="set up a scenario's world and leave it running",
        description="Build the world of one scenario around a server, print where to telnet, and "
        "keep it until Ctrl-C.",
    )
    parser.add_argument("id", metavar="ID", help="a scenario, as router/loop or router/loop[row]")
    parser.add_argument("--target", metavar="FILE", help="default: the reference server")
    parser.add_argument("--plan", choices=("auto", "namespace", "loopback"), default="auto")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Hold one world until interrupted."""
    console = Console(highlight=False)
    try:
        scenario = one(load_scenarios(), options.id)
        target = load_target(options.target or paths.reference_target())
        settings = EngineSettings(
            target=target, plan=options.plan, fixtures=paths.scenarios().parent / "fixtures"
        )
        with EngineClient(settings) as engine:
            ready = engine.ready()
            _print(console, scenario, engine.hold(scenario), ready.plan)
            try:
                signal.pause()
            except KeyboardInterrupt:
                console.print("\nThe world is gone.")
    except (SelectionError, TargetError, EngineError) as error:
        print(f"mailproof world: {error}", file=sys.stderr)
        return EXIT_BROKEN
    return EXIT_AS_EXPECTED


def _print(console: Console, scenario: Scenario, held: Held, plan: str) -> None:
    console.print(f"[bold]{escape(scenario.title)}[/]\n{escape(scenario.id)} ({plan} plan)\n")
    enter = f"{shlex.join(held.enter)} " if held.enter else ""
    for documented, real in held.addresses:
        note = "" if documented == real else f"  (stands for {documented})"
        for service, port in held.ports.items():
            console.print(f"  {service:6} {enter}telnet {real} {port}{note}", soft_wrap=True)
    console.print(f"\n  files  {held.base}")
    for account, password in held.passwords.items():
        console.print(f"  login  {escape(account)} {escape(password)}")
    console.print("\nCtrl-C ends it.")
