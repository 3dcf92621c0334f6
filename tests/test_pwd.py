"""The PWD protocol over a transport in memory, with the real storage, Router and CLI."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import re
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from cli_world import CLIWorld
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from reference.cli.replies import Reply
from reference.kernel.access import Access
from reference.kernel.work import Work
from reference.protocols.pwd import IDLE_LIMIT, LOGIN_LIMIT, PWDNeighbours, PWDSession
from reference.storage.account import Account

STRANGER = "192.0.2.1"
SERVER = "10.0.0.1"


class Wire:
    """The client's end of one connection."""

    def __init__(self, session: PWDSession, ip: str) -> None:
        self.session = session
        self.transport = StringTransport(
            hostAddress=IPv4Address("TCP", SERVER, 106), peerAddress=IPv4Address("TCP", ip, 4000)
        )
        session.makeConnection(self.transport)

    def heard(self) -> str:
        """Return what has come since the last time."""
        text: bytes = self.transport.value()
        self.transport.clear()
        return text.decode("utf-8", "surrogateescape")

    def send(self, octets: bytes) -> str:
        """Send octets and return the answer."""
        self.session.dataReceived(octets)
        return self.heard()

    def say(self, *lines: str) -> str:
        """Send lines and return the answers."""
        return self.send("".join(f"{line}\r\n" for line in lines).encode())

    @property
    def closed(self) -> bool:
        """True when the server has closed the connection."""
        return bool(self.transport.disconnecting or self.transport.disconnected)


class PWDWorld(CLIWorld):
    """A server with a PWD port."""

    def __init__(self, base: Path) -> None:
        super().__init__(base)
        self.work = Work()
        self._numbers = itertools.count(1)
        self.in_force: Deferred[None] = succeed(None)
        self.access = Access(
            router=self.router,
            domains=self.domains,
            settings=self.settings,
            protection=self.protection,
        )
        self.commands: object = self.interpreter
        self.ok('SetAccountPassword postmaster To "secret"', "CreateAccount user1 {Password=p1;}")

    def connect(self, ip: str = STRANGER) -> Wire:
        """Open a connection."""
        neighbours = PWDNeighbours(
            clock=self.clock,
            work=self.work,
            log=self.log,
            access=self.access,
            commands=self.commands,  # type: ignore[arg-type]
            server_name=lambda: self.domains.main.name,
            number=lambda: next(self._numbers),
            in_force=lambda: self.in_force,
        )
        return Wire(PWDSession(neighbours), ip)

    def login(self, user: str = "postmaster", password: str = "secret") -> Wire:
        """Open a connection and log in."""
        wire = self.connect()
        wire.heard()
        assert wire.say(f"USER {user}", f"PASS {password}").endswith("200 login OK\r\n")
        return wire


@pytest.fixture
def world(tmp_path: Path) -> PWDWorld:
    return PWDWorld(tmp_path)


def challenge(greeting: str) -> str:
    found = re.search(r"<[0-9]+\.[0-9]+@[^>]+>", greeting)
    assert found is not None
    return found[0]


def test_sample_session(world: PWDWorld) -> None:
    wire = world.connect()
    greeting = wire.heard()
    assert greeting.startswith("200 CommuniGate Pro at mycompany.com PWD Server 3.5 ready <")
    assert greeting.endswith("@mycompany.com>\r\n")
    assert wire.say("USER postmaster") == "300 please send the PASS\r\n"
    assert wire.say("PASS secret") == "200 login OK\r\n"
    assert wire.say('CreateAccount "user2"') == "200 OK\r\n"
    assert wire.say('CreateAccount "user2"') == "501 Account with this name already exists\r\n"
    assert wire.say('RenameAccount "user2" into "user3"') == "200 OK\r\n"
    assert wire.say('CreateDomain "client1.com"') == "200 OK\r\n"
    assert wire.say("QUIT") == "200 CommuniGate Pro PWD connection closed\r\n"
    assert wire.closed


def test_an_answer_waits_until_what_was_set_is_in_force(world: PWDWorld) -> None:
    wire = world.connect()
    wire.say("USER postmaster", "PASS secret")
    world.in_force = Deferred()
    assert wire.say("UpdateModule POP {ListenerPorts = ({Port = 2110;});}") == ""
    world.in_force.callback(None)
    assert wire.heard() == "200 OK\r\n"


def test_greetings_differ(world: PWDWorld) -> None:
    assert challenge(world.connect().heard()) != challenge(world.connect().heard())


def test_commands_before_the_login_are_refused(world: PWDWorld) -> None:
    wire = world.connect()
    wire.heard()
    assert wire.say("ListDomains").startswith("500 ")
    assert wire.say("CreateAccount user9").startswith("500 ")
    assert wire.say("NEWPASS x").startswith("500 ")
    assert wire.say("PASS secret").startswith("500 ")
    assert "user9" not in world.domains.main.accounts
    assert wire.say("USER postmaster", "PASS secret").endswith("200 login OK\r\n")


