//! The execution with the fewest preemptions that breaks the rule: all executions without any are
//! run, then all with one, and so on, until one fails. Which one that is depends on nothing else.

use std::time::Duration;

use selvedge_trace::{Counterexample, Explanation};

use crate::machine::search;
use crate::replay::replay;
use crate::tally::{Monitors, others};
use crate::verdict::{Cut, conclude};
use crate::{Body, Bounds, Engine};

pub(super) fn with_fewest_preemptions(
    bounds: &Bounds,
    monitors: &Monitors,
    body: &Body,
    found: &Counterexample,
    why: &mut Explanation,
) -> Result<Counterexample, String> {
    let known = replay(bounds, others(monitors), body, &found.schedule);
    if let Some(stopped) = known.stopped {
        return Err(stopped);
    }
    if known.execution.rule != found.rule {
        return Err(format!("its schedule does not break the rule \"{}\"", found.rule));
    }
    why.fewest = true;
    for most in 0..=known.preemptions {
        let bounds = Bounds { preemptions_max: Some(most), progress: None, ..bounds.clone() };
        let seen = search(Engine::Dfs, &bounds, others(monitors), body);
        let (cut, executions) = (seen.cut.clone(), seen.tally.executions);
        let simpler = conclude(Engine::Dfs, &bounds, seen, Duration::ZERO).counterexample;
        let limit = match (cut, simpler) {
            (Some(Cut::Violation), Some(simpler)) if simpler.rule == found.rule => {
                why.preemptions = most;
                return Ok(as_of(found, simpler));
            }
            (Some(Cut::Violation), Some(other)) => {
                format!("with {most} preemptions another rule is broken first: {}", other.rule)
            }
            (Some(Cut::Preemptions(_)) | None, _) => continue,
            (Some(cut), _) => format!("{cut}, after {executions} executions"),
        };
        why.limits.push(format!("whether it fails with {} or fewer: {limit}", preemptions(most)));
        why.fewest = false;
        break;
    }
    why.preemptions = known.preemptions;
    Ok(as_of(found, Counterexample { schedule: found.schedule.clone(), ..known.execution }))
}

fn preemptions(count: u32) -> String {
    format!("{count} preemption{}", if count == 1 { "" } else { "s" })
}

/// What the file says of where it belongs stays.
fn as_of(found: &Counterexample, simpler: Counterexample) -> Counterexample {
    let of = found.clone();
    Counterexample {
        claim: of.claim,
        tree: of.tree,
        scenario: of.scenario,
        engine: of.engine,
        memory_model: of.memory_model,
        model: of.model,
        ..simpler
    }
}
