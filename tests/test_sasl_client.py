"""SASL as a client, against the server's own side."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.kernel.access import ClearText, Digest
from reference.protocols import sasl_client
from reference.protocols.sasl import Exchange
from reference.protocols.sasl_client import Login, NoMethod

WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)
LOGINS = st.builds(Login, WORDS.filter(lambda name: " " not in name), WORDS)


def converse(method: str, login: Login) -> object:
    """Let both sides talk; return the credentials that the server has got."""
    exchange = Exchange(method, lambda: "<1.2@provider.com>")
    _, _, initial = sasl_client.begin(method, login).partition(" ")
    found = exchange.initial(initial.encode()) if initial else None
    challenges: list[str] = []
    while found is None:
        challenges.append(exchange.line)
        found = exchange.answer(sasl_client.answer(method, login, challenges).encode())
    return found


@given(LOGINS, st.sampled_from(["PLAIN", "LOGIN"]))
def test_clear_text_methods(login: Login, method: str) -> None:
    assert converse(method, login) == ClearText(name=login.name, password=login.password)


@given(LOGINS)
def test_cram_md5(login: Login) -> None:
    found = converse("CRAM-MD5", login)
    assert isinstance(found, Digest)
    assert found.name == login.name
    assert login.password not in found.response or len(login.password) < 4


def test_cram_md5_of_the_rfc() -> None:
    challenge = base64.b64encode(b"<1896.697170952@postoffice.reston.mci.net>").decode()
    said = sasl_client.answer("CRAM-MD5", Login("tim", "tanstaaftanstaaf"), [challenge])
    assert base64.b64decode(said) == b"tim b913a602c7eda7a495b4e6e7334d3890"


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["PLAIN", "LOGIN", "CRAM-MD5"], "CRAM-MD5"),
        (["plain", "login"], "LOGIN"),
        (["PLAIN", "GSSAPI"], "PLAIN"),
    ],
)
def test_the_secure_method_comes_first(offered: list[str], chosen: str) -> None:
    assert sasl_client.choose(offered) == chosen


@pytest.mark.parametrize("offered", [[], ["GSSAPI"]])
def test_no_method(offered: list[str]) -> None:
    with pytest.raises(NoMethod):
        sasl_client.choose(offered)


def test_challenges_that_are_none() -> None:
    login = Login("john", "secret")
    with pytest.raises(NoMethod, match="base64"):
        sasl_client.answer("CRAM-MD5", login, ["*"])
    with pytest.raises(NoMethod, match="more than"):
        sasl_client.answer("LOGIN", login, ["a", "b", "c"])
    with pytest.raises(NoMethod, match="more than"):
        sasl_client.answer("PLAIN", login, [""])
