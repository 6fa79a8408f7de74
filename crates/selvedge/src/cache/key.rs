//! What a verdict depends on, as a key: of the same key is the same verdict.
//!
//! - All of the crates that explore, play the kernel's primitives and watch: any change of them
//!   changes every key. So do another compiler, other settings of it, and other libraries.
//! - The row itself: rule, engine, bounds, the tree with every decision and edit, the machine.
//! - Of the models and the proofs the items that the row can come to ([`Items`]): from its
//!   scenario, from the functions that its tree names, and from what plays a scenario.
//!
//! A tree says its functions by name; they count where the decision is asked for that says so. What
//! that name means, the files say in which the tree, and what it is on top of, are written down:
//! their `use` lines are part of the key, and so is all that may be meant. A driver is called only
//! if the scenario's machine has one (`Initial::driver`); the core's functions for movable pages
//! are.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::env;
use std::sync::{Arc, Mutex};

use selvedge_explore::Bounds;
use selvedge_models::{Kind, Tree};
use selvedge_proofs::Claim;

use super::items::Items;
use crate::fingerprint::{self, hash};
use crate::select::Selected;

/// What makes keys.
pub struct Keys {
    items: Items,
    /// What belongs to every key.
    common: String,
    /// Of each tree that was asked for, by its printed form.
    trees: Mutex<HashMap<String, Arc<OfTree>>>,
}

/// What the key of a row has of its tree.
struct OfTree {
    /// The items in which the tree is written down.
    written: Vec<usize>,
    /// By the field that says so, the items that the tree has its functions come to.
    chosen: BTreeMap<String, Vec<usize>>,
}

/// Changes with what is kept, and how a key is made.
const VERSION: &str = "selvedge-cache/1, keys 2";
/// What plays a scenario in a tree.
const PLAYERS: &str = "proofs/scenario.rs";
/// What explores a scenario, of `proofs/check.rs`. What else is there is about the answer, and
/// asked again of what was kept.
const EXPLORES: &str = "explore_watched";
/// What trees are made of.
const TREES: [&str; 3] = ["models/trees/", "models/commits.rs", "models/tree.rs"];
/// What releases are made of.
const RELEASES: [&str; 2] = ["models/trees/releases.rs", "models/commits.rs"];
/// Where scenarios are.
const CLAIMS: &str = "proofs/claims/";
/// What no execution comes to: what is asked, and what is made of the answers.
const ABOUT_CLAIMS: [&str; 7] = [
    "proofs/claim.rs",
    "proofs/claims/mod.rs",
    "proofs/expected.rs",
    "proofs/lock_order/",
    "proofs/mutation/",
    "proofs/source.rs",
    "proofs/suite.rs",
];

impl Keys {
    /// Of this command.
    ///
    /// # Errors
    ///
    /// If its sources, or the environment that it was compiled in, cannot be told.
    pub fn new() -> Result<Keys, String> {
        Keys::of_sources(&sources())
    }

    fn of_sources(sources: &[(String, String)]) -> Result<Keys, String> {
        let items = Items::of(sources.iter().map(|(path, text)| (path.clone(), text.as_str())))?;
        let whole = fingerprint::WHOLE.iter().flat_map(|dir| fingerprint::files(dir));
        let whole: String =
            whole.map(|(path, text)| format!("{path} {} {text}\n", text.len())).collect();
        // The engines' libraries have settings of their own.
        let is_setting = |name: &str| name.starts_with("LOOM_") || name.starts_with("SHUTTLE_");
        let mut settings: Vec<String> = env::vars_os()
            .map(|(name, value)| format!("{}={}", name.display(), value.display()))
            .filter(|setting| is_setting(setting))
            .collect();
        settings.sort();
        let environment = fingerprint::environment()?;
        let common = format!("{VERSION} {environment} {} {}", hash(&whole), settings.join(" "));
        Ok(Keys { items, common, trees: Mutex::default() })
    }

    /// The key of a row within these bounds.
    pub fn of(&self, (claim, engine): Selected, bounds: &Bounds) -> String {
        // A time is no part of it: what it cuts is not kept. Nor is the number of threads.
        let bounds = Bounds { workers: 1, time_max: None, ..bounds.clone() };
        let (tree, scenario) = (claim.tree, claim.scenario);
        let printed = format!("{tree:?}");
        let row = format!("{} {:?} {} {}", claim.rule, engine, scenario.name, scenario.about);
        let row = format!("{row}\n{bounds:?}\n{printed}\n{:?}", scenario.machine);
        let of_tree = self.of_tree(tree, printed);
        let code = self.items.hash_of(&self.reached(claim, &of_tree), &of_tree.written);
        hash(&format!("{}\n{row}\n{code}", self.common))
    }

