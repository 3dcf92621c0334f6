"""A .mdir mailbox: like the other format for those who use it, and shared files on the disk."""

from __future__ import annotations

import shutil
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from storage_world import Installation
from test_storage_mbox import WHEN, Uids

from reference.storage.errors import FileError, MailboxExists, MessageGone
from reference.storage.mbox import Mailbox
from reference.storage.mbox_format import NO_FLAGS, Flag
from reference.storage.mdir import DirectoryMailbox, SharedFiles


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "box.mdir"
    made.mkdir()
    return made


def opened(folder: Path, uids: Uids | None = None, **more: object) -> DirectoryMailbox:
    shared = more.pop("shared", None) or SharedFiles()
    return DirectoryMailbox(path=folder, uids=uids or Uids(), shared=shared, **more)  # type: ignore[arg-type]


def put(box: Mailbox, text: str = "hello", **more: object) -> int:
    message = f"Subject: {text}\r\n\r\n{text}\r\n".encode()
    return box.append([message], return_path="a@b", time=WHEN, **more).uid  # type: ignore[arg-type]


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.text("ab\n\r.>F", max_size=12)),
        st.tuples(st.just("delete"), st.integers(0, 6)),
        st.tuples(st.just("flag"), st.integers(0, 6), st.sampled_from(list(Flag))),
        st.tuples(st.just("unflag"), st.integers(0, 6), st.sampled_from(list(Flag))),
        st.tuples(st.just("reopen")),
    ),
    max_size=15,
)


