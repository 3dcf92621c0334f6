"""External programs, command lines, PIPE addresses, and Rules that run programs."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.kernel.rule_course import course_of, run
from reference.kernel.rules import parse_rules
from reference.transport.commands import CommandError, Tag, read_command
from reference.transport.pipe_route import read_address, unquoted
from reference.transport.programs import Command, NotStarted, _Leash, run_program


def python(text: str, folder: Path) -> Command:
    return Command(words=[sys.executable, "-c", text], folder=folder)


def test_a_program_gets_all_and_what_it_says_is_kept(tmp_path: Path) -> None:
    text = "import sys; d = sys.stdin.read(); print(len(d)); sys.stderr.write('oh'); sys.exit(3)"
    ended = run_program(python(text, tmp_path), [b"x" * 300_000, b"y"])
    assert (ended.code, ended.output, ended.errors) == (3, b"300001\n", b"oh")
    assert ended.read_all
    assert not ended.interrupted


@pytest.mark.parametrize("size", [1, 1_000_000])
def test_an_input_that_is_not_read_shows(tmp_path: Path, size: int) -> None:
    ended = run_program(python("pass", tmp_path), [b"x" * size])
    assert ended.code == 0
    assert not ended.read_all


def test_what_is_said_is_cut(tmp_path: Path) -> None:
    ended = run_program(python("print('x' * 100_000)", tmp_path), [])
    assert ended.output == b"x" * 4096


def test_a_leash_ends_a_program(tmp_path: Path) -> None:
    leash = _Leash()
    begun = tmp_path / "begun"
    text = f"import time; open({str(begun)!r}, 'w').close(); time.sleep(600)"

    def pull() -> None:
        while not begun.exists():
            pass
        leash.pull()

    puller = threading.Thread(target=pull)
    puller.start()
    ended = run_program(python(text, tmp_path), [], leash)
    puller.join()
    assert ended.interrupted
    assert ended.code < 0


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotStarted, match="No such file"):
        run_program(Command(words=["./nothing"], folder=tmp_path), [])


words = st.text(
    st.characters(blacklist_categories=["C", "Z"], blacklist_characters='"'), min_size=1
)


@given(st.lists(words, min_size=1), st.sets(st.sampled_from(Tag)))
def test_words_and_tags_are_read(parts: list[str], tags: set[Tag]) -> None:
    if parts[0].startswith("["):
        parts[0] = f"a{parts[0]}"
    text = "".join(f"[{tag.value}] " for tag in tags) + " ".join(parts)
    command = read_command(text)
    assert (list(command.words), command.tags) == (parts, tags)


def test_tags_add_their_words_in_the_order_of_the_documents() -> None:
    command = read_command('[RCPT][RETPATH] [file] prog "a b"')
    assert command.completed(file="Queue/1.msg", return_path="a@b", recipients=["c@d", "e@f"]) == [
        *("prog", "a b", "-f", "Queue/1.msg", "-p", "a@b", "-r", "c@d", "e@f")
    ]


@pytest.mark.parametrize("text", ["", "  ", "[FILE]", 'prog "a', "a\0b"])
def test_no_command(text: str) -> None:
    with pytest.raises(CommandError):
        read_command(text)


def test_pipe_addresses() -> None:
    assert unquoted(r'"execall\ -u\ joe"') == "execall -u joe"
    found = read_address("queue[PROC1] procin /var/x")
    assert (found.queue, found.command.words) == ("PROC1", ("procin", "/var/x"))
    assert read_address("execjoe").queue == ""


@pytest.mark.parametrize("text", ["../x", "a/b", ".x", "a\\b", "queue[a b] x", "queue[] x"])
def test_names_that_are_no_applications(text: str) -> None:
    with pytest.raises(CommandError):
        read_address(text)


class Letter:
    """A message that meets every condition."""

    return_path = ""
    recipients: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    size = 0

    def fields(self) -> tuple[()]:
        return ()

    def addresses(self, field: str) -> tuple[()]:
        return ()


RULES = parse_rules([["5", "x", [], [["Execute", "prog"], ["Add Header", "X: 1"]]]])


@pytest.mark.parametrize(("answer", "added"), [("", "X: 1\n"), ("bad", "")])
def test_what_a_program_finds_decides_how_a_rule_goes_on(answer: str, added: str) -> None:
    asking = course_of(RULES, Letter(), execute=True)
    assert next(asking) == "prog"
    with pytest.raises(StopIteration) as end:
        asking.send(answer)
    course = end.value.value
    assert (course.rejection, course.added, course.inbox) == (answer, added, not answer)


def test_where_nothing_may_be_run_execute_is_passed_over() -> None:
    assert run(RULES, Letter()).added == "X: 1\n"
