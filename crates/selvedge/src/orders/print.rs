//! What came of the orderings of claims, for reading and for programs.

use std::collections::BTreeMap;
use std::fmt::Write;

use selvedge_explore::Verdict;
use selvedge_proofs::mutation::orders::{Cost, Cures, Need, Needs, Strengthening, Weakening};
use selvedge_proofs::mutation::survivors::{Explained, Survivors};
use serde_json::{Value, json};

use super::{All, Asked, Found};
use crate::mutate::{file_of, model_of, what};
use crate::patch::view::plural;

/// For reading: each claim, then for each tree what none of its claims needs.
pub fn text(all: &All) -> String {
    let mut out = String::new();
    for asked in &all.asked {
        // Writing to a string cannot fail; so below.
        let _ = writeln!(out, "{}\n  rule: {}", asked.name(), asked.claim.rule);
        match &asked.found {
            Found::Holds(needs) => holds(&mut out, needs),
            Found::Violated(cures) => violated(&mut out, cures),
            Found::Otherwise(verdict) => {
                let expected = asked.claim.expected.name();
                let _ = writeln!(out, "  {verdict}, expected: {expected}");
            }
        }
        out.push('\n');
    }
    for (tree, unneeded) in unneeded(all) {
        let Unneeded { claims, orderings } = unneeded;
        let _ = match orderings.is_empty() {
            true => writeln!(out, "{tree}: each ordering is needed by some of {claims} claims."),
            false => writeln!(out, "{tree}: needed by none of {claims} claims that were asked:"),
        };
        for weakening in orderings.values() {
            let (file, model) = (file(weakening), model(weakening).unwrap_or_default());
            let _ = writeln!(out, "  {file}: {weakening}  ({model})");
            if let Some(why) = why(&all.survivors, weakening) {
                let _ = writeln!(out, "      {why}");
            }
        }
    }
    let executions: u64 = all.asked.iter().map(executions).sum();
    let claims = plural(all.asked.len(), "claim");
    let _ = writeln!(out, "{claims}, {executions} executions, {:.0} s", all.seconds);
    out
}

fn executions(asked: &Asked) -> u64 {
    match &asked.found {
        Found::Holds(needs) => needs.executions,
        Found::Violated(Cures::By { executions, .. } | Cures::None { executions }) => *executions,
        Found::Otherwise(_) => 0,
    }
}

fn holds(out: &mut String, needs: &Needs) {
    let of = |is_meant: fn(&Need) -> bool| {
        needs.orderings.iter().filter(move |(_, need)| is_meant(need))
    };
    let needed = of(|need| matches!(need, Need::Needed { .. })).count();
    let _ = writeln!(out, "  holds; needs {needed} of {} orderings", needs.orderings.len());
    for (weakening, need) in &needs.orderings {
        let said = match need {
            Need::Needed { broken, enough } => {
                let enough = match enough {
                    Some(weaker) => format!("; {weaker} would do"),
                    None => String::new(),
                };
                format!("needed: else {}{enough}", what(broken))
            }
            Need::NotNeeded => "not needed here".into(),
            Need::Undecided(why) => format!("undecided: {why}"),
        };
        let _ = writeln!(out, "  {weakening}\n      {said}");
    }
}

fn violated(out: &mut String, cures: &Cures) {
    let (cures, places, undecided) = match cures {
        Cures::None { .. } => {
            out.push_str("  violated under sequential consistency too: no ordering cures it\n");
            return;
        }
        Cures::By { cures, places, undecided, .. } => (cures, places, undecided),
    };
    let _ = writeln!(
        out,
        "  violated under weak memory only; {places} places on the way of the counterexample"
    );
    match cures.is_empty() {
        true => out.push_str("  no single ordering cures it\n"),
        false => {
            out.push_str("  cured, by a complete search, by any of these; the cheapest first:\n")
        }
    }
    for cure in cures {
        let _ = writeln!(out, "  {}: {cure}", cost(cure.cost));
    }
    for (tried, why) in undecided {
        let _ = writeln!(out, "  undecided: {tried}: {why}");
    }
}

fn cost(cost: Cost) -> &'static str {
    match cost {
        Cost::OneWay => "acquire or release",
        Cost::ReadsOrWrites => "read or write barrier",
        Cost::Full => "full barrier",
    }
}

/// The C file of an ordering's function.
fn file(weakening: &Weakening) -> &'static str {
    file_of(weakening.mutant.site.function.unwrap_or_default())
}

/// Where that is modelled, with the line.
fn model(weakening: &Weakening) -> Option<String> {
    model_of(weakening.mutant.site.function.unwrap_or_default())
}

/// What proofs/survivors.toml says of it, which is about one tree.
fn why(survivors: &Survivors, weakening: &Weakening) -> Option<String> {
    if weakening.mutant.tree.name != Survivors::TREE {
        return None;
    }
    survivors.explain(&weakening.mutant).map(|explained| match explained {
        Explained::Equivalent(reason) => reason.to_string(),
        Explained::Open(wanted) => format!("open, wanted: {wanted}"),
    })
}

