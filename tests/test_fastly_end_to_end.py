"""A client on a Fastly KV Store: whatever is wrong has its own one-line message, and can be put right."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripted_adapter import PATIENCE
from small_project import TIME, payload
from statsig_fastly import AdapterError, FastlyDataAdapter, PayloadError, Statsig, StatsigOptions
from statsig_fastly.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

STORE = "specs"
KEY = "statsig-1a2b3c"
TOKEN = "tok-right-0123456789"
WRONG_TOKEN = "tok-wrong-9876543210"
HTML = b"<!doctype html><html><title>502 Bad Gateway</title></html>"
TOO_LARGE = b'{"filler":"' + b"x" * 26_300_000 + b'"}'


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """One thing that is wrong, and what the message has to say about it."""

    says: tuple[str, ...]
    error: type[Exception] = AdapterError
    store: str = STORE
    key: str = KEY
    token: str = TOKEN
    value: bytes | None = None


WRONG = {
    "token": Wrong(token=WRONG_TOKEN, says=("HTTP 401", "FASTLY_API_TOKEN", "global:read")),
    "store": Wrong(store="speks", says=("'speks'", "no such store", "'specs'")),
    "key": Wrong(key="statsig-nope", says=("'statsig-nope'", "no such key", f"'{KEY}'")),
    "HTML page": Wrong(value=HTML, says=(f"'{KEY}'", "HTML")),
    "truncated": Wrong(value=payload()[:-100], error=PayloadError, says=("not valid JSON", "EOF", "column")),
    "empty": Wrong(value=b"", says=(f"'{KEY}'", "the value is empty")),
    "too large": Wrong(value=TOO_LARGE, says=(f"'{KEY}'", "25000000", "max_value_bytes")),
}


@pytest.fixture
def kv(caplog: pytest.LogCaptureFixture) -> Iterator[Emulator]:
    """An emulator with the project in it; the test fails if a token was logged."""
    caplog.set_level(logging.DEBUG)
    with Emulator(tokens=(TOKEN,)) as emulator:
        emulator.create_kv_store(STORE)
        emulator.put(STORE, KEY, payload())
        yield emulator
    for record in caplog.get_records("call"):
        assert not any(token in logging.Formatter().format(record) for token in (TOKEN, WRONG_TOKEN))
        assert not any(token in repr(vars(record)) for token in (TOKEN, WRONG_TOKEN))


def client_with(kv: Emulator, wrong: Wrong) -> Statsig:
    if wrong.value is not None:
        kv.put(STORE, KEY, wrong.value)
    adapter = FastlyDataAdapter(wrong.store, wrong.key, token=wrong.token, api=kv.url)
    return Statsig("secret-key", StatsigOptions(data_adapter=adapter))


def put_right(kv: Emulator, wrong: Wrong, time: int) -> None:
    if wrong.store != STORE:
        kv.create_kv_store(wrong.store)
    kv.put(wrong.store, wrong.key, payload(time, 2))


def everything_shown(error: BaseException) -> str:
    """The error as the most talkative reporter prints it: the whole chain, with the locals of every frame."""
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(report.format()) + repr(error) + repr(vars(error))


@pytest.mark.parametrize("what", WRONG)
def test_a_start_says_what_is_wrong(kv: Emulator, what: str, caplog: pytest.LogCaptureFixture) -> None:
    wrong = WRONG[what]
    with client_with(kv, wrong) as statsig:
        details = statsig.get_initialize_details()
        assert not details.init_success
        failure = details.failure_details
        assert failure is not None
        assert failure.error == wrong.error.__name__
        assert [word for word in wrong.says if word not in failure.reason] == []
        assert len(failure.reason.splitlines()) == 1
        assert len(failure.reason) < 500
        assert statsig.get_feature_gate("u-1", "on").details.reason == "NoValues"
        assert statsig.check_gate("u-1", "on") is False
        ours = [record for record in caplog.records if record.name.startswith("statsig_fastly")]
        assert [record.getMessage() for record in ours] == [
            f"Statsig started with nothing loaded: {failure.reason}"
        ]

        error = statsig.sync().result(PATIENCE).error
        assert type(error) is wrong.error
        assert str(error) == failure.reason
        shown = everything_shown(error) + repr(statsig) + repr(details)
        assert TOKEN not in shown
        assert WRONG_TOKEN not in shown

        if wrong.token == TOKEN:
            put_right(kv, wrong, TIME)
            synced = statsig.sync().result(PATIENCE)
            assert (synced.changed, synced.error) == (True, None)
            assert statsig.check_gate("u-1", "on") is True
            assert statsig.get_feature_gate("u-1", "on").details.reason == "Adapter(FastlyKV):Recognized"


def test_no_two_messages_are_alike(kv: Emulator) -> None:
    messages = {}
    for what, wrong in WRONG.items():
        failure = client_with(kv, wrong).initialize().result(PATIENCE).failure_details
        assert failure is not None
        # What was asked is the same for most of them; what came back must not be.
        messages[failure.reason.replace(wrong.store, "").replace(wrong.key, "")] = what
        kv.put(STORE, KEY, payload())
    assert list(messages.values()) == list(WRONG)


@pytest.mark.parametrize("what", [what for what, wrong in WRONG.items() if wrong.value is not None])
def test_what_goes_wrong_later_leaves_the_ruleset_alone(kv: Emulator, what: str) -> None:
    wrong = WRONG[what]
    assert wrong.value is not None
    with client_with(kv, Wrong(says=())) as statsig:
        assert statsig.get_dynamic_config("u-1", "number")["a"] == 1
        kv.put(STORE, KEY, wrong.value)
        for _ in range(2):
            synced = statsig.sync().result(PATIENCE)
            assert type(synced.error) is wrong.error
            assert [word for word in wrong.says if word not in str(synced.error)] == []
            assert (synced.changed, synced.config_time) == (False, TIME)
            assert statsig.get_dynamic_config("u-1", "number")["a"] == 1
        kv.put(STORE, KEY, payload(TIME + 1, 2))
        assert statsig.sync().result(PATIENCE).changed
        assert statsig.get_dynamic_config("u-1", "number")["a"] == 2


def test_only_what_changed_is_downloaded(kv: Emulator) -> None:
    with client_with(kv, Wrong(says=())) as statsig:
        kv.take_requests()
        assert statsig.sync().result(PATIENCE).error is None
        assert [request.method for request in kv.take_requests()] == ["HEAD"]
        kv.put(STORE, KEY, payload(TIME + 1, 2))
        assert statsig.sync().result(PATIENCE).changed
        assert [request.method for request in kv.take_requests()] == ["HEAD", "GET"]


def test_an_older_copy_from_elsewhere_is_refused(kv: Emulator) -> None:
    with client_with(kv, Wrong(says=())) as statsig:
        kv.put(STORE, KEY, payload(TIME - 1, 2))
        synced = statsig.sync().result(PATIENCE)
        assert (synced.changed, synced.config_time, synced.error) == (False, TIME, None)
        assert statsig.get_dynamic_config("u-1", "number")["a"] == 1


PROGRAM = """
import json, sys
from statsig_fastly import FastlyDataAdapter, Statsig, StatsigOptions

store, key, api = sys.argv[1:]
adapter = FastlyDataAdapter(store, key, api=api)
with Statsig("secret-key", StatsigOptions(data_adapter=adapter, disable_all_logging=True)) as statsig:
    reason = statsig.get_initialize_details().failure_details.reason
    print(json.dumps([reason, statsig.check_gate("u-1", "on")]))
"""


@pytest.mark.parametrize("what", WRONG)
def test_a_program_shows_one_line_and_no_traceback(kv: Emulator, what: str) -> None:
    wrong = WRONG[what]
    if wrong.value is not None:
        kv.put(STORE, KEY, wrong.value)
    ran = subprocess.run(
        [sys.executable, "-X", "dev", "-c", PROGRAM, wrong.store, wrong.key, kv.url],
        env={**os.environ, "FASTLY_API_TOKEN": wrong.token, "PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0
    message, passes = json.loads(ran.stdout)
    assert passes is False
    assert [word for word in wrong.says if word not in message] == []
    assert ran.stderr.splitlines() == [f"Statsig started with nothing loaded: {message}"]
    assert wrong.token not in ran.stdout + ran.stderr
