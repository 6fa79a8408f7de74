//! A row as `--format json` writes it, read back: for `merge`, and for the cache.

use std::time::Duration;

use selvedge_explore::{Exploration, Verdict, Violation, Violations};
use selvedge_proofs::Row;
use selvedge_trace::{Counterexample, Rule, SCHEMA, consistent, interned};
use serde::Deserialize;

use crate::select::Selected;

/// What a report says of a row, as far as it is not known without.
#[derive(Deserialize, Debug)]
pub struct Stored {
    /// Its name.
    pub name: String,
    verdict: String,
    bound: Option<String>,
    executions: u64,
    steps_max: usize,
    reached: Vec<String>,
    elapsed_ms: f64,
    counterexample: Option<Counterexample>,
    #[serde(default)]
    evidence: Option<String>,
    #[serde(default)]
    idle_edits: Vec<String>,
    #[serde(default)]
    violations: Option<AllViolations>,
    /// Was it taken from a cache?
    #[serde(default)]
    pub cached: bool,
}

#[derive(Deserialize, Debug)]
struct AllViolations {
    executions: u64,
    cut_short_by: Option<String>,
    distinct: Vec<OneViolation>,
}

#[derive(Deserialize, Debug)]
struct OneViolation {
    rule: String,
    location: String,
    message: String,
    executions: u64,
}

impl Stored {
    /// The row, judged anew: of this claim, which has its name.
    ///
    /// # Errors
    ///
    /// The field that is not what a report has there.
    pub fn row(self, (claim, engine): Selected) -> Result<Row, String> {
        let verdict = verdict(&self.verdict, self.bound)?;
        let seconds = self.elapsed_ms / 1e3;
        let elapsed = Duration::try_from_secs_f64(seconds).map_err(|_| {
            format!("`elapsed_ms` is {}, expected a number of milliseconds", self.elapsed_ms)
        })?;
        let counterexample = self.counterexample;
        if let Some(cx) = counterexample.as_ref().filter(|cx| cx.schema != SCHEMA) {
            return Err(format!(
                "the counterexample's schema is \"{}\", this version reads \"{SCHEMA}\"",
                cx.schema
            ));
        }
        if let Some(cx) = &counterexample {
            consistent(cx).map_err(|why| format!("the counterexample: {why}"))?;
        }
        let is_shown = counterexample.is_some() || self.evidence.is_some();
        if (verdict == Verdict::Violated) != is_shown {
            return Err("a violated row, and no other, has a counterexample or evidence".into());
        }
        let idle_edits = self.idle_edits.iter().map(|text| {
            let mut edits = claim.tree.edits.iter();
            let edit = edits.find(|edit| edit.to_string() == *text).copied();
            edit.ok_or_else(|| format!("`idle_edits`: `{}` has no edit `{text}`", claim.tree.name))
        });
        let exploration = Exploration {
            engine,
            verdict,
            executions: self.executions,
            steps_max: self.steps_max,
            reached: self.reached.into_iter().map(interned).collect(),
            elapsed,
            counterexample,
            evidence: self.evidence,
            idle_edits: idle_edits.collect::<Result<_, String>>()?,
            states: None,
            violations: self.violations.map(violations),
        };
        Ok(Row::of(claim, exploration))
    }
}

fn verdict(name: &str, bound: Option<String>) -> Result<Verdict, String> {
    match (name, bound) {
        ("holds", None) => Ok(Verdict::Holds),
        ("violated", None) => Ok(Verdict::Violated),
        ("holds_within", Some(bound)) => Ok(Verdict::HoldsWithin(bound)),
        ("undecided", Some(why)) => Ok(Verdict::Undecided(why)),
        (verdict, None) => Err(format!("no verdict: \"{verdict}\", with no `bound`")),
        (verdict, Some(bound)) => {
            Err(format!("no verdict: \"{verdict}\", with the `bound` \"{bound}\""))
        }
    }
}

fn violations(all: AllViolations) -> Violations {
    let one = |violation: OneViolation| Violation {
        rule: Rule(interned(violation.rule)),
        location: violation.location,
        message: violation.message,
        executions: violation.executions,
    };
    Violations {
        distinct: all.distinct.into_iter().map(one).collect(),
        executions: all.executions,
        cut: all.cut_short_by,
    }
}
