"""The KV Store half of api.fastly.com: requests in, answers out.

Recorded shapes are followed to the header; where production's answer is not known the docs page of
the emulator says what is done instead. The stores themselves are in `kv`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import formatdate, parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal

from statsig_fastly.emulator.exchange import Answer, Refused, empty_answer, json_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from statsig_fastly.emulator.exchange import RecordedRequest
    from statsig_fastly.emulator.kv import KvStore, KvStores, Version

__all__ = ["PREFIX", "KvAnswers", "kv_answer"]

PREFIX = ["resources", "stores", "kv"]
_LOCATIONS = {"US", "EU", "ASIA", "AUS"}
_DEFAULT_LIMIT = 1000
_MAX_BATCH_ITEMS = 100_000
_MAX_U64 = 2**64 - 1
_CURSOR_TAG = 0x0A
_LOW_7_BITS, _MORE = 0x7F, 0x80


@dataclass(frozen=True, slots=True)
class KvAnswers:
    """How the KV API answers where production's behaviour is unknown or worth switching off."""

    head_supported: bool = True
    honour_ims: bool = False
    not_found_body: bytes = b""
    batch_error_status: int = 200


def kv_answer(
    stores: KvStores, request: RecordedRequest, options: KvAnswers, *, stale: bool = False
) -> Answer:
    """Answers a request below `/resources/stores/kv`.

    Args:
        stores: The stores to read and write.
        request: The request; it has been authorised.
        options: See `KvAnswers`.
        stale: Serve item reads from the version before the visible one.
    """
    try:
        return _route(stores, request, options, stale=stale)
    except Refused as refused:
        if refused.status == 412:  # noqa: PLR2004 - recorded: a 412 has no body
            return empty_answer(412)
        if refused.status == 404:  # noqa: PLR2004
            return Answer(404, body=options.not_found_body)
        return json_answer(refused.status, {"msg": refused.reason})


def _route(stores: KvStores, request: RecordedRequest, options: KvAnswers, *, stale: bool) -> Answer:
    method = request.method
    match request.segments[len(PREFIX) :]:
        case []:
            if method == "GET":
                return _list_stores(stores, request)
            if method == "POST":
                return _create_store(stores, request)
        case [store_id]:
            if method == "GET":
                return json_answer(200, _store_object(stores.get(store_id)))
            if method == "PUT":
                stores.get(store_id)
                return json_answer(200, _store_object(stores.rename(store_id, _name_in(request))))
            if method == "DELETE":
                stores.delete(store_id)
                return empty_answer(204)
        case [store_id, "keys"]:
            if method == "GET":
                return _list_keys(stores, store_id, request)
        case [store_id, "batch"]:
            if method == "PUT":
                return _batch(stores, store_id, request, options)
        case [store_id, "keys", *_]:
            key = request.after(len(PREFIX) + 2)
            if method == "GET" or (method == "HEAD" and options.head_supported):
                return _get_item(stores, store_id, key, request, options, stale=stale)
            if method == "PUT":
                return _put_item(stores, store_id, key, request)
            if method == "DELETE":
                return _delete_item(stores, store_id, key, request)
        case _:
            raise Refused(404, "no such resource")
    raise Refused(405, "method not allowed")


def _create_store(stores: KvStores, request: RecordedRequest) -> Answer:
    location = request.query.get("location")
    if location is not None and location not in _LOCATIONS:
        raise Refused(400, f"location: expected one of {', '.join(sorted(_LOCATIONS))}")
    return json_answer(201, _store_object(stores.create(_name_in(request))))


def _list_stores(stores: KvStores, request: RecordedRequest) -> Answer:
    limit = _limit(request)
    found = stores.all()
    if "name" in request.query:
        found = [store for store in found if store.name == request.query["name"]]
    if "cursor" in request.query:
        after = _decode_cursor(request.query["cursor"])
        found = [store for store in found if store.store_id > after]
    # Recorded: `total` is 0 however many stores there are.
    meta: dict[str, Any] = {"limit": limit, "total": 0}
    if len(found) > limit:
        meta["next_cursor"] = _encode_cursor(found[limit - 1].store_id)
    return json_answer(200, {"data": [_store_object(store) for store in found[:limit]], "meta": meta})


