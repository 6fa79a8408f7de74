//! `selvedge diff`: what a patch changes, on one screen: commits, functions, decisions, and every
//! verdict that comes out differently.

mod fold;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use selvedge_explore::{Bounds, Engine, Exploration, Verdict};
use selvedge_models::{Commit, Decision, Tree};
use selvedge_proofs::{Claim, explore_in, rows};
use serde_json::{Value, json};

use crate::args::{DiffArgs, Format};
use crate::error::Failure;
use crate::interrupt::Interrupt;
use crate::progress::Meter;
use crate::select::{Filter, tree};
use crate::{Outcome, Status, output, threads};

/// A question that claims ask of one of the trees, and what came out in both.
struct Compared {
    claim: &'static Claim,
    engine: Engine,
    verdicts: [String; 2],
}

impl Compared {
    fn differs(&self) -> bool {
        self.verdicts[0] != self.verdicts[1]
    }

    /// Why it was not compared, if it was decided in neither tree.
    fn undecided(&self) -> Option<&str> {
        let is_undecided = |verdict: &String| verdict.starts_with("undecided");
        (!self.differs() && is_undecided(&self.verdicts[0])).then(|| self.verdicts[0].as_str())
    }
}

/// Compares two trees.
pub fn run(args: &DiffArgs) -> Outcome {
    let pair = [tree(&args.from)?, tree(&args.to)?];
    if pair[0].name == pair[1].name {
        let (from, to) = (&args.from, &args.to);
        return Err(Failure::new(format!("`{from}` and `{to}` are one tree: name two")));
    }
    let asked = questions(pair, &Filter::all(&args.filters)?);
    if asked.is_empty() {
        let (filters, from, to) = (args.filters.join(" or "), &args.from, &args.to);
        return Err(Failure::new(format!(
            "nothing that is asked of {from}, of {to}, or of what they are on top of, is named \
             {filters}"
        )));
    }
    let compared = compare(pair, &asked, args)?;
    let text = match args.format {
        Format::Text => text(pair, &compared),
        Format::Json => json(pair, &compared),
    };
    output::print(&text)?;
    let undecided = compared.iter().any(|c| c.verdicts.iter().any(|v| v.starts_with("undecided")));
    Ok(if undecided { Status::Undecided } else { Status::AsExpected })
}

