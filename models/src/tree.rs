//! What a tree is: the functions, and the named decisions inside long ones, in which releases and
//! patches differ.

use crate::fs::buffer::Buffer;
use crate::mm::filemap::Filemap;
use crate::mm::gup::Gup;
use crate::mm::memory_hotplug::MemoryHotplug;
use crate::mm::migrate::Migrate;
use crate::mm::mlock::Mlock;
use crate::mm::swap::Swap;
use crate::mm::vmscan::Vmscan;

/// What a tree stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A release.
    Release,
    /// A patch as somebody posted it, on top of a release.
    Patch,
    /// A deliberate fault of ours, to see that some claim notices.
    Mutant,
}

/// A state of the modelled kernel. A patch is written as "this other tree, but these functions".
#[derive(Clone, Copy, Debug)]
pub struct Tree {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it stands for.
    pub kind: Kind,
    /// The tree that it was derived from; a release names itself.
    pub base: &'static str,
    /// What it is, in a line: title, author, date, commit.
    pub about: &'static str,
    /// What the counter of pending migrations is called in it.
    pub pending_name: &'static str,
    /// fs/buffer.c
    pub buffer: Buffer,
    /// mm/filemap.c
    pub filemap: Filemap,
    /// mm/swap.c
    pub swap: Swap,
    /// mm/mlock.c
    pub mlock: Mlock,
    /// mm/vmscan.c
    pub vmscan: Vmscan,
    /// mm/gup.c
    pub gup: Gup,
    /// mm/migrate.c
    pub migrate: Migrate,
    /// `CONFIG_PREEMPT_RT`: spinlocks and local locks sleep, interrupts run in threads.
    pub preempt_rt: bool,
    /// mm/memory_hotplug.c
    pub memory_hotplug: MemoryHotplug,
}
