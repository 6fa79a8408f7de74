//! Counterexamples as files.

use std::fmt;

use serde::Serialize;

use crate::{Condition, Counterexample, Explanation, SCHEMA};

/// A file that is no counterexample that this version reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unreadable(String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreadable {}

/// The counterexample as JSON: fields in a fixed order, each step on a line of its own, so that two
/// of them can be compared line by line.
pub fn to_json(cx: &Counterexample) -> String {
    let mut fields = vec![
        ("schema", one(&cx.schema)),
        ("claim", one(&cx.claim)),
        ("tree", one(&cx.tree)),
        ("scenario", one(&cx.scenario)),
        ("rule", one(&cx.rule)),
        ("message", one(&cx.message)),
        ("engine", one(&cx.engine)),
        ("memory_model", one(&cx.memory_model)),
        ("tasks", lines(&cx.tasks)),
        ("steps", lines(&cx.steps)),
        ("fatal", one(&cx.fatal)),
        ("blocked", lines(&cx.blocked)),
        ("schedule", one(&cx.schedule)),
    ];
    if !cx.holders.is_empty() {
        fields.insert(fields.len() - 1, ("holders", lines(&cx.holders)));
    }
    if let Some(model) = &cx.model {
        let before = fields.iter().position(|(name, _)| *name == "tasks").unwrap_or(0);
        fields.insert(before, ("model", one(model)));
    }
    if let Some(explanation) = &cx.explanation {
        fields.push(("explanation", one(explanation)));
    }
    let fields: Vec<String> =
        fields.into_iter().map(|(name, value)| format!("  \"{name}\": {value}")).collect();
    format!("{{\n{}\n}}\n", fields.join(",\n"))
}

fn one(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data")
}

fn lines<T: Serialize>(values: &[T]) -> String {
    let values: Vec<String> = values.iter().map(|value| format!("\n    {}", one(value))).collect();
    if values.is_empty() { "[]".into() } else { format!("[{}\n  ]", values.join(",")) }
}

/// Reads what [`to_json`] wrote. `file` is named in the error.
pub fn from_json(file: &str, text: &str) -> Result<Counterexample, Unreadable> {
    let advice = "make it again with `selvedge check --out DIR`";
    let unreadable = |why: String| Unreadable(format!("{file}: {why}; {advice}"));
    let value: serde_json::Value = serde_json::from_str(text)
        .map_err(|error| unreadable(format!("not JSON ({error}), expected {SCHEMA}")))?;
    match value.get("schema").and_then(|schema| schema.as_str()) {
        Some(SCHEMA) => {}
        Some(other) => {
            return Err(unreadable(format!(
                "schema is \"{other}\", this version reads \"{SCHEMA}\""
            )));
        }
        None => return Err(unreadable(format!("no field `schema`, expected \"{SCHEMA}\""))),
    }
    // From the text again, for the place of the error.
    let cx: Counterexample =
        serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
    consistent(&cx).map_err(unreadable)?;
    Ok(cx)
}

/// What the types do not say: that numbers of tasks and steps are of tasks and steps that are
/// there. To be asked of every counterexample that comes from a file, before it is shown.
///
/// # Errors
///
/// The field, and what it should be.
pub fn consistent(cx: &Counterexample) -> Result<(), String> {
    let tasks = cx.tasks.len();
    for (number, step) in cx.steps.iter().enumerate() {
        if usize::from(step.task) >= tasks {
            return Err(format!(
                "steps[{number}].task is {}, but there are {tasks} tasks",
                step.task
            ));
        }
    }
    let bits =
        cx.steps.iter().enumerate().filter_map(|(at, step)| Some((at, step.bit.as_ref()?.nr)));
    if let Some((number, nr)) = bits.into_iter().find(|(_, nr)| *nr > 63) {
        return Err(format!("steps[{number}].bit.nr is {nr}, but a word has the bits 0 to 63"));
    }
    if let Some(fatal) = cx.fatal.filter(|&fatal| fatal >= cx.steps.len()) {
        return Err(format!("fatal is {fatal}, but there are {} steps", cx.steps.len()));
    }
    if let Some(number) = cx.blocked.iter().position(|b| usize::from(b.task) >= tasks) {
        return Err(format!("blocked[{number}].task is not one of the {tasks} tasks"));
    }
    if tasks > TASKS_MAX {
        return Err(format!("there are {tasks} tasks, at most {TASKS_MAX} were expected"));
    }
    cx.explanation.as_ref().map_or(Ok(()), |why| check_explanation(cx, why))
}

/// The number of a task is a byte.
const TASKS_MAX: usize = 256;

