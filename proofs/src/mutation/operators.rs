//! Which faults are made where: by what a step does, and how the kernel spells it.
//!
//! | step                                  | fault                          | in names |
//! |---------------------------------------|--------------------------------|----------|
//! | store, void update                    | it does not happen             | `drop`   |
//! | store before a look, unlock, wake-up  | it happens after that          | `later`  |
//! | load, update whose outcome is used    | it finds 0, changes nothing    | `empty`  |
//! | any update                            | it is a load and a store       | `split`  |
//! | lock, preemption or interrupts off    | neither it nor its end happens | `drop`   |
//! | wait for a completion, wake-up        | it does not happen             | `drop`   |
//! | `flush_work()`, `synchronize_rcu()`   | the whole call does nothing    | `drop`   |
//! | `try_to_wake_up()`, `queue_work_on()` | the whole call does nothing    | `drop`   |
//! | barrier                               | it does not happen             | `drop`   |
//! | step with acquire, release, or both   | it orders nothing              | `relax`  |
//! | `for_each_online_cpu()`               | it leaves out one CPU          | `skip`   |
//!
//! The barrier and the ordering are judged under weak memory, the others under SC.
//!
//! Not offered: words of ours by which a rule is checked (`folio->freed`); a spinlock that leaves
//! preemption on, which nobody writes; steps inside of a primitive of `crates/kernel`, but for the
//! whole calls above, which is then each call of it.

use std::fmt;

use selvedge_explore::{Next, Passed};
use selvedge_kernel::edits::{Edit, Site, Until};
use selvedge_kernel::{CPUS, FOR_EACH_ONLINE_CPU, skip_cpu};
use selvedge_trace::{ActionKind, Order};

/// A kind of fault.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Operator {
    /// It does not happen.
    Drop,
    /// It finds 0, and changes nothing.
    Empty,
    /// It happens one step later.
    Later,
    /// It is a load and a store.
    Split,
    /// It orders nothing.
    Relax,
    /// A barrier does not happen.
    DropBarrier,
    /// A round over all CPUs leaves out one.
    Skip,
}

