//! Completions, and what is lost with one.

use crate::common;

use std::sync::Arc;

use common::{Program, nothing, two_cpus};
use selvedge_explore::Engine;
use selvedge_kernel::{
    Completion, Cpus, If, NOBODY_SLEEPS_IN_ATOMIC_CONTEXT, NOBODY_WAITS_FOR_EVER, Name, READ_ONCE,
    Var, WRITE_ONCE, complete, complete_all, completion_done, preempt_disable, reinit_completion,
    spin_until, try_wait_for_completion, wait_for_completion,
};

struct Shared {
    done: Completion,
    flag: Var,
    data: Var,
}

fn make(_: &Arc<Cpus>) -> Shared {
    Shared {
        done: Completion::new(Name::new("done")),
        flag: Var::new(Name::new("flag"), 0),
        data: Var::new(Name::new("data"), 0),
    }
}

const fn program(tasks: &'static [(usize, common::Run<Shared>)]) -> Program<Shared> {
    Program { cpus: two_cpus, make, tasks, ends: nothing }
}

fn does_it(cpus: &Cpus, shared: &Shared) -> u64 {
    WRITE_ONCE(&shared.data, 1);
    complete(cpus, &shared.done);
    0
}

fn does_it_for_all(cpus: &Cpus, shared: &Shared) -> u64 {
    WRITE_ONCE(&shared.data, 1);
    complete_all(cpus, &shared.done);
    0
}

fn waits(cpus: &Cpus, shared: &Shared) -> u64 {
    wait_for_completion(cpus, &shared.done);
    READ_ONCE(&shared.data)
}

#[test]
fn who_has_waited_sees_what_was_done() {
    let seen = [vec![0, 1, 0]].into();
    let waiting = program(&[(0, does_it), (1, waits)]);
    assert_eq!(waiting.outcomes(), seen);
    assert_eq!(waiting.run(Engine::Graph).1, seen);
    // A flag of which nobody says that it orders anything does not do.
    fn sets_a_flag(_: &Cpus, shared: &Shared) -> u64 {
        WRITE_ONCE(&shared.data, 1);
        WRITE_ONCE(&shared.flag, 1);
        0
    }
    fn spins(_: &Cpus, shared: &Shared) -> u64 {
        spin_until(&shared.flag, If::Differs(0));
        READ_ONCE(&shared.data)
    }
    let weaker = program(&[(0, sets_a_flag), (1, spins)]);
    assert_eq!(weaker.outcomes(), seen);
    assert_eq!(weaker.run(Engine::Graph).1, [vec![0, 0, 0], vec![0, 1, 0]].into());
}

#[test]
fn one_completion_is_for_one_and_all_are_for_all() {
    let (rule, message) = program(&[(0, does_it), (1, waits), (1, waits)]).broken();
    assert_eq!(rule, NOBODY_WAITS_FOR_EVER.0);
    assert!(message.contains("waits for done, which nobody will give it"), "{message}");
    for enough in [
        program(&[(0, does_it), (0, does_it), (1, waits), (1, waits)]),
        program(&[(0, does_it_for_all), (1, waits), (1, waits)]),
    ] {
        assert!(!enough.outcomes().is_empty());
    }
}

#[test]
fn a_completion_that_is_reinitialised_too_late_is_lost() {
    fn begins_anew(cpus: &Cpus, shared: &Shared) -> u64 {
        reinit_completion(&shared.done);
        waits(cpus, shared)
    }
    assert_eq!(program(&[(0, does_it), (1, begins_anew)]).broken().0, NOBODY_WAITS_FOR_EVER.0);
}

#[test]
fn a_try_does_not_wait_and_uses_it_up() {
    fn tries(cpus: &Cpus, shared: &Shared) -> u64 {
        let is_done = completion_done(&shared.done);
        2 * u64::from(is_done) + u64::from(try_wait_for_completion(cpus, &shared.done))
    }
    let outcomes = program(&[(0, does_it), (1, tries)]).outcomes();
    assert_eq!(outcomes, [vec![0, 0, 0], vec![0, 1, 0], vec![0, 3, 0]].into());
    assert_eq!(
        program(&[(0, does_it), (0, tries), (1, waits)]).broken().0,
        NOBODY_WAITS_FOR_EVER.0
    );
}

#[test]
fn nobody_waits_for_one_in_atomic_context() {
    fn sleeps(cpus: &Cpus, shared: &Shared) -> u64 {
        preempt_disable(cpus);
        waits(cpus, shared)
    }
    let sleeping = program(&[(0, does_it), (1, sleeps)]);
    assert_eq!(sleeping.broken().0, NOBODY_SLEEPS_IN_ATOMIC_CONTEXT.0);
}

#[test]
fn it_is_beyond_loom() {
    program(&[(0, does_it), (1, waits)]).is_beyond_loom("wait_for_completion(done) waits");
}
