//! Checks with sticky values: what is given is read, the engine decides, the storage is told.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use statsig_engine::{
    CheckKind, Evaluation, Given, StickyDecision, StickyRequest, decide_sticky, evaluate, storage_key,
};

use crate::arguments::{check_name, text_argument};
use crate::checks::Counts;
use crate::clock::now_ms;
use crate::evaluator::PyEvaluator;
use crate::exposures::Checked;
use crate::options::StickyOptions;
use crate::outcome::{Basis, Outcome, Verdict};
use crate::stored::{Kept, Stored, entry_of};
use crate::user::{Caller, with_caller, with_user};

/// As [`PyEvaluator::result`], where there is a storage. Not inlined: checks without one would pay for its
/// stack frame.
#[inline(never)]
pub(crate) fn sticky_result(
    evaluator: &PyEvaluator,
    storage: &Bound<'_, PyAny>,
    (kind, name): (CheckKind, &Bound<'_, PyAny>),
    user: &Bound<'_, PyAny>,
    options: Option<&StickyOptions>,
    counts: Counts,
) -> PyResult<Outcome> {
    let py = storage.py();
    let text = check_name(name)?;
    let values = options.and_then(|options| options.values.as_ref());
    let stored = match values {
        Some(values) => stored_entry(storage, values.bind(py), name)?,
        None => None,
    };
    let delegate = match &stored {
        Some(Stored { delegate: Some(delegate), .. }) => Some(delegate.bind(py).to_str()?),
        _ => None,
    };
    let request = StickyRequest {
        given: match (values, &stored) {
            (None, _) => Given::Nothing,
            (Some(_), None) => Given::NoEntry,
            (Some(_), Some(_)) => Given::Entry { delegate },
        },
        enforce_overrides: options.is_some_and(|options| options.enforce_overrides),
        enforce_targeting: options.is_some_and(|options| options.enforce_targeting),
    };
    let snapshot = evaluator.snapshot(py)?;
    let (live, decision) =
        evaluator.with_input(snapshot.loaded(), snapshot.overrides(), user, |ruleset, input| {
            let live = evaluate(ruleset, kind, text, input);
            let decision = decide_sticky(ruleset, kind, text, input, &live, &request);
            (live, decision)
        })?;
    let live = evaluator.outcome(name.cast()?, snapshot, live);
    let kept = match (decision, stored) {
        (StickyDecision::Save(slot), _) => {
            let entry = entry_of(py, &live)?;
            storage.call_method1(intern!(py, "save"), (slot.key, slot.name, entry))?;
            None
        }
        (StickyDecision::Delete(slot), _) => {
            storage.call_method1(intern!(py, "delete"), (slot.key, slot.name))?;
            None
        }
        (StickyDecision::Kept, Some(stored)) => Some(kept(py, &live, stored)),
        (StickyDecision::Kept, None) | (StickyDecision::Live, _) => None,
    };
    with_caller(user, |caller| noted(evaluator, live, kept, (kind, text), caller, counts))
}

/// The outcome, noting that it was asked for.
fn noted(
    evaluator: &PyEvaluator,
    live: Outcome,
    kept: Option<Outcome>,
    (kind, name): (CheckKind, &str),
    caller: Caller<'_, '_>,
    counts: Counts,
) -> PyResult<Outcome> {
    let py = caller.py();
    let checked = Checked {
        loaded: live.shared(),
        nothing: evaluator.current.nothing(),
        kind,
        name,
        evaluation: &live.evaluation(),
        overrides: live.overrides.as_deref(),
        parameter: None,
        is_manual: false,
        is_part: false,
    };
    let reads = match kept.as_ref().map(|kept| &kept.basis) {
        Some(Basis::Kept(kept)) => evaluator.note_kept(py, kept, &checked, caller, counts)?,
        _ => evaluator.note(py, &checked, caller, counts)?,
    };
    Ok(Outcome { reads, ..kept.unwrap_or(live) })
}

/// The entry under a name. One that cannot be read counts as none, and the storage is told.
fn stored_entry(
    storage: &Bound<'_, PyAny>,
    values: &Bound<'_, PyDict>,
    name: &Bound<'_, PyAny>,
) -> PyResult<Option<Stored>> {
    let Some(entry) = values.get_item(name)? else {
        return Ok(None);
    };
    match Stored::read(&entry) {
        Ok(stored) => Ok(Some(stored)),
        Err(problem) => {
            storage.call_method1(intern!(storage.py(), "refuse"), (name, problem))?;
            Ok(None)
        }
    }
}

/// The result a stored entry stands for, in place of the live one.
fn kept(py: Python<'_>, live: &Outcome, stored: Stored) -> Outcome {
    let mut evaluation = Evaluation::unrecognized();
    evaluation.passes = stored.passes;
    // Or it would not be in use.
    evaluation.is_active = true;
    let id_type = live.id_type(py).unbind();
    let window_ms = live.shared().and_then(|loaded| loaded.ruleset.exposure_window_ms());
    Outcome {
        name: live.name.clone_ref(py),
        basis: Basis::Kept(Box::new(Kept { stored, id_type, received_at: now_ms(), window_ms })),
        verdict: Verdict::Whole(Box::new(evaluation)),
        overrides: None,
        reads: None,
    }
}

/// `⟨id⟩:⟨id type⟩`, under which results of a user are kept; None if the user has no such id.
#[pyfunction(name = "storage_key")]
pub(crate) fn py_storage_key(
    user: &Bound<'_, PyAny>,
    id_type: &Bound<'_, PyAny>,
) -> PyResult<Option<String>> {
    let id_type = text_argument("id_type", id_type)?;
    with_user(user, |user| storage_key(&user, id_type))
}