/// Of a tree, how many claims were asked that hold, and which orderings none of them needs.
#[derive(Default)]
struct Unneeded<'a> {
    claims: usize,
    orderings: BTreeMap<String, &'a Weakening>,
}

fn unneeded(all: &All) -> BTreeMap<&'static str, Unneeded<'_>> {
    let mut trees: BTreeMap<&str, Unneeded<'_>> = BTreeMap::new();
    let of_those_that_hold = || {
        all.asked.iter().filter_map(|asked| match &asked.found {
            Found::Holds(needs) => Some((asked.claim.tree.name, needs)),
            Found::Violated(_) | Found::Otherwise(_) => None,
        })
    };
    for (tree, needs) in of_those_that_hold() {
        let unneeded = trees.entry(tree).or_default();
        unneeded.claims += 1;
        let names = needs.orderings.iter().map(|(one, _)| (one.mutant.short_name(), one));
        unneeded.orderings.extend(names);
    }
    for (tree, needs) in of_those_that_hold() {
        let unneeded = trees.entry(tree).or_default();
        for (weakening, _) in needs.orderings.iter().filter(|(_, n)| *n != Need::NotNeeded) {
            unneeded.orderings.remove(&weakening.mutant.short_name());
        }
    }
    trees
}

/// One object: `selvedge-orders/1`.
pub fn json(all: &All) -> String {
    let claims: Vec<Value> = all.asked.iter().map(of_claim).collect();
    let trees: Vec<Value> = unneeded(all)
        .into_iter()
        .map(|(tree, Unneeded { claims, orderings })| {
            let orderings: Vec<Value> = (orderings.values())
                .map(|one| {
                    let mut value = of_weakening(one);
                    value["reason"] = json!(why(&all.survivors, one));
                    value
                })
                .collect();
            json!({ "tree": tree, "claims": claims, "needed_by_none": orderings })
        })
        .collect();
    let whole = json!({ "schema": "selvedge-orders/1", "claims": claims, "trees": trees });
    serde_json::to_string_pretty(&whole).expect("plain data") + "\n"
}

fn of_claim(asked: &Asked) -> Value {
    let mut value = json!({
        "row": asked.name(), "rule": asked.claim.rule.0, "tree": asked.claim.tree.name,
        "expected": asked.claim.expected.name(), "executions": executions(asked),
    });
    match &asked.found {
        Found::Holds(needs) => {
            value["verdict"] = json!(Verdict::Holds.name());
            value["orderings"] = needs.orderings.iter().map(of_need).collect();
        }
        Found::Violated(Cures::None { .. }) => {
            value["verdict"] = json!(Verdict::Violated.name());
            value["violated_under_sc"] = json!(true);
            value["cures"] = json!([]);
        }
        Found::Violated(Cures::By { cures, places, undecided, .. }) => {
            value["verdict"] = json!(Verdict::Violated.name());
            value["violated_under_sc"] = json!(false);
            value["places"] = json!(places);
            value["cures"] = cures.iter().map(of_cure).collect();
            let undecided =
                undecided.iter().map(|(one, why)| json!({ "cure": of_cure(one), "bound": why }));
            value["undecided"] = undecided.collect();
        }
        Found::Otherwise(verdict) => {
            value["verdict"] = json!(verdict.name());
            value["bound"] = json!(verdict.bound());
        }
    }
    value
}

fn of_weakening(weakening: &Weakening) -> Value {
    let mutant = &weakening.mutant;
    json!({ "mutant": mutant.short_name(), "file": file(weakening), "model": model(weakening),
            "function": mutant.site.function, "step": mutant.step(), "order": weakening.from,
            "is_barrier": weakening.is_barrier })
}

fn of_need((weakening, need): &(Weakening, Need)) -> Value {
    let mut value = of_weakening(weakening);
    let (name, broken, enough, bound) = match need {
        Need::Needed { broken, enough } => ("needed", Some(what(broken)), enough.as_ref(), None),
        Need::NotNeeded => ("not_needed", None, None, None),
        Need::Undecided(why) => ("undecided", None, None, Some(why)),
    };
    value["need"] = json!(name);
    value["broken"] = json!(broken);
    value["enough"] = json!(enough);
    value["bound"] = json!(bound);
    value
}

fn of_cure(cure: &Strengthening) -> Value {
    let (from, to) = (&cure.between.0, &cure.between.1);
    let place = |site: &selvedge_trace::Site| {
        json!({ "file": file_of(site.function.unwrap_or_default()), "function": site.function,
                "primitive": site.primitive, "object": site.object, "nth": site.nth })
    };
    json!({ "cost": cost(cure.cost), "text": cure.to_string(), "behind": place(from),
            "ahead_of": place(to) })
}
