"""The target ``remote``: a Postfix and a Dovecot, started by hand, are judged as they are."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.adapters.remote import RemoteTarget
from conformance.run.results import load
from conformance.scenario.load import load_file
from conformance.scenario.model import AccountSpec, DomainSpec, Given, Scenario
from conformance.targets.file import TargetFileError, load_target

MASTER = Path("/usr/lib/postfix/sbin/master")
FILE = """\
name = "ours"
kind = "remote"
plans = ["direct"]
capabilities = ["smtp", "pop", "forwarders"]

[options]
host = "127.0.0.1"
ports = {smtp = 2525, pop = 1110}
empty_mailboxes = true

[options.given]
domains = {"mycompany.com" = {accounts = ["john", {name = "ann", password = "other"}]}}
settings = {SMTP = {"Retry Every" = "30m"}}
"""
DELIVERY = """\
title: Mail from a stranger is delivered
source: Guide 3.5.2 > Local Delivery Module
level: beyond
given:
  domains: {mycompany.com: {accounts: [john]}}
steps:
  - mail: {to: john@mycompany.com, subject: hello}
  - delivered: {to: john@mycompany.com, header: {Subject: hello}}
"""


def made(tmp_path: Path, text: str = FILE) -> RemoteTarget:
    path = tmp_path / "ours.toml"
    path.write_text(text)
    return RemoteTarget(load_target(path))


def scenario(tmp_path: Path, text: str = DELIVERY) -> Scenario:
    path = tmp_path / "scenarios" / "remote" / "one.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "scenarios" / "scenario.schema.json").touch()
    path.write_text(text)
    (one,) = load_file(path)
    return one


def test_a_scenario_whose_given_holds_is_applicable(tmp_path: Path) -> None:
    assert made(tmp_path).lacks(scenario(tmp_path)) == ""


@pytest.mark.parametrize(
    ("line", "instead", "reason"),
    [
        ("[john]", "[mary]", "needs the account mary@mycompany.com"),
        ("[john]", "[ann]", "needs the account ann@mycompany.com"),
        ("{accounts: [john]}}", "{accounts: [john], aliases: [a.b]}}", "needs aliases"),
        ("{accounts: [john]}}", "{accounts: [john]}, b.c: {}}", "needs the domain b.c"),
        ("steps:", "  main domain: other.com\nsteps:", "needs the Main Domain other.com"),
        ("steps:", "  clients: [10.1.1.1]\nsteps:", "needs clients"),
        ("steps:", "  addresses: [10.7.7.7]\nsteps:", "needs a server with the addresses"),
        ("steps:", "  peers: {a.b: 11.22.33.44}\nsteps:", "needs remote hosts"),
        ("steps:", "  settings: {SMTP: {Retry Every: 20m}}\nsteps:", "SMTP RetryInterval = 20m"),
        ("subject: hello", "source: 10.1.1.1, subject: hello", "needs a client at 10.1.1.1"),
        ("steps:", "requires: [mobile]\nsteps:", "needs mobile"),
    ],
)
def test_what_is_not_said_to_be_true_is_not_applicable(
    tmp_path: Path, line: str, instead: str, reason: str
) -> None:
    assert line in DELIVERY
    assert reason in made(tmp_path).lacks(scenario(tmp_path, DELIVERY.replace(line, instead)))


def test_a_setting_that_is_true_is_no_obstacle(tmp_path: Path) -> None:
    same = DELIVERY.replace("steps:", "  settings: {SMTP: {Retry Interval: 30m}}\nsteps:")
    assert made(tmp_path).lacks(scenario(tmp_path, same)) == ""


def test_mailboxes_are_looked_into_only_where_they_may_be_emptied(tmp_path: Path) -> None:
    target = made(tmp_path, FILE.replace("empty_mailboxes = true", ""))
    assert "empty_mailboxes" in target.lacks(scenario(tmp_path))


def test_a_client_of_the_server_is_no_stranger(tmp_path: Path) -> None:
    target = made(tmp_path, FILE.replace("[options.given]", "client = true\n[options.given]"))
    assert "this computer is a client" in target.lacks(scenario(tmp_path))


@pytest.mark.parametrize(
    ("line", "instead", "complaint"),
    [
        ('host = "127.0.0.1"', "", "options.host: is missing"),
        ('host = "127.0.0.1"', 'host = "127.0.0.1"\nhots = 1', "options.hots: unknown key"),
        ("domains = {", "domain = {", "options.given: "),
    ],
)
def test_mistakes_in_the_file_are_told(
    tmp_path: Path, line: str, instead: str, complaint: str
) -> None:
    with pytest.raises(TargetFileError, match=complaint):
        made(tmp_path, FILE.replace(line, instead))


def test_accounts_are_compared_with_their_passwords(tmp_path: Path) -> None:
    one = scenario(tmp_path)
    accounts = (AccountSpec("ann", password="other"),)
    given = Given(domains=(DomainSpec("mycompany.com", accounts=accounts),))
    assert made(tmp_path).lacks(replace(one, given=given)) == ""


# A server that the test starts by hand


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class ByHand:
    """A Postfix and a Dovecot on ports of their own, set up as a postmaster would."""

    def __init__(self) -> None:
        # Other users must be able to look into it, which pytest's own folders forbid.
        self.folder = Path(tempfile.mkdtemp(prefix="mailproof-by-hand-"))
        self.folder.chmod(0o755)
        self.smtp, self.pop = free_port(), free_port()
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        self._write()
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        for command in (
            [str(MASTER), "-d", "-c", f"{self.folder}/etc"],
            ["/usr/sbin/dovecot", "-F", "-c", f"{self.folder}/etc/dovecot.conf"],
        ):
            self.processes.append(
                subprocess.Popen(
                    command, env=environment, start_new_session=True, stderr=subprocess.DEVNULL
                )
            )
        for port in (self.smtp, self.pop):
            self._await(port)

    def _await(self, port: int) -> None:
        end = time.monotonic() + 20
        while True:
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", port)) == 0:
                    return
            assert time.monotonic() < end, f"nobody listens at {port}"
            for process in self.processes:
                assert process.poll() is None, process.args

    def _write(self) -> None:
        etc, spool = self.folder / "etc", self.folder / "spool"
        user, group = shutil._get_uid("postfix"), shutil._get_gid("postdrop")  # type: ignore[attr-defined]
        nobody = shutil._get_uid("nobody")  # type: ignore[attr-defined]
        for name in ("etc", "spool", "spool/pid", "data", "mail", "dovecot"):
            (self.folder / name).mkdir()
        os.chown(self.folder / "data", user, -1)
        os.chown(self.folder / "mail", nobody, -1)
        queues = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming")
        for name in (*queues, "private", "saved", "trace"):
            (spool / name).mkdir(mode=0o700)
            os.chown(spool / name, user, -1)
        for name, mode in (("maildrop", 0o730), ("public", 0o710)):
            (spool / name).mkdir()
            os.chown(spool / name, user, group)
            (spool / name).chmod(mode)
        texts = {
            "main.cf": f"""
