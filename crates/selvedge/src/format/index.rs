//! The page of a directory that `check --out` fills: what each row has come to and how far that was
//! explored, with links to the counterexamples. It needs no network and no script.

use std::collections::BTreeMap;
use std::fmt::Write;

use selvedge_proofs::{Outcome, Row};

use super::row::{Totals, by_subsystem, name_in_subsystem, verdict};

/// The beginning of a page with this title, which is plain text.
pub fn head(title: &str) -> String {
    HEAD.replace("@TITLE@", &escape(title))
}

/// What other commands have left in the directory, to be shown with the rows.
#[derive(Debug, Default)]
pub struct Beside {
    /// The mutants that each row kills, by the row's name, if a report of them is there.
    pub kills: Option<BTreeMap<String, Vec<String>>>,
    /// Is there a page about the lock order?
    pub has_locks: bool,
}

const HEAD: &str = "<!DOCTYPE html>
<html lang=\"en\"><head><meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta http-equiv=\"Content-Security-Policy\"
  content=\"default-src 'none'; style-src 'unsafe-inline'\">
<title>@TITLE@</title>
<style>
body { font: 14px/1.45 system-ui, sans-serif; margin: 16px; max-width: 150ch; color: #1b1f24;
  background: #fff; }
h1 { font-size: 19px; } h2 { font-size: 15px; margin: 24px 0 4px; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: 3px 8px; border-bottom: 1px solid #d5d9e0;
  overflow-wrap: anywhere; }
th { color: #667; font-weight: 500; }
code { font: 12px ui-monospace, monospace; }
.holds { color: #1f7a3a; } .violated { color: #c4281c; } .other { color: #8a5a00; }
.unexpected { background: #fde8e6; font-weight: 600; } .more { color: #667; font-size: 12px; }
</style></head><body>
";

/// The page. Violated rows link to `NAME.html`, `NAME.txt` and `NAME.json` beside it, each if there
/// is one.
pub fn index(rows: &[Row], beside: &Beside) -> String {
    let totals = escape(&Totals::of(rows).to_string());
    let mut out = format!("{}<h1>selvedge check</h1>\n<p>{totals}</p>\n", head("selvedge check"));
    if beside.has_locks {
        out.push_str(
            "<p>Who could wait for whom, by tree: <a href=\"locks.html\">lock graphs</a></p>\n",
        );
    }
    let missed: Vec<&Row> = rows.iter().filter(|row| row.outcome != Outcome::AsExpected).collect();
    if !missed.is_empty() {
        table("Not as expected, or not decided", &missed, beside, &mut out);
    }
    for (subsystem, rows) in by_subsystem(rows) {
        table(subsystem, &rows, beside, &mut out);
    }
    out + "</body></html>\n"
}

fn table(head: &str, rows: &[&Row], beside: &Beside, out: &mut String) {
    // Writing to a string cannot fail; so below.
    let _ = writeln!(
        out,
        "<h2>{}</h2>\n<table><tr><th>row<th>verdict<th>explored<th>expected by\
         <th>counterexample</tr>",
        escape(head)
    );
    rows.iter().for_each(|row| line(row, beside, out));
    out.push_str("</table>\n");
}

fn line(row: &Row, beside: &Beside, out: &mut String) {
    let (claim, seen) = (row.claim, &row.exploration);
    let class = match seen.verdict.name() {
        "holds" => "holds",
        "violated" => "violated",
        _ => "other",
    };
    let (mark, outcome) = match &row.outcome {
        Outcome::AsExpected => ("", String::new()),
        Outcome::Unexpected(how) => (" class=\"unexpected\"", format!("not as expected: {how}")),
        Outcome::Undecided(why) => (" class=\"unexpected\"", format!("undecided: {why}")),
    };
    let reached: Vec<&str> = seen.reached.iter().copied().collect();
    let reached = match reached.is_empty() {
        true => String::new(),
        false => format!("; reached: {}", reached.join(", ")),
    };
    let complete = if seen.is_complete() { "complete" } else { "not complete" };
    let explored = format!(
        "{} executions of at most {} steps, {}, {complete}{reached}",
        seen.executions,
        seen.steps_max,
        row.engine.memory_model().name()
    );
    let _ = writeln!(
        out,
        "<tr{mark}><td><code>{}</code><br><span class=\"more\">{}. {}</span>\
         <td class=\"{class}\">{}<br>{}<td>{}{}<td>{}<td>{}</tr>",
        escape(&name_in_subsystem(row)),
        escape(claim.rule.0),
        escape(claim.scenario.about),
        escape(&verdict(row)),
        escape(&outcome),
        escape(&explored),
        kills(row, beside),
        escape(&claim.source.to_string()),
        links(row)
    );
}

/// So many mutants of a row are named.
const KILLS: usize = 6;

/// What the row would notice: the mutants that it kills, if a report names some.
fn kills(row: &Row, beside: &Beside) -> String {
    let Some(all) = &beside.kills else { return String::new() };
    let Some(killed) = all.get(&row.name()) else { return String::new() };
    let named: Vec<String> = killed.iter().take(KILLS).map(|name| escape(name)).collect();
    let more = killed.len() - named.len();
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!("<br><span class=\"more\">kills {}: {}{more}</span>", killed.len(), named.join(", "))
}

fn links(row: &Row) -> String {
    let stem = row.name().replace("::", ".");
    let seen = &row.exploration;
    let kinds: &[&str] = match (&seen.counterexample, &seen.evidence) {
        (Some(_), _) => &["html", "txt", "json"],
        (None, Some(_)) => &["txt"],
        (None, None) => &[],
    };
    let link = |kind: &&str| format!("<a href=\"{}.{kind}\">{kind}</a>", escape(&in_url(&stem)));
    kinds.iter().map(link).collect::<Vec<_>>().join(" ")
}

/// Names of rows may have `+` and, of trees of yours, anything that a file name may have.
pub fn in_url(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => out.push(byte.into()),
            other => {
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
    out
}

/// As text of HTML, or as a value in quotes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_text_and_a_link_stays_one() {
        assert_eq!(escape("<script>\"'&"), "&lt;script&gt;&quot;&#39;&amp;");
        assert_eq!(in_url("a.v5.3+3\"x/.."), "a.v5.3%2B3%22x%2F..");
    }
}
