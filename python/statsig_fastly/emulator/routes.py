"""Who may ask for what, and which part of the emulator answers.

In: a recorded request. Out: an answer from the KV Stores, the Config Stores or the event collector,
or the refusal of a request that has no right to one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from statsig_fastly.emulator import config_api, events, kv_api
from statsig_fastly.emulator.exchange import Answer, Refused, json_answer

if TYPE_CHECKING:
    from statsig_fastly.emulator.config_store import ConfigStores
    from statsig_fastly.emulator.exchange import RecordedRequest
    from statsig_fastly.emulator.kv import KvStores

__all__ = ["Routes"]


@dataclass(frozen=True, slots=True)
class Routes:
    """Everything the emulator serves. The caller holds the emulator's lock."""

    tokens: tuple[str, ...]
    read_only_tokens: tuple[str, ...]
    kv: KvStores
    kv_answers: kv_api.KvAnswers
    config: ConfigStores
    write_budget: config_api.WriteBudget
    collector: events.EventCollector

    def answer(self, request: RecordedRequest, *, stale: bool = False) -> Answer:
        """Answers a request; `stale` serves KV items from the version before the visible one."""
        if request.path == events.PATH:
            return self.collector.answer(request)
        if (refusal := self._refusal(request)) is not None:
            return refusal
        try:
            start = request.segments[:3]
        except Refused as refused:
            return json_answer(refused.status, {"msg": refused.reason})
        if start == kv_api.PREFIX:
            return kv_api.kv_answer(self.kv, request, self.kv_answers, stale=stale)
        if start == config_api.PREFIX:
            return config_api.config_answer(self.config, request, self.write_budget)
        return json_answer(404, {"msg": "No such resource"})

    def _refusal(self, request: RecordedRequest) -> Answer | None:
        if request.token_in_url:
            return json_answer(400, {"msg": "A token in the URL ends up in logs; send it as Fastly-Key"})
        token = request.headers.get("fastly-key")
        if token in self.tokens:
            return None
        if token not in self.read_only_tokens:
            return json_answer(401, {"msg": "Provided credentials are missing or invalid"})
        return None if request.reads_only else json_answer(403, {"msg": "This token may only read"})
