//! CPUs: what preemption-off and interrupts-off regions exclude, and from whom.
//!
//! A CPU is not a lock. `preempt_disable`, `local_lock` (without PREEMPT_RT: `local_lock.rs`) and
//! `local_irq_disable` order nothing that another CPU sees; they keep other tasks, or interrupts
//! too, off this CPU. Each CPU has two exclusions, taken in the order preempt, irq:
//!
//! - where steps pass locks (`Abilities::steps_pass_locks`) every step of a task passes both
//!   exclusions of its CPU, so that nobody takes a step on a CPU whose task has preemption off, or
//!   beneath an interrupt handler;
//! - elsewhere (loom) the regions are mutexes. Steps outside regions are not excluded from a handler's:
//!   that adds interleavings that a CPU does not have, and takes none away.
//!
//! Left out: migration of tasks between CPUs, nested interrupts.
//! Source: include/linux/preempt.h, include/linux/local_lock_internal.h, 6.12.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex as Private};

use selvedge_explore::{Lock, Place, abilities, current_context, current_cpu, me, spawn};
use selvedge_trace::{Class, Context, IRQ, PREEMPT};

use crate::{KERNEL_ASSERTIONS_HOLD, NOBODY_SLEEPS_IN_ATOMIC_CONTEXT, fail};

/// The CPUs of a scenario.
#[derive(Debug)]
pub struct Cpus {
    cpus: Vec<Cpu>,
    preempt_rt: bool,
}

#[derive(Debug)]
struct Cpu {
    preempt: Arc<Lock>,
    irq: Arc<Lock>,
    /// Nesting of `preempt_disable`; only its holder looks.
    preempt_count: AtomicU32,
    /// Nesting of `local_irq_save`; only its holder looks.
    irq_depth: AtomicU32,
    /// PREEMPT_RT: the local locks, whose holders `synchronize_rcu()` waits for.
    reader_sections: Private<Vec<Arc<Lock>>>,
}

impl Cpus {
    /// So many CPUs, all online. To be made while the scenario is set up. With `preempt_rt`,
    /// spinlocks and local locks sleep, and neither turns preemption or interrupts off.
    pub fn new(count: usize, preempt_rt: bool) -> Cpus {
        let cpu = |cpu| Cpu {
            preempt: Arc::new(Lock::of_class(PREEMPT.on(cpu), Class::Preempt)),
            irq: Arc::new(Lock::of_class(IRQ.on(cpu), Class::Irq)),
            preempt_count: AtomicU32::new(0),
            irq_depth: AtomicU32::new(0),
            reader_sections: Private::default(),
        };
        Cpus { cpus: (0..count).map(cpu).collect(), preempt_rt }
    }

    /// `IS_ENABLED(CONFIG_PREEMPT_RT)`
    pub fn is_preempt_rt(&self) -> bool {
        self.preempt_rt
    }

    pub(crate) fn add_reader_section(&self, cpu: usize, lock: Arc<Lock>) {
        self.cpus[cpu].reader_sections.lock().expect("not poisoned").push(lock);
    }

    pub(crate) fn reader_sections(&self, cpu: usize) -> Vec<Arc<Lock>> {
        self.cpus[cpu].reader_sections.lock().expect("not poisoned").clone()
    }

    /// `for_each_online_cpu`.
    pub fn online(&self) -> std::ops::Range<usize> {
        0..self.cpus.len()
    }

    /// Where a task of `cpu` runs.
    pub fn task_on(&self, cpu: usize) -> Place {
        self.place(cpu, Context::Task)
    }

    pub(crate) fn place(&self, cpu: usize, context: Context) -> Place {
        let passes = match context {
            // A handler holds the CPU; there is nobody whom it could have to wait for once it runs.
            Context::Irq | Context::Softirq => [None, None],
            Context::Task | Context::Kworker => {
                [Some(self.cpus[cpu].preempt.object()), Some(self.cpus[cpu].irq.object())]
            }
        };
        Place { cpu: Some(cpu), context, passes }
    }

    fn here(&self) -> &Cpu {
        &self.cpus[current_cpu()]
    }

    pub(crate) fn irq_of(&self, cpu: usize) -> Arc<Lock> {
        self.cpus[cpu].irq.clone()
    }

    pub(crate) fn preempt_of(&self, cpu: usize) -> &Lock {
        &self.cpus[cpu].preempt
    }
}

/// Starts a task on `cpu` and returns its number.
pub fn spawn_task(
    cpus: &Cpus,
    cpu: usize,
    name: &str,
    body: impl FnOnce() + Send + 'static,
) -> usize {
    spawn(name, cpus.task_on(cpu), body)
}

