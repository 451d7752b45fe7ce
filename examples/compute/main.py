"""A Fastly Compute service that answers with a gate: `docs/compute.md` builds, runs and deploys it.

GET /?userID=... answers {"userID": "...", "gateResult": true}, for a random user if none is named; 500 and
{"error": "..."} if there are no config specs.
"""

import json
import uuid
from pathlib import Path
from urllib.parse import parse_qs

from statsig_fastly import ComputeKVAdapter, Statsig, StatsigOptions, StatsigUser, SyncPolicy
from statsig_fastly.compute.backend import BackendTransport
from statsig_fastly.compute.baked import bake
from statsig_fastly.compute.wsgi import StatsigHttpIncoming

GATE = "test_fastly"

# Read while the component is built, if it is there: then the ruleset lies compiled in every sandbox.
BOOTSTRAP = Path(__file__).with_name("bootstrap.json")

statsig = Statsig(
    # What is here ends up in the component. The key comes out of a Secret Store when events are sent.
    "in-the-secret-store",
    StatsigOptions(
        data_adapter=ComputeKVAdapter("statsig", "statsig-specs"),
        bootstrap=BOOTSTRAP.read_bytes() if BOOTSTRAP.exists() else None,
        # After a response, if the last look is so many seconds ago. It matters where sandboxes are reused.
        sync_policy=SyncPolicy.on_request(max_age=10),
        log_event_transport=BackendTransport("statsig", sdk_key_secret=("statsig", "SDK_KEY")),
    ),
)
if BOOTSTRAP.exists():
    bake(statsig)


def app(environ, start_response):
    try:
        # Asks the store in the first request of a sandbox only, and not at all if a ruleset is there.
        if not statsig.is_ready:
            details = statsig.initialize().result()
            if not details.init_success:
                raise RuntimeError(details.failure_details.reason)
        query = parse_qs(environ["QUERY_STRING"])
        user_id = query.get("userID", [str(uuid.uuid4())])[0]
        status = "200 OK"
        answer = {"userID": user_id, "gateResult": statsig.check_gate(StatsigUser(user_id), GATE)}
    except Exception as error:
        status, answer = "500 Internal Server Error", {"error": str(error)}
    start_response(status, [("content-type", "application/json"), ("cache-control", "no-store")])
    return [json.dumps(answer).encode()]


HttpIncoming = StatsigHttpIncoming(app, statsig, reuse_sandboxes_for_ms=5000)
