"""Ending a watch by signals, in steps that end by themselves and in those that do not."""

from __future__ import annotations

import signal
import socket
import sys
import time

import pytest

from statsig_fastly.cli.stopping import stop_signals

NEVER_S = 3600.0

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are sent as on POSIX systems")


def test_a_signal_ends_what_looks_at_the_event() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_signals(NEVER_S) as stopped:
        assert not stopped.is_set()
        signal.raise_signal(signal.SIGTERM)
        assert stopped.wait(0)
    assert signal.getsignal(signal.SIGTERM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_what_hangs_is_left_after_a_while() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(60)
        with stop_signals(0.05):
            signal.raise_signal(signal.SIGTERM)
            ours.recv(1)
            pytest.fail("nothing was ever sent")


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(second: signal.Signals) -> None:
    with stop_signals(NEVER_S):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(second)
        time.sleep(0)
        pytest.fail("it went on")


def test_what_goes_wrong_inside_is_still_told() -> None:
    with pytest.raises(OSError, match="no such thing"), stop_signals():
        raise OSError("no such thing")