/// `smp_processor_id()`.
pub fn smp_processor_id() -> usize {
    current_cpu()
}

fn in_interrupt() -> bool {
    matches!(current_context(), Context::Irq | Context::Softirq)
}

fn is_mine(lock: &Lock) -> bool {
    lock.holder() == Some(me())
}

/// `preempt_disable()`: nests. Nothing to do in an interrupt, which nothing preempts.
pub fn preempt_disable(cpus: &Cpus) {
    cpus.preempt_off("preempt_disable");
}

/// `preempt_enable()`.
pub fn preempt_enable(cpus: &Cpus) {
    cpus.preempt_on("preempt_enable");
}

/// `local_irq_disable()`.
pub fn local_irq_disable(cpus: &Cpus) {
    cpus.irq_off("local_irq_disable");
}

/// `local_irq_enable()`.
pub fn local_irq_enable(cpus: &Cpus) {
    cpus.irq_on("local_irq_enable");
}

/// `local_irq_save(flags)`: nests; `flags` is kept here.
pub fn local_irq_save(cpus: &Cpus) {
    cpus.irq_off("local_irq_save");
}

/// `local_irq_restore(flags)`.
pub fn local_irq_restore(cpus: &Cpus) {
    cpus.irq_on("local_irq_restore");
}

impl Cpus {
    pub(crate) fn preempt_off(&self, primitive: &'static str) {
        if in_interrupt() {
            return;
        }
        let cpu = self.here();
        if !is_mine(&cpu.preempt) {
            cpu.preempt.lock(primitive);
        }
        cpu.preempt_count.fetch_add(1, Relaxed);
    }

    pub(crate) fn preempt_on(&self, primitive: &'static str) {
        if in_interrupt() {
            return;
        }
        let cpu = self.here();
        if !is_mine(&cpu.preempt) {
            fail(KERNEL_ASSERTIONS_HOLD, "preempt_enable() without preempt_disable()");
        }
        if cpu.preempt_count.fetch_sub(1, Relaxed) == 1 {
            cpu.preempt.unlock(primitive);
        }
    }

    /// Interrupts off implies that nobody preempts. Where other tasks' steps pass `irq` it alone says
    /// so; elsewhere the task must take both.
    pub(crate) fn irq_off(&self, primitive: &'static str) {
        if in_interrupt() {
            return;
        }
        let cpu = self.here();
        if !is_mine(&cpu.irq) {
            if !abilities().steps_pass_locks {
                self.preempt_off(primitive);
            }
            cpu.irq.lock(primitive);
        }
        cpu.irq_depth.fetch_add(1, Relaxed);
    }

    pub(crate) fn irq_on(&self, primitive: &'static str) {
        if in_interrupt() {
            return;
        }
        let cpu = self.here();
        if !is_mine(&cpu.irq) {
            fail(KERNEL_ASSERTIONS_HOLD, "interrupts are enabled that were not disabled");
        }
        if cpu.irq_depth.fetch_sub(1, Relaxed) == 1 {
            cpu.irq.unlock(primitive);
            if !abilities().steps_pass_locks {
                self.preempt_on(primitive);
            }
        }
    }
}

/// `irqs_disabled()`.
pub fn irqs_disabled(cpus: &Cpus) -> bool {
    in_interrupt() || is_mine(&cpus.here().irq)
}

/// `might_sleep()`: a violation if preemption or interrupts are off. `what` wants to sleep.
pub fn might_sleep(cpus: &Cpus, what: &str) {
    let Some(cpu) = cpus.cpus.get(current_cpu()) else { return };
    let why = match () {
        () if in_interrupt() => "in an interrupt handler",
        () if is_mine(&cpu.irq) => "with interrupts off",
        () if is_mine(&cpu.preempt) => "with preemption off",
        () => return,
    };
    fail(NOBODY_SLEEPS_IN_ATOMIC_CONTEXT, format!("{what}() may sleep, but is called {why}"));
}

/// Per-CPU data: one of each CPU.
#[derive(Debug)]
pub struct PerCpu<T>(Vec<T>);

impl<T> PerCpu<T> {
    /// `DEFINE_PER_CPU`, with each CPU's initial value.
    pub fn new(cpus: &Cpus, init: impl FnMut(usize) -> T) -> PerCpu<T> {
        PerCpu(cpus.online().map(init).collect())
    }

    /// `per_cpu_ptr(ptr, cpu)`.
    pub fn of(&self, cpu: usize) -> &T {
        &self.0[cpu]
    }

    /// `this_cpu_ptr(ptr)`.
    pub fn this(&self) -> &T {
        &self.0[current_cpu()]
    }
}
