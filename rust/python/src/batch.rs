//! Many users at once: a table in, columns out, in several threads and without the GIL.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use statsig_engine::{
    CheckKind, Decision, Evaluation, Input, Overrides, PackedUser, Returned, Ruleset, SpecId, StringId,
    UserBuilder, ValueId, decide, evaluate,
};
use std::num::NonZero;
use std::sync::Arc;
use std::thread::{Builder, available_parallelism, scope};

use crate::arrow::{Batch, Output, Spread, Table, export};
use crate::chance::random;
use crate::evaluator::PyEvaluator;
use crate::loaded::Loaded;
use crate::user_columns::{UserColumns, fill};

/// Rows a thread is worth starting for.
const ROWS_PER_THREAD: usize = 2048;

/// What was asked for.
struct Asked<'a> {
    kind: CheckKind,
    name: &'a str,
    spec: Option<SpecId>,
    /// Where a decision says it all.
    is_plain: bool,
}

/// What one check comes to.
#[derive(Clone, Copy)]
struct Answer {
    passes: bool,
    rule: StringId,
    group: Option<StringId>,
    value: Option<ValueId>,
}

impl Answer {
    fn of_decision(decision: Decision, ruleset: &Ruleset) -> Self {
        Self {
            passes: decision.passes(),
            rule: decision.rule_id(ruleset),
            group: decision.group(ruleset),
            value: Some(decision.value()),
        }
    }

    fn of_evaluation(evaluation: &Evaluation) -> Self {
        let value = match &evaluation.value {
            Returned::One(value) => Some(*value),
            // Merged are those of layers.
            Returned::Nothing | Returned::Merged(_) => None,
        };
        Self { passes: evaluation.passes, rule: evaluation.rule, group: evaluation.group, value }
    }
}

/// What gates and experiments come to for many users: a table for anything that takes Arrow.
#[pyclass(frozen, name = "EvaluatedBatch", module = "statsig_fastly")]
pub(crate) struct PyEvaluatedBatch {
    output: Arc<Output>,
    rows: usize,
    names: Vec<String>,
}

#[pymethods]
impl PyEvaluatedBatch {
    fn __len__(&self) -> usize {
        self.rows
    }

    /// Names of the columns: those of the gates, then those of the experiments.
    #[getter]
    fn column_names(&self) -> Vec<String> {
        self.names.clone()
    }

    /// The columns, as the Arrow PyCapsule interface has it.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // The interface lets a producer leave a wish unanswered.
        let _ = requested_schema;
        export(py, &self.output, self.rows)
    }

    fn __repr__(&self) -> String {
        format!("EvaluatedBatch({} rows: {})", self.rows, self.names.join(", "))
    }
}

impl PyEvaluator {
    /// Evaluates gates and experiments for every row of a table.
    pub(crate) fn batch(
        &self,
        table: &Bound<'_, PyAny>,
        gates: &[String],
        experiments: &[String],
        threads: Option<NonZero<usize>>,
    ) -> PyResult<PyEvaluatedBatch> {
        let py = table.py();
        let table = Table::read("table", table)?;
        let columns =
            table.batches.iter().map(|batch| UserColumns::new(batch).map_err(PyValueError::new_err));
        let columns = columns.collect::<PyResult<Vec<_>>>()?;
        let snapshot = self.snapshot(py)?;
        let (loaded, overrides) = (snapshot.loaded(), snapshot.overrides());
        let nobody = PackedUser::default();
        let answers = self.with_input_of(loaded, overrides, nobody.view(), |ruleset, input| {
            let asked: Vec<_> = gates
                .iter()
                .map(|name| asked(ruleset, overrides, CheckKind::Gate, name))
                .chain(experiments.iter().map(|name| asked(ruleset, overrides, CheckKind::Experiment, name)))
                .collect();
            py.detach(|| evaluate_table(ruleset, input, &asked, &table, &columns, threads))
        });
        let answers = answers.map_err(PyValueError::new_err)?;
        let names: Vec<_> = gates.iter().chain(experiments).cloned().collect();
        let output = py.detach(|| output(loaded, overrides, &names, gates.len(), &answers));
        Ok(PyEvaluatedBatch { output: Arc::new(output), rows: table.rows(), names })
    }
}

fn asked<'a>(ruleset: &Ruleset, overrides: Option<&Overrides>, kind: CheckKind, name: &'a str) -> Asked<'a> {
    let spec = ruleset.find(kind.specs(), name);
    let is_plain = overrides.is_none() && spec.is_some_and(|spec| ruleset.is_plain(spec));
    Asked { kind, name, spec, is_plain }
}

/// Row by row, for each row what was asked in its order.
type Answers = Vec<Vec<Answer>>;