def _list_keys(stores: KvStores, store_id: str, request: RecordedRequest) -> Answer:
    query = request.query
    store = stores.get(store_id)
    limit = _limit(request)
    consistency = query.get("consistency", "strong")
    if consistency not in {"strong", "eventual"}:
        raise Refused(400, "consistency: expected strong or eventual")
    prefix = query.get("prefix", "")
    keys = [
        key
        for key in store.keys(stores.clock(), eventual=consistency == "eventual")
        if key.startswith(prefix)
    ]
    if "cursor" in query:
        after = _decode_cursor(query["cursor"]).encode()
        keys = [key for key in keys if key.encode() > after]
    meta: dict[str, Any] = {"limit": limit}
    if prefix:
        meta["prefix"] = prefix
    if len(keys) > limit:
        meta["next_cursor"] = _encode_cursor(keys[limit - 1])
    return json_answer(200, {"data": keys[:limit], "meta": meta})


def _get_item(
    stores: KvStores, store_id: str, key: str, request: RecordedRequest, options: KvAnswers, *, stale: bool
) -> Answer:
    version, seen_before = stores.read(store_id, key, stale=stale)
    body = version.body or b""
    if options.honour_ims and not _modified_since(version, request.headers.get("if-modified-since")):
        return empty_answer(304)
    headers = {
        "Content-Type": "application/octet-stream",
        "Stored-Content-Length": str(len(body)),
        "Generation": str(version.generation),
        "Metadata": version.metadata,
        "Last-Modified": formatdate(int(version.modified_at), usegmt=True),
        "Accept-Ranges": "bytes",
        "X-Cache": "HIT, MISS" if seen_before else "MISS, MISS",
    }
    return Answer(200, headers, body)


def _put_item(stores: KvStores, store_id: str, key: str, request: RecordedRequest) -> Answer:
    headers, query = request.headers, request.query
    modes: list[Literal["add", "append", "prepend"]] = ["add", "append", "prepend"]
    wanted = [mode for mode in modes if query.get(mode) == "true"]
    if len(wanted) > 1:
        raise Refused(400, f"{' and '.join(wanted)} exclude each other")
    stores.write(
        store_id,
        key,
        request.body_bytes,
        metadata=_metadata(headers.get("metadata", "")),
        ttl=_ttl(headers.get("time_to_live_sec")),
        if_generation=_generation(headers),
        mode=wanted[0] if wanted else "replace",
        background_fetch=query.get("background_fetch") == "true",
    )
    return empty_answer(200)


def _delete_item(stores: KvStores, store_id: str, key: str, request: RecordedRequest) -> Answer:
    force = request.query.get("force") == "true"
    stores.remove(store_id, key, if_generation=_generation(request.headers), force=force)
    return empty_answer(204)


def _batch(stores: KvStores, store_id: str, request: RecordedRequest, options: KvAnswers) -> Answer:
    stores.get(store_id)
    lines = [(index, line) for index, line in enumerate(request.body_bytes.split(b"\n")) if line.strip()]
    if len(lines) > _MAX_BATCH_ITEMS:
        raise Refused(400, f"a batch has at most {_MAX_BATCH_ITEMS} items, got {len(lines)}")
    errors: list[dict[str, Any]] = []
    for index, line in lines:
        key = ""
        try:
            item = _batch_item(line)
            key = item.key
            stores.write(
                store_id,
                key,
                item.value,
                metadata=item.metadata,
                ttl=item.ttl,
                background_fetch=item.background_fetch,
            )
        except Refused as refused:
            errors.append({"key": key, "index": index, "code": str(refused.status), "reason": refused.reason})
    if errors:
        return json_answer(options.batch_error_status, {"type": "", "title": "errors", "errors": errors})
    return json_answer(200, {"type": "", "title": "success", "errors": []})


