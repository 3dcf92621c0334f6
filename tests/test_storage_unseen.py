"""A mailbox that only gets mail forgets its index, and has it again when somebody looks."""

from __future__ import annotations

from pathlib import Path

import pytest

from reference.storage.mbox import UNSEEN, Mailbox


class Uids:
    def load(self) -> tuple[int, int]:
        return 1, 0

    def save(self, last: int) -> None:
        return None


@pytest.fixture
def mailbox(tmp_path: Path) -> Mailbox:
    path = tmp_path / "INBOX.mbox"
    path.touch()
    return Mailbox(path=path, uids=Uids())


def store(mailbox: Mailbox, count: int) -> None:
    for number in range(count):
        content = f"Subject: {number}\r\n\r\nhello\r\n".encode()
        mailbox.append([content], return_path="a@b", time=0.0)


def test_an_index_that_nobody_looks_at_is_forgotten(mailbox: Mailbox) -> None:
    store(mailbox, UNSEEN)
    assert len(mailbox._messages) == UNSEEN
    store(mailbox, 10)
    assert len(mailbox._messages) == 0
    messages = mailbox.messages()
    assert [message.uid for message in messages] == list(range(1, UNSEEN + 11))
    assert mailbox.read(messages[-1]) == b"Subject: 9\r\n\r\nhello\r\n"


def test_an_index_that_somebody_looks_at_is_kept(mailbox: Mailbox) -> None:
    for _ in range(3):
        store(mailbox, UNSEEN)
        mailbox.messages()
    assert len(mailbox._messages) == 3 * UNSEEN


def test_messages_that_were_shown_are_read_and_removed_later(mailbox: Mailbox) -> None:
    store(mailbox, 2)
    first, second = mailbox.messages()
    store(mailbox, 2 * UNSEEN)
    assert mailbox.read(second) == b"Subject: 1\r\n\r\nhello\r\n"
    store(mailbox, 2 * UNSEEN)
    mailbox.delete([first.uid])
    assert [message.uid for message in mailbox.messages()] == list(range(2, 4 * UNSEEN + 3))


def test_messages_without_a_uid_in_the_file_keep_the_one_they_have(tmp_path: Path) -> None:
    path = tmp_path / "INBOX.mbox"
    path.write_bytes(b"From a@b Thu Jan  1 00:00:00 1970\nSubject: foreign\n\nhello\n\n")
    mailbox = Mailbox(path=path, uids=Uids())
    (foreign,) = mailbox.messages()
    store(mailbox, 2 * UNSEEN)
    assert mailbox.messages()[0].uid == foreign.uid
    assert len({message.uid for message in mailbox.messages()}) == 2 * UNSEEN + 1
