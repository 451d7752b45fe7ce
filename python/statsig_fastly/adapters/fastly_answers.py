"""What the answers of Fastly's API mean when they are not the value asked for.

In: what was asked, in words, and a `Response` or `TransportError`. Out: one `AdapterError` that says
what was asked, what came and what to do. No text in it holds the token.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from statsig_fastly.errors import AdapterError
from statsig_fastly.retry_after import rate_limit_wait, retry_after
from statsig_fastly.store_limits import KV_REMEDIES
from statsig_fastly.transport import TransportError

if TYPE_CHECKING:
    from statsig_fastly.api_token import ApiToken
    from statsig_fastly.transport import Response

__all__ = ["no_answer", "one_line", "refusal", "retryable_status"]

_SERVER_TEXT_LIMIT = 160
_TOO_MANY = 429
_SERVER_FAILED = range(500, 600)
_EPOCH_DIGITS = 11  # a number of seconds that datetime can hold

_MEANINGS = {
    400: "bad request; check the store and the key",
    401: "the token was refused; check token= or FASTLY_API_TOKEN: it must be valid, not expired, and have "
    "the scope global:read",
    403: "the token may not do this; it needs the scope global:read, or global to write, and an account that "
    "owns the store",
    408: "the server gave up waiting for the request; ask again later",
    413: f"the value is too large for the API; {KV_REMEDIES}",
    429: "too many requests; ask less often, and let one process per host do the asking",
}


def retryable_status(status: int) -> bool:
    """True if the same request may succeed later: 408, 429 and 5xx."""
    return status in {408, 429} or status in _SERVER_FAILED


def refusal(asked: str, answer: Response, token: ApiToken) -> AdapterError:
    """The error for an answer with a status other than the expected one.

    Args:
        asked: What was asked, as in `reading key 'k' of KV store 's' at api.fastly.com`.
        answer: The answer.
        token: What must not appear in the message.
    """
    status = answer.status
    parts = [_meaning(answer, token)]
    if wait := _wait(answer, token):
        parts.append(wait)
    if text := _server_text(answer, token):
        parts.append(f"the server says: {text}")
    retryable = retryable_status(status)
    return AdapterError(
        f"{asked}: HTTP {status}: {'; '.join(parts)}",
        status=status,
        retryable=retryable,
        retry_after=_seconds_to_wait(answer) if retryable else None,
    )


def no_answer(
    asked: str, error: TransportError | OSError, token: ApiToken, too_large: str = ""
) -> AdapterError:
    """The error for an exchange that did not come to its end.

    Args:
        asked: What was asked, in words.
        error: What the transport raised.
        token: What must not appear in the message.
        too_large: What to do where the answer was too large.
    """
    text = one_line(str(error) or type(error).__name__, token, 300)
    if not isinstance(error, TransportError):  # a transport of the caller's own
        return AdapterError(f"{asked}: {type(error).__name__}: {text}", retryable=True)
    advice = {
        "tls": "; for an own certificate authority pass transport=urllib3.PoolManager(ca_certs=…)",
        "unreachable": "; check the network, and api= if it is not Fastly's own",
        "too-large": too_large and f"; {too_large}",
    }.get(error.reason, "")
    return AdapterError(f"{asked}: {text}{advice}", status=error.status, retryable=error.retryable)


def one_line(text: str, token: ApiToken, limit: int = _SERVER_TEXT_LIMIT) -> str:
    """Foreign text made fit for a message: one line, bounded, without the token."""
    # Scrubbed before it is cut, or the first half of a token would go through.
    clean = " ".join("".join(c if c.isprintable() else " " for c in token.scrub(text)).split())
    return clean if len(clean) <= limit else f"{clean[: limit - 1]}…"


def _meaning(answer: Response, token: ApiToken) -> str:
    status = answer.status
    if status in _MEANINGS:
        return _MEANINGS[status]
    if status in range(300, 400):
        return _redirect(answer, token)
    if status in _SERVER_FAILED:
        return "the server failed; ask again later"
    return "an answer nobody expects here; check that api= is Fastly's API"


def _redirect(answer: Response, token: ApiToken) -> str:
    location = answer.headers.get("location")
    if location is None:
        return "an answer without a value, and redirects are not followed"
    within = location.startswith("/") and not location.startswith("//")
    host = "" if within else location.partition("//")[2].partition("/")[0].rpartition("@")[2]
    return (
        f"a redirect to {one_line(host, token, 100) or 'another path'}, which is refused because the token "
        "would go there; check api="
    )


def _seconds_to_wait(answer: Response) -> float | None:
    now = time.time()
    wait = retry_after(answer.headers, now)
    if wait is None and answer.status == _TOO_MANY:
        wait = rate_limit_wait(answer.headers, now)
    return wait


def _wait(answer: Response, token: ApiToken) -> str:
    """What the server says about when to come back."""
    from datetime import datetime, timezone

    said = []
    if after := answer.headers.get("retry-after"):
        said.append(f"Retry-After: {one_line(after, token, 40)}{' s' if after.isdigit() else ''}")
    if reset := answer.headers.get("fastly-ratelimit-reset"):
        shown = one_line(reset, token, 40)
        if reset.isascii() and reset.isdigit() and len(reset) <= _EPOCH_DIGITS:
            shown = f"{shown} ({datetime.fromtimestamp(int(reset), timezone.utc):%Y-%m-%d %H:%M:%SZ})"
        said.append(f"Fastly-RateLimit-Reset: {shown}")
    return ", ".join(said)


def _server_text(answer: Response, token: ApiToken) -> str:
    """The message in an error body: `msg`, `detail` or `title` of a JSON object, or short plain text."""
    try:
        text = answer.body.decode()
    except UnicodeDecodeError:
        return ""
    if text.lstrip().startswith("<"):
        return ""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return one_line(text, token)
    if isinstance(data, dict):
        said = [data[name] for name in ("msg", "title", "detail") if isinstance(data.get(name), str)]
        return one_line(": ".join(said), token)
    return ""
