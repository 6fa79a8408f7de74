//! What the kernel's files call and Selvedge models, by `selvedge-kernel`'s primitives: scheduler,
//! locks, work queues, interrupts, RCU. One table says what there is.
#![allow(unsafe_code, reason = "called by C, with addresses, and calls C: see each place")]

mod cpu;
mod locks;
mod other;
mod rcu;
mod sched;
mod work;

use std::collections::HashMap;

use selvedge_explore::me;

use crate::native::world::{image, is_idle, with};
use crate::native::{gate, world};

/// What each name is modelled by.
const TABLE: &[(&str, *const ())] = &[
    ("sv_access", gate::sv_access as *const ()),
    ("sv_range", gate::sv_range as *const ()),
    ("sv_enter", gate::sv_enter as *const ()),
    ("sv_leave", gate::sv_leave as *const ()),
    ("selvedge_instrument", gate::selvedge_instrument as *const ()),
    ("__kcsan_check_access", gate::kcsan_check_access as *const ()),
    ("__tsan_atomic_signal_fence", gate::signal_fence as *const ()),
    ("kcsan_disable_current", gate::kcsan_disable_current as *const ()),
    ("kcsan_enable_current", gate::kcsan_enable_current as *const ()),
    ("kcsan_enable_current_nowarn", gate::kcsan_enable_current as *const ()),
    ("selvedge_acquire", gate::selvedge_acquire as *const ()),
    ("selvedge_release", gate::selvedge_release as *const ()),
    ("selvedge_awaits", gate::selvedge_awaits as *const ()),
    ("selvedge_name", gate::selvedge_name as *const ()),
    ("selvedge_cpu", cpu::selvedge_cpu as *const ()),
    ("debug_smp_processor_id", cpu::selvedge_cpu as *const ()),
    ("selvedge_current", cpu::selvedge_current as *const ()),
    ("selvedge_irq_flags", cpu::selvedge_irq_flags as *const ()),
    ("selvedge_irq_disable", cpu::selvedge_irq_disable as *const ()),
    ("selvedge_irq_enable", cpu::selvedge_irq_enable as *const ()),
    ("selvedge_irq_save", cpu::selvedge_irq_save as *const ()),
    ("selvedge_irq_restore", cpu::selvedge_irq_restore as *const ()),
    ("selvedge_preempt_count", cpu::selvedge_preempt_count as *const ()),
    ("selvedge_preempt_count_add", cpu::selvedge_preempt_count_add as *const ()),
    ("preempt_count_add", cpu::selvedge_preempt_count_add as *const ()),
    ("preempt_count_sub", cpu::preempt_count_sub as *const ()),
    ("__might_sleep", cpu::might_sleep as *const ()),
    ("__might_resched", cpu::might_sleep as *const ()),
    ("on_each_cpu_cond_mask", cpu::on_each_cpu_cond_mask as *const ()),
    ("_raw_spin_lock", locks::raw_spin_lock as *const ()),
    ("_raw_spin_unlock", locks::raw_spin_unlock as *const ()),
    ("_raw_spin_lock_irq", locks::raw_spin_lock_irq as *const ()),
    ("_raw_spin_unlock_irq", locks::raw_spin_unlock_irq as *const ()),
    ("_raw_spin_lock_irqsave", locks::raw_spin_lock_irqsave as *const ()),
    ("_raw_spin_unlock_irqrestore", locks::raw_spin_unlock_irqrestore as *const ()),
    ("mutex_lock", locks::mutex_lock as *const ()),
    ("mutex_unlock", locks::mutex_unlock as *const ()),
    // Those who only read do not exclude each other. A writer is not modelled: who comes to one is
    // told so.
    ("down_read", other::nothing as *const ()),
    ("down_read_trylock", other::one as *const ()),
    ("up_read", other::nothing as *const ()),
    ("__rcu_read_lock", rcu::rcu_read_lock as *const ()),
    ("__rcu_read_unlock", rcu::rcu_read_unlock as *const ()),
    ("synchronize_rcu", rcu::synchronize_rcu as *const ()),
    ("synchronize_rcu_expedited", rcu::synchronize_rcu_expedited as *const ()),
    ("schedule", sched::schedule as *const ()),
    ("io_schedule", sched::io_schedule as *const ()),
    ("try_to_wake_up", sched::try_to_wake_up as *const ()),
    ("wake_up_state", sched::wake_up_state as *const ()),
    ("wake_up_process", sched::wake_up_process as *const ()),
    ("default_wake_function", sched::default_wake_function as *const ()),
    ("queue_work_on", work::queue_work_on as *const ()),
    ("flush_work", work::flush_work as *const ()),
    ("selvedge_bug", other::selvedge_bug as *const ()),
    ("selvedge_warn", other::selvedge_warn as *const ()),
    ("memset", other::memset as *const ()),
    ("memcpy", other::memcpy as *const ()),
    ("free_unref_page", other::freed as *const ()),
    ("free_unref_folios", other::freed as *const ()),
    ("free_unref_page_list", other::freed as *const ()),
    ("__folio_alloc", other::folio_alloc as *const ()),
    ("__folio_alloc_noprof", other::folio_alloc as *const ()),
    // Statistics, messages, hints to KCSAN: nothing that a rule is about.
    ("__mod_node_page_state", other::nothing as *const ()),
    ("__mod_zone_page_state", other::nothing as *const ()),
    ("mod_node_page_state", other::nothing as *const ()),
    ("mod_zone_page_state", other::nothing as *const ()),
    ("workingset_activation", other::nothing as *const ()),
    ("__this_cpu_preempt_check", other::nothing as *const ()),
    ("__warn_printk", other::nothing as *const ()),
    ("_printk", other::nothing as *const ()),
    ("dump_page", other::nothing as *const ()),
    ("kcsan_atomic_next", other::nothing as *const ()),
    ("kcsan_set_access_mask", other::nothing as *const ()),
    ("__tsan_init", other::nothing as *const ()),
    ("try_to_unmap_flush", other::nothing as *const ()),
    ("flush_tlb_mm_range", other::nothing as *const ()),
    ("percpu_counter_add_batch", other::nothing as *const ()),
];

