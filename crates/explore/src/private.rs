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
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{record, state};

thread_local! {
    /// How many were made in this execution.
    static NUMBERED: Cell<u32> = const { Cell::new(0) };
    /// Hashes of what is in each that is not empty, by its number and the task whose it is; kept
    /// only for a search that compares states.
    static LEFT: RefCell<BTreeMap<(u32, usize), u128>> = const { RefCell::new(BTreeMap::new()) };
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
    NUMBERED.set(0);
    LEFT.with_borrow_mut(BTreeMap::clear);
}

/// The number of the execution that runs on this thread; 0 before the first.
pub(crate) fn execution() -> u64 {
    EXECUTION.get()
}

/// Something private is opened. Returns the number of the execution. (For every type there may be
/// in a [`Private`], so that it is compiled with this crate.)
fn opens() -> u64 {
    WAS_OPENED.set(true);
    execution()
}

/// What tasks keep and no engine sees: what is touched only by who holds a kernel lock. Empty when
/// an execution begins.
///
/// It is part of a state ([`crate::Bounds::stateful`]) as it is left, and what a task has seen of
/// it when it opened it is part of what the task has observed. So whoever keeps something in one
/// says all that there is to say.
#[derive(Debug)]
pub struct Private<T> {
    number: u32,
    kept: Mutex<Kept<T>>,
}

#[derive(Debug, Default)]
struct Kept<T> {
    /// The execution that it is of.
    execution: u64,
    value: T,
}

impl<T: Default> Default for Private<T> {
    fn default() -> Private<T> {
        let number = NUMBERED.get();
        NUMBERED.set(number + 1);
        // Made by a task: its number says who else made one before.
        state::observe(u64::from(number) + 1);
        Private { number, kept: Mutex::default() }
    }
}

/// A type with a value that says that there is nothing.
pub trait Emptied: Default + Hash {
    /// Makes it that value.
    fn empty(&mut self) {
        *self = Self::default();
    }
}

impl<T: Hash> Emptied for Vec<T> {
    fn empty(&mut self) {
        self.clear();
    }
}

impl<K: Hash, V: Hash> Emptied for BTreeMap<K, V> {}
impl<T: Hash> Emptied for Option<T> {}
impl Emptied for u32 {}
impl Emptied for u64 {}
impl Emptied for usize {}

impl<T: Emptied> Private<T> {
    /// Opens it. A task that waits for a step meanwhile keeps others out, and what it has changed
    /// until then is no more than it has seen.
    pub fn lock(&self) -> Opened<'_, T> {
        let opened = Opened { number: self.number, kept: self.kept() };
        if dpor::keeps_observations() {
            state::observe_all(dpor::hash128(&*opened));
        }
        opened
    }

    /// Changes it for who looks later: the task learns nothing of what is there.
    pub fn note(&self, change: impl FnOnce(&mut T)) {
        change(&mut Opened { number: self.number, kept: self.kept() });
    }

    fn kept(&self) -> MutexGuard<'_, Kept<T>> {
        let now = opens();
        // Who was unwound with it open was of an execution that is over.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.execution != now {
            kept.execution = now;
            kept.value.empty();
        }
        kept
    }
}

/// What is in a [`Private`].
#[derive(Debug)]
pub struct Opened<'a, T: Emptied> {
    number: u32,
    kept: MutexGuard<'a, Kept<T>>,
}

impl<T: Emptied> Deref for Opened<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.kept.value
    }
}

impl<T: Emptied> DerefMut for Opened<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.kept.value
    }
}

impl<T: Emptied> Drop for Opened<'_, T> {
    fn drop(&mut self) {
        if dpor::keeps_observations() && !std::thread::panicking() {
            left((self.number, NOBODY), &self.kept.value);
        }
    }
}

/// What belongs to each task alone, of a kind: how deep it is in sections, what it holds of a lock.
/// Nobody else touches it, so that a task learns nothing from it that it has not done itself.
#[derive(Debug, Default)]
pub struct Own<T>(Private<Each<T>>);

/// What each task has, by number. Emptied, it has as many, and each keeps its buffers.
#[derive(Debug, Default, Hash)]
struct Each<T>(Vec<T>);

impl<T: Emptied> Emptied for Each<T> {
    fn empty(&mut self) {
        self.0.iter_mut().for_each(T::empty);
    }
}

impl<T: Emptied> Own<T> {
    /// Opens what belongs to the task that runs.
    pub fn open<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let me = record::with(|record| record.current());
        let Each(all) = &mut self.0.kept().value;
        if all.len() <= me {
            all.resize_with(me + 1, T::default);
        }
        let result = f(&mut all[me]);
        if dpor::keeps_observations() {
            left((self.0.number, me), &all[me]);
        }
        result
    }
}

/// The second half of a key of [`LEFT`] if it is of what no task has for its own.
const NOBODY: usize = usize::MAX;

/// It has been left so.
fn left<T: Emptied>(key: (u32, usize), value: &T) {
    let hash = dpor::hash128(value);
    // What is empty again is as if it had never been opened.
    let is_empty = hash == dpor::hash128(&T::default());
    LEFT.with_borrow_mut(|left| match is_empty {
        true => _ = left.remove(&key),
        false => _ = left.insert(key, hash),
    });
}

/// Hashes what all of them hold.
pub(crate) fn hash(hash: &mut impl Hasher) {
    LEFT.with_borrow(|left| left.hash(hash));
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
