//! Who could have to wait for whom: the lock and wait graph of a scenario, over all executions.
//!
//! A node is an *instance* of what a task may wait for: a spinlock, mutex, rwsem or local lock, a
//! bit that is slept on (PG_locked, BH_Lock, PG_writeback), a region with preemption or interrupts
//! off (that
//! `synchronize_rcu()` or an IPI waits for), an interrupt handler that has the CPU, the end of a
//! work item (`flush_work()`) or of another task, a wake-up or completion. An edge from A to B
//! says: some task waits for B while it holds A, or while the release of A is up to it.
//!
//! - A wait that did not have to happen is an edge: the lock was free, and a schedule in which it
//!   is not is what the graph is to predict.
//! - A bit without an owner is held by whoever clears it, from when it was set; before that task
//!   was started, by who started it, and so on: so a bio that nobody has submitted yet is up to who
//!   has it, and one that was is up to the end of the I/O.
//! - A try-lock waits for nobody. What it would have waited for is kept as an edge that only
//!   *tries*: a cycle through one is no deadlock, and that is why.
//! - A wait that a signal ends is one like another: no signal need come. What would end a deadlock
//!   is said with it.
//! - A lock that is taken with interrupts on could have to wait for a handler on its CPU.
//! - The scenario's main task waits for everybody, and is left out.
//!
//! | file          | what                                                           |
//! |---------------|----------------------------------------------------------------|
//! | `alike.rs`    | which executions need not be read, since one like them was     |
//! | `hash.rs`     | by which they are told apart                                   |
//! | `read.rs`     | from the events of an execution to who holds what, when        |
//! | `waits.rs`    | the waits of an execution, and the edges that they make        |
//! | `cycles.rs`   | the elementary cycles                                          |
//! | `tribunal.rs` | what becomes of a cycle: real, refuted (by what), possible     |
//! | `irq.rs`      | locks that interrupts take, and that are taken with interrupts on |
//! | `joined.rs`   | cycles through several scenarios, and by class                 |
//! | `splat.rs`    | a cycle as lockdep would print it, and the graph as DOT        |
//! | `dept.rs`     | a cycle as DEPT would print it                                 |
//! | `svg.rs`      | the graph as a picture                                         |

mod alike;
mod cycles;
mod dept;
mod hash;
mod irq;
mod joined;
mod read;
mod splat;
mod svg;
mod tribunal;
mod waits;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};

use selvedge_trace::{Context, Counterexample, Execution, Finding, Monitor};

pub use dept::dept;
pub use irq::{Contexts, Taken};
pub use joined::{Classes, Joined, joined};
use read::Tasks;
pub use splat::{dot, splat};
pub use svg::{Drawing, svg};
pub use tribunal::{Guard, Judged, Search, Verdict, judge};
use waits::{Watch, unless};

use crate::Signal;

/// An instance that can be waited for, within a scenario.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Id {
    /// A lock, an exclusion of a CPU, or a token, by its number.
    Object(u32),
    /// A bit of a word: the word's number, and a mask.
    Bit(u32, u64),
    /// The interrupt handler that runs on the CPU whose exclusion has this number.
    Handler(u32),
    /// The end of the task of this number ([`Use::task`]).
    End(u8),
}

/// What kind of thing an instance is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// `spinlock_t`, `raw_spinlock_t`.
    SpinLock,
    /// `struct mutex`.
    Mutex,
    /// `struct rw_semaphore`: one writer, or readers.
    RwSem,
    /// `rwlock_t`: the same, and spins.
    RwLock,
    /// `local_lock_t`, where it is a lock (PREEMPT_RT).
    LocalLock,
    /// A bit of a word that tasks sleep on.
    Bit,
    /// A region with preemption off.
    PreemptOff,
    /// A region with interrupts off.
    IrqOff,
    /// An interrupt handler that has the CPU.
    Handler,
    /// The end of a work item, or of another task.
    End,
    /// A wake-up, or a completion.
    WakeUp,
}

/// An instance, in words.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Resource {
    /// What kind it is.
    pub kind: Kind,
    /// The kernel's name, with the number of the instance: `PG_locked of folio1`.
    pub name: String,
    /// The name without: `PG_locked`.
    pub class: String,
    /// Is it the same instance in every scenario? So is a static lock; folio 1 is whichever folio
    /// a scenario means by it.
    pub is_static: bool,
}

