//! `rw_semaphore`: who is kept out by whom, and what a bug with it looks like.

use crate::common;

use std::sync::Arc;

use common::{Program, nothing, two_cpus};
use selvedge_explore::{Engine, Verdict};
use selvedge_kernel::edits::{Edit, Site, install};
use selvedge_kernel::{
    Cpus, KERNEL_ASSERTIONS_HOLD, LOCKS_ARE_UNLOCKED_BY_THEIR_HOLDER,
    NOBODY_SLEEPS_IN_ATOMIC_CONTEXT, NOBODY_WAITS_FOR_EVER, Name, READ_ONCE, RwSem, Var,
    WRITE_ONCE, down_read, down_read_trylock, down_write, down_write_trylock, downgrade_write,
    kernel_assert, preempt_disable, up_read, up_write,
};
use selvedge_monitors::{LOCKS_ARE_UNLOCKED_BY_THEIR_HOLDER as BY_HOLDER, NO_LOCK_IS_HELD_AT_EXIT};

/// Two semaphores, and two variables that are always the same to who holds the first.
struct Shared {
    sem: RwSem,
    other: RwSem,
    x: Var,
    y: Var,
}

fn make(_: &Arc<Cpus>) -> Shared {
    Shared {
        sem: RwSem::new(Name::new("sem")),
        other: RwSem::new(Name::new("other")),
        x: Var::new(Name::new("x"), 0),
        y: Var::new(Name::new("y"), 0),
    }
}

const fn program(tasks: &'static [(usize, common::Run<Shared>)]) -> Program<Shared> {
    Program { cpus: two_cpus, make, tasks, ends: nothing }
}

fn look(shared: &Shared) -> u64 {
    10 * READ_ONCE(&shared.x) + READ_ONCE(&shared.y)
}

fn change(shared: &Shared, to: u64) {
    WRITE_ONCE(&shared.x, to);
    WRITE_ONCE(&shared.y, to);
}

fn reads(cpus: &Cpus, shared: &Shared) -> u64 {
    down_read(cpus, &shared.sem);
    let seen = look(shared);
    up_read(&shared.sem);
    seen
}

fn writes(cpus: &Cpus, shared: &Shared) -> u64 {
    down_write(cpus, &shared.sem);
    change(shared, 1);
    up_write(&shared.sem);
    0
}

fn peeps(_: &Cpus, shared: &Shared) -> u64 {
    look(shared)
}

#[test]
fn a_reader_sees_all_that_a_writer_did_or_nothing() {
    let kept = program(&[(0, reads), (1, writes)]);
    let whole = [vec![0, 0, 0], vec![11, 0, 0]].into();
    assert_eq!(kept.outcomes(), whole);
    // Under the kernel's memory model too.
    assert_eq!(kept.run(Engine::Graph).1, whole);
    // Without the semaphore it sees the half.
    assert!(program(&[(0, peeps), (1, writes)]).outcomes().contains(&vec![1, 0, 0]));
}

fn adds(cpus: &Cpus, shared: &Shared) -> u64 {
    down_write(cpus, &shared.sem);
    let seen = READ_ONCE(&shared.x);
    WRITE_ONCE(&shared.x, seen + 1);
    up_write(&shared.sem);
    seen
}

#[test]
fn two_writers_exclude_each_other() {
    fn adds_as_reader(cpus: &Cpus, shared: &Shared) -> u64 {
        down_read(cpus, &shared.sem);
        let seen = READ_ONCE(&shared.x);
        WRITE_ONCE(&shared.x, seen + 1);
        up_read(&shared.sem);
        seen
    }
    let adding = program(&[(0, adds), (1, adds), (1, adds)]);
    let ends = |shared: &Shared| shared.x.peek();
    let (_, outcomes) = Program { ends, ..adding }.run(Engine::Dpor);
    assert!(outcomes.iter().all(|outcome| outcome[3] == 3), "{outcomes:?}");
    assert_eq!(outcomes.len(), 6);
    // Readers do not: one of the additions is lost.
    let lost = program(&[(0, adds_as_reader), (1, adds_as_reader)]);
    assert!(Program { ends, ..lost }.outcomes().contains(&vec![0, 0, 1]));
}

