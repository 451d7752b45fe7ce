"""A Compute service that runs what it is sent: how the tests look into a sandbox.

The body of a request is Python; the response is what it leaves in `answer`, as JSON, or in `response`; or 500
and a traceback. `shared` keeps things from one request to the next.
"""

from __future__ import annotations

import json
import traceback
import wsgiref.validate  # noqa: F401 - for a test: nothing can be imported later
from typing import Any

import statsig_fastly
from statsig_fastly.compute.baked import bake
from statsig_fastly.compute.wsgi import StatsigHttpIncoming
from statsig_fastly.sample_project import sample_project

shared: dict[str, Any] = {}

# Started while the component is built, with a project that is older than the one in the store.
baked = statsig_fastly.Statsig(
    "secret-baked",
    statsig_fastly.StatsigOptions(
        data_adapter=statsig_fastly.ComputeKVAdapter("statsig", "statsig-specs"),
        bootstrap=json.dumps({**sample_project(gates=20, configs=16), "time": 1}),
        sync_policy=statsig_fastly.SyncPolicy.background(0.001, jitter=1.0),
        disable_all_logging=True,
    ),
)
bake(baked)


class _Client:
    """The client that a test has made; none at first."""

    flush_due = False

    def __getattr__(self, name: str) -> Any:
        client = shared.get("statsig")
        return (lambda *_: statsig_fastly.Completion.of(None)) if client is None else getattr(client, name)


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Runs the body."""
    names = {"json": json, "shared": shared, "environ": environ, "answer": None, "response": None}
    try:
        exec(environ["wsgi.input"].read().decode(), names)  # noqa: S102 - that is the point
        status, text = "200 OK", json.dumps(names["answer"])
    except BaseException:  # noqa: BLE001
        status, text = "500 Internal Server Error", traceback.format_exc()
    own: Any = names["response"]
    status, fields, parts = own or (status, [("content-type", "application/json")], [text.encode()])
    start_response(status, fields)
    return parts


HttpIncoming = StatsigHttpIncoming(app, _Client(), reuse_sandboxes_for_ms=1000)  # type: ignore[arg-type]
