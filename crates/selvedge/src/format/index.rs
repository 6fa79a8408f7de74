//! The page of a directory that `check --out` fills: what each row has come to and how far that was
//! explored, with links to the counterexamples. It needs no network and no script, and is XML too,
//! so that any parser of it can check it.

use std::collections::BTreeMap;
use std::fmt::Write;

use selvedge_explore::{Engine, Verdict};
use selvedge_proofs::{Outcome, Row};
use selvedge_trace::slug;
use selvedge_trace::views::escaped;

use super::row::{Totals, by_subsystem, counted, name_in_subsystem, verdict};

/// The beginning of a page with this title, which is plain text.
pub fn head(title: &str) -> String {
    HEAD.replace("@TITLE@", &escaped(title))
}

/// What other commands have left in the directory, or in the repository, to be shown with the rows.
#[derive(Debug, Default)]
pub struct Beside {
    /// The mutants that rows kill, if somebody has judged some.
    pub kills: Option<Kills>,
    /// Is there a page about the lock order?
    pub has_locks: bool,
}

/// Which mutants rows kill.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Kills {
    /// Where it is said.
    pub source: String,
    /// Of which tree they are.
    pub tree: String,
    /// All that each row kills, by its name.
    pub by_row: BTreeMap<String, Vec<String>>,
    /// Those that each scenario is the smallest to notice, by its name, whatever rule is broken.
    pub first_by_scenario: BTreeMap<String, Vec<String>>,
}

const HEAD: &str = "<!DOCTYPE html>
<html lang=\"en\"><head><meta charset=\"utf-8\"/>
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>
<meta http-equiv=\"Content-Security-Policy\"
  content=\"default-src 'none'; style-src 'unsafe-inline'\"/>
