"""The command line as a whole: commands, misuse in one sentence, signals, closed pipes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.cli import listing, main, serve
from conformance.cli.main import COMMANDS, parser
from conformance.cli.terminal import short_path, shown

ROOT = Path(__file__).parent.parent


def complaint(capsys, *words):
    """Return the one sentence and the exit status of a misuse."""
    try:
        status = main(list(words))
    except SystemExit as ended:
        status = ended.code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    return err.rstrip("\n"), status


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    for name, (_, purpose) in COMMANDS.items():
        assert name in out
        assert " ".join(purpose.split()) in " ".join(out.split())


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "serve"])
def test_every_command_has_help_of_its_own(name, capsys):
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"usage: mailproof {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["lsit"], "mailproof: there is no command 'lsit' (did you mean list?)"),
        (["xyzzy"], f"mailproof: there is no command 'xyzzy' (commands: {', '.join(COMMANDS)})"),
        ([], "mailproof: the following arguments are required: COMMAND (see mailproof --help)"),
        (["--nonsense"], "mailproof: the following arguments are required: COMMAND (see "),
        (["show"], "mailproof show: the following arguments are required: ID (see mailproof show "),
        (["list", "--nonsense"], "mailproof: unrecognized arguments: --nonsense (see mailproof "),
        (["run", "-n", "x"], "mailproof run: argument -n: 'x' is neither a number nor auto (see "),
        (["run", "--slowest", "x"], "mailproof run: argument --slowest: 'x' is not a number (see "),
        (["run", "--plan", "x"], "mailproof run: argument --plan: invalid choice: 'x' (choose "),
    ],
)
def test_misuse_is_one_sentence_and_status_2(words, sentence, capsys):
    said, status = complaint(capsys, *words)
    assert said.startswith(sentence)
    assert status == 2


def test_the_parser_loads_only_the_command_that_is_asked_for():
    code = (
        "import sys; from conformance.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "assert not {'pytest', 'jinja2', 'rich'} & set(sys.modules), sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("mailproof ")


def test_without_an_installation_there_is_no_version(monkeypatch, capsys):
    def version(_):
        raise main_module.PackageNotFoundError

    main_module = sys.modules["conformance.cli.main"]
    monkeypatch.setattr(main_module, "version", version)
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == "mailproof (not installed)\n"


def test_an_interrupted_command_says_so(monkeypatch, capsys):
    def run(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(listing, "run", run)
    assert complaint(capsys, "list") == ("mailproof list: interrupted", 2)


def test_a_reader_that_goes_away_is_no_trace_of_python():
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        command = [sys.executable, "-m", "conformance.cli", "list"]
        ended = subprocess.run(
            command, cwd=ROOT, stdout=closed, stderr=subprocess.PIPE, check=False
        )
    assert (ended.returncode, ended.stderr) == (2, b"")


def test_serve_becomes_the_server_with_all_that_follows(monkeypatch):
    became = []

    def execv(program, words):
        became.append((program, words))
        raise SystemExit(0)

    monkeypatch.setattr(serve.os, "execv", execv)
    with pytest.raises(SystemExit):
        main(["serve", "--base", "x", "--help", "-v"])
    words = [sys.executable, "-m", "reference", "--base", "x", "--help", "-v"]
    assert became == [(sys.executable, words)]


def test_serve_starts_the_reference():
    command = [sys.executable, "-m", "conformance.cli", "serve", "--help"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "--base DIR" in said


def test_a_parser_without_a_command_knows_all_names():
    assert parser().parse_args(["list"]) is not None


# Texts for the terminal


def test_untrusted_text_is_shown_literally():
    assert shown("a\x1b[31mb\x9b1m\x00") == "a\\x1b[31mb\\x9b1m\\x00"
    assert shown("[bold]no[/]") == r"\[bold]no\[/]"
    assert shown("tab\tand\nline") == "tab\tand\nline"


def test_long_text_ends_in_an_ellipsis():
    assert shown("x" * 11, width=10) == "x" * 9 + "…"
    assert shown("x" * 10, width=10) == "x" * 10


def test_paths_below_the_current_folder_are_short(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert short_path(f"{tmp_path}/scenarios/a.yaml:1:1") == "scenarios/a.yaml:1:1"
    assert short_path("/elsewhere/a.yaml") == "/elsewhere/a.yaml"
