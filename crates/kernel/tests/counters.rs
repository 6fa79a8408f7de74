//! Sequence counters and reference counts: what a reader may rely on, and what is warned of.

use crate::common;

use std::sync::Arc;

use common::{Program, nothing, two_cpus};
use selvedge_explore::{Engine, Verdict};
use selvedge_kernel::{
    Cpus, KERNEL_ASSERTIONS_HOLD, Name, READ_ONCE, REFCOUNT_SATURATED, RefCount, SeqCount, SeqLock,
    Var, WRITE_ONCE, raw_write_seqcount_begin, read_seqbegin, read_seqcount_begin,
    read_seqcount_retry, read_seqretry, refcount_dec, refcount_dec_and_test, refcount_inc,
    refcount_inc_not_zero, refcount_read, refcount_set, write_seqcount_begin, write_seqcount_end,
    write_seqlock, write_sequnlock,
};
use selvedge_monitors::NO_CPU_IS_LOCKED_UP;

struct Shared {
    seq: SeqCount,
    lock: SeqLock,
    x: Var,
    y: Var,
}

fn make(_: &Arc<Cpus>) -> Shared {
    Shared {
        seq: SeqCount::new(Name::new("seq")),
        lock: SeqLock::new(Name::new("sl->seqcount"), Name::new("sl->lock")),
        x: Var::new(Name::new("x"), 0),
        y: Var::new(Name::new("y"), 0),
    }
}

const fn program(tasks: &'static [(usize, common::Run<Shared>)]) -> Program<Shared> {
    Program { cpus: two_cpus, make, tasks, ends: nothing }
}

fn reads(_: &Cpus, shared: &Shared) -> u64 {
    loop {
        let start = read_seqcount_begin(&shared.seq);
        let seen = 10 * READ_ONCE(&shared.x) + READ_ONCE(&shared.y);
        if !read_seqcount_retry(&shared.seq, start) {
            return seen;
        }
    }
}

fn writes(cpus: &Cpus, shared: &Shared) -> u64 {
    write_seqcount_begin(cpus, &shared.seq);
    WRITE_ONCE(&shared.x, 1);
    WRITE_ONCE(&shared.y, 1);
    write_seqcount_end(cpus, &shared.seq);
    0
}

#[test]
fn a_reader_that_looks_again_never_sees_the_half() {
    let whole = [vec![0, 0, 0], vec![11, 0, 0]].into();
    let kept = program(&[(0, reads), (1, writes)]);
    assert_eq!(kept.outcomes(), whole);
    assert_eq!(kept.run(Engine::Graph).1, whole);
    fn reads_once(_: &Cpus, shared: &Shared) -> u64 {
        read_seqcount_begin(&shared.seq);
        10 * READ_ONCE(&shared.x) + READ_ONCE(&shared.y)
    }
    let once = program(&[(0, reads_once), (1, writes)]).outcomes();
    assert!(once.contains(&vec![1, 0, 0]), "{once:?}");
}

/// A writer whose stores nothing keeps behind its count.
#[test]
fn a_writer_needs_its_barriers() {
    fn forgets_the_barriers(_: &Cpus, shared: &Shared) -> u64 {
        WRITE_ONCE(&shared.y, 1);
        raw_write_seqcount_begin(&shared.seq);
        WRITE_ONCE(&shared.x, 1);
        0
    }
    // Its reader spins for ever where the count stays odd; one that does not wait for it sees
    // a part.
    let (rule, message) = program(&[(0, reads), (1, forgets_the_barriers)]).broken();
    assert!(message.contains("task0 spins on seq"), "{rule}: {message}");
}

#[test]
fn writers_of_a_seqlock_exclude_each_other() {
    fn adds(cpus: &Cpus, shared: &Shared) -> u64 {
        write_seqlock(cpus, &shared.lock);
        let seen = READ_ONCE(&shared.x);
        WRITE_ONCE(&shared.x, seen + 1);
        WRITE_ONCE(&shared.y, seen + 1);
        write_sequnlock(cpus, &shared.lock);
        seen
    }
    fn looks(_: &Cpus, shared: &Shared) -> u64 {
        loop {
            let start = read_seqbegin(&shared.lock);
            let seen = 10 * READ_ONCE(&shared.x) + READ_ONCE(&shared.y);
            if !read_seqretry(&shared.lock, start) {
                return seen;
            }
        }
    }
    // Three tasks are too many for the naive search.
    let (seen, outcomes) = program(&[(0, adds), (1, adds), (1, looks)]).run(Engine::Dpor);
    assert_eq!(seen.verdict, Verdict::Holds);
    assert!(outcomes.iter().all(|seen| seen[0] + seen[1] == 1), "{outcomes:?}");
    assert!(outcomes.iter().all(|seen| [0, 11, 22].contains(&seen[2])), "{outcomes:?}");
}