/// By an edit: neither the semaphore is taken nor given back, and nobody complains.
#[test]
fn a_semaphore_that_is_left_out_excludes_nobody() {
    const LEFT_OUT: &[Edit] = &[Edit::drop_pair(Site::of("down_write"))];
    let ends = |shared: &Shared| shared.x.peek();
    let kept = Program { ends, ..program(&[(0, adds), (1, adds)]) };
    assert!(!kept.outcomes().contains(&vec![0, 0, 1]));
    let make = |cpus: &Arc<Cpus>| {
        install(LEFT_OUT);
        make(cpus)
    };
    assert!(Program { make, ..kept }.outcomes().contains(&vec![0, 0, 1]));
}

/// Each tells the other that it is there, and one of them sees it.
#[test]
fn two_readers_are_in_at_once() {
    fn first(cpus: &Cpus, shared: &Shared) -> u64 {
        down_read(cpus, &shared.sem);
        WRITE_ONCE(&shared.x, 1);
        let seen = READ_ONCE(&shared.y);
        up_read(&shared.sem);
        seen
    }
    fn second(cpus: &Cpus, shared: &Shared) -> u64 {
        down_read(cpus, &shared.sem);
        WRITE_ONCE(&shared.y, 1);
        let seen = READ_ONCE(&shared.x);
        up_read(&shared.sem);
        seen
    }
    let outcomes = program(&[(0, first), (1, second)]).outcomes();
    assert!(outcomes.contains(&vec![1, 1, 0]), "{outcomes:?}");
}

#[test]
fn who_reads_twice_hangs_if_a_writer_comes_between() {
    fn reads_twice(cpus: &Cpus, shared: &Shared) -> u64 {
        down_read(cpus, &shared.sem);
        down_read(cpus, &shared.sem);
        up_read(&shared.sem);
        up_read(&shared.sem);
        0
    }
    let alone = program(&[(0, reads_twice), (1, reads)]);
    assert_eq!(alone.outcomes().len(), 1);
    let (rule, message) = program(&[(0, reads_twice), (1, writes)]).broken();
    assert_eq!(rule, NOBODY_WAITS_FOR_EVER.0);
    let behind = "CPU0 task0 waits for sem, behind CPU1 task1, who waits for it";
    assert!(message.contains(behind), "{message}");
    assert!(message.contains("CPU1 task1 waits for sem, held by CPU0 task0"), "{message}");
}

#[test]
fn an_up_read_that_is_forgotten_keeps_writers_out() {
    fn forgets(cpus: &Cpus, shared: &Shared) -> u64 {
        down_read(cpus, &shared.sem);
        look(shared)
    }
    let (rule, message) = program(&[(0, forgets), (1, writes)]).broken();
    // The monitor of locks sees it where the writer came first, the other where it comes later.
    let rules = [NOBODY_WAITS_FOR_EVER.0, NO_LOCK_IS_HELD_AT_EXIT.0];
    assert!(rules.contains(&rule.as_str()), "{rule}: {message}");
    // No reader is kept out by it: only the lock that is held at the end tells.
    let (rule, message) = program(&[(0, forgets), (1, reads)]).broken();
    assert_eq!(rule, NO_LOCK_IS_HELD_AT_EXIT.0, "{message}");
}

#[test]
fn nobody_gets_in_while_a_writer_becomes_a_reader() {
    fn downgrades(cpus: &Cpus, shared: &Shared) -> u64 {
        down_write(cpus, &shared.sem);
        change(shared, 2);
        downgrade_write(&shared.sem);
        let seen = look(shared);
        up_read(&shared.sem);
        seen
    }
    fn lets_go(cpus: &Cpus, shared: &Shared) -> u64 {
        down_write(cpus, &shared.sem);
        change(shared, 2);
        up_write(&shared.sem);
        reads(cpus, shared)
    }
    let outcomes = program(&[(0, downgrades), (1, writes)]).outcomes();
    assert!(outcomes.iter().all(|outcome| outcome[0] == 22), "{outcomes:?}");
    assert!(program(&[(0, lets_go), (1, writes)]).outcomes().contains(&vec![11, 0, 0]));
    // A reader does get in.
    let beside = program(&[(0, downgrades), (1, reads), (1, writes)]).run(Engine::Dpor).1;
    assert!(beside.iter().any(|outcome| outcome[1] == 22), "{beside:?}");
}

fn takes_both(cpus: &Cpus, shared: &Shared) -> u64 {
    down_write(cpus, &shared.sem);
    down_write(cpus, &shared.other);
    up_write(&shared.other);
    up_write(&shared.sem);
    1
}

