"""What holds for the Router with any table: it ends, it is settled, and strangers get no marker."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from router_world import Domain, Domains, make_router

from reference.kernel.address import is_simple_local, parse
from reference.kernel.router import MAX_ROUNDS, RouterOptions
from reference.kernel.routes import Route, RoutingError
from reference.kernel.table import RoutingTable

DOMAINS = Domains(
    Domain(
        "main.com",
        is_main=True,
        aliases=("mail.main.com",),
        ips=("10.0.0.1",),
        accounts=("a", "b", "ab"),
    ),
    Domain(
        "sub.com",
        aliases=("x.com",),
        ips=("10.0.0.5",),
        accounts=("a",),
        lists={"l": "a@x.com"},
        unknown_to="*%sub.com@far.net.smtp",
    ),
)
# Forwarders set the marker, too, so the properties about records do without them.

LOCALS = st.sampled_from(
    ["a", "b", "ab", "null", "error", "A", "l", "l-admin", '"a b"', '"v@t.net"']
)
HOSTS = st.sampled_from(
    [
        *(
            "main.com",
            "sub.com",
            "x.com",
            "far.net",
            "a.far.net",
            "t.net",
            "host",
            "null",
            "a.local",
        ),
        *(
            "sub.com.here",
            "main.com.here",
            "far.net.smtp",
            "[10.0.0.1]",
            "10.0.0.5",
            "[10.9.9.9:26]",
        ),
    ]
)
ADDRESSES = st.one_of(
    LOCALS,
    st.builds("{}@{}".format, LOCALS, HOSTS),
    st.builds("{}%{}@{}".format, LOCALS, HOSTS, HOSTS),
    st.builds("<@{},@{}:{}@{}>".format, HOSTS, HOSTS, LOCALS, HOSTS),
    st.builds("{}!{}!{}".format, HOSTS, HOSTS, LOCALS),
)
LEFT_PARTS = st.one_of(
    HOSTS,
    st.sampled_from(["*.net", "*", "a*.net", "*.com", "far.*"]),
    st.builds("<{}>".format, st.one_of(LOCALS, st.sampled_from(["*", "a*", "*b"]))),
    st.builds("<{}@{}>".format, st.sampled_from(["*", "a", "*b", "*%t.net", '"*"']), HOSTS),
)
RIGHT_PARTS = st.one_of(
    HOSTS,
    st.sampled_from(["", "a@far.net", "*@x.com", "*.net", "*", "a%t.net@far.net.smtp", "x*@*.net"]),
    st.builds("{}@{}".format, HOSTS, HOSTS),
)
RECORDS = st.builds(
    "{}{} = {}".format, st.sampled_from(["", "N:", "RelayAll:"]), LEFT_PARTS, RIGHT_PARTS
)


def valid(record: str) -> bool:
    try:
        RoutingTable.parse(record)
    except ValueError:
        return False
    return True


TABLES = st.lists(RECORDS.filter(valid), max_size=8).map("\n".join)
SETTINGS = st.builds(
    RouterOptions,
    add_to_non_qualified=st.booleans(),
    suffix=st.sampled_from(["", "far.net", "com"]),
)


def routed(table: str, address: str, settings: RouterOptions) -> Route | RoutingError:
    try:
        return make_router(table, domains=DOMAINS, settings=settings).route(address)
    except RoutingError as error:
        return error


@given(TABLES, ADDRESSES, SETTINGS)
def test_every_address_ends_in_a_route_or_an_error(
    table: str, address: str, settings: RouterOptions
) -> None:
    found = routed(table, address, settings)
    # A round makes one step; before it the Main Domain may be cut off as often as it stands there.
    assert len(found.steps) <= MAX_ROUNDS * 8
    if isinstance(found, RoutingError):
        assert found.text
        assert found.address
    else:
        assert found.steps[-1].address == found.address


@given(TABLES, ADDRESSES, SETTINGS)
def test_the_same_address_in_another_letter_case_leads_to_the_same_place(
    table: str, address: str, settings: RouterOptions
) -> None:
    one, other = (routed(table, text, settings) for text in (address, address.swapcase()))
    if isinstance(one, Route) and isinstance(other, Route):
        assert (one.module, one.host.lower()) == (other.module, other.host.lower())
        assert one.address.lower() == other.address.lower()
        assert one.marker is other.marker
    else:
        assert type(one) is type(other)


@given(TABLES, ADDRESSES, SETTINGS)
def test_a_routed_address_is_settled(table: str, address: str, settings: RouterOptions) -> None:
    """What stands at the last step before a module's answer is routed to the same place."""
    found = routed(table, address, settings)
    if isinstance(found, Route) and len(found.steps) > 1 and "here" not in str(found.steps):
        again = routed(table, found.steps[-2].address, settings)
        assert isinstance(again, Route)
        assert (again.module, again.host, again.address) == (
            found.module,
            found.host,
            found.address,
        )


@given(TABLES, ADDRESSES, SETTINGS)
def test_the_marker_once_set_stays(table: str, address: str, settings: RouterOptions) -> None:
    markers = [step.marker for step in routed(table, address, settings).steps]
    assert markers == sorted(markers)


@given(TABLES, ADDRESSES, SETTINGS)
def test_a_stranger_gets_no_marker_without_a_record(
    table: str, address: str, settings: RouterOptions
) -> None:
    found = routed(table, address, settings)
    if isinstance(found, Route) and found.marker:
        rules = [step.rule for step in found.steps]
        given_by = [
            rule
            for rule in rules
            if (rule.startswith("Router record ") and "record N:" not in rule) or rule == "unknown"
        ]
        assert given_by


@given(TABLES, ADDRESSES, SETTINGS)
def test_norelay_records_never_give_the_marker(
    table: str, address: str, settings: RouterOptions
) -> None:
    closed = "\n".join(
        "N:" + line.removeprefix("N:").removeprefix("RelayAll:") for line in table.splitlines()
    )
    found = routed(closed, address, settings)
    if isinstance(found, Route) and found.marker:
        assert any(step.rule == "unknown" for step in found.steps)


@given(TABLES, LOCALS, HOSTS, HOSTS, SETTINGS)
def test_relay_gives_nothing_to_routes_that_the_sender_has_chosen(
    table: str, local: str, target: str, host: str, settings: RouterOptions
) -> None:
    """The marker comes only to an address that was simple when a record or module changed it."""
    relay = "\n".join(line.removeprefix("RelayAll:") for line in table.splitlines())
    found = routed(relay, f"{local}%{target}@{host}", settings)
    before = parse(f"{local}%{target}@{host}")
    for step in found.steps:
        if step.marker:
            assert is_simple_local(before.local)
            break
        if step.address:
            before = parse(step.address)
