//! The workloads on which model checkers are compared.
//!
//! W1 to W5 are the programs that GenMC was given, line for line: their counts of executions are
//! comparable.

use graph::{Fence, Load, Lock, Rmw, Store, Word, check, fence, spawn};

/// A program, run as the main task.
pub type Program = Box<dyn Fn()>;

/// W1: n installers {lock own; if nothing is pending {slot = 1; refs++}; unlock}, against the main
/// task, which migrates {pending++; for each: lock, if slot {slot = 0; refs--}, unlock; read refs;
/// pending--}. `looks`: GenMC's program, whose updates return what was there; otherwise they return
/// nothing.
pub fn migrator(n: usize) -> Program {
    Box::new(move || {
        let pending = Word::new(0);
        let refs = Word::new(1);
        let slots: Vec<(Lock, Word)> = (0..n).map(|_| (Lock::new(), Word::new(0))).collect();
        let installer = |(lock, slot): (Lock, Word)| {
            move || {
                lock.lock();
                if pending.load(Load::Relaxed) == 0 {
                    slot.store(1, Store::Plain);
                    refs.fetch_add(1, Rmw::Relaxed);
                }
                lock.unlock();
            }
        };
        let tasks: Vec<_> = slots.iter().map(|&slot| spawn(installer(slot))).collect();
        pending.fetch_add(1, Rmw::Relaxed);
        for &(lock, slot) in &slots {
            lock.lock();
            if slot.load(Load::Plain) != 0 {
                slot.store(0, Store::Plain);
                refs.fetch_add(u64::MAX, Rmw::Relaxed);
            }
            lock.unlock();
        }
        let left = refs.load(Load::Relaxed);
        pending.fetch_add(u64::MAX, Rmw::Release);
        check(left == 1, "nobody else has a reference");
        tasks.into_iter().for_each(|task| task.join());
    })
}

/// W2: n tasks, each takes lock i and then lock i + 1: a ring, or in one order.
pub fn ring(n: usize, is_ordered: bool) -> Program {
    Box::new(move || {
        let locks: Vec<Lock> = (0..n).map(|_| Lock::new()).collect();
        let spawned = (0..n).map(|i| {
            let (a, b) = (i, (i + 1) % n);
            let (a, b) = if is_ordered { (a.min(b), a.max(b)) } else { (a, b) };
            let (a, b) = (locks[a], locks[b]);
            spawn(move || {
                a.lock();
                b.lock();
                b.unlock();
                a.unlock();
            })
        });
        spawned.collect::<Vec<_>>().into_iter().for_each(|task| task.join());
    })
}

/// W3: n tasks {get unless zero; read the data; put; the last one frees}; the main task, which has
/// a reference, puts it too. "Get unless zero" is an update loop, which is one step here.
pub fn references(n: usize, strength: Rmw) -> Program {
    Box::new(move || {
        let refs = Word::new(1);
        let data = Word::new(42);
        let put = move || {
            if refs.fetch_add(u64::MAX, strength) == 1 {
                data.store(0, Store::Plain);
            }
        };
        let user = move || {
            if refs.update(Rmw::Relaxed, |seen| (seen != 0).then(|| seen + 1)).is_ok() {
                check(data.load(Load::Plain) == 42, "who has a reference sees the data");
                put();
            }
        };
        let tasks: Vec<_> = (0..n).map(|_| spawn(user)).collect();
        put();
        tasks.into_iter().for_each(|task| task.join());
        check(data.load(Load::Plain) == 0, "the last one frees");
    })
}

