"""What tests of the command share: a folder with scenarios, a catalogue and the toy server."""

import json
from pathlib import Path

from engine_kit import toy_target, write_scenario

from conformance.cli import main

PASSING = "steps:\n  - route: {postmaster@mycompany.com: LOCAL postmaster}\n"
FAILING = "steps:\n  - route: {postmaster@mycompany.com: SMTP}\n"
DYING = "steps:\n  - cli: Fault die\n  - mail: {to: postmaster@mycompany.com}\n"
ROWS = """\
title: The route of {who}
source: Guide 3.5.2 > Router
covers: [ROUTE-001]
rows:
  - {name: good, who: postmaster, covers: [ROUTE-002]}
  - {name: bad, who: nobody}
steps:
  - route: {"{who}@mycompany.com": LOCAL}
"""
CATALOGUE = """\
[[case]]
id = "ROUTE-001"
title = "Addresses have routes"
[[case]]
id = "ROUTE-002"
title = "Local ones too"
[[case]]
id = "ROUTE-003"
title = "Nobody can see [this]"
untestable = "not from outside"
[[case]]
id = "RELAY-001"
title = "Strangers do not relay"
"""


def project(folder, **scenarios):
    """Make a project's folder: a tree of scenarios (``chapter__name=text``) and toy.toml."""
    catalogue = folder / "scenarios" / "catalogue"
    catalogue.mkdir(parents=True)
    (catalogue / "router.toml").write_text(CATALOGUE)
    for name, text in scenarios.items():
        write_scenario(folder, text, name=name.replace("__", "/"))
    toy_target(folder, warm=True)
    return folder


def run(*words, target="toy.toml"):
    """Run ``mailproof run`` against the toy server; return its status."""
    return main(["run", "--target", target, "--plan", "loopback", *words])


def outcomes(path=".mailproof/result.json"):
    cases = json.loads(Path(path).read_text())["cases"]
    return {case["id"]: case["outcome"] for case in cases}
