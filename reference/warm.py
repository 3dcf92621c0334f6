"""The warm process: forks ready interpreters, so that a fresh server costs no interpreter start.

Protocol on standard input and output, one line of JSON each. The process says ``{"ready": true}``
when it has imported all; requests may come before. A request
``{"id": N, "argv": [...], "cwd": path, "env": {...}}`` forks a child that runs the server with
these arguments (as ``python -m reference`` would); the answer is ``{"id": N, "pid": P}``. When a
child ends, ``{"exit": P, "status": S}`` follows (S as a shell shows it: 128 + N for signal N). The
end of standard input ends the warm process and its children. Children write to standard error only.

The process imports everything that a server needs and stays without a reactor and without threads:
both would not survive the fork.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from typing import Any, NoReturn

import twisted.internet.default  # noqa: F401 - all of a reactor but the reactor itself

import reference.app  # noqa: F401 - imported for the children
from reference.main import main


class WarmProcess:
    """Reads requests, forks servers, reports their ends."""

    def __init__(self) -> None:
        self._children: set[int] = set()
        self._input = b""

    def run(self) -> None:
        """Serve until standard input ends."""
        woken, wake = socket.socketpair()
        woken.setblocking(False)
        wake.setblocking(False)
        signal.set_wakeup_fd(wake.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        gc.collect()
        gc.freeze()
        self._say(ready=True)
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
        child = os.fork()
        if child == 0:
            _become_server(request)
        self._children.add(child)
        self._say(id=request["id"], pid=child)

    def _reap(self, *, block: bool = False) -> None:
        while self._children:
            child, status = os.waitpid(-1, 0 if block else os.WNOHANG)
            if child == 0:
                return
            self._children.discard(child)
            if not block:
                code = os.waitstatus_to_exitcode(status)
                self._say(exit=child, status=code if code >= 0 else 128 - code)

    def _say(self, **message: Any) -> None:
        os.write(1, json.dumps(message).encode() + b"\n")


def _become_server(request: dict[str, Any]) -> NoReturn:
    """Run the server in the forked child; never return."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setpgid(0, 0)
        with open(os.devnull) as nothing:  # noqa: PTH123 - a descriptor is wanted
            os.dup2(nothing.fileno(), 0)
        os.dup2(2, 1)
        if request.get("cwd"):
            os.chdir(request["cwd"])
        os.environ.update(request.get("env", {}))
        status = main(request["argv"])
    except SystemExit as ending:
        status = ending.code if isinstance(ending.code, int) else 1
    except BaseException:  # noqa: BLE001 - the child's last resort before _exit
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    WarmProcess().run()
