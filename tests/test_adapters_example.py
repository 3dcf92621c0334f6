"""The example of docs/adapters.md does what the page says."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.run.results import load
from conformance.targets.file import TargetFileError, load_target
from conformance.targets.kinds import make_target

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "docs" / "example"

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="adapters need root"),
    pytest.mark.skipif(not shutil.which("dovecot"), reason="needs Debian's package dovecot-imapd"),
]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Run the example's scenarios as the page does; return the process and its results."""
    folder = tmp_path_factory.mktemp("example")
    shutil.copytree(EXAMPLE, folder, dirs_exist_ok=True)
    command = [sys.executable, "-m", "conformance.cli", "run", "--target", "tiny.toml", "scenarios"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return done, load(folder / ".mailproof" / "result.json")


def test_the_example_passes_fails_and_declines(ran):
    _, result = ran
    outcomes = {case.id: case.result.outcome.value for case in result.cases}
    assert outcomes == {
        "tiny/delivery": "passed",
        "tiny/pipelining": "failed",
        "tiny/relaying": "not applicable",
    }
    reasons = {case.id: case.result.reason for case in result.cases}
    assert reasons["tiny/relaying"] == "the tiny server relays for nobody"


def test_the_page_shows_what_the_run_says(ran):
    done, _ = ran
    page = (ROOT / "docs" / "adapters.md").read_text()
    shown = re.search(
        r"mailproof run --target tiny\.toml scenarios\n(.*?)\n\n[^ ]", page, re.DOTALL
    )
    for line in shown[1].splitlines():
        text = line.strip()
        if text and text != "...":
            assert text.partition(" in ")[0] in done.stdout


@pytest.mark.parametrize("name", ["tiny.toml", "tiny_target.py"])
def test_the_page_shows_the_files(name):
    page = (ROOT / "docs" / "adapters.md").read_text()
    blocks = re.findall(r"```\w+\n(.*?)```", page, re.DOTALL)
    text = (EXAMPLE / name).read_text()
    bare = {re.sub(r"\s+#.*", "", line).strip() for line in text.splitlines()}
    shown = next(block for block in blocks if ("class" in block) == name.endswith(".py"))
    for line in shown.splitlines():
        wanted = re.sub(r"\s+#.*", "", line).strip()
        if wanted and "..." not in wanted:
            assert wanted in bare


def test_a_kind_that_is_not_there_is_named(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('name = "mine"\nkind = "no_such_module:Target"\ncapabilities = []\n')
    with pytest.raises(TargetFileError, match="'no_such_module:Target' cannot be loaded"):
        make_target(load_target(file))
