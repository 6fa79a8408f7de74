//! The functions that scenarios on the models and on C have in common: each with the kernel's name,
//! by which C has it, and its model.

use selvedge_kernel::{reached, send_sigkill as send};
use selvedge_models::fs::buffer;
use selvedge_models::mm::migrate::ISOLATION;
use selvedge_models::mm::{filemap, mlock, swap, vmscan};

use crate::calls::{Arg, Function, Model, bh, folio};
use crate::rules;
use crate::states::DISABLED;

const fn both(name: &'static str, model: Model) -> Function {
    Function { name, model: Some(model), judge: |_| {} }
}

/// A function without a model.
pub const fn on_c_only(name: &'static str) -> Function {
    Function { name, model: None, judge: |_| {} }
}

/// mm/swap.c
pub const FOLIO_ADD_LRU: Function = both("folio_add_lru", |k, args| {
    swap::folio_add_lru(k, folio(k, args));
    0
});
/// mm/swap.c
pub const FOLIO_ACTIVATE: Function = both("folio_activate", |k, args| {
    swap::folio_activate(k, folio(k, args));
    0
});
/// mm/swap.c
pub const FOLIO_ROTATE_RECLAIMABLE: Function = both("folio_rotate_reclaimable", |k, args| {
    swap::folio_rotate_reclaimable(k, folio(k, args));
    0
});
/// mm/swap.c
pub const DEACTIVATE_FILE_FOLIO: Function = both("deactivate_file_folio", |k, args| {
    swap::deactivate_file_folio(k, folio(k, args));
    0
});
/// mm/swap.c
pub const LRU_ADD_DRAIN: Function = both("lru_add_drain", |k, _| {
    swap::lru_add_drain(k);
    0
});
/// mm/swap.c
pub const LRU_ADD_DRAIN_ALL: Function = both("lru_add_drain_all", |k, _| {
    swap::lru_add_drain_all(k);
    0
});
/// mm/swap.c
pub const LRU_CACHE_DISABLE: Function = both("lru_cache_disable", |k, _| {
    (k.tree.swap.lru_cache_disable())(k);
    reached(DISABLED);
    0
});
/// How many folios are left in the `lru_add` batch of the CPU?
pub const OWN_BATCH_IS_EMPTY: Function = Function {
    judge: rules::own_batch_was_empty,
    ..both("own_batch_is_empty", |k, _| {
        rules::own_batch_is_empty(k);
        0
    })
};

/// mm/vmscan.c
pub const FOLIO_ISOLATE_LRU: Function = both("folio_isolate_lru", |k, args| {
    i64::from(vmscan::folio_isolate_lru(k, folio(k, args), ISOLATION))
});

/// mm/mlock.c
pub const MLOCK_FOLIO: Function = both("mlock_folio", |k, args| {
    mlock::mlock_folio(k, folio(k, args));
    0
});
/// mm/mlock.c
pub const MLOCK_NEW_FOLIO: Function = both("mlock_new_folio", |k, args| {
    mlock::mlock_new_folio(k, folio(k, args));
    0
});
/// mm/mlock.c
pub const MUNLOCK_FOLIO: Function = both("munlock_folio", |k, args| {
    mlock::munlock_folio(k, folio(k, args));
    0
});
/// mm/mlock.c; since 6.5 (before, `mlock_page_drain_local()`).
pub const MLOCK_DRAIN_LOCAL: Function = both("mlock_drain_local", |k, _| {
    mlock::mlock_drain_local(k);
    0
});

/// include/linux/pagemap.h
pub const FOLIO_TRYLOCK: Function =
    both("folio_trylock", |k, args| i64::from(filemap::folio_trylock(folio(k, args))));
/// include/linux/pagemap.h
pub const FOLIO_LOCK: Function = both("folio_lock", |k, args| {
    filemap::folio_lock(k, folio(k, args));
    0
});
/// include/linux/pagemap.h
pub const FOLIO_LOCK_KILLABLE: Function = both("folio_lock_killable", |k, args| {
    i64::from(filemap::folio_lock_killable(k, folio(k, args)).is_err())
});
/// mm/filemap.c
pub const FOLIO_UNLOCK: Function = both("folio_unlock", |k, args| {
    filemap::folio_unlock(k, folio(k, args));
    0
});
/// What a SIGKILL comes to once its target is chosen.
pub const SEND_SIGKILL: Function = both("send_sigkill", |k, args| {
    let Some(Arg::Sleeper(index)) = args.first() else { panic!("who is killed? {args:?}") };
    send(&k.cpus, k.sleepers[*index].task());
    0
});

/// fs/buffer.c
pub const BH_LRU_INSTALL: Function = both("bh_lru_install", |k, args| {
    (k.tree.buffer.bh_lru_install())(k, bh(k, args));
    0
});
/// fs/buffer.c
pub const INVALIDATE_BH_LRUS: Function = both("invalidate_bh_lrus", |k, _| {
    buffer::invalidate_bh_lrus(k);
    0
});
