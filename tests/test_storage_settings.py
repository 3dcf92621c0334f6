"""Settings: kinds, tables, the registry, and the files they are kept in."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.formats import dictionary
from reference.formats.dictionary import Value
from reference.storage.errors import FileError, SettingError
from reference.storage.files import read_dictionary, read_text, remove_folder, replace_file
from reference.storage.kinds import (
    LEVEL_WORDS,
    SERVICES,
    Addresses,
    Choice,
    Duration,
    Kind,
    Lines,
    LogLevel,
    Number,
    Services,
    Size,
    Strings,
    Text,
    YesNo,
)
from reference.storage.registry import SETTINGS
from reference.storage.settings import ROUTER_TABLE, Settings
from reference.storage.sockets import ListenerSocket
from reference.storage.table import OpenTable, Setting, Table

WORDS = st.text(st.characters(codec="ascii", exclude_characters=",\r\n"), min_size=1).map(str.strip)
TYPED = st.one_of(
    st.tuples(st.just(Text()), st.text()),
    st.tuples(st.just(YesNo()), st.booleans()),
    st.tuples(st.just(Number()), st.integers(0, 10**9)),
    st.tuples(st.just(Number(least=-1)), st.integers(-1, 10**9)),
    st.tuples(st.just(Size()), st.integers(0, 10**12)),
    st.tuples(st.just(Duration()), st.integers(0, 10**8).map(float)),
    st.tuples(st.just(LogLevel()), st.integers(0, 5)),
    st.tuples(st.just(Strings()), st.lists(WORDS.filter(bool)).map(tuple)),
    st.tuples(
        st.just(Addresses()), st.lists(st.ip_addresses(v=4).map(str), unique=True).map(tuple)
    ),
    st.tuples(st.just(Services()), st.frozensets(st.sampled_from(SERVICES))),
)


@given(TYPED)
def test_what_is_printed_is_read_as_the_same_value(case: tuple[Kind, Any]) -> None:
    kind, typed = case
    printed = kind.print(typed)
    assert kind.parse(printed) == typed
    assert kind.parse(dictionary.parse(dictionary.dump(printed))) == typed


@pytest.mark.parametrize(
    ("kind", "value", "typed"),
    [
        (YesNo(), "yes", True),
        (Number(least=-1), "unlimited", -1),
        (Duration(), "30m", 1800.0),
        (Duration(), "never", float("inf")),
        (LogLevel(), "Problems", 3),
        (LogLevel(), "major", 2),
        (LogLevel(), "all info", 5),
        (LogLevel(), "low level", 4),
        (Choice("nobody", ("anybody", "everybody")), "Everybody", "anybody"),
        (Strings(), "a, b", ("a", "b")),
        (Strings(), "a\r\nb", ("a", "b")),
        (Strings(), "", ()),
        (Lines(), ["a, b ", " ", "c\n d"], ("a, b ", "c\n d")),
        (Lines(), "a, b", ("a, b",)),
        (Addresses(), "[10.0.0.5],10.0.0.6", ("10.0.0.5", "10.0.0.6")),
        (Services(), "All", frozenset(SERVICES)),
        (Services(), "None", frozenset()),
        (Services(), [], frozenset()),
        (Services(), ["19", "mail", "pop"], frozenset({"Mail", "POP"})),
    ],
)
def test_forms_that_are_read(kind: Kind, value: Value, typed: Any) -> None:
    assert kind.parse(value) == typed


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Text(), ["a"]),
        (YesNo(), "perhaps"),
        (Number(), "-1"),
        (Number(most=5), "6"),
        (Number(), "²"),
        (Size(), "big"),
        (Duration(), {"a": "b"}),
        (LogLevel(), "6"),
        (Choice("a", "b"), "c"),
        (Strings(), ["a", ["b"]]),
        (Lines(), ["a", ["b"]]),
        (Lines(), {"a": "b"}),
        (Addresses(), "10.0.0.256"),
        (Services(), ["Beer"]),
    ],
)
def test_forms_that_are_refused(kind: Kind, value: Value) -> None:
    with pytest.raises(ValueError, match=r".+"):
        kind.parse(value)


def test_every_setting_is_described() -> None:
    for module, table in SETTINGS.items():
        for setting in table:
            assert setting.label, (module, setting)
            assert setting.document, (module, setting)
            assert setting.kind.description
            assert setting.parse(setting.kind.print(setting.default)) == setting.default


def test_level_words() -> None:
    assert [LogLevel().parse(word) for word in LEVEL_WORDS] == [0, 1, 2, 3, 4, 5]


# Tables ------------------------------------------------------------------------------------------

TABLE = Table((Setting("Limit", "Limit", Number(), "5"), Setting("Name", "Name", Text(), "x")))
OPEN = OpenTable(TABLE)


def test_default_takes_an_explicit_value_away() -> None:
    assert TABLE.merge({"Limit": "7", "Name": "y"}, {"Limit": "Default"}) == {"Name": "y"}


def test_values_are_kept_in_one_form() -> None:
    assert TABLE.merge({}, {"Limit": "007"}) == {"Limit": "7"}


@pytest.mark.parametrize("changes", [{"Limit": "many"}, {"Lmit": "5"}, {"limit": "default"}])
def test_a_bad_change_is_refused_with_a_hint(changes: dict[str, Value]) -> None:
    with pytest.raises(SettingError) as refused:
        TABLE.merge({}, {"Name": "z", **changes})
    assert "Limit" in refused.value.text


def test_an_open_table_keeps_what_it_does_not_know() -> None:
    merged = OPEN.merge({}, {"city": "Rome", "limit": ["a"], "Limit": "1"})
    assert merged == {"city": "Rome", "limit": ["a"], "Limit": "1"}
    assert OPEN.typed(merged) == {"city": "Rome", "limit": ["a"], "Limit": 1}
    assert OPEN.merge(merged, {"city": "default"}).keys() == {"limit", "Limit"}


def test_a_value_broken_by_hand_counts_as_absent() -> None:
    assert TABLE.typed({"Limit": "many", "Name": "y", "Other": "z"}) == {"Name": "y"}


def test_effective_values() -> None:
    assert OPEN.printed({"Limit": 7, "city": "Rome"}) == {
        "Limit": "7",
        "Name": "x",
        "city": "Rome",
    }


def test_a_keyword_stands_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        Table((*TABLE, TABLE[0]))


# Settings ----------------------------------------------------------------------------------------


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path)


def test_defaults_of_a_fresh_server(settings: Settings) -> None:
    assert settings.get("SMTP", "RelayToNonClients") == "clients"
    assert settings.get("SMTP", "RetryInterval") == 1800.0
    assert settings.get("SMTP", "ListenerPorts") == (ListenerSocket(25),)
    assert settings.get("Protection", "DetectClientsByName") is False
    assert settings.module("SMTP") == {}
    assert settings.effective("smtp")["GiveUpAfter"] == "5d"
    assert settings.get("Strings", "SMTPNoRelay") == "we do not relay"


def test_a_change_is_told_and_survives_a_restart(settings: Settings, tmp_path: Path) -> None:
    told: list[str] = []
    end = settings.subscribe("SMTP", lambda: told.append(settings.get("SMTP", "RelayToClients")))
    settings.update("SMTP", {"RelayToClients": "ALL", "RetryInterval": "600s"})
    assert told == ["all"]
    again = Settings(tmp_path)
    assert again.module("SMTP") == {"RelayToClients": "all", "RetryInterval": "10m"}
    assert again.get("SMTP", "RetryInterval") == 600.0
    end()
    settings.replace("SMTP", {"RelayToClients": "no"})
    assert told == ["all"]
    assert Settings(tmp_path).module("SMTP") == {"RelayToClients": "no"}
    settings.update("SMTP", {"RelayToClients": "default"})
    assert settings.get("SMTP", "RelayToClients") == "simple"


def test_a_bad_change_changes_nothing(settings: Settings, tmp_path: Path) -> None:
    settings.update("SMTP", {"RelayToClients": "all"})
    told: list[None] = []
    settings.subscribe("SMTP", lambda: told.append(None))
    with pytest.raises(SettingError, match="RecipientLimit"):
        settings.update("SMTP", {"RelayToClients": "no", "RecipientLimit": "lots"})
    with pytest.raises(SettingError, match="did you mean RelayToClients"):
        settings.replace("SMTP", {"RelayToClient": "no"})
    with pytest.raises(SettingError, match="Unknown module"):
        settings.update("STMP", {})
    assert settings.get("SMTP", "RelayToClients") == "all"
    assert Settings(tmp_path).get("SMTP", "RelayToClients") == "all"
    assert told == []


def test_the_server_itself_is_main(settings: Settings, tmp_path: Path) -> None:
    settings.update("main", {"DomainName": "mycompany.com"})
    assert read_dictionary(tmp_path / "Settings" / "Main.settings") == {
        "DomainName": "mycompany.com"
    }


def test_files_from_another_platform(tmp_path: Path) -> None:
    settings = Settings(tmp_path)
    settings.update("Strings", {"SMTPByeBye": 'see "you"\r\nsoon'})
    settings.set_text(ROUTER_TABLE, "a = b\r\nc = d\n")
    for path in (tmp_path / "Settings").iterdir():
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    again = Settings(tmp_path)
    assert again.get("Strings", "SMTPByeBye") == 'see "you"\r\nsoon'
    assert again.text(ROUTER_TABLE) == "a = b\nc = d\n"


def test_texts(settings: Settings, tmp_path: Path) -> None:
    told: list[None] = []
    settings.subscribe(ROUTER_TABLE, lambda: told.append(None))
    assert settings.text(ROUTER_TABLE) == ""
    settings.set_text(ROUTER_TABLE, "<root> = postmaster\n")
    assert told == [None]
    assert Settings(tmp_path).text(ROUTER_TABLE) == "<root> = postmaster\n"


def test_a_guard_can_refuse(settings: Settings) -> None:
    def check(typed: Any) -> None:
        if typed["DomainName"] == "taken.com":
            raise SettingError("taken")

    settings.guard("Server", check)
    with pytest.raises(SettingError, match="taken"):
        settings.update("Server", {"DomainName": "taken.com"})
    settings.update("Server", {"DomainName": "free.com"})
    assert settings.get("Server", "DomainName") == "free.com"


def test_a_broken_file_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "Settings").mkdir()
    (tmp_path / "Settings" / "SMTP.settings").write_text("{\nRelayToClients = all;\n")
    with pytest.raises(FileError, match=r"SMTP\.settings:"):
        Settings(tmp_path)
    (tmp_path / "Settings" / "SMTP.settings").write_text("(a)")
    with pytest.raises(FileError, match="dictionary is expected"):
        Settings(tmp_path)


# Files -------------------------------------------------------------------------------------------


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(path, b"one")
    replace_file(path, b"two")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert read_text(path) == "two"


def test_errors_of_the_disk_are_storage_errors(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="gone"):
        replace_file(tmp_path / "gone" / "file", b"x")
    with pytest.raises(FileError, match="gone"):
        remove_folder(tmp_path / "gone")
    with pytest.raises(FileError):
        read_text(tmp_path)
    assert stat.S_ISDIR(tmp_path.stat().st_mode)
