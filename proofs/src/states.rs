//! States that claims want to have been reached, so that a rule that holds was put to the test.
//!
//! The models report most of them, by the same words; those that have a name there keep it. A word
//! that nobody reports makes its claims fail.

/// A caller of `lru_cache_disable()`, or of what it is in other trees, has come back.
pub const DISABLED: &str = "caching is disabled";

/// A folio rests in an LRU batch.
pub const RESTED: &str = "a folio was left in the batch";
/// A folio rests in the mlock batch.
pub const RESTED_FOR_MLOCK: &str = "a folio was left in the mlock batch";
/// A batch was drained, and did not move a folio that somebody else has claimed.
pub const SKIPPED: &str = "a batch skipped a folio";
/// `folio_add_lru()` and its like met a folio that somebody else has claimed.
pub const ADDER_GAVE_UP: &str = "an adder gave up: the folio was off the LRU";
/// `lru_add_drain_all()` had work done on a CPU.
pub const DRAIN_WORKED: &str = "a drain work item ran";
/// `lru_add_drain_all()` trusted in the drain of somebody else.
pub const DRAIN_LEFT_TO_ANOTHER: &str = "a drain was left to somebody else";

/// `folio_isolate_lru()` or reclaim took a folio off its list.
pub const ISOLATED: &str = "a folio was isolated";
/// Who isolates a folio has cleared PG_lru.
pub const TO_BE_ISOLATED: &str = selvedge_models::mm::vmscan::TO_BE_ISOLATED;
/// The last reference of a folio was dropped.
pub const FREED: &str = "a folio was freed";
/// Reclaim met a folio without a reference.
pub const RECLAIM_MET_A_FREED_FOLIO: &str = "reclaim met a folio that is being freed";
/// Reclaim gave back the reference to a folio that it did not get.
pub const RECLAIM_PASSED_OVER: &str = "reclaim passed over a folio that somebody else has isolated";
/// Reclaim had the last reference.
pub const RECLAIM_FREED: &str = "reclaim freed the folio";
/// Reclaim did not have the last reference.
pub const RECLAIM_PUT_BACK: &str = "reclaim put the folio back";
/// A mlock was deferred: somebody else has claimed the folio.
pub const MLOCK_FOUND_IT_OFF_THE_LRU: &str = "__mlock_folio() found the folio off the LRU";
/// A mlock moved a folio.
pub const MADE_UNEVICTABLE: &str = "a folio was moved to the unevictable list";
/// A munlock met a folio that somebody else has claimed.
pub const MUNLOCK_COULD_NOT_ISOLATE: &str = "clear_page_mlock() could not isolate";

/// A migration came to its end.
pub const MIGRATED: &str = "a folio was migrated";
/// A folio left the page cache.
pub const TRUNCATED: &str = "a folio was truncated";
/// A lookup saw a folio without a reference.
pub const LOOKUP_MET_A_FROZEN_FOLIO: &str = "a lookup met a frozen or freed folio";
/// A lookup got a reference to a folio that is not the page's any more.
pub const LOOKED_UP_TOO_LATE: &str = "a lookup found that its folio had left the page cache";
/// A page fault found that its page is being migrated.
pub const FAULT_FOUND_AN_ENTRY: &str = "a fault found a migration entry";
/// A page fault, which reads the entry without a lock, found none.
pub const FAULT_FOUND_NO_ENTRY: &str = selvedge_models::mm::memory::FAULT_FOUND_NO_ENTRY;
/// A page fault slept on a folio lock, and kept its reference meanwhile.
pub const FAULT_SLEPT: &str = selvedge_models::mm::filemap::FAULT_SLEPT;
/// A page fault locked a folio that had left the page cache.
pub const FAULT_FOUND_TRUNCATED: &str = selvedge_models::mm::filemap::FAULT_FOUND_TRUNCATED;
/// A page fault found its entry filled by another one.
pub const FAULT_LOST: &str = selvedge_models::mm::memory::FAULT_LOST;
/// A truncation met a folio that a fault had mapped.
pub const TRUNCATION_UNMAPPED: &str = selvedge_models::mm::filemap::TRUNCATION_UNMAPPED;
/// A lookup found a folio, and looks at it.
pub const LOOKED_UP: &str = "a lookup found its folio";
/// A migration did not get the lock of its source at once.
pub const SOURCE_WAS_LOCKED: &str = "a migration found its source locked";
/// A migration slept until its source was unlocked.
pub const WAITED_FOR_SOURCE: &str = "a migration waited for its source";
/// A migration failed, and was tried once more.
pub const TRIED_AGAIN: &str = "a migration was tried again";

