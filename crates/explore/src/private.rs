//! What a scenario builds before its first step, and what it keeps beside its words.
//!
//! Every execution begins with the same objects, made in the same order. A search that runs a
//! hundred thousand executions need not build them as often: [`set_up`] builds them in the first,
//! and gives them out again in the others, with each word as it was made, each lock free, and each
//! [`Private`] empty.
//!
//! What is in a set-up must therefore not change but by steps, and in a [`Private`]. A set-up that
//! has put something into one is built anew for each execution.

use std::any::Any;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::record;

thread_local! {
    /// The number of the execution that runs on this thread; 0 before the first.
    static EXECUTION: Cell<u64> = const { Cell::new(0) };
    /// Has a [`Private`] been opened since this was last cleared?
    static WAS_OPENED: Cell<bool> = const { Cell::new(false) };
}

/// A new execution begins on this thread: no [`Private`] has anything in it.
pub(crate) fn begin_execution() {
    /// No two executions have the same number, whatever threads they run on.
    static BEGUN: AtomicU64 = AtomicU64::new(0);
    EXECUTION.set(BEGUN.fetch_add(1, Ordering::Relaxed) + 1);
}

/// The number of the execution that runs on this thread; 0 before the first.
pub(crate) fn execution() -> u64 {
    EXECUTION.get()
}

/// What tasks keep and no engine sees: what belongs to one task, or is touched only by who holds a
/// kernel lock. Empty when an execution begins.
#[derive(Debug, Default)]
pub struct Private<T>(Mutex<Kept<T>>);

#[derive(Debug, Default)]
struct Kept<T> {
    /// The execution that it is of.
    execution: u64,
    value: T,
}

/// A type with a value that says that there is nothing.
pub trait Emptied: Default {
    /// Makes it that value.
    fn empty(&mut self) {
        *self = Self::default();
    }
}

impl<T> Emptied for Vec<T> {
    fn empty(&mut self) {
        self.clear();
    }
}

impl<K, V> Emptied for BTreeMap<K, V> {}
impl<T> Emptied for Option<T> {}
impl Emptied for u32 {}
impl Emptied for u64 {}
impl Emptied for usize {}

impl<T: Emptied> Private<T> {
    /// Opens it. A task that waits for a step meanwhile keeps others out.
    pub fn lock(&self) -> Opened<'_, T> {
        WAS_OPENED.set(true);
        // Who was unwound with it open was of an execution that is over.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = EXECUTION.get();
        if kept.execution != now {
            kept.execution = now;
            kept.value.empty();
        }
        Opened(kept)
    }
}

/// What is in a [`Private`].
#[derive(Debug)]
pub struct Opened<'a, T>(MutexGuard<'a, Kept<T>>);

impl<T> Deref for Opened<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T> DerefMut for Opened<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0.value
    }
}

/// What `build` makes, or what it made for an earlier execution of this search: its words, locks
/// and tokens, and what holds them. To be called by the scenario's main before anything else;
/// `build` takes no step.
pub fn set_up<T: Send + Sync + 'static>(build: impl FnOnce() -> Arc<T>) -> Arc<T> {
    let known = record::with(record::Record::set_up_again);
    if let Some(Ok(known)) = known.map(Arc::downcast) {
        return known;
    }
    WAS_OPENED.set(false);
    let built = build();
    if !WAS_OPENED.get() {
        let built: Arc<dyn Any + Send + Sync> = built.clone();
        record::with(|record| record.keep_set_up(built));
    }
    built
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_execution_finds_it_empty() {
        let list: Private<Vec<u32>> = Private::default();
        begin_execution();
        list.lock().push(1);
        assert_eq!(*list.lock(), [1]);
        begin_execution();
        assert!(list.lock().is_empty());
    }

    #[test]
    fn who_is_unwound_leaves_it_usable() {
        let count: Private<u32> = Private::default();
        let unwound = std::panic::catch_unwind(|| {
            let _open = count.lock();
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(unwound.is_err());
        *count.lock() += 1;
        assert_eq!(*count.lock(), 1);
    }
}
