//! Waits that a signal ends, and waits that it does not.

use crate::common;

use std::sync::Arc;

use common::{Outcomes, Program, nothing, two_cpus};
use selvedge_explore::{Engine, Verdict};
use selvedge_kernel::{
    __set_current_state, Completion, Cpus, Interrupted, Mutex, NOBODY_SLEEPS_IN_ATOMIC_CONTEXT,
    NOBODY_WAITS_FOR_EVER, Name, READ_ONCE, RwSem, TASK_INTERRUPTIBLE, TASK_KILLABLE, TASK_RUNNING,
    TASK_UNINTERRUPTIBLE, Task, Var, WRITE_ONCE, complete, down_read, down_read_killable,
    down_write, down_write_killable, get_signal, mutex_lock, mutex_lock_interruptible,
    mutex_lock_killable, mutex_unlock, preempt_disable, schedule, send_sig, send_sigkill,
    set_current_state, signal_pending, up_read, up_write, wait_for_completion_interruptible,
    wait_for_completion_killable,
};

struct Shared {
    task: Task,
    mutex: Mutex,
    sem: RwSem,
    done: Completion,
    x: Var,
}

fn make(cpus: &Arc<Cpus>) -> Shared {
    Shared {
        task: Task::new(0),
        mutex: Mutex::killable(cpus, Name::new("mutex")),
        sem: RwSem::killable(cpus, Name::new("sem")),
        done: Completion::killable(cpus, Name::new("done")),
        x: Var::new(Name::new("x"), 0),
    }
}

const fn program(tasks: &'static [(usize, common::Run<Shared>)]) -> Program<Shared> {
    Program { cpus: two_cpus, make, tasks, ends: nothing }
}

/// What the waiter, the first task, came to. (A naive search of these takes too long.)
fn ends(tasks: &'static [(usize, common::Run<Shared>)]) -> Vec<u64> {
    let (seen, outcomes): (_, Outcomes) = program(tasks).run(Engine::Dpor);
    assert_eq!(seen.verdict, Verdict::Holds, "{:?}", seen.counterexample);
    let mut ends: Vec<u64> = outcomes.into_iter().map(|outcome| outcome[0]).collect();
    ends.dedup();
    ends
}

/// The rule that it breaks.
fn broken(program: &Program<Shared>) -> String {
    let seen = program.run(Engine::Dpor).0;
    assert_eq!(seen.verdict, Verdict::Violated);
    seen.counterexample.expect("a counterexample").rule
}

const TAKEN: u64 = 1;
const INTERRUPTED: u64 = 2;

fn number(taken: Result<(), Interrupted>) -> u64 {
    if taken.is_ok() { TAKEN } else { INTERRUPTED }
}

fn kills(cpus: &Cpus, shared: &Shared) -> u64 {
    send_sigkill(cpus, &shared.task);
    0
}

fn signals(cpus: &Cpus, shared: &Shared) -> u64 {
    send_sig(cpus, &shared.task);
    0
}

fn locks_and_unlocks(cpus: &Cpus, shared: &Shared) -> u64 {
    mutex_lock(cpus, &shared.mutex);
    mutex_unlock(&shared.mutex);
    0
}

fn locks_killably(cpus: &Cpus, shared: &Shared) -> u64 {
    let taken = mutex_lock_killable(cpus, &shared.mutex, &shared.task);
    if taken.is_ok() {
        mutex_unlock(&shared.mutex);
    }
    number(taken)
}

fn locks_interruptibly(cpus: &Cpus, shared: &Shared) -> u64 {
    let taken = mutex_lock_interruptible(cpus, &shared.mutex, &shared.task);
    if taken.is_ok() {
        mutex_unlock(&shared.mutex);
    }
    number(taken)
}

#[test]
fn a_signal_ends_an_interruptible_wait_for_a_mutex_and_only_one_that_kills_a_killable_one() {
    assert_eq!(ends(&[(0, locks_killably), (1, locks_and_unlocks)]), [TAKEN]);
    assert_eq!(ends(&[(0, locks_killably), (1, locks_and_unlocks), (1, signals)]), [TAKEN]);
    let either = [TAKEN, INTERRUPTED];
    assert_eq!(ends(&[(0, locks_killably), (1, locks_and_unlocks), (1, kills)]), either);
    assert_eq!(ends(&[(0, locks_interruptibly), (1, locks_and_unlocks), (1, signals)]), either);
}

/// A mutex that is free is taken though a signal is pending.
#[test]
fn nobody_is_interrupted_who_need_not_wait() {
    assert_eq!(ends(&[(0, locks_killably), (1, kills)]), [TAKEN]);
    assert_eq!(ends(&[(0, locks_interruptibly), (1, signals)]), [TAKEN]);
}

