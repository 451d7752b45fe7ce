"""The Config Store half of api.fastly.com: requests in, answers out.

Writes are form-encoded, the bulk call is JSON. The stores themselves are in `config_store`.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, get_args
from urllib.parse import parse_qsl

from statsig_fastly.emulator.config_store import Operation
from statsig_fastly.emulator.exchange import Answer, Refused, json_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from statsig_fastly.emulator.config_store import ConfigItem, ConfigStore, ConfigStores
    from statsig_fastly.emulator.exchange import RecordedRequest

__all__ = ["PREFIX", "WriteBudget", "config_answer"]

PREFIX = ["resources", "stores", "config"]
_HOUR = 3600
_DONE = {"status": "ok"}
_OPERATIONS = frozenset(get_args(Operation))


class WriteBudget:
    """Counts writes per clock hour, for the rate-limit headers that Config Store writes carry.

    Args:
        clock: Seconds since the epoch.
        per_hour: Writes allowed in each hour.
    """

    def __init__(self, clock: Callable[[], float], per_hour: int) -> None:
        self._clock = clock
        self._per_hour = per_hour
        self._hour = -1
        self._spent = 0

    def spend(self) -> tuple[bool, dict[str, str]]:
        """Takes one write out of the budget; returns whether there was one left, and the headers."""
        hour = int(self._clock()) // _HOUR
        if hour != self._hour:
            self._hour, self._spent = hour, 0
        allowed = self._spent < self._per_hour
        self._spent += allowed
        return allowed, {
            "Fastly-RateLimit-Remaining": str(self._per_hour - self._spent),
            "Fastly-RateLimit-Reset": str((hour + 1) * _HOUR),
        }


def config_answer(stores: ConfigStores, request: RecordedRequest, budget: WriteBudget) -> Answer:
    """Answers a request below `/resources/stores/config`; the request has been authorised."""
    allowed, headers = (True, {}) if request.reads_only else budget.spend()
    if not allowed:
        return json_answer(429, {"msg": "too many writes"}, headers)
    try:
        return json_answer(200, _route(stores, request), headers)
    except Refused as refused:
        return json_answer(refused.status, {"msg": refused.reason}, headers)


def _route(stores: ConfigStores, request: RecordedRequest) -> object:
    method = request.method
    match request.segments[len(PREFIX) :]:
        case []:
            if method == "GET":
                wanted = request.query.get("name")
                return [_store_object(store) for store in stores.all() if wanted in {None, store.name}]
            if method == "POST":
                return _store_object(stores.create(_form_field(request, "name")))
        case [store_id]:
            if method == "GET":
                return _store_object(stores.get(store_id))
            if method == "PUT":
                stores.get(store_id)
                return _store_object(stores.rename(store_id, _form_field(request, "name")))
            if method == "DELETE":
                stores.delete(store_id)
                return _DONE
        case [store_id, "info"] if method == "GET":
            return {"item_count": len(stores.get(store_id).items)}
        case [store_id, "services"] if method == "GET":
            stores.get(store_id)
            return []
        case [store_id, "items"]:
            if method == "GET":
                items = stores.get(store_id).items.items()
                return [_item_object(store_id, key, item) for key, item in items]
            if method == "PATCH":
                stores.change(store_id, _operations(request))
                return _DONE
        case [store_id, "item"]:
            if method == "POST":
                key, value = _form_field(request, "item_key"), _form_field(request, "item_value")
                stores.change(store_id, [("create", key, value)])
                return _item_object(store_id, key, stores.item(store_id, key))
        case [store_id, "item", *_]:
            return _one_item(stores, store_id, request.after(len(PREFIX) + 2), request)
        case [_, "info" | "services"]:
            pass
        case _:
            raise Refused(404, "Record not found")
    raise Refused(405, "Method not allowed")


def _one_item(stores: ConfigStores, store_id: str, key: str, request: RecordedRequest) -> object:
    match request.method:
        case "GET":
            pass
        case "PATCH":
            stores.item(store_id, key)
            stores.change(store_id, [("update", key, _form_field(request, "item_value"))])
        case "PUT":
            stores.change(store_id, [("upsert", key, _form_field(request, "item_value"))])
        case "DELETE":
            stores.change(store_id, [("delete", key, "")])
            return _DONE
        case _:
            raise Refused(405, "Method not allowed")
    return _item_object(store_id, key, stores.item(store_id, key))


def _operations(request: RecordedRequest) -> list[tuple[Operation, str, str]]:
    try:
        found = json.loads(request.body_bytes)
    except ValueError:
        raise Refused(400, "body: expected JSON") from None
    items = found.get("items") if isinstance(found, dict) else None
    if not isinstance(items, list):
        raise Refused(400, "items: expected a list")
    return [_operation(item) for item in items]


def _operation(item: object) -> tuple[Operation, str, str]:
    if not isinstance(item, dict) or item.get("op") not in _OPERATIONS:
        raise Refused(400, f"op: expected one of {', '.join(sorted(_OPERATIONS))}")
    key, value = item.get("item_key"), item.get("item_value", "" if item["op"] == "delete" else None)
    if not isinstance(key, str) or not isinstance(value, str):
        raise Refused(400, "item_key and item_value: expected strings")
    return item["op"], key, value


def _form_field(request: RecordedRequest, name: str) -> str:
    try:
        fields = dict(parse_qsl(request.body_bytes.decode(), keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        raise Refused(400, "body: expected UTF-8") from None
    if name not in fields:
        raise Refused(400, f"{name}: missing in the form")
    return fields[name]


def _store_object(store: ConfigStore) -> dict[str, str | None]:
    return {
        "name": store.name,
        "id": store.store_id,
        "created_at": _timestamp(store.created_at),
        "updated_at": _timestamp(store.updated_at),
        "deleted_at": None,
    }


def _item_object(store_id: str, key: str, item: ConfigItem) -> dict[str, str | None]:
    return {
        "item_key": key,
        "item_value": item.value,
        "created_at": _timestamp(item.created_at),
        "updated_at": _timestamp(item.updated_at),
        "deleted_at": None,
        "store_id": store_id,
    }


def _timestamp(seconds: float) -> str:
    """Recorded form: ISO 8601 with a Z."""
    return datetime.fromtimestamp(int(seconds), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
