//! A buffer that is locked for a write which needs a folio that the migration has locked:
//! kernel-migrate D-S1.

use selvedge_kernel::{join, set_bit};
use selvedge_models::drivers::block::r#loop::{Backing, Completion, SERVED, loop_queue_work};
use selvedge_models::fs::buffer::put_bh;
use selvedge_models::fs::jbd2::__flush_batch;
use selvedge_models::mm::migrate::{Aops, FOUND_A_LOCKED_BUFFER, WAITED_FOR_BUFFER};
use selvedge_models::mm::swap::folio_get;
use selvedge_models::trees::*;
use selvedge_models::trees::{M2, M3, M4, M5, M6, M7};
use selvedge_models::{BH_DIRTY, BH_UPTODATE, Machine, Tree};
use selvedge_trace::Name;

use super::*;
use crate::Answers;
use crate::states::{SLEPT, SLEPT_ON_A_BIT};

pub(super) const ON_LOOP: Machine = TWO.aops(&[Aops::BuffersNorefs]);

pub(super) const JBD2: &str = "B is metadata on a loop device, A the folio of its backing file. CPU0 migrates both; on CPU1 \
     jbd2 writes the buffer of B; on CPU2 the loop worker serves the write, for which it needs A. \
     The worker keeps its reference to A, which so never migrates; jbd2's own references to the \
     buffer are left out, so that B may.";

pub(super) fn jbd2_writes<const MODE: u8, const A_FIRST: bool>(k: &Run) {
    let bh = &k.buffer_heads[0];
    put_bh(bh, Name::new("user of the bh"));
    // mark_buffer_dirty() wants it uptodate, and so it stays.
    set_bit(BH_UPTODATE, &bh.b_state);
    set_bit(BH_DIRTY, &bh.b_state);
    folio_get(&k.folios[1], Name::new("loop worker"));
    let m = migrator(k, "kcompactd0", mode(MODE), list(A_FIRST));
    let jbd2 = k.task(1, "jbd2", |k| {
        __flush_batch(k, &k.buffer_heads[0], |k| {
            loop_queue_work(k, 2, Backing::Folio(1), Completion::EndsBuffer(0));
        });
    });
    join(m);
    join(jbd2);
}

static D_S1: [Scenario; 6] = [
    of_two("jbd2_writes_to_loop_async_ba", JBD2, ON_LOOP, jbd2_writes::<ASYNC, false>),
    of_two("jbd2_writes_to_loop_async_ab", JBD2, ON_LOOP, jbd2_writes::<ASYNC, true>),
    of_two("jbd2_writes_to_loop_sync_light_ba", JBD2, ON_LOOP, jbd2_writes::<LIGHT, false>),
    of_two("jbd2_writes_to_loop_sync_light_ab", JBD2, ON_LOOP, jbd2_writes::<LIGHT, true>),
    of_two("jbd2_writes_to_loop_sync_ba", JBD2, ON_LOOP, jbd2_writes::<SYNC, false>),
    of_two("jbd2_writes_to_loop_sync_ab", JBD2, ON_LOOP, jbd2_writes::<SYNC, true>),
];

/// These never wait for the buffer; for B's pair alone the adjusted mode would, and A is there.
const FOUND: &[&str] = &[FOUND_A_LOCKED_BUFFER, SERVED];
/// jbd2 has the buffer, the loop worker or the migration sleeps for a folio.
const STUCK: &[&str] = &[FOUND_A_LOCKED_BUFFER, SLEPT_ON_A_BIT, SLEPT];
const WAITED: &[&str] = &[WAITED_FOR_BUFFER, SERVED];

/// In the modes that may block: who waits for the buffer, and who does not.
fn blocking(at: usize, waits: &[&'static Tree]) -> [Answers; 2] {
    let sheet = Source::migrate("D-S1");
    [
        hang(&D_S1[at], sheet, WAITED)
            .under(DPOR)
            .holds(waits)
            .broken_after(STUCK)
            .violated(&[&M2, &M2_W]),
        hang(&D_S1[at], sheet, FOUND)
            .under(DPOR)
            .holds(&[&M2_H, &M2_W_H])
            .holds_as(HUGH, &[&HUGH_ADJUSTED_MODE]),
    ]
}

pub(in crate::claims) fn claims() -> Vec<Answers> {
    let asynchronous = |at: usize| {
        let question = hang(&D_S1[at], Source::migrate("D-S1"), FOUND);
        question
            .under(DPOR)
            .holds(&[&M0, &M2, &M2_W, &M2_H, &M2_W_H, &M3, &M4, &M5, &M6, &M6S, &M7A, &M7])
    };
    let mut all = vec![asynchronous(IN_ASYNC + BA), asynchronous(IN_ASYNC + AB)];
    let every: &[&Tree] = &[&M0, &M3, &M4, &M5, &M6, &M6S, &M7A, &M7];
    all.extend(blocking(IN_LIGHT + BA, every));
    let [waits, finds] = blocking(IN_SYNC + BA, &[&M0, &M3, &M4, &M6, &M6S, &M7A, &M7]);
    all.extend([waits.not_asked(&M4, &[&M5]), finds]);
    // With A first the migration can wait for B's buffer only when it has let A go, which it does
    // by a failure of A's move. Releases that take the same steps are asked in the other order
    // only.
    all.extend(blocking(IN_LIGHT + AB, &[&M0, &M3, &M4, &M7]));
    all.extend(blocking(IN_SYNC + AB, &[&M0, &M3, &M4, &M7]));
    // kernel-migrate CM6
    let mistake = Source::migrate("CM6");
    for at in [IN_LIGHT + BA, IN_SYNC + AB] {
        let question = hang(&D_S1[at], mistake, FOUND);
        all.push(question.under(DPOR).violated_after(STUCK, &[&CM6_SYNC_BATCHES]));
    }
    all
}
