"""The namespace plan, in processes of its own: as the tests' user and as nobody."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
NOBODY = 65534

PRELUDE = """
import json, os, select, socket, subprocess, sys
from conformance.world.choose import choose_plan
from conformance.world.plan import PlanError
plan = choose_plan("namespace")
plan.set_server_addresses(["10.0.0.1", "10.0.0.2"])
def serve(address, port):
    with plan.on_server():
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen()
        listening.settimeout(5)
    return listening
def connect(source, host, port):
    client = plan.client_socket(source)
    client.settimeout(5)
    client.connect(plan.connect_address(host, port))
    return client
def from_server(host, port):
    with plan.on_server():
        client = socket.socket()
        client.settimeout(5)
        client.connect((host, port))
    return client
def say(**facts):
    print(json.dumps(facts))
"""


def _permitted() -> bool:
    code = "from conformance.world.choose import choose_plan; choose_plan('namespace')"
    return (
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True).returncode == 0
    )


pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not _permitted(), reason="network namespaces are not permitted here"
)


def _command(user: str, *arguments: str) -> list[str]:
    """Return a command that runs Python as the user."""
    python = [sys.executable, "-c", *arguments]
    if user == "nobody":
        if os.geteuid() != 0 or shutil.which("setpriv") is None:
            pytest.skip("another user cannot be taken on here")
        who = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]
        probe = subprocess.run([*who, sys.executable, "-c", "import conformance"], cwd=ROOT)
        if probe.returncode:
            pytest.skip("the checkout is not readable for nobody")
        return [*who, *python]
    return python


def _run(script: str, user: str = "self") -> dict[str, Any]:
    done = subprocess.run(
        _command(user, PRELUDE + script), cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert isinstance(facts, dict)
    return facts


USERS = pytest.mark.parametrize("user", ["self", "nobody"])


@USERS
def test_a_server_on_every_address_and_a_remote_host_share_a_port(user: str) -> None:
    facts = _run(
        """
server = serve("0.0.0.0", 25)
peer = plan.listening_socket("11.22.33.44", 25)
peer.settimeout(5)
client = connect("192.0.2.1", "10.0.0.2", 25)
_, stranger = server.accept()
own = connect("10.0.0.2", "10.0.0.1", 25)
_, itself = server.accept()
relay = from_server("11.22.33.44", 25)
_, relaying = peer.accept()
say(stranger=stranger[0], itself=itself[0], relaying=relaying[0], offset=plan.port_offset)
""",
        user,
    )
    assert facts == {
        "stranger": "192.0.2.1",
        "itself": "10.0.0.2",
        "relaying": "10.0.0.1",
        "offset": 0,
    }


@pytest.mark.skipif(shutil.which("getent") is None, reason="getent(1) is not there")
@USERS
def test_names_are_asked_of_the_fake_dns(user: str) -> None:
    facts = _run(
        """
dns = plan.datagram_socket("192.0.2.53", 53)
dns.setblocking(True)
child = subprocess.Popen(
    ["getent", "hosts", "relay.example"], stdout=subprocess.PIPE, preexec_fn=plan.enter_server
)
question = b""
# Every question is answered with NXDOMAIN until the resolver has given up.
while dns in select.select([dns, child.stdout], [], [], 20)[0]:
    question, asker = dns.recvfrom(512)
    dns.sendto(question[:2] + b"\\x81\\x83" + question[4:], asker)
say(question=question.decode("latin-1"), asker=asker[0], file=open('/etc/resolv.conf').read())
""",
        user,
    )
    assert "\x05relay\x07example" in facts["question"]
    assert facts["asker"] == "10.0.0.1"
    assert facts["file"].split() == ["nameserver", "192.0.2.53"]


def test_addresses_change_between_scenarios_and_the_first_is_the_servers_source() -> None:
    facts = _run(
        """
peer = plan.listening_socket("11.22.33.44", 25)
peer.settimeout(5)
seen = []
for addresses in (["10.0.0.2", "10.0.0.1"], ["10.0.0.9"], ["127.0.0.1"], ["10.0.0.1"]):
    plan.set_server_addresses(addresses)
    if not addresses[0].startswith("127."):
        from_server("11.22.33.44", 25)
        seen.append(peer.accept()[1][0])
refused = []
for address in ("10.0.0.9", "11.22.33.44", "mail.example.com"):
    try:
        plan.connect_address(address, 25)
    except PlanError as error:
        refused.append(str(error))
# The old addresses are strangers again.
again = plan.listening_socket("10.0.0.9", 25)
from_server("10.0.0.9", 25)
say(seen=seen, refused=refused)
"""
    )
    assert facts["seen"] == ["10.0.0.2", "10.0.0.9", "10.0.0.1"]
    assert len(facts["refused"]) == 3
    assert "it is none of the server's addresses (10.0.0.1)" in facts["refused"][0]


def test_nothing_leaves_and_what_nobody_bound_refuses_at_once() -> None:
    facts = _run(
        """
