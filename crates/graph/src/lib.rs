//! Stateless, optimal exploration of execution graphs under the memory model of the Linux kernel,
//! or sequential consistency.
//!
//! A program is a closure, the main task, that makes [`Word`]s and [`Lock`]s and [`spawn`]s other
//! tasks, which are closures too. They may do anything, but what they share goes through the
//! operations of this crate. [`Search::run`] runs the program again and again, until it has seen
//! each of its *executions*: what each task did, which write each read read from (`rf`), and in
//! which order the writes to each word took effect (coherence order, `co`). No order of steps is
//! part of that, and none is explored: an execution is a graph, and each consistent graph is run
//! once.
//!
//! ```
//! use graph::{Load, Model, Search, Store, Word, check, spawn};
//!
//! // A message is passed by a flag; the receiver finds the flag, but not the message.
//! let program = |flag_store: Store, flag_load: Load| move || {
//!     let (data, flag) = (Word::new(0), Word::new(0));
//!     let sender = spawn(move || {
//!         data.store(42, Store::Relaxed);
//!         flag.store(1, flag_store);
//!     });
//!     if flag.load(flag_load) == 1 {
//!         check(data.load(Load::Relaxed) == 42, "the message has arrived");
//!     }
//!     sender.join();
//! };
//! let weak = Search::default().count(program(Store::Relaxed, Load::Relaxed));
//! assert_eq!((weak.executions, weak.failures), (3, 1));
//! let ordered = Search::default().count(program(Store::Release, Load::Acquire));
//! assert_eq!((ordered.executions, ordered.failures), (2, 0));
//! let strong = Search::of(Model::Sc).count(program(Store::Relaxed, Load::Relaxed));
//! assert_eq!((strong.executions, strong.failures), (2, 0));
//! ```
//!
//! # The algorithm
//!
//! TruSt: Kokologiannakis, Marmanis, Gladstein, Vafeiadis, *Truly stateless, optimal dynamic
//! partial order reduction*, POPL 2022. `engine/mod.rs` has it in a few words. Nothing is
//! remembered of graphs that have been explored; the memory is linear in the size of one.
//!
//! Three things are not in the paper.
//!
//! **Waiting** ([`Word::wait`], [`Word::wait_update`]). A loop that reads until a condition holds
//! is one read of a value for which it does. A task that waits is not run before the newest value
//! is such a value, or nobody else can go on. If it reads a value for which the condition does not
//! hold, it is stuck; that is a deadlock if no other value takes effect after that one, and no
//! execution otherwise ([`Counts::blocked`]).
//!
//! **Locks.** A task that wants a lock is not run before it is free. Who has taken it may have been
//! later: then its acquisition is taken out of the graph, instead of being made to read that the
//! lock is taken. So contention for a lock makes one execution for each order in which it is
//! taken, and none that is in vain.
//!
//! **Grace periods.** Whether a grace period waits for a section cannot be told before both are
//! over, so this axiom alone is asked of finished graphs. Those that break it are counted with the
//! blocked ones.
//!
//! One thing is not done. **Additions that commute** ([`Word::add`]) are ordered like any other
//! writes, although nobody reads between two of them: n tasks that add to one word make n!
//! executions, and W1 of the benchmark 19, 110 and 785 where 16, 64 and 256 would do. Two ways to
//! have fewer, and why they are not taken:
//!
//! - *All but one order is left out.* A task may come that reads the one without the other, and
//!   that graph is reached only from the one in which they have this order. Whether such a task
//!   comes is known at the end, when nothing is saved any more.
//! - *The order is left open*: a run of additions is a set, with no reads-from among them, and a
//!   read takes a part of it. That is right under sequential consistency, and not under the
//!   kernel's model, in which additions do not commute. Let one task store to x, add, and store to
//!   u, with write barriers in between, and another do the same with v, the same sum, and y. If the
//!   first addition comes first, the other carries on what it passes on: who sees y sees x. If it
//!   comes second, who sees u sees v. So nobody may see y without x while somebody sees u without
//!   v, though nobody reads the sum, and either alone is allowed (`tests/counts.rs` has it as a
//!   test). Whether such a set has an order that is allowed is a question about all orders of it,
//!   which each step of the search would have to ask; an engine that does not ask shows executions
//!   that do not exist.
//!
//! # The memory model
//!
//! That of tools/memory-model (linux-kernel.cat, lock.cat) of Linux 6.12, in our own words. In what
//! follows, accesses are *marked* unless they are plain; an *overwrite* leads from a write to each
//! later one of the same word, and from a read to each write after the one that it read from; `;`
//! is "and then".
//!
//! - **Coherence.** Each word by itself is sequentially consistent: program order of its accesses,
//!   reads-from and overwrites have no cycle.
//! - **Atomicity.** Between what an update reads and what it writes no other task's write takes
//!   effect.
//! - **Happens-before has no cycle.** It is made of: what the program orders within a task (full,
//!   read and write barriers; a release after all that comes before it; all after an acquire; an
//!   unlock and a later lock; an overwrite; control and address dependencies where
//!   [`Fence::Control`] and [`Fence::Address`] name them; what an update computed, before a read of
//!   it); reads from another task; and propagation, below, that leads back to the same task.
//! - **Propagation.** A write is `propagated` before an access: perhaps an overwrite by another
//!   task; any number of *cumulative fences*; perhaps a read by another task. Cumulative fences
//!   are strong fences and releases (which carry also what their task has read from others), write
//!   barriers, and an unlock and a lock after it (of the same lock, or by the same task), each
//!   followed by any chain of updates that read from one another.
//! - **Propagates-before has no cycle.** It is made of: propagation, then a strong fence (a full
//!   barrier, a full update, a grace period; a lock or an update with the barrier that makes them
//!   strong), then any number of steps of happens-before.
//! - **Grace periods.** A chain of grace periods and read-side critical sections, in which there
//!   are no more of the latter, acts as a strong fence; it too closes no cycle. A chain goes
//!   through a section from its end to its beginning. A section that is never ended reaches to
//!   the end of its task.
//! - **Sequential consistency** ([`Model::Sc`]) is one axiom more: program order, reads-from and
//!   overwrites, of all words together, have no cycle.
//!
//! A **data race** ([`Execution::race`]) is two accesses of different tasks to one word, one of
//! them plain, one of them a write, where the model does not make sure that the first is over, and
//! its effect seen, when the other begins. The definition is in `races.rs`.
//!
//! ## What is lost
//!
//! - **Load buffering.** Only executions are explored in which program order and reads-from have no
//!   cycle. The kernel's model allows others: two tasks may each read what the other writes later,
//!   if nothing orders the write after the read. An outcome that needs such a cycle is not found.
//! - **Dependencies** cannot be seen through a closure. They are taken to be absent, so that more
//!   is allowed than by the kernel's model, unless the program names them: [`Fence::Address`] for a
//!   pointer that is followed (or an acquire, which orders more), [`Fence::Control`] for a branch
//!   or for data.
//! - SRCU is not there.
//!
//! # What is guaranteed
//!
//! If [`Counts::complete`] says so, each execution of the program, but for what is lost above, was
//! seen once, provided that a task does the same if it reads the same. (Where it is noticed that it
//! does not: [`End::NotDeterministic`].) Data races are among the executions that were seen: a
//! program of which a search is complete, with `racy` 0, has none.
//!
//! Who looks for a bug of ordering looks with the default model; a program that fails already under
//! [`Model::Sc`] has another bug.

mod axioms;
mod bits;
mod coroutine;
mod engine;
mod event;
mod execution;
mod fresh;
mod graph;
mod matrix;
mod op;
mod order;
mod parallel;
mod races;
mod rcu;
mod resorted;
mod restricted;
mod rows;
mod search;
mod show;
mod steps;

pub use execution::{At, Does, End, Event, Execution, Race};
pub use op::{
    Fence, Load, Lock, Rmw, Store, Task, Word, check, choose, fail, fence, me, rcu_read_lock,
    rcu_read_unlock, spawn, synchronize_rcu,
};
pub use order::{BestOrder, Keeps};
pub use parallel::{Split, Worker};
pub use search::{Counts, Model, Next, Observer, Search};
pub use steps::{is_stale, keeps_coherence, replaced, steps_in_common, steps_taken};
