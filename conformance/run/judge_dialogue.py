"""Steps ``smtp``, ``pop``, ``imap``, ``pwd``: lines over one connection, judged reply by reply."""

from __future__ import annotations

from dataclasses import replace

from conformance.run.scene import Mismatch, Scene
from conformance.scenario.dialogue import (
    Authenticate,
    Drop,
    Event,
    ExchangeRoles,
    Expect,
    ExpectClose,
    ExpectRefused,
    ExpectSilence,
    ExpectTurnedAway,
    Line,
    Remark,
    Send,
    SendFile,
    StartTLS,
)
from conformance.scenario.model import Position, Step
from conformance.scenario.patterns import Pattern, substitute
from conformance.scenario.steps import DialogueStep
from conformance.world.clients.line import (
    ClientError,
    ConnectRefused,
    Dialect,
    LineClient,
    Reply,
)


async def judge_dialogue(scene: Scene, step: Step) -> None:
    """Play a dialogue. Raises Mismatch at the first reply that is not the expected one."""
    value: DialogueStep = step.value
    client = await _client(scene, value)
    if client is None:
        return
    talk = _Talk(scene, client, step.position, value.protocol)
    try:
        for event in value.events:
            await talk.play(event)
    finally:
        if not value.connection:
            client.close()


async def _client(scene: Scene, value: DialogueStep) -> LineClient | None:
    """Return the dialogue's client, connected; None if it was refused as the dialogue says."""
    key = f"{value.protocol} {value.connection}"
    if not value.opens:
        return scene.connections[key]
    channel = key if value.connection else f"{value.protocol} from {value.source}"
    client = LineClient(
        scene.plan,
        scene.transcript,
        dialect=Dialect(value.protocol),
        channel=channel,
        seconds=scene.patience,
    )
    if value.connection:
        scene.connections[key] = client
    port = value.port or scene.session.port(value.protocol)
    try:
        await client.connect(value.source, value.to or scene.server, port)
    except ClientError as error:
        first = next((event for event in value.events if not isinstance(event, Remark)), None)
        if isinstance(error, ConnectRefused) and isinstance(
            first, ExpectRefused | ExpectTurnedAway
        ):
            scene.transcript.remark(str(error), channel=channel)
            return None
        scene.transcript.remark(str(error), channel=channel, bad=True)
        raise Mismatch(str(error), lost=True) from None
    return client


class _Talk:
    """One dialogue under way."""

    def __init__(self, scene: Scene, client: LineClient, position: Position, protocol: str) -> None:
        self._scene = scene
        self._client = client
        self._position = position
        self._protocol = protocol
        self._said = "the connection"
        self._reply: Reply | None = None
        self._ahead: Reply | None = None
        """A reply that was read already."""

    async def play(self, event: Event) -> None:
        """Do or judge one event. Raises Mismatch."""
        try:
            await self._play(event)
        except ClientError as error:
            self._scene.transcript.mark_bad(self._client.channel)
            raise Mismatch(
                f"{self._said}: {error}", position=self._at(event.line), lost=True
            ) from None

    async def _play(self, event: Event) -> None:
        match event:
            case Send():
                self._say(event)
                await self._client.send(event.octets(self._scene.variables))
            case SendFile():
                self._said = f"the message {event.name}"
                await self._client.send_data(self._scene.message(event.name))
            case Expect():
                self._reply, self._ahead = self._ahead or await self._client.read_reply(), None
                self._judge(event, self._reply)
            case Line():
                self._judge_line(event)
            case StartTLS():
                await self._start_tls(event.line, event.name)
            case Authenticate():
                await self._authenticate(event)
            case ExpectSilence():
                await self._judge_silence(event.line)
            case ExpectRefused() | ExpectTurnedAway() | ExpectClose():
                await self._judge_end(event)
            case ExchangeRoles():
                self._scene.world.peers[event.peer].take_over(self._client.give_away())
            case Drop():
                await self._client.drop()
            case Remark():
                self._scene.transcript.remark(event.text, channel=self._client.channel)

    async def _judge_end(self, event: ExpectRefused | ExpectTurnedAway | ExpectClose) -> None:
        if isinstance(event, ExpectRefused):
            raise self._mismatch(event.line, "the connection was taken, expected a refusal")
        if isinstance(event, ExpectTurnedAway):
            await self._client.expect_turned_away()
            return
        self._said = f"after {self._said}"
        await self._client.expect_close()

    async def _start_tls(self, line: int, name: Pattern | None) -> None:
        await self._client.start_tls()
        names = self._client.certificate_names() if name is not None else ()
        if name is not None and not any(map(name.matches, names)):
            shown = " and ".join(names) or "nobody"
            raise self._mismatch(
                line, f"the certificate is for {shown}, expected one for {name.describe()}"
            )

    async def _authenticate(self, event: Authenticate) -> None:
        self._said = f"AUTH {event.method} as {event.name}"
        name, password = (
            substitute(text, self._scene.variables) for text in (event.name, event.password)
        )
        self._ahead = await self._client.authenticate(event.method, name, password)

    async def _judge_silence(self, line: int) -> None:
        await self._scene.rest()
        heard = self._client.unread()
        if heard:
            raise self._mismatch(
                line, f"{self._said}: the server said {heard[:60]!r}, expected silence"
            )

    def _say(self, event: Send) -> None:
        self._said = event.text.strip() or "an empty line"
        if self._protocol == "pwd" and self._said.lower() == "shutdown":
            self._scene.session.may_end()

    def _judge(self, expected: Expect, reply: Reply) -> None:
        if not expected.accepts(reply.code):
            raise self._mismatch(
                expected.line, f"{self._said} got {reply}, expected {expected.code}"
            )
        if expected.pattern is None or (expected.text_only and not self._scene.strict):
            return
        bound = expected.pattern.match(reply.text, self._scene.variables)
        if bound is None:
            wanted = expected.pattern.describe()
            raise self._mismatch(
                expected.line, f"{self._said} got {reply}, expected a text that is {wanted}"
            )
        self._scene.variables.update(bound)

    def _judge_line(self, event: Line) -> None:
        texts = self._reply.texts if self._reply is not None else ()
        for text in texts:
            bound = event.pattern.match(text, self._scene.variables)
            if bound is not None and event.present:
                self._scene.variables.update(bound)
                return
            if bound is not None:
                raise self._mismatch(event.line, f"the reply to {self._said} has the line {text!r}")
        if event.present:
            wanted = event.pattern.describe()
            raise self._mismatch(
                event.line, f"the reply to {self._said} has no line that is {wanted}"
            )

    def _mismatch(self, line: int, sentence: str) -> Mismatch:
        self._scene.transcript.mark_bad(self._client.channel)
        return Mismatch(sentence, position=self._at(line))

    def _at(self, line: int) -> Position:
        return replace(self._position, line=line, column=1)
