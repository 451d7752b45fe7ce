"""The snippets of docs/events.md do what the text says."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import statsig_fastly
from event_sink import EventSink
from held_collector import events_of, quiet_client
from small_project import payload
from statsig_fastly import EventStats, MemoryAdapter, Statsig, StatsigOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = (Path(__file__).resolve().parent.parent / "docs" / "events.md").read_text(encoding="utf-8")
SNIPPETS: list[str] = re.findall(r"^```python\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)


@pytest.fixture
def sink() -> Iterator[EventSink]:
    """A collector of this test's own."""
    with EventSink() as own:
        yield own


@pytest.fixture
def names(sink: EventSink, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What the text has introduced when it comes to its snippets."""
    monkeypatch.setattr("statsig_fastly.client.LOG_EVENT_URL", sink.url)
    before = signal.getsignal(signal.SIGTERM)
    yield {
        "Statsig": Statsig,
        "StatsigOptions": StatsigOptions,
        "adapter": MemoryAdapter(payload()),
        "user": "u-1",
        "statsig": quiet_client(sink.url),
        "app": lambda *_: [b"answer"],
        "signal": signal,
        "sys": sys,
    }
    signal.signal(signal.SIGTERM, before)


def snippet(word: str) -> str:
    return next(text for text in SNIPPETS if word in text)


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_every_snippet_runs(number: int, names: dict[str, Any]) -> None:
    exec(SNIPPETS[number], names)  # noqa: S102 - of this project


def test_the_first_one_sends_two_events(
    names: dict[str, Any], sink: EventSink, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(snippet("purchase"), names)  # noqa: S102 - of this project
    assert capsys.readouterr().out == "2 0 0\n"
    assert [event["eventName"] for event in sink.events] == ["statsig::gate_exposure", "purchase"]


def test_the_line_for_sigterm_exits(names: dict[str, Any]) -> None:
    exec(snippet("SIGTERM"), names)  # noqa: S102 - of this project
    with pytest.raises(SystemExit) as end:
        signal.raise_signal(signal.SIGTERM)
    assert end.value.code == 143


def test_the_handler_has_sent_its_events(names: dict[str, Any]) -> None:
    exec(snippet("def handler"), names)  # noqa: S102 - of this project
    assert names["handler"]({"user": "u-1"}, None) == {"new": False}
    assert events_of(names["statsig"]).sent == 1


def test_every_loss_is_in_the_table() -> None:
    lost = {name for name in EventStats.__slots__ if name.startswith("dropped_")} - {"dropped_for_others"}
    assert set(re.findall(r"^\| `(dropped_\w+)` \|", DOCUMENT, re.MULTILINE)) == lost


def test_what_the_log_says_is_what_it_says() -> None:
    package = Path(statsig_fastly.__file__).parent
    said = "".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py"))
    said = re.sub(r'"\s+"', "", said).replace("%d", "…").replace("%s", "…")
    text = re.sub(r"\n(?=\w)", " ", DOCUMENT)
    quoted = [
        line for line in re.findall(r'"([^"\n]+)"', text) if re.match(r"…|an event|events|the coll", line)
    ]
    assert len(quoted) == 9
    for line in quoted:
        assert line.removesuffix(" …") in said
