"""Filling a store, and looking after what is in it: what the commands of `statsig-fastly` do, as a library.

`open_job` opens a source and a store as a command line names them; `Publisher` takes payloads to a store of
any kind. `validate`, `filter_for_app`, `changes`, `count_flips` and `inspect_payload` look at payloads before
that. Nothing of it is imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from statsig_fastly.publish.comparison import Comparison, compare
    from statsig_fastly.publish.flips import Flips, SpecFlips, count_flips
    from statsig_fastly.publish.inspection import Inspection, inspect_payload
    from statsig_fastly.publish.jobs import OpenJob, PublishJob, open_job
    from statsig_fastly.publish.options import PublishOptions
    from statsig_fastly.publish.places import Access, Place
    from statsig_fastly.publish.publisher import Publisher
    from statsig_fastly.publish.refused import PublishRefusedError
    from statsig_fastly.publish.report import PublishReport
    from statsig_fastly.publish.spec_changes import Changes, SpecChange, changes
    from statsig_fastly.publish.specs import Specs
    from statsig_fastly.publish.target_app import Filtered, filter_for_app
    from statsig_fastly.publish.users import made_up_users, read_users
    from statsig_fastly.publish.validation import Validation, validate
    from statsig_fastly.publish.watch import Watch, WatchState

__all__ = [
    "Access",
    "Changes",
    "Comparison",
    "Filtered",
    "Flips",
    "Inspection",
    "OpenJob",
    "Place",
    "PublishJob",
    "PublishOptions",
    "PublishRefusedError",
    "PublishReport",
    "Publisher",
    "SpecChange",
    "SpecFlips",
    "Specs",
    "Validation",
    "Watch",
    "WatchState",
    "changes",
    "compare",
    "count_flips",
    "filter_for_app",
    "inspect_payload",
    "made_up_users",
    "open_job",
    "read_users",
    "validate",
]

_WHERE = {
    "Access": "places",
    "Changes": "spec_changes",
    "Comparison": "comparison",
    "Filtered": "target_app",
    "Flips": "flips",
    "Inspection": "inspection",
    "OpenJob": "jobs",
    "Place": "places",
    "PublishJob": "jobs",
    "PublishOptions": "options",
    "PublishRefusedError": "refused",
    "PublishReport": "report",
    "Publisher": "publisher",
    "SpecChange": "spec_changes",
    "SpecFlips": "flips",
    "Specs": "specs",
    "Validation": "validation",
    "Watch": "watch",
    "WatchState": "watch",
    "changes": "spec_changes",
    "compare": "comparison",
    "count_flips": "flips",
    "filter_for_app": "target_app",
    "inspect_payload": "inspection",
    "made_up_users": "users",
    "open_job": "jobs",
    "read_users": "users",
    "validate": "validation",
}

if not TYPE_CHECKING:  # or a type checker would take any name for one that exists

    def __getattr__(name: str) -> object:
        module = _WHERE.get(name)
        if module is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        import importlib

        value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
        globals()[name] = value
        return value
