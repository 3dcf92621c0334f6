"""The adapter for Postfix: configurations from a scenario's given, and what runs with them."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.adapters.dovecot import PROGRAMS
from conformance.adapters.postfix.target import PostfixTarget
from conformance.adapters.sandbox import INSIDE
from conformance.adapters.target import changed
from conformance.run.client import EngineClient
from conformance.run.messages import EngineSettings
from conformance.run.outcome import Outcome
from conformance.scenario.load import load_file, load_tree
from conformance.scenario.model import AccountSpec, DomainSpec, Given, Scenario
from conformance.targets.base import NotApplicable
from conformance.targets.file import load_target

ROOT = Path(__file__).parent.parent
FILE = load_target(ROOT / "targets" / "postfix.toml")
GIVEN = Given(
    main_domain="company.com",
    domains=(
        DomainSpec(
            "company.com",
            accounts=(AccountSpec("John", aliases=("jo",), password="swordfish"),),
            forwarders={"fw": "somebody@else.example"},
        ),
        DomainSpec("second.com", aliases=("also.com",), accounts=(AccountSpec("ann"),)),
    ),
    clients=("10.1.1.1-10.1.1.2",),
)


def made(given: Given) -> dict[str, str]:
    """Return main.cf as parameters, master.cf and all other files, by their names."""
    files = {
        path.removeprefix("etc/"): str(file.text)
        for path, file in PostfixTarget(FILE).plan(given).files.items()
    }
    lines = (line.partition(" = ") for line in files["main.cf"].splitlines())
    return {**files, **{name: value for name, _, value in lines}}


def with_settings(module: str, **settings: object) -> Given:
    return changed(GIVEN, {module: settings})


def test_names_have_one_line_each() -> None:
    found = made(GIVEN)
    assert found["mydestination"] == "company.com"
    assert found["virtual_mailbox_domains"] == "second.com, also.com"
    boxes = dict(line.split(" ", 1) for line in found["mailboxes"].splitlines())
    mail = f"{INSIDE}/mail".lstrip("/")
    assert boxes["john@company.com"] == f"{mail}/company.com/john/Maildir/"
    assert boxes["john@[10.0.0.1]"] == boxes["john@company.com"]
    assert boxes["ann@also.com"] == boxes["ann@second.com"]
    names = found["names"].splitlines()
    assert "jo@company.com john@company.com" in names
    assert "fw@company.com somebody@else.example" in names


def test_passwords_stand_in_no_file_that_everybody_reads() -> None:
    for path, file in PostfixTarget(FILE).plan(GIVEN).files.items():
        if "swordfish" in str(file.text):
            assert (path, file.mode & 0o007) == ("etc/dovecot-users", 0)


def test_clients_may_relay_and_strangers_may_not() -> None:
    found = made(GIVEN)
    assert found["mynetworks"] == "127.0.0.0/8, 10.0.0.1, 10.1.1.1/32, 10.1.1.2/32"
    order = found["smtpd_recipient_restrictions"].split(", ")
    assert order.index("permit_mynetworks") < order.index("permit_auth_destination")
    assert order[-1] == "reject"


def test_a_stranger_may_reach_clients_only_by_simple_addresses() -> None:
    assert "to_client" in made(GIVEN)["to-client"]
    assert "10.1.1.1/32 DUNNO\n10.1.1.2/32 DUNNO\n0.0.0.0/0 REJECT" in made(GIVEN)["not-clients"]
    nobody = made(with_settings("SMTP", **{"Relay to Clients": "no"}))
    assert "to-client" not in nobody


def test_the_order_of_the_lists_of_addresses() -> None:
    given = replace(GIVEN, blacklisted=("10.0.0.0/8",), white_holes=("10.2.2.2",))
    lines = made(given)["offenders"].splitlines()
    assert lines == [
        "10.0.0.1/32 DUNNO",
        "10.1.1.1/32 DUNNO",
        "10.1.1.2/32 DUNNO",
        "10.2.2.2/32 DUNNO",
        "10.0.0.0/8 blacklisted_host",
    ]


def test_a_client_by_its_name_is_in_no_black_list() -> None:
    given = replace(GIVEN, blacklisted=("10.0.0.0/8",), client_names=("*.campus.edu",))
    found = made(given)
    for who in ("blacklisted_host", "suspect_host"):
        assert found[who].split(", ")[1].startswith("check_client_access regexp:")
    assert "suspect_host" not in made(replace(given, client_names=()))


def test_the_queue_of_a_host_is_held_whatever_is_routed_to_it() -> None:
    found = made(
        replace(
            with_settings("SMTP", HoldDomains=["*.Client.com", "port.com"]),
            router="a.com = mail.client.com.smtp\nb.com = client.com.smtp\n"
            "c.com = port.com.26.smtp\nd.com = port.com.465.smtp\n",
        )
    )
    routes = found["router-transport.regexp"].splitlines()
    assert [line.split(maxsplit=1)[1] for line in routes[-4:]] == [
        "hold:mail.client.com",
        "smtp:client.com",
        "hold:[port.com]:26",
        "holds:[port.com]:465",
    ]
    assert found["defer_transports"] == "hold, holds"


def test_names_of_clients_are_looked_up_only_where_they_matter() -> None:
    assert made(GIVEN)["smtpd_peername_lookup"] == "no"
    given = replace(GIVEN, client_names=("*.campus.edu",))
    found = made(given)
    assert found["smtpd_peername_lookup"] == "yes"
    assert found["client-names"] == "/^.*\\.campus\\.edu$/ known_sender\n"


def test_rbl_answers_count_in_the_documented_range() -> None:
    settings = {"Use Blacklisting DNS": "yes", "RBL Servers": ["rbl.test"]}
    found = made(changed(GIVEN, {"Protection": settings}))["listed_host"]
    assert "reject_rbl_client rbl.test=127.0.0.[2..255]" in found
    assert "reject_rbl_client rbl.test=127.1.[0..255].[0..255]" in found


@pytest.mark.parametrize(
    ("module", "settings", "parameter", "value"),
    [
        ("SMTP", {"Message Size Limit": "100K"}, "message_size_limit", "102400"),
        ("SMTP", {"Message Recipients Limit": "5"}, "smtpd_recipient_limit", "5"),
        ("SMTP", {"Error Limit": "3"}, "smtpd_hard_error_limit", "3"),
        ("SMTP", {"Retry Every": "20m"}, "maximal_backoff_time", "1200s"),
        ("SMTP", {"Keep Trying for": "1h"}, "bounce_queue_lifetime", "3600s"),
        ("SMTP", {"Send Warnings After": "3h"}, "delay_warning_time", "10800s"),
        ("SMTP", {"Channels/Host": "2"}, "smtp_destination_concurrency_limit", "2"),
        ("SMTP", {"Forward to": "a.b, 10.2.2.2"}, "relayhost", "[a.b], [10.2.2.2]"),
        ("SMTP", {"wherever possible": "yes"}, "smtp_tls_security_level", "may"),
        (
            "SMTP",
            {"Advertise AUTH": "nobody"},
            "smtpd_discard_ehlo_keywords",
            "silent-discard, auth",
        ),
        ("Queue", {"Copy Failure Reports to": "pm"}, "bounce_notice_recipient", "pm"),
        ("LOCAL", {"Account Detail": "Enabled"}, "recipient_delimiter", "+"),
        ("LOCAL", {"Processes": "0"}, "defer_transports", "virtual"),
        ("SMTP", {"Reverse Connect": "everybody"}, "unverified_sender_reject_code", "550"),
    ],
)
def test_settings_have_a_parameter(
    module: str, settings: dict[str, str], parameter: str, value: str
) -> None:
    assert made(with_settings(module, **settings))[parameter] == value


@pytest.mark.parametrize(
    ("module", "settings", "reason"),
    [
        ("SMTP", {"Check SPF records": "everybody"}, "no SPF records"),
        ("SMTP", {"then Every": "2h"}, "as long again as it has waited"),
        ("SMTP", {"Advertise NTLM AUTH": "everybody"}, "SASL mechanisms"),
        ("LOCAL", {"Direct Mailbox": "YES"}, "the one mailbox that a table names"),
        ("Router", {"Add to Non-Qualified Domain Names": "YES"}, "append_dot_mydomain"),
        ("SMTP", {"Send Wakeups Every": "1h"}, "SMTP SendWakeupsEvery"),
    ],
)
def test_what_postfix_cannot_do_is_not_applicable(
    module: str, settings: dict[str, str], reason: str
) -> None:
    with pytest.raises(NotApplicable, match=reason):
        made(with_settings(module, **settings))


@pytest.mark.parametrize(
    ("what", "said", "heard"),
    [
        ("headers by default", "MAIL FROM:<a@b.c>", "MAIL FROM:<a@b.c> RET=HDRS"),
        ("headers by default", "MAIL FROM:<a@b.c> RET=FULL", ""),
        ("always headers", "MAIL FROM:<a@b.c>", "MAIL FROM:<a@b.c> RET=HDRS"),
        (
            "always headers",
            "MAIL FROM:<a@b.c> RET=FULL SIZE=5",
            "MAIL FROM:<a@b.c> SIZE=5 RET=HDRS",
        ),
        ("always body", "MAIL FROM:<a@b.c> RET=HDRS SIZE=5", "MAIL FROM:<a@b.c> SIZE=5"),
        ("always body", "MAIL FROM:<a@b.c>", ""),
    ],
)
def test_what_is_returned_is_what_the_sender_asks_for(what: str, said: str, heard: str) -> None:
    table = made(with_settings("Queue", **{"On Failure, Return": what}))["returned"]
    found = ""
    inside = True
    for line in table.splitlines():
        pattern = re.match(r"(?:if !)?/(.*?)/(?: (.*))?$", line)
        if line.startswith("if !") and pattern:
            inside = not re.search(pattern[1], said)
        elif line != "endif" and pattern and inside and re.match(pattern[1], said):
            found = re.sub(pattern[1], re.sub(r"\$\{(\d)\}", r"\\\1", pattern[2]), said)
            break
    assert found == heard


def test_all_connections_together_have_a_limit() -> None:
    services = made(with_settings("SMTP", **{"Sending Channels": "2"}))["master.cf"]
    assert "\nsmtp unix - - n - 2 smtp\n" in services


@pytest.mark.parametrize(
    ("who", "allowed", "refused"),
    [
        ("Authenticated Domain Users", ["ann@b.com", "john@a.com", "john"], ["joe@a.com"]),
        ("Authenticated Administrator", ["adam@b.com", "john@a.com"], ["ann@b.com", "joe@a.com"]),
    ],
)
def test_mail_to_all_is_for_some(who: str, allowed: list[str], refused: list[str]) -> None:
    given = Given(
        main_domain="a.com",
        domains=(
            DomainSpec(
                "a.com",
                accounts=(AccountSpec("john", rights=("Master",)), AccountSpec("joe")),
            ),
            DomainSpec(
                "b.com",
                accounts=(AccountSpec("ann"), AccountSpec("adam", rights=("Domain",))),
                settings={"Mail to All": who},
            ),
        ),
    )
    found = made(given)
    assert found["to-all"] == "all@b.com to_all_1\n"
    assert found["to_all_1"].startswith("check_sasl_access texthash:")
    for name in (*allowed, *refused):
        lines = found["senders-to-all-1"].splitlines()
        assert (f"{name} OK" in lines) == (name in allowed)


def test_every_capability_that_a_scenario_misses_has_its_reason() -> None:
    needed = {name for each in load_tree(ROOT / "scenarios") for name in each.requires}
    assert needed - FILE.capabilities == set(PostfixTarget.missing)


def test_the_reason_names_what_the_server_has_not() -> None:
    scenarios = {each.id: each for each in load_tree(ROOT / "scenarios")}
    reason = PostfixTarget(FILE).lacks(scenarios["dialup/atrn-routed"])
    assert reason.startswith("needs atrn, route: of the commands that ask for mail smtpd(8) knows")
    assert "; Postfix has no test that only tells where" in reason


def test_listeners_are_services() -> None:
    ports = ["25", {"Port": "26", "Restriction": "Deny", "Addresses": "10.3.3.3"}]
    found = made(with_settings("SMTP", **{"Listener Ports": ports}))
    assert "\n25 inet n - n - - smtpd\n" in found["master.cf"]
    assert "\n26 inet n - n - - smtpd -o {smtpd_client_restrictions" in found["master.cf"]
    assert found["listener-1"] == "10.3.3.3/32 421 4.7.0 not from your address\n0.0.0.0/0 DUNNO\n"
    assert " inet " not in made(with_settings("SMTP", **{"Receiving Channels": "0"}))["master.cf"]


def test_each_address_has_its_certificate() -> None:
    given = Given(
        main_domain="a.com",
        addresses=("10.0.0.1", "10.0.0.2"),
        domains=(
            DomainSpec("a.com", settings={"CertificateType": "Test"}),
            DomainSpec("b.com", addresses=("10.0.0.2",)),
        ),
    )
    services = made(given)["master.cf"].splitlines()
    (first,) = (line for line in services if line.startswith("10.0.0.1:25 "))
    (second,) = (line for line in services if line.startswith("10.0.0.2:25 "))
    assert "smtpd_tls_chain_files=" in first
    assert "smtpd_tls" not in second


def test_a_record_without_a_map_is_not_applicable() -> None:
    with pytest.raises(NotApplicable, match="uux"):
        made(replace(GIVEN, router="a.com = abc.uucp"))


def test_every_scenario_is_planned_or_has_a_reason() -> None:
    target = PostfixTarget(FILE)
    scenarios = load_tree(ROOT / "scenarios")
    reasons = [target.lacks(scenario) for scenario in scenarios]
    assert sum(not reason for reason in reasons) >= 300
    assert not [reason for reason in reasons if reason and len(reason) < 5]


# With the programs


def _missing() -> str:
    if os.geteuid() != 0:
        return "mail servers need root"
    programs = {**PostfixTarget.programs, **PROGRAMS}
    packages = {package for path, package in programs.items() if not Path(path).exists()}
    return f"needs Debian's packages {', '.join(sorted(packages))}" if packages else ""


with_programs = pytest.mark.skipif(bool(_missing()), reason=_missing() or "-")


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineClient]:
    settings = EngineSettings(target=FILE, plan="namespace", fixtures=ROOT / "fixtures")
    with EngineClient(settings) as client:
        yield client


def scenario(case_id: str) -> Scenario:
    path = ROOT / "scenarios" / f"{case_id.partition('[')[0]}.yaml"
    (found,) = (one for one in load_file(path) if one.id == case_id)
    return found


@with_programs
@pytest.mark.parametrize(
    "case_id",
    [
        "local-delivery/stored",
        "protection/smtp-auth[right password]",
        "protection/spam-trap[the special address first]",
        "smtp-sending/retry-every",
        "smtp-sending/secure-wrong-name",
        "tls/starttls-smtp",
        "dialup/etrn-releases",
    ],
)
def test_scenarios_pass(engine: EngineClient, case_id: str) -> None:
    result = engine.run(scenario(case_id))
    assert result.outcome is Outcome.PASSED, (result.reason, result.transcript[-20:])


SURVIVES = """\
title: A message survives the end of the server
source: Guide 3.5.2 > Message Transfer
level: beyond
given:
  domains: [mycompany.com]
  clients: [10.1.1.1]
  peers: {a.example: {address: 11.22.33.44, replies: {connect: drop}}}
