from __future__ import annotations

import ssl
import threading
import time
from typing import Any

import pytest
import urllib3

from api_client import KV, Api
from statsig_fastly.emulator import Emulator, Fault

VALUE = bytes(range(256)) * 40


@pytest.fixture
def item(emulator: Emulator) -> str:
    """Path of an item that holds `VALUE`."""
    store = emulator.create_kv_store("specs")
    emulator.put("specs", "k", VALUE, "m=1")
    return f"{KV}/{store}/keys/k"


@pytest.mark.parametrize("status", [304, 401, 403, 404, 408, 412, 413, 429, 500, 501, 503])
def test_any_status_with_headers_and_body(emulator: Emulator, api: Api, item: str, status: int) -> None:
    limits = {"Retry-After": "7", "Fastly-RateLimit-Remaining": "0", "Fastly-RateLimit-Reset": "1750710000"}
    emulator.fault(Fault(status=status, headers=limits, body=b"why"))
    answer = api.call("GET", item)
    assert answer.status == status
    assert answer.data == (b"" if status == 304 else b"why")
    assert {name: answer.headers[name] for name in limits} == limits
    assert "Generation" not in answer.headers
    assert api.call("GET", item).data == VALUE
    assert emulator.pending_faults == []


def test_faults_match_by_method_and_path_and_queue_up(emulator: Emulator, api: Api, item: str) -> None:
    emulator.fault(Fault(method="put", path="/keys/k$", status=500))
    emulator.fault(Fault(method="GET", path="/keys/[a-j]$", status=501))
    emulator.fault(Fault(path="/keys/", status=502, times=2))
    emulator.fault(Fault(method="GET", status=503))
    assert [api.call("GET", item).status for _ in range(4)] == [502, 502, 503, 200]
    assert api.call("PUT", item, b"x").status == 500
    (left,) = emulator.pending_faults
    assert left.status == 501
    emulator.clear_faults()
    assert emulator.pending_faults == []


def test_a_burst_starts_late_skips_and_ends(emulator: Emulator, api: Api, item: str) -> None:
    emulator.fault(Fault(status=429, skip=1, every=2, times=2))
    assert [api.call("GET", item).status for _ in range(6)] == [200, 429, 200, 429, 200, 200]


def test_a_fault_without_end(emulator: Emulator, api: Api, item: str) -> None:
    emulator.fault(Fault(status=503, times=None))
    assert {api.call("GET", item).status for _ in range(5)} == {503}
    assert len(emulator.pending_faults) == 1


def test_chance_is_repeatable(emulator: Emulator, api: Api, item: str) -> None:
    runs = []
    for _ in range(2):
        emulator.fault(Fault(status=503, probability=0.5, seed=11, times=None))
        runs.append([api.call("GET", item).status for _ in range(40)])
        emulator.clear_faults()
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 503}


def test_delay_before_the_headers(emulator: Emulator, api: Api, item: str) -> None:
    emulator.fault(Fault(delay=0.05))
    began = time.monotonic()
    assert api.call("GET", item).data == VALUE
    assert time.monotonic() - began >= 0.05


