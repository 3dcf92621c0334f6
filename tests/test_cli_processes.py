"""Commands as processes: a held world, Ctrl-C, signals; and that nothing is left running.

Every process below a test carries a mark in its environment, by which what is left is found.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from command_kit import PASSING, project
from engine_kit import toy_target, write_scenario

ROOT = Path(__file__).parent.parent
#: A server that tells the test that it has been started, and then never gets ready.
KNOCKER = """\
import os, socket, sys
knock = socket.socket(socket.AF_UNIX)
knock.connect(sys.argv[1])
knock.sendall(b"started")
knock.recv(1)
"""


class Running:
    """One ``mailproof`` with all that it starts."""

    def __init__(self, folder, *words):
        self.mark = f"mailproof-test-{uuid.uuid4()}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "conformance.cli", *words],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "MAILPROOF_MARK": self.mark},
            start_new_session=True,
        )

    def lines_until(self, last):
        """Return the output up to a line."""
        found = []
        for line in self.process.stdout:
            found.append(line.rstrip("\n"))
            if found[-1] == last:
                return found
        raise AssertionError(f"it ended: {found} {self.process.stderr.read()}")

    def end(self, number, *, group=False):
        """Send a signal; return the status, the output and the complaints."""
        if group:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err

    def left(self):
        """Return the processes that live on."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                alive = (entry / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
                if self.mark.encode() in (entry / "environ").read_bytes() and alive:
                    found.append((entry / "cmdline").read_text())
        return found


@pytest.fixture
def here(tmp_path):
    return project(tmp_path, router__a=PASSING)


@pytest.fixture
def start(here):
    begun = []

    def start(*words):
        begun.append(Running(here, *words))
        return begun[-1]

    yield start
    for each in begun:
        if each.process.poll() is None:
            os.killpg(each.process.pid, signal.SIGKILL)
        each.process.communicate()


@pytest.fixture
def knocked(here):
    """A target whose server hangs at its start, and a socket on which its start is seen."""
    (here / "knocker.py").write_text(KNOCKER)
    path = f"\0mailproof-test-{uuid.uuid4()}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        listener.settimeout(60)
        # TOML has no NUL in its texts: the abstract address is put together by the server.
        (here / "knocker.py").write_text(KNOCKER.replace("sys.argv[1]", "'\\0' + sys.argv[1]"))
        (here / "hangs.toml").write_text(
            'name = "hangs"\ncapabilities = ["smtp", "cli", "router", "route"]\n'
            "[start]\nwithin = 50\n"
            f'command = ["{{python}}", "{here}/knocker.py", "{path[1:]}", "{{port_offset}}"]\n'
        )
        yield listener


@pytest.mark.parametrize("workers", ["0", "2"])
def test_control_c_ends_a_run_and_all_that_it_started(here, start, knocked, workers):
    write_scenario(here, PASSING, name="router/b")
    words = ("run", "--target", "hangs.toml", "--plan", "loopback", "-n", workers)
    run = start(*words)
    server, _ = knocked.accept()
    with server:
        assert server.recv(7) == b"started"
        status, out, _ = run.end(signal.SIGINT, group=True)
        server.settimeout(60)
        assert server.recv(1) == b"", "the server is still there"
    assert status == 2
    assert out.count("broken the run was interrupted: Ctrl-C\n") == 1
    assert "Traceback" not in out
    assert run.left() == []


def world(start, *words):
    held = start("world", "router/a", "--plan", "loopback", *words)
    return held, held.lines_until("Ctrl-C ends it.")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_world_stays_until_it_is_ended(here, start, number):
    held, said = world(start, "--target", "toy.toml")
    assert said[:2] == ["A requirement", "router/a (loopback plan)"]
    smtp = next(line for line in said if line.startswith("  smtp "))
    found = re.fullmatch(
        r"  smtp   telnet -b (127\S+) (127\S+) (\d+)  \(stands for 10\.0\.0\.1\)", smtp
    )
    source, address, port = found.groups()
    with socket.create_connection((address, int(port)), 10, (source, 0)) as connection:
        assert connection.recv(100) == b"220 toy ready\r\n"
    base = next(line for line in said if line.startswith("  files ")).split()[1]
    assert Path(base, "Accounts").is_dir()
    status, out, err = held.end(number)
    assert (status, out, err) == (0, "\nThe world is gone.\n", "")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, int(port)), 10)
    assert not Path(base).exists()
    assert held.left() == []


def test_a_world_tells_logins_clients_and_only_services_that_there_are(here, start):
    write_scenario(
        here,
        """\
        given:
          domains: {mycompany.com: {accounts: [{name: john, password: hidden}]}}
        steps:
          - smtp from 10.1.1.1: |
              S: 220
        """,
        name="router/a",
    )
    held, said = world(start, "--target", "toy.toml")
    assert "  login  john@mycompany.com hidden" in said
    assert [line.split()[0] for line in said if " telnet " in line] == ["smtp", "pop", "pwd"]
    at = said.index("The address behind -b is the client's. Those of the scenario:")
    assert said[at + 1 : at + 3] == [
        "  127.1.1.1  (stands for 10.1.1.1)",
        "  127.0.2.1  (stands for 192.0.2.1)",
    ]
    assert held.end(signal.SIGINT)[0] == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["router/aa"], "mailproof world: no scenario is called 'router/aa' (did you mean "),
        (["router/a", "--target", "none.toml"], "mailproof world: none.toml: there is no such "),
        (
            ["router/a", "--target", "exit.toml"],
            "mailproof world: the server ended at its start with status 7: toy: cannot start today",
        ),
    ],
)
def test_a_world_that_cannot_be_is_one_sentence(here, start, words, sentence):
    toy_target(here, name="exit", fault="exit")
    begun = start("world", "--plan", "loopback", *words)
    out, err = begun.process.communicate(timeout=60)
    assert begun.process.returncode == 2
    assert out == ""
    assert err.startswith(sentence)
    assert err.count("\n") == 1
    assert begun.left() == []


def test_a_world_in_namespaces_says_how_to_enter(here, start):
    held = start("world", "router/a", "--plan", "namespace", "--target", "toy.toml")
    try:
        said = held.lines_until("Ctrl-C ends it.")
    except AssertionError as error:
        pytest.skip(f"no namespaces here: {error}")
    smtp = next(line for line in said if line.startswith("  smtp "))
    found = re.fullmatch(r"  smtp   (nsenter .*--net) telnet -b 192\.0\.2\.1 10\.0\.0\.1 25", smtp)
    greet = (
        "import socket\n"
        "c = socket.create_connection(('10.0.0.1', 25), 10, ('192.0.2.1', 0))\n"
        "print(c.recv(100).decode())\n"
    )
    words = [*found[1].split(), sys.executable, "-c", greet]
    greeting = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    assert greeting.stdout.startswith("220 toy ready")
    assert held.end(signal.SIGTERM)[0] == 0
    assert held.left() == []
