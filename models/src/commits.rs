//! Commits: what each changed in the modelled functions, and which releases have it. Releases are
//! folded from this list, so that a backport or a revert is said once.
//!
//! Most are named in kernel changelogs and in the files that they changed. Where only the title of
//! a merged patch is known, `hash` is `None`.

use crate::fs::buffer::{FindBlock, InstallCheck, RingMove};
use crate::fs::fuse::FuseWriteback;
use crate::mm::filemap::{
    EndWriteback, WqFlags, folio_wait_bit_common, wait_and_retry, wait_for_hand_off,
    wake_and_hand_off, wake_page_function,
};
use crate::mm::gup::{GUP_PIN_COUNTING_BIAS, LongtermContent, LongtermDrain};
use crate::mm::hugetlb::HugeRestore;
use crate::mm::memory::EntryWait;
use crate::mm::memory_hotplug::FailedRemoval;
use crate::mm::migrate::{
    __folio_migrate_mapping, __migrate_folio, BufferLock, DrainAfterMove, ExpectedRefs, NoteIn,
    Pages, SplitLock, SrcLock, TlbFlush, Writeout,
};
use crate::mm::mlock::Mlock;
use crate::mm::movable::{self, SlabLayout};
use crate::mm::swap::{
    __lru_add_drain_all, BhLruDrain, DeactivateFile, ForcedDrain, LruAdd, LruClaim, LruLook,
    OwnDrain, RemoteLook, lru_cache_disable_by_rcu, lru_cache_disable_by_rcu_expedited,
    lru_cache_disable_by_work, lru_cache_disabled, lru_cache_enable,
};
use crate::mm::vmscan::SortFolio;
use crate::mm::{balloon_compaction as balloon, zsmalloc};
use crate::{Change, Version};

/// A commit, or a patch that was posted, as far as it changes what is modelled. Its title is its
/// identity.
#[derive(Clone, Copy, Debug)]
pub struct Commit {
    /// The first twelve digits of its id; `None` if it was never merged, or is not known.
    pub hash: Option<&'static str>,
    /// Its title; of a patch that was never merged, with its author and date.
    pub title: &'static str,
    /// The first mainline version that has it; `None` if it was never merged.
    pub since: Option<&'static str>,
    /// Of stable series that have it too: a release in which it was seen. Earlier ones of the
    /// series may have it.
    pub stable: &'static [&'static str],
    /// What it sets.
    pub sets: &'static [Change],
}

impl Commit {
    /// A patch that was posted and never merged in this form, or one of our own.
    pub const fn posted(title: &'static str, sets: &'static [Change]) -> Commit {
        Commit { hash: None, title, since: None, stable: &[], sets }
    }

    /// Does this release have it?
    pub const fn is_in(&self, release: Version) -> bool {
        if let Some(since) = self.since
            && Version::parse(since).is_in(release)
        {
            return true;
        }
        let mut at = 0;
        while at < self.stable.len() {
            if Version::parse(self.stable[at]).is_backported_to(release) {
                return true;
            }
            at += 1;
        }
        false
    }

    /// Its id, if it is known, and its title.
    pub fn line(&self) -> String {
        match self.hash {
            Some(hash) => format!("{hash} {}", self.title),
            None => self.title.into(),
        }
    }
}

impl PartialEq for Commit {
    fn eq(&self, other: &Commit) -> bool {
        self.title == other.title
    }
}

impl Eq for Commit {}

const fn merged(
    hash: &'static str,
    title: &'static str,
    since: &'static str,
    sets: &'static [Change],
) -> Commit {
    Commit { hash: Some(hash), title, since: Some(since), stable: &[], sets }
}

/// With the stable releases that have it too.
const fn also_in(stable: &'static [&'static str], commit: Commit) -> Commit {
    Commit { stable, ..commit }
}

/// Whose id is not known.
const fn unnamed(title: &'static str, since: &'static str, sets: &'static [Change]) -> Commit {
    Commit { hash: None, title, since: Some(since), stable: &[], sets }
}

