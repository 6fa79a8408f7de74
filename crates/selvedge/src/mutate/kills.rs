//! What `mutate` has written, read again: which mutants rows kill. Of `--format json` every row
//! that kills a mutant is known; of the page of `--report` the scenario that is the smallest to do
//! so.

use std::path::{Path, PathBuf};

use selvedge_proofs::mutation::survivors::Survivors;
use serde::Deserialize;

use crate::error::Failure;
use crate::format::Kills;
use crate::output;

/// `selvedge-mutants/1`, as far as it is asked here.
#[derive(Deserialize)]
struct Report {
    schema: String,
    #[serde(default)]
    tree: String,
    mutants: Vec<Mutant>,
}

#[derive(Deserialize)]
struct Mutant {
    name: String,
    killed_by: Vec<Kill>,
}

#[derive(Deserialize)]
struct Kill {
    row: String,
}

const SCHEMA: &str = "selvedge-mutants/1";
/// How the page of `--report` begins.
pub const PAGE: &str = "# Mutants of ";

/// The page of the checkout that the command runs in, if it runs in one.
pub fn page_of_checkout() -> Option<PathBuf> {
    let page = format!("docs/mutants-{}.md", Survivors::TREE);
    let here = std::env::current_dir().ok()?;
    here.ancestors().map(|dir| dir.join(&page)).find(|page| page.is_file())
}

/// The mutants that rows kill.
///
/// # Errors
/// The file cannot be read, or is neither a report of `mutate` nor its page.
pub fn kills_in(file: &Path) -> Result<Kills, Failure> {
    let name = file.display();
    let wrong = |what: String| {
        Failure::new(format!(
            "{name}: {what}; expected what `selvedge mutate --format json` ({SCHEMA}) or `selvedge \
             mutate --report` writes"
        ))
    };
    let text = output::read_text(file, "a report or a page of `selvedge mutate`")?;
    let kills = if text.starts_with(PAGE) { of_page(&text) } else { of_report(&text) };
    let source = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
    Ok(Kills { source, ..kills.map_err(wrong)? })
}

fn of_report(text: &str) -> Result<Kills, String> {
    let report: Report = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if report.schema != SCHEMA {
        return Err(format!("`schema` is `{}`", report.schema));
    }
    let mut kills = Kills { tree: report.tree, ..Kills::default() };
    for mutant in report.mutants {
        for kill in mutant.killed_by {
            kills.by_row.entry(kill.row).or_default().push(mutant.name.clone());
        }
    }
    Ok(kills)
}

/// Reads what [`super::page`] writes: below the heading of a function a row for each step.
fn of_page(text: &str) -> Result<Kills, String> {
    let first = text.lines().next().unwrap_or_default();
    let tree = first.trim_start_matches(PAGE).to_string();
    let mut kills = Kills { tree, ..Kills::default() };
    let mut function = "";
    for (number, line) in text.lines().enumerate() {
        if let Some(heading) = line.strip_prefix("### ") {
            function = heading.trim_end_matches("()");
        }
        let Some(row) = line.strip_prefix("| `") else { continue };
        let cells = row.split_once("` | ").and_then(|(step, rest)| Some((step, cell(rest)?)));
        let (step, needed) = cells.ok_or_else(|| format!("line {}: no row", number + 1))?;
        for (fault, scenario) in needed.split("<br>").filter_map(killed) {
            let mutant = format!("{function}::{step}::{fault}");
            kills.first_by_scenario.entry(scenario.into()).or_default().push(mutant);
        }
    }
    match kills.first_by_scenario.is_empty() {
        true => Err("it names no mutant that is killed".into()),
        false => Ok(kills),
    }
}

/// Up to the end of the cell, which says who needs the step.
fn cell(rest: &str) -> Option<&str> {
    rest.split_once(" | ").map(|(needed, _)| needed)
}

