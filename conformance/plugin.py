"""The pytest plugin's doorstep: options, and nothing else unless they are used.

The plugin is loaded in every pytest session of an environment where mailproof is installed, so it
must not disturb one that has nothing to do with mail: it collects nothing, imports nothing heavy
and changes no exit status unless a target is named, with ``--mailproof-target`` or the ini option
``mailproof_target``. The work is done by :mod:`conformance.run.session`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points

import pytest

PLANS = ("auto", "namespace", "loopback")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options; all are prefixed, so that they clash with nobody's."""
    group = parser.getgroup("mailproof", "mailproof: run mail scenarios against a server")
    group.addoption(
        "--mailproof-target",
        metavar="FILE",
        help="the target file of the server under test; without it no scenario is collected",
    )
    group.addoption(
        "--mailproof-plan",
        choices=PLANS,
        help="the network plan (default: the first that works, namespace or loopback)",
    )
    group.addoption(
        "--mailproof-strict",
        action="store_true",
        help="check literal reply texts too",
    )
    group.addoption(
        "--mailproof-baseline",
        metavar="FILE",
        help="YAML file, id: reason, of the failures that are expected",
    )
    group.addoption("--mailproof-results", metavar="FILE", help="write result.json there")
    group.addoption(
        "--mailproof-fixtures",
        metavar="DIR",
        help="the folder that holds messages/ (default: fixtures beside the scenarios)",
    )
    group.addoption(
        "--mailproof-bound",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="the time that one scenario may take (default 30)",
    )
    parser.addini("mailproof_target", "the target file of the server under test", default="")
    parser.addini("mailproof_plan", "the network plan", default="auto")
    parser.addini("mailproof_baseline", "the file of expected failures", default="")


def loading_arguments() -> list[str]:
    """Return what makes pytest load this plugin where the package is not installed."""
    installed = any(point.value == __name__ for point in entry_points(group="pytest11"))
    return [] if installed else ["-p", __name__]


def target_path(config: pytest.Config) -> str:
    """Return the target file named on the command line or in the ini file, or an empty string."""
    named = config.getoption("--mailproof-target")
    if named:
        return str(config.invocation_params.dir / named)
    in_file = str(config.getini("mailproof_target"))
    return str(config.rootpath / in_file) if in_file else ""


def pytest_configure(config: pytest.Config) -> None:
    """Begin the work when a target is named."""
    target = target_path(config)
    if target and not config.option.help:
        # Imported late: an unrelated session must not pay for it.
        import_module("conformance.run.session").begin(config, target)
