//! Runs a scenario under an engine and says what that proves.
//!
//! The engine is a value, chosen when the exploration starts. A scenario is a closure that builds
//! [`Word`]s and [`Lock`]s, [`spawn`]s tasks, [`join`]s them, and calls [`fail`] when something is
//! wrong. It does not know which engine runs it. This crate is the only place that names loom or
//! shuttle; what they get wrong, and how it is guarded against, is said where the guard is.
//!
//! Every step of a task is a [`Step`], and passes one gate (`gate.rs`): it is announced, taken by
//! the machine of the engine (`machine/`), and recorded (`record.rs`). A new engine is a new
//! machine.
//!
//! | engine                 | memory model | complete | how                                           |
//! |------------------------|--------------|----------|-----------------------------------------------|
//! | [`Engine::Dpor`]       | SC           | yes      | one execution per distinct order of conflicts |
//! | [`Engine::Dfs`]        | SC           | yes      | every order of steps                          |
//! | [`Engine::Random`]     | SC           | no       | shuttle's uniform random scheduler            |
//! | [`Engine::Pct`]        | SC           | no       | shuttle's probabilistic concurrency testing   |
//! | [`Engine::Loom`]       | C11          | yes      | loom, within its limits                       |
//! | [`Engine::Graph`]      | LKMM         | yes      | one execution per execution graph             |
//! | [`Engine::GraphSc`]    | SC           | yes      | the same                                      |
//!
//! [`Bounds::stateful`] makes the first go on from every state once, instead of running every
//! trace, for monitors that [say](selvedge_trace::Monitor::judges) that this is enough;
//! [`Bounds::keep_going`] counts all violations after the first.
//!
//! A counterexample can be run again ([`replay`]) and explained ([`explain`]): why it fails is
//! found by exploration too.
//!
//! **Invariant:** nothing here knows what a folio is. **Invariant:** `Verdict::Holds` is only made
//! in `verdict.rs`, from a search that nothing cut short.

mod bounds;
mod determinism;
pub mod edits;
mod exchange;
mod explain;
mod fair;
mod footprint;
mod foreign;
mod gate;
mod lock;
mod machine;
mod panics;
mod private;
mod record;
mod replay;
mod sites;
mod split;
mod state;
mod step;
mod tally;
mod task;
mod verdict;
mod violations;
mod word;

pub use bounds::{Bounds, Engine, MemoryModel, Progress, ProgressFn};
pub use dpor::Commutes;
pub use exchange::Exchange;
pub use explain::explain;
pub use fair::Loop;
pub use foreign::{Begun, Effect, FOREIGN, ForeignWord, never_unwind};
pub use lock::{Lock, Token};
pub use machine::{Abilities, Interrupts, WorkItems};
pub use private::{Emptied, Opened, Own, Private, set_up};
pub use replay::{Replayed, replay};
pub use sites::{Next, Passed, Sites};
pub use state::{States, at_rest, shared_state};
pub use step::{Does, If, Intent, NO_OBJECT, Rmw, Role, Step, Took, With};
pub use task::{
    Enter, Place, abilities, at, choose, current_context, current_cpu, enter, enter_waker, fail,
    fail_about, is_on_top_of_a_call, join, join_all, knows_end_of, made_up, may_wait_first, me,
    move_to, note, put_off, spawn, unable, under,
};
pub use verdict::{Exploration, Verdict};
pub use violations::{Violation, Violations};
pub use word::{Access, Word, fence, fence_with};

use std::sync::Arc;
use std::time::{Duration, Instant};

use selvedge_trace::{Counterexample, Monitor};

use tally::{Monitors, Seen, others};

/// What this crate was compiled from, for fingerprints: they say whether a verdict that was reached
/// before may have changed.
#[cfg(not(test))]
pub static SOURCES: include_dir::Dir<'static> =
    include_dir::include_dir!("$CARGO_MANIFEST_DIR/src");

