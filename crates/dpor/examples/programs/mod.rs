//! The workloads on which model checkers are compared, written once for every checker that runs
//! Rust closures: what a shared word, a lock and a task are is the backend's business.

use std::sync::Arc;

/// A program, run as the main closure.
pub type Program = Arc<dyn Fn() + Send + Sync>;

type Body = Box<dyn FnOnce() + Send>;

/// A shared word.
pub trait Word: Send + Sync + 'static {
    /// Reads.
    fn load(&self) -> u64;
    /// Writes.
    fn store(&self, value: u64);
    /// Adds, wrapping, and does not look.
    fn add(&self, value: u64);
    /// Subtracts and returns what was there.
    fn fetch_sub(&self, value: u64) -> u64;
    /// Sets bits and returns what was there.
    fn fetch_or(&self, bits: u64) -> u64;
    /// Keeps these bits only, and returns what was there.
    fn fetch_and(&self, bits: u64) -> u64;
    /// Replaces `old` by `new`. `Err`: what was there instead.
    fn compare_exchange(&self, old: u64, new: u64) -> Result<u64, u64>;
    /// std's `fetch_update`: an update loop. `Ok`: what was there before; `Err`: there is no new
    /// value for this.
    fn fetch_update(&self, update: impl Fn(u64) -> Option<u64>) -> Result<u64, u64>;
}

/// What a checker calls a word, a lock and a task.
pub trait Backend: 'static {
    /// A shared word.
    type Word: Word;
    /// A lock.
    type Lock: Send + Sync + 'static;
    /// Something that happens once.
    type Event: Send + Sync + 'static;
    /// A task that has been started.
    type Task;

    /// The word with this number, which no other word or lock has.
    fn word(number: usize, value: u64) -> Self::Word;
    /// The lock with this number.
    fn lock(number: usize) -> Self::Lock;
    /// Runs `inside` with the lock taken.
    fn locked(lock: &Self::Lock, inside: impl FnOnce());
    /// The event with this number, which no word or lock has. It has not happened.
    fn event(number: usize) -> Self::Event;
    /// Sleeps until it has happened.
    fn wait(event: &Self::Event);
    /// It happens; from now on nobody sleeps.
    fn wake(event: &Self::Event);
    /// Starts a task.
    fn spawn(body: Body) -> Self::Task;
    /// Starts n tasks that do the same.
    fn spawn_alike(n: usize, body: impl FnOnce() + Clone + Send + 'static) -> Vec<Self::Task> {
        (0..n).map(|_| Self::spawn(Box::new(body.clone()))).collect()
    }
    /// Waits until it has ended.
    fn join(task: Self::Task);
    /// The calling task has no live local variable, and is at this point of its program. For a
    /// checker that compares states; nothing to any other.
    fn at_rest(_position: u64) {}
}

fn together<B: Backend>(tasks: impl Iterator<Item = Body>) {
    let tasks: Vec<B::Task> = tasks.map(B::spawn).collect();
    tasks.into_iter().for_each(B::join);
}

/// W1: n tasks {lock own; if pending == 0 {slot = 1; refs++}; unlock}; a migrator {pending++; for
/// each: lock, if slot {slot = 0; refs--}, unlock; read refs; pending--}.
pub fn migrator<B: Backend>(n: usize) -> Program {
    Arc::new(move || {
        let pending = Arc::new(B::word(0, 0));
        let refs = Arc::new(B::word(1, 0));
        let slots: Arc<Vec<B::Word>> = Arc::new((0..n).map(|i| B::word(2 + i, 0)).collect());
        let locks: Arc<Vec<B::Lock>> = Arc::new((0..n).map(|i| B::lock(2 + n + i)).collect());
        let mut tasks: Vec<Body> = Vec::new();
        for i in 0..n {
            let (pending, refs, slots) = (pending.clone(), refs.clone(), slots.clone());
            let locks = locks.clone();
            tasks.push(Box::new(move || {
                B::locked(&locks[i], || {
                    if pending.load() == 0 {
                        slots[i].store(1);
                        refs.add(1);
                    }
                });
            }));
        }
        tasks.push(Box::new(move || {
            pending.add(1);
            for i in 0..n {
                B::locked(&locks[i], || {
                    if slots[i].load() == 1 {
                        slots[i].store(0);
                        refs.add(u64::MAX);
                    }
                });
                B::at_rest(i as u64);
            }
            refs.load();
            pending.add(u64::MAX);
        }));
        together::<B>(tasks.into_iter());
    })
}

/// W2: n tasks, each takes lock i and then lock i + 1: a ring, or in one order.
pub fn ring<B: Backend>(n: usize, ordered: bool) -> Program {
    Arc::new(move || {
        let locks: Arc<Vec<B::Lock>> = Arc::new((0..n).map(B::lock).collect());
        let task = |i: usize| -> Body {
            let (a, b) = (i, (i + 1) % n);
            let (a, b) = if ordered { (a.min(b), a.max(b)) } else { (a, b) };
            let locks = locks.clone();
            Box::new(move || B::locked(&locks[a], || B::locked(&locks[b], || {})))
        };
        together::<B>((0..n).map(task));
    })
}

