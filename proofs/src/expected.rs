//! `proofs/expected.tsv`: what checking each row has found, one line a row, for review. The claims
//! test compares and writes it, the README's matrix reads it.

use std::fmt::Write;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use selvedge_trace::{Counterexample, steps};

use crate::Row;

/// How many of the last steps of a counterexample are written down.
const STEPS: usize = 3;

const HEADING: &str = "row\tverdict\texecutions\twhat is broken\tlast steps";

/// A line: what was found for a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// The row's name.
    pub name: String,
    /// The verdict, without its bound.
    pub verdict: String,
    /// How many executions it took, for a complete engine. How lucky a random one was is not
    /// written down.
    pub executions: Option<u64>,
    /// What the counterexample of the default engine says, and its last steps.
    pub evidence: Option<[String; 2]>,
}

impl Line {
    /// What was found.
    pub fn of(row: &Row) -> Line {
        let seen = &row.exploration;
        let is_complete = row.engine.is_exhaustive();
        let is_default = row.claim.engines[0] == row.engine;
        let evidence = seen.counterexample.as_ref().filter(|_| is_default);
        Line {
            name: row.name(),
            verdict: seen.verdict.name().replace('_', " "),
            executions: is_complete.then_some(seen.executions),
            evidence: evidence.map(|cx| [on_one_line(&cx.message), last_steps(cx)]),
        }
    }

    fn parse(line: &str) -> Result<Line, String> {
        let wrong = || format!("not a line of {HEADING:?}: {line:?}");
        let fields: Vec<&str> = line.split('\t').collect();
        let &[name, verdict, executions, message, steps] = fields.as_slice() else {
            return Err(wrong());
        };
        let executions = match executions {
            "" => None,
            number => Some(number.parse().map_err(|_| wrong())?),
        };
        let evidence = (!message.is_empty()).then(|| [message.to_string(), steps.to_string()]);
        Ok(Line { name: name.into(), verdict: verdict.into(), executions, evidence })
    }

    fn print(&self) -> String {
        let executions = self.executions.map(|n| n.to_string()).unwrap_or_default();
        let [message, steps] = self.evidence.clone().unwrap_or_default();
        format!("{}\t{}\t{executions}\t{message}\t{steps}", self.name, self.verdict)
    }
}

fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The steps before and with the fatal one, or the last ones.
fn last_steps(cx: &Counterexample) -> String {
    let upto = cx.fatal.map_or(cx.steps.len(), |fatal| fatal + 1);
    let listed = steps(cx);
    let lines: Vec<&str> = listed.lines().take(upto).collect();
    let last = &lines[lines.len().saturating_sub(STEPS)..];
    let without_number = |line: &&str| {
        let line = on_one_line(line);
        let step = line.split_once(' ').map_or("", |(_, step)| step).to_string();
        step.trim_end_matches(" <== fatal").to_string()
    };
    last.iter().map(without_number).collect::<Vec<_>>().join(" | ")
}

/// Where the file is.
pub fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("expected.tsv")
}

/// A reviewed file of this crate; of a command that was moved away from it, what it was when it was
/// compiled.
pub(crate) fn reviewed(path: &Path, built_in: &str) -> Result<String, String> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(built_in.into()),
        read => read.map_err(|error| format!("{}: {error}", path.display())),
    }
}

/// The lines of the file; of what it was when this was compiled, if it is not there any more.
///
/// # Errors
///
/// If it cannot be read, or has a line that is none.
pub fn read() -> Result<Vec<Line>, String> {
    let text = reviewed(&path(), include_str!("../expected.tsv"))?;
    text.lines().skip(1).map(Line::parse).collect()
}

/// The file with these lines.
pub fn print<'a>(lines: impl IntoIterator<Item = &'a Line>) -> String {
    let mut out = format!("{HEADING}\n");
    for line in lines {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{}", line.print());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_printed() {
        let message = ["folio0 rests".to_string(), "CPU0 user: folio_get()".to_string()];
        for evidence in [None, Some(message)] {
            for executions in [None, Some(12)] {
                let (name, verdict) = ("a::b::c::d::dpor".into(), "violated".into());
                let line = Line { name, verdict, executions, evidence: evidence.clone() };
                assert_eq!(Line::parse(&line.print()), Ok(line));
            }
        }
        assert!(Line::parse("a\tb").is_err());
        assert!(Line::parse("a\tb\tmany\t\t").is_err());
    }
}
