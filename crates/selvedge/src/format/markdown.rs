//! `--format markdown`: for a mail, a merge request or a job's summary. What is not as expected
//! comes first and with its tables; all rows are folded at the end.

use std::fmt::Write;

use selvedge_proofs::{Outcome, Row};
use selvedge_trace::views;

use super::About;
use super::row::{Totals, counted, effort, evidence, expectation, found, undecided, unexpected};
use super::row::{by_subsystem, verdict};

/// The rows as Markdown, in at most so many bytes if there is a limit. What does not fit is
/// counted.
pub fn markdown(rows: &[Row], about: &About, bytes_max: Option<usize>) -> String {
    let mut page = Page { text: String::new(), bytes_max: bytes_max.unwrap_or(usize::MAX) };
    let totals = Totals::of(rows);
    let verdict = match (totals.unexpected, totals.undecided) {
        (0, 0) => "as expected",
        (0, _) => "undecided",
        (_, _) => "not as expected",
    };
    page.add(&format!("## selvedge: {verdict}\n\n{totals}.\n"));
    about.sentences(rows).iter().for_each(|said| {
        page.add(&format!("{said}\n"));
    });
    for (heading, rows) in [
        ("Not as expected", unexpected(rows).collect::<Vec<_>>()),
        ("Undecided", undecided(rows).collect()),
    ] {
        if rows.is_empty() {
            continue;
        }
        page.add(&format!("\n### {heading}\n"));
        let left_out = rows.iter().filter(|row| !page.add(&one_by_one(row))).count();
        page.left_out(left_out, &counted(left_out as u64, "more row"));
    }
    for (subsystem, rows) in by_subsystem(rows) {
        if !page.add(&folded(subsystem, &rows)) {
            let rows_left_out = counted(rows.len() as u64, "row");
            page.left_out(rows.len(), &format!("{rows_left_out} of {subsystem}"));
        }
    }
    page.text
}

/// Text with a limit.
struct Page {
    text: String,
    bytes_max: usize,
}

/// What is kept free for the lines that count what was left out.
const REMARKS_BYTES: usize = 8_000;

impl Page {
    /// Adds the text, if it fits.
    fn add(&mut self, text: &str) -> bool {
        let fits = self.text.len() + text.len() + REMARKS_BYTES <= self.bytes_max;
        if fits {
            self.text.push_str(text);
        }
        fits
    }

    /// Says what did not fit, if anything.
    fn left_out(&mut self, count: usize, what: &str) {
        let line = format!("\n*{what} left out: too long for this page.*\n");
        if count > 0 && self.text.len() + line.len() <= self.bytes_max {
            self.text.push_str(&line);
        }
    }
}

/// A row that somebody has to look at.
fn one_by_one(row: &Row) -> String {
    let claim = row.claim;
    let mut out = format!(
        "\n**{}**\n\n- scenario: {}\n- tree: {}\n- {}\n- {}\n",
        escaped(claim.rule.0),
        code(claim.scenario.name),
        code(claim.tree.name),
        escaped(&expectation(row)),
        effort(row),
    );
    if let Some(evidence) = evidence(row) {
        let fence = backticks(&evidence, 3);
        // Writing to a string cannot fail; so below.
        let _ = writeln!(
            out,
            "\n<details open><summary>How</summary>\n\n{fence}text\n{}\n{fence}\n\n</details>",
            evidence.trim_end()
        );
    }
    out
}

/// All rows of a subsystem.
fn folded(subsystem: &str, rows: &[&Row]) -> String {
    let mut out = format!(
        "\n<details><summary>{}: {}</summary>\n\n\
         | rule | scenario | tree | verdict | found by | |\n|---|---|---|---|---|---|\n",
        views::escaped(&subsystem.replace(char::is_whitespace, " ")),
        counted(rows.len() as u64, "row")
    );
    for row in rows {
        let (claim, mark) = (row.claim, mark(row));
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {mark} |",
            escaped(claim.rule.0),
            code(claim.scenario.name),
            code(claim.tree.name),
            escaped(&verdict(row)),
            escaped(&effort(row)),
        );
    }
    out.push_str("\n</details>\n");
    out
}

fn mark(row: &Row) -> String {
    match row.outcome {
        Outcome::AsExpected if row.is_mended() => "mended".into(),
        Outcome::AsExpected => "as expected".into(),
        Outcome::Unexpected(_) => "**unexpected**".into(),
        Outcome::Undecided(_) => escaped(&found(row)),
    }
}

/// One line of code, also within a table.
fn code(text: &str) -> String {
    let fence = backticks(text, 1);
    let room = if text.contains('`') { " " } else { "" };
    format!("{fence}{room}{}{room}{fence}", text.replace('\n', " ").replace('|', "\\|"))
}

/// So many backticks at least, and more than stand in a row in the text.
fn backticks(text: &str, at_least: usize) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(at_least.max(longest + 1))
}

/// One line of text in which nothing is markup. A `_` within a word is none.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    let mut within_word = false;
    for c in text.chars() {
        if matches!(c, '\\' | '`' | '*' | '<' | '|' | '[' | '&') || (c == '_' && !within_word) {
            out.push('\\');
        }
        out.push(if c == '\n' { ' ' } else { c });
        within_word = c.is_alphanumeric();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_not_markup() {
        assert_eq!(escaped("a|b <c> __d_e()\nf"), "a\\|b \\<c> \\_\\_d_e() f");
        assert_eq!((code("a_b"), code("a`|\nb")), ("`a_b`".into(), "`` a`\\| b ``".into()));
        assert_eq!(backticks("a ``` b", 3), "````");
    }
}