/// Named alone, since it was asked what it mends by itself.
pub(crate) const BATCH_ONLY_IF_ASYNC: Commit = merged(
    "fb3592c41a44",
    "migrate_pages: fix deadlock in batched migration",
    "6.3-rc3",
    &[set!(migrate.pages = Pages::BatchesIfAsync)],
);

/// In the order in which they were merged.
pub static COMMITS: &[Commit] = &[
    merged(
        "21ea9fb69e7c",
        "virtio_balloon: fix race between migration and ballooning",
        "4.5",
        &[set!(movable.balloon = &balloon::V4_5)],
    ),
    merged(
        "bda807d44454",
        "mm: migrate: support non-lru movable page migration",
        "4.8",
        &[set!(movable.core = &movable::V4_8), set!(movable.balloon = &balloon::V4_8)],
    ),
    merged(
        "a8b169afbf06",
        "Avoid page waitqueue race leaving possible page locker waiting",
        "4.14",
        &[set!(filemap.folio_wait_bit_common = func!(wait_and_retry))],
    ),
    merged(
        "77ff465799c6",
        "zsmalloc: zs_page_migrate: skip unnecessary loops but not return -EBUSY if zspage is not \
         inuse",
        "4.14",
        &[set!(movable.zsmalloc = &zsmalloc::V4_14)],
    ),
    // With 1a87aa03597e, which frees an empty zspage that has migrated.
    merged(
        "701d678599d0",
        "mm/zsmalloc.c: fix race condition in zs_destroy_pool",
        "5.3",
        &[set!(movable.zsmalloc = &zsmalloc::V5_3)],
    ),
    merged(
        "2a9127fcf229",
        "mm: rewrite wait_on_page_bit_common() logic",
        "5.9-rc1",
        &[
            set!(filemap.folio_wait_bit_common = func!(wait_for_hand_off)),
            set!(filemap.wake_page_function = func!(wake_and_hand_off)),
        ],
    ),
    merged(
        "7e0cc01ea181",
        "mm/swap.c: annotate data races for lru_rotate_pvecs",
        "5.9-rc1",
        &[set!(swap.remote_look = RemoteLook::RotateMarked)],
    ),
    also_in(
        &["5.4.255"],
        merged(
            "5ef64cc8987a",
            "mm: allow a controlled amount of unfairness in the page lock",
            "5.9",
            &[
                set!(filemap.folio_wait_bit_common = func!(folio_wait_bit_common)),
                set!(filemap.wake_page_function = func!(wake_page_function)),
            ],
        ),
    ),
    merged(
        "336bf30eb765",
        "hugetlbfs: fix anon huge page migration race",
        "5.10",
        &[set!(migrate.huge_restore = HugeRestore::TakesMappingLock)],
    ),
    // Of tip's locking/core, 2020-09-10.
    merged(
        "6446a5131e24",
        "mm/swap: Do not abuse the seqcount_t latching API",
        "5.10",
        &[set!(swap.__lru_add_drain_all = func!(__lru_add_drain_all))],
    ),
    merged(
        "d479960e44f2",
        "mm: disable LRU pagevec during the migration temporarily",
        "5.13",
        &[
            set!(swap.lru_cache_disable = func!(lru_cache_disable_by_work)),
            set!(swap.lru_cache_enable = func!(lru_cache_enable)),
            set!(swap.lru_cache_disabled = func!(lru_cache_disabled)),
            set!(pending_name = "lru_disable_count"),
            set!(memory_hotplug.failed_removal = FailedRemoval::LeavesDisabled),
        ],
    ),
    merged(
        "8cc621d2f45d",
        "mm: fs: invalidate BH LRU during page migration",
        "5.13",
        &[
            set!(buffer.install_check = InstallCheck::BeforeLock),
            set!(swap.bh_lru_drain = BhLruDrain::EveryDrain),
        ],
    ),
    merged(
        "946746d1ad92",
        "mm/memory_hotplug: fix potential permanent lru cache disable",
        "5.14",
        &[set!(memory_hotplug.failed_removal = FailedRemoval::Enables)],
    ),
    merged(
        "243418e3925d",
        "mm: fs: invalidate bh_lrus for only cold path",
        "5.15",
        &[set!(swap.bh_lru_drain = BhLruDrain::WorkItem)],
    ),
    merged(
        "afe8605ca454",
        "mm/zsmalloc.c: close race window between zs_pool_dec_isolated() and \
         zs_unregister_migration()",
        "5.16",
        &[set!(movable.zsmalloc = &zsmalloc::V5_16)],
    ),
    merged(
        "c4549b871102",
        "zsmalloc: remove zspage isolation for migration",
        "5.17",
        &[set!(movable.zsmalloc = &zsmalloc::V5_17)],
    ),
    merged(
        "ffa65753c431",
        "mm/migrate.c: rework migration_entry_wait() to not take a pageref",
        "5.17",
        &[set!(migrate.entry_wait = EntryWait::UnderPageTableLock)],
    ),
    merged(
        "356ea3865687",
        "mm/migrate: fix race between lock page and clear PG_Isolated",
        "5.18",
        &[set!(movable.core = &movable::V5_18)],
    ),
    merged(
        "2262ace60713",
        "mm/munlock: delete smp_mb() from __pagevec_lru_add_fn()",
        "5.18",
        &[set!(swap.lru_add = LruAdd::SetLast)],
    ),
    merged(
        "2fbb0c10d1e8",
        "mm/munlock: mlock_page() munlock_page() batch by pagevec",
        "5.18",
        &[set!(mlock = Mlock::Batches)],
    ),
    merged(
        "ff042f4a9b05",
        "mm: lru_cache_disable: replace work queue synchronization with synchronize_rcu",
        "5.18",
        &[
            set!(swap.lru_cache_disable = func!(lru_cache_disable_by_rcu)),
            set!(swap.forced_drain = ForcedDrain::WhereNeeded),
        ],
    ),
    merged(
        "c0226eb8bde8",
        "mm: fs: fix lru_cache_disabled race in bh_lru",
        "5.18",
        &[set!(buffer.install_check = InstallCheck::UnderLock)],
    ),
    merged(
        "31733463372e",
        "mm: lru_cache_disable: use synchronize_rcu_expedited",
        "5.19",
        &[set!(swap.lru_cache_disable = func!(lru_cache_disable_by_rcu_expedited))],
    ),
    merged(
        "2505a981114d",
        "zsmalloc: fix races between asynchronous zspage free and page migration",
        "5.19",
        &[set!(movable.zsmalloc = &zsmalloc::V5_19)],
    ),
    merged(
        "160088b3b6d7",
        "mm/migration: remove unneeded lock page and PageMovable check",
        "6.0",
        &[set!(movable.core = &movable::V6_0)],
    ),
    merged(
        "8b8817630ae8",
        "mm/migrate: make isolate_movable_page() skip slab pages",
        "6.2",
        &[set!(movable.core = &movable::V6_2)],
    ),
    merged(
        "130d4df57390",
        "mm/sl[au]b: rearrange struct slab fields to allow larger rcu_head",
        "6.2",
        &[set!(movable.slab = SlabLayout::ListAtMapping)],
    ),
    // To 6.1 as what the fix of 6.5 needs.
    also_in(
        &["6.1.47"],
        merged(
            "c0547d0b6a4b",
            "zsmalloc: consolidate zs_pool's migrate_lock and size_class's locks",
            "6.2",
            &[set!(movable.zsmalloc = &zsmalloc::V6_2)],
        ),
    ),
    // What it cut in two has to hand something on.
    merged(
        "64c8902ed441",
        "migrate_pages: split unmap_and_move() to _unmap() and _move()",
        "6.3-rc1",
        &[set!(migrate.note = NoteIn::Mapping)],
    ),
    merged(
        "5dfab109d519",
        "migrate_pages: batch _unmap and _move",
        "6.3-rc1",
        &[set!(migrate.pages = Pages::Batches)],
    ),
    merged(
        "7e12beb8ca2a",
        "migrate_pages: batch flushing TLB",
        "6.3-rc1",
        &[set!(migrate.flush = TlbFlush::BeforeCopy)],
    ),
    BATCH_ONLY_IF_ASYNC,
    merged(
        "2ef7dbb26990",
        "migrate_pages: try migrate in batch asynchronously firstly",
        "6.3-rc3",
        &[set!(migrate.pages = Pages::AsyncFirst), set!(migrate.src_lock = SrcLock::Wait)],
    ),
    merged(
        "4bb6dc79d987",
        "migrate_pages: avoid blocking for IO in MIGRATE_SYNC_LIGHT",
        "6.5",
        &[
            set!(migrate.src_lock = SrcLock::WaitIfUptodate),
            set!(migrate.buffer_lock = BufferLock::WaitIfUptodate),
        ],
    ),
    also_in(
        &["6.1.47"],
        merged(
            "4b5d1e47b694",
            "zsmalloc: fix races between modifications of fullness and isolated",
            "6.5",
            &[set!(movable.zsmalloc = &zsmalloc::V6_5)],
        ),
    ),
    merged(
        "2580d554585c",
        "mm: use folio_xor_flags_has_waiters() in folio_end_writeback()",
        "6.7",
        &[set!(filemap.end_writeback = EndWriteback::OneStep)],
    ),
    unnamed(
        "sched: remove wait bookmarks",
        "6.7",
        &[set!(filemap.wq_flags = WqFlags::WithoutBookmark)],
    ),
    merged(
        "eebb3dabbb5c",
        "mm: migrate: record the mlocked page status to remove unnecessary lru drain",
        "6.7",
        &[set!(migrate.drain = DrainAfterMove::IfMlocked)],
    ),
    // In 6.1.192 too, which has nothing to mend.
    merged(
        "d1adb25df711",
        "mm: migrate: fix getting incorrect page mapping during page migration",
        "6.8",
        &[set!(migrate.note = NoteIn::Private)],
    ),
    merged(
        "060913999d7a",
        "mm: migrate: support poisoned recover from migrate folio",
        "6.11-rc1",
        &[
            set!(migrate.filemap_migrate_folio = func!(__migrate_folio)),
            set!(migrate.folio_migrate_mapping = func!(__folio_migrate_mapping)),
        ],
    ),
    merged(
        "33dfe9204f29",
        "mm/gup: clear the LRU flag of a page before adding to LRU batch",
        "6.11-rc1",
        &[set!(swap.lru_claim = LruClaim::AtAdd)],
    ),
    merged(
        "2e6506e1c4ee",
        "mm/migrate: fix deadlock in migrate_pages_batch() on large folios",
        "6.11-rc4",
        &[set!(migrate.split_lock = SplitLock::TriesIfAsync)],
    ),
    // These two by the pull request of 2024-09-20 for 6.12-rc1. The first wants data_race() inside
    // folio_batch_count(), and does not put it there.
    unnamed(
        "mm/swap: fold lru_rotate into cpu_fbatches",
        "6.12",
        &[set!(swap.remote_look = RemoteLook::Unmarked)],
    ),
    unnamed(
        "mm/swap: take folio refcount after testing the LRU flag",
        "6.12",
        &[set!(swap.lru_claim = LruClaim::AtAddBeforeGet)],
    ),
    // Read in 6.12.117; the title is ours.
    unnamed(
        "mm/zsmalloc: a lock of each class again, and no count of isolated pages",
        "6.12",
        &[set!(movable.zsmalloc = &zsmalloc::V6_12)],
    ),
    also_in(
        &["6.11.5"],
        merged(
            "0885ef470560",
            "mm: vmscan.c: fix OOM on swap stress test",
            "6.12",
            &[set!(vmscan.sort_folio = SortFolio::IneligibleOffLru)],
        ),
    ),
    // Stable series from 6.1 on had it for a while; 6.1.192 and 6.12.117 do not.
    merged(
        "1aaf8c122918",
        "mm: gup: fix infinite loop within __get_longterm_locked",
        "6.14",
        &[set!(gup.content = LongtermContent::NothingIsolated)],
    ),
    also_in(
        &["6.12.117"],
        merged(
            "7ffe3de53a88",
            "fs/buffer: split locking for pagecache lookups",
            "6.15",
            &[set!(buffer.find = FindBlock::FolioLock)],
        ),
    ),
    merged(
        "2d900efff915",
        "mm/migrate: fix sleep in atomic for large folios and buffer heads",
        "6.15",
        &[set!(buffer.ring_move = RingMove::UnderBhMigrate)],
    ),
    merged(
        "517f496e1e61",
        "mm/gup: revert \"mm: gup: fix infinite loop within __get_longterm_locked\"",
        "6.16",
        &[set!(gup.content = LongtermContent::NothingCollected)],
    ),
    merged(
        "0c58a97f919c",
        "fuse: remove tmp folio for writebacks and internal rb tree",
        "6.16",
        &[set!(fuse.writeback = FuseWriteback::InPlace)],
    ),
    merged(
        "7ee3647243e5",
        "migrate: Remove call to ->writepage",
        "6.16",
        &[set!(migrate.writeout = Writeout::Never)],
    ),
    also_in(
        &["6.12.117"],
        merged(
            "86ebd50224c0",
            "mm: add folio_expected_ref_count() for reference count calculation",
            "6.16",
            &[set!(migrate.expected = ExpectedRefs::WithMapcount)],
        ),
    ),
    // With a09a8a1fbb37, which drains this CPU's batches first.
    also_in(
        &["6.1.192", "6.12.117"],
        merged(
            "98c6d259319e",
            "mm/gup: check ref_count instead of lru before migration",
            "6.17",
            &[set!(gup.drain = LongtermDrain::ExtraReferences { pin: 1 })],
        ),
    ),
    also_in(
        &["6.12.117"],
        merged(
            "afb99e9f5004",
            "mm: revert \"mm/gup: clear the LRU flag of a page before adding to LRU batch\"",
            "6.17",
            &[
                set!(swap.lru_claim = LruClaim::AtDrain),
                set!(swap.lru_look = LruLook::Last),
                set!(swap.deactivate_file = DeactivateFile::OnLruOnly),
            ],
        ),
    ),
    also_in(
        &["6.12.117"],
        merged(
            "8d79ed36bfc8",
            "mm: revert \"mm: vmscan.c: fix OOM on swap stress test\"",
            "6.17",
            &[set!(vmscan.sort_folio = SortFolio::AnyFolio)],
        ),
    ),
    // Read in 6.12.117; the title is ours.
    also_in(
        &["6.12.117"],
        unnamed(
            "mm/gup: a pin of a small folio is GUP_PIN_COUNTING_BIAS references",
            "6.17",
            &[set!(gup.drain = LongtermDrain::ExtraReferences { pin: GUP_PIN_COUNTING_BIAS })],
        ),
    ),
    // Hugh Dickins' patch of 2025-09-08, the last of the series whose first are in 6.17.
    unnamed(
        "mm: lru_add_drain_all() do local lru_add_drain() first",
        "6.18",
        &[set!(swap.own_drain = OwnDrain::BeforeMutex)],
    ),
    also_in(
        &["6.1.192", "6.12.117"],
        merged(
            "b7880cb166ab",
            "migrate: correct lock ordering for hugetlb file folios",
            "6.19",
            &[set!(migrate.huge_restore = HugeRestore::UnderMappingLock)],
        ),
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::trees::releases::OLDEST;

    #[test]
    fn a_commit_is_named_once() {
        let mut known = BTreeSet::new();
        for commit in COMMITS {
            assert!(known.insert(commit.title), "{}", commit.title);
            let Some(hash) = commit.hash else { continue };
            assert!(hash.len() == 12 && hash.bytes().all(|c| c.is_ascii_hexdigit()), "{hash}");
            assert!(known.insert(hash), "{hash}");
        }
    }

    /// The order decides which of two that set one decision prevails.
    #[test]
    fn commits_are_in_the_order_in_which_they_were_merged() {
        let since = |commit: &Commit| Version::parse(commit.since.expect("merged"));
        for pair in COMMITS.windows(2) {
            assert!(since(&pair[0]).is_in(since(&pair[1])), "{}", pair[1].title);
        }
    }

    #[test]
    fn every_change_of_a_commit_changes_something() {
        let mut tree = OLDEST;
        for commit in COMMITS {
            for &change in commit.sets {
                let before = tree.decisions();
                tree = tree.with(&[change]);
                assert_ne!(tree.decisions(), before, "{}: {change:?}", commit.title);
            }
            assert!(!commit.sets.is_empty(), "{}", commit.title);
        }
    }
}