/// A task slept until a folio is unlocked, or its writeback is over.
pub const SLEPT: &str = "a task slept on a folio";
/// A task slept until a bit of a word is clear.
pub const SLEPT_ON_A_BIT: &str = "a task slept on a bit";
/// A waker gave the lock to a waiter.
pub const HANDED_OVER: &str = "the lock was handed over";
/// A waiter was woken, and found the lock taken by somebody else.
pub const STOLEN: &str = "the lock was stolen";
/// A waiter left because of a signal or a timeout.
pub const GAVE_UP: &str = "a task gave up";

/// A bh_lru took a reference.
pub const INSTALLED: &str = "a bh was installed";
/// A bh was not cached, since caching is disabled.
pub const INSTALL_FOUND_CACHING_DISABLED: &str = "bh_lru_install() found caching disabled";
/// A bh was found in a bh_lru.
pub const LOOKUP_HIT: &str = "a lookup hit";
/// `try_to_free_buffers()` succeeded.
pub const BUFFERS_FREED: &str = "buffers were freed";
/// Buffers were migrated.
pub const BUFFERS_MOVED: &str = "the buffers moved";
/// Buffers could not be migrated.
pub const BUFFERS_BUSY: &str = "buffers stayed busy";

/// A migration found the references that it expected, and keeps others from taking one.
pub const FROZEN: &str = selvedge_models::mm::migrate::FROZEN;
/// A migration met more references than it expected.
pub const FREEZE_FAILED: &str = selvedge_models::mm::migrate::FREEZE_FAILED;
/// A folio is mapped by migration entries only.
pub const UNMAPPED_FOR_MIGRATION: &str = "a folio was unmapped for migration";
/// A fault mapped the folio that it found.
pub const FAULT_MAPPED: &str = "a page fault mapped a folio";
/// A migration is about to split a folio.
pub const TO_BE_SPLIT: &str = selvedge_models::mm::migrate::TO_BE_SPLIT;
/// A migration is about to move buffers.
pub const FOUND_IDLE: &str = selvedge_models::mm::migrate::FOUND_IDLE;
/// Work that orders the counter is on its way.
pub const QUEUED_A_DUMMY: &str = selvedge_models::mm::migrate::QUEUED_A_DUMMY;
/// A truncation has its folio locked.
pub const TO_BE_TRUNCATED: &str = selvedge_models::mm::filemap::TO_BE_TRUNCATED;
/// An operation has cleared PG_lru, and its batch has no entry yet.
pub const CLAIMED: &str = selvedge_models::mm::swap::CLAIMED;
/// A buffer is dirty that was not.
pub const DIRTIED: &str = selvedge_models::fs::buffer::DIRTIED;
/// A task is about to look whether it must sleep until a bit is clear.
pub const QUEUED_FOR_A_BIT: &str = selvedge_models::sched::wait_bit::QUEUED_FOR_A_BIT;
/// A folio's writeback was begun by `write_cache_pages()`.
pub const WRITTEN: &str = "a folio was written";

/// The core found the mark of a movable page.
pub const FOUND_MOVABLE: &str = selvedge_models::mm::movable::FOUND_MOVABLE;
/// A driver's `isolate_page()` was called.
pub const ASKED_A_DRIVER: &str = selvedge_models::mm::movable::ASKED_A_DRIVER;
/// The last object of a zspage went while a page of it was isolated.
pub const EMPTIED_WHILE_ISOLATED: &str = "an isolated zspage became empty";
/// A zspage without an object could not be freed at once.
pub const LEFT_TO_FREE_WORK: &str = "a zspage is left to free_work";
