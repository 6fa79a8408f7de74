//! Which rows are meant.

use std::collections::BTreeSet;

use selvedge_explore::Engine;
use selvedge_models::{Tree, trees};
use selvedge_proofs::{Claim, rows};

use crate::args::CheckArgs;
use crate::error::{Failure, near};

/// A claim and the engine to check it under.
pub type Selected = (&'static Claim, Engine);

/// The rows that the arguments name: without any, each claim under its default engine.
pub fn select(args: &CheckArgs) -> Result<Vec<Selected>, Failure> {
    let trees = args.trees.iter().map(|name| tree(name));
    let trees = trees.collect::<Result<Vec<&Tree>, Failure>>()?;
    let engines = args.engines.iter().map(|name| engine(name));
    let mut engines = engines.collect::<Result<Vec<Engine>, Failure>>()?;
    if args.stateful {
        if let Some(other) = engines.iter().find(|engine| **engine != Engine::Dpor) {
            return Err(Failure::new(format!(
                "--stateful is a search of dpor: leave `--engine {other}` out"
            )));
        }
        engines = vec![Engine::Dpor];
    }
    let filters = Filter::all(&args.filters)?;
    let all_by_default = trees.is_empty() && filters.is_empty() && engines.is_empty();
    let is_meant = |row: &Selected| {
        let (claim, engine) = row;
        (!all_by_default || claim.engines[0] == *engine)
            && (engines.is_empty() || engines.contains(engine))
            && (trees.is_empty() || trees.iter().any(|tree| tree.name == claim.tree.name))
            && (filters.is_empty() || filters.iter().any(|filter| filter.means(row)))
    };
    let selected: Vec<Selected> = rows().filter(is_meant).collect();
    if selected.is_empty() { Err(nothing_is_meant(&trees, &filters)) } else { Ok(selected) }
}

/// A word that names rows.
pub struct Filter {
    text: String,
    how: Means,
}

/// What a filter's text is. The first that some row has is meant, so that a scenario's name does
/// not also mean a rule that speaks of it, nor v6.1 also v6.17.
#[derive(Clone, Copy)]
enum Means {
    /// The name of a row, as its files are called.
    File,
    /// Whole parts of a row's name: a scenario, a rule, `SCENARIO::TREE`.
    Parts,
    /// Any text in a row's name, or in the rule's sentence.
    Text,
}

impl Filter {
    /// The filters of a command line; each has to mean some row.
    pub fn all(texts: &[String]) -> Result<Vec<Filter>, Failure> {
        texts.iter().map(|text| Filter::new(text)).collect()
    }

    /// This text as a filter; it has to mean some row.
    fn new(text: &str) -> Result<Filter, Failure> {
        not_empty(text)?;
        let means = [Means::File, Means::Parts, Means::Text];
        let mut filters = means.map(|how| Filter { text: text.into(), how }).into_iter();
        let known = filters.find(|filter| rows().any(|row| filter.means(&row)));
        known.ok_or_else(|| unknown(text))
    }

    /// Is this row meant?
    pub fn means(&self, (claim, engine): &Selected) -> bool {
        let (name, text) = (claim.name(*engine), self.text.as_str());
        match self.how {
            Means::File => {
                let text = text.rsplit('/').next().unwrap_or(text);
                let stem = text.strip_suffix(".json").or(text.strip_suffix(".txt"));
                name.replace("::", ".") == stem.unwrap_or(text)
            }
            Means::Parts => format!("::{name}::").contains(&format!("::{text}::")),
            Means::Text => claim.is_meant_by(*engine, text) || claim.rule.0.contains(text),
        }
    }
}

/// Nobody types an empty filter: it comes of a variable that is not set.
pub fn not_empty(filter: &str) -> Result<(), Failure> {
    match filter.trim().is_empty() {
        true => Err(Failure::new("an empty filter: leave it out to mean all there is")),
        false => Ok(()),
    }
}

fn unknown(filter: &str) -> Failure {
    let names = rows().map(|(claim, engine)| claim.name(engine));
    let parts: BTreeSet<String> =
        names.flat_map(|name| name.split("::").map(String::from).collect::<Vec<_>>()).collect();
    // Each part is right, and no row has them together: say what there is.
    let of = |part: &str| {
        let part = format!("::{part}::");
        rows().map(|(claim, e)| claim.name(e)).filter(move |n| format!("::{n}::").contains(&part))
    };
    let known: Vec<&str> = filter.split("::").collect();
    if let [first, rest @ ..] = known.as_slice()
        && !rest.is_empty()
        && known.iter().all(|part| parts.contains(*part))
    {
        let mut with_first: Vec<String> = of(first).collect();
        let whole = with_first.len();
        with_first.truncate(8);
        let more = if whole > with_first.len() { "\n  ..." } else { "" };
        return Failure::new(format!(
            "no row has all of `{filter}`, though each of its parts is some row's; with `{first}` \
             there are:\n  {}{more}",
            with_first.join("\n  ")
        ));
    }
    let near = near(filter, &parts.into_iter().collect::<Vec<_>>());
    let hint = match near.is_empty() {
        true => "`selvedge list claims` names all rows".to_string(),
        false => format!("near: {}", near.join(", ")),
    };
    Failure::new(format!("no row has `{filter}` in its name; {hint}"))
}

/// Each argument means some row, but none is meant by all of them together: say what there is.
fn nothing_is_meant(trees: &[&Tree], filters: &[Filter]) -> Failure {
    let of_filters = || {
        rows().filter(|row| filters.is_empty() || filters.iter().any(|filter| filter.means(row)))
    };
    let is_of_trees = |(claim, _): &Selected| {
        trees.is_empty() || trees.iter().any(|tree| tree.name == claim.tree.name)
    };
    let engines: BTreeSet<Engine> = of_filters().filter(is_of_trees).map(|(_, e)| e).collect();
    let names = |all: BTreeSet<String>| {
        let shown: Vec<String> = all.iter().take(8).cloned().collect();
        let more = if all.len() > shown.len() { ", ..." } else { "" };
        format!("{}{more}", shown.join(", "))
    };
    let hint = if engines.is_empty() {
        let trees = of_filters().map(|(claim, _)| claim.tree.name.to_string()).collect();
        format!("rows of these filters are of the trees {}", names(trees))
    } else {
        let engines = engines.iter().map(ToString::to_string).collect();
        format!("such rows are under the engines {}", names(engines))
    };
    Failure::new(format!("no row is meant by these filters, trees and engines together; {hint}"))
}

/// The tree that has this name or alias.
pub fn tree(name: &str) -> Result<&'static Tree, Failure> {
    trees::by_name(name).ok_or_else(|| {
        let names = trees::every().flat_map(|tree| tree.names());
        let known: Vec<String> = names.map(String::from).collect();
        Failure::unknown("tree", name, &known)
    })
}

/// The engine of this name.
pub fn engine(name: &str) -> Result<Engine, Failure> {
    let known: Vec<String> = Engine::ALL.iter().map(|engine| engine.to_string()).collect();
    name.parse().map_err(|()| Failure::unknown("engine", name, &known))
}