/// One way in which an edge came about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Use {
    /// The number of the task that waits, the same in every execution.
    pub task: u8,
    /// Its name: `CPU0 migrator`.
    pub who: String,
    /// The context it waits in.
    pub context: Context,
    /// The kernel functions in which it came to hold the first, outermost first.
    pub held_in: Vec<&'static str>,
    /// Those in which it waits for the second.
    pub waits_in: Vec<&'static str>,
    /// Did the task itself take the first? If not, it is up to it since somebody else set it.
    pub took: bool,
    /// Does it only try?
    pub tries: bool,
    /// What it holds besides that one task at a time can hold.
    pub guards: BTreeSet<Id>,
    /// The tasks that have ended before, for certain: a bit each.
    pub after: u128,
    /// The tasks that begin only later.
    pub before: u128,
    /// In the execution that showed it first, the step at which it came to hold the first.
    pub held_at: usize,
    /// The step at which it waited for the second, or tried.
    pub waits_at: usize,
    /// What ends the wait besides.
    pub ended_by: Option<Signal>,
}

/// The graph of a scenario, and the cycles that an execution ran into.
#[derive(Clone, Debug, Default)]
pub struct LockGraph {
    /// The nodes.
    pub resources: BTreeMap<Id, Resource>,
    /// The edges, with each way in which they came about.
    pub edges: BTreeMap<(Id, Id), BTreeSet<Use>>,
    /// The deadlocks that executions ended in: each cycle, from its smallest node on, with the
    /// first such execution. Its schedule is for who ran the search to fill in.
    pub reached: BTreeMap<Vec<Id>, Arc<Counterexample>>,
    /// Who would have to get which signal to end such a deadlock, of each of these; nobody, if none
    /// does.
    pub ended_by: BTreeMap<Vec<Id>, BTreeSet<String>>,
    /// Waits that a signal has ended in some execution: the task ([`Use::task`]), and for what.
    pub gave_up: BTreeSet<(u8, Id)>,
    /// In which contexts locks were taken.
    pub contexts: BTreeMap<Id, Contexts>,
    /// The tasks of all executions: whose [`Id::End`] and [`Use::task`] are these numbers, from 1.
    tasks: Tasks,
}

impl LockGraph {
    /// What an instance is called.
    pub fn name(&self, id: Id) -> &str {
        self.resources.get(&id).map_or("?", |resource| resource.name.as_str())
    }

    /// What would end the deadlock of this cycle: `, unless a fatal signal to CPU0 reader ends it`.
    pub fn unless(&self, cycle: &[Id]) -> String {
        self.ended_by.get(cycle).map(unless).unwrap_or_default()
    }
}

/// The monitor: reads executions into a graph that the caller keeps.
///
/// What an edge's steps are, and which execution of a deadlock is kept, is that of the execution
/// that came first: with one thread ([`selvedge_trace::Monitor`] on how searches are split) always
/// the same.
#[derive(Debug)]
pub struct Locks {
    graph: Arc<Mutex<LockGraph>>,
    watch: Watch,
}

impl Locks {
    /// A monitor that adds to this graph.
    pub fn into(graph: &Arc<Mutex<LockGraph>>) -> Locks {
        Locks { graph: graph.clone(), watch: Watch::default() }
    }

    /// The same, which reads every execution, though it was like one before: to compare.
    #[must_use]
    pub fn reading_all(mut self) -> Locks {
        self.watch.reads_all = true;
        self
    }
}

impl Monitor for Locks {
    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        let mut graph = self.graph.lock().expect("not poisoned");
        self.watch.execution(execution, &mut graph);
        None
    }

    fn another(&self) -> Box<dyn Monitor> {
        let another = Locks::into(&self.graph);
        Box::new(if self.watch.reads_all { another.reading_all() } else { another })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::SpinLock => "spinlock",
            Kind::Mutex => "mutex",
            Kind::RwSem => "rwsem",
            Kind::RwLock => "rwlock",
            Kind::LocalLock => "local lock",
            Kind::Bit => "bit",
            Kind::PreemptOff => "preemption off",
            Kind::IrqOff => "interrupts off",
            Kind::Handler => "interrupt",
            Kind::End => "end of a task",
            Kind::WakeUp => "wake-up",
        })
    }
}