fn never_unlocks(cpus: &Cpus, shared: &Shared) -> u64 {
    mutex_lock(cpus, &shared.mutex);
    // It is held by a task that waits for what comes only when the other has ended.
    selvedge_kernel::spin_until(&shared.x, selvedge_kernel::If::Differs(0));
    mutex_unlock(&shared.mutex);
    0
}

#[test]
fn who_is_killed_does_not_hang_where_others_do() {
    fn takes_and_tells(cpus: &Cpus, shared: &Shared) -> u64 {
        let seen = locks_killably(cpus, shared);
        WRITE_ONCE(&shared.x, 1);
        seen
    }
    // The holder waits for the waiter: only a signal that kills ends that.
    let rule = broken(&program(&[(0, takes_and_tells), (1, never_unlocks)]));
    assert_eq!(rule, NOBODY_WAITS_FOR_EVER.0);
    let rule = broken(&program(&[(0, takes_and_tells), (1, never_unlocks), (1, signals)]));
    assert_eq!(rule, NOBODY_WAITS_FOR_EVER.0);
    assert_eq!(ends(&[(0, takes_and_tells), (1, never_unlocks), (1, kills)]), [TAKEN, INTERRUPTED]);
}

fn writes(cpus: &Cpus, shared: &Shared) -> u64 {
    down_write(cpus, &shared.sem);
    WRITE_ONCE(&shared.x, 1);
    up_write(&shared.sem);
    0
}

fn reads(cpus: &Cpus, shared: &Shared) -> u64 {
    down_read(cpus, &shared.sem);
    up_read(&shared.sem);
    0
}

fn reads_killably(cpus: &Cpus, shared: &Shared) -> u64 {
    let taken = down_read_killable(cpus, &shared.sem, &shared.task);
    if taken.is_ok() {
        up_read(&shared.sem);
    }
    number(taken)
}

fn writes_killably(cpus: &Cpus, shared: &Shared) -> u64 {
    let taken = down_write_killable(cpus, &shared.sem, &shared.task);
    if taken.is_ok() {
        up_write(&shared.sem);
    }
    number(taken)
}

#[test]
fn a_wait_for_a_semaphore_is_ended_by_a_signal_that_kills() {
    let either = [TAKEN, INTERRUPTED];
    assert_eq!(ends(&[(0, reads_killably), (1, writes)]), [TAKEN]);
    assert_eq!(ends(&[(0, reads_killably), (1, writes), (1, signals)]), [TAKEN]);
    assert_eq!(ends(&[(0, reads_killably), (1, writes), (1, kills)]), either);
    assert_eq!(ends(&[(0, writes_killably), (1, reads)]), [TAKEN]);
    assert_eq!(ends(&[(0, writes_killably), (1, reads), (1, signals)]), [TAKEN]);
    assert_eq!(ends(&[(0, writes_killably), (1, reads), (1, kills)]), either);
}

/// A writer in the queue keeps readers out; when it is killed, they get in.
#[test]
fn readers_behind_a_writer_that_is_killed_get_in() {
    fn reads_for_long(cpus: &Cpus, shared: &Shared) -> u64 {
        down_read(cpus, &shared.sem);
        // Until somebody else has read too.
        selvedge_kernel::spin_until(&shared.x, selvedge_kernel::If::Differs(0));
        up_read(&shared.sem);
        0
    }
    fn reads_and_tells(cpus: &Cpus, shared: &Shared) -> u64 {
        down_read(cpus, &shared.sem);
        WRITE_ONCE(&shared.x, 1);
        up_read(&shared.sem);
        0
    }
    let waits = program(&[(0, writes_killably), (1, reads_for_long), (0, reads_and_tells)]);
    assert_eq!(broken(&waits), NOBODY_WAITS_FOR_EVER.0);
    let killed =
        program(&[(0, writes_killably), (1, reads_for_long), (0, reads_and_tells), (1, kills)]);
    let (seen, outcomes) = killed.run(Engine::Dpor);
    assert_eq!(seen.verdict, Verdict::Holds, "{:?}", seen.counterexample);
    assert!(outcomes.iter().any(|outcome| outcome[0] == INTERRUPTED), "{outcomes:?}");
}

fn completes(cpus: &Cpus, shared: &Shared) -> u64 {
    WRITE_ONCE(&shared.x, 1);
    complete(cpus, &shared.done);
    0
}

fn waits_killably(cpus: &Cpus, shared: &Shared) -> u64 {
    number(wait_for_completion_killable(cpus, &shared.done, &shared.task))
}

