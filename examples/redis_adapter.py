"""Config specs out of Redis: an adapter of one's own is a name, a `fetch` and a `close`.

Something else writes them there, for example `redis-cli -x SET statsig-1a2b3c < specs.json`.
Needs the package `redis`. The environment says where Redis is: `REDIS_URL`.
"""

import os
from hashlib import sha256

import redis

from statsig_fastly import AdapterError, Payload, Statsig, StatsigOptions


class RedisAdapter:
    name = "Redis"  # evaluation reasons say Adapter(Redis):Recognized

    def __init__(self, client, key, identity="Redis"):
        self.client, self.key, self.close = client, key, client.close
        self.identity = f"{identity} {key}"  # tells this store from others

    def fetch(self, held_version=None):
        try:
            body = self.client.get(self.key)
        except redis.RedisError as error:
            raise AdapterError(f"reading {self.key!r} from Redis: {error}", retryable=True) from error
        if body is None:
            raise AdapterError(f"reading {self.key!r} from Redis: there is no such key")
        version = sha256(body).hexdigest()
        return None if version == held_version else Payload(body, version)


if __name__ == "__main__":
    client = redis.Redis.from_url(os.environ.get("REDIS_URL", "redis://localhost:6379"))
    options = StatsigOptions(
        data_adapter=RedisAdapter(client, "statsig-1a2b3c"),
        log_event_url=os.environ.get("STATSIG_LOG_EVENT_URL"),
    )
    with Statsig(os.environ.get("STATSIG_SERVER_KEY", "secret-key"), options) as statsig:
        print(statsig.get_feature_gate("user-42", "test_fastly"))
