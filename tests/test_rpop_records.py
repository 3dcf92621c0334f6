"""RPOP records, what is remembered of them, and to whom retrieved messages go."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.kernel.header_text import fields
from reference.storage.remote_accounts import RemoteAccount, RemoteAccounts, read_account
from reference.storage.uid_memory import UidMemory
from reference.transport.rpop_mail import Distribution

RECORD = {"period": "10m", "authName": "john", "domain": "Pop.Provider.com:111", "password": "x"}

names = st.text("abc.", min_size=1, max_size=8).filter(lambda text: text.strip("."))
accounts = st.builds(
    RemoteAccount,
    name=names,
    host=names,
    port=st.integers(1, 65535),
    password=st.text("ab "),
    period=st.sampled_from([60.0, 600.0, 86400.0]),
    leave=st.booleans(),
    apop=st.booleans(),
    special_header=st.sampled_from(["", "X-Real-To"]),
)


@given(st.lists(accounts))
def test_what_is_printed_is_read_again(rows: list[RemoteAccount]) -> None:
    kind = RemoteAccounts()
    assert kind.parse(kind.print(rows)) == tuple(rows)


def test_a_record() -> None:
    account = read_account(RECORD)
    assert (account.host, account.port, account.period) == ("pop.provider.com", 111, 600)
    assert account.apop
    assert not account.leave
    assert "x" not in repr(account)
    assert account.label == "john@pop.provider.com:111"


def test_never_and_the_empty_row_are_no_records() -> None:
    assert RemoteAccounts().parse([{**RECORD, "period": "never"}, {"domain": ""}]) == ()


@pytest.mark.parametrize(
    "change",
    [
        {"period": "often"},
        {"domain": "a:0"},
        {"domain": "a b"},
        {"leave": "perhaps"},
        {"specialHeader": "X Real"},
        {"authName": "a\r\nDELE 1"},
        {"hosts": "x"},
    ],
)
def test_a_bad_record_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_account({**RECORD, **change})


def test_uids_are_remembered_by_account(tmp_path: Path) -> None:
    memory = UidMemory(tmp_path, "a@b")
    for uid in ("1", "2", "3"):
        memory.add(uid)
    UidMemory(tmp_path, "c@d").add("9")
    memory.keep(["2", "7"])
    assert UidMemory(tmp_path, "a@b").read() == {"2"}
    memory.keep(())
    assert memory.read() == set()
    assert UidMemory(tmp_path, "c@d").read() == {"9"}


HEADER = b"Return-Path: <s@x.com>\r\nX-Real-To: ann, bob@x.com\r\nTo: john@x.com, far@y.com\r\n"


@pytest.mark.parametrize(
    ("special", "owner", "recipients", "notify"),
    [
        ("X-Real-To", "", ["ann", "bob@x.com"], "FAILURE"),
        ("", "", ["john@x.com"], "NEVER"),
        ("X-Other", "", ["john@x.com"], "NEVER"),
        ("", "mary@x.com", ["mary@x.com"], "NEVER"),
    ],
)
def test_distribution(special: str, owner: str, recipients: list[str], notify: str) -> None:
    account = RemoteAccount(name="a", host="b", special_header=special)
    distribution = Distribution(account=account, owner=owner, is_local=lambda a: a == "john@x.com")
    parts = list(fields(HEADER))
    envelope = distribution.envelope(parts, "10.1.1.1")
    assert envelope.return_path == "s@x.com"
    assert [each.address for each in envelope.recipients] == recipients
    assert {each.notify for each in envelope.recipients} == {notify}
    assert (b"X-Real-To" in distribution.header(parts)) is (special != "X-Real-To")
    assert b"Return-Path" not in distribution.header(parts)


def test_nobody_of_ours_is_the_postmaster() -> None:
    account = RemoteAccount(name="a", host="b")
    distribution = Distribution(account=account, is_local=lambda _: False)
    envelope = distribution.envelope(list(fields(HEADER)), "")
    assert [each.address for each in envelope.recipients] == ["postmaster"]
