"""The one client of an application: the other examples import it from here.

It looks for updates every 10 s: one worker for all of the host, if STATSIG_DIR names a directory for that.
Then there is also a copy of the payload, for starts at which the store does not answer.

The environment can point it at a local store and collector, such as those of `statsig-fastly emulator`.
"""

import os

from statsig_fastly import FastlyDataAdapter, Statsig, StatsigOptions, SyncPolicy

KEY = os.environ.get("STATSIG_SERVER_KEY", "secret-key")

adapter = FastlyDataAdapter(  # token from FASTLY_API_TOKEN
    "my-kv-store", "statsig-1a2b3c", api=os.environ.get("FASTLY_API_URL", "https://api.fastly.com")
)
options = StatsigOptions(
    data_adapter=adapter,
    sync_policy=SyncPolicy.background(interval=float(os.environ.get("STATSIG_INTERVAL_S", "10"))),
    last_known_good_dir=os.environ.get("STATSIG_DIR"),
    shared_polling="STATSIG_DIR" in os.environ,
    log_event_url=os.environ.get("STATSIG_LOG_EVENT_URL"),
)
statsig = Statsig(KEY, options)
