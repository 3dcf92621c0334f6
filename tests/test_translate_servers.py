"""Translation for Postfix and Exim: what is judged, and what their own programs say of the maps."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from exim_kit import needs_exim, run_exim
from hypothesis import given
from hypothesis import strategies as st
from table_records import records

from conformance.cli.main import main
from conformance.translate import (
    SERVERS,
    Installation,
    Outcome,
    Translation,
    parse_table,
    translate,
)
from conformance.translate.report import report

INSTALLATION = Installation(main_domain="stalker.com", local_domains=("second.example",))
TABLE = """\
fax.stalker.co = stalker.com
hq.stalker.com = newhq.stalker.com
Relay:*.test.com = stalker.com
<sales> = john
<info@client1.com> = info@otherhost.com
client1.com = new.client1.com
<*@client2.com> = *.cl2
test.com = Unified.local
path.com = path.com@relay.stalker.com
client1.host = client1.host@relay
relay = host.com.smtp
secret.com = secret.com@mail.stalker.com.26.smtp
local.com = [192.0.0.5:26]
<junk> = error
bad.company.com = null
<dept-*> = postmaster@*-dept.example
dept1.xyz.com = second.example.here
*.xyz.com = *.abc.com
<*%two.example@one.example> = *@two.example
NoRelay:<user> = user@other.host
R:clienthost.com = client1.com
RelayAll:<report-*@all.com> = report-*@client9.com
"""


def made(text: str, to: str) -> Translation:
    return translate(parse_table(text), to=to, installation=INSTALLATION)


@given(st.lists(records(), max_size=10), st.sampled_from(sorted(SERVERS)))
def test_every_record_gets_one_verdict_in_order(lines: list[str], to: str) -> None:
    table = parse_table("\n".join(lines))
    result = translate(table, to=to)
    assert [verdict.record for verdict in result.verdicts] == list(table)
    for verdict in result.verdicts:
        assert verdict.reason or verdict.outcome is Outcome.CARRIED
    assert len(list(report(result))) >= len(table) + 1


@pytest.mark.parametrize("to", sorted(SERVERS))
@pytest.mark.parametrize(
    ("record", "outcome", "reason"),
    [
        ("a.com = b.com", Outcome.CARRIED, ""),
        ("<sales@stalker.com> = Bill", Outcome.CARRIED, "never applies"),
        ("a.com = cl.local", Outcome.DIFFERENT, "X-Real-To"),
        ("a.com = host.smtp", Outcome.DIFFERENT, "local part alone"),
        ("a.com = a.com@host.smtp", Outcome.CARRIED, ""),
        ("<a> = b#box", Outcome.DIFFERENT, "account#mailbox"),
        ("a.com = abc.uucp", Outcome.DROPPED, "uux"),
        ("a.com = a.com", Outcome.DIFFERENT, "circle"),
        ("Access:<a> = b", Outcome.DROPPED, "logins"),
    ],
)
def test_verdicts(to: str, record: str, outcome: Outcome, reason: str) -> None:
    (verdict,) = made(record, to).verdicts
    assert verdict.outcome is outcome
    assert reason in verdict.reason


@pytest.mark.parametrize("to", sorted(SERVERS))
def test_a_spam_trap_is_carried(to: str) -> None:
    assert made("<trap> = spamtrap", to).verdicts[0].outcome is Outcome.CARRIED


def test_a_spam_trap_marks_the_message_which_postfix_then_refuses() -> None:
    result = made("<trap> = spamtrap", "postfix")
    assert "PREPEND X-Spam-Trap: yes" in result.file("router-refused.regexp").text
    assert "/^X-Spam-Trap: yes$/ REJECT" in result.file("router-spam-traps.regexp").text
    assert "header_checks = regexp:" in result.file("main.cf").text


def test_what_only_postfix_cannot_hold() -> None:
    table = "*.a.com = *.b.com.smtp\n<x@c.com> = y@host.smtp\n<white*@blacklisted> = null"
    assert {verdict.outcome for verdict in made(table, "postfix").verdicts} == {Outcome.DROPPED}
    assert made("*.a.com = *.b.com", "postfix").verdicts[0].outcome is Outcome.CARRIED


POSTMAP = shutil.which("postmap", path="/usr/sbin:/usr/bin")
needs_postfix = pytest.mark.skipif(not POSTMAP, reason="needs Debian's package postfix")


class Maps:
    """The maps of a table, asked by Postfix's own program."""

    def __init__(self, folder: Path, text: str) -> None:
        self.folder = folder
        for file in made(text, "postfix").files:
            (folder / file.name).write_text(file.text)
        # postmap reads a main.cf of its own, not this computer's.
        config = folder / "config"
        config.mkdir()
        (config / "main.cf").write_text(
            "compatibility_level = 3.6\nmyhostname = mail.stalker.com\n"
        )

    def ask(self, name: str, key: str) -> str:
        table = self.folder / f"router-{name}.regexp"
        done = subprocess.run(
            [str(POSTMAP), "-c", f"{self.folder}/config", "-q", key, f"regexp:{table}"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert not done.stderr, done.stderr
        return done.stdout.strip()

    def course(self, address: str) -> str:
        """Return where virtual_alias_maps lead, as cleanup(8) does it: a fixed point ends it."""
        for _ in range(10):
            found = self.ask("aliases", address)
            if not found or found == address:
                return address
            address = found
        raise AssertionError(f"{address} goes in a circle")


@pytest.fixture
def maps(tmp_path: Path) -> Maps:
    return Maps(tmp_path, TABLE)


@needs_postfix
@pytest.mark.parametrize(
    ("address", "end", "transport"),
    [
        ("john@fax.stalker.co", "john@stalker.com", ""),
        ("u@HQ.stalker.com", "u@newhq.stalker.com", ""),
        ("x.y@a.b.test.com", "x.y@stalker.com", ""),
        ("sales@stalker.com", "john@stalker.com", ""),
        ("info@client1.com", "info@otherhost.com", ""),
        ("other@client1.com", "other@new.client1.com", ""),
        ("Sales@client2.com", "Sales.cl2@stalker.com", ""),
        ("a@test.com", "Unified@stalker.com", ""),
        ("u@path.com", "u%path.com@relay.stalker.com", ""),
        ("u@client1.host", "u@client1.host", "smtp:host.com"),
        ("u@secret.com", "u@secret.com", "smtp:[mail.stalker.com]:26"),
        ("u@local.com", "u@local.com", "smtp:[192.0.0.5]:26"),
        ("junk@stalker.com", "error@router.invalid", "error:5.7.1 Blacklisted Address"),
        ("x@bad.company.com", "null@router.invalid", "discard:the Routing Table says null"),
        ("dept-a@stalker.com", "postmaster@a-dept.example", ""),
        ("u@dept1.xyz.com", "u@second.example", ""),
        ("u@dept2.xyz.com", "u@dept2.abc.com", ""),
        ("u%two.example@one.example", "u@two.example", ""),
        ("nobody@stalker.com", "nobody@stalker.com", ""),
    ],
)
def test_postfix_finds_the_same_ends(maps: Maps, address: str, end: str, transport: str) -> None:
    assert maps.course(address) == end
    assert maps.ask("transport", end) == transport


@needs_postfix
@pytest.mark.parametrize(
    ("address", "action"),
    [
        ("sales@stalker.com", "OK"),
        ("user@stalker.com", "REJECT relaying is not permitted"),
        ("u@clienthost.com", "OK"),
        ("u%else.example@clienthost.com", "REJECT relaying is not permitted"),
        ("report-u%else.example@all.com", "OK"),
        ("other@all.com", ""),
    ],
)
def test_postfix_lets_strangers_relay_as_the_prefixes_say(
    maps: Maps, address: str, action: str
) -> None:
    assert maps.ask("relay", address) == action


@needs_postfix
def test_postfix_refuses_at_rcpt_and_knows_the_domains(maps: Maps) -> None:
    assert maps.ask("refused", "junk@stalker.com") == "REJECT Blacklisted Address"
    assert maps.ask("refused", "sales@stalker.com") == "DUNNO"
    assert maps.ask("domains", "hq.stalker.com") == "ok"
    assert maps.ask("domains", "stalker.com") == ""
    assert maps.ask("domains", "second.example") == ""
    assert maps.ask("relay-domains", "client1.host") == "ok"
    assert maps.ask("domains", "client1.host") == ""


@needs_postfix
def test_postfix_has_the_white_holes(tmp_path: Path) -> None:
    maps = Maps(tmp_path, "<blacklist-admin*@blacklisted> = postmaster\n<x%a.com@blacklisted> = y")
    assert (
        maps.ask("white-hole-redirect", "blacklist-admin@any.com")
        == "REDIRECT postmaster@stalker.com"
    )
    assert maps.ask("white-hole-permit", "x@a.com") == "permit"
    assert maps.ask("white-hole-permit", "x@b.com") == ""


@needs_postfix
def test_the_first_record_wins_in_postfix_as_well(tmp_path: Path) -> None:
    maps = Maps(tmp_path, "client.com = client.com@host.com.smtp\n<x@client.com> = y@else.com")
    assert maps.course("x@client.com") == "x@client.com"
    assert maps.ask("transport", "x@client.com") == "smtp:host.com"


_CONFIG = """\
primary_hostname = mail.stalker.com
exim_user = {user}
exim_group = {group}
spool_directory = {folder}
log_file_path = {folder}/%slog
allow_domain_literals = true
domainlist local_domains = stalker.com : second.example
begin acl
{acl}
begin routers
{routers}
local:
  driver = accept
  domains = +local_domains
  transport = local_delivery
remote:
  driver = accept
  domains = ! +local_domains
  transport = any_host
begin transports
any_host:
  driver = appendfile
  file = /dev/null
remote_smtp:
  driver = smtp
local_delivery:
  driver = appendfile
  file = /dev/null
"""


def exim_routes(folder: Path, text: str, address: str) -> str:
    """Return where Exim's own address test says that an address goes."""
    acl, routers = (
        made(text, "exim").file(name).text for name in ("router-acl.conf", "router-table.conf")
    )
    config = folder / "exim.conf"
    config.write_text(
        _CONFIG.format(
            user=os.getuid() or "daemon",
            group=os.getgid() or "daemon",
            folder=folder,
            acl=acl,
            routers=routers,
        )
    )
    done = run_exim("-C", str(config), "-bt", address)
    assert "Exim configuration error" not in done.stderr, done.stderr
    return re.sub(r"\n\s+<-- .*", "", done.stdout.strip())


@needs_exim
@pytest.mark.parametrize(
    ("address", "end"),
    [
        ("john@fax.stalker.co", r"john@stalker\.com\n  router = local,"),
        ("x.y@a.b.test.com", r"x\.y@stalker\.com\n  router = local,"),
        ("sales@stalker.com", r"john@stalker\.com\n"),
        ("info@client1.com", r"info@otherhost\.com\n  router = remote"),
        ("other@client1.com", r"other@new\.client1\.com\n"),
        ("Sales@client2.com", r"Sales\.cl2@stalker\.com\n"),
        ("a@test.com", r"unified@stalker\.com\n"),
        ("u@path.com", r"u%path\.com@relay\.stalker\.com\n"),
        ("u@client1.host", r"u@client1\.host .*host\.com|router_table_host"),
        ("u@local.com", r"u@\[192\.0\.0\.5\]\n.*\n  host 192\.0\.0\.5 .*port=26"),
        ("junk@stalker.com", r"undeliverable: Blacklisted Address"),
        ("x@bad.company.com", r"is discarded"),
        ("null@stalker.com", r"is discarded"),
        ("dept-a@stalker.com", r"postmaster@a-dept\.example\n"),
        ("u@dept1.xyz.com", r"u@second\.example\n  router = local"),
        ("u@dept2.xyz.com", r"u@dept2\.abc\.com\n"),
        ("u%gamma.com@stalker.com", r"u@gamma\.com\n"),
        ("u%two.example@one.example", r"u@two\.example\n"),
    ],
)
def test_exim_finds_the_same_ends(tmp_path: Path, address: str, end: str) -> None:
    assert re.search(end, exim_routes(tmp_path, TABLE, address))


def test_the_command_prints_maps_and_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "table"
    table.write_text("a.com = b.com\nc.com = d.local\n")
    assert main(["translate", "--to", "exim", "--main-domain", "m.com", str(table)]) == 1
    out = capsys.readouterr().out
    assert "router_table_1:" in out
    assert "2  carried with a difference: c.com = d.local" in out
    assert "2 records for exim: 1 carried, 1 carried with a difference, 0 not carried" in out


def test_the_command_writes_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "table"
    table.write_text("a.com = b.com\n")
    folder = tmp_path / "maps"
    assert main(["translate", "--to", "postfix", "-o", str(folder), str(table)]) == 0
    assert "/etc/postfix/router-aliases.regexp" in (folder / "main.cf").read_text()
    assert capsys.readouterr().out.startswith("1  carried: a.com = b.com\n")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [(b"a.com = b.com\nnonsense\n", "table: line 2: there is no ="), (b"\xff = b", "UTF-8")],
)
def test_the_command_says_what_is_wrong_with_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: bytes, complaint: str
) -> None:
    table = tmp_path / "table"
    table.write_bytes(text)
    assert main(["translate", "--to", "postfix", str(table)]) == 2
    assert complaint in capsys.readouterr().err
