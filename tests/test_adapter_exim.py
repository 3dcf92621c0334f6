"""The adapter for Exim: configurations from a scenario's given, and Route from the address test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from exim_kit import needs_exim, run_exim

from conformance.adapters.exim.config import configuration
from conformance.adapters.exim.route import answer
from conformance.adapters.exim.session import _NEXT, _TRIED, _moment
from conformance.adapters.exim.target import EximTarget
from conformance.adapters.sandbox import INSIDE
from conformance.adapters.site import Site
from conformance.scenario.load import load_tree
from conformance.scenario.model import AccountSpec, DomainSpec, Given
from conformance.targets.base import NotApplicable
from conformance.targets.file import load_target

TARGET = Path(__file__).parent.parent / "targets" / "exim.toml"
GIVEN = Given(
    main_domain="company.com",
    domains=(
        DomainSpec(
            "company.com",
            accounts=(AccountSpec("john", aliases=("jo",), password="swordfish"),),
            forwarders={"fw": "somebody@else.example"},
        ),
        DomainSpec("second.com", aliases=("mail.second.com",)),
    ),
    router="<sales> = john\nNoRelay:a.example = b.example\n",
)


def text(given: Given, name: str = "etc/exim.conf") -> str:
    return str(configuration(Site(given))[name].text)


def with_settings(**modules: dict[str, object]) -> Given:
    return replace(GIVEN, settings=modules)


def block(config: str, name: str) -> str:
    """Return one router, transport or access control list."""
    return config.split(f"\n{name}:\n", 1)[1].split("\n\n", 1)[0]


def test_records_come_before_accounts_in_the_order_of_the_table() -> None:
    config = text(GIVEN)
    places = [
        config.index(f"\n{name}:\n")
        for name in ("router_table_1", "router_table_2", "router_table_end", "account_0")
    ]
    assert places == sorted(places)
    assert "relay=yes" in block(config, "router_table_1")
    assert "relay=yes" not in block(config, "router_table_2")


def test_names_stand_in_tables() -> None:
    assert text(GIVEN, "etc/account-aliases") == '"jo@company.com": john@company.com\n'
    assert text(GIVEN, "etc/forwarders") == '"fw@company.com": somebody@else.example\n'
    assert f'"john@company.com": {INSIDE}/mail/' in text(GIVEN, "etc/accounts")


def test_passwords_are_in_no_file_that_others_may_read() -> None:
    files = configuration(Site(GIVEN))
    told = [name for name, file in files.items() if "swordfish" in str(file.text)]
    assert told == ["etc/passwords"]
    assert files["etc/passwords"].mode & 0o007 == 0


def test_a_table_line_that_is_no_record_is_not_applicable() -> None:
    with pytest.raises(NotApplicable, match=r"line 1: there is no ="):
        text(replace(GIVEN, router="nonsense"))


@pytest.mark.parametrize(
    ("module", "keyword", "reason"),
    [
        ("SMTP", "ErrorLimit", "apart, and refused recipients not at all"),
        ("Queue", "ReportingDelay", "reports its failures at once"),
        ("SMTP", "ChannelsPerHost", "no connection waits or is added by time"),
        ("LOCAL", "FlowLimit", "counts no messages of an account"),
    ],
)
def test_what_exim_has_not_is_refused_with_its_reason(
    module: str, keyword: str, reason: str
) -> None:
    with pytest.raises(NotApplicable, match=reason):
        text(with_settings(**{module: {keyword: "3"}}))


def test_every_wish_is_taken_or_refused() -> None:
    target = EximTarget(load_target(TARGET))
    target.plan(GIVEN)
    with pytest.raises(NotApplicable, match="Unheard"):
        target.plan(with_settings(SMTP={"Unheard": "yes"}))


def test_clients_and_blacklists_are_asked_in_the_documents_order() -> None:
    given = replace(GIVEN, clients=("10.1.1.1",), blacklisted=("10.34.50.1-10.34.50.2",))
    given = replace(
        given, settings={"Protection": {"UseBlacklistingDNS": "yes", "RBLServers": ["rbl.test"]}}
    )
    config = text(given)
    asked = config.split("acl_connect:")[1].split("acl_helo:")[0]
    places = [asked.index(each) for each in ("+clients", "+white_holes", "+blacklisted", "rbl.")]
    assert places == sorted(places)
    assert "hostlist clients = 10.0.0.1/32 : 127.0.0.1/32 : 10.1.1.1/32" in config
    assert "hostlist blacklisted = 10.34.50.1/32 : 10.34.50.2/32" in config


@pytest.mark.parametrize(
    ("output", "found"),
    [
        (
            "u@b.com is undeliverable: route: SMTP b.com u@b.com\n    <-- u@a.com",
            (200, '(SMTP,"b.com","u@b.com")'),
        ),
        ("mail to null@a.com is discarded", (200, '(SYSTEM,NULL,"")')),
        ("x@a.com is undeliverable: unknown account", (501, "unknown account")),
        ("", (501, "the address cannot be routed")),
    ],
)
def test_route_is_read_from_the_address_test(output: str, found: tuple[int, str]) -> None:
    code, data = answer(output)
    assert (code, data.replace(", ", ",")) == found


@pytest.mark.parametrize(
    ("line", "tried"),
    [
        ("exim[7]: [7] 1xUaBf-000007-2I <= a@b.com H=(c) [10.1.1.1] P=esmtp S=3", ""),
        ("exim[8]: [8] 1xUaBf-000007-2I => john <john@b.com> R=x T=y", "1xUaBf-000007-2I"),
        ("exim[8]: [8] 1xUaBf-000007-2I == u@b.com R=x defer (-18)", "1xUaBf-000007-2I"),
        ("exim[8]: [8] 1xUaBf-000007-2I ** u@b.com: no", "1xUaBf-000007-2I"),
        ("exim[8]: [8] 1xUaBf-000007-2I Completed", "1xUaBf-000007-2I"),
        ("exim[8]: [8] 1xUaBf-000007-2I H=b.com [10.0.0.9]: closed", ""),
    ],
)
def test_a_line_of_the_log_tells_that_a_delivery_was_tried(line: str, tried: str) -> None:
    found = _TRIED.search(line)
    assert (found[1] if found else "") == tried


def test_the_retry_database_tells_the_next_attempts() -> None:
    dump = (
        "  T:company.com:11.22.33.44 -18 65 H=company.com: closed\n"
        "21-Nov-2026 02:05:48  21-Nov-2026 02:05:50  21-Nov-2026 02:35:50 *\n"
    )
    ((last, after),) = _NEXT.findall(dump)
    assert (_moment(last), _moment(after)) == (1795226750.0, 1795228550.0)


@needs_exim
def test_exim_understands_every_part(tmp_path: Path) -> None:
    given = replace(
        with_settings(
            SMTP={
                "Forward": "mail.provider.com",
                "ForwardAUTHName": "me",
                "ForwardAUTHPassword": "x",
                "VerifyReturnPath": "non-clients",
                "CheckSPF": "non-clients",
                "ForceAUTH": "non-clients",
                "RelayToBackup": "yes",
                "HoldDomains": ["held.com"],
                "AdvertiseNTLM": "everybody",
            },
            Banned={"HeaderLines": ["Subject: *x*"], "BodyLines": ["buy"]},
            Protection={"BlacklistByName": "yes", "BlacklistedNames": ["*.spam.test"]},
            LOCAL={"DirectMailbox": "YES", "AccountDetail": "Enabled"},
        ),
        client_names=("*.campus.edu",),
    )
    config = text(given).replace("Debian-exim", "daemon").replace("vmail", "daemon")
    file = tmp_path / "exim.conf"
    file.write_text(config.replace(INSIDE, str(tmp_path)))
    done = run_exim("-C", str(file), "-bV")
    assert done.returncode == 0, done.stderr
    assert "Configuration file is" in done.stdout


def test_every_capability_that_a_scenario_misses_has_its_reason() -> None:
    needed = {
        name for each in load_tree(TARGET.parent.parent / "scenarios") for name in each.requires
    }
    assert needed - load_target(TARGET).capabilities == set(EximTarget.missing)


def test_administrators_may_send_to_all() -> None:
    ann, adam = AccountSpec("ann"), AccountSpec("adam", rights=("Domain",))
    given = replace(
        GIVEN,
        domains=(
            DomainSpec("company.com", accounts=(AccountSpec("john", rights=("Master",)),)),
            DomainSpec(
                "second.com",
                accounts=(ann, adam),
                forwarders={"fw": "somebody@else.example"},
                settings={
                    "Mail to All": "Authenticated Administrator",
                    "Send to Forwarders": "YES",
                },
            ),
        ),
    )
    router = block(text(given), "all_1")
    assert "{john@company.com:adam@second.com}" in router
    assert "data = ann@second.com, adam@second.com, fw@second.com" in router


def test_without_channels_nobody_is_listened_to() -> None:
    found = text(with_settings(SMTP={"Receiving Channels": "0"}))
    assert "\nlocal_interfaces = 127.0.0.1\n" in found


def test_local_delivery_has_a_limit() -> None:
    assert text(with_settings(LOCAL={"Processes": "2"})).count("max_parallel = 2\n") == 1
    with pytest.raises(NotApplicable, match="max_parallel = 0 is no limit"):
        text(with_settings(LOCAL={"Processes": "0"}))
