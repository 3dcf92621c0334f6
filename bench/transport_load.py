"""Send messages to an SMTP server as fast as it takes them: the load of ``bench/transport.py``.

    python bench/transport_load.py --port 2525 [--messages 2000] [--sessions 20] [--size 4096]

So many sessions are opened; when all are greeted, each sends one message after the other, every
command after the reply to the last one, until all messages are accepted. Printed is one line of
JSON: when it began and ended (seconds of the system's monotonic clock), what the generator itself
cost (seconds of processor time), how long messages took from MAIL to the last 250, and what was
refused.

``--sink`` makes it a server instead, which answers and stores nothing: how fast the generator is
against it says that the generator is not what is measured.
"""

from __future__ import annotations

import argparse
import json
import resource
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

#: Seconds of silence after which a server counts as stuck.
PATIENCE = 60.0
#: A session waits here until all others have come as far.
NOTHING_YET = (b"", b"")
_LINE = b"x" * 62 + b"\r\n"


def content(number: int, size: int) -> bytes:
    """Return a message of exactly ``size`` octets, with the dot that ends it added."""
    header = (
        f"From: <sender@client.example>\r\nTo: <box@main.example>\r\nSubject: message {number}\r\n"
        f"Message-ID: <{number}.{size}@client.example>\r\n\r\n"
    ).encode()
    rest = max(0, size - len(header))
    # Every line is a whole one; the last may be longer.
    body = _LINE * (rest // len(_LINE))
    body = b"y" * (rest - len(body)) + body
    return header + body + b".\r\n"


class Refused(Exception):  # noqa: N818 - it is what happened
    """The server gave another answer than the one that it had to give."""


class Load:
    """Messages for everybody's taking, and what became of them."""

    def __init__(self, *, messages: int, size: int, recipients: int, to: str) -> None:
        """``to`` is a recipient's address, with ``{number}`` in the place of its number."""
        self.size = size
        self.ready = 0
        """Sessions that are open and greeted."""
        self.accepted = 0
        self.errors: list[str] = []
        self.seconds: list[float] = []
        self._numbers = iter(range(messages))
        self._to = [
            f"RCPT TO:<{to.format(number=number)}>\r\n".encode() for number in range(recipients)
        ]

    def next(self) -> tuple[int, bytes] | None:
        """Return the next message's number and its RCPT command; None when there is none."""
        number = next(self._numbers, None)
        return None if number is None else (number, self._to[number % len(self._to)])


def talk(load: Load) -> Iterator[tuple[bytes, bytes]]:
    """Yield what one session sends and with what the server must answer."""
    yield b"", b"220"
    yield b"EHLO client.example\r\n", b"250"
    load.ready += 1
    yield NOTHING_YET
    while (message := load.next()) is not None:
        number, recipient = message
        begun = time.perf_counter()
        yield b"MAIL FROM:<sender@client.example>\r\n", b"250"
        yield recipient, b"25"
        yield b"DATA\r\n", b"354"
        yield content(number, load.size), b"250"
        load.accepted += 1
        load.seconds.append(time.perf_counter() - begun)
    yield b"QUIT\r\n", b"221"


class Session:
    """One connection."""

    def __init__(self, address: tuple[str, int], load: Load) -> None:
        self._load = load
        self._talk = talk(load)
        self._heard = b""
        self.socket = socket.create_connection(address, timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _, self._expected = next(self._talk)

    def go_on(self) -> bool:
        """Take what the server says and answer; return False when the session is over."""
        octets = self.socket.recv(65536)
        if not octets:
            raise Refused("the server has closed the connection")
        heard = self._heard = self._heard + octets
        last = heard[heard.rfind(b"\n", 0, -1) + 1 :]
        if not heard.endswith(b"\n") or last[3:4] == b"-":
            return True
        if not heard.startswith(self._expected):
            raise Refused(heard.decode("ascii", "replace").strip())
        self._heard = b""
        return self.send()

    def send(self) -> bool:
        """Send what comes next; return False when the session is over."""
        step = next(self._talk, None)
        if step is None:
            return False
        octets, self._expected = step
        self.socket.sendall(octets)
        return True


def run(address: tuple[str, int], load: Load, sessions: int) -> dict[str, Any]:
    """Send all messages; return what is printed."""
    used = _processor()
    with selectors.DefaultSelector() as selector:
        opened = time.monotonic()
        everybody = [Session(address, load) for _ in range(sessions)]
        for session in everybody:
            selector.register(session.socket, selectors.EVENT_READ, session)
        while load.ready < sessions and not load.errors:
            _turn(selector, load)
        begun = time.monotonic()
        together = load.ready
        for session in everybody if not load.errors else ():
            session.send()
        while selector.get_map() and together == sessions:
            if not _turn(selector, load):
                load.errors.append(f"no answer for {PATIENCE:.0f} seconds")
                break
    return {
        "opening": begun - opened,
        "together": together,
        "begun": begun,
        "ended": time.monotonic(),
        "accepted": load.accepted,
        "processor": _processor() - used,
        "latencies": percentiles(load.seconds),
        "errors": load.errors,
    }


def _turn(selector: selectors.BaseSelector, load: Load) -> bool:
    """Let all sessions go on that have heard something; return False when none has."""
    ready = selector.select(PATIENCE)
    for key, _ in ready:
        try:
            alive = key.data.go_on()
        except (Refused, OSError) as error:
            load.errors.append(str(error))
            alive = False
        if not alive:
            selector.unregister(key.fileobj)
            key.data.socket.close()
    return bool(ready)


def percentiles(seconds: list[float]) -> dict[str, float]:
    """Return the median, the 99th of a hundred and the greatest; nothing of nothing."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    count = len(ordered)
    return {
        "median": ordered[count // 2],
        "99": ordered[min(count - 1, count * 99 // 100)],
        "most": ordered[-1],
    }


def sink(listener: socket.socket) -> None:
    """Answer all SMTP sessions and store nothing, until the process is ended."""
    replies = {b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        inside: dict[int, bytes] = {}
        while True:
            for key, _ in selector.select():
                if key.fileobj is listener:
                    connection, _ = listener.accept()
                    connection.sendall(b"220 sink\r\n")
                    selector.register(connection, selectors.EVENT_READ, connection)
                    continue
                octets = key.data.recv(65536)
                if not octets:
                    selector.unregister(key.data)
                    key.data.close()
                elif key.fd in inside:
                    inside[key.fd] = tail = (inside[key.fd] + octets)[-5:]
                    if tail == b"\r\n.\r\n":
                        del inside[key.fd]
                        key.data.sendall(b"250 taken\r\n")
                else:
                    if octets.startswith(b"DATA"):
                        inside[key.fd] = b""
                    key.data.sendall(replies.get(octets[:4], b"250 yes\r\n"))


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> int:
    """Send and print; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--size", type=int, default=4096, help="octets of a message")
    parser.add_argument("--recipients", type=int, default=20, help="how many addresses get mail")
    parser.add_argument("--to", default="u{number}@main.example", help="what the addresses are")
    parser.add_argument("--sink", action="store_true", help="be a server that stores nothing")
    options = parser.parse_args()
    address = (options.address, options.port)
    if options.sink:
        sink(socket.create_server(address, backlog=1024))
    load = Load(
        messages=options.messages, size=options.size, recipients=options.recipients, to=options.to
    )
    result = run(address, load, options.sessions)
    print(json.dumps(result))
    return 1 if result["errors"] else 0


if __name__ == "__main__":
    sys.exit(main())
