"""``kill -9`` loses nothing: the whole server under load, killed and started again.

``bench/kill.py`` does the same at two hundred moments.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hardy.kills import Experiment, Outcome
from hardy.letters import Event, Fate, Letter, compose
from hardy.load import Ledger
from hardy.places import OFFSET
from hardy.restarts import DOMAIN, SINK_PORT, Restarted
from hardy.sink import Sink, Taken
from hardy.talk import Talk

LETTER = b"Subject: a letter\r\n\r\nhello\r\n"


@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_accepted_survives_kills(tmp_path: Path, seed: int) -> None:
    async def experiment() -> Outcome:
        return await Experiment(folder=tmp_path, seed=seed).run(6)

    outcome = asyncio.run(experiment())
    assert outcome.good, "\n".join(outcome.lines())
    assert outcome.accepted > 20
    assert outcome.events > outcome.accepted


async def _send(address: str, *recipients: str) -> None:
    talk = await Talk.connect(address, 25)
    await talk.expect(b"220")
    talk.send(b"MAIL FROM:<sender@main.example>")
    await talk.expect(b"250")
    for recipient in recipients:
        talk.send(f"RCPT TO:<{recipient}>".encode())
        await talk.expect(b"250")
    talk.send(b"DATA")
    await talk.expect(b"354")
    talk.send(LETTER + b".")
    await talk.expect(b"250")
    talk.close()


async def _mail(address: str, box: str) -> list[bytes]:
    """Return the messages of an account, without their trace fields."""
    talk = await Talk.connect(address, 110)
    await talk.expect(b"+OK")
    talk.send(f"USER {box}".encode(), b"PASS secret", b"UIDL")
    await talk.expect(b"+OK")
    await talk.expect(b"+OK")
    found = []
    for number in [line.split()[0] for line in await talk.lines()]:
        talk.send(b"RETR " + number)
        lines = await talk.lines()
        found.append(b"\r\n".join(lines[lines.index(b"Subject: a letter") :]) + b"\r\n")
    talk.close()
    return found


#: What a kill may leave of the message that was being stored: it ends anywhere in the record.
_RECORD = (
    b"From <a@b>(sahdtr.000000000000-0000000002) Sat Jan  3 12:00:00 2026\n"
    b"Return-Path: <a@b>\nSubject: torn\n\nhalf a li"
)


def test_a_torn_end_of_a_mailbox_is_cut_off(tmp_path: Path) -> None:
    async def story() -> None:
        server = Restarted(tmp_path)
        mailbox = server.base / "Accounts/box.macnt/INBOX.mbox"
        try:
            await server.open(["box"])
            for stored, octets in enumerate((3, 30, 69, 90, len(_RECORD)), 1):
                await _send(server.place.server, f"box@{DOMAIN}")
                await server.finish()
                await server.kill()
                size = mailbox.stat().st_size
                with mailbox.open("ab") as file:
                    file.write(_RECORD[:octets])
                await server.start()
                await server.control.ready()
                assert await _mail(server.place.server, "box") == [LETTER] * stored
                assert mailbox.stat().st_size == size
                await server.control.rest()
                remark = f"INBOX.mbox: {octets} octets of a torn message cut"
                assert any(line.endswith(remark) for line in server.log())
            assert not server.complaints()
        finally:
            await server.close()

    asyncio.run(story())


def test_a_torn_queue_file_is_set_aside_and_holds_nothing_up(tmp_path: Path) -> None:
    async def story() -> None:
        server = Restarted(tmp_path)
        sink = Sink(hear=lambda taken: None, run=lambda: 0)
        try:
            await server.open(["box"])
            # Nobody listens at the remote host yet: three messages stay in the queue.
            for _ in range(3):
                await _send(server.place.server, f"box@{DOMAIN}", "somebody@sink.example")
            await server.control.rest()
            await server.kill()
            names = server.queued()
            assert len(names) == 3
            torn = server.base / "Queue" / names[1]
            torn.write_bytes(torn.read_bytes()[:-7])
            (server.base / "Queue/1.tmp").write_bytes(b"Q 1 0000")
            await sink.listen(server.place.remote, SINK_PORT + OFFSET)
            await server.start()
            await server.control.ready()
            await server.control.rest()
            assert server.queued() == [torn.with_suffix(".bad").name]
            assert await _mail(server.place.server, "box") == [LETTER] * 3
        finally:
            await server.close()
            await sink.close()

    asyncio.run(story())


def _letter(number: str) -> Letter:
    event = Event(number, Fate.STORED, "box")
    octets = compose(number, random.Random(number))
    return Letter(number, octets, (f"<box@{DOMAIN}>",), frozenset([event]), run=1)


def test_the_experiment_sees_what_is_lost() -> None:
    ledger = Ledger()
    ledger.letters["1"] = letter = _letter("1")
    assert not ledger.lost()
    letter.complete = letter.accepted = True
    assert ledger.lost() == list(letter.expected)
    ledger.fetched("box", b"1", b"Received: here\r\n" + letter.octets)
    assert not ledger.lost()
    assert not ledger.wrong(1)


@pytest.mark.parametrize("octets", [1, 2, 100, 200])
def test_the_experiment_sees_what_is_torn(octets: int) -> None:
    ledger = Ledger()
    ledger.letters["1"] = letter = _letter("1")
    letter.complete = True
    ledger.fetched("box", b"1", letter.octets[:-octets])
    assert "torn" in ledger.wrong(1)[0]
    ledger.fetched("box", b"2", letter.octets[octets:])
    assert "torn" in ledger.wrong(1)[1]


def test_the_experiment_sees_what_was_never_finished_or_comes_too_often() -> None:
    ledger = Ledger()
    ledger.letters["1"] = letter = _letter("1")
    ledger.fetched("box", b"1", letter.octets)
    assert "never finished" in ledger.wrong(1)[0]
    letter.complete = True
    assert not ledger.wrong(1)
    ledger.fetched("box", b"2", letter.octets)
    assert "2 times" in ledger.wrong(1)[0]
    assert not ledger.wrong(2), "a kill in between may double it"
    assert ledger.duplicates()[Fate.STORED] == 1


def test_the_experiment_sees_what_was_not_to_be_expected() -> None:
    ledger = Ledger()
    ledger.letters["1"] = letter = _letter("1")
    letter.complete = True
    ledger.fetched("other", b"1", letter.octets)
    assert "not to be expected" in ledger.wrong(1)[0]


def test_the_experiment_sees_mail_that_comes_back() -> None:
    ledger = Ledger()
    ledger.letters["1"] = letter = _letter("1")
    letter.complete = True
    ledger.fetched("box", b"1", letter.octets)
    ledger.removed("box", b"1")
    ledger.fetched("box", b"1", letter.octets)
    assert "is back" in ledger.wrong(1)[0]


def test_the_experiment_sees_letters_taken_twice_in_one_run() -> None:
    ledger = Ledger()
    taken = Taken("1", "somebody", _letter("1").octets, run=1)
    ledger.taken(taken)
    ledger.taken(replace(taken, run=2))
    assert not any("twice" in fault for fault in ledger.faults)
    ledger.taken(taken)
    assert "twice" in ledger.faults[0]
