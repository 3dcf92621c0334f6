"""The relay test: which ways each weak server falls for, and what cannot be told."""

import asyncio
import socket

import pytest
from relay_servers import (
    CatchAll,
    Chatty,
    Closing,
    Endless,
    Greylisting,
    Hanging,
    HeloOnly,
    Mute,
    Open,
    OpenThenSilent,
    PercentOnly,
    Refusing,
    Suspicious,
    TrustsAttempts,
    listening,
)

from conformance.cli.main import main
from conformance.relaytest.attempts import Names, attempts
from conformance.relaytest.probe import Host, HostUnusable, Verdict, probe, server_name

NAMES = Names(
    server="toy.example", ip="127.0.0.1", victim="victim", foreign="mailproof-relay-test.example"
)


async def collected(host, names):
    findings, problem = [], ""
    try:
        async for finding in probe(host, names):
            findings.append(finding)  # noqa: PERF401 - those before a problem count
    except HostUnusable as error:
        problem = str(error)
    return findings, problem


def probed(server, *, seconds=10.0, names=NAMES):
    """Return what became of each way, and why the test stopped."""
    with listening(server) as port:
        findings, problem = asyncio.run(collected(Host("127.0.0.1", port, seconds), names))
    return {f.attempt.name: f for f in findings}, problem


def ways(findings, verdict):
    return {name for name, finding in findings.items() if finding.verdict is verdict}


def command(server, *arguments):
    with listening(server) as port:
        return main(["relay-test", f"127.0.0.1:{port}", *arguments])


# The table


def test_every_way_has_a_name_of_its_own_and_none_speaks_of_data():
    found = list(attempts(NAMES))
    assert len({attempt.name for attempt in found}) == len(found) > 60
    spoken = [line for a in found for line in (*a.before, *a.between)]
    assert not [line for line in spoken if line.startswith(("DATA", "BDAT"))]


def test_every_way_leads_to_the_victim_or_to_a_stranger_host():
    for attempt in attempts(NAMES):
        assert "victim" in attempt.recipient, attempt
        assert "{" not in f"{attempt.recipient}{attempt.sender}{attempt.helo}", attempt


def test_ways_that_look_local_are_marked():
    for attempt in attempts(NAMES):
        path, _, _ = attempt.recipient.removeprefix("<").partition(">")
        domain = path.rpartition("@")[2] if '"' not in path.rpartition("@")[2] else ""
        is_routed = path.startswith("@") and "%" not in path
        own = domain.rstrip(".") in ("", path, "toy.example", "[127.0.0.1]", "127.0.0.1")
        bare = "@" not in path or domain == "localhost"
        assert attempt.local == ((own or bare) and not is_routed), attempt


# The servers


def test_a_server_that_refuses_everything_relays_nothing():
    server = Refusing()
    found, problem = probed(server)
    assert problem == ""
    assert ways(found, Verdict.REFUSED) == set(found)
    assert found["percent through the server"].reply == "550 relaying denied"
    assert len(server.sessions) == len(found) + 1
    assert not any(line.startswith("DATA") for heard in server.sessions for line in heard)
    assert all(heard[-1] == "QUIT" for heard in server.sessions)


def test_an_open_relay_falls_for_all_that_is_no_local_name():
    found, _ = probed(Open())
    local = {a.name for a in attempts(NAMES) if a.local}
    assert ways(found, Verdict.RELAYS) == set(found) - local
    assert ways(found, Verdict.UNCLEAR) == local


def test_the_one_trick_that_works_is_found():
    found, _ = probed(PercentOnly())
    assert ways(found, Verdict.RELAYS) == {"percent through the server"}


def test_relaying_after_a_failed_auth_is_found():
    found, _ = probed(TrustsAttempts())
    assert ways(found, Verdict.RELAYS) == {
        "after a failed AUTH PLAIN",
        "after a failed AUTH LOGIN",
        "after a failed AUTH CRAM-MD5",
        "after an abandoned AUTH",
        "after AUTH with an empty name and password",
    }