impl Operator {
    /// What it is called in names.
    pub fn name(self) -> &'static str {
        match self {
            Operator::Drop | Operator::DropBarrier => "drop",
            Operator::Empty => "empty",
            Operator::Later => "later",
            Operator::Split => "split",
            Operator::Relax => "relax",
            Operator::Skip => "skip",
        }
    }

    /// Is what it does invisible where all CPUs see one order of all steps?
    pub fn wants_weak_memory(self) -> bool {
        match self {
            Operator::Relax | Operator::DropBarrier => true,
            Operator::Drop | Operator::Empty | Operator::Later => false,
            Operator::Split | Operator::Skip => false,
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Updates whose outcome nobody can use.
const VOID: &[&str] = &[
    "atomic_inc",
    "atomic_dec",
    "atomic_add",
    "atomic_sub",
    "set_bit",
    "clear_bit",
    "clear_bit_unlock",
];

/// Functions of `crates/kernel`, which are primitives to a model.
const PRIMITIVES: &[&str] = &[
    "flush_work",
    "on_each_cpu_cond",
    "process_timeout",
    "queue_work_on",
    "rwsem_down_read_slowpath",
    "rwsem_down_write_slowpath",
    "schedule",
    "schedule_timeout",
    "send_sig",
    "synchronize_rcu",
    "synchronize_rcu_expedited",
    "try_to_wake_up",
];

/// Functions that go over all CPUs, each with a step that every call of it takes.
const ROUNDS: &[(&str, &str)] = &[
    ("__lru_add_drain_all", "smp_load_acquire"),
    ("on_each_cpu_cond", "preempt_disable"),
    ("synchronize_rcu", "wait for preempt-off section of"),
    ("synchronize_rcu_expedited", "wait for preempt-off section of"),
];

/// Words that the kernel does not have: rules are checked by them.
const OURS: &[&str] = &[
    "bh->freed",
    "bh->moving",
    "folio->freed",
    "pool->freed",
    "wait frame",
    "disk",
    "outcome",
    "count",
];

/// A fault: what it is, and the edits that make it.
pub type Fault = (Operator, Vec<Edit>);

/// The faults that are made at a site. None, if it is no step of a modelled function.
pub fn faults(site: &Site, passed: &Passed) -> Vec<Fault> {
    let Some(function) = site.function else { return Vec::new() };
    if PRIMITIVES.contains(&function) {
        return whole_call(function, site).into_iter().map(|e| (Operator::Drop, e)).collect();
    }
    if !is_step_of_a_model(site) || is_part_of_a_lock(site, passed) {
        return Vec::new();
    }
    let one = |operator, edit| (operator, vec![edit]);
    let drop = || one(Operator::Drop, Edit::drop(*site));
    let split = || one(Operator::Split, Edit::split(*site));
    let empty = || one(Operator::Empty, Edit::drop(*site));
    let is_void = VOID.contains(&site.primitive);
    let mut faults = match passed.action {
        ActionKind::Read | ActionKind::PlainRead => vec![empty()],
        ActionKind::Write | ActionKind::PlainWrite => vec![drop()],
        ActionKind::Update if is_void => vec![drop(), split()],
        ActionKind::Update | ActionKind::UpdateFailed => vec![empty(), split()],
        ActionKind::Fence => return vec![one(Operator::DropBarrier, Edit::drop(*site))],
        ActionKind::Lock => return vec![one(Operator::Drop, Edit::drop_pair(*site))],
        ActionKind::Wait | ActionKind::Wake | ActionKind::Join => return vec![drop()],
        _ => Vec::new(),
    };
    let is_write = matches!(passed.action, ActionKind::Write | ActionKind::PlainWrite);
    if is_write || (passed.action == ActionKind::Update && is_void) {
        faults.extend(
            passed
                .next
                .and_then(until)
                .map(|until| one(Operator::Later, Edit::delay(*site, until))),
        );
    }
    let is_access = is_write
        || !matches!(
            passed.action,
            ActionKind::Lock
                | ActionKind::Unlock
                | ActionKind::Wait
                | ActionKind::Wake
                | ActionKind::Join
        );
    if is_access && passed.order != Order::Relaxed {
        faults.push(one(Operator::Relax, Edit::relax(*site)));
    }
    faults
}

/// Is the step one of a modelled function, where somebody could write another one? Not one of a
/// primitive of `crates/kernel`, nor one on a word that the kernel does not have.
pub(super) fn is_step_of_a_model(site: &Site) -> bool {
    let is_ours = site.object.is_some_and(|object| OURS.contains(&object));
    site.function.is_some_and(|function| !PRIMITIVES.contains(&function))
        && !is_ours
        && !is_word_of_a_lock(site)
}

/// The turns of the round over all CPUs that the site belongs to, each with its CPU and the edit
/// that leaves it out: offered at the first step of the round's function that every call takes.
pub fn turns(site: &Site) -> Vec<(usize, Site, Edit)> {
    let is_round =
        |function: &str| ROUNDS.contains(&(function, site.primitive)) && site.nth == Some(0);
    let Some(function) = site.function.filter(|&function| is_round(function)) else {
        return Vec::new();
    };
    let turn = |(cpu, &name)| {
        let site = Site::of(FOR_EACH_ONLINE_CPU).within(function).on(name).nth(0);
        (cpu, site, skip_cpu(name, function))
    };
    CPUS.iter().enumerate().map(turn).collect()
}

/// Until when a store is put off, if somebody could see it: past a look (two tasks that each store
/// and then look want one of them to see the other), out of a section, past a wake-up or a store
/// that publishes.
fn until(next: Next) -> Option<Until> {
    use ActionKind::{PlainRead, PlainWrite, Read, Unlock, Update, UpdateFailed, Wake, Write};
    let is_void = matches!(next.action, Write | PlainWrite) || VOID.contains(&next.site.primitive);
    let publishes = matches!(next.site.primitive, "smp_store_release" | "clear_bit_unlock");
    let is_seen = match next.action {
        Unlock | Wake => true,
        Read | PlainRead | Update | UpdateFailed => !is_void || publishes,
        Write | PlainWrite => publishes,
        _ => false,
    };
    let until = if next.after_barrier { Until::Site(next.site) } else { Until::NextStep };
    is_seen.then_some(until)
}

/// What the kernel's lock does beside taking the lock.
fn is_part_of_a_lock(site: &Site, passed: &Passed) -> bool {
    // With interrupts on it is another kernel function, which somebody may write.
    let is_preemption = site.primitive == "preempt_disable"
        && passed.next.is_some_and(|next| next.site.primitive == "spin_lock");
    // The load of an update of two steps: to find nothing there is to lose the other bits.
    let is_load_of_two = passed.action == ActionKind::PlainRead
        && matches!(site.primitive, "__set_bit" | "__clear_bit");
    is_preemption || is_load_of_two
}

/// The word by which `spin_is_locked()` sees it.
fn is_word_of_a_lock(site: &Site) -> bool {
    matches!(site.primitive, "WRITE_ONCE" | "smp_store_release")
        && site.object.is_some_and(|object| object.ends_with("_lock"))
}

/// The edits by which a call of this function of `crates/kernel` does nothing, offered at one of
/// its steps.
fn whole_call(function: &'static str, site: &Site) -> Option<Vec<Edit>> {
    let within = |primitive| Site::of(primitive).within(function);
    let is_first = site.nth == Some(0);
    match (function, site.primitive) {
        ("flush_work", "join") if is_first => Some(vec![Edit::drop(within("join"))]),
        ("queue_work_on", "test_and_set_bit") if is_first => {
            // It seems to be on the queue already.
            let how = selvedge_kernel::edits::How::Drop { answer: 1 };
            Some(vec![Edit { at: within("test_and_set_bit"), how }])
        }
        ("try_to_wake_up", "ttwu_queue") if is_first => {
            Some(vec![Edit::drop(within("WRITE_ONCE")), Edit::drop(within("ttwu_queue"))])
        }
        ("synchronize_rcu", "wait for preempt-off section of") if is_first => Some(vec![
            Edit::drop_pair(within("wait for preempt-off section of")),
            Edit::drop_pair(within("wait for irq-off section of")),
            Edit::drop_pair(within("wait for the RCU reader that holds")),
            Edit::drop(within("synchronize_rcu")),
        ]),
        _ => None,
    }
}
