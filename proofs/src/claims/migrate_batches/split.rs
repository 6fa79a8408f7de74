//! A large folio that is split while others of the batch are locked: kernel-migrate C.2.

use selvedge_kernel::{enter, fail_about, join, plain_read};
use selvedge_models::Machine;
use selvedge_models::mm::filemap::{filemap_get_entry, folio_lock, folio_trylock, folio_unlock};
use selvedge_models::mm::migrate::SPLIT;
use selvedge_models::mm::swap::{folio_get, folio_put};
use selvedge_models::trees::*;
use selvedge_models::trees::{M2, M3, M4, M5, M6, M7};
use selvedge_trace::Name;

use super::*;
use crate::Answers;
use crate::rules::{
    A_LOCKED_FOLIO_STAYS_WHOLE, A_TARGET_IS_AS_LARGE, MIGRATION_HAS_ONE_END,
    migration_has_one_end_at_rest,
};
use crate::states::{MIGRATED, SLEPT, TO_BE_SPLIT};

pub(super) const B_IS_LARGE: Machine = TWO.cpus(2).without_target(&[0]);

pub(super) const SPLITS: &str = "B is large, and there is no target of its size. CPU0 migrates A and B; CPU1 has B locked and \
     then locks A.";

pub(super) fn locker_of_both<const MODE: u8, const A_FIRST: bool>(k: &Run) {
    let holder = Name::new("locker");
    for folio in &k.folios[..2] {
        folio_get(folio, holder);
    }
    let m = migrator(k, "kcompactd0", mode(MODE), list(A_FIRST));
    let locker = k.task(1, "locker", move |k| {
        {
            let _in = enter("ext4_writepages");
            folio_lock(k, &k.folios[0]);
            folio_lock(k, &k.folios[1]);
        }
        for folio in k.folios[..2].iter().rev() {
            folio_unlock(k, folio);
            folio_put(k, folio, holder);
        }
    });
    join(m);
    join(locker);
}

static SPLIT_VS_LOCKER: [Scenario; 6] = [
    of_two("split_vs_locker_async_ba", SPLITS, B_IS_LARGE, locker_of_both::<ASYNC, false>),
    of_two("split_vs_locker_async_ab", SPLITS, B_IS_LARGE, locker_of_both::<ASYNC, true>),
    of_two("split_vs_locker_sync_light_ba", SPLITS, B_IS_LARGE, locker_of_both::<LIGHT, false>),
    of_two("split_vs_locker_sync_light_ab", SPLITS, B_IS_LARGE, locker_of_both::<LIGHT, true>),
    of_two("split_vs_locker_sync_ba", SPLITS, B_IS_LARGE, locker_of_both::<SYNC, false>),
    of_two("split_vs_locker_sync_ab", SPLITS, B_IS_LARGE, locker_of_both::<SYNC, true>),
];

/// A large folio without a target of its size.
const LARGE: Machine = ONE.without_target(&[0]);

static ALONE_SPLIT: Scenario = scenario(
    "large_folio_without_target",
    "CPU0 migrates a large folio in MIGRATE_ASYNC, for which there is no target of its size. Nobody \
     else does anything.",
    LARGE,
    |k| join(migrate(k, Mode::Async, &[0])),
    |k| {
        let whole = &k.folios[0].is_whole;
        if k.outcome.peek() == 0 && whole.peek() != 0 {
            fail_about(A_TARGET_IS_AS_LARGE, "folio0 migrated whole", whole.object());
        }
        if k.outcome.peek() != 0 {
            let message = "nobody else was there, and folio0 was not migrated";
            fail_about(A_TARGET_IS_AS_LARGE, message, k.outcome.object());
        }
    },
);

static LOCKED_SPLIT: Scenario = scenario(
    "large_folio_is_locked",
    "The same, while CPU1 has the folio locked for a moment, and looks twice whether it is whole.",
    LARGE,
    |k| {
        let migrator = migrate(k, Mode::Async, &[0]);
        let holder = k.task(1, "holder", |k| {
            let folio = &k.folios[0];
            if !folio_trylock(folio) {
                return;
            }
            let was_whole = plain_read(&folio.is_whole);
            if was_whole != plain_read(&folio.is_whole) {
                let message = "folio0 was split under its holder";
                fail_about(A_LOCKED_FOLIO_STAYS_WHOLE, message, folio.is_whole.object());
            }
            folio_unlock(k, folio);
        });
        join(migrator);
        join(holder);
    },
    |_| {},
);

static SPLIT_VS_LOOKUP: Scenario = scenario(
    "split_vs_lookup",
    "The same, while CPU1 looks up a page of the folio, and lets it go.",
    LARGE,
    |k| {
        let migrator = migrate(k, Mode::Async, &[0]);
        let reader = k.task(1, "reader", |k| {
            let holder = Name::new("lookup");
            if let Some(folio) = filemap_get_entry(k, 0, holder) {
                folio_put(k, folio, holder);
            }
        });
        join(migrator);
        join(reader);
    },
    migration_has_one_end_at_rest,
);

/// It tries the lock since 6.11.
const SPLIT_WAITS: Source =
    Source::Commit { id: "2e6506e1c4ee", remark: "until then a split waits" };

pub(in crate::claims) fn claims() -> Vec<Answers> {
    let of = |at: usize| {
        hang(&SPLIT_VS_LOCKER[at], SPLIT_WAITS, &[SPLIT])
            .under(DPOR)
            .broken_after(&[TO_BE_SPLIT, SLEPT])
    };
    let b_first = |at: usize| of(at).holds(&[&M0, &M2, &M3, &M4, &M6S, &M7]);
    let blocking = |at: usize| {
        of(at).holds(&[&M0, &M3, &M6, &M6S, &M7A, &M7]).violated(&[
            &M2,
            &M2_W,
            &M2_H,
            &M2_W_H,
            &HUGH_ADJUSTED_MODE,
            &M4,
            &M5,
        ])
    };
    let freeze = Analysis("a split freezes the count under the folio lock and that of i_pages");
    vec![
        ask(A_TARGET_IS_AS_LARGE, &ALONE_SPLIT, freeze, &[SPLIT, MIGRATED])
            .under(ALONE)
            .holds(&[&M6S])
            .broken_after(&[MIGRATED])
            .violated(&[&MIGRATES_LARGE_TO_SMALL]),
        ask(A_LOCKED_FOLIO_STAYS_WHOLE, &LOCKED_SPLIT, freeze, &[SPLIT])
            .under(DPOR)
            .holds(&[&M6S])
            .violated(&[&SPLITS_LOCKED]),
        ask(MIGRATION_HAS_ONE_END, &SPLIT_VS_LOOKUP, freeze, &[SPLIT]).under(DPOR).holds(&[&M6S]),
        b_first(IN_ASYNC + BA),
        of(IN_ASYNC + AB).holds(&[&M0, &M6, &M6S, &M7A, &M7]).violated(&[
            &M2,
            &M2_W,
            &M2_H,
            &M2_W_H,
            &HUGH_ADJUSTED_MODE,
            &M3,
            &M4,
            &M5,
        ]),
        b_first(IN_LIGHT + BA),
        blocking(IN_LIGHT + AB),
        b_first(IN_SYNC + BA),
        blocking(IN_SYNC + AB),
    ]
}
