"""Fixtures that several test modules share."""

from __future__ import annotations

import logging
import shutil
import subprocess
from typing import TYPE_CHECKING
from weakref import ref

import pytest
from hypothesis import HealthCheck, settings

import statsig_fastly.client
from api_client import Api, StandingClock
from event_sink import EventSink
from fastly_adapters import TOKEN
from statsig_fastly import lifecycle
from statsig_fastly.events import EventDelivery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from statsig_fastly.emulator import Emulator

# What a busy machine takes for an example says nothing about the code. The rest is as Hypothesis sets it up,
# which is without chance where CI is set.
settings.register_profile("untimed", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_make_parametrize_id(val: object) -> str | None:
    """Names that are the same in every process: the time is in gzip's head."""
    if isinstance(val, bytes) and val.startswith(b"\x1f\x8b"):
        return f"gzip, {len(val)} bytes"
    return None


@pytest.fixture(scope="session", autouse=True)
def collector() -> Iterator[EventSink]:
    """What takes the place of Statsig for every client that is not told where to send events."""
    with EventSink() as sink, pytest.MonkeyPatch.context() as patch:
        patch.setattr(statsig_fastly.client, "LOG_EVENT_URL", sink.url)
        yield sink
        # What clients have that tests left behind is not worth sending, nor telling of after the summary.
        logging.getLogger("statsig_fastly").disabled = True
        lifecycle._live.clear()
        lifecycle._held.clear()


@pytest.fixture(autouse=True)
def _nothing_polls_on() -> Iterator[None]:
    """Clients that a test leaves behind look for updates no more: they would tell the log of later tests."""
    yield
    for background in list(lifecycle._background):
        background.stop()


class Unsaid:
    """What a delivery has to tell of, when nobody is there any more to read it."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_args, **_named: None


@pytest.fixture(autouse=True)
def _nothing_is_told_later() -> Iterator[None]:
    """Clients that a test leaves behind with events tell the log of later tests nothing, and try no more."""
    before = {ref(delivery) for delivery in lifecycle._live}
    yield
    for delivery in [delivery for delivery in lifecycle._live if ref(delivery) not in before]:
        if isinstance(delivery, EventDelivery) and delivery.waiting:
            delivery._reports = Unsaid()  # type: ignore[assignment]
            delivery.shutdown(0.0)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A started emulator without stores; the test fails if a token was sent in a URL."""
    # Here, so that tests that need no emulator run without the `cli` extra.
    from statsig_fastly.emulator import Emulator

    with Emulator() as running:
        yield running


@pytest.fixture
def fastly(caplog: pytest.LogCaptureFixture) -> Iterator[Emulator]:
    """An emulator with a telling token, which must not show up in anything that was logged."""
    from statsig_fastly.emulator import Emulator

    caplog.set_level(logging.DEBUG)
    with Emulator(tokens=(TOKEN,)) as running:
        yield running
    # Debug logging of every library, urllib3's among it, formatted as the most verbose handler would.
    records = caplog.get_records("call")
    assert not [
        record for record in records if TOKEN in logging.Formatter().format(record) + repr(vars(record))
    ]


@pytest.fixture
def api(emulator: Emulator) -> Iterator[Api]:
    """A client of `emulator` with its token."""
    with Api(emulator) as client:
        yield client


@pytest.fixture
def clock() -> StandingClock:
    """A clock that moves only when it is told to."""
    return StandingClock()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Files with a certificate for 127.0.0.1 that nobody vouches for, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command to make a certificate")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
    )
    return cert, key