    /// What belongs to this tree, which prints so.
    fn of_tree(&self, tree: &'static Tree, printed: String) -> Arc<OfTree> {
        let known = || self.trees.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(of_tree) = known().get(&printed) {
            return of_tree.clone();
        }
        let written = self.written_in(tree);
        let mut chosen: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (field, name) in fields(&printed) {
            chosen.entry(field).or_default().extend(self.items.named(&name, &written));
        }
        let core = self.called("Core", &[tree.movable.core.name]);
        chosen.entry("core".into()).or_default().extend(core);
        let of_tree = Arc::new(OfTree { written, chosen });
        known().insert(printed, of_tree.clone());
        of_tree
    }

    /// The items that the executions of a claim, which is about this tree, can come to.
    fn reached(&self, claim: &Claim, of_tree: &OfTree) -> Vec<usize> {
        let (items, movable) = (&self.items, &claim.tree.movable);
        let mut chosen: Vec<(&String, &Vec<usize>)> = of_tree.chosen.iter().collect();
        let mut roots = items.in_files(PLAYERS);
        roots.extend(items.named(EXPLORES, &[]));
        roots.extend(self.scenario(claim.scenario.name));
        if claim.scenario.machine.initial.driver.is_some() {
            let drivers = [movable.balloon, movable.zsmalloc, movable.module];
            roots.extend(self.called("Driver", &drivers.map(|driver| driver.name)));
        }
        loop {
            let reached = items.reached(&roots, None);
            // What has no field is everybody's.
            let (touched, others): (Vec<_>, Vec<_>) = chosen
                .into_iter()
                .partition(|(field, _)| field.is_empty() || items.touch(&reached, field));
            if touched.is_empty() {
                return reached;
            }
            roots.extend(touched.iter().flat_map(|(_, items)| *items));
            chosen = others;
        }
    }

    /// The items in which a tree is written down, and those that it is on top of; all in which any
    /// tree is, if no static has the name of one of them.
    fn written_in(&self, tree: &'static Tree) -> Vec<usize> {
        let items = &self.items;
        let all: Vec<usize> = TREES.iter().flat_map(|path| items.in_files(path)).collect();
        let mut found = Vec::new();
        for tree in std::iter::once(tree).chain(tree.bases()) {
            let of_it: Vec<usize> = match tree.kind {
                Kind::Release => RELEASES.iter().flat_map(|path| items.in_files(path)).collect(),
                _ => items.with_text(&all, tree.name).collect(),
            };
            if of_it.is_empty() {
                return all;
            }
            found.extend(of_it);
        }
        items.reached(&found, Some(&TREES))
    }

    /// The statics of this type that have one of these names; all of the type, if one of the names
    /// is that of none.
    fn called(&self, of: &str, names: &[&str]) -> Vec<usize> {
        let all = self.items.values_of(of);
        let mut found = Vec::new();
        for name in names {
            let before = found.len();
            found.extend(self.items.with_text(&all, name));
            if found.len() == before {
                return all;
            }
        }
        found
    }

    /// The statics that may be this scenario; all that there is about claims, if no static has its
    /// name.
    fn scenario(&self, name: &str) -> Vec<usize> {
        let scenarios = self.items.values_of("Scenario");
        let named: Vec<usize> = self.items.with_text(&scenarios, name).collect();
        if named.is_empty() { self.items.in_files(CLAIMS) } else { named }
    }
}

/// The sources of which each row depends on a part.
fn sources() -> Vec<(String, String)> {
    let named = ["models", "proofs"].into_iter().zip(fingerprint::BY_ITEM);
    let files = named.flat_map(|(name, dir)| {
        let files = fingerprint::files(dir).into_iter();
        files.map(move |(path, text)| (format!("{name}/{path}"), text.to_string()))
    });
    let is_about_claims = |path: &str| ABOUT_CLAIMS.iter().any(|part| path.starts_with(part));
    files.filter(|(path, _)| path.ends_with(".rs") && !is_about_claims(path)).collect()
}

/// The fields in the printed form of a value, each with a name that its value has. What is in texts
/// is no name.
fn fields(text: &str) -> BTreeSet<(String, String)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let (mut found, mut outer, mut field) = (BTreeSet::new(), Vec::new(), "");
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '"' => end_of_text(rest),
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        let (token, after) = rest.split_at(end);
        match first {
            '{' | '[' | '(' => outer.push(field),
            '}' | ']' | ')' => field = outer.pop().unwrap_or(""),
            c if is_word(c) && after.starts_with(": ") => field = token,
            c if is_word(c) => drop(found.insert((field.to_string(), token.to_string()))),
            _ => {}
        }
        rest = after;
    }
    found
}

/// Where a text in quotes is over, which is at the beginning of this.
fn end_of_text(text: &str) -> usize {
    let mut is_escaped = false;
    let closes = |(at, c): &(usize, char)| {
        let ends = *at > 0 && *c == '"' && !is_escaped;
        is_escaped = *c == '\\' && !is_escaped;
        ends
    };
    text.char_indices().find(closes).map_or(text.len(), |(at, _)| at + 1)
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
