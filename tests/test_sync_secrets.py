"""Neither the token nor the SDK key is anywhere but where it has to be, whatever goes wrong meanwhile."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING

import pytest

from loopback import Listener, answering, http
from scripted_adapter import PATIENCE
from small_project import TIME, payload
from statsig_fastly import FastlyDataAdapter, Statsig, StatsigOptions, SyncPolicy, SyncStats
from statsig_fastly.emulator import Emulator, Fault
from test_sync_chaos import FAULTS, KEY

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "fastly-token-that-nobody-may-see"
SDK_KEY = "secret-key-that-nobody-may-see"


def hidden(text: str) -> None:
    assert TOKEN not in text
    assert SDK_KEY not in text


def test_in_no_log_line_no_repr_no_error_and_no_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stale: list[SyncStats] = []
    with Emulator(tokens=[TOKEN]) as emulator:
        emulator.create_kv_store("specs")
        emulator.put("specs", KEY, payload())
        adapter = FastlyDataAdapter(
            "specs", KEY, token=TOKEN, api=emulator.url, read_timeout=0.1, total_timeout=0.3
        )
        options = StatsigOptions(
            data_adapter=adapter,
            sync_policy=SyncPolicy.manual(),
            last_known_good_dir=tmp_path,
            shared_polling=True,
            stale_after=1e-9,
            on_stale=stale.append,
            disable_network=True,
        )
        with Statsig(SDK_KEY, options) as statsig:
            errors = []
            for number, (fault, _) in enumerate(FAULTS.values(), 1):
                # A server that says the secret it was sent is the worst that can come.
                emulator.put("specs", KEY, payload(TIME + number, number))
                emulator.fault(fault)
                emulator.fault(Fault(status=500, body=f"who is {TOKEN}?".encode()))
                errors += [statsig.sync().result(PATIENCE).error for _ in range(2)]
                emulator.clear_faults()
            assert sum(error is not None for error in errors) > len(FAULTS)
            for error in errors:
                if error is not None:
                    hidden(f"{error!r} {error}")
                    report = traceback.TracebackException.from_exception(error, capture_locals=True)
                    hidden("".join(report.format()))
            hidden(
                repr([statsig, adapter, options, statsig.stats(), statsig.get_initialize_details(), stale])
            )
            hidden(adapter.name)
        emulator.assert_no_token_in_url()
    assert stale
    assert caplog.records
    for record in caplog.records:
        hidden(logging.Formatter().format(record))
        hidden(repr(vars(record)))
    files = list(tmp_path.iterdir())
    assert len(files) == 2
    for path in files:
        hidden(path.name)
        hidden(path.read_bytes().decode("latin-1"))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_redirect_to_another_host_gets_nothing(emulator: Emulator, status: int, method: str) -> None:
    emulator.create_kv_store("specs")
    emulator.put("specs", KEY, payload())
    adapter = FastlyDataAdapter("specs", KEY, token=emulator.token, api=emulator.url)
    options = StatsigOptions(data_adapter=adapter, sync_policy=SyncPolicy.manual(), disable_network=True)
    with (
        Listener(answering(http(200, payload(TIME + 5, 5)))) as elsewhere,
        Statsig(SDK_KEY, options) as statsig,
    ):
        emulator.put("specs", KEY, payload(TIME + 1, 2))
        emulator.fault(Fault.redirect(f"{elsewhere.url}/specs", status=status, method=method, path=KEY))
        details = statsig.sync().result(PATIENCE)
        assert details.outcome == "failed"
        assert "redirect" in str(details.error)
        assert elsewhere.received == []
        assert elsewhere.connections == 0
        assert statsig.sync().result(PATIENCE).config_time == TIME + 1