/// `**drop**: no task waits for ever *(one_scenario, and 5 more)*`: the fault, and the scenario.
fn killed(needed: &str) -> Option<(&str, &str)> {
    let (fault, rest) = needed.strip_prefix("**")?.split_once("**: ")?;
    let (_, by) = rest.rsplit_once(" *(")?;
    let scenario = by.trim_end_matches(")*");
    Some((fault, scenario.split_once(", and ").map_or(scenario, |(scenario, _)| scenario)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_mutants_is_read_by_row() {
        let text = r#"{ "schema": "selvedge-mutants/1", "tree": "v6.1", "mutants": [
            { "name": "a::drop", "killed_by": [{ "row": "one", "what": "" }, { "row": "two" }] },
            { "name": "b::drop", "killed_by": [{ "row": "one" }] },
            { "name": "c::drop", "killed_by": [] }] }"#;
        let found = of_report(text).expect("a report");
        assert_eq!(found.by_row["one"], ["a::drop", "b::drop"]);
        assert_eq!(found.by_row["two"], ["a::drop"]);
        assert_eq!(found.tree, "v6.1");
        for (wrong, why) in [
            ("{}", "missing field `schema`"),
            ("{\"schema\": \"selvedge-mutants/2\", \"mutants\": []}", "`schema` is"),
            ("no", "expected"),
        ] {
            let said = of_report(wrong).expect_err("it is wrong");
            assert!(said.contains(why), "{said}");
        }
    }

    #[test]
    fn a_page_of_mutants_is_read_by_scenario() {
        let text = "# Mutants of v6.1\n\nMade by\n\n## mm/swap.c\n\n### f()\n\n\
            | step | needed by | needed by none |\n|---|---|---|\n\
            | `set_bit(A)#0` | **drop**: it *(small, and 2 more)*<br>**split**: it *(other)* | |\n\
            | `look()#0` |  | empty: no effect |\n\n### g()\n\n\
            | `put(B)#1` | **drop**: a (b) *(small)* |  |\n";
        let found = of_page(text).expect("a page");
        assert_eq!(found.tree, "v6.1");
        assert_eq!(
            found.first_by_scenario["small"],
            ["f::set_bit(A)#0::drop", "g::put(B)#1::drop"]
        );
        assert_eq!(found.first_by_scenario["other"], ["f::set_bit(A)#0::split"]);
        let cut = of_page("# Mutants of v6.1\n### f()\n| `set_bit(A)#0` | **dr");
        assert!(cut.expect_err("cut").contains("line 3"));
        assert!(of_page("# Mutants of v6.1\n").expect_err("empty").contains("no mutant"));
    }

    /// Of both forms.
    #[test]
    fn a_damaged_report_is_read_or_refused_in_a_line() {
        use crate::damaged::damaged;
        use proptest::prelude::*;
        let kill = "{\"name\": \"f::set_bit(A)#0::drop\", \"killed_by\": [{\"row\": \"a::b\"}]}";
        let head = "{\"schema\": \"selvedge-mutants/1\", \"tree\": \"v6.1\", \"mutants\"";
        let report = &format!("{head}: [\n{kill}\n]}}\n");
        let page = "# Mutants of v6.1\n\n### f()\n| `set_bit(A)#0` | **drop**: killed by a |\n";
        assert!(of_report(report).is_ok());
        let file = std::env::temp_dir().join(format!("selvedge-kills-{}", std::process::id()));
        let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
        proptest!(config, |(bytes in prop_oneof![damaged(report), damaged(page)])| {
            std::fs::write(&file, &bytes).expect("written");
            if let Err(failure) = kills_in(&file) {
                let said = output::printable(&failure.to_string());
                prop_assert!(said.starts_with(&file.display().to_string()), "{said}");
                prop_assert_eq!(said.lines().count(), 1, "{}", said);
            }
        });
        let _ = std::fs::remove_file(file);
    }

    /// Of each mutant that the page says to be killed it is known by which scenario.
    #[test]
    fn the_page_of_this_repository_is_read_whole() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let page = page.join(format!("docs/mutants-{}.md", Survivors::TREE));
        let text = std::fs::read_to_string(&page).expect("the page");
        let (_, said) = text.split_once(" mutants: ").expect("the totals");
        let said = said.split_once(" killed").and_then(|(count, _)| count.parse::<usize>().ok());
        let kills = kills_in(&page).expect("a page");
        assert_eq!(kills.tree, Survivors::TREE);
        assert_eq!(Some(kills.first_by_scenario.values().map(Vec::len).sum()), said);
        let known: std::collections::BTreeSet<&str> =
            selvedge_proofs::rows().map(|(claim, _)| claim.scenario.name).collect();
        for scenario in kills.first_by_scenario.keys() {
            assert!(known.contains(scenario.as_str()), "no scenario {scenario}");
        }
    }
}
