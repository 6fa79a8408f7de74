//! `fallback_migrate_folio()`: a folio of a filesystem that has no `migrate_folio()`.
//!
//! Kept: `writeout()` with its order of steps, and what it leaves behind; `->writepage()` of two
//! kinds.
//! Left out: errors of `->writepage()`, AOP_WRITEPAGE_ACTIVATE, private data.
//! Source: mm/migrate.c `writeout()`, `fallback_migrate_folio()` of 6.1.192 and 6.12.117; in 6.16
//! without the former (7ee3647243e5).

use selvedge_kernel::{enter, plain_read, plain_write, reached, test_and_clear_bit, test_bit};

use crate::kernel::PG_DIRTY;
use crate::mm::filemap::{folio_lock, folio_unlock};
use crate::mm::migrate::mapping::migrate_folio;
use crate::mm::migrate::{Aops, Errno, Migrator, Mode, Writeout};
use crate::mm::page_writeback::{folio_end_writeback, folio_start_writeback};
use crate::mm::rmap::remove_migration_ptes;
use crate::{Folio, Kernel};

/// Migration wrote a folio out.
pub const WRITTEN_OUT: &str = "a migration wrote its source out";

/// Migration left a dirty folio alone.
pub const DIRTY_REFUSED: &str = "a migration refused a dirty folio";

/// `fallback_migrate_folio()`
pub fn fallback_migrate_folio(
    k: &Kernel,
    dst: &Folio,
    src: &Folio,
    who: Migrator,
) -> Result<(), Errno> {
    let _in = enter("fallback_migrate_folio");
    if !test_bit(PG_DIRTY, &src.flags) {
        // filemap_release_folio() has nothing to release.
        return migrate_folio(k, dst, src);
    }
    if who.mode != Mode::Sync || k.tree.migrate.writeout() == Writeout::Never {
        reached(DIRTY_REFUSED);
        return Err(Errno::Busy);
    }
    writeout(k, src)
}

/// `writeout()`: the folio is mapped again, unlocked meanwhile, and may be under writeback when it
/// is locked again. Always an error: `-EAGAIN`.
pub fn writeout(k: &Kernel, folio: &Folio) -> Result<(), Errno> {
    let _in = enter("writeout");
    // folio_clear_dirty_for_io()
    if !test_and_clear_bit(PG_DIRTY, &folio.flags) {
        return Err(Errno::Again);
    }
    remove_migration_ptes(k, folio, folio);
    writepage(k, folio);
    folio_lock(k, folio);
    reached(WRITTEN_OUT);
    Err(Errno::Again)
}

/// `->writepage()`: unlocks the folio. It has written it by then, under the lock alone; or starts a
/// writeback, which ends on the last CPU.
fn writepage(k: &Kernel, folio: &Folio) {
    let _in = enter("writepage");
    if folio.aops == Aops::WritepageSync {
        if let Some(disk) = &k.disk {
            plain_write(disk, plain_read(&folio.contents));
        }
        folio_unlock(k, folio);
        return;
    }
    folio_start_writeback(k, folio);
    folio_unlock(k, folio);
    let index = folio.index;
    k.task(k.sizes.cpus - 1, "end of I/O", move |k| folio_end_writeback(k, &k.folios[index]));
}
