"""The service of `examples/compute` without statsig_fastly: what its component is compared with."""

from __future__ import annotations

import json
import random
import uuid
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from fastly_compute.wsgi import WsgiHttpIncoming

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answers with chance in place of a gate."""
    query = parse_qs(environ["QUERY_STRING"])
    user_id = query.get("userID", [str(uuid.uuid4())])[0]
    start_response("200 OK", [("content-type", "application/json"), ("cache-control", "no-store")])
    return [json.dumps({"userID": user_id, "gateResult": random.random() < 0.5}).encode()]


HttpIncoming = WsgiHttpIncoming(app)
