"""Which parts of the official core this package has: what the conformance suite asks for.

A part that is not listed is neither generated nor asked for, so that the suite can be written before it.
"""

from __future__ import annotations

from typing import Final

__all__ = ["ALL", "FEATURES"]

ALL: Final = frozenset(
    {
        "client_response",  # get_client_initialize_response
        "cmab",  # cmab_configs
        "config_mapping",  # overrides and override_rules of the payload
        "country",  # ip_based
        "experiment_groups",  # get_experiment_groups, get_experiment_by_group_…
        "explain",  # Statsig.explain, shown beside a difference
        "id_lists",  # in_segment_list finds members
        "overrides",  # override_…, remove_…
        "parameter_stores",  # get_parameter_store
        "persisted_values",  # persistent_storage, user_persisted_values
        "user_agent",  # ua_based
    }
)

FEATURES: Final = frozenset(
    {
        "client_response",
        "cmab",
        "config_mapping",
        "country",
        "experiment_groups",
        "explain",
        "id_lists",
        "overrides",
        "parameter_stores",
        "persisted_values",
        "user_agent",
    }
)
