//! The page locks of a zspage, which say that nobody looks at its pages any more when it is freed;
//! and the references of who came across one of them, which may be the last.

use selvedge_explore::Engine;
use selvedge_models::mm::filemap::{folio_trylock, folio_unlock};
use selvedge_models::mm::swap::{folio_get, folio_put};
use selvedge_models::trees::*;

use super::zsmalloc::{ZSPAGE, zspage_is_freed};
use super::{READER, allocates, frees};
use crate::Source::Comment;
use crate::rules::{A_LOCK_ORDERS_ITS_SECTIONS, USES_END_BEFORE_THE_FREE};
use crate::states::{FREED, LEFT_TO_FREE_WORK};
use crate::{Answers, Run, Scenario, ask, cpu};

/// `isolate_movable_page()` has this page locked, with a reference.
fn is_looked_at(k: &Run, page: usize) {
    folio_get(&k.folios[page], READER);
    assert!(folio_trylock(&k.folios[page]), "nobody else runs yet");
}

/// It has found that it does not get the page: `out_no_isolated`.
fn turns_back(k: &Run, page: usize) {
    folio_unlock(k, &k.folios[page]);
    folio_put(k, &k.folios[page], READER);
}

static FIRST_IS_LOOKED_AT: Scenario = Scenario {
    name: "last_free_vs_isolation_of_first_that_fails",
    about: "A zspage has two pages. CPU0 has the first locked, with a reference, cannot isolate \
            it, and lets go of it; CPU1 frees the object.",
    machine: ZSPAGE.folios(2).absent(2),
    before: &[cpu(0, "driver", allocates), cpu(0, "compaction", |k| is_looked_at(k, 0))],
    tasks: &[cpu(0, "compaction", |k| turns_back(k, 0)), cpu(1, "zram", frees)],
    at_end: Some(zspage_is_freed),
    ..Scenario::EMPTY
};

static SECOND_IS_LOOKED_AT: Scenario = Scenario {
    name: "last_free_vs_isolation_of_second_that_fails",
    about: "The same of the second page.",
    before: &[cpu(0, "driver", allocates), cpu(0, "compaction", |k| is_looked_at(k, 1))],
    tasks: &[cpu(0, "compaction", |k| turns_back(k, 1)), cpu(1, "zram", frees)],
    ..FIRST_IS_LOOKED_AT
};

const WAITED: &str = "lock_zspage() waited for a page";

const GRAPH: &[Engine] = &[Engine::Graph];

pub(in crate::claims) fn claims() -> Vec<Answers> {
    let locks = Comment {
        file: "Documentation/atomic_bitops.txt",
        says: "test_and_set_bit_lock() has acquire, clear_bit_unlock() release semantics",
    };
    let ordered = Comment {
        file: "Documentation/core-api/refcount-vs-atomic.rst",
        says: "decrement-based RMW operations that return a value are fully ordered",
    };
    let of_page = |scenario| {
        [(A_LOCK_ORDERS_ITS_SECTIONS, locks), (USES_END_BEFORE_THE_FREE, ordered)].map(
            |(rule, source)| {
                ask(rule, scenario, source, &[FREED, LEFT_TO_FREE_WORK, WAITED])
                    .under(GRAPH)
                    .holds(&[&V6_12_117])
            },
        )
    };
    [of_page(&FIRST_IS_LOOKED_AT), of_page(&SECOND_IS_LOOKED_AT)].concat()
}