fn check_explanation(cx: &Counterexample, why: &Explanation) -> Result<(), String> {
    let named = why.conditions.iter().flat_map(|condition| match *condition {
        Condition::Order { before, after, .. } => [Some(before), after],
        Condition::Choice { step } => [Some(step), None],
    });
    let (tasks, steps) = match &why.passing {
        Some(passing) => (passing.tasks.len(), passing.steps.as_slice()),
        None => (0, [].as_slice()),
    };
    if let Some(number) = steps.iter().position(|step| usize::from(step.task) >= tasks) {
        return Err(format!(
            "explanation.passing.steps[{number}].task is not one of the {tasks} tasks there"
        ));
    }
    let named = named.flatten().chain(why.decisive).chain(why.unneeded.iter().copied());
    let is_there = |after: &usize| *after >= steps.len();
    let elsewhere = why.conditions.iter().filter_map(|condition| match *condition {
        Condition::Order { passing, .. } => passing,
        Condition::Choice { .. } => None,
    });
    if let Some(step) = elsewhere.into_iter().find(is_there) {
        let count = steps.len();
        return Err(format!("a condition names step {step} of the passing {count}"));
    }
    let named = named.chain(why.from.map(|from| from.saturating_sub(1)));
    match named.max().filter(|&step| step >= cx.steps.len()) {
        Some(step) => {
            Err(format!("explanation names step {step}, but there are {} steps", cx.steps.len()))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ActionKind, Blocked, Column, Context, Model, Order, Record};

    fn example() -> Counterexample {
        let step = Record {
            task: 1,
            cpu: 0,
            context: Context::Task,
            path: vec!["migrate_pending".into()],
            action: ActionKind::Read,
            primitive: "atomic_read".into(),
            object: "migrate_pending_count".into(),
            bit: None,
            order: Order::Relaxed,
            old: 0,
            new: 0,
            stale: true,
            at: "mm/swap.c:214".into(),
            detail: String::new(),
        };
        let column = |name: &str, cpu| Column { name: name.into(), cpu, context: Context::Task };
        Counterexample {
            schema: SCHEMA.into(),
            claim: "a::b::c::d::dpor".into(),
            tree: "d".into(),
            scenario: "c".into(),
            rule: "b".into(),
            message: "it broke".into(),
            engine: "dpor".into(),
            memory_model: "sc".into(),
            tasks: vec![column("main", None), column("installer", Some(0))],
            steps: vec![step],
            fatal: Some(0),
            blocked: vec![Blocked {
                task: 1,
                primitive: "spin_lock".into(),
                object: "lru_lock".into(),
                path: Vec::new(),
            }],
            holders: Vec::new(),
            schedule: vec![0, 1, -2],
            model: Some(Model::new("0.1.0", [("f".to_string(), "0".repeat(16))].into())),
            explanation: Some(Explanation {
                decisive: Some(0),
                conditions: vec![Condition::Order {
                    before: 0,
                    after: None,
                    blocked: Some(1),
                    passing: None,
                }],
                ..Explanation::default()
            }),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(from_json("f", &to_json(&example())), Ok(example()));
    }

    fn error(change: impl Fn(&mut Counterexample)) -> String {
        let mut cx = example();
        change(&mut cx);
        from_json("f.json", &to_json(&cx)).expect_err("refused").to_string()
    }

    #[test]
    fn an_error_names_the_file_the_field_and_what_to_do() {
        let version = error(|cx| cx.schema = "selvedge-trace/9".into());
        assert_eq!(
            version,
            "f.json: schema is \"selvedge-trace/9\", this version reads \"selvedge-trace/1\"; \
             make it again with `selvedge check --out DIR`"
        );
        assert!(error(|cx| cx.fatal = Some(7)).contains("fatal is 7, but there are 1 steps"));
        assert!(error(|cx| cx.steps[0].task = 5).contains("steps[0].task is 5, but there are 2"));
        let unknown = to_json(&example()).replace("\"read\"", "\"x\"");
        let unknown = from_json("f.json", &unknown).expect_err("refused").to_string();
        assert!(unknown.contains("unknown variant `x`, expected one of `read`, `write`"));
        assert!(error(|cx| cx.blocked[0].task = 9).contains("blocked[0].task"));
        let bit = |cx: &mut Counterexample| {
            cx.steps[0].bit = Some(crate::BitOf { nr: 64, name: "b".into() });
        };
        assert!(error(bit).contains("steps[0].bit.nr is 64, but a word has the bits 0 to 63"));
        let decisive = |at| {
            move |cx: &mut Counterexample| {
                cx.explanation.as_mut().expect("one").decisive = Some(at);
            }
        };
        assert!(error(decisive(7)).contains("explanation names step 7, but there are 1 steps"));
        let elsewhere = |cx: &mut Counterexample| {
            let why = cx.explanation.as_mut().expect("one");
            let order =
                Condition::Order { before: 0, after: None, blocked: None, passing: Some(2) };
            why.conditions = vec![order];
        };
        assert!(error(elsewhere).contains("a condition names step 2 of the passing 0"));
    }

    #[test]
    fn a_cut_file_is_refused_wherever_it_is_cut() {
        let whole = to_json(&example());
        for at in (0..whole.trim_end().len()).filter(|&at| whole.is_char_boundary(at)) {
            let error = from_json("f.json", &whole[..at]).expect_err("cut").to_string();
            assert!(error.starts_with("f.json: "), "{error}");
        }
        let missing = whole.replace("\"fatal\": 0,", "");
        assert!(from_json("f", &missing).is_ok(), "an absent fatal step is none");
        let missing = whole.replace("\"steps\"", "\"stops\"");
        assert!(from_json("f", &missing).expect_err("no steps").to_string().contains("`steps`"));
    }
}
