"""Both engines with the payload of one case: question and user in, the two answers out."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from client_responses import normal
from engine_under_test import (
    our_answer,
    our_engine,
    our_explanation,
    our_group,
    our_layer_facts,
    our_parameter,
    our_persisted,
    our_user,
)
from random_id_lists import file_after
from reference import KeptValues, Reference, reference_user, user_facts
from reference_id_lists import id_list_file, reference_with_id_lists

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from answers import Answer, Kind
    from conformance.case import Case, Question
    from statsig_fastly import Statsig

__all__ = ["Engines"]

_LISTS: Final = (
    "get_feature_gate_list", "get_dynamic_config_list", "get_experiment_list", "get_autotune_list",
    "get_layer_list", "get_parameter_store_list",
)  # fmt: skip


class Engines:
    """The official core and this package, each with the case's payload and overrides. A context manager.

    Args:
        case: Its users and questions are not looked at, but for what they need to be set up.
    """

    def __init__(self, case: Case) -> None:
        self._case = case
        self._stack = ExitStack()
        self._fields: dict[str, Any] | None = None
        self._overridden = {arguments[0] for _, arguments in case.overrides if arguments}

    def __enter__(self) -> Self:
        case = self._case
        keeps = any(question.kind == "persisted" for question in case.questions)
        settings = (case.environment, case.global_custom_fields)
        lists = {name: id_list_file(units) for name, units in case.id_lists.items()}
        files = {name: file_after(changes) for name, changes in case.id_list_files.items()}
        lists |= {name: file for name, file in files.items() if file is not None}
        with ExitStack() as stack:
            self._theirs = stack.enter_context(
                reference_with_id_lists(case.text, lists, *settings, keep_values=keeps, **case.options)
                if lists
                else Reference(case.text, *settings, keep_values=keeps, **case.options)
            )
            self._kept = KeptValues()
            more = {**case.options, **({"id_lists": case.id_lists} if case.id_lists else {})}
            if keeps:
                more["persistent_storage"] = self._kept
            self._ours = stack.enter_context(our_engine(case.our_text.encode(), *settings, **more))
            for name, changes in case.id_list_files.items():
                _change_list(self._ours, name, changes)
            for method, arguments in case.overrides:
                self._theirs.override(method, *arguments)
                getattr(self._ours, method)(*arguments)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def client(self) -> Any:  # noqa: ANN401 - Statsig, with whatever of its methods there are
        """This package's client."""
        return self._ours

    def ask(self, question: Question, user: dict[str, Any]) -> tuple[Any, Any]:
        """What this package answers, and what it should: an `Answer` or JSON.

        The same dict has to be the same user, so that it is converted once.
        """
        if user is not self._fields:
            self._fields = user
            self._their_user = reference_user(user)
            # Who is nothing but an id may be given as one.
            self._our_user = user["userID"] if user.keys() == {"userID"} else our_user(user)
            self._their_layers: dict[str, Any] | None = None
        theirs = self._ask_them(question)
        return _outcome(partial(self._ask_us, question)), theirs

    def explain(self, question: Question, user: dict[str, Any]) -> Any:  # noqa: ANN401 - anything with a text
        """This package's own words about a check."""
        return _outcome(partial(self.client.explain, our_user(user), question.name, question.kind))

    def _ask_us(self, question: Question) -> Any:  # noqa: ANN401 - an Answer or JSON
        name, detail, client, user = question.name, question.detail, self.client, self._our_user
        match question.kind:
            case "gate" | "config" | "experiment" | "layer":
                return our_answer(client, question.kind, name, user)
            case "store":
                return _whole(our_parameter(client, name, user, detail))
            case "names":
                return [sorted(getattr(client, method)()) for method in _LISTS]
            case "groups":
                return client.get_experiment_groups(name).to_dict()
            case "group_by_name" | "group_by_id":
                return our_group(client, name, *detail, by_id=question.kind == "group_by_id")
            case "client_response":
                return normal(client.get_client_initialize_response(user, *detail))
            case "explained":
                return our_explanation(client, detail[0], name, user)
            case "layer_facts":
                return our_layer_facts(client, name, user) if self._tells_facts(name) else None
            case "same_user":
                user, other = our_user(self._fields or {}), our_user(detail[0])
                same_hash = hash(user) == hash(other)
                return [user == other, other == user, user != other, same_hash or user != other]
            case "persisted":
                kind, values, enforce = self._persisted(question, self._kept)
                ours = our_persisted(client, kind, name, user, values, **enforce)
                return [asdict(ours), self._kept.held]

    def _ask_them(self, question: Question) -> Any:  # noqa: ANN401 - an Answer or JSON
        name, detail, core, user = question.name, question.detail, self._theirs, self._their_user
        match question.kind:
            case "gate" | "config" | "experiment" | "layer":
                return _adjusted(core.check(question.kind, name, user))
            case "store":
                return core.parameter(name, user, *detail)
            case "names":
                return [sorted(getattr(core.core, method)()) for method in _LISTS]
            case "groups":
                return core.groups(name)
            case "group_by_name" | "group_by_id":
                answer = _adjusted(core.group(name, *detail, by_id=question.kind == "group_by_id"))
                # The core hands out what is no object as it is.
                return answer if isinstance(answer.value, dict) else replace(answer, value={})
            case "client_response":
                return normal(core.client_response(user, *detail))
            case "explained":
                answer = _adjusted(core.check(detail[0] or self._kind_of(name), name, user))
                return [answer.value, answer.rule_id, answer.reason, answer.version]
            case "layer_facts":
                if not self._tells_facts(name):
                    return None
                layer = (self._their_layers or {})[name]
                return [layer.get("explicit_parameters"), layer.get("undelegated_secondary_exposures")]
            case "same_user":
                same = user_facts(user) == user_facts(reference_user(detail[0]))
                return [same, same, not same, True]
            case "persisted":
                kind, values, enforce = self._persisted(question, core.kept)
                theirs = _adjusted(core.persisted(kind, name, user, values, **enforce))
                return [asdict(theirs), core.kept.held]

    def _kind_of(self, name: str) -> Kind:
        """The kind of the first spec of this name in the official core; a gate if there is none."""
        kinds: tuple[Kind, ...] = ("gate", "experiment", "layer")
        found = (self._theirs.check(kind, name, self._their_user) for kind in kinds)
        known = [kind for kind, answer in zip(kinds, found, strict=True) if answer.reason != "Unrecognized"]
        return known[0] if known else "gate"

    def _tells_facts(self, layer: str) -> bool:
        """Whether the client response, which alone tells these facts, has this layer's."""
        if self._their_layers is None:
            response = json.loads(self._theirs.client_response(self._their_user, "none", None, True))
            self._their_layers = response.get("layer_configs", {})
        return layer in self._their_layers and layer not in self._overridden

    def _persisted(self, question: Question, kept: KeptValues) -> tuple[Any, Any, dict[str, bool]]:
        """Kind, values to pass, and options of a check with kept values."""
        kind, id_type, passes_values, enforce_overrides, enforce_targeting = question.detail
        held = kept.get_user_persisted_value(self._their_user, id_type) or {}
        # The core does not take back the None that it saves itself.
        missing = "undelegated_secondary_exposures"
        held = {name: {**entry, missing: entry[missing] or []} for name, entry in held.items()}
        enforce = {"enforce_overrides": enforce_overrides, "enforce_targeting": enforce_targeting}
        return kind, held if passes_values else None, enforce


def _change_list(client: Statsig, name: str, changes: Sequence[bytes | None]) -> None:
    """Takes one list through all of this. Of a file that is none, what is added to it is not looked at."""
    extend: Callable[[str, bytes], bool] | None = client._set_id_list
    for change in changes:
        if change is None:
            client._drop_id_list(name)
            extend = client._set_id_list
        elif extend:
            extend = client._extend_id_list if extend(name, change) else None


def _outcome(call: Callable[[], Any]) -> Any:  # noqa: ANN401 - what was called returns
    """What a call returns, or what it raises in words."""
    try:
        return call()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 - a panic is none of Exception
        return f"raised {type(error).__name__}: {error}"


def _whole(value: Any) -> Any:  # noqa: ANN401 - JSON
    """The value as the core's parameter stores give it: in their arrays every number but an integer is 0."""
    if isinstance(value, list):
        return [0 if isinstance(item, float) else _whole(item) for item in value]
    return value


def _adjusted(theirs: Answer) -> Answer:
    """The answer with what differs on purpose: a start with nothing to use is a failed start."""
    if theirs.reason == "Loading:Unrecognized":
        return replace(theirs, reason="NoValues", lcut=None)
    return theirs
