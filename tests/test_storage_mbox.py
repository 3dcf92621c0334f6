"""A .mbox mailbox: what is appended is read back, and what crashes leave is cut off."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reference.storage.errors import FileError, MessageGone
from reference.storage.mbox import Mailbox
from reference.storage.mbox_format import Flag

WHEN = 986_400_000.0


class Uids:
    """A memory of UIDs that outlives the mailbox object."""

    def __init__(self) -> None:
        self.last = 0

    def load(self) -> tuple[int, int]:
        return 77, self.last

    def save(self, last: int) -> None:
        self.last = last


@pytest.fixture
def uids() -> Uids:
    return Uids()


@pytest.fixture
def box(tmp_path: Path, uids: Uids) -> Mailbox:
    return Mailbox(path=tmp_path / "INBOX.mbox", uids=uids)


def again(tmp_path: Path, uids: Uids) -> Mailbox:
    """The same mailbox after a restart."""
    return Mailbox(path=tmp_path / "INBOX.mbox", uids=uids)


def put(box: Mailbox, text: str = "hello") -> int:
    message = f"Subject: {text}\r\n\r\n{text}\r\n".encode()
    return box.append([message], return_path="a@b", time=WHEN).uid


def subjects(box: Mailbox) -> list[str]:
    return [box.read(m).split(b"\r\n")[0].decode()[9:] for m in box.messages()]


def test_a_missing_file_is_an_empty_mailbox(box: Mailbox, tmp_path: Path) -> None:
    assert box.messages() == ()
    assert (tmp_path / "INBOX.mbox").read_bytes() == b""
    assert box.uid_validity == 77


def test_an_appended_message_is_there_after_a_restart(
    box: Mailbox, tmp_path: Path, uids: Uids
) -> None:
    message = box.append(
        [b"Subject: x\r\n", b"\r\nbody\r\n"],
        return_path="user@host",
        time=WHEN,
        extra_headers=b"X-Real-To: jim\r\n",
    )
    for mailbox in (box, again(tmp_path, uids)):
        (found,) = mailbox.messages()
        assert found == message
        octets = mailbox.read(found)
        assert octets == b"X-Real-To: jim\r\nSubject: x\r\n\r\nbody\r\n"
        assert found.size == len(octets)
        assert (found.return_path, found.time, found.uid) == ("user@host", WHEN, 1)


def test_the_file_has_the_documented_form(box: Mailbox, tmp_path: Path) -> None:
    put(box, "one")
    put(box, "two")
    assert (tmp_path / "INBOX.mbox").read_text() == (
        "From <a@b>(sahdtr.000000000018-0000000001) Wed Apr  4 16:00:00 2001\n"
        "Subject: one\n\none\n\n"
        "From <a@b>(sahdtr.000000000018-0000000002) Wed Apr  4 16:00:00 2001\n"
        "Subject: two\n\ntwo\n\n"
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    messages=st.lists(
        st.lists(
            st.sampled_from([b"\r\n", b"From ", b"a", b"\r", b"\0\xff", b"From <a@b>(s-1) "]),
            max_size=12,
        ).map(b"".join),
        max_size=5,
    ),
    doomed=st.sets(st.integers(0, 4)),
    restart=st.booleans(),
)
def test_messages_come_back_octet_by_octet(
    tmp_path_factory: pytest.TempPathFactory,
    messages: list[bytes],
    doomed: set[int],
    restart: bool,
) -> None:
    folder = tmp_path_factory.mktemp("box")
    uids = Uids()
    box = again(folder, uids)
    stored = [box.append([m], return_path="", time=WHEN) for m in messages]
    expected = [box.read(s) for s in stored]
    for message, octets in zip(messages, expected, strict=True):
        assert octets.replace(b"\n>From", b"\nFrom") == (
            message if message.endswith(b"\r\n") else message + b"\r\n"
        )
    if restart:
        box = again(folder, uids)
    box.delete([stored[i].uid for i in doomed if i < len(stored)])
    kept = [
        (s, e) for i, (s, e) in enumerate(zip(stored, expected, strict=True)) if i not in doomed
    ]
    for mailbox in (box, again(folder, uids)):
        assert [m.uid for m in mailbox.messages()] == [s.uid for s, _ in kept]
        assert [m.size for m in mailbox.messages()] == [len(e) for _, e in kept]
        assert [mailbox.read(m) for m in mailbox.messages()] == [e for _, e in kept]
    new = again(folder, uids).append([b"new\r\n"], return_path="", time=WHEN)
    assert new.uid == len(messages) + 1


def test_uids_are_never_used_twice(box: Mailbox, tmp_path: Path, uids: Uids) -> None:
    first, second = put(box), put(box)
    box.delete([first, second])
    assert put(again(tmp_path, uids)) == 3


def test_a_session_keeps_its_messages_while_others_append_and_delete(box: Mailbox) -> None:
    put(box, "one")
    put(box, "two")
    one, two = box.messages()
    put(box, "three")
    box.delete([one.uid])
    assert box.read(two).startswith(b"Subject: two")
    with pytest.raises(MessageGone):
        box.read(one)
    assert subjects(box) == ["two", "three"]
    box.delete([one.uid, 99])
    assert subjects(box) == ["two", "three"]


def test_flags_are_kept_in_place(box: Mailbox, tmp_path: Path, uids: Uids) -> None:
    uid = put(box)
    size = (tmp_path / "INBOX.mbox").stat().st_size
    box.change_flags(uid, add=Flag.SEEN | Flag.FLAGGED)
    changed = box.change_flags(uid, add=Flag.ANSWERED, remove=Flag.FLAGGED)
    assert changed.flags == Flag.SEEN | Flag.ANSWERED
    assert (tmp_path / "INBOX.mbox").stat().st_size == size
    (found,) = again(tmp_path, uids).messages()
    assert found.flags == Flag.SEEN | Flag.ANSWERED
    with pytest.raises(MessageGone):
        box.change_flags(99, add=Flag.SEEN)


def test_a_torn_message_is_cut_off_wherever_it_was_torn(tmp_path: Path) -> None:
    uids = Uids()
    box = again(tmp_path, uids)
    path = tmp_path / "INBOX.mbox"
    put(box, "one")
    put(box, "two")
    good = path.read_bytes()
    put(box, "three\r\n\r\nsome more")
    whole = path.read_bytes()
    for size in range(len(good), len(whole)):
        path.write_bytes(whole[:size])
        remarks: list[str] = []
        found = Mailbox(path=path, uids=Uids(), remark=remarks.append)
        assert subjects(found) == ["one", "two"], size
        assert path.read_bytes() == good
        assert bool(remarks) == (size > len(good))
        put(found, "four")
        assert subjects(again(tmp_path, Uids())) == ["one", "two", "four"]


def test_a_message_that_was_never_finished_is_cut_off(box: Mailbox, tmp_path: Path) -> None:
    put(box, "one")
    put(box, "two")
    path = tmp_path / "INBOX.mbox"
    # All octets are there, but the length in the From-line has not been written.
    path.write_bytes(path.read_bytes().replace(b"000018-0000000002", b"000000-0000000002"))
    assert subjects(again(tmp_path, Uids())) == ["one"]


def test_a_large_message_is_written_in_pieces(box: Mailbox, tmp_path: Path, uids: Uids) -> None:
    body = b"0123456789" * 100 + b"\r\n"
    message = box.append((body for _ in range(3000)), return_path="a@b", time=WHEN)
    assert message.size == 3000 * len(body)
    put(box, "after")
    mailbox = again(tmp_path, uids)
    large, small = mailbox.messages()
    assert mailbox.read(large) == body * 3000
    assert mailbox.read(small).startswith(b"Subject: after")


def test_a_failure_while_writing_leaves_the_mailbox_as_it_was(box: Mailbox, tmp_path: Path) -> None:
    put(box, "one")
    before = (tmp_path / "INBOX.mbox").read_bytes()

    def breaks() -> Iterator[bytes]:
        yield b"x" * 3_000_000
        raise ValueError("the source broke")

    with pytest.raises(ValueError, match="the source broke"):
        box.append(breaks(), return_path="a@b", time=WHEN)
    assert (tmp_path / "INBOX.mbox").read_bytes() == before
    assert put(box, "two") == 2
    assert subjects(box) == ["one", "two"]


def test_a_folder_that_is_gone_is_a_clear_error(tmp_path: Path) -> None:
    box = Mailbox(path=tmp_path / "gone" / "INBOX.mbox", uids=Uids())
    with pytest.raises(FileError, match=r"INBOX\.mbox"):
        put(box)


def test_mail_of_another_program_is_read(box: Mailbox, tmp_path: Path, uids: Uids) -> None:
    path = tmp_path / "INBOX.mbox"
    path.write_bytes(
        b"From old@host Wed Apr  4 16:00:00 2001\nSubject: old\n\nold\n\n"
        b"From old@host Wed Apr  4 16:00:00 2001\nSubject: older\n\nno line end"
    )
    assert subjects(box) == ["old", "older"]
    first, last = box.messages()
    assert (first.uid, last.uid) == (1, 2)
    assert box.read(last) == b"Subject: older\r\n\r\nno line end\r\n"
    assert last.size == len(box.read(last))
    put(box, "new")
    assert subjects(box) == ["old", "older", "new"]
    assert [m.uid for m in box.messages()] == [1, 2, 3]
    # Another program appends while the server runs.
    with path.open("ab") as file:
        file.write(b"From x@y Wed Apr  4 16:00:00 2001\nSubject: late\n\n\n")
    assert subjects(box) == ["old", "older", "new", "late"]
    box.delete([1])
    assert subjects(again(tmp_path, uids)) == ["older", "new", "late"]


def test_an_edited_message_ends_before_the_next_one(box: Mailbox, tmp_path: Path) -> None:
    put(box, "one")
    put(box, "two")
    path = tmp_path / "INBOX.mbox"
    path.write_bytes(path.read_bytes().replace(b"one\n\n", b"one edited\n\n"))
    assert subjects(again(tmp_path, Uids())) == ["one edited", "two"]


def test_a_file_that_is_no_mailbox_loses_nothing(box: Mailbox, tmp_path: Path) -> None:
    path = tmp_path / "INBOX.mbox"
    path.write_bytes(b"something else")
    assert box.messages() == ()
    put(box, "one")
    assert subjects(again(tmp_path, Uids())) == ["one"]
    assert path.read_bytes().startswith(b"something else\n\nFrom <a@b>")


def test_a_mailbox_with_crlf_lines_is_converted(box: Mailbox, tmp_path: Path, uids: Uids) -> None:
    put(box, "one")
    put(box, "two")
    path = tmp_path / "INBOX.mbox"
    unix = path.read_bytes()
    path.write_bytes(unix.replace(b"\n", b"\r\n"))
    assert subjects(again(tmp_path, uids)) == ["one", "two"]
    assert path.read_bytes() == unix


def test_deliveries_from_many_threads(box: Mailbox, tmp_path: Path, uids: Uids) -> None:
    start = threading.Barrier(5)

    def deliver(number: int) -> None:
        start.wait()
        for turn in range(10):
            put(box, f"{number}-{turn}")

    threads = [threading.Thread(target=deliver, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    start.wait()
    for _ in range(10):
        box.delete([m.uid for m in box.messages() if m.uid % 5 == 0])
    for thread in threads:
        thread.join()
    box.delete([m.uid for m in box.messages() if m.uid % 5 == 0])
    found = again(tmp_path, uids)
    assert [m.uid for m in found.messages()] == [u for u in range(1, 41) if u % 5]
    for number in range(4):
        mine = [s for s in subjects(found) if s.startswith(f"{number}-")]
        assert mine == sorted(mine, key=lambda s: int(s[2:]))
