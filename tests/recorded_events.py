"""What both SDKs send for the same program: a payload and calls in, the events of each out.

Code for the official package works here after its import is changed, so that one program is run with
both; each sends to a collector of its own on loopback. Events are compared as JSON, without what
has to differ: when something happened, where the payload came from, and the names of the SDKs.
"""

from __future__ import annotations

import json
import re
import uuid
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import statsig_python_core

import statsig_fastly
from answers import differing, worded
from engine_under_test import our_user
from event_sink import EventSink
from reference import NEVER_MS, ForwardingStorage, PayloadStore, reference_user
from reference_id_lists import id_list_file, served_id_lists
from statsig_fastly.adapters.memory import MemoryAdapter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from event_sink import Sent
    from statsig_fastly.persistent_storage import StickyStorage

__all__ = ["Both", "Events", "Program", "comparable", "expect_same", "user_of"]

Events: TypeAlias = list[dict[str, Any]]

Program: TypeAlias = "Callable[[Any, Any], object]"
"""What is done with a client: gets the package, whose classes it uses, and the client."""

# Where the payload came from, at the start of a reason.
_SOURCE: Final = re.compile(r"^(?:Adapter\([^)]*\)|Network|Bootstrap)(?=:)")
_DIAGNOSTICS: Final = "statsig::diagnostics"
# Gates of this name and a number say where the events of a call end.
_END: Final = "end of call "
# Made between two flushes: what comes of them fits into one request, as requests of the core may overtake.
_CALLS: Final = 200
_SHOWN: Final = 5
_CHECKS: Final = "statsig::non_exposed_checks"


class Both:
    """The official core and this package, each with the same payload. A context manager.

    Args:
        payload: The config specs, v2 format; None for a client that finds nothing.
        storage: Makes a persistent storage for each of them.
        id_lists: Unit ids by name of the list.
        our_payload: The payload as this package gets it, if not the same.
        start: False if `start` is called later.
        options: Further options, of both packages.
    """

    def __init__(
        self,
        payload: Mapping[str, Any] | bytes | None,
        storage: Callable[[], StickyStorage] | None = None,
        *,
        id_lists: Mapping[str, list[str]] | None = None,
        our_payload: bytes | None = None,
        start: bool = True,
        **options: Any,  # noqa: ANN401 - as the options take them
    ) -> None:
        text = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        with ExitStack() as stack:
            self.our_sink = stack.enter_context(EventSink())
            self.their_sink = stack.enter_context(EventSink())
            self.ours = statsig_fastly.Statsig(
                "secret-key",
                statsig_fastly.StatsigOptions(
                    data_adapter=MemoryAdapter(text if our_payload is None else our_payload),
                    log_event_url=self.our_sink.url,
                    persistent_storage=storage() if storage else None,
                    id_lists=id_lists,
                    **options,
                ),
            )
            files = {name: id_list_file(units) for name, units in (id_lists or {}).items()}
            settings: dict[str, Any] = {
                **(stack.enter_context(served_id_lists(files)) if files else {}),
                "data_store": PayloadStore(text.decode()),
                "log_event_url": self.their_sink.url,
                "specs_url": f"{self.their_sink.base}/v2/download_config_specs",
                "disable_disk_access": True,
                "wait_for_country_lookup_init": True,
                "wait_for_user_agent_init": True,
                "output_log_level": "none",
                "specs_sync_interval_ms": NEVER_MS,
                "persistent_storage": ForwardingStorage(storage()) if storage else None,
                **options,
            }
            self.theirs = statsig_python_core.Statsig(
                f"secret-{uuid.uuid4().hex}", statsig_python_core.StatsigOptions(**settings)
            )
            stack.callback(lambda: self.theirs.shutdown().wait())
            stack.callback(lambda: self.ours.shutdown().wait())
            if start:
                self.start()
            self._stack = stack.pop_all()

    def start(self) -> None:
        """Loads the payload."""
        self.ours.initialize().wait()
        self.theirs.initialize().wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def run(self, program: Program) -> tuple[Events, Events]:
        """What this package and the official core send for a program, which gets package and client."""
        program(statsig_fastly, self.ours)
        program(statsig_python_core, self.theirs)
        return self.sent()

    def sent(self) -> tuple[Events, Events]:
        """What both have to send now."""
        self.ours.flush().wait()
        self.theirs.flush_events().wait()
        return comparable(self.our_sink.take()), comparable(self.their_sink.take())

    def requests(self) -> tuple[list[Sent], list[Sent]]:
        """The requests with what both have to send now."""
        self.ours.flush().wait()
        self.theirs.flush_events().wait()
        return self.our_sink.requests, self.their_sink.requests

    def each(self, calls: Mapping[str, Program], *, repeats: bool = True) -> dict[str, Events]:
        """Expects the same events of both for each call; the events by call.

        Both clients must remember only one exposure, so that no call repeats what another exposed.

        Args:
            calls: What to do, by name.
            repeats: False if it does not matter how often a call exposes the same.
        """

        wrong: dict[str, list[str]] = {}
        found: dict[str, Events] = {}
        for labels in _parts(list(calls)):
            ours, theirs = map(_cut, self.run(_marking([calls[label] for label in labels])))
            if not repeats:
                ours, theirs = ([_once(events) for events in sent] for sent in (ours, theirs))
            assert len(ours) == len(theirs) == len(labels) + 1, (len(ours), len(theirs))
            # What came after the last call.
            expect_same(ours.pop(), theirs.pop())
            found |= dict(zip(labels, ours, strict=True))
            for label, left, right in zip(labels, ours, theirs, strict=True):
                if difference := _first_difference(left, right):
                    wrong.setdefault(difference, []).append(label)
        shown = [f"{len(labels)} calls, {', '.join(labels[:4])}: {text}" for text, labels in wrong.items()]
        count = sum(map(len, wrong.values()))
        assert not wrong, f"{count} of {len(calls)} calls differ:\n" + "\n".join(shown[:_SHOWN])
        return found

    def same(self, program: Program, *, ordered: bool = True) -> Events:
        """Expects the same events of both, which are returned.

        Args:
            program: Gets package and client.
            ordered: False if they may come in any order.
        """
        ours, theirs = self.run(program)
        expect_same(ours, theirs, ordered=ordered)
        return ours