def test_a_server_that_takes_every_local_name_is_not_accused_of_relaying():
    found, _ = probed(CatchAll())
    assert ways(found, Verdict.RELAYS) == set()
    unclear = ways(found, Verdict.UNCLEAR)
    assert {"percent through the server", "quoted address at the server"} <= unclear
    assert "two-server relay" not in unclear
    assert found["a stranger's return path"].verdict is Verdict.REFUSED


def test_a_refused_return_path_says_nothing_about_relaying():
    found, _ = probed(Suspicious())
    assert found["a stranger's return path"].verdict is Verdict.UNCLEAR
    assert found["percent through the server"].reply == "553 your domain does not exist"
    assert found["the null return path"].verdict is Verdict.REFUSED


def test_another_return_path_gets_past_that():
    names = Names(
        **{**{f: getattr(NAMES, f) for f in NAMES.__slots__}, "stranger": "me@my.example"}
    )
    found, _ = probed(Suspicious(), names=names)
    assert ways(found, Verdict.REFUSED) == set(found)


def test_a_temporary_refusal_is_unclear():
    found, _ = probed(Greylisting())
    assert ways(found, Verdict.UNCLEAR) == set(found)


def test_a_server_without_ehlo_is_greeted_with_helo():
    found, _ = probed(HeloOnly())
    assert found["a stranger's return path"].verdict is Verdict.RELAYS


@pytest.mark.parametrize(
    ("server", "seconds", "reply"),
    [
        (Hanging(), 0.05, "no reply within 0.05 s"),
        (Closing(), 10.0, "the connection was closed"),
        (Endless(), 10.0, "the reply has a line without end"),
        (Chatty(), 10.0, "the reply has no end"),
    ],
)
def test_a_server_without_answers_is_given_up_soon(server, seconds, reply):
    found, problem = probed(server, seconds=seconds)
    assert {finding.reply for finding in found.values()} == {reply}
    assert ways(found, Verdict.UNCLEAR) == set(found)
    assert len(found) == 2
    assert problem.endswith(f"gave no answer 3 times in a row: {reply}")


def test_the_name_comes_from_the_greeting():
    with listening(Refusing()) as port:
        assert asyncio.run(server_name(Host("127.0.0.1", port))) == "toy.example"


@pytest.mark.parametrize("greeting", ["hello there", "220", "554 toy.example go away"])
def test_what_does_not_greet_like_smtp_is_not_tested(greeting):
    server = Refusing()
    server.greeting = greeting
    with listening(server) as port, pytest.raises(HostUnusable, match="does not greet like"):
        asyncio.run(server_name(Host("127.0.0.1", port)))


def test_a_server_that_never_greets_is_not_waited_for():
    with listening(Mute()) as port, pytest.raises(HostUnusable, match=r"no reply within 0\.05 s"):
        asyncio.run(server_name(Host("127.0.0.1", port, 0.05)))


def test_nobody_listens():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        host = Host("127.0.0.1", bound.getsockname()[1])
        with pytest.raises(HostUnusable, match="Connection refused"):
            asyncio.run(server_name(host))


def test_a_host_that_does_not_answer_at_all_is_not_waited_for(monkeypatch):
    async def open_connection(*_, **__):
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio, "open_connection", open_connection)
    with pytest.raises(HostUnusable, match=r"no connection to 127\.0\.0\.1 port 25 in 0\.05 s"):
        asyncio.run(server_name(Host("127.0.0.1", 25, 0.05)))


# The command


def test_the_command_names_the_ways_and_fails(capsys):
    assert command(PercentOnly()) == 1
    out = capsys.readouterr().out
    assert "RELAYS   percent through the server\n" in out
    assert "RCPT TO:<victim%mailproof-relay-test.example@toy.example>" in out
    assert "This server relays for strangers: percent through the server.\n" in out


def test_the_command_is_content_with_a_closed_server(capsys):
    assert command(Refusing()) == 0
    out = capsys.readouterr().out
    assert "No way made this server relay for a stranger.\n" in out
    assert f"{len(list(attempts(NAMES)))} ways tried, 0 relay, 0 unclear." in out


def test_the_command_points_at_what_it_cannot_tell(capsys):
    assert command(CatchAll()) == 0
    assert "Look at the unclear ones." in capsys.readouterr().out


def test_nothing_but_unclear_answers_is_no_verdict(capsys):
    assert command(Greylisting()) == 2
    assert "nothing could be told" in capsys.readouterr().err


