"""What a process in the namespace plan finds around it: resolver files and a process namespace."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from collections.abc import Callable

from conformance.world import kernel

#: The computer's own name is known as it would be anywhere: who asks for it must not wait for DNS.
_HOSTS = f"127.0.0.1 localhost {os.uname().nodename}\n"
_SWITCH = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\n"


def resolve_with(dns_address: str) -> None:
    """Show private resolver files in this mount namespace. Raises OSError.

    A file that this computer does not have is left out: nothing can be mounted on it.
    """
    files = {"/etc/hosts": _HOSTS, "/etc/nsswitch.conf": _SWITCH}
    if dns_address:
        files["/etc/resolv.conf"] = f"nameserver {dns_address}\n"
    for target, text in files.items():
        if not os.path.exists(target):  # noqa: PTH110 - pathlib costs time at a process's start
            continue
        descriptor, source = tempfile.mkstemp(prefix="mailproof-")
        try:
            os.write(descriptor, text.encode())
            os.fchmod(descriptor, 0o644)
            kernel.bind_mount(source, target)
        finally:
            os.close(descriptor)
            # The mount keeps the file; its name is not needed any more.
            os.unlink(source)  # noqa: PTH108


def continue_as_child_of_init(remark: Callable[[str], None]) -> None:
    """Go on in a child of the first process of a new process namespace.

    Call after ``unshare(NEW_PROCESSES)``. The calling process waits and ends with the child's exit
    status; the first process reaps orphans and ends with the child, and the kernel then kills all
    that is left in the namespace. The child returns.
    """
    outside = os.getpid()
    first = os.fork()
    if first:
        _wait_and_end(first)
    kernel.die_with_parent(signal.SIGKILL)
    child = os.fork()
    if child:
        _wait_and_end(child)
    kernel.die_with_parent(signal.SIGKILL)
    try:
        kernel.mount_proc()
    except OSError as error:
        remark(f"/proc shows the processes of the computer, not the run's ({outside}): {error}")


def _wait_and_end(child: int) -> None:
    """Reap children until ``child`` ends, and end this process in the same way."""
    # The engine decides what an interrupt means; whoever waits for it only passes its end on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, _: _pass_on(child, number))
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def _pass_on(child: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, number)
