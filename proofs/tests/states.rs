//! Models say all that tasks share: what follows a state is the same, whatever way led to it; and
//! a search over states finds what a search over traces finds.

use std::collections::BTreeMap;

use selvedge_explore::{Bounds, Engine, Verdict};
use selvedge_proofs::{Claim, Expected, Outcome, check, expected, rows};

const STATES: Bounds = Bounds { stateful: true, ..Bounds::PROOF };

/// So many executions of each scenario are compared with those before, if `STATES_COMPARED` does
/// not ask for more: all of many scenarios, and of each what its tasks do when they come to an end.
const COMPARED: u64 = 60;

/// A row of each scenario, in the tree that is asked last, under dpor.
fn of_each_scenario() -> Vec<&'static Claim> {
    let dpor = rows().filter(|(_, engine)| *engine == Engine::Dpor);
    let by_name: BTreeMap<&str, &Claim> =
        dpor.map(|(claim, _)| (claim.scenario.name, claim)).collect();
    by_name.into_values().collect()
}

#[test]
fn what_follows_a_state_does_not_depend_on_the_way_to_it() {
    let asked = std::env::var("STATES_COMPARED").ok();
    let executions_max =
        asked.map_or(COMPARED, |text| text.parse().expect("STATES_COMPARED is a number"));
    let bounds = Bounds { compares: true, executions_max, ..STATES };
    let (mut compared, mut blind) = (0, Vec::new());
    for claim in of_each_scenario() {
        let row = check(claim, Engine::Dpor, &bounds);
        compared += row.exploration.states.map_or(0, |states| states.compared);
        match row.exploration.verdict {
            Verdict::Undecided(why) if why.contains("two states that were taken for one") => {
                blind.push(format!("{}: {why}", claim.name(Engine::Dpor)));
            }
            _ => {}
        }
    }
    assert!(blind.is_empty(), "{} rows:\n{}", blind.len(), blind.join("\n"));
    assert!(compared > 100_000, "{compared} steps were compared");
}

/// Of each scenario whose rows take few executions: what is violated is found, and what holds
/// holds, or is about the ways to states.
#[test]
fn verdicts_are_those_of_a_search_over_traces() {
    let known = expected::read().expect("it can be read");
    let known: BTreeMap<String, Option<u64>> =
        known.into_iter().map(|line| (line.name, line.executions)).collect();
    let few = |claim: &&Claim| {
        let executions = known.get(&claim.name(Engine::Dpor)).copied().flatten();
        executions.is_some_and(|executions| executions < 200)
    };
    let mut decided = [0, 0];
    for claim in of_each_scenario().into_iter().filter(few) {
        let row = check(claim, Engine::Dpor, &STATES);
        match &row.outcome {
            Outcome::AsExpected => decided[usize::from(claim.expected == Expected::Violated)] += 1,
            Outcome::Undecided(why) => {
                let is_about_ways = why.contains("a rule about the ways");
                let spins = why.contains("too many steps");
                assert!(is_about_ways || spins, "{}: {why}", row.name());
            }
            Outcome::Unexpected(how) => unreachable!("{}: {how}", row.name()),
        }
    }
    assert!(decided.iter().all(|&count| count > 50), "{decided:?}");
}
