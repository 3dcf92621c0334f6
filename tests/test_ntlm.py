"""NTLM: the specification's own values, and a client that was not made for this server."""

from __future__ import annotations

import contextlib
import struct

import pytest
import spnego
from hypothesis import given
from hypothesis import strategies as st

from reference.formats.md4 import md4
from reference.kernel.ntlm import NTLMError, Reply, challenge, proves, read_reply

NONCE = bytes.fromhex("0123456789abcdef")


@pytest.mark.parametrize(
    ("text", "digest"),
    [  # RFC 1320, A.5
        ("", "31d6cfe0d16ae931b73c59d7e0c089c0"),
        ("a", "bde52cb31de33e46245e05fbdbd6fb24"),
        ("message digest", "d9130a8164549fe818874806e1c7014b"),
        ("1234567890" * 8, "e33b4ddc9c38f2199c3e7b164fcc0536"),
    ],
)
def test_md4(text: str, digest: str) -> None:
    assert md4(text.encode()).hex() == digest


def response(octets: str, lm_response: str = "00" * 24) -> Reply:
    return Reply(
        name="User",
        domain="Domain",
        lm_response=bytes.fromhex(lm_response),
        response=bytes.fromhex(octets),
    )


@pytest.mark.parametrize(
    "reply",
    [  # MS-NLMP 4.2.2, 4.2.3 and 4.2.4: user User, domain Domain, password Password
        response(
            "67c43011f30298a2ad35ece64f16331c44bdbed927841f94", "98def7b87f88aa5d" + "01" * 16
        ),
        response("7537f803ae367128ca458204bde7caf81e97ed2683267232", "aa" * 8 + "00" * 16),
        response(
            "68cd0ab851e51c96aabc927bebef6a1c"
            "01010000000000000000000000000000aaaaaaaaaaaaaaaa00000000"
            "02000c0044006f006d00610069006e0001000c00530065007200760065007200"
            "0000000000000000"
        ),
    ],
    ids=["NTLM", "NTLM2 session", "NTLMv2"],
)
def test_the_values_of_the_specification(reply: Reply) -> None:
    assert proves("Password", nonce=NONCE, reply=reply)
    assert not proves("password", nonce=NONCE, reply=reply)
    assert not proves("Password", nonce=NONCE[::-1], reply=reply)


@given(
    st.text(min_size=1, max_size=20),
    st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=12),
)
def test_a_real_client_is_known_by_its_password(password: str, name: str) -> None:
    client = spnego.client(
        name, password, protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm
    )
    negotiate = client.step()
    assert negotiate is not None
    authenticate = client.step(challenge(negotiate, nonce=NONCE, target="mycompany.com"))
    assert authenticate is not None
    reply = read_reply(authenticate)
    assert reply.name == name
    assert proves(password, nonce=NONCE, reply=reply)
    assert not proves(password + "x", nonce=NONCE, reply=reply)


@given(st.binary(max_size=120), st.booleans())
def test_any_octets_are_read_or_refused(octets: bytes, signed: bool) -> None:
    for kind, read in ((1, lambda o: challenge(o, nonce=NONCE, target="a.b")), (3, read_reply)):
        message = b"NTLMSSP\0" + struct.pack("<I", kind) + octets if signed else octets
        with contextlib.suppress(NTLMError):
            read(message)


def test_a_response_of_lan_manager_alone_is_none() -> None:
    assert not proves("Password", nonce=NONCE, reply=response("", "01" * 24))
