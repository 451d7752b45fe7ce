"""AWS Lambda: the process is frozen when the handler returns, so it sends its events before."""

from flags import statsig

from statsig_fastly.web.flush_after import FlushAfter

statsig.initialize().wait()  # once per environment, not per invocation


@FlushAfter(statsig, limit=0.5)
def handler(event, _context):
    return {"new": statsig.check_gate(event["user"], "test_fastly")}
