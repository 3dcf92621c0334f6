"""What tests of the engine share: the toy server as a target, and scenarios from text."""

import textwrap
from pathlib import Path

from conformance.run.client import EngineClient
from conformance.run.messages import EngineSettings
from conformance.scenario.load import load_file
from conformance.targets.file import load_target

TESTS = Path(__file__).parent
FIXTURES = TESTS.parent / "fixtures"
BROKEN = TESTS / "broken"
CAPABILITIES = [
    *("smtp", "pop", "cli", "settings", "router", "route", "files", "queue", "log"),
    *("clock", "restart", "kill"),
]


def toy_target(folder, *, fault="", control=True, warm=False, name="toy", more=""):
    """Write the toy server's target file; return its path."""
    arguments = [
        "--base",
        "{base}",
        "--address",
        "{addresses}",
        "--dns",
        "{dns}",
        "--port-offset",
        "{port_offset}",
    ]
    if control:
        arguments += ["--control", "{control}"]
    if fault:
        arguments += ["--fault", fault]
    capabilities = [each for each in CAPABILITIES if control or each != "clock"]
    path = folder / f"{name}.toml"
    text = f'name = "{name}"\ncapabilities = {capabilities}\n[start]\nwithin = 5\n'
    text += f"command = {['{python}', str(BROKEN / 'server.py'), *arguments]}\n"
    text += '[login]\npassword_file = "{base}/Accounts/postmaster.macnt/account.settings"\n'
    if warm:
        text += f"[warm]\ncommand = {['{python}', str(BROKEN / 'warm.py')]}\n"
    path.write_text((text + more).replace("'", '"'))
    return path


def settings(target, **changes):
    """Return the settings of an engine for a target file."""
    values = {"plan": "loopback", "fixtures": FIXTURES, "bound": 10.0, "patience": 0.5}
    return EngineSettings(target=load_target(target), **{**values, **changes})


def client(target, **changes):
    """Return a client whose engine has begun to start."""
    made = EngineClient(settings(target, **changes))
    made.begin()
    return made


def write_scenario(folder, text, *, name="chapter/case"):
    """Write a scenario file into a tree; return its path."""
    path = folder / "scenarios" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    head = "title: A requirement\nsource: Guide 3.5.2 > Chapter\nlevel: beyond\n"
    text = textwrap.dedent(text)
    path.write_text(text if "title:" in text else head + text)
    return path


def scenario(folder, text):
    """Return the one scenario of a text."""
    (found,) = load_file(write_scenario(folder, text))
    return found
