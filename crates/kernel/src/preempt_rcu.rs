//! PREEMPT_RCU: a reader may be preempted, and moves nobody off its CPU; a grace period waits for
//! the reader, wherever it is.
//!
//! Each task has a count of its own, odd as long as it is in a section. A grace period looks at
//! each and, where it is odd, waits until it is another: so it waits for the sections that had
//! begun, and for none that begin later, as often as a task may begin one. (The kernel has a list
//! of blocked readers for that, and quiescent states for the others.)
//!
//! To begin and to end a section is a full barrier here. LKMM has it order nothing but against
//! grace periods, which no engine's words can say: what a model gains by that under weak memory is
//! something that it must not rely on. Under sequential consistency there is no difference.
//! A step may wait for a value, which not every engine has ([`selvedge_explore::Abilities`]).
//!
//! Source: kernel/rcu/tree_plugin.h `__rcu_read_lock()`, `rcu_note_context_switch()`,
//! `rcu_preempt_deferred_qs()`, 6.12. Left out: boosting; that a reader that was preempted reports
//! its quiescent state later than it ends.

use selvedge_explore::{Access, If, Own, Rmw, me, unable};
use selvedge_trace::{Name, Order};

use crate::{KERNEL_ASSERTIONS_HOLD, READ_ONCE, Var, fail};

/// The tasks that read.
#[derive(Debug)]
pub(crate) struct Readers {
    /// By number, main's is not used.
    counts: Vec<Var>,
    /// How deep each task is in sections: nobody else's business.
    depths: Own<u32>,
}

impl Readers {
    pub(crate) fn new(tasks: usize) -> Readers {
        let count = |task| Var::new(Name::new("task->rcu_read_lock_nesting").nth(task), 0);
        Readers { counts: (0..=tasks).map(count).collect(), depths: Own::default() }
    }

    fn mine(&self) -> &Var {
        let me = me();
        match self.counts.get(me) {
            Some(count) => count,
            None => unable(format!(
                "PREEMPT_RCU was made for {} tasks, and task {me} reads",
                self.counts.len() - 1
            )),
        }
    }

    /// `__rcu_read_lock()`
    pub(crate) fn begin(&self) {
        let count = self.mine();
        let depth = self.depths.open(|depth| {
            *depth += 1;
            *depth
        });
        if depth == 1 {
            step(count, "rcu_read_lock");
        }
    }

    /// `__rcu_read_unlock()`
    pub(crate) fn end(&self) {
        let count = self.mine();
        let left = self.depths.open(|depth| {
            let left = depth.checked_sub(1);
            *depth = left.unwrap_or(0);
            left
        });
        match left {
            Some(0) => step(count, "rcu_read_unlock"),
            Some(_) => {}
            None => fail(KERNEL_ASSERTIONS_HOLD, "rcu_read_unlock() without rcu_read_lock()"),
        }
    }

    /// Waits for those who are in a section.
    pub(crate) fn wait(&self) {
        for count in &self.counts[1..] {
            let began = READ_ONCE(count);
            if began & 1 == 1 {
                let access = Access::relaxed("wait for the RCU reader").order(Order::Acquire);
                count.0.wait_until(If::Differs(began), access);
            }
        }
    }
}

fn step(count: &Var, primitive: &'static str) {
    count.0.update(Rmw::Add(1), Access::relaxed(primitive).order(Order::Full));
}
