//! kernel-lru section E: pages that their driver has made movable. The series of July 2015, its
//! baseline 4.2, Mel Gorman's proposal, and what was merged, 4.8 to 6.12.
//!
//! | file           | what                                                                    |
//! |----------------|-------------------------------------------------------------------------|
//! | `mod.rs`       | what the scenarios share                                                |
//! | `isolation.rs` | E1, E4, E11, E12, M10: isolating a page                                   |
//! | `reuse.rs`     | E2: a page that is somebody else's by then                               |
//! | `putback.rs`   | E3, E9, E13, E14: moving it or putting it back                           |
//! | `proposal.rs`  | what Mel Gorman proposed, by the rules M1 to M10                        |
//! | `balloon.rs`   | E8, E15: the balloon's list and its count                               |
//! | `zsmalloc.rs`  | E5, E6, E7, E10, E16, and the end of a pool, 5.3 to 5.16                  |
//! | `zspage_locks.rs` | the locks of a zspage's pages, and who comes across one of them |
//! | `driver.rs`    | every rule against each driver of models/src/drivers                    |

use selvedge_explore::Engine;
use selvedge_kernel::{Name, reached};
use selvedge_models::Machine;
use selvedge_models::mm::migrate::{Migrator, Mode};
use selvedge_models::mm::movable::{
    DRIVER, Role, alloc_page, isolate_block, move_or_put_back, owner, putback_movable_page,
};

use crate::{Answers, Run, Source, Task, cpu};

mod balloon;
mod driver;
mod isolation;
mod proposal;
mod putback;
mod reuse;
mod zsmalloc;
mod zspage_locks;

pub(super) use balloon::claims as balloon;
pub(super) use driver::claims as drivers;
pub(super) use isolation::claims as isolation;
pub(super) use zsmalloc::claims as zsmalloc;
pub(super) use zspage_locks::claims as zspage_locks;

/// For what holds: samples would add nothing, and take long.
const COMPLETE: &[Engine] = &[Engine::Dpor];

/// One page, which is free until its driver allocates it, and a spare one to move it to.
const ONE_PAGE: Machine = Machine::TINY.absent(1).spares().sleepers(3).driver(Some(Role::Module));

/// Who has a reference because it came across the page.
const READER: Name = Name::new("reader");

/// What is put back or moved, and what is asked of the proposal.
pub(super) fn putback() -> Vec<Answers> {
    putback::claims().into_iter().chain(proposal::claims()).collect()
}

/// The proposal's own words, as far as a verdict follows from them.
const OWN_LOCKS: Source =
    Source::analysis("the proposal makes callbacks responsible for their locks, and takes none");

/// Who compacts.
const COMPACTOR: Migrator = Migrator { mode: Mode::Async, memalloc: false };

/// A driver has a page, which it is to set up.
const GIVEN_TO_A_DRIVER: &str = "a page was allocated for a driver";

/// The driver of the scenario allocates its pages.
fn allocates(k: &Run) {
    for page in &k.folios[..k.initial.absent] {
        alloc_page(k, page, DRIVER);
        reached(GIVEN_TO_A_DRIVER);
        (owner(k).driver.alloc)(k, page);
    }
}

/// Nobody else wants page 0.
fn isolates_alone(k: &Run) {
    assert!(isolate_block(k, &k.folios[0], false), "nobody else wants the page");
}

/// The driver has its pages.
const ALLOCATED: &[Task] = &[cpu(0, "driver", allocates)];

/// And page 0 is isolated.
const ISOLATED_BEFORE: &[Task] =
    &[cpu(0, "driver", allocates), cpu(0, "compaction", isolates_alone)];

/// A compactor that comes to page 0 without `lru_lock`.
fn isolates(k: &Run) {
    isolate_block(k, &k.folios[0], false);
}

/// Page 0, which is isolated, is put back on CPU0.
fn puts_back(k: &Run) {
    putback_movable_page(k, &k.folios[0]);
}

/// Page 0, which is isolated, is moved on CPU0, or put back if that fails.
fn moves_or_puts_back(k: &Run) {
    move_or_put_back(k, &k.folios[0], COMPACTOR);
}

/// The driver frees what it has.
fn frees(k: &Run) {
    (owner(k).driver.free)(k);
}
