"""The Queue: where messages are submitted, and what keeps them until everything is done.

Guide 3.5.2, Message Transfer. The way of a message is one line: a draft (``.tmp``), durable
(``.msg``), routed by the Enqueuer, delivered by the modules, reported and removed by the Dequeuer.
:class:`Queue` is the face of it all: receivers write drafts, modules and the CLI submit whole
messages, and the server calls :meth:`Queue.recover` before it lets anybody in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from reference.kernel.clock import Clock
from reference.kernel.work import Token, Work
from reference.queue.delivery import DeliveryModule
from reference.queue.dequeuer import Dequeuer
from reference.queue.directory import Log, MessageFile, QueueDirectory
from reference.queue.enqueuer import Enqueuer, MessageRules, Router
from reference.queue.envelope import Envelope
from reference.queue.message import QueuedMessage
from reference.queue.options import Settings
from reference.queue.rounds import Crew
from reference.queue.threads import Threads

#: Message files that are read in one go at start.
RECOVERY_BATCH = 200


class QueueError(Exception):
    """A message could not be stored. ``str()`` says why; the sender may try again later."""


class Draft:
    """A message being submitted. End it with :meth:`commit` or :meth:`abort`, once."""

    def __init__(self, queue: Queue, file: MessageFile, envelope: Envelope) -> None:
        self._queue = queue
        self._file = file
        self.envelope = envelope
        self.name = file.name
        """The message's number in the queue and the log."""

    @property
    def size(self) -> int:
        """Octets of content written so far."""
        return self._file.size

    def write(self, octets: bytes) -> None:
        """Add content (lines end with CR LF, dots are not doubled).

        A failure to store it, as on a full disk, shows in :meth:`commit`.
        """
        self._file.append(octets)

    def keep(self) -> None:
        """Let the message have its file now: the rest of the content takes its time.

        A message that is committed without ever waiting is written in one go.
        """
        self._queue.keep(self._file)

    def abort(self) -> None:
        """Give the message up; nothing of it remains."""
        self._queue.discard(self._file)

    def commit(self) -> Deferred[str]:
        """Submit the message; fires with its name when it survives a power failure.

        From this call on the server is busy with the message (it holds a task) until all recipients
        are handed to modules. Fails with :class:`QueueError`; nothing of the message remains then.
        """
        return self._queue.accept(self._file)


class Queue:
    """The message queue.

    ``files`` runs the commits, one round at a time, unless ``crew`` takes a round; ``readers`` runs
    what reads message files.
    ``host`` gives the Main Domain name.
    """

    def __init__(
        self,
        *,
        folder: Path,
        clock: Clock,
        work: Work,
        log: Log,
        settings: Settings,
        router: Router,
        files: Threads,
        readers: Threads,
        host: Callable[[], str],
        crew: Crew | None = None,
    ) -> None:
        self._work = work
        self._log = log
        self._readers = readers
        self._modules: dict[str, DeliveryModule] = {}
        self._directory = QueueDirectory(
            folder=folder, clock=clock, threads=files, log=log, crew=crew
        )
        self.dequeuer = Dequeuer(
            directory=self._directory,
            clock=clock,
            work=work,
            log=log,
            settings=settings,
            host=host,
            submit=self.submit,
        )
        self._enqueuer = Enqueuer(
            router=router,
            modules=self._modules,
            reports=self.dequeuer,
            log=log,
            settings=settings,
            work=work,
        )

    def attach(self, module: DeliveryModule) -> None:
        """Add a module that delivers what is routed to its name."""
        self._modules[module.name] = module

    def attach_rules(self, rules: MessageRules) -> None:
        """Let the Enqueuer apply the Server-Wide Rules."""
        self._enqueuer.rules = rules

    def new(self, envelope: Envelope) -> Draft:
        """Begin a message."""
        if not envelope.recipients:
            raise ValueError("a message needs a recipient")
        return Draft(self, self._directory.new(envelope), envelope)

    def submit(
        self, envelope: Envelope, content: bytes | Callable[[], Iterable[bytes]]
    ) -> Deferred[str]:
        """Submit a whole message; fires with its name when it is durable.

        ``content`` is the message, or a call that gives it in blocks and is made in a thread. The
        server is busy from this call on. Fails with :class:`QueueError`.
        """
        return Deferred.fromCoroutine(self._submit(envelope, content))

    async def _submit(
        self, envelope: Envelope, content: bytes | Callable[[], Iterable[bytes]]
    ) -> str:
        with self._work.doing("submit"):
            draft = self.new(envelope)
            try:
                if isinstance(content, bytes):
                    draft.write(content)
                else:
                    await self._readers.run(partial(_fill, draft, content))
            except OSError as error:
                draft.abort()
                raise QueueError(f"the message cannot be composed: {error}") from error
            return await draft.commit()

    def release(self, host: str) -> bool:
        """Let the modules work on a queue now; return False if none has a queue of this name."""
        return any(module.release(host) for module in self._modules.values())

    def accept(self, file: MessageFile) -> Deferred[str]:
        """Make a draft durable and enqueue it; what :meth:`Draft.commit` does."""
        token = self._work.task("enqueue")
        accepted: Deferred[str] = Deferred()

        def durable(message: QueuedMessage) -> None:
            self._note(message)
            # The submitter hears first: its 250 does not wait for the routing of a thousand
            # recipients, and the message's task is held all the while.
            accepted.callback(message.name)
            self._enqueue(message)

        def lost(failure: Failure) -> None:
            accepted.errback(QueueError(f"the message cannot be stored: {failure.value}"))

        self._directory.commit(file).addCallbacks(durable, lost).addBoth(_release, token)
        return accepted

    def keep(self, file: MessageFile) -> None:
        """Make a draft's file; what :meth:`Draft.keep` does."""
        self._directory.make(file)

    def discard(self, file: MessageFile) -> None:
        """Give a draft up; what :meth:`Draft.abort` does."""
        self._directory.discard(file)

    def recover(self) -> Deferred[int]:
        """Take over what the last run left, exactly once; fires with the number of messages.

        Call it before anything is submitted.
        """
        token = self._work.task("recover")
        names = self._directory.scan()
        return Deferred.fromCoroutine(self._recover(names)).addBoth(_release, token)

    async def _recover(self, names: list[str]) -> int:
        found = 0
        for start in range(0, len(names), RECOVERY_BATCH):
            batch = names[start : start + RECOVERY_BATCH]
            for message in await self._readers.run(partial(self._load, batch)):
                found += 1
                self._log.write(3, "QUEUE", f"[{message.name}] resubmitted")
                self.dequeuer.resume(message)
                self._enqueue(message)
        return found

    def _load(self, names: list[str]) -> list[QueuedMessage]:
        loaded = (self._directory.load(name) for name in names)
        return [message for message in loaded if message is not None]

    def _note(self, message: QueuedMessage) -> None:
        envelope = message.envelope
        self._log.write(
            2,
            "QUEUE",
            f"[{message.name}] from <{envelope.return_path}> via {envelope.source.protocol}, "
            f"{message.size} bytes, {len(envelope.recipients)} recipient(s)",
        )

    def _enqueue(self, message: QueuedMessage) -> None:
        try:
            self._enqueuer.enqueue(message)
        except Exception as error:  # noqa: BLE001 - one message must not stop the others
            # The message file stays: the next start tries again.
            self._log.write(1, "ENQUEUER", f"[{message.name}] not enqueued: {error!r}")


def _fill(draft: Draft, content: Callable[[], Iterable[bytes]]) -> None:
    for block in content():
        draft.write(block)


def _release(result: object, token: Token) -> object:
    token.done()
    return result
