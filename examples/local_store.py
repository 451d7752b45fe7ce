"""Reads config specs out of a KV Store, checks a gate, and sends events, with no account and no network.

Needs the extra `cli`, which brings the local store's server.
"""

import json

from statsig_fastly import FastlyDataAdapter, Statsig, StatsigOptions, StatsigUser
from statsig_fastly.emulator import Emulator
from statsig_fastly.sample_project import sample_project

with Emulator() as emulator:
    emulator.create_kv_store("my-kv-store")
    emulator.put("my-kv-store", "statsig-1a2b3c", json.dumps(sample_project()).encode())

    adapter = FastlyDataAdapter("my-kv-store", "statsig-1a2b3c", token=emulator.token, api=emulator.url)
    options = StatsigOptions(data_adapter=adapter, log_event_url=f"{emulator.url}/v1/log_event")
    with Statsig("secret-key", options) as statsig:
        user = StatsigUser("user-42", country="NZ", custom={"plan": "pro"})
        print("test_fastly:", statsig.check_gate(user, "test_fastly"))
        print("button_color:", statsig.get_experiment(user, "button_color").get("color", "blue"))
        print("checkout_layer:", statsig.get_layer(user, "checkout_layer").get("steps", 1))
        print(statsig.get_feature_gate(user, "test_fastly"))
    for request in emulator.events:
        print("sent:", [event["eventName"] for event in request["events"]])
