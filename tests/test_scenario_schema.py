"""The JSON Schema: generated, committed, and in agreement with the loader."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from scenario_files import HEAD, complaints

from conformance.scenario import schema

ROOT = Path(__file__).resolve().parent.parent
COMMITTED = ROOT / "scenarios" / "scenario.schema.json"
VALIDATOR = jsonschema.Draft202012Validator(schema.schema())

GOOD = {
    "rows": "rows: [{name: a, x: [1, 2]}]\nsteps: [{mail: {to: '{x}', repeat: '{x}'}}]",
    "dialogues": "steps: [{smtp alice from 10.1.1.1: 'S: 220'}, {pop: 'S: +OK'}]",
    "bare words": "steps: [stop, start, restart, {rest: }, kill]",
    "typed by YAML": "steps: [{bounced: {to: a@b.c, status: 5.1}}, {wait: 5d}]",
    "domains": "given: {domains: {a.com: , b.com: {accounts: [j, {name: k}]}}}\nsteps: [rest]",
    "list of domains": "given: {domains: [a.com]}\nsteps: [rest]",
    "settings": "given: {settings: {SMTP: {Relay to Clients: no, x: [1, {y: z}]}}}\nsteps: [rest]",
    "peers": (
        "given: {peers: {a.com: 11.1.1.1, b.com: {address: 11.1.1.2, ports: [25],"
        " replies: {rcpt: [450 later, ok], x@y.z: hang}, dns: no}}}\nsteps: [rest]"
    ),
    "refusals": (
        "steps: [{mail: {to: a@b.c, refused: all}},"
        " {mail: {to: a@b.c, refused: {a@b.c: 591, at: {mail: 5*}}}}]"
    ),
    "headers": "steps: [{delivered: {to: a@b.c, header: {A: [b, c]}, no header: [X, {Y: z}]}}]",
    "routes": "steps: [{route: {a@b.c: LOCAL a}}, {route: [{a: error}, {a: SYSTEM NULL}]}]",
    "commands": "steps: [{cli: ListDomains}, {cli: [A, {command: B, fails: yes}]}]",
}

BAD = {
    "no steps": "note: x",
    "unknown key": "note: x\ncover: []\nsteps: [rest]",
    "unknown step": "steps: [{deliverd: {to: a}}]",
    "two keys": "steps: [{rest: , stop: }]",
    "unknown bare word": "steps: [rset]",
    "key of a step": "steps: [{relayed: {host: a, tto: b}}]",
    "missing key": "steps: [{relayed: {to: b}}]",
    "number": "steps: [{delivered: {to: a, count: two}}]",
    "duration": "steps: [{wait: 30}]",
    "level": "level: high\nsteps: [rest]",
    "address": "given: {addresses: [here]}\nsteps: [rest]",
    "module": "given: {settings: {SMPT: {a: b}}}\nsteps: [rest]",
    "peer's verb": "given: {peers: {a: {address: 11.1.1.1, replies: {mial: ok}}}}\nsteps: [rest]",
    "row without name": "rows: [{x: a}]\nsteps: [rest]",
}


def document(text: str) -> Any:
    head = "" if "level:" in text else HEAD
    return yaml.load(head + text.replace("level:", "title: t\nsource: s\nlevel:"), yaml.CSafeLoader)


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema.schema())


def test_the_committed_copy_is_fresh() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "conformance.scenario.schema"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout
    assert COMMITTED.read_text(encoding="utf-8") == made, (
        "run: python -m conformance.scenario.schema > scenarios/scenario.schema.json"
    )
    assert json.loads(made) == schema.schema()


@pytest.mark.parametrize("case", GOOD)
def test_what_is_right(tmp_path: Path, case: str) -> None:
    VALIDATOR.validate(document(GOOD[case]))
    if case != "rows":
        assert not [c for c in complaints(tmp_path, HEAD + GOOD[case]) if "unknown" in c]


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong(tmp_path: Path, case: str) -> None:
    assert not VALIDATOR.is_valid(document(BAD[case]))
    assert complaints(tmp_path, HEAD + BAD[case]), "the loader must complain too"


def test_every_scenario_of_the_suite_fits_the_schema() -> None:
    for path in sorted((ROOT / "scenarios").glob("*/*.yaml")):
        with path.open(encoding="utf-8") as file:
            loaded = yaml.load(file, yaml.CSafeLoader)
        errors = [error.message for error in VALIDATOR.iter_errors(loaded)]
        assert errors == [], path
