//! A cycle of waits one of which a signal ends: a deadlock, unless that signal comes.

use std::sync::Arc;

use selvedge_explore::Bounds;
use selvedge_kernel::*;
use selvedge_models::mm::filemap::{folio_lock, folio_lock_killable, folio_unlock};
use selvedge_models::trees::V6_12_117;
use selvedge_models::{Kernel, Machine};
use selvedge_monitors::lock_graph::{Guard, Judged, Verdict, splat};
use selvedge_monitors::{NOBODY_LOCKS_WHAT_IT_HOLDS, Signal};
use selvedge_proofs::lock_order::{Explored, explore_body};

/// What is waited for so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Thing {
    Mutex,
    /// The same, by a wait that any signal ends.
    Interruptible,
    Writer,
    Reader,
    Folio,
    Completion,
}

use Thing::{Completion as Done, Folio, Interruptible, Mutex as Mtx, Reader, Writer};

const ALL: [Thing; 6] = [Mtx, Interruptible, Writer, Reader, Folio, Done];

/// Who waits so holds `a`, and who has what he waits for wants that.
struct Things {
    /// Of the tasks that lock a folio; the others have `cpus`.
    kernel: Arc<Kernel>,
    cpus: Arc<Cpus>,
    waiter: Task,
    a: Mutex,
    mutex: Mutex,
    sem: RwSem,
    done: Completion,
}

impl Things {
    fn new() -> Arc<Things> {
        let kernel = Kernel::new(&V6_12_117, Machine::TINY.sleepers(2));
        let cpus = Arc::new(Cpus::new(2, false));
        Arc::new(Things {
            waiter: Task::new(2),
            a: Mutex::new(Name::new("a")),
            mutex: Mutex::killable(&cpus, Name::new("mutex")),
            sem: RwSem::killable(&cpus, Name::new("sem")),
            done: Completion::killable(&cpus, Name::new("done")),
            cpus,
            kernel,
        })
    }

    /// Starts a task of a program about this thing.
    fn task(
        self: &Arc<Things>,
        thing: Thing,
        (cpu, name): (usize, &str),
        body: impl FnOnce(&Things) + Send + 'static,
    ) -> usize {
        let things = self.clone();
        match thing {
            Folio => self.kernel.task(cpu, name, move |_| body(&things)),
            _ => spawn_task(&self.cpus, cpu, name, move || body(&things)),
        }
    }

    fn cpus(&self, thing: Thing) -> &Cpus {
        if thing == Folio { &self.kernel.cpus } else { &self.cpus }
    }

    /// The task that waits killably.
    fn waiter(&self, thing: Thing) -> &Task {
        if thing == Folio { self.kernel.sleepers[0].task() } else { &self.waiter }
    }

    fn name(thing: Thing) -> &'static str {
        match thing {
            Mtx | Interruptible => "mutex",
            Writer | Reader => "sem",
            Folio => "PG_locked of folio0",
            Done => "wake-up of done",
        }
    }

    /// Waits for it, and gives it back if it got it and it is a lock.
    fn waits(&self, thing: Thing) {
        let k = &*self.kernel;
        let (cpus, me) = (self.cpus(thing), self.waiter(thing));
        let got = match thing {
            Mtx => mutex_lock_killable(cpus, &self.mutex, me).is_ok(),
            Interruptible => mutex_lock_interruptible(cpus, &self.mutex, me).is_ok(),
            Writer => down_write_killable(cpus, &self.sem, me).is_ok(),
            Reader => down_read_killable(cpus, &self.sem, me).is_ok(),
            Folio => folio_lock_killable(k, &k.folios[0]).is_ok(),
            Done => wait_for_completion_killable(cpus, &self.done, me).is_ok(),
        };
        if got && thing == Reader {
            up_read(&self.sem);
        } else if got && thing != Done {
            self.lets_go(thing);
        }
    }

    fn holds(&self, thing: Thing) {
        let k = &*self.kernel;
        match thing {
            Mtx | Interruptible => mutex_lock(&self.cpus, &self.mutex),
            Writer | Reader => down_write(&self.cpus, &self.sem),
            Folio => folio_lock(k, &k.folios[0]),
            Done => {
                let note = selvedge_trace::Action::Owns(1);
                selvedge_explore::note(note, self.done.object(), Name::new("done"));
            }
        }
    }

    fn lets_go(&self, thing: Thing) {
        let k = &*self.kernel;
        match thing {
            Mtx | Interruptible => mutex_unlock(&self.mutex),
            Writer | Reader => up_write(&self.sem),
            Folio => folio_unlock(k, &k.folios[0]),
            Done => complete(&k.cpus, &self.done),
        }
    }
}

/// What comes to who waits.
type Sends = fn(&Cpus, &Task);

/// On CPU0 `a` and then the thing, killably; on CPU1 the thing and then `a`; and perhaps a signal
/// to the first.
fn explored(thing: Thing, sends: Option<Sends>) -> Explored {
    let program = move || {
        let things = Things::new();
        let waiter = things.task(thing, (0, "waiter"), move |things| {
            mutex_lock(things.cpus(thing), &things.a);
            things.waits(thing);
            mutex_unlock(&things.a);
        });
        let holder = things.task(thing, (1, "holder"), move |things| {
            things.holds(thing);
            mutex_lock(things.cpus(thing), &things.a);
            mutex_unlock(&things.a);
            things.lets_go(thing);
        });
        let sender = sends.map(|sends| {
            things.task(thing, (1, "sender"), move |things| {
                sends(things.cpus(thing), things.waiter(thing));
            })
        });
        [Some(waiter), Some(holder), sender].into_iter().flatten().for_each(join);
    };
    explore_body(Arc::new(program), &Bounds::PROOF)
}

