//! kernel-lru section E: pages that their driver has made movable. Seed 003, its baseline 4.2, Mel
//! Gorman's proposal, and what was merged, 4.8 to 6.12.
//!
//! | file           | what                                                                    |
//! |----------------|-------------------------------------------------------------------------|
//! | `mod.rs`       | what the scenarios share                                                |
//! | `isolation.rs` | E1, E2, E4, E11, E12, M10: isolating a page                               |
//! | `putback.rs`   | E3, E9, E13, E14: moving it or putting it back                           |
//! | `balloon.rs`   | E8, E15: the balloon's list and its count                               |
//! | `zsmalloc.rs`  | E5, E6, E7, E10, and the end of a pool, 5.3 to 5.16                       |
//! | `driver.rs`    | every rule against each driver of models/src/drivers                    |

use selvedge_explore::Engine;
use selvedge_kernel::{Name, fail_about, join};
use selvedge_models::mm::migrate::{Migrator, Mode};
use selvedge_models::mm::movable::{DRIVER, M1, Role, alloc_page, isolate_block, owner};
use selvedge_models::{Kernel, Sizes};
use selvedge_monitors::{NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO, NOBODY_WAITS_FOR_EVER};
use selvedge_trace::Rule;

use crate::{Scenario, Topic};

mod balloon;
mod driver;
mod isolation;
mod putback;
mod zsmalloc;

pub(super) use balloon::CLAIMS as BALLOON;
pub(super) use driver::CLAIMS as DRIVERS;
pub(super) use isolation::CLAIMS as ISOLATION;
pub(super) use putback::CLAIMS as PUTBACK;
pub(super) use zsmalloc::CLAIMS as ZSMALLOC;

/// "the putback may be responsible for waking up any tasks waiting to access the page" (Mel
/// Gorman): the wait graph's rule.
const M4: Rule = NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO;
/// "drivers will need to be careful that it is safe to sleep": nobody waits for a sleeper with what
/// the sleeper needs.
const M5: Rule = NOBODY_WAITS_FOR_EVER;
/// "It also assumes that the caller does not recursively hold the page lock already."
const M7: Rule = NOBODY_WAITS_FOR_EVER;

/// For what holds: samples would add nothing, and take long.
const COMPLETE: &[Engine] = &[Engine::Dpor];

/// One page, which is free until its driver allocates it, and a spare one to move it to.
const ONE_PAGE: Sizes =
    Sizes { absent: 1, spares: true, sleepers: 3, driver: Some(Role::Module), ..Sizes::TINY };

/// Who has a reference because it came across the page.
const READER: Name = Name::new("reader");

/// The number of the task of CPU `cpu` among the sleepers.
const fn compactor(cpu: usize) -> Migrator {
    Migrator { mode: Mode::Async, memalloc: false, me: cpu }
}

/// The driver of the scenario allocates its pages.
fn allocates(k: &Kernel) {
    for page in &k.folios[..k.sizes.absent] {
        alloc_page(page, DRIVER);
        (owner(k).driver.alloc)(k, page);
    }
}

/// Nobody else wants page 0.
fn isolates(k: &Kernel) {
    assert!(isolate_block(k, &k.folios[0], false), "nobody else wants the page");
}

/// The driver has its pages.
fn allocated(k: &Kernel) {
    join(k.task(0, "driver", allocates));
}

/// And page 0 is isolated.
fn isolated(k: &Kernel) {
    allocated(k);
    join(k.task(0, "compaction", isolates));
}

/// What the driver keeps has been changed that often.
fn updates_are_kept(k: &Kernel, updates: u64) {
    let Some(index) = owner(k).place() else { return };
    let page = &k.folios[index];
    let seen = page.contents.peek();
    if seen != updates {
        let message = format!("page{index} has {seen} of {updates} updates");
        fail_about(M1, message, page.contents.object());
    }
}

/// The driver frees what it has, as the task of that number.
fn frees(k: &Kernel, me: usize) {
    (owner(k).driver.free)(k, me);
}

const fn topic(
    scenario: &'static Scenario,
    rule: Rule,
    source: &'static str,
    reached: &'static [&'static str],
) -> Topic {
    Topic { subsystem: "movable_page", rule, scenario, source, reached }
}
