"""The relay decision, as the Protection chapter tells it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.kernel.relay import (
    Destination,
    RelayOptions,
    Sender,
    ToClients,
    Verdict,
    decide,
)
from reference.kernel.routes import Address, Route

STRANGER = Sender()
LISTED = Destination(client=True)
ELSEWHERE = Destination()
DEFAULT = RelayOptions()


def route(*, module: str = "SMTP", marker: bool = False, simple: bool = True) -> Route:
    return Route(
        module=module,
        host="other.host",
        address="user@other.host",
        original=Address("user", "other.host"),
        marker=marker,
        simple=simple,
    )


@pytest.mark.parametrize(
    ("sender", "to", "destination", "options", "expected"),
    [
        (STRANGER, route(module="LOCAL"), None, DEFAULT, Verdict.STAYS),
        (STRANGER, route(module="SYSTEM"), None, DEFAULT, Verdict.STAYS),
        (STRANGER, route(), None, DEFAULT, Verdict.LOOK_UP),
        (STRANGER, route(), ELSEWHERE, DEFAULT, Verdict.REFUSED),
        (STRANGER, route(), LISTED, DEFAULT, Verdict.TO_CLIENT),
        (STRANGER, route(simple=False), None, DEFAULT, Verdict.REFUSED),
        (STRANGER, route(simple=False), LISTED, DEFAULT, Verdict.REFUSED),
        (
            STRANGER,
            route(simple=False),
            LISTED,
            RelayOptions(to_clients=ToClients.ALL),
            Verdict.TO_CLIENT,
        ),
        (STRANGER, route(), LISTED, RelayOptions(to_clients=ToClients.NO), Verdict.REFUSED),
        (STRANGER, route(), None, RelayOptions(to_clients=ToClients.NO), Verdict.REFUSED),
        (STRANGER, route(), None, RelayOptions(clients_only=False), Verdict.OPEN),
        (STRANGER, route(simple=False, marker=True), None, DEFAULT, Verdict.MARKED),
        (STRANGER, route(), Destination(unknown=True), DEFAULT, Verdict.LATER),
        (
            STRANGER,
            route(simple=False),
            Destination(backed_up=True),
            RelayOptions(to_backed_up=True),
            Verdict.TO_BACKED_UP,
        ),
        (STRANGER, route(), Destination(backed_up=True), DEFAULT, Verdict.REFUSED),
        (Sender(client=True), route(simple=False), None, DEFAULT, Verdict.FROM_CLIENT),
        (
            Sender(authenticated=True, relay_service=True),
            route(),
            None,
            DEFAULT,
            Verdict.AUTHENTICATED,
        ),
        (Sender(authenticated=True), route(), ELSEWHERE, DEFAULT, Verdict.REFUSED),
        (Sender(authenticated=True, registered=True), route(), ELSEWHERE, DEFAULT, Verdict.REFUSED),
        (Sender(registered=True), route(), ELSEWHERE, DEFAULT, Verdict.LOGIN_FIRST),
        (Sender(registered=True), route(), LISTED, DEFAULT, Verdict.TO_CLIENT),
    ],
)
def test_decision(
    sender: Sender,
    to: Route,
    destination: Destination | None,
    options: RelayOptions,
    expected: Verdict,
) -> None:
    assert decide(sender, to, destination, options) is expected


flags = st.booleans()
options = st.builds(
    RelayOptions, clients_only=flags, to_clients=st.sampled_from(ToClients), to_backed_up=flags
)
destinations = st.builds(Destination, client=flags, backed_up=flags, unknown=flags)
strangers = st.builds(Sender, registered=flags)
routes = st.builds(route, marker=st.just(False), simple=flags)


@given(strangers, routes, destinations, options)
def test_no_stranger_reaches_a_stranger(
    sender: Sender, to: Route, destination: Destination, options: RelayOptions
) -> None:
    verdict = decide(sender, to, destination, options)
    if options.clients_only and not (destination.client or destination.backed_up):
        assert not verdict.accepts
    assert verdict is not Verdict.LOOK_UP


@given(strangers, routes, destinations, options)
def test_a_look_up_is_asked_for_only_when_it_matters(
    sender: Sender, to: Route, destination: Destination, options: RelayOptions
) -> None:
    before = decide(sender, to, None, options)
    if before is not Verdict.LOOK_UP:
        assert decide(sender, to, destination, options) is before