compatibility_level = 3.6
queue_directory = {spool}
data_directory = {self.folder}/data
daemon_directory = {MASTER.parent}
inet_protocols = ipv4
inet_interfaces = 127.0.0.1
mynetworks =
myhostname = mycompany.com
mydestination = mycompany.com
local_transport = virtual
local_recipient_maps = $virtual_mailbox_maps
virtual_mailbox_base = {self.folder}/mail
virtual_mailbox_maps = texthash:{etc}/mailboxes
virtual_uid_maps = static:{nobody}
virtual_gid_maps = static:{nobody}
virtual_alias_maps =
alias_maps =
maillog_file =
""",
            "master.cf": f"""
127.0.0.1:{self.smtp} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
virtual unix - n n - - virtual
""",
            "mailboxes": "".join(
                f"{n}@mycompany.com {n}/\n" for n in ("postmaster", "john", "ann")
            ),
            "users": "".join(
                f"{name}@mycompany.com:{{PLAIN}}{password}:{nobody}:{nobody}::{self.folder}/mail/{name}\n"
                for name, password in (
                    ("postmaster", "secret"),
                    ("john", "secret"),
                    ("ann", "other"),
                )
            ),
            "dovecot.conf": f"""
base_dir = {self.folder}/dovecot
state_dir = {self.folder}/dovecot/state
protocols = pop3
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
log_path = {self.folder}/dovecot.log
mail_location = maildir:%h
first_valid_uid = 1
passdb {{
  driver = passwd-file
  args = {etc}/users
}}
userdb {{
  driver = passwd-file
  args = {etc}/users
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {self.pop}
  }}
}}
""",
        }
        old = time.time() - 3600
        for name, text in texts.items():
            (etc / name).write_text(text)
            os.utime(etc / name, (old, old))

    def stop(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(20)
        shutil.rmtree(self.folder)


@pytest.fixture
def by_hand() -> Iterator[ByHand]:
    if os.geteuid() != 0:
        pytest.skip("a mail server needs root")
    if not MASTER.exists():
        pytest.skip("needs Debian's package postfix")
    if not Path("/usr/lib/dovecot/pop3").exists():
        pytest.skip("needs Debian's package dovecot-pop3d")
    server = ByHand()
    server.start()
    yield server
    server.stop()


def test_a_postfix_that_was_started_by_hand(by_hand: ByHand, tmp_path: Path) -> None:
    scenario(tmp_path)
    folder = tmp_path / "scenarios" / "remote"
    (folder / "again.yaml").write_text(DELIVERY)
    (folder / "refused.yaml").write_text(
        DELIVERY.replace("hello}\n", "hello, refused: all}\n", 1).replace(
            "delivered: {to: john@mycompany.com, header: {Subject: hello}}",
            "not delivered: john@mycompany.com",
        )
    )
    (folder / "clients.yaml").write_text(
        DELIVERY.replace("steps:", "  clients: [10.1.1.1]\nsteps:")
    )
    text = FILE.replace("2525", str(by_hand.smtp)).replace("1110", str(by_hand.pop))
    (tmp_path / "ours.toml").write_text(f"{text}\n[start]\nsettle = 2.0\n")
    results = tmp_path / "results.json"
    command = [sys.executable, "-m", "conformance.cli", "run", "--target", "ours.toml"]
    done = subprocess.run(
        [*command, "--results", str(results), "scenarios"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    cases = {case.id: case.result for case in load(results).cases}
    assert {case: result.outcome.value for case, result in cases.items()} == {
        "remote/one": "passed",
        "remote/again": "passed",
        "remote/refused": "failed",
        "remote/clients": "not applicable",
    }
    assert cases["remote/clients"].reason == "needs clients that the server is not said to have"


def test_nobody_listening_is_an_error_not_a_failure(tmp_path: Path) -> None:
    scenario(tmp_path)
    (tmp_path / "ours.toml").write_text(FILE.replace("2525", str(free_port())))
    command = [sys.executable, "-m", "conformance.cli", "run", "--target", "ours.toml", "scenarios"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stdout
    assert "nobody listens at 127.0.0.1" in done.stdout
