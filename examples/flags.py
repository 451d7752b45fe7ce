"""The one client of an application: the other examples import it from here.

The environment can point it at a local store and collector, such as those of `statsig-fastly emulator`.
"""

import os

from statsig_fastly import FastlyDataAdapter, Statsig, StatsigOptions

adapter = FastlyDataAdapter(  # token from FASTLY_API_TOKEN
    "my-kv-store", "statsig-1a2b3c", api=os.environ.get("FASTLY_API_URL", "https://api.fastly.com")
)
options = StatsigOptions(data_adapter=adapter, log_event_url=os.environ.get("STATSIG_LOG_EVENT_URL"))
statsig = Statsig(os.environ.get("STATSIG_SERVER_KEY", "secret-key"), options)