/// Why the writer turns preemption off: a reader that came in between would spin on a CPU that the
/// writer needs.
#[test]
fn a_reader_that_preempts_a_writer_locks_its_cpu_up() {
    fn writes_preemptibly(_: &Cpus, shared: &Shared) -> u64 {
        raw_write_seqcount_begin(&shared.seq);
        WRITE_ONCE(&shared.x, 1);
        selvedge_kernel::raw_write_seqcount_end(&shared.seq);
        0
    }
    fn reads_with_preemption_off(cpus: &Cpus, shared: &Shared) -> u64 {
        selvedge_kernel::preempt_disable(cpus);
        let seen = reads(cpus, shared);
        selvedge_kernel::preempt_enable(cpus);
        seen
    }
    let wrong = program(&[(0, writes_preemptibly), (0, reads_with_preemption_off)]);
    let found = wrong.run(Engine::Dpor).0.counterexample.expect("a counterexample");
    assert_eq!(found.rule, NO_CPU_IS_LOCKED_UP.0);
    let right = program(&[(0, writes), (0, reads_with_preemption_off)]);
    for engine in [Engine::Dpor, Engine::Dfs] {
        assert_eq!(right.run(engine).1, [vec![0, 0, 0], vec![0, 11, 0]].into(), "{engine}");
    }
}

struct Counted(RefCount);

const fn counted(
    make: fn(&Arc<Cpus>) -> Counted,
    tasks: &'static [(usize, common::Run<Counted>)],
) -> Program<Counted> {
    Program { cpus: two_cpus, make, tasks, ends: |counted| counted.0.peek() as u64 }
}

fn one(_: &Arc<Cpus>) -> Counted {
    Counted(RefCount::new(Name::new("refs"), 1))
}

fn puts(_: &Cpus, counted: &Counted) -> u64 {
    u64::from(refcount_dec_and_test(&counted.0))
}

#[test]
fn a_reference_is_not_taken_from_a_count_of_zero() {
    fn gets_if_it_may(_: &Cpus, counted: &Counted) -> u64 {
        let got = refcount_inc_not_zero(&counted.0);
        if got { 2 + puts_it(counted) } else { 0 }
    }
    fn puts_it(counted: &Counted) -> u64 {
        u64::from(refcount_dec_and_test(&counted.0))
    }
    let outcomes = counted(one, &[(0, puts), (1, gets_if_it_may)]).outcomes();
    assert_eq!(outcomes, [vec![1, 0, 0], vec![1, 2, 0], vec![0, 3, 0]].into());
    fn gets(_: &Cpus, counted: &Counted) -> u64 {
        refcount_inc(&counted.0);
        puts_it(counted)
    }
    let (rule, message) = counted(one, &[(0, puts), (1, gets)]).broken();
    assert_eq!(rule, KERNEL_ASSERTIONS_HOLD.0);
    assert!(message.contains("refs: a reference is added to a count of 0"), "{message}");
}

#[test]
fn a_count_does_not_wrap_and_is_not_put_twice() {
    fn puts_last(_: &Cpus, counted: &Counted) -> u64 {
        refcount_dec(&counted.0);
        0
    }
    let (_, message) = counted(one, &[(0, puts), (1, puts)]).broken();
    assert!(message.contains("a reference is put that nobody has"), "{message}");
    let (_, message) = counted(one, &[(0, puts_last)]).broken();
    assert!(message.contains("nobody frees the object"), "{message}");
    fn raises(_: &Cpus, counted: &Counted) -> u64 {
        refcount_set(&counted.0, i64::from(i32::MAX));
        refcount_inc(&counted.0);
        0
    }
    let saturated = counted(one, &[(0, raises)]).run(Engine::Dpor).0;
    let found = saturated.counterexample.expect("a counterexample");
    assert!(found.message.contains("the count saturates"), "{}", found.message);
    // What it is left at: a value from which no count of references leads back to 0.
    let last = found.steps.iter().rev().find(|step| step.object == "refs").expect("a step");
    assert_eq!(last.new as i64, REFCOUNT_SATURATED);
    fn reads_one(_: &Cpus, counted: &Counted) -> u64 {
        refcount_read(&counted.0) as u64
    }
    assert_eq!(counted(one, &[(0, reads_one)]).outcomes(), [vec![1, 1]].into());
}

/// The object's last user sees what the others did with it before they let go.
#[test]
fn who_puts_the_last_reference_sees_what_others_did() {
    struct Object {
        refs: RefCount,
        used: Var,
    }
    fn make(_: &Arc<Cpus>) -> Object {
        Object { refs: RefCount::new(Name::new("refs"), 2), used: Var::new(Name::new("used"), 0) }
    }
    fn uses(_: &Cpus, object: &Object) -> u64 {
        WRITE_ONCE(&object.used, 1);
        if refcount_dec_and_test(&object.refs) { 9 } else { 0 }
    }
    fn frees(_: &Cpus, object: &Object) -> u64 {
        if refcount_dec_and_test(&object.refs) { READ_ONCE(&object.used) } else { 9 }
    }
    let freeing = Program { cpus: two_cpus, make, tasks: &[(0, uses), (1, frees)], ends: nothing };
    for engine in [Engine::Dpor, Engine::Graph, Engine::Loom] {
        assert_eq!(freeing.run(engine).1, [vec![0, 1, 0], vec![9, 9, 0]].into(), "{engine}");
    }
}