fn evaluate_table(
    ruleset: &Ruleset,
    input: &Input<'_>,
    asked: &[Asked<'_>],
    table: &Table,
    columns: &[UserColumns<'_>],
    threads: Option<NonZero<usize>>,
) -> Result<Answers, String> {
    let cores = threads.or_else(|| available_parallelism().ok()).map_or(1, NonZero::get);
    let rows = table.rows();
    let threads = cores.min(rows.div_ceil(ROWS_PER_THREAD)).max(1);
    let share = rows.div_ceil(threads).max(1);
    // Stretches of whole batches would be as uneven as those are.
    let parts = stretches(&table.batches, share);
    let work = |part: &[(usize, std::ops::Range<usize>)]| -> Result<Vec<Answer>, String> {
        let rows: usize = part.iter().map(|(_, rows)| rows.len()).sum();
        let mut answers = Vec::new();
        let count = rows.saturating_mul(asked.len());
        answers.try_reserve_exact(count).map_err(|_| "there is no memory for so many rows".to_owned())?;
        let mut builder = UserBuilder::new();
        for (batch, rows) in part {
            for row in rows.clone() {
                fill(&mut builder, &columns[*batch], row)?;
                let user = builder.finish().ok_or("a user's attributes must be smaller than 4 GiB in all")?;
                let random = if ruleset.uses_chance() { random() } else { 0 };
                let input = Input { user: user.view(), random, ..*input };
                answers.extend(asked.iter().map(|asked| answer(ruleset, asked, &input)));
                builder = UserBuilder::reuse(user);
            }
        }
        Ok(answers)
    };
    scope(|scope| {
        let start = |part| (part, Builder::new().spawn_scoped(scope, move || work(part)).ok());
        let workers: Vec<_> = parts[1..].iter().map(|part| start(part.as_slice())).collect();
        let mut all = vec![work(&parts[0])?];
        for (part, worker) in workers {
            all.push(match worker {
                Some(worker) => worker.join().map_err(|_| "a thread panicked".to_owned())??,
                // There can be no more threads.
                None => work(part)?,
            });
        }
        Ok(all)
    })
}

/// Rows of batches, shared out: so many to each, but for the last.
fn stretches(batches: &[Batch], share: usize) -> Vec<Vec<(usize, std::ops::Range<usize>)>> {
    let mut parts = vec![Vec::new()];
    let mut room = share;
    for (index, batch) in batches.iter().enumerate() {
        let mut from = 0;
        while from < batch.rows {
            if room == 0 {
                parts.push(Vec::new());
                room = share;
            }
            let taken = room.min(batch.rows - from);
            if let Some(part) = parts.last_mut() {
                part.push((index, from..from + taken));
            }
            from += taken;
            room -= taken;
        }
    }
    parts
}

#[inline]
fn answer(ruleset: &Ruleset, asked: &Asked<'_>, input: &Input<'_>) -> Answer {
    match asked.spec {
        Some(spec) if asked.is_plain => {
            let decision = ruleset.constant(spec).unwrap_or_else(|| decide(ruleset, spec, input));
            Answer::of_decision(decision, ruleset)
        }
        _ => Answer::of_evaluation(&evaluate(ruleset, asked.kind, asked.name, input)),
    }
}

/// A struct for each name: value and rule id, and of experiments the group.
fn output(
    loaded: Option<&Loaded>,
    overrides: Option<&Overrides>,
    names: &[String],
    gates: usize,
    answers: &[Vec<Answer>],
) -> Output {
    let text = |id: StringId| match loaded {
        Some(loaded) => loaded.ruleset.string(id),
        None if id == StringId::OVERRIDE => "override",
        None => "",
    };
    let json = |id: ValueId| match (id.override_index(), loaded) {
        (Some(index), _) => overrides.and_then(|all| all.value(index)).map_or("{}", |value| value.json()),
        (None, Some(loaded)) => loaded.ruleset.value(id).json(),
        (None, None) => "{}",
    };
    let width = names.len();
    let columns = names.iter().enumerate().map(|(index, name)| {
        let of_name = || answers.iter().flat_map(|part| part.chunks_exact(width).map(|row| row[index]));
        let mut rules = Spread::default();
        for answer in of_name() {
            rules.push(Some(answer.rule.index()), || text(answer.rule));
        }
        let rule = ("rule_id".to_owned(), rules.finish());
        let members = if index < gates {
            let rows = answers.iter().map(|part| part.len() / width).sum::<usize>();
            let mut bits = vec![0; rows.div_ceil(8)];
            for (row, _) in of_name().enumerate().filter(|(_, answer)| answer.passes) {
                bits[row / 8] |= 1 << (row % 8);
            }
            vec![("value".to_owned(), Output::Bits(bits)), rule]
        } else {
            let (mut values, mut groups) = (Spread::default(), Spread::default());
            for answer in of_name() {
                values.push(answer.value.map(ValueId::index), || answer.value.map_or("{}", json));
                groups.push(answer.group.map(StringId::index), || answer.group.map_or("", text));
            }
            vec![("value".to_owned(), values.finish()), rule, ("group".to_owned(), groups.finish())]
        };
        (name.clone(), Output::Struct(members))
    });
    Output::Struct(columns.collect())
}
