"""The transcript: order, steps, the marked line, and that no secret stays in it."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.world.transcript import MASK, Transcript, masked, printable


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("PASS open sesame", f"PASS {MASK}"),
        ("pass secret", f"pass {MASK}"),
        ("NEWPASS secret", f"NEWPASS {MASK}"),
        ("APOP john c4c9334bac560ecc", f"APOP john {MASK}"),
        ("a LOGIN john secret", f"a LOGIN john {MASK}"),
        ('a1 login "j \\" s" "se cret"', f'a1 login "j \\" s" {MASK}'),
        ("AUTH PLAIN AGpvaG4Ac2VjcmV0", f"AUTH PLAIN {MASK}"),
        ("b AUTHENTICATE PLAIN AGpvaG4=", f"b AUTHENTICATE PLAIN {MASK}"),
        (
            'CreateAccount "j" {Password="se\\"cret";A=1;}',
            f'CreateAccount "j" {{Password={MASK};A=1;}}',
        ),
        ("UpdateAccount j {password = secret;}", f"UpdateAccount j {{password = {MASK};}}"),
        ('SetAccountPassword john PASSWORD "se cret"', f"SetAccountPassword john PASSWORD {MASK}"),
        ("SetAccountPassword john TO secret", f"SetAccountPassword john TO {MASK}"),
        ("VerifyAccountPassword j PASSWORD secret", f"VerifyAccountPassword j PASSWORD {MASK}"),
        ("201 {Password=secret;RealName=J;}", f"201 {{Password={MASK};RealName=J;}}"),
        ("UpdateDomain d {UseAppPassword=YES;}", "UpdateDomain d {UseAppPassword=YES;}"),
        ("USER john", "USER john"),
        ("AUTH LOGIN", "AUTH LOGIN"),
        ("RCPT TO:<pass@secret.com>", "RCPT TO:<pass@secret.com>"),
        ("Subject: the password is out", "Subject: the password is out"),
    ],
)
def test_secrets_are_masked_and_the_rest_is_kept(line: str, shown: str) -> None:
    assert masked(line) == shown


def _shown(*lines: tuple[str, str]) -> list[str]:
    transcript = Transcript()
    for arrow, text in lines:
        transcript.add("c", arrow, text)
    return [line.text for line in transcript.lines]


def test_an_authentication_exchange_is_masked_until_its_end() -> None:
    assert _shown(
        (">", "AUTH LOGIN"),
        ("<", "334 VXNlcm5hbWU6"),
        (">", "am9obg=="),
        ("<", "334 UGFzc3dvcmQ6"),
        (">", "c2VjcmV0"),
        ("<", "235 in"),
        (">", "MAIL FROM:<a@b.c>"),
    ) == [
        "AUTH LOGIN",
        "334 VXNlcm5hbWU6",
        MASK,
        "334 UGFzc3dvcmQ6",
        MASK,
        "235 in",
        "MAIL FROM:<a@b.c>",
    ]


def test_an_authentication_heard_by_a_remote_host_is_masked_too() -> None:
    assert _shown(("<", "AUTH PLAIN"), (">", "334 "), ("<", "AGpvaG4="), (">", "235"))[2] == MASK


def test_imap_and_pop_continuations_are_masked() -> None:
    lines = _shown((">", "a AUTHENTICATE PLAIN"), ("<", "+ "), (">", "AGpv"), ("<", "a OK in"))
    assert lines[2] == MASK
    assert _shown((">", "AUTH PLAIN"), ("<", "+OK in"), (">", "STAT"))[2] == "STAT"


def test_another_channel_is_not_masked() -> None:
    transcript = Transcript()
    transcript.add("one", ">", "AUTH LOGIN")
    transcript.add("other", ">", "am9obg==")
    assert transcript.lines[1].text == "am9obg=="


def test_lines_carry_their_step_and_the_bad_one_its_mark() -> None:
    transcript = Transcript()
    transcript.remark("the world is built")
    transcript.step = 2
    transcript.add("smtp", ">", "HELO x")
    transcript.add("dns", "<", "MX y")
    transcript.mark_bad("smtp")
    assert [(line.channel, line.step, line.bad) for line in transcript.lines] == [
        ("harness", -1, False),
        ("smtp", 2, True),
        ("dns", 2, False),
    ]
    transcript.mark_bad()
    assert transcript.lines[-1].bad
    transcript.mark_bad("nobody")


def test_control_characters_do_not_break_a_line() -> None:
    assert _shown((">", "a\x00b\nc\x1b[0m\td")) == ["a\\x00b\\x0ac\\x1b[0m\td"]


@given(st.binary(max_size=40))
def test_any_octets_can_be_shown_and_pickled(octets: bytes) -> None:
    transcript = Transcript()
    transcript.add("c", ">", printable(octets))
    (line,) = pickle.loads(pickle.dumps(transcript.lines))
    assert "\n" not in line.text
    assert line.text.encode().isascii() or octets.decode("utf-8", "ignore")
