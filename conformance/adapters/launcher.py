"""The launcher's process: keeps the sandbox's mounts and forks the sessions' first processes.

``python -m conformance.adapters.launcher SETTING`` is started by :class:`.sandbox.Launcher` and
spoken to as docs/targets.md says of warm processes; ``argv`` of a request is one text of JSON with
the session's ``folder`` and its ``services``. It is a process of its own because its mounts must be
nobody else's, and because forking is safe only where there are no threads.

A session's first process is pid 1 of a new process namespace. It starts the services in their order
and ends when one of them ends, with that one's status; the kernel then ends all that is left.
``SIGTERM`` gives each service the signal that ends it; it ends when all of them have ended.
"""

from __future__ import annotations

import json
import os
import resource
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from conformance.adapters import mounts
from conformance.adapters.sandbox import INSIDE, USERS
from conformance.world import kernel

_SWITCH = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\n"
_DESCRIPTORS = 2048
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def prepare(setting: Mapping[str, Any]) -> None:
    """Make the mounts that all sessions share. Raises OSError."""
    kernel.unshare(kernel.NEW_MOUNTS)
    kernel.keep_mounts_private()
    mounts.memory("/run", "mode=755")
    folder = Path("/run/sandbox")
    folder.mkdir()
    mounts.lay_over("/usr", [f"{tree}/usr" for tree in setting["trees"]])
    if setting["etc"]:
        mounts.lay_over("/etc", [_written(folder / "etc", setting["etc"])])
    for hidden in setting["hidden"]:
        if Path(hidden).is_dir():
            mounts.memory(hidden, "mode=755")
    _own_files(folder)
    mounts.private_devices(f"{INSIDE}/log")
    Path(INSIDE).mkdir()


def _written(folder: Path, files: Mapping[str, str]) -> str:
    """Write files with their folders; return the folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="ascii")
    return str(folder)


def _own_files(folder: Path) -> None:
    """Show the sandbox's own users, and how names are looked up in it."""
    texts = {
        "passwd": "".join(
            f"{name}:x:{number}:{number}:{name}:/:/usr/sbin/nologin\n"
            for name, (number, _) in USERS.items()
        ),
        "group": "".join(f"{name}:x:{number}:\n" for name, (number, _) in USERS.items()),
        "shadow": "".join(f"{name}:*:19000:0:99999:7:::\n" for name in USERS),
        "hosts": f"127.0.0.1 localhost {socket.gethostname()}\n",
        "nsswitch.conf": _SWITCH,
        "resolv.conf": "",
    }
    for name, text in texts.items():
        own = folder / name
        own.write_text(text, encoding="ascii")
        own.chmod(0o640 if name == "shadow" else 0o644)
        # The plan's own file there has no name any more, and nothing can be mounted on such a one.
        while kernel.unmount(f"/etc/{name}"):
            continue
        if Path("/etc", name).exists():
            mounts.bind(str(own), f"/etc/{name}")


class Launcher:
    """Reads requests, forks first processes, reports their ends."""

    def __init__(self) -> None:
        self._processes = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self._children: set[int] = set()
        self._input = b""

    def run(self) -> None:
        """Serve until standard input ends."""
        woken, wake = socket.socketpair()
        woken.setblocking(False)
        wake.setblocking(False)
        signal.set_wakeup_fd(wake.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        _say(ready=True)
        with selectors.DefaultSelector() as selector:
            selector.register(0, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            open_input = True
            while open_input:
                for key, _ in selector.select():
                    if key.fileobj == 0:
                        open_input = self._read()
                    else:
                        woken.recv(4096)
                        self._reap()
        for child in self._children:
            os.kill(child, signal.SIGKILL)
        while self._children:
            self._reap(block=True)

    def _read(self) -> bool:
        received = os.read(0, 65536)
        *lines, self._input = (self._input + received).split(b"\n")
        for line in lines:
            self._fork(json.loads(line))
        return bool(received)

    def _fork(self, request: dict[str, Any]) -> None:
        # The next child, and only that, is the first process of a new namespace.
        kernel.unshare(kernel.NEW_PROCESSES)
        child = os.fork()
        if child == 0:
            _begin(request)
        kernel.set_processes(self._processes)
        self._children.add(child)
        _say(id=request["id"], pid=child)

    def _reap(self, *, block: bool = False) -> None:
        while self._children:
            pid, status = os.waitpid(-1, 0 if block else os.WNOHANG)
            if not pid:
                return
            self._children.discard(pid)
            code = os.waitstatus_to_exitcode(status)
            _say(exit=pid, status=code if code >= 0 else 128 - code)


def _say(**message: Any) -> None:
    os.write(1, json.dumps(message).encode() + b"\n")


def _begin(request: dict[str, Any]) -> NoReturn:
    """Be a session's first process, to the end."""
    status = 70
    try:
        signal.set_wakeup_fd(-1)
        kernel.die_with_parent(signal.SIGKILL)
        os.setsid()
        order = json.loads(request["argv"][0])
        kernel.unshare(kernel.NEW_MOUNTS)
        kernel.bind_mount(order["folder"], INSIDE)
        kernel.mount_proc()
        for name in ("resolv.conf", "hosts"):
            if Path(INSIDE, name).exists():
                kernel.bind_mount(f"{INSIDE}/{name}", f"/etc/{name}")
        os.chdir(INSIDE)
        os.umask(0o022)
        # Some servers try to close every descriptor that there could be.
        resource.setrlimit(resource.RLIMIT_NOFILE, (_DESCRIPTORS, _DESCRIPTORS))
        nothing = os.open("/dev/null", os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(2, 1)
        status = _first_process(order["services"], request["env"])
    except BaseException:  # noqa: BLE001 - whatever it was, it must be told, and the process end
        traceback.print_exc()
    finally:
        os._exit(status)


def _first_process(services: list[dict[str, Any]], common: Mapping[str, str]) -> int:
    running: dict[int, dict[str, Any]] = {}
    asked = False

    def pass_on(*_: object) -> None:
        nonlocal asked
        asked = True
        for pid, service in running.items():
            os.kill(pid, service["end"])

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, pass_on)
    for service in services:
        environment = {"PATH": _PATH, "LC_ALL": "C", **common, **service["environment"]}
        running[_exec(service["command"], environment)] = service
    while running:
        pid, status = os.wait()
        service = running.pop(pid, {})
        if not service or asked:
            continue
        code = os.waitstatus_to_exitcode(status)
        how = "with status" if code >= 0 else "by signal"
        os.write(2, f"{service['name']} ended {how} {abs(code)}\n".encode())
        return code if code > 0 else 128 - code
    return 0


def _exec(command: list[str], environment: Mapping[str, str]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGPIPE, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.execve(command[0], command, dict(environment))
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    os._exit(127)


def main(setting: str) -> int:
    """Prepare the sandbox and serve; return the exit status."""
    kernel.die_with_parent(signal.SIGKILL)
    try:
        prepare(json.loads(setting))
    except OSError as error:
        os.write(2, f"{error}\n".encode())
        return 1
    Launcher().run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