steps:
  - mail: {to: user@a.example, source: 10.1.1.1}
  - queued: 1
  - END
  - start
  - queued: 1
  - peer: {a.example: {replies: {}}}
  - wait: 1h
  - relayed: {host: a.example, to: user@a.example}
  - queued: 0
"""


@with_programs
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_message_survives(engine: EngineClient, tmp_path: Path, end: str) -> None:
    path = tmp_path / "scenarios" / "queue" / "survives.yaml"
    path.parent.mkdir(parents=True)
    (tmp_path / "scenarios" / "scenario.schema.json").touch()
    path.write_text(SURVIVES.replace("END", end))
    (one,) = load_file(path)
    result = engine.run(one)
    assert result.outcome is Outcome.PASSED, (result.reason, result.transcript[-20:])


@with_programs
def test_a_difference_fails(engine: EngineClient) -> None:
    result = engine.run(scenario("smtp/no-dot-refused"))
    assert result.outcome is Outcome.PASSED, result.reason
    result = engine.run(scenario("unified-accounts/default-field"))
    assert result.outcome is Outcome.FAILED
    assert "X-Real-To" in result.reason


@with_programs
def test_this_computer_is_left_as_it_was(engine: EngineClient) -> None:
    places = [Path("/etc/postfix"), Path("/var/spool/postfix"), Path("/etc/dovecot"), Path("/run")]

    def state() -> list[tuple[str, float]]:
        return [
            (str(path), path.lstat().st_mtime)
            for place in places
            if place.exists()
            for path in sorted([place, *place.iterdir()])
        ]

    before = state()
    assert engine.run(scenario("local-delivery/stored")).outcome is Outcome.PASSED
    assert state() == before


def descendants(pid: int) -> set[int]:
    """Return the processes below a process, from /proc."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(words[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


@with_programs
def test_a_killed_run_leaves_no_process(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "conformance.cli", "world", "local-delivery/stored"]
    world = subprocess.Popen(
        [*command, "--target", str(FILE.path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert world.stdout is not None
    shown = ""
    while "Ctrl-C" not in shown:
        line = world.stdout.readline()
        assert line, shown
        shown += line
    below = descendants(world.pid)
    names = {Path(f"/proc/{pid}/comm").read_text().strip() for pid in below}
    assert {"master", "dovecot"} <= names
    watched = [os.pidfd_open(pid) for pid in below]
    world.kill()
    world.wait()
    for descriptor in watched:
        _await_end(descriptor)


def _await_end(descriptor: int) -> None:
    ready, _, _ = select.select([descriptor], [], [], 20)
    os.close(descriptor)
    assert ready, "a process outlives the run"
