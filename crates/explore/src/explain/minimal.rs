//! The execution with the fewest preemptions that breaks the rule: all executions without any are
//! run, then all with one, and so on, until one fails. Which one that is depends on nothing else.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use dpor::Bounded;
use selvedge_trace::{Counterexample, Explanation};

use super::behind::{Probe, Shared};
use crate::machine::shuttle::{Watch, run_quietly};
use crate::replay::replay;
use crate::tally::{Monitors, Seen, others};
use crate::verdict::{Cut, conclude};
use crate::{Body, Bounds, Engine, footprint, record};

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
        let (seen, runs) = run_within(&bounds, monitors, body, most);
        let cut = seen.cut.clone();
        let simpler = conclude(Engine::Dfs, &bounds, seen, Duration::ZERO).counterexample;
        let limit = match (cut, simpler) {
            (Some(Cut::Violation), Some(simpler)) if simpler.rule == found.rule => {
                why.preemptions = most;
                return Ok(as_of(found, simpler));
            }
            (Some(Cut::Violation), Some(other)) => {
                format!("with {most} preemptions another rule is broken first: {}", other.rule)
            }
            (None, _) => continue,
            (Some(cut), _) => format!("{cut}, after {runs} executions begun"),
        };
        why.limits.push(format!("whether it fails with {} or fewer: {limit}", preemptions(most)));
        why.fewest = false;
        break;
    }
    why.preemptions = known.preemptions;
    Ok(as_of(found, Counterexample { schedule: found.schedule.clone(), ..known.execution }))
}

/// Runs one execution of each trace with so many preemptions. How many were begun, too: many are
/// given up where another has been before.
fn run_within(bounds: &Bounds, monitors: &Monitors, body: &Body, most: u32) -> (Seen, u64) {
    let watching = others(monitors);
    record::begin_search(Engine::Dfs, bounds);
    footprint::begin_search(&watching);
    let watch = Watch::new(bounds, Instant::now(), watching);
    let probe = Rc::new(RefCell::new(Probe { watch, runs: 0, kept: Rc::default() }));
    let observer = Box::new(Shared(probe.clone()));
    let search = Bounded::new(observer, 2 * bounds.steps_max, most);
    probe.borrow_mut().kept = search.kept();
    let ended = run_quietly(search, body);
    let mut probe = probe.borrow_mut();
    let mut seen = std::mem::take(&mut probe.watch.seen);
    seen.cut = seen.cut.or(ended.err().map(Cut::Panic));
    (seen, probe.runs)
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
