"""Projection of a scenario for a network plan."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from scenario_files import HEAD, load_one

from conformance.scenario.dialogue import Expect, Send
from conformance.scenario.patterns import Pattern
from conformance.scenario.project import project, projected, strings_of
from conformance.scenario.steps import DialogueStep, PeerStep, RelayedStep, RouteStep
from conformance.world.projection import projected_text

TEXT = (
    HEAD.replace("A title", "Mail from 10.34.56.78")
    + """\
note: 10.34.56.78 is the guide's
given:
  blacklisted: [10.34.56.78, 11.5.0.1-11.5.0.9]
  router: "[11.22.33.44] = relay.com"
  settings: {SMTP: {Forward to: 11.22.33.44, list: [11.22.33.44]}}
  zone: 78.56.34.10.in-addr.arpa PTR bad.com
  peers: {relay.com: {address: 11.22.33.44, replies: {mail: "550 10.34.56.78 is bad"}}}
steps:
  - smtp from 10.34.56.78: |
      S: 220
      C: EHLO [10.34.56.78]
      S: 250 *10.34.56.78*
  - route: {"a@[11.22.33.44]": "SMTP [11.22.33.44]"}
  - relayed: {host: relay.com, to: "a@[11.22.33.44]", count: 0}
  - peer: {relay.com: {replies: {mail: ok}}}
"""
)


def test_every_address_moves_and_nothing_else(tmp_path: Path) -> None:
    scenario = load_one(tmp_path, TEXT)
    moved = project(scenario, projected_text)
    assert moved.given.addresses == ("127.0.0.1",)
    assert moved.given.blacklisted == ("127.34.56.78", "127.5.0.1-127.5.0.9")
    assert moved.given.router == "[127.22.33.44] = relay.com"
    assert moved.given.settings["SMTP"] == {
        "Forward to": "127.22.33.44",
        "list": ("127.22.33.44",),
    }
    assert moved.given.zone == "78.56.34.127.in-addr.arpa PTR bad.com"
    assert moved.given.peers[0].address == "127.22.33.44"
    assert moved.given.peers[0].replies["mail"] == ("550 127.34.56.78 is bad",)
    dialogue, route, relayed, peer = (step.value for step in moved.steps)
    assert isinstance(dialogue, DialogueStep)
    assert dialogue.source == "127.34.56.78"
    assert dialogue.events[1:] == (
        Send(14, "EHLO [127.34.56.78]"),
        Expect(15, "250", Pattern("*127.34.56.78*")),
    )
    assert isinstance(route, RouteStep)
    assert route.checks[0].address == "a@[127.22.33.44]"
    assert isinstance(relayed, RelayedStep)
    assert relayed.to == (Pattern("a@[127.22.33.44]"),)
    assert isinstance(peer, PeerStep)
    assert peer.peers[0].address == "127.22.33.44"
    for name in ("id", "title", "source", "covers", "position", "requires", "note", "text"):
        assert getattr(moved, name) == getattr(scenario, name)
    assert [step.position for step in moved.steps] == [step.position for step in scenario.steps]


def test_projecting_twice_changes_nothing_more(tmp_path: Path) -> None:
    once = project(load_one(tmp_path, TEXT), projected_text)
    assert project(once, projected_text) == once


def test_what_does_not_change_is_the_same_object(tmp_path: Path) -> None:
    scenario = load_one(tmp_path, TEXT)
    same = project(scenario, str)
    assert same == scenario
    assert all(a is b for a, b in zip(same.steps, scenario.steps, strict=True))


@dataclasses.dataclass(frozen=True)
class Box:
    inside: object


VALUES = st.recursive(
    st.text("ab.1", max_size=4) | st.integers() | st.none(),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text("ab", max_size=2), inner, max_size=2),
        inner.map(Box),
    ),
    max_leaves=6,
)


@given(VALUES)
def test_projection_reaches_every_string(value: object) -> None:
    marked = projected(value, lambda text: f"<{text}>")
    assert list(strings_of(marked)) == [f"<{text}>" for text in strings_of(value)]
