"""A `StatsigCdnAdapter` with a telling SDK key, and its failures, which must not show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from printable import everything_printable
from statsig_fastly import AdapterError, StatsigCdnAdapter

if TYPE_CHECKING:
    from loopback import Listener
    from specs_server import SpecsServer

__all__ = ["KEY", "PART", "adapter_for", "failure"]

KEY: Final = "secret-0123456789abcdefXYZ"
# What even half a key would show.
PART: Final = KEY[7:15]


def adapter_for(server: SpecsServer | Listener, **more: Any) -> StatsigCdnAdapter:  # noqa: ANN401 - its arguments
    return StatsigCdnAdapter(KEY, **{"specs_url": f"{server.url}/v2/download_config_specs", **more})


def failure(adapter: StatsigCdnAdapter, held_version: str | None = None) -> AdapterError:
    with pytest.raises(AdapterError) as caught:
        adapter.fetch(held_version)
    problem = caught.value
    assert "\n" not in str(problem)
    assert PART not in everything_printable(problem)
    return problem
