//! What came of mutants, for reading on a terminal and by programs.

use std::fmt::Write;

use selvedge_proofs::mutation::judge::What;
use selvedge_proofs::mutation::survivors::Explained;
use selvedge_proofs::mutation::{Fate, Survey};
use serde_json::{Value, json};

use super::{Found, Judged};

/// A line for each mutant that is not killed, or for each, and the totals.
pub fn text(found: &Found<'_>, with_killed: bool) -> String {
    let mut out = String::new();
    for judged in &found.judged {
        if with_killed || !matches!(judged.fate, Fate::Killed(_) | Fate::NotJudged | Fate::Idle) {
            // Writing to a string cannot fail; so below.
            let _ = writeln!(out, "{}\n    {}", judged.mutant.name(), said(found.survey, judged));
        }
    }
    let _ = writeln!(out, "{}", totals_line(found));
    let (judges, executions) = (found.survey.judges.len(), found.executions);
    let _ = writeln!(out, "{judges} claims, {executions} executions, {:.0} s", found.seconds);
    out
}

/// How many there are of each kind, in a sentence.
pub fn totals_line(found: &Found<'_>) -> String {
    let totals = totals(found);
    let number = |name: &str| totals[name].as_u64().unwrap_or_default();
    format!(
        "{} mutants: {} killed ({} of them by nothing but an execution without end or an \
         assertion of the model), {} equivalent, {} open, {} unexplained, {} undecided, {} \
         without effect, {} not judged under SC.",
        number("mutants"),
        number("killed"),
        number("killed_without_a_rule"),
        number("equivalent"),
        number("open"),
        number("unexplained"),
        number("undecided"),
        number("without_effect"),
        number("not_judged"),
    )
}

/// What came of one, in a line.
fn said(survey: &Survey, judged: &Judged<'_>) -> String {
    let reason = match judged.explained {
        Some(Explained::Equivalent(reason)) => format!("equivalent: {reason}"),
        Some(Explained::Open(wanted)) => format!("open: {wanted}"),
        None => "no reason is given".into(),
    };
    match &judged.fate {
        Fate::Killed(kills) => {
            let first = &kills[0];
            let more = kills.len() - 1;
            let by = survey.judges[first.judge].name();
            format!("killed by {by} and {more} more: {}", what(&first.what))
        }
        Fate::Survived { asked, not_asked } => {
            let large = match not_asked {
                0 => String::new(),
                number => format!(", {number} large ones not asked"),
            };
            format!("survives {asked} claims{large}; {reason}")
        }
        Fate::Idle => "has no effect in any execution".into(),
        Fate::NotJudged => "not judged under SC: no claim under weak memory passes it".into(),
        Fate::Undecided(why) => format!("undecided: {why}; {reason}"),
    }
}

/// What was noticed.
pub fn what(what: &What) -> &str {
    match what {
        What::Broken(rule) => rule,
        What::NoEnd => "an execution without end",
        What::Assertion => "an assertion of the model",
    }
}

fn totals(found: &Found<'_>) -> Value {
    let killed = |judged: &Judged<'_>| matches!(judged.fate, Fate::Killed(_));
    let without_a_rule = |judged: &Judged<'_>| match &judged.fate {
        Fate::Killed(kills) => !matches!(kills[0].what, What::Broken(_)),
        _ => false,
    };
    let survived = |judged: &Judged<'_>| matches!(judged.fate, Fate::Survived { .. });
    let is_equivalent =
        |judged: &Judged<'_>| matches!(judged.explained, Some(Explained::Equivalent(_)));
    let is_open = |judged: &Judged<'_>| matches!(judged.explained, Some(Explained::Open(_)));
    json!({
        "mutants": found.judged.len(),
        "killed": found.count(killed),
        "killed_without_a_rule": found.count(without_a_rule),
        "equivalent": found.count(|judged| survived(judged) && is_equivalent(judged)),
        "open": found.count(|judged| survived(judged) && is_open(judged)),
        "unexplained": found.unexplained(),
        "undecided": found.count(|judged| matches!(judged.fate, Fate::Undecided(_))),
        "without_effect": found.count(|judged| matches!(judged.fate, Fate::Idle)),
        "not_judged": found.count(|judged| matches!(judged.fate, Fate::NotJudged)),
        "claims": found.survey.judges.len(),
        "executions": found.executions,
    })
}

/// One object: `selvedge-mutants/1`.
pub fn json(found: &Found<'_>, tree: &str) -> String {
    let mutant = |judged: &Judged<'_>| {
        let kills: Vec<Value> = match &judged.fate {
            Fate::Killed(kills) => kills
                .iter()
                .map(|kill| {
                    let judge = &found.survey.judges[kill.judge];
                    json!({ "row": judge.claim.name(judge.engine), "what": what(&kill.what) })
                })
                .collect(),
            _ => Vec::new(),
        };
        let undecided = match &judged.fate {
            Fate::Undecided(why) => Some(why),
            _ => None,
        };
        let (reason, open) = match (&judged.fate, judged.explained) {
            (Fate::Killed(_) | Fate::NotJudged | Fate::Idle, _) | (_, None) => (None, None),
            (_, Some(Explained::Equivalent(reason))) => (Some(reason), None),
            (_, Some(Explained::Open(wanted))) => (None, Some(wanted)),
        };
        json!({ "name": judged.mutant.name(), "function": judged.mutant.site.function,
                "step": judged.mutant.step(), "fault": judged.mutant.operator.name(),
                "fate": judged.fate.name(), "killed_by": kills, "reason": reason, "wanted": open,
                "bound": undecided })
    };
    let mutants: Vec<Value> = found.judged.iter().map(mutant).collect();
    let whole = json!({ "schema": "selvedge-mutants/1", "tree": tree, "mutants": mutants,
                        "wrong_entries": found.faults, "totals": totals(found) });
    serde_json::to_string_pretty(&whole).expect("plain data") + "\n"
}
