"""The head of queue files: any envelope comes back as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.queue import head as heads
from reference.queue.envelope import Envelope, Recipient, Source
from reference.queue.head import State, TornHeadError

texts = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=40),
    st.binary(max_size=20).map(lambda octets: octets.decode("utf-8", "surrogateescape")),
)
recipients = st.builds(Recipient, address=texts, notify=texts, orcpt=texts)
envelopes = st.builds(
    Envelope,
    return_path=texts,
    recipients=st.lists(recipients, min_size=1, max_size=5).map(tuple),
    source=st.builds(Source, protocol=texts, ip=texts, account=texts, helo=texts),
    ret=texts,
    envid=texts,
    body=texts,
)


@given(envelopes, st.floats(0, 4e9))
def test_a_head_comes_back(envelope: Envelope, submitted: float) -> None:
    octets = heads.dump(envelope, submitted)
    assert heads.head_size(octets[: heads.FIRST_LINE_LIMIT]) == len(octets)
    head = heads.parse(octets)
    assert head.envelope == envelope
    assert head.submitted == pytest.approx(submitted, abs=0.001)
    assert head.size == len(octets)
    assert set(head.states) == {State.WAITING}


@given(envelopes, st.data())
def test_status_octets_are_overwritten_in_place(envelope: Envelope, data: st.DataObject) -> None:
    octets = bytearray(heads.dump(envelope, 0))
    head = heads.parse(bytes(octets))
    index = data.draw(st.integers(0, len(envelope.recipients) - 1))
    state = data.draw(st.sampled_from(State))
    place = head.places[index]
    octets[place : place + 2] = heads.status(state, True)
    changed = heads.parse(bytes(octets))
    assert changed.envelope == envelope
    expected = list(head.states)
    expected[index] = state
    assert list(changed.states) == expected
    assert [at for at, warned in enumerate(changed.warned) if warned] == [index]


@given(texts)
def test_quoted_values_are_one_word(text: str) -> None:
    word = heads.quote(text)
    assert heads.unquote(word) == text
    assert not set(word) & set(b" <=\r\n")
    assert word.isascii()


def test_nothing_of_a_client_makes_a_line_of_its_own() -> None:
    envelope = Envelope("a\nR D- <evil>", [Recipient("b> <c\r\nP <x")], Source("SMTP"))
    head = heads.parse(heads.dump(envelope, 0))
    assert len(head.envelope.recipients) == 1
    assert head.envelope.return_path == "a\nR D- <evil>"


@given(st.binary(max_size=200))
def test_octets_that_are_no_head_are_refused(octets: bytes) -> None:
    with pytest.raises(TornHeadError):
        heads.parse(octets)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"R W-", b"R ?-"),
        (b"P <", b"X <"),
        (b"<b@c>", b"(b@c)"),
        (b"S SMTP", b"O SMTP"),
    ],
)
def test_a_damaged_line_is_refused(old: bytes, new: bytes) -> None:
    octets = heads.dump(Envelope("a@b", [Recipient("b@c")], Source("SMTP")), 0)
    assert old in octets
    with pytest.raises(TornHeadError):
        heads.parse(octets.replace(old, new))


def test_a_cut_head_is_refused() -> None:
    octets = heads.dump(Envelope("a@b", [Recipient("b@c")], Source("SMTP")), 0)
    for end in range(len(octets)):
        with pytest.raises(TornHeadError):
            heads.parse(octets[:end])
