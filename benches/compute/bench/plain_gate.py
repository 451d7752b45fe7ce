"""The gate `test_fastly` in plain Python: what a service would do that has no engine.

It knows rules for everybody with a pass percentage, and nothing else.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

__all__ = ["PlainGates"]

_BUCKETS = 10_000


class PlainGates:
    """The gates of a payload.

    Args:
        body: Config specs in the v2 format.
    """

    def __init__(self, body: bytes) -> None:
        payload = json.loads(body)
        self._gates: dict[str, Any] = payload["feature_gates"]
        self._conditions: dict[str, Any] = payload["condition_map"]

    def check_gate(self, user_id: str, name: str) -> bool:
        """True if the user passes."""
        gate = self._gates.get(name)
        if gate is None or not gate["enabled"]:
            return False
        for rule in gate["rules"]:
            if all(self._conditions[key]["type"] == "public" for key in rule["conditions"]):
                digest = sha256(f"{gate['salt']}.{rule['salt']}.{user_id}".encode()).digest()
                bucket = int.from_bytes(digest[:8], "big") % _BUCKETS
                return bucket < rule["passPercentage"] * 100 and rule["returnValue"] is True
        return bool(gate["defaultValue"])
