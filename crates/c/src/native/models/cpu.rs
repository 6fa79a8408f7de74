//! CPUs: which one, what is off there, and what others have it execute.

use selvedge_explore::{current_context, current_cpu};
use selvedge_kernel as kernel;
use selvedge_trace::Context;

use super::{as_task, call_at, cpus, current, is_step};
use crate::native::gate::settle;
use crate::native::world::{is_idle, with};

/// `X86_EFLAGS_IF`: interrupts are on.
const IF: u64 = 0x200;

pub extern "C" fn selvedge_cpu() -> i32 {
    if is_idle() { 0 } else { current_cpu() as i32 }
}

/// An interrupt handler is a task of its own to the explorer, and has a `current` of its own.
pub extern "C" fn selvedge_current() -> u64 {
    current()
}

pub extern "C" fn selvedge_irq_flags() -> u64 {
    if is_idle() || !kernel::irqs_disabled(&cpus()) { IF } else { 0 }
}

pub extern "C" fn selvedge_irq_disable() {
    if is_step() && !kernel::irqs_disabled(&cpus()) {
        kernel::local_irq_disable(&cpus());
    }
}

pub extern "C" fn selvedge_irq_enable() {
    if is_step() && kernel::irqs_disabled(&cpus()) {
        kernel::local_irq_enable(&cpus());
    }
}

pub extern "C" fn selvedge_irq_save() -> u64 {
    let flags = selvedge_irq_flags();
    selvedge_irq_disable();
    flags
}

pub extern "C" fn selvedge_irq_restore(flags: u64) {
    if flags & IF != 0 {
        selvedge_irq_enable();
    }
}

fn in_interrupt() -> bool {
    matches!(current_context(), Context::Irq | Context::Softirq)
}

/// Preemption, in the lowest byte; an interrupt in `HARDIRQ_MASK`.
pub extern "C" fn selvedge_preempt_count() -> i32 {
    if is_idle() {
        return 0;
    }
    let preempt = with(|world| world.frame().preempt);
    preempt + if in_interrupt() { 1 << 16 } else { 0 }
}

pub extern "C" fn selvedge_preempt_count_add(count: i32) {
    if !is_step() {
        return;
    }
    for _ in 0..count.abs() {
        if count > 0 {
            kernel::preempt_disable(&cpus());
        } else {
            kernel::preempt_enable(&cpus());
        }
    }
    with(|world| world.frame().preempt += count);
}

pub extern "C" fn preempt_count_sub(count: i32) {
    selvedge_preempt_count_add(-count);
}

pub extern "C" fn might_sleep() {
    if is_step() {
        kernel::might_sleep(&cpus(), "might_sleep");
    }
}

/// `on_each_cpu_cond_mask(cond, func, info, wait, mask)`; all callers wait, for all CPUs.
pub extern "C" fn on_each_cpu_cond_mask(cond: u64, func: u64, info: u64, wait: bool, _mask: u64) {
    if !is_step() {
        return;
    }
    if !wait {
        selvedge_explore::unable("on_each_cpu_cond_mask() without waiting is not modelled");
    }
    let is_meant = move |cpu: usize| {
        let answer = cond == 0 || call_at(cond, &[cpu as u64, info]) & 0xff != 0;
        settle();
        answer
    };
    kernel::on_each_cpu_cond(&cpus(), is_meant, move || {
        kernel::reached(crate::states::IPI_RAN);
        // The caller's own CPU is served on the caller's stack.
        if with(|world| world.frame().entry) == 0 {
            as_task(|| _ = call_at(func, &[info]));
        } else {
            call_at(func, &[info]);
            settle();
        }
    });
}