def test_wrong_password(world: PWDWorld) -> None:
    wire = world.connect()
    wire.heard()
    assert wire.say("USER user1", "PASS wrong").splitlines()[1].startswith("500 ")
    assert wire.say("NEWPASS p2").startswith("500 ")
    assert world.account("user1").check_password("p1")


def test_connection_with_many_refused_logins_is_closed(world: PWDWorld) -> None:
    wire = world.connect()
    for _ in range(LOGIN_LIMIT):
        assert not wire.closed
        wire.say("USER user1", "PASS wrong")
    assert wire.closed


def test_new_login_replaces_the_old_one(world: PWDWorld) -> None:
    wire = world.login()
    wire.say("USER user1", "PASS wrong")
    assert wire.say("ListDomains").startswith("500 ")
    wire.say("USER user1", "PASS p1")
    assert wire.say("ListDomains").startswith("501 ")


def test_new_password(world: PWDWorld) -> None:
    assert world.login("user1", "p1").say("NEWPASS p 2").startswith("200 ")
    assert world.account("user1").check_password("p 2")
    world.login("user1", "p 2")


def test_new_password_where_it_may_not_be_modified(world: PWDWorld) -> None:
    world.ok("UpdateAccountSettings user1 {PWDAllowed=NO;}")
    assert world.login("user1", "p1").say("NEWPASS p2").startswith("500 ")
    assert world.account("user1").check_password("p1")


def test_apop(world: PWDWorld) -> None:
    wire = world.connect()
    digest = hashlib.md5((challenge(wire.heard()) + "secret").encode()).hexdigest()
    assert wire.say(f"APOP postmaster {'0' * 32}").startswith("500 ")
    assert wire.say("APOP postmaster").startswith("500 ")
    assert wire.say(f"APOP postmaster {digest}") == "200 login OK\r\n"
    assert wire.say("MainDomainName").startswith("200 ")


def test_cram_md5(world: PWDWorld) -> None:
    wire = world.connect()
    wire.heard()
    code, _, text = wire.say("AUTH CRAM-MD5").strip().partition(" ")
    assert code == "300"
    digest = hmac.new(b"secret", b64decode(text), "md5").hexdigest()
    response = b64encode(f"postmaster {digest}".encode()).decode()
    assert wire.say(response) == "200 login OK\r\n"
    assert wire.say("AUTH CRAM-MD5", "*").splitlines()[1].startswith("500 ")
    assert wire.say("AUTH NOSUCH").startswith("500 ")


def test_disabled_service(world: PWDWorld) -> None:
    world.ok("UpdateAccountSettings user1 {AccessModes=(Mail,POP,Mobile);}")
    wire = world.connect()
    wire.heard()
    assert wire.say("USER user1", "PASS p1").splitlines()[1].startswith("500 ")


def test_client_only_logins_close_the_session_of_a_stranger(world: PWDWorld) -> None:
    world.ok("SetProtection {NonClientLogins=reject;}")
    stranger = world.connect()
    stranger.heard()
    assert stranger.say("USER postmaster", "PASS secret").splitlines()[1].startswith("500 ")
    assert stranger.closed
    own = world.connect(SERVER)
    assert own.say("USER postmaster", "PASS secret").endswith("200 login OK\r\n")


def test_data_stand_on_the_lines_after_the_answer(world: PWDWorld) -> None:
    wire = world.login()
    assert wire.say("ListDomains") == '200 data follow\r\n("mycompany.com")\r\n'
    assert wire.say("MainDomainName") == '200 data follow\r\n"mycompany.com"\r\n'


def test_inline_answers(world: PWDWorld) -> None:
    wire = world.login()
    assert wire.say("INLINE").startswith("200 ")
    assert wire.say("ListDomains") == '201 ("mycompany.com")\r\n'
    assert wire.say("CreateAccount user2") == "200 OK\r\n"
    assert wire.say("CreateAccount user2").startswith("501 ")


def test_inline_before_the_login(world: PWDWorld) -> None:
    wire = world.connect()
    wire.say("inline", "user postmaster", "pass secret")
    assert wire.say("listdomains") == '201 ("mycompany.com")\r\n'


def test_lines_end_with_lf_or_cr_lf(world: PWDWorld) -> None:
    wire = world.login()
    assert wire.send(b"NOOP\nNOOP\r\n").splitlines() == ["200 OK", "200 OK"]


