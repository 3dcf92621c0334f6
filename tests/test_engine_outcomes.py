"""What becomes of a run when the server, the scenario or the engine misbehaves."""

import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from engine_kit import client, scenario, toy_target

from conformance.run.client import ENOUGH, EngineError
from conformance.run.outcome import Outcome

MAIL = "  - mail: {to: postmaster@mycompany.com}\n"


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with client(toy_target(tmp_path_factory.mktemp("toy"), warm=True)) as made:
        yield made


def descendants(pid):
    """Return the process ids of a process's children, theirs, and so on."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found += [int(child), *descendants(int(child))]
    return found


def all_gone(pids, seconds=5.0):
    """Wait until none of the processes is left; tell whether that came true."""
    end = time.monotonic() + seconds
    watched = []
    for pid in pids:
        try:
            watched.append(os.pidfd_open(pid))
        except ProcessLookupError:
            continue
    for fd in watched:
        ready, _, _ = select.select([fd], [], [], max(0, end - time.monotonic()))
        os.close(fd)
        if not ready:
            return False
    return True


# A server that misbehaves in the middle


def during(fault):
    return f"steps:\n  - cli: Fault {fault}\n{MAIL}"


def test_a_server_that_dies_in_the_middle_is_an_error(engine, tmp_path):
    result = engine.run(scenario(tmp_path, during("die")))
    assert result.outcome is Outcome.ERROR
    assert result.reason == "the server ended in the middle with status 3: toy: this is the end"
    assert result.step == 1


def test_a_server_that_hangs_fails_the_client_that_waits(engine, tmp_path):
    result = engine.run(scenario(tmp_path, during("hang")))
    assert result.outcome is Outcome.FAILED
    assert "no a reply for 0.5 s" in result.reason or "no reply" in result.reason


def test_a_server_that_says_yes_to_everything_fails(engine, tmp_path):
    steps = "  - cli: Fault yes-man\n  - smtp: |\n      S: 220\n"
    result = engine.run(scenario(tmp_path, f"steps:\n{steps}"))
    assert (result.outcome, result.reason) == (
        Outcome.FAILED,
        "the connection got 250 yes, expected 220",
    )


def test_a_server_that_loses_mail_fails(engine, tmp_path):
    steps = f"  - cli: Fault lose\n{MAIL}  - delivered: {{to: postmaster@mycompany.com}}\n"
    assert engine.run(scenario(tmp_path, f"steps:\n{steps}")).outcome is Outcome.FAILED


def test_the_next_scenario_gets_a_server_of_its_own(engine, tmp_path):
    assert engine.run(scenario(tmp_path, during("die"))).outcome is Outcome.ERROR
    assert engine.run(scenario(tmp_path, f"steps:\n{MAIL}")).outcome is Outcome.PASSED


def test_a_scenario_beyond_the_target_is_not_applicable(engine, tmp_path):
    result = engine.run(scenario(tmp_path, f"requires: [http]\nsteps:\n{MAIL}"))
    assert (result.outcome, result.reason) == (Outcome.NOT_APPLICABLE, "needs http")


def test_an_unknown_command_is_not_applicable(tmp_path):
    with client(toy_target(tmp_path, fault="no-router")) as engine:
        given = "given:\n  router: |\n    a.com = b.com\n"
        result = engine.run(scenario(tmp_path, f"{given}steps:\n{MAIL}"))
    assert result.outcome is Outcome.NOT_APPLICABLE
    assert result.reason == "the server does not know the command SetRouterTable"


# A server that does not come up


@pytest.mark.parametrize("warm", [False, True])
def test_a_server_that_ends_at_its_start_is_an_error(tmp_path, warm):
    with client(toy_target(tmp_path, fault="exit", warm=warm)) as engine:
        result = engine.run(scenario(tmp_path, f"steps:\n{MAIL}"))
    assert result.outcome is Outcome.ERROR
    assert result.reason == ("the server ended at its start with status 7: toy: cannot start today")


def test_a_server_that_never_gets_ready_is_an_error(tmp_path):
    target = toy_target(tmp_path, fault="silent")
    target.write_text(target.read_text().replace("within = 5", "within = 0.4"))
    with client(target) as engine:
        result = engine.run(scenario(tmp_path, f"steps:\n{MAIL}"))
    assert result.outcome is Outcome.ERROR
    assert result.reason == "the server accepted no connections within 0.4 seconds"


def test_a_server_that_refuses_its_configuration_is_an_error(tmp_path):
    with client(toy_target(tmp_path, fault="refuse")) as engine:
        given = "given:\n  domains: {mycompany.com: {accounts: [john]}}\n"
        result = engine.run(scenario(tmp_path, f"{given}steps:\n{MAIL}"))
    assert result.outcome is Outcome.ERROR
    assert result.reason.startswith("the server refused to be configured: CreateAccount john")
    assert result.reason.endswith("got 501 not today")


def test_a_command_that_does_not_exist_is_an_error(tmp_path):
    target = toy_target(tmp_path)
    target.write_text(target.read_text().replace("{python}", "/no/such/server"))
    with client(target) as engine:
        result = engine.run(scenario(tmp_path, f"steps:\n{MAIL}"))
    assert result.outcome is Outcome.ERROR
    assert result.reason == (
        "the command '/no/such/server' cannot be started: No such file or directory"
    )


def test_a_run_without_any_server_is_given_up(tmp_path):
    with client(toy_target(tmp_path, fault="exit")) as engine:
        case = scenario(tmp_path, f"steps:\n{MAIL}")
        for _ in range(ENOUGH):
            assert engine.hopeless == ""
            assert engine.run(case).outcome is Outcome.ERROR
        assert engine.hopeless.startswith("given up after 3 scenarios in a row: the server ended")


def test_a_deaf_server_is_named_as_hanging(tmp_path):
    with client(toy_target(tmp_path, fault="deaf"), bound=1.0) as engine:
        result = engine.run(scenario(tmp_path, "steps:\n  - rest\n"))
    assert result.outcome is Outcome.ERROR
    assert result.reason == "step 1, rest, hung for 1 seconds"


def test_a_server_that_will_not_stop_is_killed(tmp_path):
    target = toy_target(tmp_path, fault="immortal")
    target.write_text(target.read_text().replace("within = 5", "end_within = 0.3"))
    with client(target) as engine:
        result = engine.run(scenario(tmp_path, "steps:\n  - stop\n"))
    assert result.outcome is Outcome.ERROR
    assert result.reason == "the server did not end within 0.3 seconds and was killed"


def test_a_server_without_control_is_watched_from_outside(tmp_path):
    with client(toy_target(tmp_path, control=False)) as engine:
        steps = f"{MAIL}  - delivered: {{to: postmaster@mycompany.com}}\n"
        assert engine.run(scenario(tmp_path, f"steps:\n{steps}")).outcome is Outcome.PASSED
        late = engine.run(scenario(tmp_path, f"steps:\n{MAIL}  - wait: 30m\n"))
    assert (late.outcome, late.reason) == (Outcome.NOT_APPLICABLE, "needs clock")


# The engine itself


def test_an_engine_that_is_killed_makes_one_error_and_comes_back(tmp_path):
    with client(toy_target(tmp_path)) as engine:
        engine.ready()
        os.killpg(engine._process.pid, signal.SIGKILL)
        result = engine.run(scenario(tmp_path, f"steps:\n{MAIL}"))
        assert result.outcome is Outcome.ERROR
        assert result.reason.startswith("the engine died (signal 9)")
        assert engine.run(scenario(tmp_path, f"steps:\n{MAIL}")).outcome is Outcome.PASSED


def test_engines_that_die_one_after_the_other_are_given_up(tmp_path):
    with client(toy_target(tmp_path)) as engine:
        case = scenario(tmp_path, f"steps:\n{MAIL}")
        for _ in range(ENOUGH):
            assert engine.hopeless == ""
            engine.begin()
            os.killpg(engine._process.pid, signal.SIGKILL)
            assert engine.run(case).outcome is Outcome.ERROR
        assert engine.hopeless == "given up after 3 scenarios in a row: the engine died (signal 9)"
        assert engine.run(case).reason == engine.hopeless
        assert engine._process is None


def test_a_plan_that_the_target_does_not_support_is_said_once(tmp_path):
    target = toy_target(tmp_path, more="")
    target.write_text(target.read_text().replace("[start]", 'plans = ["loopback"]\n[start]'))
    with client(target, plan="namespace") as engine:
        with pytest.raises(EngineError, match="toy does not support the namespace plan"):
            engine.ready()
        assert engine.hopeless


def test_a_held_world_can_be_visited(tmp_path):
    with client(toy_target(tmp_path)) as engine:
        held = engine.hold(scenario(tmp_path, f"steps:\n{MAIL}"))
        ((documented, real),) = held.addresses
        assert (documented, real) == ("10.0.0.1", "127.0.0.1")
        with socket.create_connection((real, held.ports["smtp"]), 2) as visitor:
            assert visitor.recv(100).startswith(b"220")
        engine.release()
    # The server is told to end by the release; its end is awaited before the engine's.
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((real, held.ports["smtp"]), 2)


def test_closing_leaves_no_process_and_no_folder(tmp_path):
    engine = client(toy_target(tmp_path, warm=True))
    held = engine.hold(scenario(tmp_path, f"steps:\n{MAIL}"))
    pids = [engine._process.pid, *descendants(engine._process.pid)]
    assert len(pids) >= 3
    assert Path(held.base).is_dir()
    engine.close()
    assert all_gone(pids)
    assert not Path(held.base).exists()


PARENT = """
import sys
sys.path[:0] = {paths!r}
from pathlib import Path
from engine_kit import client, scenario
engine = client(Path({target!r}), plan={plan!r})
held = engine.hold(scenario(Path({folder!r}), "steps:\\n  - rest\\n"))
print(engine._process.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("plan", ["loopback", "auto"])
def test_nothing_survives_the_parent(tmp_path, number, plan):
    target = toy_target(tmp_path, warm=plan == "loopback")
    program = PARENT.format(paths=sys.path, target=str(target), folder=str(tmp_path), plan=plan)
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with parent:
        engine = int(parent.stdout.readline())
        pids = [engine, *descendants(engine)]
        parent.send_signal(number)
        assert all_gone([parent.pid, *pids])
