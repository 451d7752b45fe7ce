"""Fixtures that several test modules share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api_client import Api, StandingClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from statsig_fastly.emulator import Emulator


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A started emulator without stores; the test fails if a token was sent in a URL."""
    # Here, so that tests that need no emulator run without the `cli` extra.
    from statsig_fastly.emulator import Emulator

    with Emulator() as running:
        yield running


@pytest.fixture
def api(emulator: Emulator) -> Iterator[Api]:
    """A client of `emulator` with its token."""
    with Api(emulator) as client:
        yield client


@pytest.fixture
def clock() -> StandingClock:
    """A clock that moves only when it is told to."""
    return StandingClock()
