//! Counterexamples as files.

use std::fmt;

use serde::Serialize;

use crate::{Counterexample, SCHEMA};

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
    check(&cx).map_err(unreadable)?;
    Ok(cx)
}

/// What the types do not say.
fn check(cx: &Counterexample) -> Result<(), String> {
    let tasks = cx.tasks.len();
    for (number, step) in cx.steps.iter().enumerate() {
        if usize::from(step.task) >= tasks {
            return Err(format!(
                "steps[{number}].task is {}, but there are {tasks} tasks",
                step.task
            ));
        }
    }
    if let Some(fatal) = cx.fatal.filter(|&fatal| fatal >= cx.steps.len()) {
        return Err(format!("fatal is {fatal}, but there are {} steps", cx.steps.len()));
    }
    match cx.blocked.iter().position(|blocked| usize::from(blocked.task) >= tasks) {
        Some(number) => Err(format!("blocked[{number}].task is not one of the {tasks} tasks")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ActionKind, Blocked, Column, Context, Order, Record};

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