<title>@TITLE@</title>
<style>
:root { color-scheme: light dark; --ink: #1b1f24; --dim: #596273; --line: #d5d9e0; --paper: #fff;
  --good: #1f7a3a; --bad: #c4281c; --open: #8a5a00; --alarm: #fde8e6; --link: #0b57b0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --dim: #9aa3ad; --line: #3a414a;
  --paper: #16191d; --good: #6fcf8a; --bad: #ff7b6b; --open: #e0b050; --alarm: #46231f;
  --link: #6db3f7; } }
body { font: 14px/1.45 system-ui, sans-serif; margin: 16px auto; padding: 0 16px;
  max-width: 150ch; color: var(--ink); background: var(--paper); }
h1 { font-size: 19px; } h2 { font-size: 15px; margin: 24px 0 4px; }
a { color: var(--link); } a:focus-visible { outline: 2px solid var(--link); }
p { max-width: 110ch; }
table { border-collapse: collapse; width: 100%; }
table.narrow { width: auto; }
td, th { text-align: left; vertical-align: top; padding: 3px 8px;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
table.narrow td, table.narrow th, td.holds, td.violated, td.other { overflow-wrap: normal; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
th { color: var(--dim); font-weight: 500; white-space: nowrap; }
table.rows th { position: sticky; top: 0; background: var(--paper); }
table.rows th:first-child { width: 36%; } table.rows tr:hover td { background: var(--line); }
code { font: 12px ui-monospace, monospace; }
.holds { color: var(--good); } .violated { color: var(--bad); } .other { color: var(--open); }
.unexpected { background: var(--alarm); font-weight: 600; }
.more { color: var(--dim); font-size: 12px; }
.links { white-space: nowrap; }
@media (max-width: 900px) { body { padding: 0 8px; } td, th { padding: 3px 4px; }
  table.rows, table.rows tbody, table.rows tr, table.rows td { display: block; }
  table.narrow th { white-space: normal; }
  table.rows th { display: none; } table.rows td { border: 0; }
  table.rows tr { border-bottom: 1px solid var(--line); padding: 4px 0; } }
</style></head><body>
";

/// What the words on the page mean.
const WORDS: &str = "<p class=\"more\"><b>holds</b>: every execution of the scenario was run, up \
    to the order of independent steps, under the memory model that is named; <b>holds within</b> a \
    bound: as far as that goes. <b>violated</b>, where that is expected: the tree is known to be \
    broken, or to have a fault of ours, and the rule notices. <b>reached</b>: states that some \
    execution got into, without which the row would say nothing. <b>expected by</b>: why this \
    verdict was expected: a commit, a mail, a line of docs/facts (kernel-lru:B1 is B1 in \
    kernel-lru.md), or an argument. A row ends with what explored it: dpor, loom and graph \
    explore completely; random, pct and dfs are samples, or bounded. sc: sequential consistency; \
    c11: weak memory as loom explores it; lkmm: the kernel's memory model, without load \
    buffering.</p>\n";

/// The page. Violated rows link to `NAME.html`, `NAME.txt` and `NAME.json` beside it, each if there
/// is one.
pub fn index(rows: &[Row], beside: &Beside) -> String {
    let totals = escaped(&Totals::of(rows).to_string());
    let mut out = format!("{}<h1>selvedge check</h1>\n<p>{totals}</p>\n", head("selvedge check"));
    if beside.has_locks {
        out.push_str(
            "<p>Who could wait for whom, by tree: <a href=\"locks.html\">lock graphs</a></p>\n",
        );
    }
    out.push_str(WORDS);
    if let Some(Kills { source, tree, .. }) = &beside.kills {
        // Writing to a string cannot fail; so below.
        let _ = writeln!(
            out,
            "<p class=\"more\"><b>mutants</b>: the same tree with one fault of ours, a step left \
             out, weakened or moved; a row that holds, and is violated in one, kills it. Those of \
             {} were judged ({}).</p>",
            escaped(tree),
            escaped(source)
        );
    }
    let missed: Vec<&Row> = rows.iter().filter(|row| row.outcome != Outcome::AsExpected).collect();
    matrix(rows, &mut out);
    if !missed.is_empty() {
        table("Not as expected, or not decided", &missed, beside, &mut out);
    }
    for (subsystem, rows) in by_subsystem(rows) {
        table(subsystem, &rows, beside, &mut out);
    }
    out + "</body></html>\n"
}

/// What became of the rows of each subsystem, in numbers.
fn matrix(rows: &[Row], out: &mut String) {
    const KINDS: [&str; 4] = ["holds", "holds_within", "violated", "undecided"];
    out.push_str(
        "<table class=\"narrow\"><tr><th>subsystem</th><th>holds</th><th>holds within</th>\
         <th>violated</th><th>undecided</th><th>not as expected</th></tr>\n",
    );
    for (subsystem, rows) in by_subsystem(rows) {
        let of = |kind: &str| rows.iter().filter(|r| r.exploration.verdict.name() == kind).count();
        let missed =
            rows.iter().filter(|row| matches!(row.outcome, Outcome::Unexpected(_))).count();
        let _ = write!(
            out,
            "<tr><td><a href=\"#{}\">{}</a></td>",
            escaped(&slug(subsystem)),
            escaped(subsystem)
        );
        for count in KINDS.map(of).into_iter().chain([missed]) {
            let shown = if count == 0 { String::new() } else { count.to_string() };
            let _ = write!(out, "<td class=\"number\">{shown}</td>");
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table>\n");
}

fn table(head: &str, rows: &[&Row], beside: &Beside, out: &mut String) {
    let _ = writeln!(
        out,
        "<h2 id=\"{}\">{}</h2>\n<table class=\"rows\"><tr><th>row</th><th>verdict</th>\
         <th>explored</th><th>expected by</th><th>counterexample</th></tr>",
        escaped(&slug(head)),
        escaped(head)
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
    let _ = writeln!(
        out,
        "<tr{mark}><td><code>{}</code><br/><span class=\"more\">{}. {}</span></td>\
         <td class=\"{class}\">{}<br/>{}</td><td>{}{}{}</td><td>{}</td>\
         <td class=\"links\">{}</td></tr>",
        escaped(&name_in_subsystem(row)).replace("::", "::<wbr/>"),
        escaped(claim.rule.0),
        escaped(claim.scenario.about),
        escaped(&verdict(row)),
        escaped(&outcome),
        escaped(&explored(row)),
        more(&sizes(row)),
        more(&kills(row, beside)),
        escaped(&claim.source.to_string()),
        links(row)
    );
}

/// A line in small letters, if there is anything to say.
fn more(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("<br/><span class=\"more\">{}</span>", escaped(text))
}

/// How far it was explored, and what was reached.
fn explored(row: &Row) -> String {
    let seen = &row.exploration;
    let reached: Vec<&str> = seen.reached.iter().copied().collect();
    let reached = match reached.is_empty() {
        true => String::new(),
        false => format!("; reached: {}", reached.join(", ")),
    };
    let complete = match &seen.verdict {
        Verdict::Violated => "up to the first violation",
        _ if seen.is_complete() => "complete",
        _ => "not complete",
    };
    format!(
        "{} of at most {} steps, {}, {complete}{reached}",
        counted(seen.executions, "execution"),
        seen.steps_max,
        row.engine.memory_model().name()
    )
}

/// How large the machine of the scenario is: what it is bounded by.
fn sizes(row: &Row) -> String {
    let sizes = row.claim.scenario.machine.sizes;
    let tasks = counted(row.claim.scenario.tasks.len() as u64, "task");
    format!(
        "bounded: {}, {tasks}, {}, {}; batches of {}, a bh_lru of {}, {} of migrate_pages()",
        counted(sizes.cpus as u64, "CPU"),
        counted(sizes.folios as u64, "folio"),
        counted(sizes.buffer_heads as u64, "buffer head"),
        sizes.batch,
        sizes.bh_lru,
        match sizes.passes {
            1 => "1 pass".into(),
            passes => format!("{passes} passes"),
        }
    )
}

/// So many mutants of a row are named.
const KILLS: usize = 6;

/// What the row would notice: the mutants that it kills, if somebody has judged some.
fn kills(row: &Row, beside: &Beside) -> String {
    let Some(all) = &beside.kills else { return String::new() };
    let named = |killed: &[String]| {
        let named = killed.iter().take(KILLS).cloned().collect::<Vec<String>>().join(", ");
        let more = killed.len().saturating_sub(KILLS);
        if more > 0 { format!("{named}, and {more} more") } else { named }
    };
    if let Some(killed) = all.by_row.get(&row.name()) {
        return format!("kills {}: {}", killed.len(), named(killed));
    }
    let of_scenario = || all.first_by_scenario.get(row.claim.scenario.name);
    // It is dpor that is asked of mutants.
    let was_asked = row.claim.tree.name == all.tree && row.engine == Engine::Dpor;
    match of_scenario().filter(|_| was_asked) {
        Some(killed) => {
            let count = counted(killed.len() as u64, "mutant");
            format!("this scenario is the smallest to kill {count}: {}", named(killed))
        }
        None => String::new(),
    }
}

fn links(row: &Row) -> String {
    let stem = row.name().replace("::", ".");
    let seen = &row.exploration;
    let kinds: &[&str] = match (&seen.counterexample, &seen.evidence) {
        (Some(_), _) => &["html", "txt", "json"],
        (None, Some(_)) => &["txt"],
        (None, None) => &[],
    };
    let link = |kind: &&str| format!("<a href=\"{}.{kind}\">{kind}</a>", escaped(&in_url(&stem)));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_stays_one() {
        assert_eq!(in_url("a.v5.3+3\"x/.."), "a.v5.3%2B3%22x%2F..");
    }
}
