"""What the official core logs for layer parameters: layers and users in, secondary exposures out.

Its results do not hold the exposures a layer gathered before it delegated; only the events of
parameters that are not explicit show them. So this instance logs, to a server on loopback.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from statsig_python_core import Statsig, StatsigOptions, StatsigUser

from event_sink import EventSink
from reference import NEVER_MS, PayloadStore, reference_user

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from answers import Secondary

__all__ = ["ReferenceEvents"]

# A check of a gate of this name and a number ends the events of one layer. It also is the one
# exposure the core remembers, so that it takes no later event for a repetition.
_END: Final = "end of check "


class ReferenceEvents:
    """One instance of the official core that logs to loopback. A context manager.

    Args:
        payload: The config specs, v2 format.
        environment: Global tier.
        global_custom_fields: As in the options of both packages.
    """

    def __init__(
        self,
        payload: bytes,
        environment: str | None = None,
        global_custom_fields: Mapping[str, Any] | None = None,
    ) -> None:
        self._sink = EventSink()
        self._core = Statsig(
            f"secret-{uuid.uuid4().hex}",
            StatsigOptions(
                data_store=PayloadStore(payload.decode()),
                log_event_url=self._sink.url,
                specs_url=f"{self._sink.base}/v2/download_config_specs",
                disable_disk_access=True,
                disable_country_lookup=True,
                environment=environment,
                global_custom_fields=dict(global_custom_fields) if global_custom_fields else None,
                exposure_dedupe_max_keys=1,
                output_log_level="none",
                specs_sync_interval_ms=NEVER_MS,
            ),
        )
        self._core.initialize().wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def undelegated(self, layers: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Secondary | None]:
        """Reads every parameter of layers.

        Args:
            layers: Name of a layer and user, as wire names, in any number.

        Returns:
            For each of them the secondary exposures of a parameter that is not explicit, None where
            there was no such parameter.
        """
        marker = StatsigUser("marker")
        self._core.check_gate(marker, _END)
        for number, (name, user) in enumerate(layers):
            raw = self._core._INTERNAL_get_layer(reference_user(user), name)
            for parameter in raw.get("value") or {}:
                self._core._INTERNAL_log_layer_param_exposure(raw["__exposure"], parameter)
            self._core.check_gate(marker, f"{_END}{number}")
        self._core.flush_events().wait()
        found: list[Secondary | None] = []
        current: Secondary | None = None
        for event in self._sink.take():
            metadata = event.get("metadata") or {}
            if metadata.get("isExplicitParameter") == "false":
                exposures = event["secondaryExposures"] or ()
                current = tuple((entry["gate"], entry["gateValue"], entry["ruleID"]) for entry in exposures)
            elif str(metadata.get("gate")).startswith(_END):
                found += [current] if metadata["gate"] != _END else []
                current = None
        assert len(found) == len(layers), f"events of {len(found)} of {len(layers)} checks arrived"
        return found

    def close(self) -> None:
        """Stops the core and the server."""
        self._core.shutdown().wait()
        self._sink.close()
