"""A warm process of the toy server: forks one for each request and reports its end."""

import json
import os
import signal
import sys

import server


def say(**message):
    os.write(1, json.dumps(message).encode() + b"\n")


def reap(*_):
    while True:
        try:
            child, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not child:
            return
        code = os.waitstatus_to_exitcode(status)
        say(exit=child, status=code if code >= 0 else 128 - code)


def fork(request):
    # The end of a child may not be told before its beginning.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        os.setpgid(0, 0)
        os.dup2(2, 1)
        try:
            status = server.main(request["argv"])
        finally:
            sys.stderr.flush()
        os._exit(status)
    say(id=request["id"], pid=child)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})


def main():
    signal.signal(signal.SIGCHLD, reap)
    say(ready=True)
    for line in sys.stdin:
        fork(json.loads(line))


if __name__ == "__main__":
    main()
