"""SASL mechanisms."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.kernel.access import ClearText, Credentials, Digest
from reference.protocols.sasl import MECHANISMS, Cancelled, Exchange, SASLError

CHALLENGE = "<1896.697170952@postoffice.reston.mci.net>"


def begin(mechanism: str) -> Exchange:
    return Exchange(mechanism, lambda: CHALLENGE)


def coded(octets: bytes) -> bytes:
    return base64.b64encode(octets)


def converse(mechanism: str, *responses: bytes) -> Credentials | None:
    exchange = begin(mechanism)
    found = None
    for response in responses:
        found = exchange.answer(coded(response))
    return found


class Kept:
    """An account that keeps a password."""

    def __init__(self, password: str) -> None:
        self.password = password

    def password_text(self) -> str:
        return self.password

    def check_password(self, password: str) -> bool:
        return password == self.password


def proves(credentials: Credentials, password: str) -> bool:
    account: Any = Kept(password)
    return credentials.proves(account)


text = st.text(alphabet=st.characters(exclude_characters="\0", codec="utf-8"), min_size=1)


@given(text, text)
def test_plain(name: str, password: str) -> None:
    response = f"\0{name}\0{password}".encode()
    expected = ClearText(name=name, password=password)
    assert converse("plain", response) == expected
    assert begin("PLAIN").initial(coded(response)) == expected
    assert converse("PLAIN", f"{name}\0{name}\0{password}".encode()) == expected


@given(text, text)
def test_login(name: str, password: str) -> None:
    assert converse("LOGIN", name.encode(), password.encode()) == ClearText(
        name=name, password=password
    )


def test_the_published_example_of_cram_md5() -> None:
    # RFC 2195, 2
    exchange = begin("CRAM-MD5")
    assert base64.b64decode(exchange.line).decode() == CHALLENGE
    found = exchange.answer(b"dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw")
    assert isinstance(found, Digest)
    assert found.name == "tim"
    assert proves(found, "tanstaaftanstaaf")
    assert not proves(found, "tanstaaftanstaaF")
    assert not proves(found, "")


def test_the_published_example_of_apop() -> None:
    # RFC 1939, 7
    digest = Digest(
        name="mrose",
        method="APOP",
        challenge="<1896.697170952@dbc.mtview.ca.us>",
        response="c4c9334bac560ecc979e58001b3e22fb",
    )
    assert proves(digest, "tanstaaf")
    assert not proves(digest, "tanstaaF")


def test_an_empty_password_proves_nothing() -> None:
    assert not proves(ClearText(name="john", password=""), "")


def test_secrets_are_not_shown() -> None:
    digest = Digest(name="john", method="APOP", challenge="c", response="s3cret")
    assert "s3cret" not in repr(ClearText(name="john", password="s3cret")) + repr(digest)


@pytest.mark.parametrize(
    ("mechanism", "response"),
    [
        ("PLAIN", b""),
        ("PLAIN", b"john"),
        ("PLAIN", b"\0john"),
        ("PLAIN", b"\0\0secret"),
        ("PLAIN", b"boss\0john\0secret"),
        ("PLAIN", b"\0john\0se\0cret"),
        ("LOGIN", b"jo\0hn"),
        ("CRAM-MD5", b"john"),
        ("CRAM-MD5", b" digest"),
    ],
)
def test_wrong_responses(mechanism: str, response: bytes) -> None:
    with pytest.raises(SASLError):
        begin(mechanism).answer(coded(response))


def test_no_initial_response_can_answer_a_challenge() -> None:
    with pytest.raises(SASLError):
        begin("CRAM-MD5").initial(coded(b"john digest"))


def test_unknown_mechanisms() -> None:
    with pytest.raises(SASLError, match="XYZ"):
        begin("XYZ")


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_the_client_may_give_up(mechanism: str) -> None:
    with pytest.raises(Cancelled):
        begin(mechanism).answer(b"*")


@given(st.sampled_from(MECHANISMS), st.lists(st.binary(max_size=40), max_size=3))
def test_any_response_is_understood_or_refused(mechanism: str, responses: list[bytes]) -> None:
    exchange = begin(mechanism)
    for response in responses:
        try:
            if exchange.answer(response) is not None:
                return
        except SASLError:
            return
