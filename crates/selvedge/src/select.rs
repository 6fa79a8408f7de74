//! Which rows are meant.

use selvedge_explore::Engine;
use selvedge_models::{Tree, trees};
use selvedge_proofs::{Claim, rows};

use crate::args::CheckArgs;
use crate::error::{Failure, near};

/// A claim and the engine to check it under.
pub type Selected = (&'static Claim, Engine);

/// The rows that the arguments name: without any, each claim under its default engine.
pub fn select(args: &CheckArgs) -> Result<Vec<Selected>, Failure> {
    for name in &args.trees {
        tree(name)?;
    }
    let engines = args.engines.iter().map(|name| engine(name));
    let engines = engines.collect::<Result<Vec<Engine>, Failure>>()?;
    let all_by_default = args.trees.is_empty() && args.filters.is_empty() && engines.is_empty();
    let is_meant = |(claim, engine): &Selected| {
        let name = claim.name(*engine);
        (!all_by_default || claim.engines[0] == *engine)
            && (engines.is_empty() || engines.contains(engine))
            && (args.trees.is_empty() || args.trees.iter().any(|name| is_called(claim.tree, name)))
            && (args.filters.is_empty() || args.filters.iter().any(|f| name.contains(f.as_str())))
    };
    let selected: Vec<Selected> = rows().filter(is_meant).collect();
    if selected.is_empty() { Err(nothing_matches(args)) } else { Ok(selected) }
}

/// Is this a name of the tree, or another one that it goes by?
fn is_called(tree: &Tree, name: &str) -> bool {
    trees::by_name(name).is_some_and(|named| named.name == tree.name)
}

/// The tree of this name.
pub fn tree(name: &str) -> Result<&'static Tree, Failure> {
    trees::by_name(name).ok_or_else(|| {
        let known: Vec<String> = trees::ALL.iter().map(|tree| tree.name.into()).collect();
        Failure::unknown("tree", name, &known)
    })
}

/// The engine of this name.
pub fn engine(name: &str) -> Result<Engine, Failure> {
    let known: Vec<String> = Engine::ALL.iter().map(|engine| engine.to_string()).collect();
    name.parse().map_err(|()| Failure::unknown("engine", name, &known))
}

fn nothing_matches(args: &CheckArgs) -> Failure {
    let names = rows().map(|(claim, engine)| claim.name(engine));
    let mut parts: Vec<String> =
        names.flat_map(|name| name.split("::").map(String::from).collect::<Vec<_>>()).collect();
    parts.sort();
    parts.dedup();
    let near: Vec<String> = args.filters.iter().flat_map(|filter| near(filter, &parts)).collect();
    let hint = match near.is_empty() {
        true => "`selvedge list claims` names all rows".to_string(),
        false => format!("near: {}", near.join(", ")),
    };
    Failure::new(format!("no row is meant by these filters, trees and engines together; {hint}"))
}
