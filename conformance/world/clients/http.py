"""A browser's part: one request over a plan's socket, read to its end.

It speaks HTTP/1.0, so that the end of the connection is the end of the answer; the parsing is the
standard library's.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import io
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import IO, Any
from urllib.parse import urlencode, urlsplit

from conformance.world.clients.channel import REPLY_SECONDS, ConnectRefused, ReplyTimeout
from conformance.world.clients.replies import ClientError
from conformance.world.plan import Plan
from conformance.world.transcript import HEARD, SAID, Transcript, printable

_SHOWN_OCTETS = 2000


class BadAnswerError(ClientError):
    """The answer is not HTTP."""


@dataclass(frozen=True, slots=True)
class HttpReply:
    """What a server answered."""

    status: int
    header: Message
    body: bytes


class _Answer:
    """What ``http.client`` takes for a socket."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def makefile(self, *_: Any) -> IO[bytes]:
        return io.BytesIO(self._octets)


async def get(
    plan: Plan,
    transcript: Transcript,
    *,
    url: str,
    source: str,
    server: str,
    port: int,
    channel: str,
    login: tuple[str, str] | None = None,
    seconds: float = REPLY_SECONDS,
    fields: Mapping[str, str] | None = None,
) -> HttpReply:
    """Ask ``server`` for a URL, perhaps with a name and password. Raises ClientError.

    With ``fields``, those of a form, the request is a POST.
    """
    parts = urlsplit(url)
    path = parts.path or "/"
    content = "" if fields is None else urlencode(fields)
    method = "GET" if fields is None else "POST"
    query = f"?{parts.query}" if parts.query else ""
    request = f"{method} {path}{query} HTTP/1.0\r\nHost: {parts.netloc}"
    if fields is not None:
        request += "\r\nContent-Type: application/x-www-form-urlencoded"
        request += f"\r\nContent-Length: {len(content)}"
    transcript.add(channel, SAID, request.replace("\r\n", "; "))
    if login is not None:
        credentials = base64.b64encode(":".join(login).encode()).decode()
        request += f"\r\nAuthorization: Basic {credentials}"
        transcript.remark(f"with the password of {login[0]}", channel=channel)
    request += f"\r\n\r\n{content}"
    what = f"{method} {url}"
    try:
        octets = await asyncio.wait_for(
            _exchange(plan, source, server, parts.port or port, request.encode()),
            seconds,
        )
    except TimeoutError:
        raise ReplyTimeout(f"no whole answer to {what} for {seconds:g} s") from None
    except OSError as error:
        raise ConnectRefused(
            f"no connection for {method} {url}: {error.strerror or error}"
        ) from None
    for line in octets[:_SHOWN_OCTETS].splitlines():
        transcript.add(channel, HEARD, printable(line))
    response = http.client.HTTPResponse(_Answer(octets))  # type: ignore[arg-type]
    try:
        response.begin()
        return HttpReply(response.status, response.headers, response.read())
    except http.client.HTTPException as error:
        raise BadAnswerError(f"the answer to {what} is not HTTP: {error}") from None


async def _exchange(plan: Plan, source: str, server: str, port: int, request: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    with plan.client_socket(source) as connection:
        await loop.sock_connect(connection, plan.connect_address(server, port))
        await loop.sock_sendall(connection, request)
        received = bytearray()
        while block := await loop.sock_recv(connection, 65536):
            received += block
        return bytes(received)
