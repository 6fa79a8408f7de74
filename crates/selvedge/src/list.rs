//! `selvedge list`: what there is.

use std::collections::BTreeMap;
use std::fmt::Write;

use selvedge_explore::Engine;
use selvedge_litmus::card_of;
use selvedge_models::{Commit, Kind, Tree, trees};
use selvedge_proofs::rows;
use serde_json::{Value, json};

use crate::args::{Format, ListArgs, Listed};
use crate::diff::commit_json;
use crate::{Outcome, Status, output};

/// Prints the list.
pub fn run(args: &ListArgs) -> Outcome {
    let mut items = match args.what {
        Listed::Trees => of_trees(|kind| kind != Kind::Mutant),
        Listed::Mutants => of_trees(|kind| kind == Kind::Mutant),
        Listed::Scenarios => scenarios(),
        Listed::Claims => claims(),
        Listed::Engines => engines(),
    };
    let text = match args.format {
        Format::Json => {
            // It is for readers, and says nothing that the other fields do not.
            for item in items.iter_mut().filter_map(Value::as_object_mut) {
                item.remove("more");
            }
            serde_json::to_string_pretty(&items).expect("plain data") + "\n"
        }
        Format::Text => plain(&items),
    };
    output::print(&text)?;
    Ok(Status::AsExpected)
}

/// A line for each item: its name, then what it is about; below it what else there is to say.
fn plain(items: &[Value]) -> String {
    let field = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_string();
    let width = items.iter().map(|item| field(item, "name").len()).max().unwrap_or(0).min(40);
    items.iter().fold(String::new(), |mut out, item| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{:width$}  {}", field(item, "name"), field(item, "about"));
        let more = field(item, "more");
        if !more.is_empty() {
            let _ = writeln!(out, "{:width$}  {more}", "");
        }
        out
    })
}

fn of_trees(is_meant: impl Fn(Kind) -> bool) -> Vec<Value> {
    let meant = trees::every().filter(|tree| is_meant(tree.kind));
    meant
        .map(|tree| {
            let commits: Vec<Value> = tree.commits().into_iter().map(commit_json).collect();
            json!({ "name": tree.name, "aliases": tree.aliases, "kind": tree.kind.name(),
                    "base": tree.base, "about": tree.about, "commits": commits,
                    "more": more_about(tree) })
        })
        .collect()
}

/// Its kind, its base, its other names, and its commits, as far as its base has not got them.
fn more_about(tree: &Tree) -> String {
    let mut parts = vec![match tree.kind {
        Kind::Release => tree.kind.name().to_string(),
        _ => format!("{} on {}", tree.kind.name(), tree.base),
    }];
    if !tree.aliases.is_empty() {
        parts.push(format!("also {}", tree.aliases.join(", ")));
    }
    let commits = tree.commits();
    match (tree.kind, commits.last()) {
        (Kind::Release, Some(last)) => {
            let count = commits.len();
            let s = if count == 1 { "" } else { "s" };
            parts.push(format!("{count} commit{s}, the last {}", last.line()));
        }
        (Kind::Release, None) => parts.push("before the first commit of the list".into()),
        _ => {
            let said = |patch: &&&Commit| patch.title == tree.about;
            parts.extend(tree.patches.iter().filter(|patch| !said(patch)).map(|p| p.line()));
        }
    }
    parts.join("; ")
}

fn scenarios() -> Vec<Value> {
    let by_name: BTreeMap<&str, &str> =
        rows().map(|(claim, _)| (claim.scenario.name, claim.scenario.about)).collect();
    by_name.into_iter().map(|(name, about)| json!({ "name": name, "about": about })).collect()
}

fn claims() -> Vec<Value> {
    rows()
        .map(|(claim, engine)| {
            let expected = claim.expected.name();
            let about = format!("{expected} ({})", claim.source);
            json!({ "name": claim.name(engine), "rule": claim.rule.0, "expected": expected,
                    "source": claim.source.to_string(), "reached": claim.reached,
                    "about": about })
        })
        .collect()
}

fn engines() -> Vec<Value> {
    let item = |engine: Engine| {
        let card = card_of(engine);
        json!({ "name": engine.name(), "memory_model": engine.memory_model().name(),
                "conformance": card,
                "about": format!("{}; litmus tests of the kernel: {card}", engine.about()) })
    };
    Engine::ALL.into_iter().map(item).collect()
}