/// The cycle of the two, if there is one.
fn cycle(explored: &Explored, thing: Thing) -> Option<&Judged> {
    let mut names = ["a", Things::name(thing)];
    names.sort_unstable();
    explored.cycles.iter().find(|judged| {
        let mut cycle: Vec<&str> = judged.cycle.iter().map(|&id| explored.graph.name(id)).collect();
        cycle.sort_unstable();
        cycle == names
    })
}

#[test]
fn a_cycle_through_a_killable_wait_is_a_deadlock_unless_a_signal_comes() {
    for thing in ALL {
        let explored = explored(thing, None);
        let found = cycle(&explored, thing).unwrap_or_else(|| panic!("{thing:?}: no cycle"));
        let Verdict::Real(shown) = &found.verdict else { panic!("{thing:?}: {:?}", found.verdict) };
        let signal = if thing == Interruptible { "any signal" } else { "a fatal signal" };
        let unless = format!(", unless {signal} to CPU0 waiter ends it");
        assert_eq!(explored.graph.unless(&found.cycle), unless, "{thing:?}");
        assert!(shown.message.ends_with(&unless), "{thing:?}: {}", shown.message);
        assert!(shown.blocked.len() >= 2, "{thing:?}: both wait for ever");
        assert_eq!(explored.search.cut, None, "{thing:?}");
        let splat = splat(&explored.graph, found, "killable");
        assert!(splat.contains(&format!("real: an execution ends in it{unless}")), "{splat}");
        assert!(splat.contains(&format!("waits (until {signal}) for")), "{splat}");
        // What it does in the queue is no wait of its own.
        let others = explored.cycles.iter().filter(|judged| *judged != found);
        assert_eq!(others.count(), 0, "{thing:?}: {:?}", explored.cycles);
    }
}

#[test]
fn a_signal_that_always_comes_refutes_it_if_it_ends_the_wait() {
    for thing in ALL {
        let killed = explored(thing, Some(send_sigkill));
        let found = cycle(&killed, thing).unwrap_or_else(|| panic!("{thing:?}: no cycle"));
        let Verdict::Refuted(guards) = &found.verdict else { panic!("{thing:?}: {found:?}") };
        let signal = if thing == Interruptible { Signal::Any } else { Signal::Fatal };
        let by_signal = Guard::Signal(signal, "CPU0 waiter".into());
        assert!(guards.contains(&by_signal), "{thing:?}: {guards:?}, {:?}", killed.graph.gave_up);
        assert_eq!(killed.graph.unless(&found.cycle), "", "{thing:?}");
        // One that does not kill ends only what any ends.
        let signalled = explored(thing, Some(send_sig));
        let found = cycle(&signalled, thing).expect("a cycle");
        let is_real = matches!(found.verdict, Verdict::Real(_));
        assert_eq!(is_real, thing != Interruptible, "{thing:?}: {:?}", found.verdict);
    }
}

/// Where no side waits so, nothing is said of a signal.
#[test]
fn nothing_ends_a_plain_wait() {
    let program = || {
        let things = Things::new();
        let sides = [[0, 1], [1, 0]].into_iter().enumerate().map(|(cpu, order)| {
            things.task(Mtx, (cpu, "task"), move |things| {
                let locks = [&things.a, &things.mutex];
                order.iter().for_each(|&nth| mutex_lock(&things.cpus, locks[nth]));
                order.iter().for_each(|&nth| mutex_unlock(locks[nth]));
            })
        });
        sides.collect::<Vec<_>>().into_iter().for_each(join);
    };
    let explored = explore_body(Arc::new(program), &Bounds::PROOF);
    let found = cycle(&explored, Mtx).expect("a cycle");
    assert!(matches!(found.verdict, Verdict::Real(_)), "{:?}", found.verdict);
    assert_eq!(explored.graph.unless(&found.cycle), "");
    assert!(!splat(&explored.graph, found, "plain").contains("signal"));
}

#[test]
fn who_waits_killably_for_what_it_holds_waits_for_itself() {
    let program = || {
        let things = Things::new();
        join(things.task(Mtx, (0, "task"), |things| {
            mutex_lock(&things.cpus, &things.mutex);
            things.waits(Mtx);
            mutex_unlock(&things.mutex);
        }));
    };
    let explored = explore_body(Arc::new(program), &Bounds::PROOF);
    let [one] = &explored.cycles[..] else { panic!("{explored:?}") };
    assert_eq!(explored.graph.name(one.cycle[0]), "mutex");
    assert!(matches!(one.verdict, Verdict::Real(_)));
    let rules: Vec<_> = explored.broken.iter().map(|broken| broken.rule).collect();
    assert_eq!(rules, [NOBODY_LOCKS_WHAT_IT_HOLDS]);
}
