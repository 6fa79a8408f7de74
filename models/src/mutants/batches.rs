//! Functions of mm/migrate.c that migrate in batches, and of fs/buffer.c that they meet, with a
//! fault.

use selvedge_kernel::{
    Name, atomic_read, clear_bit_unlock, enter, reached, spin_lock, spin_unlock,
    test_and_set_bit_lock,
};

use crate::fs::buffer::{Finder, folio_buffers, get_if_in_ring, trylock_buffer, unlock_buffer};
use crate::kernel::{BH_MIGRATE, PG_LOCKED};
use crate::mm::filemap::{filemap_get_entry, folio_unlock, folio_wait_bit};
use crate::mm::migrate::batch_m4::{Lists, migrate_pages_batch, unmap_folios};
use crate::mm::migrate::buffers::{
    buffer_migrate_lock_buffers, may_wait_for_buffer, move_ring, move_unless_busy,
    nobody_holds_a_buffer,
};
use crate::mm::migrate::mapping::{MIGRATION_TARGET, extract, folio_expected_ref_count, record};
use crate::mm::migrate::move_folio::{
    Batch, drain_after_move, migrate_folio_done, move_to_new_folio,
};
use crate::mm::migrate::unmap::{Target, migrate_folio_lock, migrate_folio_undo_src, undo_dst};
use crate::mm::migrate::{Errno, FOUND_REFERENCES_EARLY, Migrator, Mode, lock_src_of_batch};
use crate::mm::rmap::remove_migration_ptes;
use crate::mm::swap::{folio_add_lru, folio_put};
use crate::{BufferHead, Folio, Kernel};

/// The source's lock of a batch of 6.3-rc1, without a look at `avoid_force_lock`.
pub fn waits_with_others_locked(
    k: &Kernel,
    src: &Folio,
    who: Migrator,
    force: bool,
    _avoid_force_lock: bool,
) -> Result<(), Errno> {
    migrate_folio_lock(k, src, who, force)
}

/// The source's lock of a batch of 6.3-rc1 where `-EDEADLOCK` leads to another round at once, with
/// what is locked neither moved nor let go. Such a round takes the same steps as the one before
/// until somebody unlocks the source, and nobody can tell how many of them there were. So they are
/// one sleep here until the source is unlocked: who sleeps for ever goes round for ever, if only
/// whoever can go on does so at some time.
pub fn tries_again_unmoved(
    k: &Kernel,
    src: &Folio,
    who: Migrator,
    force: bool,
    avoid_force_lock: bool,
) -> Result<(), Errno> {
    loop {
        match lock_src_of_batch(k, src, who, force, avoid_force_lock) {
            Err(Errno::Deadlock) => folio_wait_bit(k, src, PG_LOCKED),
            locked => return locked,
        }
    }
}

/// `migrate_folio_undo_src()` that is not called.
pub fn undoes_nothing(_: &Kernel, _: &Folio, _: bool) {}

/// `migrate_folio_undo_src()` without `remove_migration_ptes()`.
pub fn unlocks_only(k: &Kernel, src: &Folio, _was_mapped: bool) {
    folio_unlock(k, src);
}

/// `migrate_pages_sync()` whose second part gets what is left as one batch.
pub(crate) fn all_at_once(
    k: &Kernel,
    from: &mut Vec<usize>,
    who: Migrator,
    lists: &mut Lists,
) -> Result<(), Errno> {
    let _in = enter("migrate_pages_sync");
    let asynchronous = k.sizes.passes / 2;
    let mut first = Lists::default();
    let done = migrate_pages_batch(k, from, who.in_mode(Mode::Async), asynchronous, &mut first);
    lists.split.append(&mut first.split);
    from.append(&mut first.ret);
    done?;
    migrate_pages_batch(k, from, who, k.sizes.passes - asynchronous, lists)
}

/// The first loop of `migrate_pages_batch()`; what is to be tried again is on `ret_folios` besides.
pub(crate) fn keeps_and_gives_up(
    k: &Kernel,
    from: &mut Vec<usize>,
    who: Migrator,
    passes: usize,
    (batch, lists): (&mut Batch, &mut Lists),
) -> Result<(), Errno> {
    let done = unmap_folios(k, from, who, passes, (batch, lists));
    lists.ret.extend(from.iter());
    done
}

/// `migrate_folio_move()` that puts the target of a pair that is to be tried again at the end of
/// its list.
pub(crate) fn puts_target_last(
    k: &Kernel,
    batch: &mut Batch,
    at: usize,
    who: Migrator,
) -> Result<(), Errno> {
    let puts_back = |batch: &mut Batch, _, target| batch.put_target_last(target);
    move_pair(k, (batch, at), who, Move { puts_back, ..Move::RIGHT })
}

/// `migrate_folio_move()` that restores the page tables after it has unlocked the source.
pub(crate) fn restores_after_unlock(
    k: &Kernel,
    batch: &mut Batch,
    at: usize,
    who: Migrator,
) -> Result<(), Errno> {
    move_pair(k, (batch, at), who, Move { unlocks_first: true, ..Move::RIGHT })
}

