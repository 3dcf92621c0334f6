"""Rest and the clock over the control socket, with a server and a world that are scripts."""

import asyncio
import json

import pytest

from conformance.targets import control
from conformance.targets.base import TargetError
from conformance.targets.control import Control, ControlLost


class Server:
    """The other end of the socket; ``answers`` maps an operation to a function."""

    def __init__(self, path, **answers):
        self.path = path
        self.answers = answers
        self.heard = []

    async def __aenter__(self):
        self.reader, self.writer = await asyncio.open_unix_connection(self.path)
        self.say(event="ready", pid=42)
        self.serving = asyncio.ensure_future(self.serve())
        return self

    async def __aexit__(self, *_):
        self.serving.cancel()
        self.writer.close()

    def say(self, **message):
        self.writer.write(json.dumps(message).encode() + b"\n")

    async def serve(self):
        while line := await self.reader.readline():
            request = json.loads(line)
            self.heard.append(request)
            answer = self.answers.get(request["op"])
            if answer is not None:
                answer(self, request)


def quiet(*waits):
    def answer(server, request):
        server.say(event="quiet", serial=1, waits=list(waits))
        server.say(id=request["id"], waits=list(waits), next_timer=None)

    return answer


def run(tmp_path, story, **answers):
    async def play():
        link = Control(tmp_path / "control")
        await link.listen()
        try:
            async with Server(tmp_path / "control", **answers) as server:
                assert await link.ready() == 42
                return await asyncio.wait_for(story(link, server), 5)
        finally:
            link.close()

    return asyncio.run(play())


def nothing_held(_wait, _count=1):
    return False


def test_a_quiet_server_without_waits_is_at_rest(tmp_path):
    run(tmp_path, lambda link, _: link.rest(nothing_held), quiet=quiet())


def test_held_waits_do_not_keep_from_rest(tmp_path):
    asked = []

    def held(wait, count=1):
        asked.append((wait, count))
        return True

    run(tmp_path, lambda link, _: link.rest(held), quiet=quiet("smtp:1.2.3.4:25", "dns:A a.b"))
    assert {("smtp:1.2.3.4:25", 1), ("dns:A a.b", 1)} <= set(asked)


def test_waits_of_one_name_are_counted(tmp_path):
    def held(_wait, count=1):
        return count <= 2

    waits = ["smtp:1.2.3.4:25"] * 2
    run(tmp_path, lambda link, _: link.rest(held), quiet=quiet(*waits))


def test_rest_comes_when_the_world_begins_to_hold(tmp_path):
    holding = []

    async def story(link, server):
        resting = asyncio.ensure_future(link.rest(lambda wait, count=1: wait in holding))
        while not server.heard:
            await asyncio.sleep(0)
        assert not resting.done()
        holding.append("dns:A a.b")
        link.world_changed()
        await resting

    run(tmp_path, story, quiet=quiet("dns:A a.b"))


def test_rest_comes_when_the_server_stops_waiting(tmp_path):
    waits = ["smtp:1.2.3.4:25"]

    def answer(server, request):
        server.say(id=request["id"], waits=list(waits))
        if waits:
            waits.clear()
            server.say(event="quiet", serial=2, waits=[])

    run(tmp_path, lambda link, _: link.rest(nothing_held), quiet=answer)


def test_a_server_that_never_rests_is_told_with_what_it_waits_for(tmp_path, monkeypatch):
    monkeypatch.setattr(control, "REST_BOUND", 0.1)

    def state(server, request):
        server.say(id=request["id"], tasks=2, waits=["smtp:1.2.3.4:25"])

    with pytest.raises(TargetError) as caught:
        run(
            tmp_path,
            lambda link, _: link.rest(nothing_held),
            quiet=quiet("smtp:1.2.3.4:25"),
            state=state,
        )
    assert str(caught.value) == (
        "the server did not come to rest within 0.1 seconds: 2 tasks are left and it waits for "
        "smtp:1.2.3.4:25"
    )


def test_a_silent_server_hangs(tmp_path, monkeypatch):
    monkeypatch.setattr(control, "REST_BOUND", 0.1)
    with pytest.raises(TargetError, match="does not answer on its control socket: it hangs"):
        run(tmp_path, lambda link, _: link.rest(nothing_held))


def test_an_advance_tells_what_is_held_whenever_it_changes(tmp_path):
    holding = set()

    def advance(server, request):
        server.say(event="quiet", serial=2, waits=["dns:A a.b"])
        server.number = request["id"]

    def held(server, request):
        if "dns:A a.b" in request["waits"]:
            server.say(id=server.number, waits=["dns:A a.b"])

    async def story(link, server):
        moving = asyncio.ensure_future(link.advance(60, lambda wait, count=1: wait in holding))
        while not any(each["op"] == "held" for each in server.heard):
            await asyncio.sleep(0)
        assert not moving.done()
        holding.add("dns:A a.b")
        link.world_changed()
        await moving
        return server.heard

    heard = run(tmp_path, story, quiet=quiet(), advance=advance, held=held)
    assert next(each for each in heard if each["op"] == "advance")["seconds"] == 60


def test_a_clock_that_cannot_be_moved_is_an_error(tmp_path):
    def advance(server, request):
        server.say(id=request["id"], error="not held")

    with pytest.raises(TargetError, match="cannot move its clock: not held"):
        run(tmp_path, lambda link, _: link.advance(1, nothing_held), quiet=quiet(), advance=advance)


def test_a_lost_server_ends_every_question(tmp_path):
    def answer(server, request):
        server.writer.close()

    with pytest.raises(ControlLost, match="closed its control socket"):
        run(tmp_path, lambda link, _: link.rest(nothing_held), quiet=answer)


def test_a_server_that_talks_nonsense_is_told_so(tmp_path):
    async def story(link, server):
        server.writer.write(b"hello\n")
        await link.rest(nothing_held)

    with pytest.raises(ControlLost, match="the control socket broke"):
        run(tmp_path, story)


def test_stop_is_passed_on(tmp_path):
    async def story(link, server):
        link.stop()
        while not server.heard:
            await asyncio.sleep(0)
        return server.heard

    assert run(tmp_path, story) == [{"op": "stop"}]
