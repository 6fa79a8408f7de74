//! Folios that a migration writes out, of filesystems that do not migrate theirs: kernel-migrate
//! C.4, C-S5 and C-S6.

use selvedge_kernel::{fail_about, join, plain_write, set_bit, test_and_set_bit};
use selvedge_models::PG_DIRTY;
use selvedge_models::mm::filemap::{folio_lock, folio_unlock};
use selvedge_models::mm::memory::{do_swap_page, user_store};
use selvedge_models::mm::migrate::{Aops, DIRTY_REFUSED, Mode, WRITTEN_OUT, writeout};
use selvedge_models::trees::*;
use selvedge_models::trees::{M2, M3, M4, M5, M6, M7};

use super::{ALONE, DPOR, ONE, migrate, scenario};
use crate::Source::{Analysis, Comment};
use crate::rules::{
    A_DIRTY_FOLIO_IS_WRITTEN_OUT, A_PAGE_IS_ONE_FOLIO, KERNEL_ASSERTIONS_HOLD,
    WHAT_IS_CLEAN_IS_ON_DISK, the_disk_has_the_folio,
};
use crate::{Answers, Run, Scenario, Source, ask, cpu};

/// A dirty folio of a filesystem that does not migrate its folios, migrated in MIGRATE_SYNC.
fn writes_out(k: &Run) {
    set_bit(PG_DIRTY, &k.folios[0].flags);
    join(migrate(k, Mode::Sync, &[0]));
}

static WRITTEN_OUT_ASYNC: Scenario = scenario(
    "writepage_starts_writeback",
    "CPU0 migrates a dirty folio in MIGRATE_SYNC, for which ->writepage() starts a writeback \
     that ends on CPU1.",
    ONE.aops(&[Aops::WritepageAsync]).writeback().dirty().passes(4),
    writes_out,
    |_| {},
);

static WRITTEN_OUT_MAPPED: Scenario = scenario(
    "writepage_of_a_mapped_folio",
    "CPU0 migrates a dirty, mapped folio in MIGRATE_SYNC, which ->writepage() has written when \
     it returns; CPU1 stores to the page, and if it faults, once more when the migration lets \
     it.",
    ONE.aops(&[Aops::WritepageSync]).dirty().mapped().tlb().passes(4),
    |k| {
        set_bit(PG_DIRTY, &k.folios[0].flags);
        let migrator = migrate(k, Mode::Sync, &[0]);
        let user = k.task(1, "user", |k| {
            if !user_store(k, 0, 1) {
                do_swap_page(k, 0);
                user_store(k, 0, 1);
            }
        });
        join(migrator);
        join(user);
    },
    |_| {},
);

static WRITTEN_OUT_ALONE: Scenario = scenario(
    "dirty_folio_without_migrate_folio",
    "CPU0 migrates a dirty folio in MIGRATE_SYNC, which ->writepage() has written when it returns. \
     Nobody else does anything.",
    ONE.cpus(1).aops(&[Aops::WritepageSync]).dirty().passes(4),
    writes_out,
    |k| {
        let left = k.outcome.peek();
        let flags = &k.folios[k.i_pages[0].peek() as usize - 1].flags;
        if left > 0 || flags.peek(PG_DIRTY) {
            let message = if left > 0 { "the folio has not moved" } else { "it moved dirty" };
            fail_about(A_DIRTY_FOLIO_IS_WRITTEN_OUT, message, flags.object());
        }
    },
);

static DIRTIED_MEANWHILE: Scenario = Scenario {
    name: "folio_is_dirtied_while_written_out",
    about: "CPU0 has a folio locked, and writes it out if it is dirty, as migration does before it \
            tries once more; ->writepage() has written it when it returns. CPU1 writes to the \
            folio, and marks it dirty, as the end of direct I/O into a mapped page does.",
    machine: ONE.aops(&[Aops::WritepageSync]).dirty().disk(),
    setup: |k| set_bit(PG_DIRTY, &k.folios[0].flags),
    tasks: &[
        cpu(0, "migrator", |k| {
            folio_lock(k, &k.folios[0]);
            // Always an error: it is to be tried again.
            let _again = writeout(k, &k.folios[0]);
            folio_unlock(k, &k.folios[0]);
        }),
        cpu(1, "user", |k| {
            plain_write(&k.folios[0].contents, 1);
            // filemap_dirty_folio()
            test_and_set_bit(PG_DIRTY, &k.folios[0].flags);
        }),
    ],
    at_end: Some(|k| the_disk_has_the_folio(k, k.disk.as_ref().expect("Machine::disk"))),
    ..Scenario::EMPTY
};

pub(in crate::claims) fn claims() -> Vec<Answers> {
    let sheet = Source::migrate;
    let orders = Analysis("who clears PG_dirty writes what was there when it was set");
    let clean = Comment { file: "mm/migrate.c", says: "the folio must be clean for migration" };
    vec![
        ask(KERNEL_ASSERTIONS_HOLD, &WRITTEN_OUT_ASYNC, sheet("C-S5"), &[WRITTEN_OUT])
            .under(DPOR)
            .holds(&[&M0])
            .violated(&[&M2, &M3, &M4, &M5, &M6, &M6S, &M7A]),
        ask(KERNEL_ASSERTIONS_HOLD, &WRITTEN_OUT_ASYNC, sheet("C-S5"), &[DIRTY_REFUSED])
            .under(DPOR)
            .holds(&[&M7]),
        ask(A_DIRTY_FOLIO_IS_WRITTEN_OUT, &WRITTEN_OUT_ALONE, clean, &[WRITTEN_OUT])
            .under(ALONE)
            .holds(&[&M0, &M6S])
            .broken_after(&[DIRTY_REFUSED])
            .violated_as(Source::commit("7ee3647243e5"), &[&M7]),
        ask(WHAT_IS_CLEAN_IS_ON_DISK, &DIRTIED_MEANWHILE, orders, &[WRITTEN_OUT])
            .under(DPOR)
            .holds(&[&M0, &M6S]),
        // Whatever is stored through the entry is lost then.
        ask(A_PAGE_IS_ONE_FOLIO, &WRITTEN_OUT_MAPPED, sheet("C-S6"), &[WRITTEN_OUT])
            .under(DPOR)
            .holds(&[&M0, &M6, &M7A])
            .violated(&[&M6S]),
        ask(A_PAGE_IS_ONE_FOLIO, &WRITTEN_OUT_MAPPED, sheet("C-S6"), &[DIRTY_REFUSED])
            .under(DPOR)
            .holds(&[&M7]),
    ]
}
