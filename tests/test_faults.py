"""Faults of the world: disks full or read-only, clocks that are set, lines that are cut."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sabotage.case import Sabotage
from sabotage.workshop import Workshop
from scenario_files import HEAD, complaints, load_one
from test_world_peers import Sender, connection, play
from twisted.internet.selectreactor import SelectReactor

from conformance.run.client import EngineClient, EngineError
from conformance.run.messages import EngineSettings
from conformance.run.outcome import Outcome
from conformance.scenario.load import load_file
from conformance.scenario.model import PeerSpec
from conformance.scenario.steps import ClockStep, DiskStep, PeerStep
from conformance.targets.file import load_target
from conformance.world.world import World
from reference.kernel.clocks import HeldClock
from reference.main import steady

ROOT = Path(__file__).parents[1]

# What a scenario may say --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("disk: full", DiskStep(space_changes=True, left=0)),
        ("disk: free", DiskStep(space_changes=True, left=None)),
        ("disk: 100K", DiskStep(space_changes=True, left=100 << 10)),
        ("disk: {space: Full}", DiskStep(space_changes=True, left=0)),
        ("disk: {read only: Queue}", DiskStep(read_only=("Queue",))),
        (
            "disk: {read only: [Queue, Accounts/john.macnt], writable: Settings/}",
            DiskStep(read_only=("Queue", "Accounts/john.macnt"), writable=("Settings",)),
        ),
        ("clock: forward 2d 1h", ClockStep(176400)),
        ("clock: Back 90s", ClockStep(-90)),
    ],
)
def test_a_step_is_read(tmp_path: Path, text: str, step: object) -> None:
    scenario = load_one(tmp_path, HEAD + f"steps:\n  - {text}\n")
    assert scenario.steps[0].value == step
    assert scenario.requires == (("clock-jumps",) if "clock" in text else ("files",))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("disk: much", "“much” is no size; write 2000, 50K or 3M"),
        ("disk: {read only: /etc}", "“/etc” is no directory below the base directory"),
        ("disk: {read only: ../x}", "“../x” is no directory below the base directory"),
        ("disk: {fill: 1}", "unknown key “fill” of disk"),
        ("clock: 2d", "“2d” says not where the clock goes; write forward 2d, or back 2d"),
        ("clock: back soon", "“soon” is not a duration"),
        ("stop\n  - clock: back 1d", "the server is stopped; put - start before “clock”"),
        (
            "peer: {a.com: {replies: {rcpt: 'ok, hang'}}}",
            "only “message” can be taken unheard; write hang, or drop",
        ),
        ("peer: {a.com: {cut after: soon}}", "“soon” is no size"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, text: str, words: str) -> None:
    given = "given: {peers: {a.com: 11.1.1.1}}\n"
    found = complaints(tmp_path, HEAD + given + f"steps:\n  - {text}\n")
    assert any(words in complaint for complaint in found), found


def test_cuts_are_a_peers_behaviour(tmp_path: Path) -> None:
    scenario = load_one(
        tmp_path,
        HEAD + "given: {peers: {a.com: {address: 11.1.1.1, cut after: [10, 2K]}}}\n"
        "steps:\n  - peer: {a.com: {cut after: 5}}\n  - peer: {a.com: {replies: {quit: drop}}}\n",
    )
    assert scenario.given.peers[0].cuts == (10, 2048)
    first, second = (step.value for step in scenario.steps)
    assert isinstance(first, PeerStep)
    assert isinstance(second, PeerStep)
    assert first.peers[0].cuts == second.peers[0].cuts == (5,)


# What peers do ------------------------------------------------------------------------------------


def test_a_line_is_cut_after_so_many_octets() -> None:
    async def scene(built: World, sender: Sender) -> None:
        peer = built.peers["relay.com"]
        assert (await sender.reply()).startswith("220")
        assert (await sender.say("HELO there")).startswith("250")
        sender.writer.write(b"MAIL FROM:<a@b.c>\r\n")
        assert await sender.reply() == ""
        assert [line.text for line in peer.heard] == ["HELO there"]
        async with connection(built) as second:
            await second.reply()
            await second.say("HELO x")
            replies = await second.send(b"Subject: x\r\n\r\ntext\r\n")
            assert replies[-1].startswith("250")
        assert len(peer.messages) == 1

    play(scene, cuts=(20,))


@pytest.mark.parametrize("reply", ["ok, drop", "ok, hang"])
def test_a_message_is_taken_without_a_word(reply: str) -> None:
    async def scene(built: World, sender: Sender) -> None:
        peer = built.peers["relay.com"]
        await sender.reply()
        await sender.say("HELO x")
        sending = asyncio.create_task(sender.send(b"Subject: x\r\n\r\n"))
        if reply == "ok, drop":
            with contextlib.suppress(ConnectionResetError):
                assert (await sending)[-1] == ""
        else:
            wait = f"smtp:{built.plan.address(peer.spec.address)}:25"
            while not peer.held(wait):
                await asyncio.sleep(0)
            assert len(peer.messages) == 1
            # It is one message, also when the host finds its tongue again.
            built.set_peer(PeerSpec(name="relay.com", address=peer.spec.address))
            assert (await sending)[-1].startswith("250")
        assert len(peer.messages) == 1

    play(scene, {"message": (reply,)})


# What the server computer does --------------------------------------------------------------------


def test_the_wall_clock_is_set_and_timers_do_not_notice() -> None:
    clock = HeldClock(start=1000.0)
    clock.call_later(60, lambda: None)
    clock.jump(-500)
    assert (clock.time(), clock.next_due()) == (500.0, 60.0)
    clock.jump(1e6)
    clock.fire_next()
    assert (clock.time(), clock.next_due()) == (1_000_560.0, None)


def test_a_clock_that_is_set_back_holds_up_no_timer() -> None:
    reactor = SelectReactor()
    steady(reactor)
    before = time.monotonic()
    due = reactor.callLater(60, lambda: None).getTime()
    assert before + 60 <= due <= time.monotonic() + 60
    for reader in reactor.removeAll():
        reader.connectionLost(None)


def engine(plan: str) -> EngineClient:
    target = load_target(ROOT / "targets/reference.toml")
    return EngineClient(EngineSettings(target=target, fixtures=ROOT / "fixtures", plan=plan))


@pytest.fixture(scope="module")
def namespace() -> Iterator[EngineClient]:
    with engine("namespace") as client:
        try:
            client.ready()
        except EngineError as error:
            pytest.skip(f"without the namespace plan there are no disks: {error}")
        yield client


def run(client: EngineClient, folder: Path, steps: str) -> tuple[Outcome, str]:
    given = "given: {domains: {mycompany.com: {accounts: [john]}}, clients: [10.1.1.1]}\n"
    result = client.run(load_one(folder, HEAD + given + "steps:\n" + steps))
    return result.outcome, result.reason


def test_a_full_disk_is_full_and_free_again(namespace: EngineClient, tmp_path: Path) -> None:
    mail = "  - mail: {to: john@mycompany.com, source: 10.1.1.1, size: 200K"
    taken, refused = f"{mail}}}\n", f"{mail}, refused: {{at: {{anywhere: 4*}}}}}}\n"
    assert run(
        *(namespace, tmp_path),
        f"{taken}  - disk: full\n{refused}  - disk: 3M\n{taken}  - disk: 10K\n{refused}"
        f"  - disk: free\n{taken}  - delivered: {{to: john@mycompany.com, count: 3}}\n",
    ) == (Outcome.PASSED, "")


def test_a_full_disk_is_no_idle_word(namespace: EngineClient, tmp_path: Path) -> None:
    outcome, reason = run(
        *(namespace, tmp_path),
        "  - disk: full\n  - mail: {to: john@mycompany.com, source: 10.1.1.1, size: 200K}\n",
    )
    assert outcome is Outcome.FAILED
    assert "45" in reason


def test_a_directory_that_is_not_there_is_an_error(namespace: EngineClient, tmp_path: Path) -> None:
    assert run(namespace, tmp_path, "  - disk: {read only: Quue}\n") == (
        Outcome.ERROR,
        "there is no directory Quue below the base directory",
    )
    # The next scenario has its own disk, which is not the worse for it.
    assert run(namespace, tmp_path, "  - disk: full\n  - disk: free\n")[0] is Outcome.PASSED


def test_the_loopback_plan_has_no_disks(tmp_path: Path) -> None:
    with engine("loopback") as client:
        assert run(client, tmp_path, "  - disk: full\n") == (
            Outcome.NOT_APPLICABLE,
            "the loopback plan cannot give the server a disk of its own",
        )


def test_a_clock_that_cannot_be_set_is_not_applicable(tmp_path: Path) -> None:
    file = tmp_path / "target.toml"
    file.write_text((ROOT / "targets/reference.toml").read_text().replace('"clock-jumps", ', ""))
    target = load_target(file)
    with EngineClient(EngineSettings(target=target, plan="loopback")) as client:
        assert run(client, tmp_path, "  - clock: back 1d\n") == (
            Outcome.NOT_APPLICABLE,
            "needs clock-jumps",
        )


# What the scenarios notice ------------------------------------------------------------------------


def _case(name: str, file: str, old: str, new: str, witness: str) -> Sabotage:
    return Sabotage(name, file, (old, new), f"faults/{witness}", frozenset())


#: Servers that lose or double mail in some trouble, and the scenario that says so.
SABOTAGES = (
    _case(
        "done-is-not-written-down",
        "queue/directory.py",
        "heads.status(message.states[index], message.warned[index])",
        "heads.status(heads.State.WAITING, False)",
        "killed-between-recipients",
    ),
    _case(
        "written-down-once-or-never",
        "queue/dequeuer.py",
        "                if not result.check(FileNotFoundError):",
        "                if False:",
        "read-only-queue",
    ),
    _case(
        "full-disk-goes-unnoticed",
        "queue/changes.py",
        "        os.close(descriptor)\n        raise\n    return descriptor",
        "        pass\n    return descriptor",
        "disk-full-receiving",
    ),
    _case(
        "full-mailbox-disk-loses",
        "transport/local_store.py",
        "            return Kept(Obstacle.BROKEN, repr(error))",
        '            return delivered("stored, perhaps")',
        "disk-full-mailbox",
    ),
    _case(
        "read-only-mailbox-returns",
        "transport/local_store.py",
        "            return Kept(Obstacle.BROKEN, repr(error))",
        "            return failed(*REPORTS[Obstacle.BROKEN])",
        "read-only-mailbox",
    ),
    _case(
        "broken-line-counts-as-sent",
        "transport/smtp_channel.py",
        "        queue.transfers.append(transfer)\n\n    def _delay",
        "        sent = Outcome(Result.RELAYED, 'sent, perhaps', '2.0.0')\n"
        "        self._reports.report(transfer.message, transfer.indexes, sent)\n\n    def _delay",
        "cut-line",
    ),
    _case(
        "age-without-sign",
        "transport/retry.py",
        "        return age >= self.give_up_after - TOLERANCE",
        "        return abs(age) >= self.give_up_after / 3 - TOLERANCE",
        "clock-jumps-waiting",
    ),
)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("workshop"), engines=1)


@pytest.mark.sabotage
@pytest.mark.parametrize("case", SABOTAGES, ids=lambda case: case.name)
def test_a_scenario_notices(workshop: Workshop, case: Sabotage) -> None:
    scenarios = load_file(ROOT / "scenarios" / f"{case.witness}.yaml")
    results = workshop.run(workshop.copy(case), scenarios)
    outcomes = {result.outcome for result in results}
    assert Outcome.FAILED in outcomes, [result.reason for result in results]
    assert outcomes <= {Outcome.FAILED, Outcome.PASSED}
