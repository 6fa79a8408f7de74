//! The primitives that a test may call: one table of what each is called and what it does.
//!
//! A name that is not in the table is refused before anything is run. Arguments stand where
//! linux-kernel.def of the memory model has them: `atomic_set(x, 1)`, but `atomic_add(1, x)`.

use std::sync::Arc;

use selvedge_kernel::{
    __set_current_state, Atomic, Cpus, If, Order, READ_ONCE, Rmw, TASK_NORMAL, Task, WRITE_ONCE,
    atomic_add, atomic_add_unless, atomic_cmpxchg_ordered, atomic_fetch_ordered, atomic_read,
    atomic_set, atomic_sub_and_test, local_bh_disable, local_bh_enable, local_irq_disable,
    local_irq_enable, preempt_disable, preempt_enable, rcu_assign_pointer, rcu_barrier,
    rcu_dereference, rcu_read_lock, rcu_read_unlock, schedule, send_sig, send_sigkill,
    set_current_state, smp_cond_load_acquire, smp_cond_load_relaxed, smp_load_acquire, smp_mb,
    smp_mb__after_atomic, smp_mb__after_spinlock, smp_mb__after_unlock_lock, smp_mb__before_atomic,
    smp_rmb, smp_store_release, smp_wmb, synchronize_rcu, synchronize_rcu_expedited,
    try_to_wake_up,
};

use crate::bits::BITS;
use crate::functions::{FUNCTIONS, Function};
use crate::objects::{CALLS, Here, On, has_second_argument};

/// What a primitive is called with, and what it does. What returns nothing returns 0.
#[derive(Clone, Copy)]
pub(crate) enum Meaning {
    /// `smp_mb()`
    Nothing(fn(&Cpus)),
    /// `spin_lock(l)`
    Object(On),
    /// `spin_lock_irqsave(l, flags)`
    ObjectValue(On),
    /// `send_sigkill(1)`: to the process of this number.
    Task(fn(&Cpus, &Task) -> i64),
    /// `schedule()`, `set_current_state(2)`: of the process itself, with so many arguments.
    Current(usize, fn(&Here<'_>)),
    /// `schedule_work(1)`: the process of this number is a function, which somebody else runs.
    Function(fn(&Arc<Cpus>, &Function) -> i64),
    /// `READ_ONCE(*x)`
    Word(fn(&Atomic, Order) -> i64),
    /// `WRITE_ONCE(*x, 1)`
    WordValue(fn(&Atomic, i64, Order) -> i64),
    /// `atomic_add(1, x)`
    ValueWord(fn(&Atomic, i64, Order) -> i64),
    /// `cmpxchg(x, 0, 1)`
    WordTwoValues(fn(&Atomic, [i64; 2], Order) -> i64),
}

impl Meaning {
    /// How many arguments it has.
    pub(crate) fn arguments(self) -> usize {
        match self {
            Self::Nothing(_) => 0,
            Self::Current(arguments, _) => arguments,
            Self::Object(_) | Self::Task(_) | Self::Function(_) | Self::Word(_) => 1,
            Self::WordValue(_) | Self::ValueWord(_) | Self::ObjectValue(_) => 2,
            Self::WordTwoValues(_) => 3,
        }
    }
}

/// What a step does, as far as somebody has to know who renders it stronger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Does {
    /// It takes a lock, delimits a section, or only orders.
    Orders,
    Unlocks,
    Loads,
    /// It reads what is no word of the test, or a bit of one.
    Looks,
    Stores,
    /// A store and what orders it, in one.
    StoresAndOrders,
    StoresRelease,
    Updates,
    UpdatesRelease,
}

impl Does {
    /// Is what comes before it in its process to be seen by who sees it?
    pub(crate) fn releases(self) -> bool {
        matches!(self, Does::Unlocks | Does::StoresRelease | Does::UpdatesRelease)
    }

    pub(crate) fn stores(self) -> bool {
        match self {
            Does::Orders | Does::Unlocks | Does::Loads | Does::Looks => false,
            Does::Stores | Does::StoresAndOrders | Does::StoresRelease => true,
            Does::Updates | Does::UpdatesRelease => true,
        }
    }

