"""The sandbox, in processes of its own: what a session sees, and that nothing of it is left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent

PRELUDE = """
import asyncio, json, os, signal, socket, sys, tempfile
from pathlib import Path
from conformance.world.choose import choose_plan
plan = choose_plan("namespace")
from conformance.adapters.connections import Connections
from conformance.adapters.sandbox import INSIDE, Launcher, Sandbox, Service
from conformance.adapters.syslog import Syslog
here = Path(tempfile.mkdtemp(prefix="mailproof-test-"))
shell = lambda script, **more: Service("shell", ["/bin/sh", "-c", script], **more)
async def script(launcher, text, **more):
    sandbox = Sandbox(here / "server")
    process = await launcher.run(sandbox, [shell(text, **more)])
    await process.gone(10)
    return process, sandbox
def say(**facts):
    import shutil
    shutil.rmtree(here)
    print(json.dumps(facts))
"""


def _permitted() -> bool:
    if os.geteuid() != 0 or sys.platform != "linux":
        return False
    code = "from conformance.world.choose import choose_plan; choose_plan('namespace')"
    return (
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True).returncode == 0
    )


pytestmark = pytest.mark.skipif(not _permitted(), reason="root and namespaces are needed")


def run(body: str) -> dict[str, Any]:
    indented = "".join(f"    {line}\n" for line in body.strip("\n").splitlines())
    text = f"{PRELUDE}\nasync def main():\n{indented}\nasyncio.run(main())\n"
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert isinstance(facts, dict)
    return facts


def test_a_session_sees_its_own_users_files_and_devices() -> None:
    before = Path("/etc/passwd").read_text()
    facts = run(
        """
launcher = await Launcher.start(plan, hidden=("/etc/ssl",))
sandbox = Sandbox(here / "server")
sandbox.write("resolv.conf", "nameserver 192.0.2.53\\n")
sandbox.write("etc/secret", "x", mode=0o640, owner="vmail")
sandbox.make("spool", mode=0o730, owner="postfix", group="postdrop")
process, _ = await script(launcher, '''
    cd /run/mailproof
    id -u postfix > uid
    ls /run > run
    ls /etc/ssl > ssl
    cat /etc/resolv.conf > resolver
    stat -c '%a %U %G' etc/secret spool > owners
    readlink /dev/log > log
    echo $$ > pid
    echo x > /dev/null && test -c /dev/urandom && echo yes > devices
''')
read = lambda name: (sandbox.folder / name).read_text().split()
say(status=process.status.result(), **{name: read(name) for name in
    ("uid", "run", "ssl", "resolver", "owners", "log", "pid", "devices")})
await launcher.close()
"""
    )
    assert facts == {
        "status": 128,
        "uid": ["61001"],
        "run": ["mailproof", "sandbox"],
        "ssl": [],
        "resolver": ["nameserver", "192.0.2.53"],
        "owners": ["640", "vmail", "vmail", "730", "postfix", "postdrop"],
        "log": ["/run/mailproof/log"],
        "pid": ["2"],
        "devices": ["yes"],
    }
    assert Path("/etc/passwd").read_text() == before
    assert not Path("/run/mailproof").exists()


def test_a_package_tree_is_laid_over_usr(tmp_path: Path) -> None:
    program = tmp_path / "usr" / "sbin" / "exampled"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho here > /run/mailproof/answer\n")
    program.chmod(0o755)
    facts = run(
        f"""
launcher = await Launcher.start(plan, trees=({str(tmp_path)!r},))
asked = "/usr/sbin/exampled; test -x /usr/bin/env && echo too >> answer"
_, sandbox = await script(launcher, asked)
say(answer=(sandbox.folder / "answer").read_text().split())
await launcher.close()
"""
    )
    assert facts == {"answer": ["here", "too"]}
    assert not Path("/usr/sbin/exampled").exists()


def test_what_is_logged_is_heard() -> None:
    facts = run(
        """
launcher = await Launcher.start(plan)
sandbox = Sandbox(here / "server")
heard = asyncio.Queue()
log = Syslog(sandbox.folder / "log", heard.put_nowait)
program = "import syslog; syslog.openlog('exampled'); syslog.syslog('ready')"
await launcher.run(sandbox, [Service("python", [sys.executable, "-c", program])])
say(line=await asyncio.wait_for(heard.get(), 10))
log.close()
await launcher.close()
"""
    )
    assert facts == {"line": "exampled: ready"}


def test_the_end_of_a_session_is_the_end_of_all_its_processes() -> None:
    facts = run(
        """