/// Functions of the files under test that are about more than what is explored: the contents of
/// pages.
const OVERRIDES: [&str; 2] = ["folio_copy", "folio_mc_copy"];

/// Is this name modelled?
pub fn is_modelled(name: &str) -> bool {
    TABLE.iter().any(|(known, _)| *known == name)
}

/// The address of each model.
pub fn table() -> HashMap<&'static str, u64> {
    TABLE.iter().map(|&(name, model)| (name, model as u64)).collect()
}

/// Functions of the image that are replaced, and by what.
pub fn overrides() -> impl Iterator<Item = (&'static str, u64)> {
    OVERRIDES.into_iter().map(|name| (name, other::nothing as *const () as u64))
}

/// Calls a function of the image, if it has it.
pub fn try_call(name: &str, args: &[u64]) -> Option<u64> {
    let at = image().at(name)?;
    Some(call_at(at, args))
}

/// Calls a function of ours in the image.
///
/// # Panics
/// If there is none: every image has all of ours.
pub fn call(name: &'static str, args: &[u64]) -> u64 {
    let at = with(|world| world.address(name));
    call_at(at.unwrap_or_else(|| panic!("an image without {name}()")), args)
}

/// Calls the function at an address of the image, or of what is not modelled.
pub fn call_at(at: u64, args: &[u64]) -> u64 {
    let arg = |nth: usize| args.get(nth).copied().unwrap_or(0);
    type Function = extern "C" fn(u64, u64, u64, u64, u64, u64) -> u64;
    // SAFETY: the address of a function of the image, or one at which a fault is explained. A
    // function with fewer arguments does not look at the others.
    let function = unsafe { std::mem::transmute::<u64, Function>(at) };
    function(arg(0), arg(1), arg(2), arg(3), arg(4), arg(5))
}

/// The `task_struct` of the task that runs.
pub fn current() -> u64 {
    let task = if is_idle() { 0 } else { me() };
    if let Some(known) = with(|world| world.task_structs.get(task).copied()) {
        return known;
    }
    let all = (0..=task).map(|task| call("sv_task", &[task as u64])).collect();
    with(|world| world.task_structs = all);
    call("sv_task", &[task as u64])
}

/// Runs what calls C as the body of the current task.
pub fn as_task(body: impl FnOnce()) {
    let mark = 0_u8;
    // C begins below, as far in each execution: a stack is aligned to no more than this.
    let entry = (&raw const mark as u64 + 16) & !15;
    with(|world| world.frame().entry = entry);
    body();
    gate::settle();
    with(|world| debug_assert!(world.pending.is_none()));
}

/// What a model does first: what was announced has happened. False: this is no step of the
/// scenario's.
fn is_step() -> bool {
    if is_idle() {
        return false;
    }
    gate::settle();
    true
}

use world::cpus;