def test_a_host_that_falls_silent_is_broken_unless_it_relayed_before(capsys):
    assert command(Closing()) == 2
    assert "gave no answer 3 times in a row" in capsys.readouterr().err
    assert command(OpenThenSilent()) == 1
    assert "This server relays for strangers: a stranger's return path" in capsys.readouterr().out


def test_domain_victim_and_stranger_can_be_chosen(capsys):
    server = Refusing()
    names = ("--domain", "my.example", "--to", "a@b.example", "--from", "c@d.e")
    assert command(server, *names, "--timeout", "9.5") == 0
    said = {line for heard in server.sessions for line in heard}
    assert {"RCPT TO:<a%b.example@my.example>", "MAIL FROM:<c@d.e>"} <= said


def test_control_characters_of_a_server_do_not_reach_the_terminal(capsys):
    server = Refusing()
    server.on_rcpt = lambda heard, line: "550 \x1b[31mred\x9b0m [bold]no[/]"
    assert command(server) == 0
    out = capsys.readouterr().out
    assert "550 \\x1b[31mred\\x9b0m [bold]no[/]" in out
    assert "\x1b" not in out


# Whom it may be pointed at


def resolving(monkeypatch, *addresses):
    def getaddrinfo(name, port, **_):
        return [(None, None, None, "", (address, 0)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize(
    "addresses",
    [
        ["198.51.100.7"],
        ["127.0.0.1", "198.51.100.7"],
        ["198.51.100.7", "::1"],
        ["2001:db8::1"],
        ["0.0.0.0"],
        ["::ffff:198.51.100.7", "127.0.0.1"],
    ],
)
def test_strangers_hosts_are_refused(monkeypatch, capsys, addresses):
    resolving(monkeypatch, *addresses)
    assert main(["relay-test", "mail.example"]) == 2
    err = capsys.readouterr().err
    assert "is not a loopback address" in err
    assert "--i-am-the-postmaster" in err


def test_the_postmaster_may(monkeypatch, capsys):
    resolving(monkeypatch, "2001:db8::1")
    assert main(["relay-test", "mail.example", "--i-am-the-postmaster"]) == 2
    assert "mail.example has IPv6 addresses only" in capsys.readouterr().err


def test_ipv6_loopback_is_ours_but_not_spoken_to(capsys):
    assert main(["relay-test", "[::1]:2525"]) == 2
    assert "::1 has IPv6 addresses only; relay-test speaks IPv4" in capsys.readouterr().err


def test_localhost_with_both_families_is_tested_over_ipv4(monkeypatch, capsys):
    resolving(monkeypatch, "::1", "127.0.0.1")
    with listening(Refusing()) as port:
        # asyncio resolves the number 127.0.0.1 by itself
        assert main(["relay-test", f"localhost:{port}"]) == 0
    assert f"Relay test of 127.0.0.1 port {port} as toy.example" in capsys.readouterr().out


@pytest.mark.parametrize(
    "host", ["", ":25", "localhost:", "localhost:smtp", "localhost:0", "a:99999"]
)
def test_what_is_no_host_is_said(host, capsys):
    assert main(["relay-test", host]) == 2
    assert "is not a host: write mail.example.com or 127.0.0.1:2525" in capsys.readouterr().err


def test_a_name_without_address_is_said(monkeypatch, capsys):
    def getaddrinfo(name, port, **_):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert main(["relay-test", "no.such.host"]) == 2
    assert "no.such.host has no address: Name or service not known" in capsys.readouterr().err


def test_a_malformed_name_is_said(capsys):
    assert main(["relay-test", f"{'a' * 70}.example"]) == 2
    assert "has no address" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [
        ("--timeout", "soon", "'soon' is not a number of seconds"),
        ("--timeout", "0", "'0' is not a number of seconds"),
        ("--timeout", "inf", "'inf' is not a number of seconds"),
        ("--to", "nobody", "'nobody' is not an address: write name@domain"),
        ("--from", "a b@c", "'a b@c' is not an address"),
    ],
)
def test_wrong_values_are_said(option, value, complaint, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["relay-test", "127.0.0.1", option, value])
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err
