//! CPUs: what preemption-off and interrupts-off regions exclude, and from whom.
//!
//! A CPU is not a lock. `preempt_disable`, `local_lock` (without PREEMPT_RT: `local_lock.rs`) and
//! `local_irq_disable` order nothing that another CPU sees; they keep other tasks, or interrupts
//! too, off this CPU. Each CPU has two exclusions, taken in the order preempt, irq:
//!
//! - where steps pass locks (`Abilities::steps_pass_locks`) every step of a task passes both
//!   exclusions of its CPU, so that nobody takes a step on a CPU whose task has preemption off, or
//!   beneath an interrupt handler;
//! - elsewhere (loom) the regions are mutexes. Steps outside regions are not excluded from a
//!   handler's: that adds interleavings that a CPU does not have, and takes none away.
//!
//! Tasks stay on their CPU, unless it goes down (`hotplug.rs`), or the scenario has a scheduler
//! that moves them (`moves.rs`). Left out: nested interrupts. Source: include/linux/preempt.h,
//! include/linux/local_lock_internal.h, 6.12.

use std::sync::{Arc, Mutex};

use selvedge_explore::edits::{Edit, leaves_out};
use selvedge_explore::{
    Emptied, Lock, Own, Place, abilities, current_context, current_cpu, me, spawn,
};
use selvedge_trace::{Class, Context, IRQ, Name, PREEMPT};

use crate::{
    Callbacks, Hotplug, KERNEL_ASSERTIONS_HOLD, Moves, NOBODY_SLEEPS_IN_ATOMIC_CONTEXT, Readers,
    cpu_online, fail,
};

/// A turn of a round over all CPUs, as a site: its object is one of [`CPUS`].
pub const FOR_EACH_ONLINE_CPU: &str = "for_each_online_cpu";

/// The CPUs that a round can leave out, as they are called in sites.
pub const CPUS: [&str; 4] = ["CPU0", "CPU1", "CPU2", "CPU3"];

/// Leaves one of [`CPUS`] out of the rounds of this function over all CPUs.
pub const fn skip_cpu(cpu: &'static str, function: &'static str) -> Edit {
    Edit::skip(FOR_EACH_ONLINE_CPU, cpu, function)
}

/// Does a mutant leave the CPU out of the round that the caller makes?
pub(crate) fn is_left_out(cpu: usize) -> bool {
    CPUS.get(cpu).is_some_and(|name| leaves_out(FOR_EACH_ONLINE_CPU, name))
}

/// The CPUs of a scenario.
#[derive(Debug)]
pub struct Cpus {
    cpus: Vec<Cpu>,
    preempt_rt: bool,
    /// PREEMPT_RCU: the readers.
    pub(crate) readers: Option<Readers>,
    /// By CPU, if somebody waits for all of them.
    pub(crate) callbacks: Vec<Callbacks>,
    /// If CPUs can go down, and come up.
    pub(crate) hotplug: Option<Hotplug>,
    /// If tasks are moved.
    pub(crate) moves: Option<Moves>,
}

#[derive(Debug)]
struct Cpu {
    preempt: Arc<Lock>,
    irq: Arc<Lock>,
    /// Of `preempt_disable`.
    preempt_nest: Nest,
    irq_sections: IrqSections,
    /// PREEMPT_RT: the local locks, whose holders `synchronize_rcu()` waits for. Known when the
    /// scenario has been set up.
    reader_sections: Arc<Mutex<Vec<Arc<Lock>>>>,
    /// Of `local_bh_disable`, if the scenario has softirqs.
    bottom_half: Option<Arc<Lock>>,
    bh_nest: Nest,
}

/// "Softirqs are off on this CPU": a lock, since a softirq waits for it.
const BOTTOM_HALF: Name = Name::new("cpu.bh");

/// How deep each task of a CPU is in sections of one kind. As a rule the outermost section is the
/// one that takes the exclusion and gives it back, and no other task is in one. An edit may have
/// left that out: then the next section within does, and others may be in one meanwhile.
#[derive(Debug, Default)]
struct Nest(Own<Nested>);

#[derive(Clone, Copy, Default, Hash, Debug)]
struct Nested {
    depth: u32,
    /// The depth at which it took the exclusion.
    taken_at: u32,
}

impl Emptied for Nested {}

