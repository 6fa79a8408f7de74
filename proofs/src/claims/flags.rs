//! Words of flags that several write, each its own bits and each under a lock of its own, or none.

use selvedge_kernel::{Bit, plain_write, reached, set_bit, test_and_set_bit};
use selvedge_models::fs::buffer::{__block_write_full_folio, trylock_buffer, unlock_buffer};
use selvedge_models::mm::filemap::folio_unlock;
use selvedge_models::mm::migrate::{Aops, ISOLATION};
use selvedge_models::mm::mlock::{mlock_folio, mlock_new_folio};
use selvedge_models::mm::page_writeback::{SyncMode, folio_start_writeback};
use selvedge_models::mm::swap::{folio_activate, folio_deactivate};
use selvedge_models::mm::vmscan::{folio_isolate_lru, move_folios_to_lru};
use selvedge_models::trees::*;
use selvedge_models::{
    BH_DIRTY, BH_LOCK, Machine, PG_ACTIVE, PG_DIRTY, PG_LRU, PG_UNEVICTABLE, PG_WRITEBACK,
};

use super::DPOR;
use super::folio_lock::locked;
use super::lru_flag::LISTED;
use crate::Source::Analysis;
use crate::rules::{NO_FLAG_OF_OTHERS_IS_LOST, the_flag_is_kept};
use crate::{Answers, Run, Scenario, Task, ask, cpu};

/// Somebody else's flags of the word were changed too.
const CHANGED: &str = "other flags of the word were changed";

/// `folio_mark_dirty()` for a page table that is taken down: with no lock of the folio.
const DIRTIER: Task = cpu(1, "unmapper", |k| {
    test_and_set_bit(PG_DIRTY, &k.folios[0].flags);
});

/// PG_dirty is still set when what was done to this other flag has been done.
fn is_dirty_and(k: &Run, other: Bit, is_set: bool) {
    let flags = &k.folios[0].flags;
    if flags.peek(other) == is_set {
        reached(CHANGED);
    }
    the_flag_is_kept(flags, PG_DIRTY);
}

static ACTIVATED: Scenario = Scenario {
    name: "dirtied_while_activated",
    about: "CPU0 activates the folio, in a batch of one; CPU1 sets PG_dirty.",
    machine: LISTED.batch(1),
    tasks: &[cpu(0, "user", |k| folio_activate(k, &k.folios[0])), DIRTIER],
    at_end: Some(|k| is_dirty_and(k, PG_ACTIVE, true)),
    ..Scenario::EMPTY
};

static DEACTIVATED: Scenario = Scenario {
    name: "dirtied_while_deactivated",
    about: "The folio is active. CPU0 deactivates it, in a batch of one; CPU1 sets PG_dirty.",
    machine: LISTED.batch(1),
    before: &[cpu(0, "user", |k| folio_activate(k, &k.folios[0]))],
    tasks: &[cpu(0, "user", |k| folio_deactivate(k, &k.folios[0])), DIRTIER],
    at_end: Some(|k| is_dirty_and(k, PG_ACTIVE, false)),
    ..Scenario::EMPTY
};

static MLOCKED: Scenario = Scenario {
    name: "dirtied_while_mlocked",
    about: "The folio is active. CPU0 mlocks it, in a batch of one; CPU1 sets PG_dirty.",
    machine: LISTED.batch(1).mlock(),
    before: &[cpu(0, "user", |k| folio_activate(k, &k.folios[0]))],
    tasks: &[cpu(0, "mlocker", |k| mlock_folio(k, &k.folios[0])), DIRTIER],
    at_end: Some(|k| is_dirty_and(k, PG_UNEVICTABLE, true)),
    ..Scenario::EMPTY
};

static NEW_MLOCKED: Scenario = Scenario {
    name: "dirtied_while_mlocked_new",
    about: "The folio is on no list. CPU0 mlocks it as new, in a batch of one; CPU1 sets PG_dirty.",
    machine: Machine::TINY.operations().batch(1).mlock(),
    tasks: &[cpu(0, "fault", |k| mlock_new_folio(k, &k.folios[0])), DIRTIER],
    at_end: Some(|k| is_dirty_and(k, PG_UNEVICTABLE, true)),
    ..Scenario::EMPTY
};

