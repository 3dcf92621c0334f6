"""Requests of mailing lists, and their service texts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from storage_world import Installation

from reference.queue.delivery import Result
from reference.storage.domains import Domains
from reference.transport.list_requests import Answer, Request
from reference.transport.list_texts import composed


@given(st.text("ab", max_size=9), st.integers(1, 12), st.booleans())
def test_lengths_of_combinations(value: str, length: int, filled: bool) -> None:
    found = composed(f"<^N{'0' if filled else ''}{length}>", {"N": value})
    assert found == f"<{value[:length].rjust(length if filled else 0)}>"


def test_what_is_no_combination_stays() -> None:
    assert composed("^N ^Q ^ ^n", {"N": "x"}) == "x ^Q ^ ^n"


class News:
    """A mailing list with an owner, and requests to it from ``a@b.c``."""

    def __init__(self, domains: Domains, **settings: str) -> None:
        self.domains = domains
        domains.main.create_account("boss", {})
        domains.main.create_list("news", "boss")
        self.list = domains.main.lists["news"]
        self.list.update(settings)

    def ask(self, suffix: str, subject: str = "x", path: str = "a@b.c", who: str = "") -> Answer:
        header = f"From: {who or 'Ann <a@b.c>'}\r\nSubject: {subject}\r\n"
        return self._request(suffix).answer(header.encode(), path)

    def identifier(self) -> str:
        return self._request("on").identifier("A@b.c")

    def modes(self) -> dict[str, str]:
        return {each.address: each.mode for each in self.list.subscribers.values()}

    def _request(self, suffix: str) -> Request:
        return Request(mailing_list=self.list, suffix=suffix, domains=self.domains, now=0)


def news(path: Path, **settings: str) -> News:
    return News(Installation(path).domains, **settings)


def test_nothing_is_done_until_the_confirmation_comes_back(tmp_path: Path) -> None:
    made = news(tmp_path)
    answer = made.ask("on")
    assert made.modes() == {}
    assert answer.envelope is not None
    assert answer.envelope.return_path == ""
    assert made.identifier().encode() in answer.content
    made.ask("on", f"Re: ({made.identifier()[:-1]}0)" if made.identifier()[-1] != "0" else "x")
    assert made.modes() == {}
    made.ask("null", f"Re: {made.identifier()}")
    assert made.modes() == {"a@b.c": "null"}
    made.ask("on", made.identifier())
    assert made.modes() == {"a@b.c": "null"}, "the current mode is confirmed"
    made.ask("off", made.identifier())
    assert made.modes() == {}


def test_the_secret_is_kept_and_not_shown(tmp_path: Path) -> None:
    made = news(tmp_path, Confirm="YES")
    identifier = made.identifier()
    assert made.list.settings == {"Confirm": "YES"}
    again = Installation(tmp_path).domains
    request = Request(mailing_list=again.main.lists["news"], suffix="on", domains=again, now=0)
    assert request.identifier("a@b.c") == identifier
    assert request.identifier("x@b.c") != identifier


@pytest.mark.parametrize(
    ("policy", "who", "admitted"),
    [
        ("anybody", "a@b.c", True),
        ("nobody", "boss@mycompany.com", False),
        ("locals only", "boss@mycompany.com", True),
        ("locals only", "a@b.c", False),
        ("locals only", "nobody@mycompany.com", False),
        ("this domain only", "boss@mycompany.com", True),
        ("this domain only", "a@b.c", False),
        ("moderated", "boss@mycompany.com", False),
    ],
)
def test_who_may_subscribe(tmp_path: Path, policy: str, who: str, admitted: bool) -> None:
    made = news(tmp_path, Subscribe=policy, Confirm="NO")
    answer = made.ask("feed", who=who)
    assert (answer.outcome.result is Result.FAILED) is not admitted
    assert made.modes() == ({who: "feed"} if admitted else {})


@pytest.mark.parametrize("suffix", ["digest", "index", "off", "confirm"])
def test_what_is_refused(tmp_path: Path, suffix: str) -> None:
    made = news(tmp_path, Confirm="NO")
    assert made.ask(suffix).outcome.result is Result.FAILED


def test_automatic_messages_are_no_requests(tmp_path: Path) -> None:
    made = news(tmp_path, Confirm="NO")
    assert made.ask("on", path="").envelope is None
    assert made.modes() == {}


def test_who_is_banned_changes_nothing(tmp_path: Path) -> None:
    made = news(tmp_path, Confirm="NO")
    made.list.subscribe("a@b.c", mode="banned")
    assert made.ask("feed").outcome.result is Result.FAILED
    assert made.modes() == {"a@b.c": "banned"}