@dataclass(frozen=True, slots=True)
class _BatchItem:
    key: str
    value: bytes
    metadata: str
    ttl: float | None
    background_fetch: bool


def _batch_item(line: bytes) -> _BatchItem:
    try:
        found = json.loads(line)
    except ValueError:
        raise Refused(400, "the line is not JSON") from None
    if not isinstance(found, dict) or not isinstance(found.get("key"), str):
        raise Refused(400, "key: expected a string")
    value, metadata, ttl = found.get("value"), found.get("metadata", ""), found.get("time_to_live_sec")
    if not isinstance(value, str):
        raise Refused(400, "value: expected a string in base64")
    if not isinstance(metadata, str):
        raise Refused(400, "metadata: expected a string")
    try:
        decoded = base64.b64decode(value, validate=True)
    except binascii.Error:
        raise Refused(400, "value: expected a string in base64") from None
    return _BatchItem(
        found["key"],
        decoded,
        _metadata(metadata),
        None if ttl is None else _ttl(str(ttl)),
        found.get("background_fetch") is True,
    )


def _store_object(store: KvStore) -> dict[str, str]:
    return {
        "id": store.store_id,
        "name": store.name,
        "created_at": _timestamp(store.created_at),
        "updated_at": _timestamp(store.updated_at),
    }


def _timestamp(seconds: float) -> str:
    """Recorded form: a space, no zone; UTC."""
    return datetime.fromtimestamp(int(seconds), timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


def _name_in(request: RecordedRequest) -> str:
    try:
        found = json.loads(request.body_bytes)
    except ValueError:
        raise Refused(400, "body: expected JSON") from None
    name = found.get("name") if isinstance(found, dict) else None
    if not isinstance(name, str):
        raise Refused(400, "name: expected a string")
    return name


def _limit(request: RecordedRequest) -> int:
    text = request.query.get("limit", str(_DEFAULT_LIMIT))
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < 1:
        raise Refused(400, "limit: expected a positive number")
    return int(text)


def _metadata(text: str) -> str:
    if re.search(r"[\r\n\x00]", text):
        raise Refused(400, "metadata: expected a legal header value")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused(400, "metadata: expected UTF-8") from None
    return text


def _ttl(text: str | None) -> float | None:
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,10}", text):
        raise Refused(400, "time_to_live_sec: expected a number of seconds")
    return float(text)


def _generation(headers: Mapping[str, str]) -> int | None:
    text = headers.get("if-generation-match")
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,20}", text) or int(text) > _MAX_U64:
        raise Refused(400, "if-generation-match: expected an unsigned 64-bit number")
    return int(text)


def _modified_since(version: Version, header: str | None) -> bool:
    if header is None:
        return True
    try:
        since = parsedate_to_datetime(header)
    except ValueError:
        return True
    return int(version.modified_at) > since.timestamp()


def _encode_cursor(key: str) -> str:
    """Recorded form: base64 of a protobuf message whose field 1 is the last key; here unpadded."""
    raw = key.encode()
    size, length = len(raw), bytearray()
    while size > _LOW_7_BITS:
        length.append(size & _LOW_7_BITS | _MORE)
        size >>= 7
    length.append(size)
    return base64.b64encode(bytes([_CURSOR_TAG]) + length + raw).rstrip(b"=").decode()


def _decode_cursor(cursor: str) -> str:
    try:
        raw = base64.b64decode(cursor.rstrip("=") + "=" * (-len(cursor.rstrip("=")) % 4), validate=True)
        length, start = 0, 1
        for shift in range(0, 21, 7):
            byte = raw[start]
            start += 1
            length |= (byte & _LOW_7_BITS) << shift
            if byte < _MORE:
                break
        if raw[0] != _CURSOR_TAG or len(raw) != start + length:
            raise Refused(400, "cursor: not one of ours")
        return raw[start:].decode()
    except (ValueError, IndexError):
        raise Refused(400, "cursor: not one of ours") from None