/// W4: n tasks, two rounds of {try a bit lock; if won {counter++, plain; unlock}}. A try that fails
/// only reads.
pub fn try_locks(n: usize, unlock: Rmw) -> Program {
    Box::new(move || {
        let bit = Word::new(0);
        let counter = Word::new(0);
        let won: Vec<Word> = (0..n).map(|_| Word::new(0)).collect();
        let task = |mine: Word| {
            move || {
                let mut wins = 0;
                for _ in 0..2 {
                    let taken =
                        bit.update(Rmw::Acquire, |seen| (seen & 1 == 0).then_some(seen | 1));
                    if taken.is_ok() {
                        let seen = counter.load(Load::Plain);
                        counter.store(seen + 1, Store::Plain);
                        wins += 1;
                        bit.update(unlock, |seen| Some(seen & !1)).expect("it always happens");
                    }
                }
                mine.store(wins, Store::Plain);
            }
        };
        let tasks: Vec<_> = won.iter().map(|&mine| spawn(task(mine))).collect();
        tasks.into_iter().for_each(|task| task.join());
        let wins: u64 = won.iter().map(|mine| mine.load(Load::Plain)).sum();
        check(wins == counter.load(Load::Plain), "no addition is lost");
    })
}

/// What is changed in W5, to be found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wake {
    /// One word holds the lock bit and the waiters bit.
    OneWord,
    /// Two words, with full barriers between writing the one and reading the other.
    TwoWords,
    /// Two words without barriers.
    TwoWordsWithoutBarriers,
}

/// W5: n tasks wait for a bit that the main task clears {set the waiters bit; look again; sleep
/// until woken}; the main task wakes whoever has set the waiters bit.
pub fn wake_up(n: usize, wake: Wake) -> Program {
    const LOCKED: u64 = 1;
    const WAITERS: u64 = 2;
    Box::new(move || {
        let queue = Lock::new();
        let woken = Word::new(0);
        let data = Word::new(0);
        let flags = Word::new(LOCKED);
        let waiters = Word::new(0);
        let barrier = move || {
            if wake == Wake::TwoWords {
                fence(Fence::Full);
            }
        };
        let set_waiters = move || {
            if wake == Wake::OneWord {
                flags.update(Rmw::Relaxed, |seen| Some(seen | WAITERS)).expect("it always happens");
            } else {
                waiters.store(1, Store::Relaxed);
                barrier();
            }
        };
        let waiter = move || {
            queue.lock();
            loop {
                set_waiters();
                if flags.load(Load::Acquire) & LOCKED == 0 {
                    break;
                }
                let seen = woken.load(Load::Relaxed);
                queue.unlock();
                woken.wait(Load::Acquire, move |now| now != seen);
                queue.lock();
            }
            queue.unlock();
            check(data.load(Load::Plain) == 1, "what was written before the bit was cleared");
        };
        let tasks: Vec<_> = (0..n).map(|_| spawn(waiter)).collect();
        data.store(1, Store::Plain);
        let must_wake = if wake == Wake::OneWord {
            let seen = flags.update(Rmw::Release, |seen| Some(seen & !LOCKED));
            seen.expect("it always happens") & WAITERS != 0
        } else {
            flags.store(0, Store::Release);
            barrier();
            waiters.load(Load::Relaxed) != 0
        };
        if must_wake {
            queue.lock();
            let seen = woken.load(Load::Relaxed);
            woken.store(seen + 1, Store::Release);
            queue.unlock();
        }
        tasks.into_iter().for_each(|task| task.join());
    })
}

/// The workloads as they are right, by name.
pub fn all() -> Vec<(&'static str, Program)> {
    vec![
        ("W1 n=2", migrator(2)),
        ("W1 n=3", migrator(3)),
        ("W1 n=4", migrator(4)),
        ("W2 n=4 ring", ring(4, false)),
        ("W2 n=4 ordered", ring(4, true)),
        ("W3 n=3", references(3, Rmw::Full)),
        ("W3 n=4", references(4, Rmw::Full)),
        ("W4 n=3", try_locks(3, Rmw::Release)),
        ("W4 n=4", try_locks(4, Rmw::Release)),
        ("W5 n=2", wake_up(2, Wake::OneWord)),
        ("W5 n=3", wake_up(3, Wake::OneWord)),
        ("W5 n=4", wake_up(4, Wake::OneWord)),
    ]
}