/// Each rule and scenario that some claim has of one of the trees or of what it was derived from,
/// under its complete engines; only those that a filter means, if there is one.
fn questions(pair: [&'static Tree; 2], filters: &[Filter]) -> Vec<(&'static Claim, Engine)> {
    let mut asked: Vec<(&'static Claim, Engine)> = Vec::new();
    let with_bases = |tree: &'static Tree| std::iter::once(tree).chain(tree.bases());
    let trees: Vec<&str> = pair.into_iter().flat_map(with_bases).map(|tree| tree.name).collect();
    for (claim, engine) in rows() {
        let is_of_pair = trees.contains(&claim.tree.name);
        let is_known = asked.iter().any(|(known, by)| {
            known.rule == claim.rule && known.scenario.name == claim.scenario.name && *by == engine
        });
        let is_complete = matches!(engine, Engine::Dpor | Engine::Loom);
        let is_meant = filters.is_empty() || filters.iter().any(|f| f.means(&(claim, engine)));
        if is_of_pair && is_complete && is_meant && !is_known {
            asked.push((claim, engine));
        }
    }
    asked
}

fn compare(
    pair: [&'static Tree; 2],
    asked: &[(&'static Claim, Engine)],
    args: &DiffArgs,
) -> Result<Vec<Compared>, Failure> {
    let interrupt = Interrupt::catch()?;
    let meter = Meter::new(asked.len());
    let workers = args.workers.map_or_else(threads::cores, usize::from);
    let compared = threads::on_each(asked, workers, |&(claim, engine)| {
        let verdict = |tree: &'static Tree| {
            if interrupt.is_set() {
                return "undecided: an interrupt from outside".into();
            }
            let bounds = Bounds {
                executions_max: args.max_executions.unwrap_or(Bounds::PROOF.executions_max),
                time_max: args.max_seconds.map(Duration::from_secs),
                workers,
                interrupted: Some(interrupt.flag()),
                progress: Some(meter.of_row(&claim.name(engine))),
                ..Bounds::PROOF
            };
            verdict(claim, &explore_in(tree, claim, engine, &bounds))
        };
        let compared = Compared { claim, engine, verdicts: pair.map(verdict) };
        meter.row_done();
        compared
    });
    meter.finish();
    Ok(compared)
}

/// What an exploration says of the claim's rule.
fn verdict(claim: &Claim, seen: &Exploration) -> String {
    match (&seen.verdict, &seen.counterexample) {
        (Verdict::Violated, Some(cx)) if cx.rule != claim.rule.0 => {
            format!("violated, another rule: {}", cx.rule)
        }
        (Verdict::Holds | Verdict::HoldsWithin(_), _) => {
            let missed = claim.reached.iter().find(|state| !seen.reached.contains(**state));
            match (missed, &seen.verdict) {
                (Some(state), _) => format!("holds, but no execution reached: {state}"),
                (None, Verdict::HoldsWithin(_)) => "holds within bounds".into(),
                (None, _) => "holds".into(),
            }
        }
        (verdict, _) => verdict.to_string(),
    }
}

/// The commits that the one tree has and the other has not.
fn commits_of_one(pair: [&'static Tree; 2]) -> [Vec<&'static Commit>; 2] {
    let [a, b] = pair.map(Tree::commits);
    let only = |these: &[&'static Commit], others: &[&'static Commit]| {
        let is_missing = |commit: &&&'static Commit| !others.contains(commit);
        these.iter().filter(is_missing).copied().collect()
    };
    [only(&a, &b), only(&b, &a)]
}

/// The decisions that differ, in both trees.
fn changed(pair: [&'static Tree; 2]) -> Vec<(Decision, Decision)> {
    let [a, b] = pair.map(Tree::decisions);
    a.into_iter().zip(b).filter(|(a, b)| a != b).collect()
}

fn text(pair: [&'static Tree; 2], compared: &[Compared]) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail; so below.
    for tree in pair {
        let _ = writeln!(out, "{:20} {}", tree.name, tree.about);
    }
    out.push_str("\nCommits:\n");
    let [gone, new] = commits_of_one(pair);
    for (sign, commits) in [("-", &gone), ("+", &new)] {
        for commit in commits {
            let _ = writeln!(out, "  {sign} {}", commit.line());
        }
    }
    if gone.is_empty() && new.is_empty() {
        out.push_str("  none\n");
    }
    out.push_str("\nFunctions and decisions:\n");
    let changed = changed(pair);
    for (a, b) in &changed {
        let _ = writeln!(out, "  {:19} {:18} {} -> {}", a.file, a.name, a.value, b.value);
    }
    if changed.is_empty() {
        out.push_str("  none\n");
    }
    out.push_str("\nVerdicts:\n");
    out.push_str(&fold::verdicts(compared));
    let is_same = |c: &&Compared| !c.differs() && c.undecided().is_none();
    let (same, of) = (compared.iter().filter(is_same).count(), compared.len());
    let _ = writeln!(out, "  {same} of {of} the same");
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for why in compared.iter().filter_map(Compared::undecided) {
        *reasons.entry(why).or_default() += 1;
    }
    for (why, count) in reasons {
        let _ = writeln!(out, "  {count} of {of} not compared, {why}");
    }
    out
}

fn json(pair: [&'static Tree; 2], compared: &[Compared]) -> String {
    let [gone, new] = commits_of_one(pair);
    let commits: Vec<_> = (gone.into_iter().map(|commit| ("from", commit)))
        .chain(new.into_iter().map(|commit| ("to", commit)))
        .map(|(only_in, commit)| {
            let mut commit = commit_json(commit);
            commit["only_in"] = only_in.into();
            commit
        })
        .collect();
    let decisions: Vec<_> = (changed(pair).iter())
        .map(|(a, b)| json!({ "file": a.file, "name": a.name, "from": a.value, "to": b.value }))
        .collect();
    let verdicts: Vec<_> = (compared.iter())
        .filter(|c| c.differs() || c.undecided().is_some())
        .map(|c| {
            json!({ "rule": c.claim.rule.0, "scenario": c.claim.scenario.name,
                    "engine": c.engine.name(), "from": c.verdicts[0], "to": c.verdicts[1] })
        })
        .collect();
    let whole = json!({ "schema": "selvedge-diff/1", "from": pair[0].name, "to": pair[1].name,
                        "commits": commits, "decisions": decisions, "verdicts": verdicts,
                        "compared": compared.len() });
    serde_json::to_string_pretty(&whole).expect("plain data") + "\n"
}

/// A commit, in reports.
pub fn commit_json(commit: &Commit) -> Value {
    json!({ "hash": commit.hash, "title": commit.title, "since": commit.since,
            "stable": commit.stable })
}
