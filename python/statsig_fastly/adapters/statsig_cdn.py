"""Config specs from Statsig's own CDN, or from whatever answers as it does.

In: an SDK key. Out: a `Payload` whose version is the `time` and `checksum` of the specs; None where the
server says that there is nothing newer; or an `AdapterError`.

Requests are those of the official server core, except that JSON is asked for and never protobuf.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal, NoReturn

from statsig_fastly.adapters import Payload
from statsig_fastly.adapters.checks import check_count, check_seconds
from statsig_fastly.adapters.specs_version import SpecsVersion, head_of
from statsig_fastly.adapters.statsig_answers import ask_again_at_once, no_answer, refusal, specs_in
from statsig_fastly.adapters.statsig_headers import StatsigHeaders
from statsig_fastly.api_token import ApiAddress
from statsig_fastly.errors import AdapterError
from statsig_fastly.sdk_key import SdkKey
from statsig_fastly.transport import Request, as_transport

if TYPE_CHECKING:
    from collections.abc import Callable

    import urllib3

    from statsig_fastly.transport import Response, Transport

__all__ = ["StatsigCdnAdapter"]

PayloadFormat = Literal["v1", "v2"]

_ADDRESSES = {
    "v1": "https://api.statsigcdn.com/v1/download_config_specs",
    "v2": "https://api.statsigcdn.com/v2/download_config_specs",
}
_MOST_RETRIES = 5


class StatsigCdnAdapter:
    """Downloads config specs as Statsig's own SDKs do. Safe to use from several threads.

    With a version in hand it names its `time` and `checksum`, and what has not changed is not downloaded.

    Statsig's protocol has the SDK key in the path of the URL. It is sent to the host of `specs_url` and
    nowhere else, and is kept out of errors, `repr` and the log lines of urllib3. Whatever else looks at
    requests, such as a proxy that ends TLS or a tracing tool, sees it.

    Args:
        sdk_key: Server key of the project.
        specs_url: Everything before `/<SDK key>.json`, as in the official package's option: https, or http on
            this machine. None: Statsig's CDN.
        payload_format: Which of Statsig's formats is asked for: the one of the official core, or the one of
            older SDKs. Both can be used. It decides on the address of Statsig's CDN; and `"v1"` is asked for
            as older SDKs do it, without a checksum.
        connect_timeout: Seconds to open a connection, for each address of the host.
        read_timeout: Seconds the server may send nothing.
        total_timeout: Seconds for one whole answer.
        max_value_bytes: Largest payload accepted, in bytes, packed or not.
        transport: What does the HTTP: None for a pool of its own, a `urllib3.PoolManager` for a proxy or an
            own certificate authority, or an object like `statsig_fastly.transport.Transport`. What is passed
            in stays open on `close`.
        service_name: What Statsig is told the application is called.
        retries: How often at most a request that failed is made again at once, after 200, 400, 800 ms and so
            on. The official core does it 3 times in the background and never at the start. Not after a
            redirect, nor 400, 403, 405, 413, 429 or 501, nor after what cannot change; nor where the server
            says when to come back.
        wait: What waits for so many seconds before that.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument has a value that cannot work.
    """

    __slots__ = (
        "_address",
        "_format",
        "_headers",
        "_limit",
        "_owns_transport",
        "_retries",
        "_sdk_key",
        "_timeouts",
        "_transport",
        "_wait",
    )

    def __init__(
        self,
        sdk_key: str,
        *,
        specs_url: str | None = None,
        payload_format: PayloadFormat = "v2",
        connect_timeout: float = 3.0,
        read_timeout: float = 10.0,
        total_timeout: float = 30.0,
        max_value_bytes: int = 25_000_000,
        transport: Transport | urllib3.PoolManager | None = None,
        service_name: str | None = None,
        retries: int = 0,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._sdk_key = SdkKey.of_argument(sdk_key)
        if payload_format not in ("v1", "v2"):  # a tuple: what comes may not be hashable
            raise ValueError(f"payload_format: expected 'v1' or 'v2', got {payload_format!r}")
        self._format = payload_format
        standard = _ADDRESSES[payload_format]
        self._address = ApiAddress.of_argument(
            standard if specs_url is None else specs_url, "specs_url", example=standard, carries="SDK key"
        )
        self._timeouts = (
            check_seconds("connect_timeout", connect_timeout),
            check_seconds("read_timeout", read_timeout),
            check_seconds("total_timeout", total_timeout),
        )
        self._limit = check_count("max_value_bytes", max_value_bytes)
        self._owns_transport = transport is None
        self._transport = as_transport(transport)
        self._headers = StatsigHeaders(self._sdk_key, service_name)
        if retries != 0 and check_count("retries", retries) > _MOST_RETRIES:
            raise ValueError(f"retries: expected 0 to {_MOST_RETRIES}, got {retries}")
        self._retries = retries
        if not callable(wait):
            raise TypeError(f"wait: expected something to call with seconds, got {type(wait).__name__}")
        self._wait = wait

    @property
    def name(self) -> str:
        """`StatsigCDN`. Evaluation reasons say `Network:Recognized`, as with Statsig's own SDKs."""
        return "StatsigCDN"

    @property
    def identity(self) -> str:
        """Tells this source from others: the address, and a digest of the SDK key. No secret."""
        return f"{self.name} {self._address.base} {self._sdk_key.digest}"

    def fetch(self, held_version: str | None = None) -> Payload | None:
        """Downloads the config specs, if there are newer ones than the caller has.

        Args:
            held_version: `Payload.version` of what the caller has, or None to download in any case. A version
                of another adapter counts as None.

        Returns:
            The specs; or None if there are none but those of `held_version`.

        Raises:
            AdapterError: No usable specs came. `retryable` is True where asking later may help, and
                `retry_after` is what the server said about that.
        """
        if held_version is not None and not isinstance(held_version, str):
            raise TypeError(f"held_version: expected str or None, got {type(held_version).__name__}")
        held = SpecsVersion.of_text(held_version)
        answer = self._ask(held)
        body = specs_in(self._asked(), answer, self._limit, self._sdk_key)
        head = head_of(body)
        if head.no_updates:
            if held is None:
                raise AdapterError(
                    f"{self._asked()}: the server says that there is nothing newer, and was not told of any "
                    "specs; check specs_url",
                    status=answer.status,
                    retryable=True,
                )
            return None
        version = SpecsVersion.of_payload(body, head).text
        return None if version == held_version else Payload(body, version, source="Network")

    def close(self) -> None:
        """Closes the connections, unless the transport was passed in. A later `fetch` opens new ones."""
        if self._owns_transport:
            self._transport.close()

    def __repr__(self) -> str:
        return f"StatsigCdnAdapter(specs_url={self._address.base!r}, payload_format={self._format!r})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "a StatsigCdnAdapter holds an SDK key and cannot be pickled or copied; make a new one"
        )

    def _ask(self, held: SpecsVersion | None) -> Response:
        """Asks, and asks again as often as it may; the answer has the status 200."""
        for retry in range(1, self._retries + 2):
            answer = self._ask_once(held)
            if isinstance(answer, AdapterError):
                failure, again = answer, answer.retryable
            elif answer.status == HTTPStatus.OK:
                return answer
            else:
                failure = refusal(self._asked(), answer, self._sdk_key)
                again = failure.retry_after is None and ask_again_at_once(answer.status)
            if not again or retry > self._retries:
                break
            self._wait(2**retry / 10)
        raise failure

    def _ask_once(self, held: SpecsVersion | None) -> Response | AdapterError:
        try:
            return self._transport.send(self._request(held))
        except Exception as error:  # a transport of the caller's own may raise anything  # noqa: BLE001
            # Returned, so that the cause, which adds nothing and may hold the URL, is not dragged along.
            return no_answer(self._asked(), error, self._sdk_key)

    def _request(self, held: SpecsVersion | None) -> Request:
        connect, read, total = self._timeouts
        query = "" if held is None else held.query(with_checksum=self._format == "v2")
        return Request(
            method="GET",
            url=f"{self._address.base}/{self._sdk_key.quoted()}.json{'?' if query else ''}{query}",
            hide=self._sdk_key.quoted(),
            headers={**self._headers.now(), "Accept-Encoding": "gzip"},
            connect_timeout=connect,
            read_timeout=read,
            total_timeout=total,
            max_body_bytes=self._limit,
        )

    def _asked(self) -> str:
        return f"asking {self._address.host} for config specs"
