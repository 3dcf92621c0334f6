"""Where the project's own data lie, in a checkout and in an installed package."""

from pathlib import Path

import pytest

from conformance.cli import main, paths
from conformance.cli.paths import DataMissingError, own
from conformance.targets.file import load_target

NAMES = ("scenarios", "fixtures", "targets")


@pytest.mark.parametrize("name", NAMES)
def test_this_tree_has_all_of_it(name):
    assert own(name).is_dir()


def test_the_target_of_the_reference_loads():
    assert load_target(paths.reference_target()).name == "reference"


@pytest.mark.parametrize("name", NAMES)
def test_a_checkout_has_them_at_its_top(tmp_path, name):
    package = tmp_path / "conformance"
    package.mkdir()
    (tmp_path / name).mkdir()
    assert own(name, package) == tmp_path / name


@pytest.mark.parametrize("name", NAMES)
def test_an_installed_package_carries_them(tmp_path, name):
    package = tmp_path / "site-packages" / "conformance"
    (package / "_data" / name).mkdir(parents=True)
    # Somebody else's package of the same name stands beside it.
    (tmp_path / "site-packages" / name).mkdir()
    assert own(name, package) == package / "_data" / name


def test_the_wheel_is_told_to_carry_them():
    project = (Path(__file__).parent.parent / "pyproject.toml").read_text()
    for name in NAMES:
        assert f'"{name}" = "conformance/_data/{name}"' in project


def test_what_is_missing_is_said(tmp_path):
    with pytest.raises(DataMissingError, match="the folder targets/ is missing"):
        own("targets", tmp_path / "conformance")


def test_the_command_says_so_too(monkeypatch, capsys):
    def missing():
        raise DataMissingError("the folder scenarios/ is missing")

    monkeypatch.setattr(paths, "scenarios", missing)
    assert main(["list"]) == 2
    assert capsys.readouterr().err == "mailproof list: the folder scenarios/ is missing\n"


@pytest.mark.parametrize("mark", ["catalogue", "scenario.schema.json"])
def test_scenarios_of_the_current_folder_come_first(monkeypatch, tmp_path, mark):
    (tmp_path / "scenarios" / mark).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert paths.scenarios() == tmp_path / "scenarios"


def test_a_strangers_folder_of_that_name_is_left_alone(monkeypatch, tmp_path):
    (tmp_path / "scenarios").mkdir()
    monkeypatch.chdir(tmp_path)
    assert paths.scenarios() == own("scenarios")
