"""Celery: `celery -A celery_app worker`. Without `FlushAfter` the events are sent within a minute."""

from celery import Celery
from flags import statsig

from statsig_fastly.web.flush_after import FlushAfter

statsig.initialize().wait()  # before the worker forks: its children need not load anything
app = Celery("celery_app")


@app.task
@FlushAfter(statsig)  # the events have arrived when the task is done
def greet(user_id):
    return "new" if statsig.check_gate(user_id, "test_fastly") else "old"
