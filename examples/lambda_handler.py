"""AWS Lambda: the process is frozen when the handler returns, so before that it sends its events.

For the same reason nothing runs in the background: an invocation that finds the last look for updates too old
makes the next one when it is done.
"""

from dataclasses import replace

from flags import KEY, options

from statsig_fastly import Statsig, SyncPolicy
from statsig_fastly.web.flush_after import FlushAfter

statsig = Statsig(KEY, replace(options, sync_policy=SyncPolicy.on_request(max_age=10)))
statsig.initialize().wait()  # once per environment, not per invocation


@FlushAfter(statsig, limit=0.5)
def handler(event, _context):
    return {"new": statsig.check_gate(event["user"], "test_fastly")}
