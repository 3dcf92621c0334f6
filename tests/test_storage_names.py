"""Names that objects, domains and mailboxes can have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.storage import mailbox_names, names
from reference.storage.errors import BadName


@pytest.mark.parametrize(
    "name", ["john", "j.smith", "j-smith2", "susan_smith", "John", "2nd", "a+b"]
)
def test_object_names(name: str) -> None:
    assert names.object_name(f" {name} ") == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "a b",
        "a@b",
        "a/b",
        "a%b",
        "a!b",
        ".a",
        "a.",
        "a..b",
        "..",
        "-a",
        "ä",
        "a\0",
        "a" * 129,
    ],
)
def test_wrong_object_names(name: str) -> None:
    with pytest.raises(BadName) as refused:
        names.object_name(name)
    assert refused.value.text.isprintable()


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Company.COM", "company.com"), ("client1.com.", "client1.com"), ("node", "node")],
)
def test_domain_names(name: str, expected: str) -> None:
    assert names.domain_name(name) == expected


@pytest.mark.parametrize(
    "name", ["", ".", "a..b", "a b", "../x", "-a.com", "10.0.0.5", "[10.0.0.5]", "a/b", "x" * 64]
)
def test_wrong_domain_names(name: str) -> None:
    with pytest.raises(BadName):
        names.domain_name(name)


@given(st.text())
def test_whatever_passes_is_a_file_name(name: str) -> None:
    for check in (names.object_name, names.domain_name):
        try:
            passed = check(name)
        except BadName:
            continue
        assert "/" not in passed
        assert not passed.startswith(".")
        assert check(passed) == passed


@pytest.mark.parametrize(
    ("name", "expected", "file"),
    [
        ("inbox", "INBOX", "INBOX.mbox"),
        ("Sent", "Sent", "Sent.mbox"),
        ("inbox/important", "INBOX/important", "INBOX.folder/important.mbox"),
    ],
)
def test_mailbox_names(name: str, expected: str, file: str) -> None:
    assert mailbox_names.checked(name) == expected
    assert str(mailbox_names.file_of(expected)) == file


@pytest.mark.parametrize("name", ["", "/", "a//b", "../a", "a/", "a\n", "a" * 201])
def test_wrong_mailbox_names(name: str) -> None:
    with pytest.raises(BadName):
        mailbox_names.checked(name)
