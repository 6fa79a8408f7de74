//! What a migration carries over from the old folio to the new one: with nobody else about, each
//! step that does so can be missed.

use selvedge_kernel::{Name, plain_write, set_bit};
use selvedge_models::fs::buffer::brelse;
use selvedge_models::mm::migrate::{Aops, ISOLATION, Migrator, migrate_pages};
use selvedge_models::mm::swap::folio_get;
use selvedge_models::trees::*;
use selvedge_models::{Machine, PG_ACTIVE, PG_DIRTY, PG_PRIVATE, PG_UNEVICTABLE};

use super::ALONE;
use crate::Source::Comment;
use crate::rules::{A_MIGRATED_FOLIO_IS_WHOLE, CONTENTS, migrated_folio_is_whole};
use crate::states::MIGRATED;
use crate::{Answers, Run, Scenario, ask, cpu};

/// A file folio with contents, active and dirty.
fn full(k: &Run) {
    let folio = &k.folios[0];
    plain_write(&folio.contents, CONTENTS);
    set_bit(PG_ACTIVE, &folio.flags);
    set_bit(PG_DIRTY, &folio.flags);
    folio_get(folio, ISOLATION);
}

/// The same, with buffers that nobody uses.
fn full_of_idle_buffers(k: &Run) {
    full(k);
    brelse(Some(&k.buffer_heads[0]), Name::new("user of the bh"));
}

const SIZES: Machine =
    Machine::TINY.cpus(1).spares().sleepers(1).passes(1).batch(3).operations().dirty();

static PLAIN: Scenario = Scenario {
    name: "active_dirty_folio_is_migrated",
    about: "CPU0 migrates an active, dirty folio with private data. Nobody else does anything.",
    machine: SIZES.private(),
    setup: full,
    tasks: &[cpu(0, "migrator", |k| {
        migrate_pages(k, &[0], Migrator::SYNC);
    })],
    at_end: Some(|k| migrated_folio_is_whole(k, &[PG_ACTIVE, PG_DIRTY, PG_PRIVATE])),
    ..Scenario::EMPTY
};

static UNEVICTABLE: Scenario = Scenario {
    name: "unevictable_folio_is_migrated",
    about: "CPU0 migrates an unevictable folio with private data. Nobody else does anything.",
    machine: PLAIN.machine.mlock(),
    setup: |k| {
        plain_write(&k.folios[0].contents, CONTENTS);
        set_bit(PG_UNEVICTABLE, &k.folios[0].flags);
        folio_get(&k.folios[0], ISOLATION);
    },
    at_end: Some(|k| migrated_folio_is_whole(k, &[PG_UNEVICTABLE, PG_PRIVATE])),
    ..PLAIN
};

static BUFFERS: Scenario = Scenario {
    name: "active_dirty_folio_with_buffers_is_migrated",
    about: "CPU0 migrates an active, dirty folio with a buffer. Nobody else does anything.",
    machine: SIZES.aops(&[Aops::Buffers]),
    setup: full_of_idle_buffers,
    ..PLAIN
};

static NOREFS: Scenario = Scenario {
    name: "active_dirty_folio_of_a_block_device_is_migrated",
    about: "CPU0 migrates an active, dirty folio of a block device, with a buffer. Nobody else \
            does anything.",
    machine: SIZES.aops(&[Aops::BuffersNorefs]),
    ..BUFFERS
};

static NOREFS_OF_TWO: Scenario = Scenario {
    name: "dirty_folio_of_two_buffers_is_migrated",
    about: "CPU0 migrates an active, dirty folio of a block device, with two buffers. Nobody else \
            does anything.",
    machine: NOREFS.machine.ring(2).buffer_heads(2),
    setup: |k| {
        full(k);
        for bh in &k.buffer_heads {
            brelse(Some(bh), Name::new("user of the bh"));
        }
    },
    ..BUFFERS
};

/// An unevictable folio with buffers that nobody uses.
fn unevictable_with_buffers(k: &Run) {
    (UNEVICTABLE.setup)(k);
    brelse(Some(&k.buffer_heads[0]), Name::new("user of the bh"));
}

static UNEVICTABLE_BUFFERS: Scenario = Scenario {
    name: "unevictable_folio_with_buffers_is_migrated",
    about: "CPU0 migrates an unevictable folio with a buffer. Nobody else does anything.",
    machine: BUFFERS.machine.mlock(),
    setup: unevictable_with_buffers,
    ..UNEVICTABLE
};

static UNEVICTABLE_NOREFS: Scenario = Scenario {
    name: "unevictable_folio_of_a_block_device_is_migrated",
    about: "CPU0 migrates an unevictable folio of a block device, with a buffer. Nobody else does \
            anything.",
    machine: NOREFS.machine.mlock(),
    ..UNEVICTABLE_BUFFERS
};

pub(super) fn claims() -> Vec<Answers> {
    let flags = Comment {
        file: "include/linux/page-flags.h",
        says: "PAGE_FLAGS_CHECK_AT_FREE: no page is freed with these",
    };
    let whole =
        |scenario| ask(A_MIGRATED_FOLIO_IS_WHOLE, scenario, flags, &[MIGRATED]).under(ALONE);
    vec![
        whole(&PLAIN).holds(&[&V6_12_117]).violated(&[&MIGRATE_NO_FLAGS]),
        whole(&UNEVICTABLE).holds(&[&V6_12_117]),
        whole(&BUFFERS).holds(&[&V6_12_117]),
        whole(&NOREFS).holds(&[&V6_12_117]),
        whole(&NOREFS_OF_TWO).holds(&[&V6_12_117]),
        whole(&UNEVICTABLE_BUFFERS).holds(&[&V6_12_117]),
        whole(&UNEVICTABLE_NOREFS).holds(&[&V6_12_117]),
    ]
}
