//! A scheduler that moves tasks from one CPU to another, where a scenario asks for it.
//!
//! A task that is preemptible may be moved at any step. What depends on the CPU is done with
//! preemption or interrupts off, or with a local lock held; so it is enough that a task can be
//! moved right before each such section: what it does between two of them is the same on both
//! CPUs. (`raw_cpu_ptr()` and `raw_smp_processor_id()` ask for the CPU elsewhere, and mean any.)
//!
//! Each task is moved once at most, to the CPU after its own. Left out: affinity, kthreads that are
//! bound to a CPU but for kworkers, `migrate_disable()` but for what PREEMPT_RT's locks do.
//! Source: kernel/sched/core.c `is_cpu_allowed()`, `__migrate_task()`, include/linux/preempt.h,
//! 6.12.

use selvedge_explore::{Own, choose, current_context, move_to};
use selvedge_trace::Context;

use crate::{Cpus, reached, smp_processor_id};

/// A task was moved to another CPU.
pub const TASK_WAS_MOVED: &str = "a task was moved to another CPU";

/// How often each task has been moved.
#[derive(Debug, Default)]
pub(crate) struct Moves(Own<u32>);

impl Cpus {
    /// The same with a scheduler that moves tasks. That costs each section with preemption or
    /// interrupts off a choice, so that only a scenario that is about it asks for it.
    pub fn with_moves(mut self) -> Cpus {
        self.moves = Some(Moves::default());
        self
    }

    /// The same before a local lock of PREEMPT_RT, which turns nothing off.
    pub(crate) fn may_be_moved_on_rt(&self) {
        if self.is_preempt_rt() {
            self.may_be_moved();
        }
    }

    /// The task that runs is about to begin a section in which it stays where it is.
    pub(crate) fn may_be_moved(&self) {
        let Some(Moves(moved)) = &self.moves else { return };
        let is_bound = current_context() != Context::Task || self.is_kept_here();
        if is_bound || moved.open(|times| *times > 0) {
            return;
        }
        if choose("migrate_task_to", 2) == 1 {
            moved.open(|times| *times += 1);
            let there = (smp_processor_id() + 1) % self.possible().len();
            move_to(self.place(there, Context::Task));
            reached(TASK_WAS_MOVED);
        }
    }
}
