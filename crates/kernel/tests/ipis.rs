//! What a call on other CPUs orders: the handler sees what the caller did, and the caller, when it
//! goes on, what the handler did; the predicate, which the caller evaluates, orders nothing.
//! Source: kernel/smp.c `smp_call_function_many_cond()`, `csd_lock_wait()`.

use crate::common;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;

use common::{Program, nothing, two_cpus};
use selvedge_explore::Engine;
use selvedge_kernel::{Cpus, Name, READ_ONCE, Var, WRITE_ONCE, on_each_cpu_cond};

struct Shared {
    data: Arc<Var>,
    flag: Arc<Var>,
}

fn make(_: &Arc<Cpus>) -> Shared {
    let var = |name| Arc::new(Var::new(Name::new(name), 0));
    Shared { data: var("data"), flag: var("flag") }
}

#[test]
fn a_handler_sees_what_came_before_the_call_and_is_seen_behind_it() {
    fn calls(cpus: &Cpus, shared: &Shared) -> u64 {
        WRITE_ONCE(&shared.data, 1);
        let (data, flag) = (shared.data.clone(), shared.flag.clone());
        let handler = move || WRITE_ONCE(&flag, 1 + READ_ONCE(&data));
        on_each_cpu_cond(cpus, |cpu| cpu == 1, handler);
        READ_ONCE(&shared.flag)
    }
    let calling = Program { cpus: two_cpus, make, tasks: &[(0, calls)], ends: nothing };
    let seen = BTreeSet::from([vec![2, 0]]);
    assert_eq!(calling.outcomes(), seen);
    assert_eq!(calling.run(Engine::Graph).1, seen);
}

#[test]
fn a_predicate_that_finds_something_is_not_ordered_behind_it() {
    fn asks(cpus: &Cpus, shared: &Shared) -> u64 {
        let asked = Cell::new(0);
        let looks = |_| {
            asked.set(READ_ONCE(&shared.flag));
            false
        };
        on_each_cpu_cond(cpus, looks, || {});
        10 * asked.get() + READ_ONCE(&shared.data)
    }
    fn stores(_: &Cpus, shared: &Shared) -> u64 {
        WRITE_ONCE(&shared.data, 1);
        WRITE_ONCE(&shared.flag, 1);
        0
    }
    let tasks = &[(0, asks as common::Run<Shared>), (1, stores)];
    let asking = Program { cpus: two_cpus, make, tasks, ends: nothing };
    let finds_and_misses = vec![10, 0, 0];
    assert!(asking.run(Engine::Graph).1.contains(&finds_and_misses));
    assert!(!asking.outcomes().contains(&finds_and_misses));
}