/// What a [`move_pair`] does otherwise.
struct Move {
    puts_back: fn(&mut Batch, usize, Target),
    unlocks_first: bool,
}

impl Move {
    /// Nothing.
    const RIGHT: Move = Move { puts_back: Batch::put_target_back, unlocks_first: false };
}

/// `migrate_folio_move()` of 6.12.117.
fn move_pair(
    k: &Kernel,
    (batch, at): (&mut Batch, usize),
    who: Migrator,
    Move { puts_back, unlocks_first }: Move,
) -> Result<(), Errno> {
    let _in = enter("migrate_folio_move");
    let (src, target) = batch.take_target(at);
    let (src, dst) = (&k.folios[src], &k.folios[target.index]);
    extract(k, dst);
    let moved = move_to_new_folio(k, dst, src, who);
    if moved == Err(Errno::Again) {
        puts_back(batch, at, target);
        record(k, dst);
        return moved;
    }
    batch.remove_source(at);
    if moved.is_err() {
        migrate_folio_undo_src(k, src, target.was_mapped);
        undo_dst(k, dst);
        return moved;
    }
    folio_add_lru(k, dst);
    drain_after_move(k, target);
    if unlocks_first {
        folio_unlock(k, src);
    }
    if target.was_mapped {
        remove_migration_ptes(k, src, dst);
    }
    folio_unlock(k, dst);
    folio_put(k, dst, MIGRATION_TARGET);
    if !unlocks_first {
        folio_unlock(k, src);
    }
    migrate_folio_done(k, src);
    Ok(())
}

/// `__buffer_migrate_folio()` that, if one buffer cannot be locked, unlocks all of them.
pub fn unlocks_whole_ring(
    k: &Kernel,
    dst: &Folio,
    src: &Folio,
    who: Migrator,
    check_refs: bool,
) -> Result<(), Errno> {
    let ring = look_at_references(k, src)?;
    if !ring.iter().all(|bh| trylock_buffer(bh) || may_wait_for_buffer(k, bh, who, check_refs)) {
        for bh in ring {
            unlock_buffer(k, bh);
        }
        return Err(Errno::Again);
    }
    let moved = move_unless_busy(k, dst, src, ring);
    for bh in ring {
        unlock_buffer(k, bh);
    }
    moved
}

/// `__buffer_migrate_folio()` that takes `i_private_lock` before it locks the buffers.
pub fn locks_buffers_in_atomic(
    k: &Kernel,
    dst: &Folio,
    src: &Folio,
    who: Migrator,
    check_refs: bool,
) -> Result<(), Errno> {
    let ring = look_at_references(k, src)?;
    spin_lock(&k.cpus, &k.i_private_lock);
    let locked = buffer_migrate_lock_buffers(k, ring, who, check_refs);
    let is_busy = locked && ring.iter().any(|bh| atomic_read(&bh.b_count) != 0);
    let moved = if locked && !is_busy { move_ring(k, dst, src, ring) } else { Err(Errno::Again) };
    spin_unlock(&k.cpus, &k.i_private_lock);
    if locked {
        for bh in ring {
            unlock_buffer(k, bh);
        }
    }
    moved
}

/// `__buffer_migrate_folio()` of 6.15 that sets BH_Migrate when it has looked at b_count.
pub fn marks_after_the_scan(
    k: &Kernel,
    dst: &Folio,
    src: &Folio,
    who: Migrator,
    check_refs: bool,
) -> Result<(), Errno> {
    let ring = look_at_references(k, src)?;
    if !buffer_migrate_lock_buffers(k, ring, who, check_refs) {
        return Err(Errno::Again);
    }
    let may_move = nobody_holds_a_buffer(k, ring);
    spin_unlock(&k.cpus, &k.i_private_lock);
    test_and_set_bit_lock(BH_MIGRATE, &ring[0].b_state);
    let moved = if may_move { move_ring(k, dst, src, ring) } else { Err(Errno::Again) };
    clear_bit_unlock(BH_MIGRATE, &ring[0].b_state);
    for bh in ring {
        unlock_buffer(k, bh);
    }
    moved
}

/// The first part of `__buffer_migrate_folio()`, of a folio that has buffers.
fn look_at_references<'k>(k: &'k Kernel, src: &Folio) -> Result<&'k [BufferHead], Errno> {
    if atomic_read(&src.refcount) != folio_expected_ref_count(k, src) + 1 {
        reached(FOUND_REFERENCES_EARLY);
        return Err(Errno::Again);
    }
    Ok(folio_buffers(k, src))
}

/// `__find_get_block_slow()` of 6.15 of a caller that may sleep, without the folio lock.
pub fn finds_unlocked(k: &Kernel, wanted: &BufferHead, user: Name, _: Finder) -> bool {
    let _in = enter("__find_get_block_slow");
    let holder = Name::new("__find_get_block_slow");
    let Some(folio) = filemap_get_entry(k, wanted.index / k.initial.ring, holder) else {
        return false;
    };
    let found = get_if_in_ring(wanted, user);
    folio_put(k, folio, holder);
    found
}
