import signal

import pytest


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_works():
    # A shell starts background jobs with SIGINT ignored; the tests of Ctrl-C need it as it is at
    # a terminal, and so do the processes that they start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