def test_pipelined_commands_are_answered_in_their_order(world: PWDWorld) -> None:
    wire = world.connect()
    wire.heard()
    answers = wire.say(
        "USER postmaster",
        "PASS secret",
        "INLINE",
        *(f"CreateAccount u{number}" for number in range(20)),
        "MainDomainName",
        "QUIT",
        "NOOP",
    ).splitlines()
    assert len(answers) == 25
    assert answers[-2:] == [
        '201 "mycompany.com"',
        "200 CommuniGate Pro PWD connection closed",
    ]


def test_commands_may_come_in_pieces(world: PWDWorld) -> None:
    wire = world.login()
    assert wire.send(b"Main") == ""
    assert wire.send(b"DomainName\r") == ""
    assert wire.send(b"\n").startswith("200 ")


def test_router_table_of_a_megabyte(world: PWDWorld) -> None:
    wire = world.login()
    table = "\\e".join(f"domain{number}.com = host{number}.com.smtp" for number in range(28_000))
    line = f'SetRouterTable "{table}"\r\n'.encode()
    assert len(line) > 1_000_000
    answer = ""
    for start in range(0, len(line), 65_536):
        assert wire.transport.producerState == "producing"
        answer += wire.send(line[start : start + 65_536])
    assert answer == "200 OK\r\n"
    assert len(world.run("GetRouterTable").render(inline=True)) > 1_000_000


def test_line_before_the_login_is_not_kept_for_ever(world: PWDWorld) -> None:
    wire = world.connect()
    wire.heard()
    for _ in range(10):
        assert wire.send(b"x" * 60_000) == ""
    assert wire.send(b"\r\n").startswith("500 the line is longer")
    assert wire.say("NOOP") == "200 OK\r\n"


def test_idle_session_is_closed(world: PWDWorld) -> None:
    wire = world.login()
    assert world.clock.next_due() == IDLE_LIMIT >= 300
    world.clock.skip(IDLE_LIMIT - 10)
    wire.say("NOOP")
    assert world.clock.next_due() == IDLE_LIMIT
    world.clock.fire_next()
    assert wire.heard().startswith("500 ")
    assert wire.closed


def test_gone_connection_leaves_nothing(world: PWDWorld) -> None:
    wire = world.login("user1", "p1")
    assert world.account("user1").sessions == 1
    wire.session.connectionLost(Failure(ConnectionDone()))
    assert world.account("user1").sessions == 0
    assert world.clock.next_due() is None
    assert world.work.tasks == 0


def test_task_is_held_while_a_command_is_done(world: PWDWorld) -> None:
    seen: list[int] = []
    wire = world.login()
    world.work.on_quiet = lambda: seen.append(0)

    class Looking:
        def execute(self, line: str, account: Account) -> Reply:
            seen.append(world.work.tasks)
            return Reply(200, "OK")

    world.commands = Looking()
    wire = world.login()
    seen.clear()
    wire.say("Anything")
    assert seen == [1, 0]


def test_fault_of_the_server_is_answered_and_logged(world: PWDWorld) -> None:
    class Broken:
        def execute(self, line: str, account: Account) -> Reply:
            raise RuntimeError("out of order")

    world.commands = Broken()
    wire = world.login()
    assert wire.say("ListDomains").startswith("501 internal error")
    world.log.flush()
    assert world.log.path is not None
    assert "out of order" in world.log.path.read_text()
    assert world.work.tasks == 0


def test_secrets_never_reach_the_log(world: PWDWorld) -> None:
    world.ok("UpdateModule PWD {LogLevel=5;}")
    wire = world.login("user1", "p1")
    wire.say("NEWPASS hidden1")
    admin = world.login()
    admin.say("SetAccountPassword user1 To hidden2", "CreateAccount u {Password=hidden3;}")
    world.log.flush()
    assert world.log.path is not None
    text = world.log.path.read_text()
    assert "PWD-" in text
    assert "CreateAccount" in text
    for secret in ("p1", "hidden", "secret"):
        assert secret not in text


def test_answer_is_one_line(world: PWDWorld) -> None:
    wire = world.login()
    answer = wire.say('Route "a\\r\\n200 forged@b@"')
    assert answer.count("\r\n") == 1
    assert answer.startswith("501 ")


_octets = st.binary(max_size=200) | st.text("abAB \"\\(){};,=\0\r\n'", max_size=80).map(str.encode)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.lists(_octets, max_size=5), st.booleans())
def test_garbage_is_answered_and_harmless(
    world: PWDWorld, pieces: list[bytes], logged_in: bool
) -> None:
    wire = world.login() if logged_in else world.connect()
    wire.heard()
    sent = b"".join(pieces) + b"\r\n"
    answers = "".join([*(wire.send(piece) for piece in pieces), wire.send(b"\r\n")])
    assert len(re.findall(r"(?m)^[0-9]{3} ", answers)) == sent.count(b"\n")
    assert "internal error" not in answers
    assert world.work.tasks == 0
    wire.session.connectionLost(Failure(ConnectionDone()))
