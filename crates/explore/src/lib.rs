//! Runs a scenario under an engine and says what that proves.
//!
//! The engine is a value, chosen when the exploration starts. A scenario is a closure that builds
//! [`Word`]s and [`Lock`]s, [`spawn`]s tasks, [`join`]s them, and calls [`fail`] when something is
//! wrong. It does not know which engine runs it. This crate is the only place that names loom or
//! shuttle; what they get wrong, and how it is guarded against, is said where the guard is.
//!
//! | engine                 | memory model | complete | how                                           |
//! |------------------------|--------------|----------|-----------------------------------------------|
//! | [`Engine::Dpor`]       | SC           | yes      | one execution per distinct order of conflicts |
//! | [`Engine::Dfs`]        | SC           | yes      | every order of steps                          |
//! | [`Engine::Random`]     | SC           | no       | shuttle's uniform random scheduler            |
//! | [`Engine::Pct`]        | SC           | no       | shuttle's probabilistic concurrency testing   |
//! | [`Engine::Loom`]       | C11          | yes      | loom, within its limits                       |
//!
//! **Invariant:** nothing here knows what a folio is. **Invariant:** `Verdict::Holds` is only made
//! in `verdict.rs`, from a search that nothing cut short.

mod bounds;
mod lock;
mod panics;
mod run;
mod sc;
mod task;
mod verdict;
mod weak;
mod word;

pub use bounds::{Bounds, Engine, MemoryModel, Progress, ProgressFn};
pub use lock::{Lock, Token};
pub use run::{
    Enter, current_context, current_cpu, current_path, enter, is_weak, me, note, path_text, under,
};
pub use task::{Place, choose, fail, fail_about, join, spawn};
pub use verdict::{Exploration, Verdict};
pub use word::{Access, Rmw, Word, fence};

use std::sync::Arc;
use std::time::Instant;

use selvedge_trace::Monitor;

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
    if let Some(why) = sc::not_deterministic(bounds, &body) {
        return verdict::undecided(engine, why, started.elapsed());
    }
    run::begin_exploration(engine, bounds, monitors);
    let cut = match engine {
        Engine::Loom => weak::explore(bounds, &body),
        Engine::Dpor | Engine::Dfs | Engine::Random | Engine::Pct => {
            sc::explore(engine, bounds, &body)
        }
    };
    verdict::conclude(engine, bounds, cut, started.elapsed())
}
