//! CPU hotplug: who is online, the moment at which a CPU is not any more, and the one at which it
//! is again.
//!
//! `stop_machine()` has every CPU run a stopper, which nothing preempts, and then turn interrupts
//! off; the mask changes while all of them spin there. So whoever has preemption off sees one mask,
//! and whoever has not may see it change between two turns of his loop.
//!
//! Tasks and work items of a CPU that goes down go on elsewhere. All that depends on the CPU is done
//! with preemption or interrupts off, so that here a task moves when it begins such a section and
//! finds its CPU offline. (In the kernel it is pushed away a little sooner, while its CPU is still
//! online; what it does between two sections is the same on both.) Which CPU it moves to is fixed:
//! the first that is online.
//!
//! A CPU that comes up puts itself into the mask, and nobody waits for anybody: the mask changes
//! under who has preemption off too. No task runs there before. Its caches are empty: what the
//! callbacks of a dead CPU are for. Left out: the callbacks before a CPU is stopped, and those of
//! one that comes up (kernel/workqueue.c has its workers bound again, which here run where their
//! items are queued; mm/swap.c and fs/buffer.c have none).
//! Source: kernel/cpu.c `take_cpu_down()`, kernel/stop_machine.c `multi_cpu_stop()`,
//! kernel/sched/core.c `balance_push()`, arch/x86/kernel/smpboot.c `start_secondary()`,
//! kernel/workqueue.c `unbind_worker()`, 6.12.

use selvedge_explore::{
    Access, Interrupts, Lock, Rmw, abilities, current_context, enter, move_to, under,
};
use selvedge_trace::{Context, Name};

use crate::{Cpus, Var, WRITE_ONCE, data_race, kernel_assert, reached, smp_processor_id};

/// A CPU came up.
pub const CPU_IS_UP: &str = "a CPU is online again";

/// A CPU was taken down.
pub const CPU_IS_DOWN: &str = "a CPU is offline";

/// A task was on a CPU that has gone down, and goes on elsewhere.
pub const MOVED: &str = "a task of an offline CPU was moved";

/// What there is of it where CPUs can go down.
#[derive(Debug)]
pub(crate) struct Hotplug {
    /// `cpu_online_mask`
    online: Var,
    /// Held by who stops the machine.
    stopping: Lock,
}

impl Cpus {
    /// The same with CPUs that can go down. That costs each round over all CPUs a step a turn, and
    /// each section with preemption or interrupts off one, so that only a scenario in which a CPU
    /// goes down asks for it.
    pub fn with_hotplug(mut self) -> Cpus {
        let all = (1 << self.possible().len()) - 1;
        self.hotplug = Some(Hotplug {
            online: Var::new(Name::new("cpu_online_mask"), all),
            stopping: Lock::new(Name::new("stop_cpus_mutex")),
        });
        self
    }

    /// Takes a look at another CPU's exclusions, which takes two steps: the machine is not stopped
    /// between them, or else he who looks could not go on, nor whoever stops it.
    pub(crate) fn while_it_runs(&self, look: impl FnOnce()) {
        let Some(Hotplug { stopping, .. }) = &self.hotplug else { return look() };
        stopping.lock("no stop_machine()");
        look();
        stopping.unlock("stop_machine() again");
    }

    /// The caller has preemption or interrupts off, so that the answer stays true.
    pub(crate) fn is_here_online(&self) -> bool {
        cpu_online(self, smp_processor_id())
    }

    /// The current task's CPU is offline, and it is in no section.
    pub(crate) fn move_on(&self) {
        let there = self.online().next().expect("somebody has taken the CPU down");
        reached(MOVED);
        move_to(self.place(there, current_context()));
    }
}

/// `cpu_online(cpu)`: races with a CPU that goes down unless the caller has preemption off. The
/// kernel reads the mask in plain C.
pub fn cpu_online(cpus: &Cpus, cpu: usize) -> bool {
    cpus.hotplug.as_ref().is_none_or(|hotplug| data_race(&hotplug.online) & (1 << cpu) != 0)
}

/// `take_cpu_down()`, with the `stop_machine()` around it: `cpu` is offline when it returns. The
/// caller is on another CPU, and may be preempted.
///
/// # Panics
///
/// If the scenario's CPUs cannot go down ([`Cpus::with_hotplug`]).
pub fn take_cpu_down(cpus: &Cpus, cpu: usize) {
    let _in = enter("take_cpu_down");
    let Hotplug { online, stopping } = cpus.hotplug.as_ref().expect("a scenario with hotplug");
    kernel_assert(smp_processor_id() != cpu, "a CPU is taken down by another one");
    let all = cpus.possible();
    // The stopper of each CPU runs where nobody has preemption or interrupts off.
    let on = |stopped: usize, step: &dyn Fn()| {
        under(stopped, Context::Task, cpus.task_on(stopped).passes, step);
    };
    stopping.lock("stop_machine");
    for stopped in all.clone() {
        on(stopped, &|| cpus.preempt_of(stopped).lock("multi_cpu_stop"));
    }
    // Where there are no interrupts, interrupts off is preemption off.
    let has_irqs = abilities().interrupts == Interrupts::AtAnyStep;
    let irqs = if has_irqs { all.clone() } else { 0..0 };
    for stopped in irqs.clone() {
        on(stopped, &|| cpus.irq_of(stopped).lock("local_irq_disable"));
    }
    WRITE_ONCE(online, data_race(online) & !(1 << cpu));
    for stopped in irqs.rev() {
        on(stopped, &|| cpus.irq_of(stopped).unlock("local_irq_enable"));
    }
    for stopped in all.rev() {
        on(stopped, &|| cpus.preempt_of(stopped).unlock("multi_cpu_stop ends"));
    }
    stopping.unlock("stop_machine ends");
    reached(CPU_IS_DOWN);
}

/// `set_cpu_online(cpu, true)` of `start_secondary()`, on the CPU itself, at the end of `cpu_up()`:
/// tasks may be started there when it returns. The caller is on another CPU.
///
/// # Panics
///
/// If the scenario's CPUs cannot go down ([`Cpus::with_hotplug`]).
pub fn bring_cpu_up(cpus: &Cpus, cpu: usize) {
    let _in = enter("cpu_up");
    let Hotplug { online, .. } = cpus.hotplug.as_ref().expect("a scenario with hotplug");
    kernel_assert(!cpu_online(cpus, cpu), "a CPU comes up that is online");
    // The CPU does it itself: whoever has preemption off where the caller is keeps it from nothing.
    under(cpu, Context::Task, cpus.task_on(cpu).passes, || {
        online.0.update_void(Rmw::Or(1 << cpu), Access::relaxed("set_cpu_online"));
    });
    reached(CPU_IS_UP);
}
