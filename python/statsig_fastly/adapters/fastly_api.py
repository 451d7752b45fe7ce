"""Asking Fastly's API: one request goes out with the token, an answer or an `AdapterError` comes back.

What the paths mean is for the caller. The token goes to the host of `api` and nowhere else.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING

from statsig_fastly.adapters.checks import check_seconds
from statsig_fastly.adapters.fastly_answers import no_answer, one_line, refusal
from statsig_fastly.api_token import ApiAddress, ApiToken
from statsig_fastly.errors import AdapterError
from statsig_fastly.transport import Request, TransportError, as_transport

if TYPE_CHECKING:
    from collections.abc import Mapping

    import urllib3

    from statsig_fastly.transport import Response, Transport

__all__ = ["FastlyApi", "decoded"]

LIST_BYTES = 4 * 1024 * 1024
"""Largest list of stores or keys that is read, in bytes."""


class FastlyApi:
    """Fastly's API as one adapter uses it. Safe to use from several threads.

    The arguments are those of `FastlyDataAdapter`.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument has a value that cannot work; there is no token.
    """

    __slots__ = ("_address", "_owns_transport", "_timeouts", "_token", "_transport")

    def __init__(
        self,
        *,
        token: str | None,
        api: str,
        connect_timeout: float,
        read_timeout: float,
        total_timeout: float,
        transport: Transport | urllib3.PoolManager | None,
    ) -> None:
        self._address = ApiAddress.of_argument(api)
        self._timeouts = (
            check_seconds("connect_timeout", connect_timeout),
            check_seconds("read_timeout", read_timeout),
            check_seconds("total_timeout", total_timeout),
        )
        self._owns_transport = transport is None
        self._transport = as_transport(transport)
        self._token = ApiToken.of_argument(token)

    @property
    def base(self) -> str:
        """Base URL of the API."""
        return self._address.base

    @property
    def host(self) -> str:
        """Host and port, for messages."""
        return self._address.host

    def ask(
        self,
        method: str,
        path: str,
        asked: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        limit: int = LIST_BYTES,
        too_large: str = "",
    ) -> Response:
        """Sends one request.

        Args:
            method: `GET`, `HEAD` or what changes something.
            path: Path and query, percent-encoded.
            asked: What is asked, in words, as in `reading key 'k' of KV store 's' at api.fastly.com`.
            headers: Header fields besides the token's.
            body: What is sent.
            limit: Largest body of an answer, in bytes.
            too_large: What to do about one that is larger.

        Raises:
            AdapterError: There is no whole answer.
        """
        connect, read, total = self._timeouts
        failure: TransportError | OSError
        try:
            answer = self._transport.send(
                Request(
                    method=method,
                    url=self._address.base + path,
                    headers={**(headers or {}), "Fastly-Key": self._token.reveal()},
                    body=body,
                    connect_timeout=connect,
                    read_timeout=read,
                    total_timeout=total,
                    max_body_bytes=limit,
                )
            )
        except (TransportError, OSError) as error:
            failure = error
        else:
            self._check_encoding(method, answer, asked)
            return answer
        # Outside the handler, so that the cause, which adds nothing, is not dragged along.
        raise no_answer(asked, failure, self._token, too_large)

    def rows(self, path: str, asked: str, field: str | None, *, limit: int = LIST_BYTES) -> list[object]:
        """Asks for a list.

        Args:
            path: Path and query, percent-encoded.
            asked: What is asked, in words.
            field: Where in the answer the list is; None if it is the answer.
            limit: Largest answer, in bytes.

        Raises:
            AdapterError: There is no such answer.
        """
        answer = self.ask("GET", path, asked, limit=limit)
        if answer.status != HTTPStatus.OK:
            raise self.refusal(asked, answer)
        found = decoded(answer)
        if field is not None:
            found = found.get(field) if isinstance(found, dict) else None
        if not isinstance(found, list):
            expected = "JSON with a list" if field is None else f'JSON with a list "{field}"'
            raise self.unexpected(asked, expected, answer)
        return found

    def unexpected(self, asked: str, expected: str, answer: Response) -> AdapterError:
        """The error for an answer with status 200 that is not what it should be."""
        if answer.body[:64].lstrip().startswith(b"<"):
            got = "got an HTML or XML page, most likely an error page; ask again later"
            return AdapterError(f"{asked}: expected {expected}, {got}", status=200, retryable=True)
        return AdapterError(f"{asked}: expected {expected}, got something else; check api=", status=200)

    def refusal(self, asked: str, answer: Response) -> AdapterError:
        """The error for an answer with a status other than the expected one."""
        return refusal(asked, answer, self._token)

    def scrub(self, text: str) -> str:
        """`text` with the token, should somebody have echoed it, taken out."""
        return self._token.scrub(text)

    def one_line(self, text: str, limit: int = 160) -> str:
        """Foreign text made fit for a message: one line, bounded, without the token."""
        return one_line(text, self._token, limit)

    def close(self) -> None:
        """Closes the connections, unless the transport was passed in. A later request opens new ones."""
        if self._owns_transport:
            self._transport.close()

    def _check_encoding(self, method: str, answer: Response, asked: str) -> None:
        encoding = answer.headers.get("content-encoding", "")
        if method == "HEAD" or answer.status != HTTPStatus.OK:
            return
        if encoding.strip().lower() not in {"", "identity"}:
            said = f"Content-Encoding {self.one_line(encoding, 40)!r}, which was not asked for"
            raise AdapterError(f"{asked}: the answer came with {said}", status=200)


def decoded(answer: Response) -> object:
    """The JSON in the body of an answer; None if there is none."""
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