fn waits_interruptibly(cpus: &Cpus, shared: &Shared) -> u64 {
    let waited = wait_for_completion_interruptible(cpus, &shared.done, &shared.task);
    // Who has waited sees what was done.
    10 * READ_ONCE(&shared.x) + number(waited)
}

#[test]
fn a_wait_for_a_completion_is_ended_by_a_signal() {
    assert_eq!(ends(&[(0, waits_killably), (1, completes), (1, signals)]), [TAKEN]);
    assert_eq!(ends(&[(0, waits_killably), (1, completes), (1, kills)]), [TAKEN, INTERRUPTED]);
    let seen = ends(&[(0, waits_interruptibly), (1, completes), (1, signals)]);
    assert_eq!(seen, [INTERRUPTED, 10 + TAKEN, 10 + INTERRUPTED]);
    // Without anybody who completes it there is only the signal.
    assert_eq!(ends(&[(0, waits_interruptibly), (1, signals)]), [INTERRUPTED]);
    let rule = broken(&program(&[(0, waits_killably), (1, signals)]));
    assert_eq!(rule, NOBODY_WAITS_FOR_EVER.0);
}

/// Which states which signal wakes from.
#[test]
fn a_signal_wakes_who_sleeps_in_a_state_that_it_ends() {
    fn sleeps<const STATE: u64>(cpus: &Cpus, shared: &Shared) -> u64 {
        set_current_state(&shared.task, STATE);
        schedule(cpus, &shared.task);
        __set_current_state(&shared.task, TASK_RUNNING);
        u64::from(signal_pending(&shared.task))
    }
    assert_eq!(ends(&[(0, sleeps::<TASK_INTERRUPTIBLE>), (1, signals)]), [1]);
    assert_eq!(ends(&[(0, sleeps::<TASK_INTERRUPTIBLE>), (1, kills)]), [1]);
    assert_eq!(ends(&[(0, sleeps::<TASK_KILLABLE>), (1, kills)]), [1]);
    for sleeps_on in [
        program(&[(0, sleeps::<TASK_KILLABLE>), (1, signals)]),
        program(&[(0, sleeps::<TASK_UNINTERRUPTIBLE>), (1, signals)]),
        program(&[(0, sleeps::<TASK_UNINTERRUPTIBLE>), (1, kills)]),
    ] {
        assert_eq!(broken(&sleeps_on), NOBODY_WAITS_FOR_EVER.0);
    }
}

#[test]
fn a_signal_that_was_handled_is_not_pending_and_one_that_kills_stays() {
    fn handles(_: &Cpus, shared: &Shared) -> u64 {
        let was = signal_pending(&shared.task);
        get_signal(&shared.task);
        u64::from(was) + 2 * u64::from(signal_pending(&shared.task))
    }
    fn sends_first(cpus: &Cpus, shared: &Shared) -> u64 {
        signals(cpus, shared);
        handles(cpus, shared)
    }
    fn kills_first(cpus: &Cpus, shared: &Shared) -> u64 {
        kills(cpus, shared);
        handles(cpus, shared)
    }
    assert_eq!(ends(&[(0, sends_first)]), [1]);
    assert_eq!(ends(&[(0, kills_first)]), [3]);
}

#[test]
fn nobody_waits_so_in_atomic_context() {
    fn atomically(cpus: &Cpus, shared: &Shared) -> u64 {
        preempt_disable(cpus);
        locks_killably(cpus, shared)
    }
    let rule = broken(&program(&[(0, atomically)]));
    assert_eq!(rule, NOBODY_SLEEPS_IN_ATOMIC_CONTEXT.0);
}

/// Under the kernel's memory model too, what was done before the unlock is seen.
#[test]
fn who_gets_it_killably_sees_what_its_holder_did() {
    fn stores(cpus: &Cpus, shared: &Shared) -> u64 {
        mutex_lock(cpus, &shared.mutex);
        WRITE_ONCE(&shared.x, 1);
        WRITE_ONCE(&shared.x, 2);
        mutex_unlock(&shared.mutex);
        0
    }
    fn looks(cpus: &Cpus, shared: &Shared) -> u64 {
        match mutex_lock_killable(cpus, &shared.mutex, &shared.task) {
            Ok(()) => {
                let seen = READ_ONCE(&shared.x);
                mutex_unlock(&shared.mutex);
                seen
            }
            Err(Interrupted) => 7,
        }
    }
    let (seen, outcomes) = program(&[(0, looks), (1, stores)]).run(Engine::Graph);
    assert_eq!(seen.verdict, Verdict::Holds, "{:?}", seen.counterexample);
    assert_eq!(outcomes, [vec![0, 0, 0], vec![2, 0, 0]].into());
}