/// A scenario: called once for every execution.
pub type Body = Arc<dyn Fn() + Send + Sync>;

/// Runs `body` under `engine` within `bounds`, shows every execution to the monitors, and says
/// what was found. Never panics because of what the body does: a panic of the body is a verdict
/// ([`Verdict::Undecided`]).
pub fn explore(
    engine: Engine,
    bounds: &Bounds,
    monitors: Vec<Box<dyn Monitor>>,
    body: Body,
) -> Exploration {
    panics::install_hook();
    let started = Instant::now();
    // Many searches are too short to look: one after another would go on for long.
    if bounds.is_interrupted() {
        return verdict::undecided(engine, verdict::Cut::Interrupted, started.elapsed());
    }
    // To go past violations and stateful cannot go together: whether an execution has already
    // broken a rule is not in the hash of its state.
    let past_violations = Bounds { stateful: false, rule: None, ..bounds.clone() };
    let stateful = bounds.stateful && bounds.rule.is_none();
    let mut bounds = Bounds { keep_going: false, stateful, ..bounds.clone() };
    if let Err(why) = fair::is_deterministic(engine, &mut bounds, &body) {
        return verdict::undecided(engine, why, started.elapsed());
    }
    let kinds = others(&monitors);
    let seen = fair::search(engine, &mut bounds, monitors, &body);
    let bounds = &bounds;
    let mut exploration = verdict::conclude(engine, bounds, seen, started.elapsed());
    if engine == Engine::Dpor
        && !bounds.as_found
        && let Some(found) = &exploration.counterexample
        && let Some(simpler) = with_fewer_preemptions(bounds, &kinds, &body, &found.rule)
        && size(&simpler) < size(found)
    {
        exploration.counterexample = Some(simpler);
    }
    let is_counted = past_violations.keep_going && engine != Engine::Loom;
    if is_counted && exploration.counterexample.is_some() {
        let loops = bounds.loops.clone();
        let mut bounds = Bounds { loops, ..past_violations };
        let seen = fair::search(engine, &mut bounds, kinds, &body);
        exploration.violations = Some(violations_of(engine, &bounds, seen));
    }
    exploration
}

/// All violations that a search has seen that went past them.
fn violations_of(engine: Engine, bounds: &Bounds, seen: Seen) -> Violations {
    let Seen { tally, cut, .. } = seen;
    let sample = || format!("a sample of {} schedules", tally.executions);
    let cut = cut.map(|cut| cut.to_string()).or((!engine.is_exhaustive()).then(sample));
    let fair = || bounds.loops.as_deref().map(|loops| fair::Within(loops).to_string());
    let cut = cut.or_else(fair);
    Violations { distinct: tally.violations, executions: tally.executions, cut }
}

/// How many preemptions, and executions for each number of them, are tried for a simpler
/// counterexample.
const SIMPLER: (u32, u64) = (2, 2_000);

/// How hard a counterexample is to read: how often another task goes on, then how long it is.
fn size(cx: &Counterexample) -> (usize, usize) {
    let switches = cx.steps.windows(2).filter(|pair| pair[0].task != pair[1].task).count();
    (switches, cx.steps.len())
}

/// A counterexample of the same rule with as few preemptions as a short search finds. The verdict
/// and its counts are those of the search before.
fn with_fewer_preemptions(
    bounds: &Bounds,
    kinds: &Monitors,
    body: &Body,
    rule: &str,
) -> Option<Counterexample> {
    let (preemptions, executions) = SIMPLER;
    (0..=preemptions).find_map(|most| {
        let bounds = Bounds {
            preemptions_max: Some(most),
            executions_max: executions,
            progress: None,
            ..bounds.clone()
        };
        let seen = machine::search(Engine::Dfs, &bounds, others(kinds), body);
        let found = verdict::conclude(Engine::Dfs, &bounds, seen, Duration::ZERO).counterexample;
        found.filter(|found| found.rule == rule)
    })
}
