"""ID lists from Statsig's own endpoints, or from whatever answers as they do.

In: an SDK key. Out: which lists there are, and the lines of their files; or an `AdapterError`.

What is asked is in `id_list_requests`; here is what the answers mean.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn

from statsig_fastly.adapters import IdListFile
from statsig_fastly.adapters.checks import check_count, check_seconds
from statsig_fastly.adapters.fastly_answers import one_line
from statsig_fastly.adapters.id_list_requests import IdListRequests
from statsig_fastly.errors import AdapterError, described
from statsig_fastly.id_list_files import MAX_LIST_BYTES
from statsig_fastly.transport import TransportError, as_transport

if TYPE_CHECKING:
    from collections.abc import Sequence

    import urllib3

    from statsig_fastly.transport import Request, Response, Transport

__all__ = ["StatsigIdListAdapter"]

_INDEX_BYTES = 16 * 1024 * 1024
_LARGEST_SIZE = 2**64 - 1
_TIMES = range(-(2**63), 2**63)

_RANGE = re.compile(r"\s*bytes\s+(\d{1,20})-\d+/(?:\d+|\*)\s*", re.IGNORECASE | re.ASCII)

_KEY_REFUSED = frozenset({401, 403})
_MAY_PASS = frozenset({408, 425, 429, 500, *range(502, 600)})
_MEANINGS = {
    400: "bad request",
    404: "there is nothing at this address",
    408: "the server gave up waiting for the request; ask again later",
    416: "the file has no more than was read before; ask again later",
    429: "too many requests; ask less often, and let one process per host do the asking",
}


class StatsigIdListAdapter:
    """Downloads ID lists as Statsig's own SDKs do. Safe to use from several threads.

    Statsig's protocol has the SDK key in the path of the index's URL and in a header. It is sent to the
    hosts of `id_lists_url` and `download_id_list_file_api` and to Statsig's own, and not, as in the official
    package, to every host that the index names. It is kept out of errors, `repr` and the log lines of
    urllib3.

    Args:
        sdk_key: Server key of the project.
        id_lists_url: Where the index of all lists is, used as it is and asked by POST, as in the official
            package: https, or http on this machine. None: Statsig's CDN, which is asked by GET.
        download_id_list_file_api: What takes the place of the hosts of all files, such as
            `https://lists.example/v1`. None: they are where the index says.
        connect_timeout: Seconds to open a connection, for each address of the host.
        read_timeout: Seconds the server may send nothing.
        total_timeout: Seconds for one whole answer.
        max_list_bytes: Largest answer with lines of a list accepted, in bytes.
        transport: What does the HTTP: None for a pool of its own, a `urllib3.PoolManager` for a proxy or an
            own certificate authority, or an object like `statsig_fastly.transport.Transport`. What is passed
            in stays open on `close`.
        service_name: What Statsig is told the application is called.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument has a value that cannot work.
    """

    __slots__ = ("_limit", "_owns_transport", "_requests", "_timeouts", "_transport")

    def __init__(
        self,
        sdk_key: str,
        *,
        id_lists_url: str | None = None,
        download_id_list_file_api: str | None = None,
        connect_timeout: float = 3.0,
        read_timeout: float = 10.0,
        total_timeout: float = 60.0,
        max_list_bytes: int = MAX_LIST_BYTES,
        transport: Transport | urllib3.PoolManager | None = None,
        service_name: str | None = None,
    ) -> None:
        self._requests = IdListRequests(sdk_key, id_lists_url, download_id_list_file_api, service_name)
        self._timeouts = (
            check_seconds("connect_timeout", connect_timeout),
            check_seconds("read_timeout", read_timeout),
            check_seconds("total_timeout", total_timeout),
        )
        self._limit = check_count("max_list_bytes", max_list_bytes)
        self._owns_transport = transport is None
        self._transport = as_transport(transport)

    def fetch_id_lists(self) -> Sequence[IdListFile]:
        """Reads which lists there are.

        Raises:
            AdapterError: The index could not be read. `retryable` is True where asking later may help, and
                `retry_after` is what the server said about that.
        """
        asked = f"asking {self._requests.origin.partition('://')[2]} for the ID lists"
        answer = self._send(self._requests.index(), _INDEX_BYTES, asked, "id_lists_url")
        if answer.status != HTTPStatus.OK:
            raise self._refusal(answer, asked, "check sdk_key and id_lists_url")
        files = _files_in(answer.body)
        if isinstance(files, str):
            raise AdapterError(f"{asked}: {files}", status=answer.status, retryable=True)
        return files

    def fetch_id_list(self, file: IdListFile, start: int) -> bytes:
        """Reads the lines of a list from byte `start` of its file on.

        Raises:
            AdapterError: As `fetch_id_lists`.
        """
        asked = f"reading ID list {file.name[:80]!r}"
        try:
            request = self._requests.file(file, start)
        except ValueError as error:
            problem = self._requests.sdk_key.scrub(str(error))
        else:
            host = request.url.partition("://")[2].partition("/")[0]
            return self._lines(request, file, start, f"{asked} at {host}")
        raise AdapterError(f"{asked}: {problem}")

    def close(self) -> None:
        """Closes the connections, unless the transport was passed in. Later requests open new ones."""
        if self._owns_transport:
            self._transport.close()

    def __repr__(self) -> str:
        return f"StatsigIdListAdapter({self._requests.origin!r})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "a StatsigIdListAdapter holds an SDK key and cannot be pickled or copied; make a new one"
        )

    def _lines(self, request: Request, file: IdListFile, start: int, asked: str) -> bytes:
        answer = self._send(request, self._limit, asked, "download_id_list_file_api")
        if answer.status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            part = _part(answer, file, start, ranged="range" in request.headers)
            if isinstance(part, bytes):
                return part
            raise AdapterError(f"{asked}: {part}; ask again later", status=answer.status, retryable=True)
        hint = "check download_id_list_file_api, if it is given"
        if answer.status in _KEY_REFUSED and not self._requests.may_know_the_key(request.url):
            hint = (
                "the SDK key is sent to Statsig's hosts and those of id_lists_url and "
                "download_id_list_file_api only"
            )
        raise self._refusal(answer, asked, hint)

    def _send(self, request: Request, limit: int, asked: str, argument: str) -> Response:
        """Does one exchange; the answer is not encoded.

        Args:
            request: What to ask.
            limit: Largest body, in bytes.
            asked: What is asked, in words.
            argument: What says where.
        """
        key = self._requests.sdk_key
        connect, read, total = self._timeouts
        request = replace(
            request, connect_timeout=connect, read_timeout=read, total_timeout=total, max_body_bytes=limit
        )
        try:
            answer = self._transport.send(request)
        except TransportError as error:
            advice = {
                "tls": "; for an own certificate authority pass transport=urllib3.PoolManager(ca_certs=…)",
                "unreachable": f"; check the network, and {argument} if it is given",
            }.get(error.reason, "")
            text = one_line(str(error), key, 300)
            failure = AdapterError(f"{asked}: {text}{advice}", status=error.status, retryable=error.retryable)
        except Exception as error:  # a transport of the caller's own may raise anything  # noqa: BLE001
            failure = AdapterError(f"{asked}: {described(error, key.scrub)}", retryable=True)
        else:
            encoding = answer.headers.get("content-encoding", "").strip().lower()
            if encoding in {"", "identity"} or answer.status not in range(200, 300):
                return answer
            what = f"Content-Encoding {one_line(encoding, key, 40)!r}, which was not asked for"
            failure = AdapterError(f"{asked}: the answer came with {what}", status=answer.status)
        # Outside the handlers, so that the cause, which adds nothing, is not dragged along.
        raise failure

    def _refusal(self, answer: Response, asked: str, hint: str) -> AdapterError:
        """The error for a status other than the expected ones."""
        from statsig_fastly.retry_after import retry_after

        status, key = answer.status, self._requests.sdk_key
        if status in range(300, 400):
            place = answer.headers.get("location", "").partition("//")[2].partition("/")[0].rpartition("@")[2]
            meaning = f"a redirect to {one_line(place, key, 100) or 'another path'}, and none are followed"
        elif status in _KEY_REFUSED:
            meaning = "the server refused the SDK key, or wants one"
        else:
            failed = "the server failed; ask again later" if status in _MAY_PASS else "an unexpected answer"
            meaning = _MEANINGS.get(status, failed)
        wait = retry_after(answer.headers, time.time())
        said = "" if wait is None else f"; it asks to be left alone for {wait:g} s"
        return AdapterError(
            f"{asked}: HTTP {status}: {meaning}; {hint}{said}",
            status=status,
            retryable=status in _MAY_PASS or status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            retry_after=wait,
        )


def _part(answer: Response, file: IdListFile, start: int, *, ranged: bool) -> bytes | str:
    """What the file has from a byte on; or what is wrong with the answer.

    Args:
        answer: One with the status 200 or 206.
        file: The file.
        start: The byte.
        ranged: Whether it was asked for by a header.
    """
    body = answer.body
    if answer.status == HTTPStatus.PARTIAL_CONTENT:
        if "content-range" not in answer.headers:
            return body
        first = _RANGE.fullmatch(answer.headers["content-range"])
        if first is not None and int(first[1]) == start:
            return body
        got = "a Content-Range that says nothing" if first is None else f"those from {first[1]} on"
        return f"asked for the bytes from {start} on, and got {got}"
    # What has the length of the part is the part, though not under the status for it.
    if not ranged or len(body) == file.size - start:
        return body
    if len(body) >= start:
        return body[start:]
    return f"the file has {len(body)} bytes, and had {start} before"


def _files_in(body: bytes) -> list[IdListFile] | str:
    """The lists of an index; or what is wrong with it. One bad entry spoils it, as in the official core."""
    try:
        index: object = json.loads(body.decode())
    except (ValueError, RecursionError):
        index = None
    if not isinstance(index, dict):
        page = body[:512].lstrip().startswith(b"<")
        found = "an HTML or XML page, most likely an error page" if page else "something else"
        return f"expected a JSON object, got {found}; ask again later"
    files = []
    for name, entry in index.items():
        file = _file(name, entry)
        if isinstance(file, str):
            return f"list {name[:80]!r}: {file}"
        files.append(file)
    return files


def _file(name: str, entry: Any) -> IdListFile | str:  # noqa: ANN401 - JSON
    if not isinstance(entry, dict):
        return f"expected an object, got {type(entry).__name__}"
    size, created = entry.get("size"), entry.get("creationTime")
    location, file_id = entry.get("url"), entry.get("fileID")
    if type(size) is not int or not 0 <= size <= _LARGEST_SIZE:
        return f"field `size`: expected a number of bytes, got {str(size)[:40]!r}"
    if type(created) is not int or created not in _TIMES:
        return f"field `creationTime`: expected a time in ms, got {str(created)[:40]!r}"
    if not isinstance(location, str):
        return f"field `url`: expected a string, got {type(location).__name__}"
    if not isinstance(file_id, str | None):
        return f"field `fileID`: expected a string, got {type(file_id).__name__}"
    try:
        f"{name}{location}{file_id}".encode()
    except UnicodeEncodeError:
        return "expected valid Unicode, got half a surrogate pair"
    return IdListFile(name, file_id or "", created, size, location)
