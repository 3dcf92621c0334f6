"""Passwords: what is kept, what opens, and what can be had back."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference.storage.passwords import (
    ONE_WAY,
    REVERSIBLE,
    clear_text,
    is_kept,
    keep,
    matches,
    random_password,
)
from reference.storage.shacrypt import md5_crypt, sha_crypt

PASSWORDS = st.text(min_size=1, max_size=30)


@given(PASSWORDS)
def test_clear_and_a_crpt_passwords_come_back(password: str) -> None:
    for encryption in ("clear", "A-crpt"):
        kept = keep(password, encryption)
        assert clear_text(kept) == password
        assert matches(kept, password)
        assert not matches(kept, password + "x")


@settings(max_examples=10, deadline=None)
@given(PASSWORDS)
def test_u_crpt_is_one_way(password: str) -> None:
    kept = keep(password, "U-crpt")
    assert kept.startswith(ONE_WAY + "$6$")
    assert matches(kept, password)
    assert not matches(kept, password + "x")
    assert not matches(kept, kept)
    assert clear_text(kept) == ""


def test_an_a_crpt_string_does_not_show_the_password() -> None:
    one, other = keep("secret", "A-crpt"), keep("secret", "A-crpt")
    assert one.startswith(REVERSIBLE)
    assert "secret" not in one
    assert one != other


def test_an_empty_password_opens_nothing() -> None:
    assert keep("", "U-crpt") == ""
    assert not matches("", "")
    assert not matches("secret", "")
    assert not matches(REVERSIBLE, "")


def test_a_password_that_looks_like_a_prefix_is_never_kept_clear() -> None:
    kept = keep("\002{MD5}x", "clear")
    assert kept.startswith(REVERSIBLE)
    assert matches(kept, "\002{MD5}x")


# "pässword", as the C library's crypt() and the digests give it.
CRYPT = {
    "$1$VlPrB1xy": "OCHqKegXGFRI8wlhlOCZZ/",
    "$5$saltstring": "cRBhKSfYzTy7ht1J5qVPFV0KZImJ0U5L5Ezw0UdIOW4",
    "$6$saltstring": "CSTM8ggie.dU5m6eoS07/LZ2D/r4hrX.jxMSo1fYZexnehwOFJu1o2u1p.BZSnrxIhERrHnuxI8"
    "ONbt/kSPvF0",
    "$6$rounds=1400$anotherlongsalts": "VErtXf9TYxOhRYK7qXD.lPRABVcxYtuzoSiqlIgL9F0GlVPhCtl/N60mK"
    "Al05IwXArePJpkE7qYbw1lYqbLiy1",
}
DIGESTS = (
    "{MD5}" + base64.b64encode(hashlib.md5("pässword".encode()).digest()).decode(),
    "{sha}" + base64.b64encode(hashlib.sha1("pässword".encode()).digest()).decode(),
    "{NS-MTA-MD5}30C8B390f0059bd19ef5e3cc6ebb5a62" + "0123456789abcdef0123456789ABCDEF",
)


@pytest.mark.parametrize("setting", CRYPT)
@pytest.mark.parametrize("method", ["", "{crypt}", "{WM-CRY}"])
def test_crypt_strings_of_other_servers(setting: str, method: str) -> None:
    kept = f"{ONE_WAY}{method}{setting}${CRYPT[setting]}"
    assert matches(kept, "pässword")
    assert not matches(kept, "password")
    assert is_kept(kept)
    assert clear_text(kept) == ""


@pytest.mark.parametrize("kept", DIGESTS)
def test_digests_of_other_servers(kept: str) -> None:
    assert matches(ONE_WAY + kept, "pässword")
    assert not matches(ONE_WAY + kept, "password")
    # Without the prefix the string is a clear password.
    assert not matches(kept, "pässword")
    assert matches(kept, kept)


@pytest.mark.parametrize(
    "kept",
    [
        "AslUzT1JkPsoc",  # the historical DES crypt
        "{FOO}abcd",
        "{MD5}***",
        "{NS-MTA-MD5}12",
        "$6$rounds=999999999$x$y",
        "$1$",
        "$6$",
        "",
    ],
)
def test_what_is_not_understood_lets_nobody_in(kept: str) -> None:
    for password in ("abcd", "secret", kept, ONE_WAY + kept):
        assert not matches(ONE_WAY + kept, password)


def test_a_damaged_a_crpt_string_lets_nobody_in() -> None:
    assert clear_text(REVERSIBLE + "***") == ""
    assert not matches(REVERSIBLE + "***", "***")


def test_malformed_settings_give_nothing() -> None:
    assert md5_crypt(b"x", "$6$salt") == ""
    assert sha_crypt(b"x", "$1$salt") == ""


def test_random_passwords_differ() -> None:
    one, other = random_password(), random_password()
    assert one != other
    assert len(one) == 14
    assert one.isalnum()
