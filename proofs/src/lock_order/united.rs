//! Cycles whose edges are of different scenarios: tried where the tasks of both are.

use std::sync::Arc;

use selvedge_explore::Bounds;
use selvedge_models::{Kernel, Tree};
use selvedge_monitors::lock_graph::{Guard, Joined, Verdict};

use super::{Explored, explore_body, label};
use crate::{Run, Scenario};

/// A cycle through edges of different scenarios, which no scenario has whole.
#[derive(Clone, Debug)]
pub struct Across {
    /// Its nodes and edges.
    pub cycle: Joined,
    /// The scenario of each edge.
    pub scenarios: Vec<&'static str>,
    /// What became of it.
    pub verdict: Verdict,
    /// How many executions of the joined scenario were run; none, if there is no such.
    pub executions: u64,
}

/// Numbers for scenarios, the same for those that begin in the same state
/// ([`Scenario::begins_like`]).
pub(super) fn beginnings(scenarios: &[&'static Scenario]) -> Vec<usize> {
    let mut numbers: Vec<usize> = Vec::new();
    for (at, scenario) in scenarios.iter().enumerate() {
        let like = scenarios[..at].iter().position(|other| scenario.begins_like(other).is_ok());
        numbers.push(like.map_or(at, |other| numbers[other]));
    }
    numbers
}

/// Tries the cycle in the tree: with the tasks of its two scenarios, over the state in which both
/// begin.
pub fn try_across(
    tree: &'static Tree,
    cycle: Joined,
    scenarios: Vec<&'static Scenario>,
    bounds: &Bounds,
) -> Across {
    let names = scenarios.iter().map(|scenario| scenario.name).collect();
    let (verdict, executions) = match pair(&scenarios) {
        Ok((one, other)) => {
            let explored = explore_both(tree, one, other, bounds);
            (verdict(&explored, &cycle), explored.search.executions)
        }
        Err(why) => {
            let what = format!("{why}: write a scenario that has all of these tasks");
            (Verdict::Possible(what), 0)
        }
    };
    Across { cycle, scenarios: names, verdict, executions }
}

/// The two scenarios that the edges are of, if their tasks can be played together.
fn pair(
    scenarios: &[&'static Scenario],
) -> Result<(&'static Scenario, &'static Scenario), &'static str> {
    let mut two: Vec<&'static Scenario> = Vec::new();
    for scenario in scenarios {
        if !two.iter().any(|known| known.name == scenario.name) {
            two.push(scenario);
        }
    }
    match two.as_slice() {
        [one, other] => one.begins_like(other).map(|()| (*one, *other)),
        _ => Err("its edges are of more than two scenarios"),
    }
}

/// Explores the tasks of both scenarios over the state in which they begin.
fn explore_both(
    tree: &'static Tree,
    one: &'static Scenario,
    other: &'static Scenario,
    bounds: &Bounds,
) -> Explored {
    let machine = one.machine_with(other);
    let body = move || one.play_with(other, &Run::new(Kernel::new(tree, machine)));
    let mut explored = explore_body(Arc::new(body), bounds);
    label(&mut explored, tree, &format!("{} with {}", one.name, other.name));
    explored
}

/// What becomes of the cycle where all of its tasks are.
fn verdict(explored: &Explored, cycle: &Joined) -> Verdict {
    let sorted = |mut names: Vec<String>| {
        names.sort_unstable();
        names
    };
    let wanted = sorted(cycle.cycle.clone());
    let found = explored.cycles.iter().find(|judged| {
        let names = judged.cycle.iter().map(|&id| explored.graph.name(id).to_string());
        sorted(names.collect()) == wanted
    });
    match (found, &explored.search.cut) {
        (Some(judged), _) => judged.verdict.clone(),
        (None, None) => Verdict::Refuted([Guard::HappensBefore].into()),
        (None, Some(cut)) => Verdict::Possible(format!(
            "the scenario with the tasks of both was left after {} executions, by {cut}",
            explored.search.executions
        )),
    }
}

#[cfg(test)]
mod tests {
    use selvedge_kernel::{spin_lock, spin_unlock};
    use selvedge_models::Machine;
    use selvedge_models::mm::filemap::{folio_lock, folio_unlock};
    use selvedge_models::trees::V6_12_117;

    use super::*;
    use crate::lock_order::{TreeReport, Untried, explore_locks};
    use crate::{calls, cpu};

    fn both(k: &Run, [first, second]: [usize; 2]) {
        folio_lock(k, &k.folios[first]);
        folio_lock(k, &k.folios[second]);
        folio_unlock(k, &k.folios[second]);
        folio_unlock(k, &k.folios[first]);
    }

    fn gated(k: &Run, folios: [usize; 2]) {
        spin_lock(&k.cpus, &k.ptl);
        spin_unlock(&k.cpus, &k.ptl);
        both(k, folios);
    }

    const TWO: Machine = Machine::TINY.folios(2).sleepers(2);

    static UP: Scenario = Scenario {
        name: "up",
        machine: TWO,
        tasks: &[cpu(0, "up", |k| both(k, [0, 1]))],
        ..Scenario::EMPTY
    };
    static DOWN: Scenario = Scenario {
        name: "down",
        machine: TWO,
        tasks: &[cpu(1, "down", |k| both(k, [1, 0])), cpu(0, "up", |k| both(k, [0, 1]))],
        ..Scenario::EMPTY
    };
    static DOWN_ALONE: Scenario = Scenario {
        name: "down_alone",
        machine: TWO,
        tasks: &[cpu(0, "down", |k| both(k, [1, 0]))],
        ..Scenario::EMPTY
    };
    static DOWN_LISTED: Scenario =
        Scenario { name: "down_listed", machine: TWO.listed(), ..DOWN_ALONE };

    fn report(scenarios: &[&'static Scenario]) -> TreeReport {
        let explore = |scenario| explore_locks(&V6_12_117, scenario, &Bounds::PROOF);
        TreeReport::new(&V6_12_117, scenarios.iter().map(|scenario| explore(*scenario)).collect())
    }

    fn tried((cycle, scenarios): Untried, executions_max: u64) -> Across {
        let bounds = Bounds { executions_max, ..Bounds::PROOF };
        try_across(&V6_12_117, cycle, scenarios, &bounds)
    }

    #[test]
    fn halves_of_a_deadlock_in_two_scenarios_are_tried_together() {
        let mut report = report(&[&UP, &DOWN_ALONE]);
        assert_eq!((report.cycles.len(), report.untried.len()), (0, 1));
        assert_eq!(report.count("possible"), 1, "as long as nobody has tried");
        let across = tried(report.untried.remove(0), 1_000);
        assert_eq!(across.scenarios, ["up", "down_alone"]);
        let Verdict::Real(found) = &across.verdict else { panic!("{across:?}") };
        assert_eq!(found.scenario, "up with down_alone");
        assert!(found.blocked.len() >= 2, "both wait for ever");
        report.across.push(across);
        assert_eq!((report.count("real"), report.count("possible")), (1, 0));
    }

    /// What one of the scenarios has whole need not be tried; where they do not begin alike, folio
    /// 0 is not folio 0.
    #[test]
    fn only_what_no_scenario_has_is_tried() {
        let whole = report(&[&UP, &DOWN]);
        assert_eq!((whole.count("real"), whole.untried.len()), (1, 0));
        assert_eq!(report(&[&UP, &DOWN_LISTED]).untried.len(), 0);
        assert_eq!(UP.begins_like(&DOWN_LISTED), Err("they do not begin in the same state"));
        assert_eq!(UP.begins_like(&DOWN_ALONE), Ok(()));
    }

    /// Static locks are the same whatever the scenarios begin with.
    #[test]
    fn what_cannot_be_played_together_stays_possible_and_says_why() {
        static OUTER: Scenario = Scenario {
            name: "outer",
            machine: Machine::TINY.listed(),
            tasks: &[cpu(0, "outer", |k| {
                spin_lock(&k.cpus, &k.ptl);
                spin_lock(&k.cpus, &k.lru_lock);
                spin_unlock(&k.cpus, &k.lru_lock);
                spin_unlock(&k.cpus, &k.ptl);
            })],
            ..Scenario::EMPTY
        };
        static INNER: Scenario = Scenario {
            name: "inner",
            tasks: &[cpu(1, "inner", |k| {
                spin_lock(&k.cpus, &k.lru_lock);
                spin_lock(&k.cpus, &k.ptl);
                spin_unlock(&k.cpus, &k.ptl);
                spin_unlock(&k.cpus, &k.lru_lock);
            })],
            ..Scenario::EMPTY
        };
        let [one]: [Untried; 1] = report(&[&OUTER, &INNER]).untried.try_into().expect("one");
        let across = tried(one, 1_000);
        let Verdict::Possible(why) = &across.verdict else { panic!("{across:?}") };
        assert!(why.starts_with("they do not begin in the same state: write a scenario"), "{why}");
        assert_eq!(across.executions, 0);
    }

    #[test]
    fn a_task_that_both_have_runs_once() {
        static CALLS: Scenario = Scenario {
            name: "calls",
            machine: TWO,
            tasks: &[calls(0, "up", &[]), cpu(1, "gated", |k| gated(k, [0, 1]))],
            ..Scenario::EMPTY
        };
        let machine = CALLS.machine_with(&UP);
        assert_eq!((machine.sizes.sleepers, machine.sizes.cpus), (4, 2));
        let explored = explore_both(&V6_12_117, &UP, &UP, &Bounds::PROOF);
        assert_eq!(explored.cycles, []);
        assert_eq!(explored.search.executions, 1, "one task");
    }
}