def user_of(sdk: Any, fields: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a user of that package
    """The user with these wire names."""
    return our_user(fields) if sdk is statsig_fastly else reference_user(fields)


def _parts(labels: list[str]) -> list[list[str]]:
    return [labels[first : first + _CALLS] for first in range(0, len(labels), _CALLS)]


def _marking(calls: Sequence[Program]) -> Program:
    """Makes calls, and lets the events tell where each ended."""

    def program(sdk: Any, client: Any) -> None:  # noqa: ANN401 - either package
        marker = sdk.StatsigUser("marker")
        for number, call in enumerate(calls):
            call(sdk, client)
            client.check_gate(marker, f"{_END}{number}")

    return program


def _cut(events: Events) -> list[Events]:
    """Events of each call, cut at the checks of gates that say where a call ends."""
    cut: list[Events] = [[]]
    for event in events:
        if str((event.get("metadata") or {}).get("gate")).startswith(_END):
            cut.append([])
        else:
            cut[-1].append(event)
    return cut


def _once(events: Events) -> Events:
    """The events without those that repeat one before."""
    return list({_text(event): event for event in events}.values())


def expect_same(ours: Events, theirs: Events, *, ordered: bool = True) -> None:
    """Fails with the first difference."""
    if not ordered:
        ours, theirs = sorted(ours, key=_text), sorted(theirs, key=_text)
    found = _first_difference(ours, theirs)
    assert not found, found


def _first_difference(ours: Events, theirs: Events) -> str:
    """In words; empty if there is none."""
    for number, (left, right) in enumerate(zip(ours, theirs, strict=False)):
        if found := differing(left, right):
            return f"event {number} of {len(ours)}, a {left['eventName']}:\n{worded(found, {})}"
    more = {"ours": ours[len(theirs) :], "theirs": theirs[len(ours) :]}
    for whose, events in more.items():
        if events:
            return f"{len(events)} more of {whose}:\n  {_text({**events[0], 'user': '...'})}"
    return ""


def comparable(events: Events) -> Events:
    """Events without what has to differ. What there is no count of in this package is left out."""
    return [_comparable(event) for event in events if event["eventName"] != _DIAGNOSTICS]


def _comparable(event: dict[str, Any]) -> dict[str, Any]:
    assert isinstance(event["time"], int)
    assert event["time"] > 1_700_000_000_000
    event = {**event, "time": "<ms>"}
    metadata: Any = event.get("metadata")
    if event["eventName"] == _CHECKS:
        event["metadata"] = {**metadata, "checks": json.loads(metadata["checks"])}
    elif str(event["eventName"]).startswith("statsig::") and metadata:
        event["metadata"] = metadata = dict(metadata)
        metadata["reason"] = _SOURCE.sub("<source>", metadata["reason"])
        if "receivedAt" in metadata:
            assert re.fullmatch(r"1[6-9]\d{11}|[2-9]\d{12}", metadata["receivedAt"]), metadata["receivedAt"]
            metadata["receivedAt"] = "<ms>"
    return event


def _text(event: Any) -> str:  # noqa: ANN401 - JSON
    # As text, true, 1 and 1.0 differ.
    return json.dumps(event, sort_keys=True, ensure_ascii=False)