#[test]
fn two_orders_of_two_semaphores_hang_and_a_try_does_not() {
    fn takes_both_the_other_way(cpus: &Cpus, shared: &Shared) -> u64 {
        down_write(cpus, &shared.other);
        down_read(cpus, &shared.sem);
        up_read(&shared.sem);
        up_write(&shared.other);
        1
    }
    fn tries(cpus: &Cpus, shared: &Shared) -> u64 {
        down_write(cpus, &shared.other);
        let taken = down_read_trylock(&shared.sem);
        if taken {
            up_read(&shared.sem);
        }
        up_write(&shared.other);
        u64::from(taken)
    }
    fn tries_to_write(cpus: &Cpus, shared: &Shared) -> u64 {
        down_write(cpus, &shared.other);
        let taken = down_write_trylock(&shared.sem);
        if taken {
            up_write(&shared.sem);
        }
        up_write(&shared.other);
        u64::from(taken)
    }
    let (rule, _) = program(&[(0, takes_both), (1, takes_both_the_other_way)]).broken();
    assert_eq!(rule, NOBODY_WAITS_FOR_EVER.0);
    for trying in
        [program(&[(0, takes_both), (1, tries)]), program(&[(0, takes_both), (1, tries_to_write)])]
    {
        assert_eq!(trying.outcomes(), [vec![1, 0, 0], vec![1, 1, 0]].into());
    }
}

/// A try fails as long as a writer is in the queue, whoever has the semaphore.
#[test]
fn a_try_to_read_fails_behind_a_writer_that_waits() {
    fn reads_and_tries(cpus: &Cpus, shared: &Shared) -> u64 {
        down_read(cpus, &shared.sem);
        let taken = down_read_trylock(&shared.sem);
        if taken {
            up_read(&shared.sem);
        }
        up_read(&shared.sem);
        u64::from(taken)
    }
    let outcomes = program(&[(0, reads_and_tries), (1, writes)]).outcomes();
    assert_eq!(outcomes, [vec![0, 0, 0], vec![1, 0, 0]].into());
    // Readers alone never make it fail.
    let outcomes = program(&[(0, reads_and_tries), (1, reads)]).outcomes();
    assert_eq!(outcomes, [vec![1, 0, 0]].into());
}

#[test]
fn it_is_given_back_by_who_has_it() {
    fn gives_back(_: &Cpus, shared: &Shared) -> u64 {
        up_read(&shared.sem);
        0
    }
    fn gives_back_the_wrong_way(cpus: &Cpus, shared: &Shared) -> u64 {
        down_read(cpus, &shared.sem);
        up_write(&shared.sem);
        0
    }
    for wrong in [program(&[(0, gives_back)]), program(&[(0, gives_back_the_wrong_way)])] {
        assert_eq!(wrong.broken().0, LOCKS_ARE_UNLOCKED_BY_THEIR_HOLDER.0);
    }
    assert_eq!(LOCKS_ARE_UNLOCKED_BY_THEIR_HOLDER, BY_HOLDER);
}

#[test]
fn it_is_not_taken_in_atomic_context() {
    fn sleeps(cpus: &Cpus, shared: &Shared) -> u64 {
        preempt_disable(cpus);
        reads(cpus, shared)
    }
    fn tries(cpus: &Cpus, shared: &Shared) -> u64 {
        preempt_disable(cpus);
        kernel_assert(down_read_trylock(&shared.sem), "nobody is there");
        up_read(&shared.sem);
        selvedge_kernel::preempt_enable(cpus);
        0
    }
    assert_eq!(program(&[(0, sleeps)]).broken().0, NOBODY_SLEEPS_IN_ATOMIC_CONTEXT.0);
    assert_eq!(program(&[(0, tries)]).outcomes().len(), 1);
    assert_ne!(KERNEL_ASSERTIONS_HOLD, NOBODY_SLEEPS_IN_ATOMIC_CONTEXT);
}

#[test]
fn it_is_beyond_loom() {
    program(&[(0, reads), (1, writes)]).is_beyond_loom("down_read(sem) waits for a value");
    // A try waits for nothing.
    fn tries(_: &Cpus, shared: &Shared) -> u64 {
        u64::from(down_read_trylock(&shared.sem))
    }
    assert_ne!(program(&[(0, tries)]).run(Engine::Loom).0.verdict, Verdict::Holds);
}