    pub(crate) fn loads(self) -> bool {
        matches!(self, Does::Loads | Does::Looks | Does::Updates | Does::UpdatesRelease)
    }
}

/// A primitive as a test calls it.
#[derive(Clone, Copy)]
pub(crate) struct Primitive {
    pub(crate) does: Does,
    pub(crate) meaning: Meaning,
    /// Without a suffix, what returns a value is a full barrier on both sides.
    pub(crate) order: Order,
}

/// The primitive of this name.
pub(crate) fn find(name: &str) -> Option<Primitive> {
    let plain = (PLAIN.iter().chain(BITS))
        .find(|(known, ..)| *known == name)
        .map(|(_, does, meaning)| Primitive { does: *does, meaning: *meaning, order: Order::Full });
    let object = CALLS.iter().find(|(known, ..)| *known == name).map(|(_, does, on)| Primitive {
        does: *does,
        meaning: match has_second_argument(name) {
            true => Meaning::ObjectValue(*on),
            false => Meaning::Object(*on),
        },
        order: Order::Full,
    });
    let function = FUNCTIONS.iter().find(|(known, ..)| *known == name).map(|(_, does, run)| {
        Primitive { does: *does, meaning: Meaning::Function(*run), order: Order::Full }
    });
    plain.or(object).or(function).or_else(|| {
        let suffixes = [
            ("_relaxed", Order::Relaxed),
            ("_acquire", Order::Acquire),
            ("_release", Order::Release),
            ("", Order::Full),
        ];
        suffixes.into_iter().find_map(|(suffix, order)| {
            let bare = name.strip_suffix(suffix)?;
            let (_, meaning) = ORDERED.iter().find(|(known, _)| *known == bare)?;
            let is_release = order == Order::Release;
            let does = if is_release { Does::UpdatesRelease } else { Does::Updates };
            Some(Primitive { does, meaning: *meaning, order })
        })
    })
}

fn fetch(v: &Atomic, rmw: Rmw, order: Order) -> i64 {
    atomic_fetch_ordered(v, rmw, order, "atomic_fetch")
}

fn fetch_add(v: &Atomic, value: i64, order: Order) -> i64 {
    atomic_fetch_ordered(v, Rmw::Add(value as u64), order, "atomic_fetch_add")
}

fn swap(v: &Atomic, value: i64, order: Order) -> i64 {
    atomic_fetch_ordered(v, Rmw::Swap(value as u64), order, "xchg")
}

fn compare(v: &Atomic, [old, new]: [i64; 2], order: Order) -> i64 {
    atomic_cmpxchg_ordered(v, old, new, order, "cmpxchg")
}

use Meaning::{Current, Nothing, ValueWord, Word, WordTwoValues, WordValue};

/// What has no other form.
const PLAIN: &[(&str, Does, Meaning)] = &[
    // For the compiler only.
    ("barrier", Does::Orders, Nothing(|_| {})),
    ("smp_mb", Does::Orders, Nothing(|_| smp_mb())),
    ("smp_rmb", Does::Orders, Nothing(|_| smp_rmb())),
    ("smp_wmb", Does::Orders, Nothing(|_| smp_wmb())),
    ("smp_mb__before_atomic", Does::Orders, Nothing(|_| smp_mb__before_atomic())),
    ("smp_mb__after_atomic", Does::Orders, Nothing(|_| smp_mb__after_atomic())),
    ("smp_mb__after_spinlock", Does::Orders, Nothing(|_| smp_mb__after_spinlock())),
    ("smp_mb__after_unlock_lock", Does::Orders, Nothing(|_| smp_mb__after_unlock_lock())),
    // They keep off who runs on this CPU, of which each process has its own.
    ("preempt_disable", Does::Orders, Nothing(preempt_disable)),
    ("preempt_enable", Does::Orders, Nothing(preempt_enable)),
    ("local_irq_disable", Does::Orders, Nothing(local_irq_disable)),
    ("local_irq_enable", Does::Orders, Nothing(local_irq_enable)),
    ("local_bh_disable", Does::Orders, Nothing(local_bh_disable)),
    ("local_bh_enable", Does::Orders, Nothing(local_bh_enable)),
    ("rcu_read_lock", Does::Orders, Nothing(rcu_read_lock)),
    ("rcu_read_unlock", Does::Orders, Nothing(rcu_read_unlock)),
    ("synchronize_rcu", Does::Orders, Nothing(synchronize_rcu)),
    ("synchronize_rcu_expedited", Does::Orders, Nothing(synchronize_rcu_expedited)),
    ("rcu_barrier", Does::Orders, Nothing(rcu_barrier)),
    // Herd has no signals; a fatal one is what ends a killable wait, and another does not.
    (
        "send_sigkill",
        Does::Orders,
        Meaning::Task(|cpus, task| {
            send_sigkill(cpus, task);
            0
        }),
    ),
    (
        "send_sig",
        Does::Orders,
        Meaning::Task(|cpus, task| {
            send_sig(cpus, task);
            0
        }),
    ),
    // Nor has it states of tasks: the argument is the number of the state, 2 to be woken.
    (
        "wake_up_process",
        Does::Updates,
        Meaning::Task(|cpus, task| i64::from(try_to_wake_up(cpus, task, TASK_NORMAL))),
    ),
    (
        "set_current_state",
        Does::Orders,
        Current(1, |here| set_current_state(here.task(), here.value as u64)),
    ),
    (
        "__set_current_state",
        Does::Orders,
        Current(1, |here| __set_current_state(here.task(), here.value as u64)),
    ),
    ("schedule", Does::Orders, Current(0, |here| schedule(here.cpus, here.task()))),
    ("READ_ONCE", Does::Loads, Word(|v, _| READ_ONCE(v.counter()) as i64)),
    ("rcu_dereference", Does::Loads, Word(|v, _| rcu_dereference(v.counter()) as i64)),
    ("smp_load_acquire", Does::Loads, Word(|v, _| smp_load_acquire(v.counter()) as i64)),
    // In C the second argument is a condition; here it is the value that is waited for.
    (
        "smp_cond_load_acquire",
        Does::Loads,
        WordValue(|v, value, _| {
            smp_cond_load_acquire(v.counter(), If::Equals(value as u64));
            value
        }),
    ),
    (
        "smp_cond_load_relaxed",
        Does::Loads,
        WordValue(|v, value, _| {
            smp_cond_load_relaxed(v.counter(), If::Equals(value as u64));
            value
        }),
    ),
    ("atomic_read", Does::Loads, Word(|v, _| atomic_read(v))),
    ("atomic_read_acquire", Does::Loads, Word(|v, _| smp_load_acquire(v.counter()) as i64)),
    (
        "atomic_inc",
        Does::Updates,
        Word(|v, _| {
            atomic_add(1, v);
            0
        }),
    ),
    (
        "atomic_dec",
        Does::Updates,
        Word(|v, _| {
            atomic_add(-1, v);
            0
        }),
    ),
    ("atomic_inc_and_test", Does::Updates, Word(|v, _| i64::from(atomic_sub_and_test(-1, v)))),
    ("atomic_dec_and_test", Does::Updates, Word(|v, _| i64::from(atomic_sub_and_test(1, v)))),
    (
        "WRITE_ONCE",
        Does::Stores,
        WordValue(|v, new, _| {
            WRITE_ONCE(v.counter(), new as u64);
            0
        }),
    ),
    (
        "rcu_assign_pointer",
        Does::StoresRelease,
        WordValue(|v, new, _| {
            rcu_assign_pointer(v.counter(), new as u64);
            0
        }),
    ),
    (
        "smp_store_release",
        Does::StoresRelease,
        WordValue(|v, new, _| {
            smp_store_release(v.counter(), new as u64);
            0
        }),
    ),
    ("smp_store_mb", Does::StoresAndOrders, WordValue(store_mb)),
    (
        "atomic_set",
        Does::Stores,
        WordValue(|v, new, _| {
            atomic_set(v, new);
            0
        }),
    ),
    (
        "atomic_set_release",
        Does::StoresRelease,
        WordValue(|v, new, _| {
            smp_store_release(v.counter(), new as u64);
            0
        }),
    ),
    (
        "atomic_add",
        Does::Updates,
        ValueWord(|v, by, _| {
            atomic_add(by, v);
            0
        }),
    ),
    (
        "atomic_sub",
        Does::Updates,
        ValueWord(|v, by, _| {
            atomic_add(by.wrapping_neg(), v);
            0
        }),
    ),
    (
        "atomic_sub_and_test",
        Does::Updates,
        ValueWord(|v, by, _| i64::from(atomic_sub_and_test(by, v))),
    ),
    (
        "atomic_add_unless",
        Does::Updates,
        WordTwoValues(|v, [by, unless], _| i64::from(atomic_add_unless(v, by, unless))),
    ),
];

/// What may end in `_relaxed`, `_acquire` or `_release`.
const ORDERED: &[(&str, Meaning)] = &[
    ("atomic_fetch_and", ValueWord(|v, mask, order| fetch(v, Rmw::And(mask as u64), order))),
    ("atomic_fetch_or", ValueWord(|v, mask, order| fetch(v, Rmw::Or(mask as u64), order))),
    ("atomic_fetch_xor", ValueWord(|v, mask, order| fetch(v, Rmw::Xor(mask as u64), order))),
    ("atomic_fetch_andnot", ValueWord(|v, mask, order| fetch(v, Rmw::And(!mask as u64), order))),
    (
        "atomic_add_negative",
        ValueWord(|v, by, order| i64::from(fetch_add(v, by, order).wrapping_add(by) < 0)),
    ),
    ("atomic_inc_return", Word(|v, order| fetch_add(v, 1, order).wrapping_add(1))),
    ("atomic_dec_return", Word(|v, order| fetch_add(v, -1, order).wrapping_sub(1))),
    ("atomic_fetch_inc", Word(|v, order| fetch_add(v, 1, order))),
    ("atomic_fetch_dec", Word(|v, order| fetch_add(v, -1, order))),
    ("atomic_add_return", ValueWord(|v, by, order| fetch_add(v, by, order).wrapping_add(by))),
    (
        "atomic_sub_return",
        ValueWord(|v, by, order| fetch_add(v, by.wrapping_neg(), order).wrapping_sub(by)),
    ),
    ("atomic_fetch_add", ValueWord(fetch_add)),
    ("atomic_fetch_sub", ValueWord(|v, by, order| fetch_add(v, by.wrapping_neg(), order))),
    ("xchg", WordValue(swap)),
    ("atomic_xchg", WordValue(swap)),
    ("cmpxchg", WordTwoValues(compare)),
    ("atomic_cmpxchg", WordTwoValues(compare)),
];

fn store_mb(v: &Atomic, new: i64, _: Order) -> i64 {
    WRITE_ONCE(v.counter(), new as u64);
    smp_mb();
    0
}
