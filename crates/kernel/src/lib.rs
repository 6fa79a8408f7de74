//! The kernel's primitives under the kernel's names, each with the ordering that the Linux-kernel
//! memory model (LKMM) gives it.
//!
//! Every step passes one gate, by way of [`selvedge_explore::Word`], `Lock` and `Token`: nothing
//! else here switches tasks, and nothing else but remarks is recorded. A primitive that an engine
//! cannot render like the others asks for its [`selvedge_explore::Abilities`].
//!
//! | primitive                                              | ordering                               | file          |
//! |--------------------------------------------------------|----------------------------------------|---------------|
//! | `READ_ONCE`, `WRITE_ONCE`, `smp_load_acquire`, …       | as named                               | `once.rs`     |
//! | plain C, `data_race`                                   | none; `data_race` is not reported      | `once.rs`     |
//! | `atomic_read`, `atomic_inc` and other void forms       | none                                   | `atomic.rs`   |
//! | `atomic_dec_and_test` and other value-returning forms  | full, both sides                       | `atomic.rs`   |
//! | `atomic_cmpxchg`, `atomic_add_unless`                  | full if it happens, none if not        | `atomic.rs`   |
//! | `set_bit`, `clear_bit`; `test_and_*`                   | none; full                             | `bitops.rs`   |
//! | `test_and_set_bit_lock`, `clear_bit_unlock`            | acquire if it wins; release            | `bitops.rs`   |
//! | `smp_mb`, `smp_rmb`, `smp_wmb`, `smp_mb__before_atomic`| full, read-read, write-write, full     | `barrier.rs`  |
//! | `spin_lock`, `mutex_lock`                              | acquire / release                      | `locking.rs`  |
//! | `spin_trylock`, `mutex_trylock`                        | acquire if it wins, none if not        | `locking.rs`  |
//! | `down_read`, `down_write` and their tries              | acquire; none if a try fails           | `rwsem.rs`    |
//! | `up_read`, `up_write`, `downgrade_write`               | release                                | `rwsem.rs`    |
//! | `complete`, `complete_all`; `wait_for_completion`      | release; acquire; a section of one lock | `completion.rs`|
//! | `spin_until_cond`, `smp_cond_load_acquire`             | none; acquire                          | `spin.rs`     |
//! | `read_seqcount_begin`, `read_seqcount_retry`           | acquire; read-read                     | `seqcount.rs` |
//! | `write_seqcount_begin`, `write_seqcount_end`           | write-write                            | `seqcount.rs` |
//! | `refcount_inc`; `refcount_dec_and_test`                | none; release, and acquire if the last | `refcount.rs` |
//! | `raw_spin_lock_irqsave`                                | acquire / release; never sleeps        | `locking.rs`  |
//! | `preempt_disable`, `local_irq_disable`                 | none: exclusion on one CPU             | `cpu.rs`      |
//! | `this_cpu_ptr`                                         | none; asserts that the task is kept there | `cpu.rs`   |
//! | `local_lock`, `local_lock_irqsave`                     | none; PREEMPT_RT: acquire / release    | `local_lock.rs`|
//! | `on_each_cpu_cond`                                     | predicate: none; handler: both ways    | `smp.rs`      |
//! | `cpu_online`, `take_cpu_down`, `bring_cpu_up`         | none; all CPUs have interrupts off; none | `hotplug.rs`  |
//! | a task that is moved                                   | none: what it did and does is its own  | `moves.rs`    |
//! | `local_bh_disable`, `spin_lock_bh`, softirqs           | none: exclusion on one CPU; as `spin_lock` | `cpu.rs`, `smp.rs` |
//! | `queue_work_on`, `flush_work`, `cancel_work_sync`      | full if queued; completion; full       | `workqueue.rs`|
//! | `set_current_state`, `schedule`, `try_to_wake_up`       | full, between store and load           | `sched.rs`    |
//! | `send_sig`, `send_sigkill`, `process_timeout`           | as `try_to_wake_up`, after the store   | `sched.rs`    |
//! | `mutex_lock_killable`, `down_write_killable`, `wait_for_completion_interruptible`, …| acquire; none if a signal ends the wait | `killable.rs` |
//! | `read_lock`, `write_lock`, with `_irqsave`, `_bh`      | acquire / release                      | `rwlock.rs`   |
//! | `rcu_read_lock`; with PREEMPT_RCU                      | none; more than LKMM has               | `rcu.rs`, `preempt_rcu.rs` |
//! | `synchronize_rcu`, `call_rcu`                          | full, and with every section it waits for | `rcu.rs`   |
//! | `rcu_barrier`                                          | with the end of each callback          | `rcu.rs`      |
//!
//! Sources: tools/memory-model/linux-kernel.def, Documentation/atomic_t.txt and atomic_bitops.txt
//! of 6.12. Known difference: no engine explores load buffering or dependencies; where the kernel
//! relies on a control dependency the model says so.
#![allow(non_snake_case, reason = "the kernel's own names")]

mod atomic;
mod barrier;
mod bitops;
mod completion;
mod cpu;
mod hotplug;
mod killable;
mod local_lock;
mod locking;
mod moves;
mod once;
mod preempt_rcu;
mod rcu;
mod refcount;
mod refs;
mod rules;
mod rwlock;
mod rwsem;
mod sched;
mod seqcount;
mod smp;
mod spin;
mod workqueue;

pub use atomic::*;
pub use barrier::*;
pub use bitops::*;
pub use completion::*;
pub use cpu::*;
pub use hotplug::*;
pub use killable::Interrupted;
pub(crate) use killable::Waiters;
pub use local_lock::*;
pub use locking::*;
pub(crate) use moves::Moves;
pub use moves::TASK_WAS_MOVED;
pub use once::*;
pub(crate) use preempt_rcu::Readers;
pub(crate) use rcu::Callbacks;
pub use rcu::*;
pub use refcount::*;
pub use refs::*;
pub use rules::*;
pub use rwlock::*;
pub use rwsem::*;
pub use sched::*;
pub use selvedge_explore::edits;
pub use selvedge_explore::{
    Own, Private, Rmw, choose, enter, enter_waker, fail, fail_about, join, join_all, me, set_up,
};
pub use selvedge_trace::{Bit, Context, NOBODY_WAITS_FOR_EVER, Name, Order, Rule};
pub use seqcount::*;
pub use smp::*;
pub use spin::*;
pub use workqueue::*;

/// What this crate was compiled from, for fingerprints: they say whether a verdict that was reached
/// before may have changed.
pub static SOURCES: include_dir::Dir<'static> =
    include_dir::include_dir!("$CARGO_MANIFEST_DIR/src");
