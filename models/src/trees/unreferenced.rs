//! Batches that take no reference of their folios.

use selvedge_kernel::edits::{Edit, Site};

use super::swap_mutants::no_claim;
use crate::mm::mlock::Mlock;
use crate::mm::swap::{
    BatchReferences, DeadFolios, Swap, folio_activate_unreferenced, folio_add_lru_unreferenced,
    folio_batch_move_lru_unreferenced, lock_and_add_unreferenced,
};
use crate::mutants::lru::adds_whatever_is_batched;
use crate::trees::MM_STABLE_2026_07;
use crate::{Commit, Tree};

/// Read in both files as they are there; the title is ours, and whether it is one commit is not
/// known.
static UNREFERENCED: Commit = Commit::posted(
    "mm/folio.c and mm/mlock.c of linux-mm at 0a99d0b06974: batches take no reference of their \
     folios, and mlocks are counted at once",
    &[
        set!(swap.batch_references = BatchReferences::OfDrain),
        set!(swap.dead_folios = DeadFolios::Linked),
        set!(swap.folio_add_lru = func!(folio_add_lru_unreferenced)),
        set!(swap.folio_activate = func!(folio_activate_unreferenced)),
        set!(swap.lock_and_add = func!(lock_and_add_unreferenced)),
        set!(swap.folio_batch_move_lru = func!(folio_batch_move_lru_unreferenced)),
        set!(mlock = Mlock::CountsAtOnce),
    ],
);

/// Of other files it has what [`MM_STABLE_2026_07`] has.
pub static BATCHES_WITHOUT_REFERENCES: Tree = Tree {
    name: "batches-without-references",
    about: UNREFERENCED.title,
    ..MM_STABLE_2026_07.patched(&[&UNREFERENCED])
};

/// PG_lru is not cleared.
pub static UNREFERENCED_MOVES_UNCLAIMED: Tree = BATCHES_WITHOUT_REFERENCES.edited(
    "batches-without-references-move-unclaimed",
    "batches without references, and a drain that does not clear PG_lru before it moves a folio",
    &[no_claim("folio_batch_move_lru")],
);

/// No `smp_mb__before_atomic()` before PG_lru is set.
pub static UNREFERENCED_NO_BARRIER: Tree = BATCHES_WITHOUT_REFERENCES.edited(
    "batches-without-references-no-barrier",
    "batches without references, and __folio_add_lru() without its smp_mb__before_atomic()",
    &[Edit::drop(Site::of("smp_mb__before_atomic").within("__folio_add_lru"))],
);

/// `lru_add_del_folio()` is not asked: the entry seems to be all that there is of the folio.
pub static UNREFERENCED_ADDS_TWICE: Tree = Tree {
    name: "batches-without-references-add-twice",
    about: "batches without references, and a drain that links a new folio whoever has linked it",
    swap: Swap {
        folio_batch_move_lru: func!(adds_whatever_is_batched),
        ..BATCHES_WITHOUT_REFERENCES.swap
    },
    ..BATCHES_WITHOUT_REFERENCES.mutant()
};
