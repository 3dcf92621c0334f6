"""Small SMTP servers for the relay test, each with one weakness, behind a synchronous start."""

import asyncio
import contextlib
import re
import threading

FOREIGN = "mailproof-relay-test.example"
PATH = re.compile(r"(?:FROM|TO):\s*<?([^>]*)>?", re.IGNORECASE)


class Refusing:
    """Takes mail for itself and refuses everything else; the weak ones below differ from it."""

    greeting = "220 toy.example ESMTP"
    accounts = frozenset({"postmaster"})

    def __init__(self):
        self.sessions = []

    async def session(self, reader, writer):
        heard = []
        self.sessions.append(heard)
        with contextlib.suppress(ConnectionError):
            await self.greet(writer)
            while line := (await reader.readline()).decode("latin-1").rstrip("\r\n"):
                heard.append(line)
                reply = await self.reply(heard, line)
                if reply is not None:
                    writer.write(f"{reply}\r\n".encode("latin-1"))
                if line == "QUIT":
                    break
        writer.close()

    async def greet(self, writer):
        writer.write(f"{self.greeting}\r\n".encode("latin-1"))

    async def reply(self, heard, line):
        verb = line.split(" ")[0].split(":")[0].upper()
        method = getattr(self, f"on_{verb.lower()}", None)
        return method(heard, line) if method else "500 what?"

    def on_ehlo(self, heard, line):
        return "250-toy.example\r\n250 AUTH PLAIN LOGIN"

    def on_mail(self, heard, line):
        return "250 ok"

    def on_rset(self, heard, line):
        return "250 ok"

    def on_auth(self, heard, line):
        return "535 no"

    def on_quit(self, heard, line):
        return "221 bye"

    def on_rcpt(self, heard, line):
        path = PATH.search(line)[1]
        return "250 ok" if self.takes(heard, path) else "550 relaying denied"

    def takes(self, heard, path):
        local, _, domain = path.partition("@")
        return domain == "toy.example" and local in self.accounts


class Open(Refusing):
    def takes(self, heard, path):
        return True


class PercentOnly(Refusing):
    """Relays what stands left of its own domain as an address with a percent sign."""

    def takes(self, heard, path):
        return path == f"victim%{FOREIGN}@toy.example" or super().takes(heard, path)


class TrustsAttempts(Refusing):
    """Forgets that AUTH failed."""

    def takes(self, heard, path):
        return any(line.startswith("AUTH") for line in heard) or super().takes(heard, path)


class CatchAll(Refusing):
    """Takes every name of its own domain, and relays nothing."""

    def takes(self, heard, path):
        return path.endswith("@toy.example") and "," not in path and ":" not in path


class Suspicious(Refusing):
    """Refuses the stranger before it has heard of a recipient."""

    def on_mail(self, heard, line):
        return "553 your domain does not exist" if "elsewhere.example" in line else "250 ok"


class Greylisting(Refusing):
    def on_rcpt(self, heard, line):
        return "451 come back later"


class HeloOnly(Open):
    def on_ehlo(self, heard, line):
        return "502 too modern"

    def on_helo(self, heard, line):
        return "250 hello"

    def takes(self, heard, path):
        return any(line.startswith("HELO") for line in heard)


class Hanging(Refusing):
    """Never answers RCPT."""

    async def reply(self, heard, line):
        return None if line.startswith("RCPT") else await super().reply(heard, line)


class Closing(Refusing):
    """Closes the connection at RCPT."""

    async def reply(self, heard, line):
        if line.startswith("RCPT"):
            raise ConnectionResetError
        return await super().reply(heard, line)


class OpenThenSilent(Open):
    """Relays for the first sessions, then closes at once."""

    async def greet(self, writer):
        if len(self.sessions) > 5:
            raise ConnectionResetError
        await super().greet(writer)


class Mute(Refusing):
    """Never greets."""

    async def greet(self, writer):
        pass


class Endless(Refusing):
    """Answers RCPT with a line that does not end."""

    async def reply(self, heard, line):
        if line.startswith("RCPT"):
            return "2" * 70_000
        return await super().reply(heard, line)


class Chatty(Refusing):
    async def reply(self, heard, line):
        if line.startswith("RCPT"):
            return "250-and so on\r\n" * 1001 + "250 done"
        return await super().reply(heard, line)


@contextlib.contextmanager
def listening(server):
    """Run a server in a thread of its own; give its port."""
    loop = asyncio.new_event_loop()
    started = asyncio.run_coroutine_threadsafe
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    listener = started(asyncio.start_server(server.session, "127.0.0.1", 0), loop).result(10)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        started(_end(listener), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _end(listener):
    """End with the last session; each ends when its client is gone."""
    listener.close()
    sessions = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*sessions)
