"""What the answers of Statsig's CDN mean when they are not config specs, and what is in them when they are.

In: what was asked, in words, and a `Response` or what a transport raised. Out: a payload, or one
`AdapterError` that says what was asked, what came and what to do. No text in it holds the SDK key.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from statsig_fastly.adapters.fastly_answers import one_line
from statsig_fastly.errors import AdapterError, described
from statsig_fastly.retry_after import retry_after
from statsig_fastly.transport import TransportError

if TYPE_CHECKING:
    from statsig_fastly.sdk_key import SdkKey
    from statsig_fastly.transport import Response

__all__ = ["ask_again_at_once", "no_answer", "refusal", "specs_in"]

_NOT_IMPLEMENTED = 501
_SERVER_FAILED = range(500, 600)
_GZIP = b"\x1f\x8b"
_MOST_MEMBERS = 64
# What the official core does not ask again at once, in the background.
_FINAL_FOR_NOW = frozenset({400, 403, 405, 413, 429, _NOT_IMPLEMENTED})

_KEY_REFUSED = "the SDK key was refused; check sdk_key: a server key of this project that was not revoked"
_MEANINGS = {
    400: "bad request; check sdk_key and specs_url",
    401: _KEY_REFUSED,
    403: _KEY_REFUSED,
    404: "there is nothing for this SDK key at this address; check sdk_key and specs_url",
    405: "this address takes no such request; check specs_url",
    408: "the server gave up waiting for the request; ask again later",
    429: "too many requests; ask less often, and let one process per host do the asking",
    _NOT_IMPLEMENTED: "this address takes no such request; check specs_url",
}


def ask_again_at_once(status: int) -> bool:
    """True for a status after which the official core asks again within a second, in the background.

    That is any but 2xx and 400, 403, 405, 413, 429 and 501. Redirects, which it follows, are left out as
    well.
    """
    return status not in _FINAL_FOR_NOW and status not in range(200, 400)


def refusal(asked: str, answer: Response, sdk_key: SdkKey) -> AdapterError:
    """The error for an answer with a status other than 200.

    Args:
        asked: What was asked, as in `asking api.statsigcdn.com for config specs`.
        answer: The answer.
        sdk_key: What must not appear in the message.
    """
    status = answer.status
    parts = [_meaning(answer, sdk_key)]
    wait = retry_after(answer.headers, time.time())
    if wait is not None:
        parts.append(f"it asks to be left alone for {wait:g} s")
    if text := _server_text(answer, sdk_key):
        parts.append(f"the server says: {text}")
    later = status in {408, 425, 429} or (status in _SERVER_FAILED and status != _NOT_IMPLEMENTED)
    message = f"{asked}: HTTP {status}: {'; '.join(parts)}"
    return AdapterError(message, status=status, retryable=later, retry_after=wait)


def no_answer(asked: str, error: Exception, sdk_key: SdkKey) -> AdapterError:
    """The error for an exchange that did not come to its end.

    Args:
        asked: What was asked, in words.
        error: What the transport raised.
        sdk_key: What must not appear in the message.
    """
    if not isinstance(error, TransportError):  # a transport of the caller's own, which may raise anything
        return AdapterError(f"{asked}: {described(error, sdk_key.scrub)}", retryable=True)
    advice = {
        "tls": "; for an own certificate authority pass transport=urllib3.PoolManager(ca_certs=…)",
        "unreachable": "; check the network, and specs_url if it is given",
        "too-large": "; make the payload smaller or raise max_value_bytes",
    }.get(error.reason, "")
    text = one_line(str(error), sdk_key, 300)
    return AdapterError(f"{asked}: {text}{advice}", status=error.status, retryable=error.retryable)


def specs_in(asked: str, answer: Response, limit: int, sdk_key: SdkKey) -> bytes:
    """The body of an answer with the status 200, unpacked.

    Whether the JSON is whole is found out when it is parsed.

    Args:
        asked: What was asked, in words.
        answer: The answer.
        limit: How many bytes it may have.
        sdk_key: What must not appear in the message.

    Raises:
        AdapterError: It cannot be unpacked, is too large or does not start like a JSON object.
    """
    found = _read(answer, limit, sdk_key)
    if not isinstance(found, bytes):
        raise AdapterError(f"{asked}: {found[0]}", status=answer.status, retryable=found[1])
    return found


def _read(answer: Response, limit: int, sdk_key: SdkKey) -> bytes | tuple[str, bool]:
    """What is in an answer; or what is wrong with it, and whether that may pass.

    Nothing is raised from here: a server may echo the SDK key, and a traceback may show local variables.
    """
    body = answer.body
    # By its bytes: a transport of the caller's own may have unpacked it already.
    if body.startswith(_GZIP):
        unpacked = _unpacked(body, limit)
        if not isinstance(unpacked, bytes):
            return unpacked
        body = unpacked
    return _problem_with(body, answer.headers.get("content-encoding", ""), sdk_key) or body


def _unpacked(packed: bytes, limit: int) -> bytes | tuple[str, bool]:
    """What was packed with gzip; or what is wrong with it, and whether that may pass."""
    import zlib

    body = bytearray()
    for _ in range(_MOST_MEMBERS):
        member = zlib.decompressobj(wbits=31)
        try:
            # Never more than one byte above the limit, whatever would come out.
            body += member.decompress(packed, limit - len(body) + 1)
        except zlib.error as error:
            return f"the answer cannot be unpacked: {error}; ask again later", True
        if len(body) > limit:
            what = f"the answer has more than {limit} bytes when it is unpacked"
            return f"{what}; make the payload smaller or raise max_value_bytes", False
        if not member.eof:
            return "the answer ended early: what was packed is not whole; ask again later", True
        packed = member.unused_data
        if not packed:
            return bytes(body)
    return f"the answer was packed in more than {_MOST_MEMBERS} pieces; check specs_url", False


def _problem_with(body: bytes, encoding: str, sdk_key: SdkKey) -> tuple[str, bool] | None:
    start = body[:512].lstrip(b" \t\r\n")
    if start.startswith(b"{"):
        return None
    if not start:
        return "the answer is empty; ask again later", True
    if start.startswith(b"<"):
        page = "the answer is an HTML or XML page, most likely of something in between, and not JSON"
        return f"{page}; ask again later, and if it stays check specs_url", True
    if encoding.strip().lower() not in {"", "identity", "gzip", "x-gzip"}:
        shown = one_line(encoding, sdk_key, 40)
        return (
            f"the answer came with Content-Encoding {shown!r}, which was not asked for; check specs_url",
            False,
        )
    quoted = sdk_key.scrub(start.decode("utf-8", "backslashreplace"))[:16]
    return f"the answer is not a JSON object: it starts with {quoted!r}; check specs_url", False


def _meaning(answer: Response, sdk_key: SdkKey) -> str:
    status = answer.status
    if status in range(300, 400) and "location" in answer.headers:
        place = answer.headers["location"]
        host = "" if place.startswith("/") and not place.startswith("//") else place.partition("//")[2]
        host = host.partition("/")[0].partition("?")[0].rpartition("@")[2]
        shown = one_line(host, sdk_key, 100) or "another path"
        return f"a redirect to {shown}, which is refused because the SDK key would go there; check specs_url"
    if status in _MEANINGS:
        return _MEANINGS[status]
    if status in _SERVER_FAILED:
        return "the server failed; ask again later"
    return "an answer nobody expects here; check specs_url"


def _server_text(answer: Response, sdk_key: SdkKey) -> str:
    """What an error says besides, unless it is a page."""
    try:
        text = answer.body.decode()
    except UnicodeDecodeError:
        return ""
    return "" if text.lstrip().startswith("<") else one_line(text, sdk_key)
