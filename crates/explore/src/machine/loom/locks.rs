//! Locks and tokens on loom: mutexes and condition variables.

use std::cell::{Cell, RefCell};
use std::mem::{self, ManuallyDrop};

use loom::sync::atomic::{Ordering, fence};
use loom::sync::{Condvar, Mutex, MutexGuard};

use super::with;
use crate::step::Took;

/// A mutex whose guard is kept from the step that takes it to the step that gives it back.
pub(super) struct Lock {
    /// Declared before the mutex that it borrows. Never dropped but by an unlock: a guard that is
    /// still there when the execution is over must not touch loom any more.
    guard: RefCell<Option<ManuallyDrop<MutexGuard<'static, ()>>>>,
    mutex: Box<Mutex<()>>,
    holder: Cell<Option<usize>>,
    was_released: Cell<bool>,
}

impl Default for Lock {
    fn default() -> Lock {
        Lock {
            guard: RefCell::new(None),
            mutex: Box::new(Mutex::new(())),
            holder: Cell::new(None),
            was_released: Cell::new(false),
        }
    }
}

impl Lock {
    pub(super) fn holder(&self) -> Option<usize> {
        self.holder.get()
    }

    /// See [`crate::Lock::ordering_others`]: a release fence after an acquisition that is not the
    /// first. That is a little too strong: it also keeps back what the acquiring task did before.
    pub(super) fn lock(&self, me: usize, orders_others: bool) -> Took {
        let guard = self.mutex.lock().expect("a loom mutex is never poisoned: no guard unwinds");
        // SAFETY: the guard borrows the boxed mutex, which neither moves nor is dropped before
        // `self`; the guard is taken out by `unlock` or never dropped.
        let guard: MutexGuard<'static, ()> = unsafe { mem::transmute(guard) };
        *self.guard.borrow_mut() = Some(ManuallyDrop::new(guard));
        let has_released = with(|state| state.tasks.has_released(me));
        if orders_others && (has_released || self.was_released.get()) {
            fence(Ordering::Release);
        }
        self.holder.set(Some(me));
        Took::default()
    }

    pub(super) fn unlock(&self, me: usize, orders_others: bool) -> Took {
        self.holder.set(None);
        self.was_released.set(true);
        if orders_others {
            with(|state| state.tasks.releases(me));
        }
        let guard = self.guard.borrow_mut().take();
        drop(guard.map(ManuallyDrop::into_inner));
        Took::default()
    }
}

/// A flag that a task waits for.
pub(super) struct Token {
    set: Mutex<bool>,
    changed: Condvar,
}

impl Default for Token {
    fn default() -> Token {
        Token { set: Mutex::new(false), changed: Condvar::new() }
    }
}

impl Token {
    pub(super) fn wait(&self, consume: bool) -> Took {
        let mut set = self.set.lock().expect("never poisoned");
        while !*set {
            set = self.changed.wait(set).expect("never poisoned");
        }
        *set &= !consume;
        Took::default()
    }

    pub(super) fn wake(&self) -> Took {
        *self.set.lock().expect("never poisoned") = true;
        self.changed.notify_all();
        Took::default()
    }
}
