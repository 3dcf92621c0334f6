"""Rounds of changes to files, as a thread and the writing process do them."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import threading
from pathlib import Path

import pytest

from reference.queue import changes
from reference.queue.changes import Change, alone, packed, perform, salvage, serve


def new(folder: Path, name: str, octets: bytes = b"content") -> Change:
    return Change(
        str(folder / f"{name}.tmp"), ((0, octets),), make=True, final=str(folder / f"{name}.msg")
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_gets_its_octets_and_its_final_name(tmp_path: Path) -> None:
    assert perform([new(tmp_path, "1"), new(tmp_path, "2", b"two")], str(tmp_path)) == [None, None]
    assert names(tmp_path) == ["1.msg", "2.msg"]
    assert (tmp_path / "2.msg").read_bytes() == b"two"
    assert (tmp_path / "1.msg").stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_there_is_completed(tmp_path: Path) -> None:
    (tmp_path / "1.tmp").write_bytes(b"head 000 and a part")
    rest = ((19, b" and the rest"), (5, b"123"))
    final = str(tmp_path / "1.msg")
    assert perform([Change(str(tmp_path / "1.tmp"), rest, final=final)], str(tmp_path)) == [None]
    assert (tmp_path / "1.msg").read_bytes() == b"head 123 and a part and the rest"
    assert names(tmp_path) == ["1.msg"]


def test_octets_are_overwritten_in_place_and_a_file_is_removed(tmp_path: Path) -> None:
    for name in ("1.msg", "2.msg"):
        (tmp_path / name).write_bytes(b"W- W-")
    marks = Change(str(tmp_path / "1.msg"), ((0, b"D-"), (3, b"S-")))
    gone = Change(str(tmp_path / "2.msg"), remove=True)
    never = Change(str(tmp_path / "3.msg"), remove=True)
    assert perform([marks, gone, never], str(tmp_path)) == [None, None, None]
    assert names(tmp_path) == ["1.msg"]
    assert (tmp_path / "1.msg").read_bytes() == b"D- S-"


def test_one_that_fails_does_not_harm_the_others(tmp_path: Path) -> None:
    elsewhere = Change(
        str(tmp_path / "no" / "1.tmp"), ((0, b"x"),), make=True, final=str(tmp_path / "1.msg")
    )
    unmarked = Change(str(tmp_path / "9.msg"), ((0, b"D-"),))
    errors = perform([elsewhere, new(tmp_path, "2"), unmarked], str(tmp_path))
    assert [error and error.errno for error in errors] == [errno.ENOENT, None, errno.ENOENT]
    assert names(tmp_path) == ["2.msg"]


def test_a_name_that_is_taken_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "1.tmp").write_bytes(b"another draft")
    (error,) = perform([new(tmp_path, "1")], str(tmp_path))
    assert error is not None
    assert error.errno == errno.EEXIST


def test_nothing_remains_of_a_message_that_could_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, octets: bytes, place: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = len(list(Path("/proc/self/fd").iterdir()))
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        errors = perform([new(tmp_path, str(number)) for number in range(5)], str(tmp_path))
    assert [error and error.errno for error in errors] == [errno.ENOSPC] * 5
    assert names(tmp_path) == []
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("slow", [0.0, 10.0], ids=["side by side", "one by one"])
def test_a_failed_sync_is_that_file_s_alone_and_all_are_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow: float
) -> None:
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().name == "3.tmp":
            raise OSError(errno.EIO, "Input/output error")
        real(descriptor)

    before = len(list(Path("/proc/self/fd").iterdir()))
    monkeypatch.setattr(changes, "SLOW", slow)
    monkeypatch.setattr(os, "fsync", fsync)
    errors = perform([new(tmp_path, str(number)) for number in range(6)], str(tmp_path))
    assert [error and error.errno for error in errors] == [None] * 3 + [errno.EIO] + [None] * 2
    assert names(tmp_path) == ["0.msg", "1.msg", "2.msg", "4.msg", "5.msg"]
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_without_the_folder_s_sync_nothing_is_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(folder: str) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(changes, "sync_folder", broken)
    errors = perform([new(tmp_path, "1"), new(tmp_path, "2")], str(tmp_path))
    assert [error and error.errno for error in errors] == [errno.EIO, errno.EIO]
    assert names(tmp_path) == []


def test_a_write_that_the_disk_cuts_short_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, octets, place: real(fd, octets[:3], place))
    assert perform([new(tmp_path, "1", b"0123456789")], str(tmp_path)) == [None]
    assert (tmp_path / "1.msg").read_bytes() == b"0123456789"


def test_what_another_has_half_done_is_given_up_or_done_again(tmp_path: Path) -> None:
    (tmp_path / "1.tmp").write_bytes(b"half")  # written, not published
    (tmp_path / "2.msg").write_bytes(b"whole")  # published, and nobody was told
    for name in ("3.msg", "4.msg"):
        (tmp_path / name).write_bytes(b"W-")
    round_ = [
        new(tmp_path, "1"),
        Change(str(tmp_path / "3.msg"), ((0, b"D-"),)),
        new(tmp_path, "2"),
        Change(str(tmp_path / "4.msg"), remove=True),
        Change(str(tmp_path / "5.msg"), remove=True),
    ]
    errors = salvage(round_, str(tmp_path))
    assert [error and error.errno for error in errors] == [errno.EIO, None, errno.EIO, None, None]
    assert names(tmp_path) == ["3.msg"]
    assert (tmp_path / "3.msg").read_bytes() == b"D-"


class Served:
    """The process's loop in a thread, and the server's end of its socket."""

    def __init__(self, folder: Path) -> None:
        self.ours, its = socket.socketpair()
        self.ours.settimeout(30)
        self._stream = self.ours.makefile("rb")
        self.thread = threading.Thread(target=serve, args=(its, str(folder)))
        self.thread.start()

    def answer(self) -> object:
        size = int.from_bytes(self._stream.read(changes.PREFIX), "big")
        return changes.pickle.loads(self._stream.read(size))

    def end(self) -> None:
        self._stream.close()
        self.ours.close()
        self.thread.join(30)
        assert not self.thread.is_alive()


def test_the_process_answers_each_batch_in_order(tmp_path: Path) -> None:
    served = Served(tmp_path)
    assert served.answer() == []
    served.ours.sendall(packed([tuple(new(tmp_path, "1"))]))
    served.ours.sendall(packed([tuple(Change(str(tmp_path / "9.msg"), ((0, b"D-"),)))]))
    assert served.answer() == [None]
    assert served.answer() == [(errno.ENOENT, "No such file or directory")]
    assert names(tmp_path) == ["1.msg"]
    served.end()


def test_a_batch_that_did_not_come_whole_is_not_begun(tmp_path: Path) -> None:
    served = Served(tmp_path)
    served.answer()
    served.ours.sendall(packed([tuple(new(tmp_path, "1"))])[:-1])
    served.end()
    assert names(tmp_path) == []


def test_the_folder_is_locked_while_the_process_lives(tmp_path: Path) -> None:
    served = Served(tmp_path)
    served.answer()
    descriptor = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    served.end()
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)
    with alone(str(tmp_path)):
        pass
