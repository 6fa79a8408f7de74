//! Locks whose holder other tasks wait for, and tokens that a task waits for.

use std::cell::UnsafeCell;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};

use dpor::Kind;
use selvedge_trace::{Action, Event, Name, Order};

use crate::run;
use crate::task::{Turn, announce};

/// The holder of a free lock.
const NOBODY: u8 = u8::MAX;

/// A lock. A task that wants a held one waits; taking it twice is a deadlock.
pub struct Lock {
    object: u32,
    name: Name,
    holder: AtomicU8,
    /// See [`Lock::ordering_others`].
    orders_others: bool,
    was_released: AtomicBool,
    weak: Option<WeakLock>,
}

struct WeakLock {
    /// Declared before the mutex that it borrows. Never dropped but by an unlock: a guard that is
    /// still there when the execution is over must not touch loom any more.
    guard: UnsafeCell<Option<ManuallyDrop<loom::sync::MutexGuard<'static, ()>>>>,
    mutex: Box<loom::sync::Mutex<()>>,
}

// SAFETY: all tasks of an execution are coroutines of one operating-system thread; a `Lock` is
// shared between them only, and they do not run at the same time.
unsafe impl Send for WeakLock {}
// SAFETY: as above.
unsafe impl Sync for WeakLock {}

impl Lock {
    /// A free lock. To be made while the scenario is set up, before tasks run.
    pub fn new(name: Name) -> Lock {
        let (object, is_weak) = run::with(|run| (run.new_object(), run.is_weak()));
        let weak = is_weak.then(|| WeakLock {
            guard: UnsafeCell::new(None),
            mutex: Box::new(loom::sync::Mutex::new(())),
        });
        let (holder, was_released) = (AtomicU8::new(NOBODY), AtomicBool::new(false));
        Lock { object, name, holder, orders_others: false, was_released, weak }
    }

    /// The same, for a lock whose release and next acquisition by whomever, or the release of one
    /// and the acquisition of another by one task, keep earlier stores before later ones for tasks
    /// that take no lock. Rendered under loom as a release fence after
    /// an acquisition that is not the first. That is a little too strong: it also keeps back what
    /// the acquiring task did before.
    pub fn ordering_others(self) -> Lock {
        Lock { orders_others: true, ..self }
    }

    /// Its number.
    pub fn object(&self) -> u32 {
        self.object
    }

    /// What it is called.
    pub fn name(&self) -> Name {
        self.name
    }

    /// The task that holds it: no step.
    pub fn holder(&self) -> Option<usize> {
        Some(self.holder.load(Relaxed)).filter(|&task| task != NOBODY).map(usize::from)
    }

    /// Takes it, waiting until it is free.
    pub fn lock(&self, primitive: &'static str) {
        let turn = announce(Kind::Lock, self.object, primitive, self.name);
        if let Some(weak) = &self.weak {
            weak.lock();
            turn.resume();
            let has_released = run::with(|run| run.me().has_released);
            if self.orders_others && (has_released || self.was_released.load(Relaxed)) {
                loom::sync::atomic::fence(loom::sync::atomic::Ordering::Release);
            }
        }
        turn.resume();
        self.holder.store(run::me() as u8, Relaxed);
        self.record(turn, Action::Lock, primitive, Order::Acquire);
    }

    /// Gives it back. Only its holder may; the caller checks ([`Lock::holder`]).
    pub fn unlock(&self, primitive: &'static str) {
        let turn = announce(Kind::Unlock, self.object, primitive, self.name);
        self.holder.store(NOBODY, Relaxed);
        self.was_released.store(true, Relaxed);
        run::with(|run| run.me_mut().has_released |= self.orders_others);
        if let Some(weak) = &self.weak {
            weak.unlock();
        }
        self.record(turn, Action::Unlock, primitive, Order::Release);
    }

    fn record(&self, turn: Turn, action: Action, primitive: &'static str, order: Order) {
        turn.resume();
        run::with(|run| {
            let blank = run.blank(action, primitive);
            run.record(Event { object: self.object, name: self.name, order, ..blank });
        });
    }
}

impl std::fmt::Debug for Lock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lock").field("name", &self.name).field("holder", &self.holder()).finish()
    }
}

impl WeakLock {
    fn lock(&self) {
        let guard = self.mutex.lock().expect("a loom mutex is never poisoned: no guard unwinds");
        // SAFETY: the guard borrows the boxed mutex, which neither moves nor is dropped before
        // `self`; the guard is taken out by `unlock` or never dropped.
        let guard: loom::sync::MutexGuard<'static, ()> = unsafe { std::mem::transmute(guard) };
        // SAFETY: one operating-system thread, and the borrow ends here.
        unsafe { *self.guard.get() = Some(ManuallyDrop::new(guard)) };
    }

    fn unlock(&self) {
        // SAFETY: one operating-system thread, and the borrow ends here.
        let guard = unsafe { (*self.guard.get()).take() };
        drop(guard.map(ManuallyDrop::into_inner));
    }
}

/// A flag that a task waits for: a completion, or a task's permission to run.
pub struct Token {
    object: u32,
    name: Name,
    weak: Option<(loom::sync::Mutex<bool>, loom::sync::Condvar)>,
}

impl Token {
    /// A token that is not set. To be made while the scenario is set up.
    pub fn new(name: Name) -> Token {
        let (object, is_weak) = run::with(|run| (run.new_object(), run.is_weak()));
        let weak = is_weak.then(|| (loom::sync::Mutex::new(false), loom::sync::Condvar::new()));
        Token { object, name, weak }
    }

    /// Its number.
    pub fn object(&self) -> u32 {
        self.object
    }

    /// Waits until it is set; clears it if `consume`.
    pub fn wait(&self, primitive: &'static str, consume: bool) {
        let turn = announce(Kind::Wait { consume }, self.object, primitive, self.name);
        if let Some((set, changed)) = &self.weak {
            let mut set = set.lock().expect("never poisoned");
            while !*set {
                set = changed.wait(set).expect("never poisoned");
            }
            *set &= !consume;
        }
        self.record(turn, Action::Wait, primitive, Order::Acquire);
    }

    /// Sets it.
    pub fn wake(&self, primitive: &'static str) {
        let turn = announce(Kind::Wake, self.object, primitive, self.name);
        if let Some((set, changed)) = &self.weak {
            *set.lock().expect("never poisoned") = true;
            changed.notify_all();
        }
        self.record(turn, Action::Wake, primitive, Order::Release);
    }

    fn record(&self, turn: Turn, action: Action, primitive: &'static str, order: Order) {
        turn.resume();
        run::with(|run| {
            let blank = run.blank(action, primitive);
            run.record(Event { object: self.object, name: self.name, order, ..blank });
        });
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("name", &self.name).finish_non_exhaustive()
    }
}