def test_a_dripping_body_is_whole_and_slow(emulator: Emulator, api: Api, item: str) -> None:
    emulator.fault(Fault(drip=0.01, drip_bytes=len(VALUE) // 5))
    began = time.monotonic()
    answer = api.call("GET", item)
    assert time.monotonic() - began >= 0.035  # five pieces, four pauses between them
    assert answer.headers["Content-Length"] == str(len(VALUE))
    assert answer.data == VALUE


def test_reset_before_the_answer(emulator: Emulator, api: Api, item: str) -> None:
    emulator.fault(Fault(reset="before"))
    with pytest.raises(urllib3.exceptions.ProtocolError) as caught:
        api.call("GET", item)
    assert isinstance(caught.value.args[1], ConnectionResetError)
    assert api.call("GET", item).data == VALUE


def test_reset_in_the_middle_of_the_body(emulator: Emulator, api: Api, item: str) -> None:
    emulator.fault(Fault(reset="body"))
    answer = api.call("GET", item, preload=False)
    assert answer.status == 200
    assert answer.headers["Content-Length"] == str(len(VALUE))
    with pytest.raises(urllib3.exceptions.ProtocolError, match="Connection broken"):
        answer.read()


@pytest.mark.parametrize("sent", [0, 1, len(VALUE) - 1])
def test_a_body_shorter_than_announced(emulator: Emulator, api: Api, item: str, sent: int) -> None:
    emulator.fault(Fault(truncate=sent))
    with pytest.raises(urllib3.exceptions.ProtocolError, match=f"IncompleteRead\\({sent} bytes read"):
        api.call("GET", item)
    assert api.call("GET", item).data == VALUE


def test_chunked_without_a_length(emulator: Emulator, api: Api, item: str) -> None:
    emulator.fault(Fault(chunked=True))
    answer = api.call("GET", item)
    assert answer.data == VALUE
    assert "Content-Length" not in answer.headers
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.headers["Stored-Content-Length"] == str(len(VALUE))


def test_wrong_and_missing_headers(emulator: Emulator, api: Api, item: str) -> None:
    emulator.fault(Fault(headers={"generation": "7"}, times=2))
    emulator.fault(Fault(drop_headers=("Generation", "server")))
    wrong = api.call("GET", item)
    assert wrong.headers.getlist("Generation") == ["7"]
    assert wrong.data == VALUE
    assert api.call("HEAD", item).headers["Generation"] == "7"
    missing = api.call("GET", item)
    assert "Generation" not in missing.headers
    assert missing.headers["Metadata"] == "m=1"


def test_a_body_can_be_swapped_under_the_real_headers(emulator: Emulator, api: Api, item: str) -> None:
    generation = api.call("GET", item).headers["Generation"]
    emulator.fault(Fault(body=b"garbage"))
    answer = api.call("GET", item)
    assert (answer.status, answer.data) == (200, b"garbage")
    assert answer.headers["Generation"] == generation


def test_an_error_page_with_status_200(emulator: Emulator, api: Api, item: str) -> None:
    emulator.fault(Fault.error_page(method="GET", path="/keys/"))
    answer = api.call("GET", item)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html"
    assert answer.data.startswith(b"<!doctype html>")


@pytest.mark.parametrize("status", [301, 307])
def test_a_redirect_to_another_host_shows_who_follows_it(
    emulator: Emulator, api: Api, item: str, status: int
) -> None:
    with Emulator() as elsewhere:
        emulator.fault(Fault.redirect(f"{elsewhere.url}/trap", status=status, times=2))
        answer = api.call("GET", item)
        assert answer.status == status
        assert answer.headers["Location"] == f"{elsewhere.url}/trap"
        elsewhere.assert_no_more()
        with urllib3.PoolManager() as careless:
            careless.request("GET", emulator.url + item, headers={"Fastly-Key": emulator.token})
        (leaked,) = elsewhere.requests
        assert leaked.path == "/trap"
        assert leaked.headers["fastly-key"] == emulator.token


def test_too_many_requests(emulator: Emulator, api: Api, item: str) -> None:
    emulator.fault(Fault.too_many_requests(retry_after=3))
    emulator.fault(Fault.too_many_requests())
    first, second = api.call("GET", item), api.call("GET", item)
    assert (first.status, first.headers["Retry-After"]) == (429, "3")
    assert second.status == 429
    assert "Retry-After" not in second.headers


@pytest.mark.parametrize(("after", "stored"), [(False, VALUE), (True, b"new")])
@pytest.mark.parametrize("fault", [{"status": 503}, {"reset": "before"}])
def test_a_write_whose_answer_is_lost(
    *, emulator: Emulator, api: Api, item: str, fault: dict[str, Any], after: bool, stored: bytes
) -> None:
    emulator.fault(Fault(method="PUT", after=after, **fault))
    if "status" in fault:
        assert api.call("PUT", item, b"new").status == 503
    else:
        with pytest.raises(urllib3.exceptions.ProtocolError):
            api.call("PUT", item, b"new")
    assert emulator.get("specs", "k") == stored


def test_reads_flip_between_the_old_and_the_new_version(emulator: Emulator, api: Api, item: str) -> None:
    old = api.call("GET", item).headers["Generation"]
    assert api.call("PUT", item, b"new").status == 200
    emulator.fault(Fault(stale=True, path="/keys/", every=2, times=2))
    answers = [api.call("GET", item) for _ in range(4)]
    new = answers[1].headers["Generation"]
    assert [answer.data for answer in answers] == [VALUE, b"new", VALUE, b"new"]
    assert [answer.headers["Generation"] for answer in answers] == [old, new, old, new]
    assert old != new


def test_a_stale_read_of_what_never_changed_is_the_only_version(
    emulator: Emulator, api: Api, item: str
) -> None:
    emulator.fault(Fault(stale=True))
    assert api.call("GET", item).data == VALUE


def test_head_fails_like_get_but_has_no_body_to_break(emulator: Emulator, api: Api, item: str) -> None:
    emulator.fault(Fault(method="HEAD", status=405))
    emulator.fault(Fault(method="HEAD", truncate=1))
    emulator.fault(Fault(method="HEAD", reset="before"))
    assert api.call("HEAD", item).status == 405
    assert api.call("HEAD", item).headers["Content-Length"] == str(len(VALUE))
    with pytest.raises(urllib3.exceptions.ProtocolError):
        api.call("HEAD", item)


@pytest.mark.parametrize("fault", [Fault(delay=60), Fault(drip=60, drip_bytes=1)])
def test_stop_interrupts_what_is_waiting(fault: Fault) -> None:
    emulator = Emulator().start()
    store = emulator.create_kv_store("specs")
    emulator.put("specs", "k", VALUE)
    emulator.fault(fault)
    failures: list[BaseException] = []

    def read() -> None:
        with Api(emulator) as api:
            try:
                api.call("GET", f"{KV}/{store}/keys/k")
            except urllib3.exceptions.HTTPError as error:
                failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    emulator.wait_for_requests()
    began = time.monotonic()
    emulator.stop()
    assert time.monotonic() - began < 1.0
    reader.join(5)
    assert not reader.is_alive()
    assert len(failures) == 1


def test_stop_does_not_wait_for_a_client_that_says_nothing_or_stops_reading(emulator: Emulator) -> None:
    store = emulator.create_kv_store("specs")
    emulator.put("specs", "big", bytes(20_000_000))
    with Api(emulator) as api:
        half_read = api.call("GET", f"{KV}/{store}/keys/big", preload=False)
        assert half_read.read(10) == bytes(10)
        half_sent = urllib3.connection.HTTPConnection("127.0.0.1", emulator.port)
        half_sent.putrequest("PUT", f"{KV}/{store}/keys/k")
        half_sent.putheader("Content-Length", "100")
        half_sent.endheaders(b"half")
        began = time.monotonic()
        emulator.stop()
        assert time.monotonic() - began < 1.0
        half_read.close()
        half_sent.close()


@pytest.mark.parametrize(
    "arguments",
    [
        {"times": 0},
        {"skip": -1},
        {"every": 0},
        {"probability": 1.5},
        {"delay": -1},
        {"drip_bytes": 0},
        {"reset": "after"},
        {"truncate": -1},
        {"truncate": 1, "chunked": True},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        Fault(**arguments)


def _tls(side: int) -> ssl.SSLContext:
    # Anonymous key exchange: TLS without a certificate to keep in the tree.
    context = ssl.SSLContext(side)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("aNULL:@SECLEVEL=0")
    return context


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_tls_and_a_failed_handshake() -> None:
    client = _tls(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    with Emulator(tls=_tls(ssl.PROTOCOL_TLS_SERVER)) as emulator:
        assert emulator.url.startswith("https://127.0.0.1:")
        with urllib3.PoolManager(ssl_context=client, retries=False) as willing:
            answer = willing.request("GET", emulator.url + KV, headers={"Fastly-Key": emulator.token})
            assert answer.status == 200
            with (
                urllib3.PoolManager(retries=False) as distrustful,
                pytest.raises(urllib3.exceptions.SSLError),
            ):
                distrustful.request("GET", emulator.url + KV)
        assert len(emulator.requests) == 1
