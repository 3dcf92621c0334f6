"""Which scenarios words mean, and what pytest is told."""

import pytest
from command_kit import FAILING, PASSING, ROWS, project
from engine_kit import write_scenario

from conformance.cli.selection import SelectionError, arguments, load_scenarios, matching, one


@pytest.fixture
def scenarios(tmp_path, monkeypatch):
    project(
        tmp_path, router__a=PASSING, router__table=ROWS, router__tables=FAILING, smtp__b=PASSING
    )
    monkeypatch.chdir(tmp_path)
    return load_scenarios()


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        ([], ["router/a", "router/table[good]", "router/table[bad]", "router/tables", "smtp/b"]),
        (["smtp"], ["smtp/b"]),
        (["router/a", "smtp/"], ["router/a", "smtp/b"]),
        (["smtp", "router/a"], ["router/a", "smtp/b"]),
        (["router/table"], ["router/table[good]", "router/table[bad]"]),
        (["router/table[bad]"], ["router/table[bad]"]),
        (["router/table[bad]", "router/table"], ["router/table[good]", "router/table[bad]"]),
        (["scenarios/router/table.yaml"], ["router/table[good]", "router/table[bad]"]),
        (["scenarios/smtp"], ["smtp/b"]),
        (["./scenarios/smtp/../smtp/b.yaml"], ["smtp/b"]),
    ],
)
def test_words_are_ids_beginnings_of_ids_and_paths(scenarios, words, ids):
    assert [s.id for s in matching(scenarios, words)] == ids


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("router/tabel", " (did you mean router/tables or router/a"),
        ("router/table[god]", " (did you mean router/table[good] or "),
        ("xyzzy", "; mailproof list shows them all"),
        ("scenarios/none.yaml", "; mailproof list"),
    ],
)
def test_a_word_that_means_nothing_gets_a_suggestion(scenarios, word, hint):
    with pytest.raises(SelectionError) as error:
        matching(scenarios, [word])
    assert str(error.value).startswith(f"no scenario is called {word!r}{hint}")


def test_an_empty_folder_means_nothing(scenarios, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SelectionError, match="no scenario is called 'empty'"):
        matching(scenarios, ["empty"])


def test_a_path_may_lead_to_scenarios_of_ones_own(scenarios, tmp_path):
    write_scenario(tmp_path / "mine", PASSING, name="extra/c")
    found = matching(scenarios, ["mine/scenarios", "smtp"])
    assert [s.id for s in found] == ["smtp/b", "extra/c"]


def test_an_id_is_meant_before_a_path(scenarios, tmp_path):
    (tmp_path / "smtp").mkdir()
    assert [s.id for s in matching(scenarios, ["smtp"])] == ["smtp/b"]


def test_one_is_a_case_or_the_first_row(scenarios):
    assert one(scenarios, "router/a").id == "router/a"
    assert one(scenarios, "router/table").id == "router/table[good]"
    assert one(scenarios, "router/table[bad]").id == "router/table[bad]"
    with pytest.raises(SelectionError, match="'router' means 4 scenarios; name one of them"):
        one(scenarios, "router")


def test_pytest_gets_files_and_single_rows(scenarios, tmp_path):
    def told(*words):
        return arguments(matching(scenarios, words), scenarios)

    router = tmp_path / "scenarios" / "router"
    assert told("router/table") == [str(router / "table.yaml")]
    assert told("router/table[bad]") == [f"{router / 'table.yaml'}::router/table[bad]"]
    assert told("router/table[bad]", "router/table[good]") == [str(router / "table.yaml")]
    assert told("router/a", "router/tables") == [
        str(router / "a.yaml"),
        str(router / "tables.yaml"),
    ]


def test_scenarios_that_do_not_load_are_all_named(tmp_path, monkeypatch):
    project(tmp_path, router__x="titel: x\n", router__y="nonsense: y\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SelectionError) as error:
        load_scenarios()
    assert "router/x.yaml:" in str(error.value)
    assert "router/y.yaml:" in str(error.value)