impl Nest {
    /// Did this take the exclusion?
    fn enter(&self, exclusion: &Lock, take: impl FnOnce()) -> bool {
        let takes = !exclusion.is_taken_by_me();
        if takes {
            take();
        }
        let is_taken = takes && exclusion.is_taken_by_me();
        self.0.open(|mine| {
            mine.depth += 1;
            if is_taken {
                mine.taken_at = mine.depth;
            }
        });
        is_taken
    }

    /// Is this the end of the section that took the exclusion, or takes itself to have it?
    fn leave(&self) -> bool {
        self.0.open(|mine| {
            mine.depth -= 1;
            mine.depth == 0 || mine.depth + 1 == mine.taken_at
        })
    }
}

/// The sections with interrupts off that each task of a CPU has open. They nest only as far as they
/// say so: `local_irq_enable()` turns interrupts on whatever is open around it, and
/// `local_irq_restore()` goes back to what its section found.
#[derive(Debug, Default)]
struct IrqSections(Own<Vec<IrqSection>>);

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum IrqSection {
    /// `local_irq_disable()`
    Disabled,
    /// `local_irq_save()`; `flags`: were they off already?
    Saved { was_off: bool },
}

impl IrqSections {
    fn open(&self, section: IrqSection) {
        self.0.open(|mine| mine.push(section));
    }

    /// `local_irq_enable()` ends a section of `local_irq_disable()`, if that is the innermost one.
    /// Whether the task has any open.
    fn enable(&self) -> bool {
        self.0.open(|mine| {
            let has_any = !mine.is_empty();
            if mine.last() == Some(&IrqSection::Disabled) {
                mine.pop();
            }
            has_any
        })
    }

    /// `local_irq_restore()` ends the innermost section of `local_irq_save()`, and what was left
    /// open within: were interrupts off before it? `None`: there is no such section.
    fn restore(&self) -> Option<bool> {
        self.0.open(|mine| {
            loop {
                if let IrqSection::Saved { was_off } = mine.pop()? {
                    return Some(was_off);
                }
            }
        })
    }
}

impl Cpus {
    /// So many CPUs, all online. To be made while the scenario is set up. With `preempt_rt`,
    /// spinlocks and local locks sleep, and neither turns preemption or interrupts off.
    pub fn new(count: usize, preempt_rt: bool) -> Cpus {
        let cpu = |cpu| Cpu {
            preempt: Arc::new(Lock::of_class(PREEMPT.on(cpu), Class::Preempt)),
            irq: Arc::new(Lock::of_class(IRQ.on(cpu), Class::Irq)),
            preempt_nest: Nest::default(),
            irq_sections: IrqSections::default(),
            reader_sections: Arc::default(),
            bottom_half: None,
            bh_nest: Nest::default(),
        };
        let cpus = (0..count).map(cpu).collect();
        let callbacks = Vec::new();
        Cpus { cpus, preempt_rt, readers: None, callbacks, hotplug: None, moves: None }
    }

    /// The same with `CONFIG_PREEMPT_RCU`: who is in a read-side critical section may be preempted.
    /// `tasks` is how many tasks the scenario starts, work items and callbacks included: each may
    /// read.
    pub fn with_preempt_rcu(self, tasks: usize) -> Cpus {
        Cpus { readers: Some(Readers::new(tasks)), ..self }
    }