class Twins:
    """The same operations on a mailbox of each format."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.memories = (Uids(), Uids())
        (folder / "box.mdir").mkdir()
        self.reopen()

    def reopen(self) -> None:
        self.boxes: tuple[Mailbox, Mailbox] = (
            Mailbox(path=self.folder / "box.mbox", uids=self.memories[0]),
            opened(self.folder / "box.mdir", self.memories[1]),
        )

    def do(self, operation: tuple[object, ...]) -> None:
        match operation:
            case ("put", str(text)):
                for box in self.boxes:
                    octets = f"Subject: x\r\n\r\n{text}\r\n".encode()
                    box.append([octets[:7], octets[7:]], return_path="a@b", time=WHEN)
            case ("delete", int(at)):
                for box in self.boxes:
                    box.delete([m.uid for m in box.messages()[at : at + 1]])
            case ("flag" | "unflag", int(at), Flag() as flag):
                on, off = (flag, NO_FLAGS) if operation[0] == "flag" else (NO_FLAGS, flag)
                for box in self.boxes:
                    for message in box.messages()[at : at + 1]:
                        box.change_flags(message.uid, add=on, remove=off)
            case _:
                self.reopen()

    def seen(self, box: Mailbox) -> list[object]:
        return [(m.uid, m.size, m.flags, m.time, box.read(m)) for m in box.messages()]


@given(OPERATIONS)
def test_both_formats_do_the_same(operations: list[tuple[object, ...]]) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        twins = Twins(folder)
        for operation in operations:
            twins.do(operation)
            text, directory = map(twins.seen, twins.boxes)
            assert text == directory
            assert all(size == len(octets) for _, size, _, _, octets in directory)  # type: ignore[misc]
    finally:
        shutil.rmtree(folder)


def test_names_have_uid_flags_and_time(folder: Path) -> None:
    box = opened(folder)
    uid = put(box)
    assert [path.name for path in folder.iterdir()] == ["1-sahdtr-20010404160000"]
    box.change_flags(uid, add=Flag.SEEN)
    assert [path.name for path in folder.iterdir()] == ["1-Sahdtr-20010404160000"]
    assert next(folder.iterdir()).read_bytes() == b"Subject: hello\n\nhello\n"
    (message,) = opened(folder).messages()
    assert (message.flags, message.time) == (Flag.SEEN, WHEN)


def test_the_return_path_is_that_of_the_field(folder: Path) -> None:
    put(opened(folder), extra_headers=b"Return-Path: <x@y>\r\n")
    assert opened(folder).messages()[0].return_path == "x@y"


def test_others_may_add_and_take_away(folder: Path) -> None:
    box = opened(folder)
    put(box)
    (folder / "7-sahdtr-20010404160000").write_bytes(b"Subject: b\n\nno line end")
    (folder / "notes.txt").write_bytes(b"no message")
    assert [m.uid for m in box.messages()] == [1, 7]
    assert box.read(box.messages()[1]).endswith(b"no line end\r\n")
    (folder / "1-sahdtr-20010404160000").unlink()
    assert [m.uid for m in box.messages()] == [7]
    assert put(box) == 8


def test_unfinished_messages_are_removed(folder: Path) -> None:
    remarks: list[str] = []
    (folder / "1-sahdtr-20010404160000.tmp").write_bytes(b"Subj")
    box = opened(folder, remark=remarks.append)
    assert box.messages() == ()
    assert list(folder.iterdir()) == []
    assert len(remarks) == 1


def test_a_failed_append_leaves_nothing(folder: Path) -> None:
    box = opened(folder)

    def chunks() -> object:
        yield b"Subject"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        box.append(chunks(), return_path="", time=WHEN)  # type: ignore[arg-type]
    assert list(folder.iterdir()) == []
    assert put(box) == 1


def test_messages_that_are_gone(folder: Path) -> None:
    box = opened(folder)
    put(box)
    (message,) = box.messages()
    box.delete([message.uid, 99])
    with pytest.raises(MessageGone):
        box.read(message)
    with pytest.raises(MessageGone):
        box.change_flags(message.uid, add=Flag.SEEN)
    folder.rmdir()
    with pytest.raises(FileError):
        box.messages()


def several(tmp_path: Path, count: int) -> list[DirectoryMailbox]:
    shared = SharedFiles()
    folders = [tmp_path / f"{number}.mdir" for number in range(count)]
    for folder in folders:
        folder.mkdir()
    return [opened(folder, shared=shared) for folder in folders]


def inodes(tmp_path: Path) -> list[int]:
    return [path.stat().st_ino for path in sorted(tmp_path.glob("*.mdir/*"))]


def test_a_message_for_several_mailboxes_is_one_file(tmp_path: Path) -> None:
    boxes = several(tmp_path, 3)
    for box in boxes:
        put(box, share="1001")
        boxes[0].change_flags(1, add=Flag.SEEN)
    assert len(set(inodes(tmp_path))) == 1
    assert [box.messages()[0].flags for box in boxes] == [Flag.SEEN, NO_FLAGS, NO_FLAGS]
    boxes[0].delete([1])
    assert b"hello" in boxes[1].read(boxes[1].messages()[0])


def test_messages_that_differ_are_not_shared(tmp_path: Path) -> None:
    boxes = several(tmp_path, 3)
    put(boxes[0], share="1001")
    put(boxes[1], share="1001", extra_headers=b"X-Real-To: a\r\n")
    put(boxes[2], share="1002")
    assert len(set(inodes(tmp_path))) == 3


def test_a_shared_message_that_is_gone_is_written_again(tmp_path: Path) -> None:
    first, second = several(tmp_path, 2)
    put(first, share="1001")
    first.delete([1])
    put(second, share="1001")
    assert b"hello" in second.read(second.messages()[0])


def test_simultaneous_deliveries_share_too(tmp_path: Path) -> None:
    boxes = several(tmp_path, 8)
    start = threading.Barrier(8)

    def deliver(box: Mailbox) -> None:
        start.wait()
        put(box, share="1001")

    threads = [threading.Thread(target=deliver, args=(box,)) for box in boxes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(inodes(tmp_path))) == 1


def test_the_format_of_a_new_mailbox(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    john = installation.domains.main.create_account("john")
    john.create_mailbox("a.mdir")
    john.create_mailbox("b")
    john.update({"DefaultMailboxType": "MailDirMailbox"})
    john.create_mailbox("c")
    john.create_mailbox("d.mbox")
    john.create_mailbox("up/e")
    for taken in ("a", "a.mbox", "b.mdir"):
        with pytest.raises(MailboxExists):
            john.create_mailbox(taken)
    assert john.mailbox_names() == ["INBOX", "a", "b", "c", "d", "up/e"]
    kinds = [type(john.mailbox(name)) is DirectoryMailbox for name in john.mailbox_names()]
    assert kinds == [False, True, False, True, False, True]
    uid = put(john.mailbox("c"))
    again = installation.restart().main.accounts["john"]
    assert [m.uid for m in again.mailbox("c").messages()] == [uid]
    assert again.storage() > 0
