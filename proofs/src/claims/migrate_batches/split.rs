//! A large folio that is split while others of the batch are locked: kernel-migrate C.2.

use selvedge_kernel::{enter, join};
use selvedge_models::Machine;
use selvedge_models::mm::filemap::{folio_lock, folio_unlock};
use selvedge_models::mm::migrate::SPLIT;
use selvedge_models::mm::swap::{folio_get, folio_put};
use selvedge_models::trees::*;
use selvedge_models::trees::{M2, M3, M4, M5, M6, M7};
use selvedge_trace::Name;

use super::*;
use crate::Answers;

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
        let _in = enter("ext4_writepages");
        folio_lock(k, &k.folios[0]);
        folio_lock(k, &k.folios[1]);
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

/// It tries the lock since 6.11.
const SPLIT_WAITS: Source =
    Source::Commit { id: "2e6506e1c4ee", remark: "until then a split waits" };

pub(in crate::claims) fn claims() -> Vec<Answers> {
    let of = |at: usize| hang(&SPLIT_VS_LOCKER[at], SPLIT_WAITS, &[SPLIT]).under(DPOR);
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
    vec![
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
