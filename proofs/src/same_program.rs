//! Trees in which a scenario is the same program: a search that has found nothing in one of them
//! would find nothing in the other. It is done once in a process.
//!
//! Which program a scenario is depends on the tree by the decisions that the models ask it for, and
//! by nothing else ([`Asked`]). A search that is complete has asked for all that any execution asks
//! for. A tree that gives the same answers to that has the same executions, in the same order: the
//! verdict, the counts and what was reached are the same. Of decisions that nobody has asked for,
//! as of functions that the scenario does not come to, nothing depends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use selvedge_explore::{Bounds, Engine, Exploration, Verdict};
use selvedge_models::{Asked, Tree, trees};
use selvedge_trace::Rule;

use crate::{Claim, Scenario};

/// A search: of what, and how.
#[derive(Clone, Copy)]
pub(crate) struct Search<'a> {
    pub(crate) tree: &'static Tree,
    pub(crate) scenario: &'static Scenario,
    pub(crate) engine: Engine,
    pub(crate) bounds: &'a Bounds,
}

impl Search<'_> {
    fn key(&self) -> String {
        format!("{}::{}: {:?}", self.scenario.name, self.engine, self.bounds)
    }
}

/// What searches have found: by the names of their scenarios, their engines and bounds.
pub(crate) struct Found<T>(Mutex<BTreeMap<String, Vec<One<T>>>>);

struct One<T> {
    tree: &'static Tree,
    /// One of somebody else's may have the same name.
    scenario: &'static Scenario,
    /// What it has asked the tree for.
    asked: Arc<Asked>,
    found: T,
}

impl<T: Clone> Found<T> {
    pub(crate) const fn nothing() -> Found<T> {
        Found(Mutex::new(BTreeMap::new()))
    }

    /// What one of the same program has found, if it serves.
    pub(crate) fn by(&self, search: &Search<'_>, serves: impl Fn(&T) -> bool) -> Option<T> {
        if !is_comparable(search.tree) {
            return None;
        }
        let all = self.0.lock().expect("not poisoned");
        let is_it = |one: &&One<T>| {
            serves(&one.found)
                && one.scenario.is_same_program(search.scenario)
                && one.tree.answers_as(search.tree, &one.asked)
        };
        all.get(&search.key())?.iter().find(is_it).map(|one| one.found.clone())
    }

    pub(crate) fn keep(&self, search: &Search<'_>, asked: Arc<Asked>, found: T) {
        let Search { tree, scenario, .. } = *search;
        if is_comparable(tree) {
            let one = One { tree, scenario, asked, found };
            self.0.lock().expect("not poisoned").entry(search.key()).or_default().push(one);
        }
    }
}

/// Searches in which all of these rules held.
static HELD: Found<(Vec<Rule>, Exploration)> = Found::nothing();

/// What a search for this rule would find, if one of the same program has found it.
pub(crate) fn known(search: &Search<'_>, rule: Rule) -> Option<Exploration> {
    let (_, seen) = HELD.by(search, |(rules, _)| rules.contains(&rule))?;
    // The time was the other row's.
    Some(Exploration { elapsed: Duration::ZERO, ..seen })
}

/// Keeps what a search for these rules has found, if they hold.
pub(crate) fn keep(search: &Search<'_>, rules: Vec<Rule>, found: &(Exploration, Arc<Asked>)) {
    let (seen, asked) = found.clone();
    if seen.verdict == Verdict::Holds {
        HELD.keep(search, asked, (rules, seen));
    }
}