launcher = await Launcher.start(plan)
sandbox = Sandbox(here / "server")
# A grandchild in a session of its own holds the fifo open for as long as it lives.
os.mkfifo(sandbox.folder / "alive")
process = await launcher.run(sandbox, [shell("setsid sh -c 'sleep 600 > alive' & exec sleep 600")])
alive = await asyncio.to_thread(open, sandbox.folder / "alive", "rb")
process.signal(signal.SIGKILL)
end = await asyncio.wait_for(asyncio.to_thread(alive.read), 10)
gone = await process.gone(10)
say(end=end.decode(), gone=gone)
await launcher.close()
"""
    )
    assert facts == {"end": "", "gone": True}


def test_the_end_of_the_harness_is_the_end_of_the_session() -> None:
    facts = run(
        """
child = os.fork()
if child == 0:
    # A harness of its own, that is killed.
    async def other():
        launcher = await Launcher.start(plan)
        sandbox = Sandbox(here / "server")
        os.mkfifo(sandbox.folder / "alive")
        await launcher.run(sandbox, [shell("exec sleep 600 > alive")])
        await asyncio.sleep(600)
    asyncio.events._set_running_loop(None)
    asyncio.new_event_loop().run_until_complete(other())
while not (here / "server" / "alive").exists():
    await asyncio.sleep(0.01)
alive = await asyncio.to_thread(open, here / "server" / "alive", "rb")
os.kill(child, signal.SIGKILL)
end = await asyncio.wait_for(asyncio.to_thread(alive.read), 10)
say(end=end.decode())
"""
    )
    assert facts == {"end": ""}


def test_an_orderly_end_asks_every_service() -> None:
    facts = run(
        """
launcher = await Launcher.start(plan)
sandbox = Sandbox(here / "server")
waits = "trap 'echo {0} >> ends; exit 0' {1}; echo {0} >> begun; while :; do sleep 0.01; done"
services = [
    shell(waits.format("one", "TERM")),
    shell(waits.format("two", "INT"), end=int(signal.SIGINT)),
]
process = await launcher.run(sandbox, services)
begun = sandbox.folder / "begun"
while not begun.exists() or len(begun.read_text().split()) < 2:
    await asyncio.sleep(0.01)
process.signal(signal.SIGTERM)
await process.gone(10)
say(status=process.status.result(), ends=sorted((sandbox.folder / "ends").read_text().split()))
await launcher.close()
"""
    )
    assert facts == {"status": 0, "ends": ["one", "two"]}


def test_the_first_service_to_end_ends_the_session() -> None:
    facts = run(
        """
launcher = await Launcher.start(plan)
sandbox = Sandbox(here / "server")
process = await launcher.run(sandbox, [shell("exec sleep 600"), shell("exit 3")])
await process.gone(10)
say(status=process.status.result())
await launcher.close()
"""
    )
    assert facts == {"status": 3}


def test_connections_of_the_server_are_seen_with_their_other_end() -> None:
    facts = run(
        """
plan.set_server_addresses(["10.0.0.1"])
connections = Connections(plan)
peer = plan.listening_socket("11.22.33.44", 25)
with plan.on_server():
    service = socket.create_server(("0.0.0.0", 25))
    client = socket.create_connection(("11.22.33.44", 25))
visitor = plan.client_socket("192.0.2.1")
visitor.setblocking(True)
visitor.connect(plan.connect_address("10.0.0.1", 25))
found = [(each.local[0], each.remote) for each in connections.outgoing()]
client.close()
peer.setblocking(True)
peer.accept()[0].close()
while connections.outgoing():
    await asyncio.sleep(0.01)
say(found=found, left=[])
connections.close()
"""
    )
    assert facts == {"found": [["10.0.0.1", ["11.22.33.44", 25]]], "left": []}


def test_one_user_is_not_enough() -> None:
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare(1) of util-linux")
    target = ROOT / "targets" / "postfix.toml"
    command = [sys.executable, "-m", "conformance.cli", "run", "--target", str(target)]
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", *command, "router/null", str(ROOT / "scenarios")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    if "unshare failed" in done.stderr:
        pytest.skip("user namespaces are not permitted here")
    assert done.returncode == 2, done.stdout + done.stderr
    said = done.stdout + done.stderr
    assert "run as root" in said or "apt-get install" in said
