"""What the README shows: its commands exist, its examples load and pass for what they are."""

import re
import shlex
from pathlib import Path

import pytest

from conformance.cli.main import COMMANDS, parser
from conformance.scenario.load import load_file
from conformance.targets.file import load_target

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def block(language):
    return re.search(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)[1]


def shown_commands():
    return re.findall(r"^    (?:.*&& \.venv/bin/)?(mailproof .*)$", README, re.MULTILINE)


def test_the_two_commands_are_one_line_each():
    first, second = re.findall(r"^    (python3 -m venv .*)$", README, re.MULTILINE)
    assert first.endswith(".venv/bin/mailproof run -n 2 --report report")
    assert second.endswith("# the tests")
    assert (ROOT / "constraints.txt").is_file()


@pytest.mark.parametrize("line", shown_commands())
def test_the_commands_that_it_shows_are_understood(line):
    words = shlex.split(line)[1:]
    assert parser(words[0]).parse_args(words)


def test_its_table_has_every_command_and_only_options_that_there_are(capsys):
    table = README.partition("## Commands")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `mailproof ([\w-]+)[^`]*` \| (.*) \|$", table, re.MULTILINE))
    assert list(rows) == list(COMMANDS)
    for name, text in rows.items():
        if name == "serve":
            continue
        with pytest.raises(SystemExit):
            parser(name).parse_args([name, "--help"])
        known = capsys.readouterr().out
        for option in re.findall(r"`(--?[\w-]+)", text):
            assert re.search(rf"(?<![\w-]){option}\b", known), (name, option)


def test_its_target_file_loads(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(block("toml"))
    target = load_target(path)
    assert target.name == "myserver"
    assert target.plans == ("namespace",)


def test_its_scenario_loads(tmp_path):
    path = tmp_path / "scenarios" / "router" / "loop.yaml"
    path.parent.mkdir(parents=True)
    (tmp_path / "scenarios" / "catalogue").symlink_to(ROOT / "scenarios" / "catalogue")
    path.write_text(block("yaml"))
    (scenario,) = load_file(path)
    assert scenario.id == "router/loop"
    (real,) = load_file(ROOT / "scenarios" / "router" / "loop.yaml")
    assert (scenario.title, scenario.covers) == (real.title, real.covers)


def test_the_documents_that_it_points_to_are_there():
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / target).is_file(), target