/// Puts rows of one tree together. Rows of one scenario in two trees may be one search, and are two
/// if they run at the same time.
pub fn one_tree_after_another(rows: &mut [(&'static Claim, Engine)]) {
    let place = |tree: &Tree| trees::ALL.iter().position(|other| other.name == tree.name);
    rows.sort_by_key(|(claim, _)| place(claim.tree));
}

/// Is all that it differs in a decision? The edits of a mutant are none; and a tree of yours may
/// have functions that read a field.
fn is_comparable(tree: &Tree) -> bool {
    tree.edits.is_empty() && !trees::is_yours(tree)
}

#[cfg(test)]
mod tests {
    use selvedge_models::trees::{V5_15, V6_1, V6_12_117};
    use selvedge_models::{Tree, fs::buffer::InstallCheck, mm::swap::ForcedDrain, set};

    use super::*;
    use crate::check::explore_noting;
    use crate::{Expected, claim::known as known_claims};

    fn search(claim: &Claim, engine: Engine, bounds: &Bounds) -> (Exploration, Arc<Asked>) {
        let asked = Arc::default();
        let of = (claim.tree, &[][..]);
        let seen = explore_noting(&asked, of, claim, (engine, bounds), Vec::new());
        (seen, asked)
    }

    fn claim(scenario: &str, tree: &Tree) -> &'static Claim {
        let mut all = known_claims().iter();
        let is_it = |c: &&Claim| c.scenario.name == scenario && c.tree.name == tree.name;
        all.find(is_it).expect("a claim")
    }

    #[test]
    fn a_decision_counts_if_some_execution_asks_for_it() {
        static AS_ASKED: Tree = V6_1.with(&[set!(buffer.install_check = InstallCheck::Never)]);
        static NOT_ASKED: Tree = V6_1.with(&[set!(swap.forced_drain = ForcedDrain::EveryCpu)]);
        let (look, drain) = (V6_1.buffer.install_check, V6_1.swap.forced_drain);
        assert!(look != InstallCheck::Never && drain != ForcedDrain::EveryCpu);
        for engine in [Engine::Dpor, Engine::Graph, Engine::Loom] {
            let (seen, asked) = search(claim("install_vs_prep", &V6_1), engine, &Bounds::PROOF);
            assert_eq!(seen.verdict, Verdict::Holds, "{engine}");
            assert!(!V6_1.answers_as(&AS_ASKED, &asked), "{engine}: the look is asked for");
        }
        let (_, asked) = search(claim("two_tasks_lock", &V6_1), Engine::Dpor, &Bounds::PROOF);
        assert!(!asked.is_empty() && V6_1.answers_as(&NOT_ASKED, &asked), "it drains nothing");
        assert!(!V6_1.answers_as(&V5_15, &asked), "the lock is another");
    }

    /// So many executions of a scenario are few.
    const FEW: u64 = 60;

    #[test]
    fn what_is_the_same_program_is_found_to_be_the_same() {
        let bounds = Bounds { executions_max: FEW, ..Bounds::PROOF };
        let holds = |c: &&Claim| c.expected == Expected::Holds && is_comparable(c.tree);
        let claims: Vec<&Claim> = known_claims().iter().filter(holds).collect();
        let (mut same, mut others) = (0, 0);
        for pair in claims.windows(2) {
            let [one, other] = pair else { continue };
            if (one.scenario.name, one.rule) != (other.scenario.name, other.rule) {
                continue;
            }
            let (found, asked) = search(one, Engine::Dpor, &bounds);
            if found.verdict != Verdict::Holds || !one.tree.answers_as(other.tree, &asked) {
                others += 1;
                continue;
            }
            let (again, _) = search(other, Engine::Dpor, &bounds);
            let of = |seen: &Exploration| {
                (seen.verdict.clone(), seen.executions, seen.steps_max, seen.reached.clone())
            };
            assert_eq!(of(&found), of(&again), "{}", other.scenario.name);
            same += 1;
        }
        assert!(same > 50 && others > 50, "{same} are the same, {others} are not");
    }

    #[test]
    fn a_row_is_found_where_it_is_known() {
        let one = claim("two_tasks_lock", &V6_12_117);
        // Bounds of nobody else's.
        let bounds = &Bounds { steps_max: 4_999, ..Bounds::PROOF };
        let found = search(one, Engine::Dpor, bounds);
        let of = Search { tree: one.tree, scenario: one.scenario, engine: Engine::Dpor, bounds };
        keep(&of, vec![one.rule], &found);
        let there = |of: Search<'_>, rule| known(&of, rule).map(|seen| seen.executions);
        assert_eq!(there(of, one.rule), Some(found.0.executions));
        assert_eq!(there(of, Rule("another")), None, "nobody looked for that");
        assert_eq!(there(Search { tree: &V5_15, ..of }, one.rule), None, "another program");
        let other: &Scenario = Box::leak(Box::new(Scenario { tasks: &[], ..*one.scenario }));
        assert_eq!(there(Search { scenario: other, ..of }, one.rule), None, "of the same name");
        let mutant = trees::ALL.iter().find(|tree| !tree.edits.is_empty()).expect("a mutant");
        let tree: &Tree = Box::leak(Box::new(Tree { edits: mutant.edits, ..*one.tree }));
        assert_eq!(there(Search { tree, ..of }, one.rule), None, "its steps are edited");
    }

    #[test]
    fn rows_are_sorted_by_tree_and_else_as_they_were() {
        let mut rows: Vec<_> = crate::rows().collect();
        let before: Vec<String> = rows.iter().map(|(claim, engine)| claim.name(*engine)).collect();
        one_tree_after_another(&mut rows);
        let mut trees: Vec<&str> = rows.iter().map(|(claim, _)| claim.tree.name).collect();
        trees.dedup();
        let different = trees.iter().collect::<std::collections::BTreeSet<_>>().len();
        assert_eq!(different, trees.len());
        let of = |names: &mut dyn Iterator<Item = String>| -> Vec<String> {
            names.filter(|name| name.contains("::v6.1::")).collect()
        };
        let mut after = rows.iter().map(|(claim, engine)| claim.name(*engine));
        assert_eq!(of(&mut after), of(&mut before.into_iter()));
    }
}