/// W3: n tasks {get unless zero (a CAS loop); put; the last one frees}; the owner, who has spawned
/// them, puts its reference too. The CAS loop is `fetch_update`: in core's source {load;
/// compare_exchange_weak, until that succeeds or there is no new value}, and the same in loom's and
/// in shuttle's, which run it step by step.
pub fn references<B: Backend>(n: usize) -> Program {
    get_and_put::<B>(n, |refs| refs.fetch_update(|seen| (seen != 0).then_some(seen + 1)).is_ok())
}

/// W3 with the CAS loop written out, so that a checker cannot tell it from other steps: an
/// iteration whose CAS fails makes an execution of its own.
pub fn references_by_hand<B: Backend>(n: usize) -> Program {
    get_and_put::<B>(n, |refs| {
        let mut seen = refs.load();
        while seen != 0 {
            match refs.compare_exchange(seen, seen + 1) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    })
}

/// W3 with a `get` that says whether there was a reference left.
pub fn get_and_put<B: Backend>(n: usize, get: fn(&B::Word) -> bool) -> Program {
    Arc::new(move || {
        let refs = Arc::new(B::word(0, 1));
        let freed = Arc::new(B::word(1, 0));
        let put = |refs: &B::Word, freed: &B::Word| {
            if refs.fetch_sub(1) == 1 {
                freed.store(1);
            }
        };
        let theirs = (refs.clone(), freed.clone());
        let tasks = B::spawn_alike(n, move || {
            let (refs, freed) = &theirs;
            if get(refs) {
                B::at_rest(0);
                put(refs, freed);
            }
            B::at_rest(1);
        });
        put(&refs, &freed);
        B::at_rest(2);
        tasks.into_iter().for_each(B::join);
    })
}

/// W4: n tasks, two rounds of {trylock bit; if won {counter++, plain; unlock}}.
pub fn try_locks<B: Backend>(n: usize) -> Program {
    Arc::new(move || {
        let bit = Arc::new(B::word(0, 0));
        let counter = Arc::new(B::word(1, 0));
        let tasks = B::spawn_alike(n, move || {
            for round in 0..2 {
                if bit.compare_exchange(0, 1).is_ok() {
                    let value = counter.load();
                    counter.store(value + 1);
                    bit.store(0);
                }
                B::at_rest(round);
            }
        });
        tasks.into_iter().for_each(B::join);
    })
}

/// W5: n tasks wait for a bit that their owner clears {lock the queue; set the waiters bit; look at
/// the bit; unlock; if it was set, sleep until woken, and begin again; read what the owner wrote};
/// the owner {write; clear the bit; if the waiters bit was set in the same word: lock the queue,
/// wake, unlock}.
pub fn wake_up<B: Backend>(n: usize) -> Program {
    const LOCKED: u64 = 1;
    const WAITERS: u64 = 2;
    Arc::new(move || {
        let (flags, data) = (Arc::new(B::word(0, LOCKED)), Arc::new(B::word(1, 0)));
        let (queue, woken) = (Arc::new(B::lock(2)), Arc::new(B::event(3)));
        let theirs = (flags.clone(), data.clone(), queue.clone(), woken.clone());
        let tasks = B::spawn_alike(n, move || {
            let (flags, data, queue, woken) = &theirs;
            let mut sleeps = true;
            while sleeps {
                B::locked(queue, || {
                    flags.fetch_or(WAITERS);
                    sleeps = flags.load() & LOCKED != 0;
                });
                if sleeps {
                    B::wait(woken);
                }
                B::at_rest(u64::from(sleeps));
            }
            assert_eq!(data.load(), 1, "what was written before the bit was cleared");
        });
        data.store(1);
        if flags.fetch_and(!LOCKED) & WAITERS != 0 {
            B::locked(&queue, || B::wake(&woken));
        }
        tasks.into_iter().for_each(B::join);
    })
}

/// The workloads, by name.
pub fn all<B: Backend>() -> Vec<(&'static str, Program)> {
    let different: [(&'static str, Program); 5] = [
        ("W1 n=2", migrator::<B>(2)),
        ("W1 n=3", migrator::<B>(3)),
        ("W1 n=4", migrator::<B>(4)),
        ("W2 n=4 ring", ring::<B>(4, false)),
        ("W2 n=4 ordered", ring::<B>(4, true)),
    ];
    different.into_iter().chain(of_tasks_alike::<B>()).collect()
}

/// Those whose tasks do the same.
pub fn of_tasks_alike<B: Backend>() -> Vec<(&'static str, Program)> {
    vec![
        ("W3 n=3", references::<B>(3)),
        ("W3 n=4", references::<B>(4)),
        ("W4 n=3", try_locks::<B>(3)),
        ("W4 n=4", try_locks::<B>(4)),
        ("W5 n=2", wake_up::<B>(2)),
        ("W5 n=3", wake_up::<B>(3)),
        ("W5 n=4", wake_up::<B>(4)),
        ("W3 n=3, by hand", references_by_hand::<B>(3)),
        ("W3 n=4, by hand", references_by_hand::<B>(4)),
    ]
}
