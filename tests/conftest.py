"""What all tests start from, whoever starts them."""

import signal

import pytest


@pytest.fixture(scope="session", autouse=True)
def _interrupts_arrive():
    """A shell's background job ignores Ctrl-C, and so would every process that a test starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
