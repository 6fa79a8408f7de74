//! All violations of a scenario, counted ([`crate::Bounds::keep_going`]).

use selvedge_trace::{End, Execution, Finding, PathId, Rule};

/// The violations that the executions of a scenario show.
///
/// A task that breaks a rule stops there for good, and the others go on as far as they can. An
/// execution counts once: for the first rule that it breaks.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Violations {
    /// The distinct ones, in the order in which they were found.
    pub distinct: Vec<Violation>,
    /// How many executions were run to count them.
    pub executions: u64,
    /// What cut the count short; `None` if all executions of the scenario were run. If it was cut,
    /// there may be other violations, and each may happen more often.
    pub cut: Option<String>,
}

/// A rule, and where it is broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// The functions and the object of the fatal step (`outer > inner: object`); of a deadlock,
    /// those of each task that waits; empty if no step is to blame.
    pub location: String,
    /// What was seen the first time.
    pub message: String,
    /// In how many executions it was seen, at least 1.
    pub executions: u64,
}

/// Books a finding of an execution.
pub(crate) fn count(violations: &mut Vec<Violation>, execution: &Execution<'_>, finding: &Finding) {
    let location = location(execution, finding);
    let (rule, message) = (finding.rule, finding.message.clone());
    add(violations, Violation { rule, location, message, executions: 1 });
}

/// Adds a violation to those that were found before.
pub(crate) fn add(violations: &mut Vec<Violation>, found: Violation) {
    let is_same = |v: &&mut Violation| v.rule == found.rule && v.location == found.location;
    match violations.iter_mut().find(is_same) {
        Some(known) => known.executions += found.executions,
        None => violations.push(found),
    }
}

fn location(execution: &Execution<'_>, finding: &Finding) -> String {
    let at = |path: PathId, object: String| {
        let functions = execution.paths.functions(path);
        let within =
            if functions.is_empty() { "the scenario".into() } else { functions.join(" > ") };
        format!("{within}: {object}")
    };
    if let End::Deadlock(waiting) = execution.end {
        // Who waits for the end of a task that is blocked is not to blame.
        let blocked = waiting.iter().filter(|w| w.end_of.is_none());
        let places: Vec<String> = blocked.map(|w| at(w.path, w.name.to_string())).collect();
        return places.join("; ");
    }
    let event = finding.event.and_then(|event| execution.events.get(event));
    event.map_or(String::new(), |event| at(event.path, event.name.to_string()))
}
