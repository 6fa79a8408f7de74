//! Interrupts: those that one CPU sends another, those that come by themselves, and softirqs.
//!
//! Where the engine has interrupts the handler is a task of its own that takes the target CPU's
//! interrupt exclusion: it begins at any step of that CPU at which interrupts are on, and nobody
//! else takes a step there until it ends. Elsewhere (loom) the sender runs it in place, holding the
//! same exclusion. It waits for the handler anyway; what is left out is that handlers of one call
//! run at the same time, or while the sender looks at the next CPU.
//! Source: kernel/smp.c `smp_call_function_many_cond()`, 5.11 and 6.12.

use selvedge_explore::{
    Interrupts, Place, abilities, enter, fence, is_on_top_of_a_call, join, spawn, unable, under,
};
use selvedge_trace::{Context, Order};

use crate::cpu::is_left_out;
use crate::{Cpus, local_irq_restore, local_irq_save, preempt_disable, preempt_enable};
use crate::{irqs_disabled, kernel_assert, reached, smp_processor_id};

/// `on_each_cpu_cond(cond, func, info, wait = true)`: runs `func` on every CPU for which `cond`
/// says so, with interrupts off there, and waits. `cond` is evaluated here, without any lock and
/// without any ordering with the CPU that it looks at.
pub fn on_each_cpu_cond(
    cpus: &Cpus,
    cond: impl Fn(usize) -> bool,
    func: impl Fn() + Clone + Send + 'static,
) {
    let _in = enter("on_each_cpu_cond");
    let here = smp_processor_id();
    preempt_disable(cpus);
    // A CPU that waits for another with interrupts off would not answer that one's IPI.
    kernel_assert(!irqs_disabled(cpus), "smp_call_function_many_cond() with interrupts off");
    let mut sent = Vec::new();
    for cpu in cpus.online().filter(|&cpu| cpu != here) {
        if cond(cpu) {
            // Filling the csd and llist_add(): a full barrier before the handler.
            fence("llist_add", Order::Full);
            sent.extend(send(cpus, cpu, func.clone()));
        }
    }
    if !is_left_out(here) && cond(here) {
        local_irq_save(cpus);
        func();
        local_irq_restore(cpus);
    }
    // csd_lock_wait(): acquire, of the handler's release.
    sent.into_iter().for_each(join);
    preempt_enable(cpus);
}

/// Sends one IPI. Returns the handler's task, if it is one.
fn send(cpus: &Cpus, cpu: usize, func: impl Fn() + Send + 'static) -> Option<usize> {
    let place = cpus.place(cpu, Context::Irq);
    let irq = cpus.irq_of(cpu);
    let handler = move || {
        irq.lock("irq_enter");
        func();
        irq.unlock("irq_exit");
    };
    if abilities().interrupts == Interrupts::None {
        under(cpu, Context::Irq, place.passes, handler);
        return None;
    }
    Some(spawn(&format!("ipi/{cpu}"), place, handler))
}

/// An interrupt came while a task of its CPU was within a function.
pub const INTERRUPTED: &str = "an interrupt came in the middle of a call";

/// An interrupt hits `cpu` at some step of it at which interrupts are on, or while it is idle.
/// Returns the handler's task. Undecided under an engine that has no interrupts (loom).
pub fn interrupt(
    cpus: &Cpus,
    cpu: usize,
    name: &str,
    func: impl FnOnce() + Send + 'static,
) -> usize {
    if abilities().interrupts == Interrupts::None {
        unable(format!("{name} is an interrupt, and this engine has none"));
    }
    let irq = cpus.irq_of(cpu);
    spawn(name, cpus.place(cpu, Context::Irq), move || {
        irq.lock("irq_enter");
        if is_on_top_of_a_call() {
            reached(INTERRUPTED);
        }
        func();
        irq.unlock("irq_exit");
    })
}

/// A softirq runs on `cpu`: at some step of it at which interrupts are on and bottom halves are not
/// off, or while it is idle. Returns the handler's task. As the kernel runs it on the way out of an
/// interrupt it comes at any step, and nobody else takes one on that CPU until it ends.
///
/// Left out: that an interrupt may come on top of it, `ksoftirqd` (in which a softirq may be
/// preempted), and that one softirq of a CPU waits for another: they wait for the same exclusion.
/// Source: kernel/softirq.c `irq_exit_rcu()`, `__local_bh_enable_ip()`, 6.12.
///
/// # Panics
/// If the scenario has said nothing of softirqs ([`Cpus::with_softirqs`]): a model's mistake.
pub fn softirq(cpus: &Cpus, cpu: usize, name: &str, func: impl FnOnce() + Send + 'static) -> usize {
    if abilities().interrupts == Interrupts::None {
        unable(format!("{name} is a softirq, and this engine has no interrupts"));
    }
    let bottom_half = cpus.bottom_half_of(cpu).expect("a scenario with softirqs").object();
    let place = Place { passes: [Some(bottom_half), None], ..cpus.place(cpu, Context::Softirq) };
    let irq = cpus.irq_of(cpu);
    spawn(name, place, move || {
        irq.lock("softirq_entry");
        if is_on_top_of_a_call() {
            reached(INTERRUPTED);
        }
        func();
        irq.unlock("softirq_exit");
    })
}