links = sorted(name for _, name in socket.if_nameindex())
try:
    from_server("8.8.8.8", 53)
except ConnectionRefusedError:
    say(links=links, refused=True, init=os.getppid())
"""
    )
    assert set(facts["links"]) >= {"lo", "world"}
    assert not [name for name in facts["links"] if name.startswith(("eth", "en", "wl"))]
    assert facts["refused"] is True
    assert facts["init"] == 1


def test_a_remote_host_on_the_server_computer_is_there() -> None:
    facts = _run(
        """
other = plan.listening_socket("127.0.0.1", 26)
other.settimeout(5)
from_server("127.0.0.1", 26)
say(source=other.accept()[1][0])
"""
    )
    assert facts == {"source": "127.0.0.1"}


def test_the_exit_status_of_the_engine_comes_through() -> None:
    done = subprocess.run(_command("self", PRELUDE + "sys.exit(7)"), cwd=ROOT, timeout=60)
    assert done.returncode == 7


@pytest.mark.parametrize("wanted", ["kill", "term"])
def test_nothing_survives_the_end_of_the_process(wanted: str) -> None:
    script = """
daemon = subprocess.Popen(
    [sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True,
    preexec_fn=plan.enter_server,
)
print("ready", flush=True)
import signal
signal.pause()
"""
    started = subprocess.Popen(
        _command("self", PRELUDE + script), cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    started.send_signal(signal.SIGKILL if wanted == "kill" else signal.SIGTERM)
    # Engine, daemon and the first process hold the pipe: its end is the end of them all.
    readable, _, _ = select.select([started.stdout], [], [], 20)
    assert readable
    assert started.stdout.read() == ""
    started.wait(20)
    started.stdout.close()


def test_what_is_missing_is_said_and_auto_falls_back() -> None:
    code = """
import threading
from conformance.world.choose import choose_plan
from conformance.world.plan import PlanError
from conformance.world import kernel
def refuse(flags):
    raise OSError(1, "unshare: Operation not permitted")
kernel.unshare = refuse
try:
    choose_plan("namespace")
except PlanError as error:
    print(error)
print(choose_plan("auto").name)
"""
    done = subprocess.run(
        _command("self", code), cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    refusal, fallback = done.stdout.splitlines()
    assert refusal == (
        "network namespaces cannot be had: user namespaces are not permitted here;"
        " use --plan loopback"
    )
    assert fallback == "loopback"


def test_a_world_in_the_namespaces_is_the_one_of_the_loopback_plan() -> None:
    facts = _run(
        """
import asyncio
from dnslib.dns import DNSRecord
from conformance.scenario.model import Given, PeerSpec
from conformance.world.transcript import Transcript
from conformance.world.world import World
async def read_reply(reader):
    while (line := await reader.readline())[3:4] == b"-":
        pass
    return line.decode()
async def run():
    world = World(plan, Transcript())
    relay = PeerSpec(name="relay.com", address="11.22.33.44", replies={"rcpt": ("ok", "hang")})
    await world.build(Given(addresses=("10.0.0.7",), peers=(relay,), zone="a.com MX 1 relay.com"))
    with plan.on_server():
        asking = socket.create_connection(("192.0.2.53", 53))
        sending = socket.socket()
        sending.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=asking)
    question = DNSRecord.question("relay.com", "A").pack()
    writer.write(len(question).to_bytes(2, "big") + question)
    length = int.from_bytes(await reader.readexactly(2))
    answer = DNSRecord.parse(await reader.readexactly(length))
    await asyncio.get_running_loop().sock_connect(sending, (str(answer.rr[0].rdata), 25))
    reader, writer = await asyncio.open_connection(sock=sending)
    await read_reply(reader)
    for line in ("EHLO x", "MAIL FROM:<>", "RCPT TO:<y@a.com>", "DATA", "hello\\r\\n."):
        writer.write(line.encode() + b"\\r\\n")
        await read_reply(reader)
    changed = asyncio.Event()
    world.on_change = changed.set
    writer.write(b"MAIL FROM:<>\\r\\nRCPT TO:<y@a.com>\\r\\n")
    while not world.held("smtp:11.22.33.44:25"):
        changed.clear()
        await changed.wait()
    (message,) = world.peers["relay.com"].messages
    asked = [str(each) + " " + each.source for each in world.dns.journal]
    await world.close()
    say(source=message.source, content=message.content.decode(), asked=asked)
asyncio.run(asyncio.wait_for(run(), 20))
"""
    )
    assert facts == {
        "source": "10.0.0.7",
        "content": "hello\r\n",
        "asked": ["A relay.com 10.0.0.7"],
    }