static PUT_BACK: Scenario = Scenario {
    name: "dirtied_while_put_back",
    about: "CPU0, which has isolated the folio, puts it back; CPU1 sets PG_dirty.",
    machine: LISTED,
    before: &[cpu(0, "reclaim", |k| {
        assert!(folio_isolate_lru(k, &k.folios[0], ISOLATION), "nobody else runs yet");
    })],
    tasks: &[cpu(0, "reclaim", |k| move_folios_to_lru(k, &k.folios[0], ISOLATION)), DIRTIER],
    at_end: Some(|k| is_dirty_and(k, PG_LRU, true)),
    ..Scenario::EMPTY
};

static WRITTEN: Scenario = Scenario {
    name: "dirtied_while_writeback_begins",
    about: "CPU0 has the folio locked, begins its writeback, and unlocks it; CPU1 sets PG_dirty.",
    setup: locked,
    tasks: &[
        cpu(0, "writer", |k| {
            folio_start_writeback(k, &k.folios[0]);
            folio_unlock(k, &k.folios[0]);
        }),
        DIRTIER,
    ],
    at_end: Some(|k| is_dirty_and(k, PG_WRITEBACK, true)),
    ..Scenario::EMPTY
};

static BUFFER: Scenario = Scenario {
    name: "buffer_dirtied_while_unlocked",
    about: "CPU0 has the buffer locked, and unlocks it; CPU1 sets BH_Dirty.",
    machine: Machine::TINY.buffer_heads(1),
    setup: |k| assert!(trylock_buffer(&k.buffer_heads[0]), "nobody else runs yet"),
    tasks: &[
        cpu(0, "reader", |k| unlock_buffer(k, &k.buffer_heads[0])),
        cpu(1, "writer", |k| {
            test_and_set_bit(BH_DIRTY, &k.buffer_heads[0].b_state);
        }),
    ],
    at_end: Some(|k| {
        let state = &k.buffer_heads[0].b_state;
        if !state.peek(BH_LOCK) {
            reached(CHANGED);
        }
        the_flag_is_kept(state, BH_DIRTY);
    }),
    ..Scenario::EMPTY
};

static BUFFER_WRITTEN: Scenario = Scenario {
    name: "buffer_dirtied_while_its_write_begins",
    about: "The folio is locked, and its buffer is dirty: CPU0 begins to write it. CPU1 sets \
            BH_Dirty; if it was clear by then, it stays set.",
    machine: Machine::TINY.aops(&[Aops::Buffers]).sleepers(1).writeback_pins(false),
    setup: |k| {
        locked(k);
        set_bit(BH_DIRTY, &k.buffer_heads[0].b_state);
    },
    tasks: &[
        cpu(0, "flush worker", |k| {
            __block_write_full_folio(k, &k.folios[0], SyncMode::All, |_, _| ());
        }),
        cpu(1, "writer", |k| {
            if !test_and_set_bit(BH_DIRTY, &k.buffer_heads[0].b_state) {
                plain_write(&k.outcome, 1);
            }
        }),
    ],
    at_end: Some(|k| {
        if k.outcome.peek() == 1 {
            reached(CHANGED);
            the_flag_is_kept(&k.buffer_heads[0].b_state, BH_DIRTY);
        }
    }),
    ..Scenario::EMPTY
};

pub(super) fn claims() -> Vec<Answers> {
    let atomic = Analysis("the writers of one word hold no lock in common: set_bit() is atomic");
    let kept = |scenario| ask(NO_FLAG_OF_OTHERS_IS_LOST, scenario, atomic, &[CHANGED]).under(DPOR);
    vec![
        kept(&ACTIVATED).holds(&[&V6_12_117]).violated(&[&ACTIVE_NOT_ATOMIC]),
        kept(&DEACTIVATED).holds(&[&V6_12_117]).violated(&[&INACTIVE_NOT_ATOMIC]),
        kept(&MLOCKED).holds(&[&V6_12_117]).violated(&[&UNEVICTABLE_NOT_ATOMIC]),
        kept(&NEW_MLOCKED).holds(&[&V6_12_117]).violated(&[&NEW_MLOCKED_NOT_ATOMIC]),
        kept(&PUT_BACK).holds(&[&V6_12_117]).violated(&[&PUT_BACK_NOT_ATOMIC]),
        kept(&WRITTEN).holds(&[&V6_12_117]).violated(&[&WRITEBACK_NOT_ATOMIC]),
        kept(&BUFFER).holds(&[&V6_12_117]).violated(&[&BUFFER_UNLOCK_NOT_ATOMIC]),
        kept(&BUFFER_WRITTEN).holds(&[&V6_12_117]).violated(&[&ASYNC_WRITE_NOT_ATOMIC]),
    ]
}
