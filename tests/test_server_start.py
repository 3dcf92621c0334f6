"""How the server starts and ends: what it says when it cannot, and what it leaves behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hardy.places import OFFSET, Place
from hardy.plain import BOUND, Forks, Started
from hardy.victim import GREETINGS, SERVICES, Client

SERVER = [sys.executable, "-m", "reference"]
TWIST = [sys.executable, "-m", "twisted", "mailproof"]


@pytest.fixture
def place() -> Iterator[Place]:
    taken = Place()
    yield taken
    taken.close()


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    warm = Forks(tmp_path_factory.mktemp("warm"))
    yield warm
    assert warm.close() == 0


def serves(place: Place) -> None:
    """Be greeted by each service."""
    for service, port in SERVICES.items():
        with Client(place.server, port) as client:
            assert client.line().startswith(GREETINGS[service])


def ports_are_free(place: Place) -> bool:
    for port in SERVICES.values():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((place.server, port + OFFSET))
    return True


# Misuse -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--base"),
        (["--base", ""], "the name of a directory is expected"),
        (["--base", "{base}", "--bogus"], "unrecognized arguments: --bogus"),
        (["--base", "{base}", "--hold-clock"], "--hold-clock needs --control"),
        (["--base", "{base}", "--port-offset", "many"], "'many' is not a number"),
        (["--base", "{base}", "--port-offset", "65000"], "'65000' is not a number from 0 to 64999"),
        (["--base", "{base}", "--address", "localhost"], "'localhost' is not an IPv4 address"),
        (["--base", "{base}", "--dns", "10.0.0"], "'10.0.0' is not an IPv4 address"),
    ],
)
def test_bad_options_are_refused(
    tmp_path: Path, forks: Forks, arguments: list[str], words: str
) -> None:
    base = tmp_path / "base"
    status, said = forks.run([each.format(base=base) for each in arguments])
    assert status == 2
    assert words in said
    assert one_line(said)
    assert not base.exists()


def one_line(said: str) -> bool:
    return said.startswith("mailproof-server: ") and said.count("\n") == 1 and said.endswith("\n")


def _break(name: str, text: str) -> Callable[[Path], None]:
    def make(base: Path) -> None:
        path = base / "Settings" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(text.encode("latin-1"))

    return make


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda base: base.write_text(""), "{base}: this is a file, not a directory"),
        (_break("SMTP.settings", "{ErrorLimit=5;"), "{base}/Settings/SMTP.settings: line 1"),
        (_break("POP.settings", "\xff\0"), "{base}/Settings/POP.settings: line 1"),
        (_break("Main.settings", "(a, list)"), "Main.settings: a dictionary is expected"),
        (_break("Router.table", "one two"), "Settings/Router.table: line 1, column"),
        (_break("ClientIPs", "10.0.0.1\nsomebody"), "{base}/Settings/ClientIPs: line 2"),
    ],
)
def test_a_broken_base_directory_is_complained_of(
    tmp_path: Path, forks: Forks, place: Place, make: Callable[[Path], None], words: str
) -> None:
    base = tmp_path / "base"
    make(base)
    status, said = forks.run(["--base", str(base), *place.options()])
    assert status == 1
    assert words.format(base=base) in said
    assert one_line(said)
    assert not list(tmp_path.glob("base/ProcessID"))
    assert ports_are_free(place)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--user", "nobody-of-that-name", "--user nobody-of-that-name: there is no such user"),
        ("--control", "{folder}/none", "--control {folder}/none: "),
        ("--certificate", "{folder}/none", "--certificate {folder}/none: No such file"),
        ("--certificate", __file__, "not a PEM file with a private key and a certificate"),
        ("--address", "192.0.2.1", "192.0.2.1: Cannot assign requested address"),
        ("--port-offset", "64990", "there is no such port"),
    ],
)
def test_what_cannot_be_done_is_complained_of(
    tmp_path: Path, forks: Forks, place: Place, option: str, value: str, words: str
) -> None:
    base = tmp_path / "base"
    given = [option, value.format(folder=tmp_path)]
    status, said = forks.run(["--base", str(base), *place.options(), *given])
    assert status == 1
    assert words.format(folder=tmp_path) in said
    assert one_line(said)
    assert not (base / "ProcessID").exists()
    assert ports_are_free(place)


@pytest.mark.parametrize("service", SERVICES)
def test_a_busy_port_is_complained_of(
    tmp_path: Path, forks: Forks, place: Place, service: str
) -> None:
    port = SERVICES[service] + OFFSET
    with socket.socket() as busy:
        busy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        busy.bind((place.server, port))
        busy.listen()
        status, said = forks.run(["--base", str(tmp_path / "base"), *place.options()])
    assert status == 1
    trouble = f"{service} cannot listen on port {port} of {place.server}: Address already in use"
    assert said == f"mailproof-server: {trouble}\n"
    assert not (tmp_path / "base/ProcessID").exists()
    assert ports_are_free(place)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_base_directory_is_complained_of(
    tmp_path: Path, forks: Forks, place: Place
) -> None:
    base = tmp_path / "base"
    base.mkdir(mode=0o000)
    status, said = forks.run(["--base", str(base), *place.options()])
    assert status == 1
    assert one_line(said)
    assert f"{base}: Permission denied" in said


def test_two_servers_do_not_share_a_base_directory(
    tmp_path: Path, forks: Forks, place: Place
) -> None:
    base, elsewhere = tmp_path / "base", Place()
    pid, control = forks.start(base, place, tmp_path)
    status, said = forks.run(["--base", str(base), *elsewhere.options()])
    assert status == 1
    assert said == f"mailproof-server: {base} is in use by another server (process {pid})\n"
    assert (base / "ProcessID").read_text() == f"{pid}\n"
    serves(place)
    assert ports_are_free(elsewhere)
    control.close()
    assert forks.hear() == {"exit": pid, "status": 0}
    elsewhere.close()


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[None]:
    folder.chmod(0o777)
    yield


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_a_fresh_base_directory_belongs_to_the_user(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever measures coverage wants a file of the server that its user may not write.
    for name in ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START"):
        monkeypatch.delenv(name, raising=False)
    # pytest's own folders are closed to everybody else.
    with (
        tempfile.TemporaryDirectory() as name,
        _opened(Path(name)),
        Started(
            SERVER,
            base=Path(name, "base"),
            place=place,
            folder=Path(name),
            before=["--user", "nobody"],
        ) as server,
    ):
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        assert "\nUid:\t0\t" not in status
        serves(place)
        base = Path(name, "base")
        assert {path.stat().st_uid for path in (base, *base.rglob("*")) if path.is_dir()} == {
            int(status.partition("\nUid:\t")[2].split()[0])
        }
        with Client(place.server, 25) as client:
            client.send(b"MAIL FROM:<>\r\nRCPT TO:<postmaster>\r\nDATA\r\n\r\nhello\r\n.\r\n")
            replies = [client.line()[:3] for _ in range(5)]
        assert replies == [b"220", b"250", b"250", b"354", b"250"]
        assert server.end_by(signal.SIGTERM) == 0
        assert not server.output()


def test_values_without_effect_are_named_in_the_log(tmp_path: Path, place: Place) -> None:
    base = tmp_path / "base"
    (base / "Settings").mkdir(parents=True)
    text = "{LogLevel = loud; InputChannles = 5; InputChannels = 7;}"
    (base / "Settings" / "SMTP.settings").write_text(text)
    with Started(SERVER, base=base, place=place, folder=tmp_path) as server:
        serves(place)
        assert server.end_by(signal.SIGTERM) == 0
    (log,) = base.glob("SystemLogs/*")
    said = [line for line in log.read_text().splitlines() if "SMTP.settings" in line]
    assert len(said) == 2
    assert "SMTP.settings: LogLevel: " in said[0]
    assert "the default is used" in said[0]
    assert "'InputChannles'; did you mean InputChannels?" in said[1]


# Ends ---------------------------------------------------------------------------------------------


def test_a_signal_ends_the_server_in_order(tmp_path: Path, place: Place) -> None:
    base = tmp_path / "base"
    for number in (signal.SIGTERM, signal.SIGINT):
        with Started(SERVER, base=base, place=place, folder=tmp_path) as server:
            assert (base / "ProcessID").read_text() == f"{server.process.pid}\n"
            serves(place)
            assert server.end_by(number) == 0
            assert not server.output()
        assert not (base / "ProcessID").exists()
        assert ports_are_free(place)
    (log,) = base.glob("SystemLogs/*")
    texts = [line.split(" ", 2)[2] for line in log.read_text().splitlines()]
    assert [text.split(",")[0] for text in texts if text.startswith("SYSTEM")] == [
        "SYSTEM server 3.5.2 started",
        "SYSTEM server stopped",
    ] * 2


def test_the_end_of_the_harness_ends_the_server(tmp_path: Path, forks: Forks, place: Place) -> None:
    said = forks.errors()
    pid, control = forks.start(tmp_path / "base", place, tmp_path)
    control.close()
    assert forks.hear() == {"exit": pid, "status": 0}
    assert forks.errors() == said
    assert ports_are_free(place)


def test_many_orders_to_end_are_one_end(tmp_path: Path, forks: Forks, place: Place) -> None:
    said = forks.errors()
    pid, control = forks.start(tmp_path / "base", place, tmp_path)
    control.sendall(b'{"op": "stop"}\n' * 3)
    control.close()
    with contextlib.suppress(ProcessLookupError):
        for number in (signal.SIGTERM, signal.SIGINT) * 3:
            os.kill(pid, number)
    assert forks.hear() == {"exit": pid, "status": 0}
    assert forks.errors() == said


def test_nothing_is_left_unclosed(tmp_path: Path, place: Place) -> None:
    """Python tells of every file and socket that is forgotten rather than closed."""
    # What Python says about the source of others is no matter here.
    quiet = ["-W", "ignore::DeprecationWarning", "-W", "ignore::SyntaxWarning"]
    strict = ["-X", "dev", *quiet, "-W", "error::ResourceWarning"]
    program = [sys.executable, *strict, "-m", "reference"]
    with Started(program, base=tmp_path / "base", place=place, folder=tmp_path) as server:
        serves(place)
        with Client(place.server, 25) as client:
            client.send(b"MAIL FROM:<x@x>\r\nRCPT TO:<postmaster>\r\nDATA\r\n\r\nhello\r\n.\r\n")
            assert [client.line()[:3] for _ in range(5)][-1] == b"250"
        server.control.sendall(b'{"op": "quiet", "id": 1}\n')
        assert server.control.recv(1000)
        assert server.end_by(signal.SIGTERM) == 0
        # Twisted keeps one descriptor in reserve until the interpreter ends.
        said = [line for line in server.output().splitlines() if "/dev/null" not in line]
    assert not said


# The plugin ---------------------------------------------------------------------------------------


def test_twist_starts_and_stops_the_server(tmp_path: Path, place: Place) -> None:
    base = tmp_path / "base"
    with Started(TWIST, base=base, place=place, folder=tmp_path) as server:
        serves(place)
        # Twisted's runner stops in order and then ends by the signal that it got.
        assert server.end_by(signal.SIGTERM) in (0, -signal.SIGTERM)
        assert "Traceback" not in server.output()
    assert not (base / "ProcessID").exists()
    assert ports_are_free(place)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--base", __file__], 1, "this is a file, not a directory"),
        (["--bogus"], 2, "--base"),
    ],
)
def test_twist_complains_as_the_server_does(
    tmp_path: Path, arguments: list[str], status: int, words: str
) -> None:
    done = subprocess.run([*TWIST, *arguments], capture_output=True, text=True, timeout=BOUND)
    assert done.returncode == status
    assert words in done.stderr
    assert one_line(done.stderr)


# The warm process ---------------------------------------------------------------------------------


def test_the_warm_process_reports_how_its_servers_end(
    tmp_path: Path, forks: Forks, place: Place
) -> None:
    for number, status in ((signal.SIGKILL, 137), (signal.SIGTERM, 0)):
        pid, control = forks.start(tmp_path / "base", place, tmp_path)
        serves(place)
        os.kill(pid, number)
        assert forks.hear() == {"exit": pid, "status": status}
        control.close()
        assert ports_are_free(place)


def test_the_end_of_its_input_ends_the_warm_process_and_its_servers(tmp_path: Path) -> None:
    warm = Forks(tmp_path)
    places = [Place() for _ in range(3)]
    pids = [
        warm.fork(["--base", str(tmp_path / f"base{number}"), *place.options()])
        for number, place in enumerate(places)
    ]
    assert warm.close() == 0
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    for place in places:
        assert ports_are_free(place)
        place.close()