    /// The same with softirqs. They cost each section with bottom halves off a step, so that only a
    /// scenario that has some asks for them.
    pub fn with_softirqs(self) -> Cpus {
        let bottom_half = |(cpu, it): (usize, Cpu)| {
            let lock = Lock::of_class(BOTTOM_HALF.on(cpu), Class::Lock);
            Cpu { bottom_half: Some(Arc::new(lock)), ..it }
        };
        let cpus = self.cpus.into_iter().enumerate().map(bottom_half).collect();
        Cpus { cpus, ..self }
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

    /// `for_each_online_cpu`. A mutant may leave one out.
    pub fn online(&self) -> impl Iterator<Item = usize> {
        (0..self.cpus.len()).filter(|&cpu| !is_left_out(cpu) && cpu_online(self, cpu))
    }

    /// `for_each_possible_cpu`: online or not. No step.
    pub fn possible(&self) -> std::ops::Range<usize> {
        0..self.cpus.len()
    }

    /// Where a task of `cpu` runs.
    pub fn task_on(&self, cpu: usize) -> Place {
        self.place(cpu, Context::Task)
    }

    /// Where something runs on `cpu`, in this context.
    pub fn place(&self, cpu: usize, context: Context) -> Place {
        let passes = match context {
            // A handler holds the CPU; there is nobody whom it could have to wait for once it runs.
            Context::Irq | Context::Softirq => [None, None],
            Context::Task | Context::Kworker => {
                [Some(self.cpus[cpu].preempt.object()), Some(self.cpus[cpu].irq.object())]
            }
        };
        Place { cpu: Some(cpu), context, passes }
    }

    /// Is the task that runs kept on its CPU: has it preemption, interrupts or softirqs off, or a
    /// local lock?
    pub(crate) fn is_kept_here(&self) -> bool {
        let cpu = self.here();
        let held = [Some(&cpu.preempt), Some(&cpu.irq), cpu.bottom_half.as_ref()];
        held.into_iter().flatten().any(|lock| is_mine(lock))
            || cpu.reader_sections.lock().expect("not poisoned").iter().any(|lock| is_mine(lock))
    }

    fn here(&self) -> &Cpu {
        &self.cpus[current_cpu()]
    }

    pub(crate) fn irq_of(&self, cpu: usize) -> Arc<Lock> {
        self.cpus[cpu].irq.clone()
    }

    pub(crate) fn bottom_half_of(&self, cpu: usize) -> Option<&Arc<Lock>> {
        self.cpus[cpu].bottom_half.as_ref()
    }

    pub(crate) fn preempt_of(&self, cpu: usize) -> &Arc<Lock> {
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

/// Does the handler of an interrupt or a softirq run?
pub(crate) fn in_interrupt() -> bool {
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

/// `local_irq_disable()`: does not nest.
pub fn local_irq_disable(cpus: &Cpus) {
    if !in_interrupt() {
        cpus.turn_irqs_off("local_irq_disable");
        cpus.here().irq_sections.open(IrqSection::Disabled);
    }
}

/// `local_irq_enable()`: interrupts are on when it returns, whatever section the caller is in.
pub fn local_irq_enable(cpus: &Cpus) {
    if in_interrupt() {
        return;
    }
    let was_in_section = cpus.here().irq_sections.enable();
    if !was_in_section && !irqs_disabled(cpus) {
        fail(KERNEL_ASSERTIONS_HOLD, "interrupts are enabled that were not disabled");
    }
    cpus.turn_irqs_on("local_irq_enable");
}

/// `local_irq_save(flags)`: nests; `flags` is kept here.
pub fn local_irq_save(cpus: &Cpus) {
    cpus.irq_save("local_irq_save");
}

/// `local_irq_restore(flags)`: as they were before the innermost [`local_irq_save`].
pub fn local_irq_restore(cpus: &Cpus) {
    cpus.irq_restore("local_irq_restore");
}

/// `local_bh_disable()`: nests. Preemption is off too; a softirq of this CPU waits until they are
/// on.
pub fn local_bh_disable(cpus: &Cpus) {
    cpus.preempt_off("local_bh_disable");
    if in_interrupt() {
        return;
    }
    let cpu = cpus.here();
    if let Some(lock) = &cpu.bottom_half {
        cpu.bh_nest.enter(lock, || lock.lock("local_bh_disable"));
    }
}

/// `local_bh_enable()`.
pub fn local_bh_enable(cpus: &Cpus) {
    if !in_interrupt()
        && let Some(lock) = &cpus.here().bottom_half
    {
        if !is_mine(lock) {
            fail(KERNEL_ASSERTIONS_HOLD, "local_bh_enable() without local_bh_disable()");
        }
        if cpus.here().bh_nest.leave() {
            lock.unlock("local_bh_enable");
        }
    }
    cpus.preempt_on("local_bh_enable");
}

impl Cpus {
    pub(crate) fn preempt_off(&self, primitive: &'static str) {
        if in_interrupt() {
            return;
        }
        self.may_be_moved();
        loop {
            let cpu = self.here();
            let is_taken = cpu.preempt_nest.enter(&cpu.preempt, || cpu.preempt.lock(primitive));
            if !is_taken || self.is_here_online() {
                return;
            }
            cpu.preempt_nest.leave();
            cpu.preempt.unlock("moved");
            self.move_on();
        }
    }

    pub(crate) fn preempt_on(&self, primitive: &'static str) {
        if in_interrupt() {
            return;
        }
        let cpu = self.here();
        if !is_mine(&cpu.preempt) {
            fail(KERNEL_ASSERTIONS_HOLD, "preempt_enable() without preempt_disable()");
        }
        if cpu.preempt_nest.leave() {
            cpu.preempt.unlock(primitive);
        }
    }

    /// Interrupts off implies that nobody preempts. Where other tasks' steps pass `irq` it alone
    /// says so; elsewhere the task must take both.
    fn turn_irqs_off(&self, primitive: &'static str) {
        if self.here().irq.is_taken_by_me() {
            return;
        }
        self.may_be_moved();
        if !abilities().steps_pass_locks {
            self.preempt_off(primitive);
        }
        loop {
            let cpu = self.here();
            cpu.irq.lock(primitive);
            // With preemption off already the task has stayed where it is.
            if cpu.preempt.is_taken_by_me() || self.is_here_online() {
                return;
            }
            cpu.irq.unlock("moved");
            self.move_on();
        }
    }

    fn turn_irqs_on(&self, primitive: &'static str) {
        let cpu = self.here();
        if !is_mine(&cpu.irq) {
            return;
        }
        cpu.irq.unlock(primitive);
        if !abilities().steps_pass_locks {
            self.preempt_on(primitive);
        }
    }

    /// What was really off counts: an edit may have left out the section around.
    pub(crate) fn irq_save(&self, primitive: &'static str) {
        if in_interrupt() {
            return;
        }
        let was_off = self.here().irq.is_taken_by_me();
        self.turn_irqs_off(primitive);
        self.here().irq_sections.open(IrqSection::Saved { was_off });
    }

    pub(crate) fn irq_restore(&self, primitive: &'static str) {
        if in_interrupt() {
            return;
        }
        match self.here().irq_sections.restore() {
            Some(true) => self.turn_irqs_off(primitive),
            Some(false) => self.turn_irqs_on(primitive),
            None => fail(KERNEL_ASSERTIONS_HOLD, "interrupts are restored that were not saved"),
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
pub struct PerCpu<T> {
    each: Vec<T>,
    stays: Vec<Stays>,
}

/// What keeps a task on a CPU.
#[derive(Debug)]
struct Stays {
    preempt: Arc<Lock>,
    irq: Arc<Lock>,
    /// PREEMPT_RT: who holds a local lock does not migrate.
    local_locks: Arc<Mutex<Vec<Arc<Lock>>>>,
}

impl Stays {
    fn holds(&self) -> bool {
        // A kworker is bound to its CPU, as nearly all that are queued on one are.
        current_context() != Context::Task
            || is_mine(&self.preempt)
            || is_mine(&self.irq)
            || self.local_locks.lock().expect("not poisoned").iter().any(|lock| is_mine(lock))
    }
}

impl<T> PerCpu<T> {
    /// `DEFINE_PER_CPU`, with each CPU's initial value.
    pub fn new(cpus: &Cpus, init: impl FnMut(usize) -> T) -> PerCpu<T> {
        let stays = cpus.cpus.iter().map(|cpu| Stays {
            preempt: cpu.preempt.clone(),
            irq: cpu.irq.clone(),
            local_locks: cpu.reader_sections.clone(),
        });
        PerCpu { stays: stays.collect(), each: (0..cpus.cpus.len()).map(init).collect() }
    }

    /// `per_cpu_ptr(ptr, cpu)`.
    pub fn of(&self, cpu: usize) -> &T {
        &self.each[cpu]
    }

    /// `raw_cpu_ptr(ptr)`: whoever asks does not mind if it is moved to another CPU meanwhile.
    pub fn this(&self) -> &T {
        &self.each[current_cpu()]
    }

    /// `this_cpu_ptr(ptr)`. That a task might move to another CPU, with what is this one's data in
    /// hand, is a violation here, as with CONFIG_DEBUG_PREEMPT; whether it is moved or not.
    pub fn this_cpu_ptr(&self) -> &T {
        let cpu = current_cpu();
        if !self.stays[cpu].holds() {
            fail(KERNEL_ASSERTIONS_HOLD, "this_cpu_ptr() is used in preemptible code");
        }
        &self.each[cpu]
    }
}
