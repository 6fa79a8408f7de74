//! Litmus tests: may an outcome be seen?
//!
//! Those with a source are the kernel's (tools/memory-model/litmus-tests and
//! Documentation/litmus-tests of 6.12), whose heads say what the kernel's model answers. The
//! others are classics, with an argument.

mod dependencies;

use crate::common;

use common::{Access, Change, Instr, Instr::*, Key, Program, explore};
use dependencies::address_dependencies;
use graph::{Fence, Load, Model, Rmw, Store};

/// Is an outcome ever seen?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Seen {
    Never,
    Sometimes,
}
use Seen::{Never, Sometimes};

/// What is asked about: the n-th read of a task, and final values of words.
struct Outcome {
    reads: &'static [(usize, usize, u64)],
    finals: &'static [(usize, u64)],
}

impl Outcome {
    fn is_of(&self, key: &Key) -> bool {
        let read = |&(task, n, expected): &(usize, usize, u64)| {
            let mut reads = key.tasks[task].iter().filter_map(|access| match *access {
                Access::Read { value, .. } => Some(value),
                Access::Write { .. } => None,
            });
            reads.nth(n) == Some(expected)
        };
        let last = |&(word, expected): &(usize, u64)| {
            let write = key.writes[word].last().map(|&(task, n)| key.tasks[task][n]);
            match write {
                Some(Access::Write { value, .. }) => value == expected,
                _ => expected == 0,
            }
        };
        self.reads.iter().all(read) && self.finals.iter().all(last)
    }
}

fn seen(program: &Program, outcome: &Outcome, model: Model) -> Seen {
    let explored = explore(program, model);
    assert!(explored.counts.complete);
    if explored.executions.keys().any(|key| outcome.is_of(key)) { Sometimes } else { Never }
}

/// A test: what the kernel's model says.
struct Litmus {
    name: &'static str,
    program: Program,
    outcome: Outcome,
    verdict: Seen,
}

fn reads(
    name: &'static str,
    program: Program,
    reads: &'static [(usize, usize, u64)],
    verdict: Seen,
) -> Litmus {
    Litmus { name, program, outcome: Outcome { reads, finals: &[] }, verdict }
}

fn finals(
    name: &'static str,
    program: Program,
    reads: &'static [(usize, usize, u64)],
    finals: &'static [(usize, u64)],
    verdict: Seen,
) -> Litmus {
    Litmus { name, program, outcome: Outcome { reads, finals }, verdict }
}

const X: usize = 0;
const Y: usize = 1;
const Z: usize = 2;
const A: usize = 3;
const B: usize = 4;
const MB: Instr = Barrier(Fence::Full);
const RMB: Instr = Barrier(Fence::Read);
const WMB: Instr = Barrier(Fence::Write);
const ADDR: Instr = Barrier(Fence::Address);

fn r(word: usize) -> Instr {
    Read(word, Load::Relaxed)
}

fn acquire(word: usize) -> Instr {
    Read(word, Load::Acquire)
}

fn w(word: usize, value: u64) -> Instr {
    Write(word, value, Store::Relaxed)
}

fn release(word: usize, value: u64) -> Instr {
    Write(word, value, Store::Release)
}

/// One lock around this.
fn locked(body: &[Instr]) -> Vec<Instr> {
    locked_by(0, body)
}

fn locked_by(lock: usize, body: &[Instr]) -> Vec<Instr> {
    [&[Lock(lock)], body, &[Unlock(lock)]].concat()
}

fn section(body: &[Instr]) -> Vec<Instr> {
    [&[SectionBegins], body, &[SectionEnds]].concat()
}

/// Coherence of one word.
fn coherence() -> Vec<Litmus> {
    vec![
        reads("CoRR", vec![vec![w(X, 1)], vec![r(X), r(X)]], &[(1, 0, 1), (1, 1, 0)], Never),
        finals("CoRW", vec![vec![r(X), w(X, 1)], vec![w(X, 2)]], &[(0, 0, 2)], &[(X, 2)], Never),
        finals("CoWR", vec![vec![w(X, 1), r(X)], vec![w(X, 2)]], &[(0, 0, 2)], &[(X, 1)], Never),
        finals("CoWW", vec![vec![w(X, 1), w(X, 2)]], &[], &[(X, 1)], Never),
    ]
}

/// Messages and buffers: MP, SB.
fn two_words() -> Vec<Litmus> {
    const MP: &[(usize, usize, u64)] = &[(1, 0, 1), (1, 1, 0)];
    const SB: &[(usize, usize, u64)] = &[(0, 0, 0), (1, 0, 0)];
    let mp = |writer: Vec<Instr>, reader: Vec<Instr>| vec![writer, reader];
    let sb = |between: &[Instr]| {
        vec![[&[w(X, 1)], between, &[r(Y)]].concat(), [&[w(Y, 1)], between, &[r(X)]].concat()]
    };
    vec![
        reads("MP", mp(vec![w(X, 1), w(Y, 1)], vec![r(Y), r(X)]), MP, Sometimes),
        reads("MP+wmb+rmb", mp(vec![w(X, 1), WMB, w(Y, 1)], vec![r(Y), RMB, r(X)]), MP, Never),
        // Each alone is not enough.
        reads("MP+wmb", mp(vec![w(X, 1), WMB, w(Y, 1)], vec![r(Y), r(X)]), MP, Sometimes),
        reads("MP+rmb", mp(vec![w(X, 1), w(Y, 1)], vec![r(Y), RMB, r(X)]), MP, Sometimes),
        reads(
            "MP+release+acquire",
            mp(vec![w(X, 1), release(Y, 1)], vec![acquire(Y), r(X)]),
            MP,
            Never,
        ),
        // rcu_dereference() is an acquire here: what depends on it is ordered after it.
        reads(
            "MP+assign+dereference",
            mp(vec![w(X, 1), release(Y, 1)], section(&[acquire(Y), r(X)])),
            MP,
            Never,
        ),
        reads("SB", sb(&[]), SB, Sometimes),
        reads("SB+mb", sb(&[MB]), SB, Never),
        // Reads after writes are not what these order.
        reads("SB+wmb", sb(&[WMB]), SB, Sometimes),
        reads("SB+rmb", sb(&[RMB]), SB, Sometimes),
        reads(
            "SB+rfi",
            vec![vec![w(X, 1), r(X), r(Y)], vec![w(Y, 1), r(Y), r(X)]],
            &[(0, 1, 0), (1, 1, 0)],
            Sometimes,
        ),
    ]
}

/// A write before a write, of two words: R, S, 2+2W.
fn overwrites() -> Vec<Litmus> {
    let writes = |between: &[Instr]| {
        vec![[&[w(X, 1)], between, &[w(Y, 2)]].concat(), [&[w(Y, 1)], between, &[w(X, 2)]].concat()]
    };
    let both_first: &[(usize, u64)] = &[(X, 1), (Y, 1)];
    vec![
        finals(
            "R",
            vec![vec![w(X, 1), w(Y, 1)], vec![w(Y, 2), r(X)]],
            &[(1, 0, 0)],
            &[(Y, 2)],
            Sometimes,
        ),
        finals(
            "R+mb",
            vec![vec![w(X, 1), MB, w(Y, 1)], vec![w(Y, 2), MB, r(X)]],
            &[(1, 0, 0)],
            &[(Y, 2)],
            Never,
        ),
        finals(
            "S",
            vec![vec![w(X, 2), w(Y, 1)], vec![r(Y), w(X, 1)]],
            &[(1, 0, 1)],
            &[(X, 2)],
            Sometimes,
        ),
        finals(
            "S+wmb+acquire",
            vec![vec![w(X, 2), WMB, w(Y, 1)], vec![acquire(Y), w(X, 1)]],
            &[(1, 0, 1)],
            &[(X, 2)],
            Never,
        ),
        // What is read decides whether is written: a control dependency.
        finals(
            "S+wmb+control",
            vec![vec![w(X, 2), WMB, w(Y, 1)], vec![r(Y), Barrier(Fence::Control), w(X, 1)]],
            &[(1, 0, 1)],
            &[(X, 2)],
            Never,
        ),
        // A cycle of two overwrites is forbidden by full barriers only (`propagates-before`): write
        // barriers make no step of happens-before between tasks.
        finals("2+2W", writes(&[]), &[], both_first, Sometimes),
        finals("2+2W+wmb", writes(&[WMB]), &[], both_first, Sometimes),
        finals("2+2W+mb", writes(&[MB]), &[], both_first, Never),
    ]
}

/// Three tasks: WRC, ISA2, Z6.0.
fn more_tasks() -> Vec<Litmus> {
    const WRC: &[(usize, usize, u64)] = &[(1, 0, 1), (2, 0, 1), (2, 1, 0)];
    vec![
        reads("WRC", vec![vec![w(X, 1)], vec![r(X), w(Y, 1)], vec![r(Y), r(X)]], WRC, Sometimes),
        reads(
            "WRC+release+rmb",
            vec![vec![w(X, 1)], vec![r(X), release(Y, 1)], vec![r(Y), RMB, r(X)]],
            WRC,
            Never,
        ),
        reads(
            "ISA2",
            vec![vec![w(X, 1), w(Y, 1)], vec![r(Y), w(Z, 1)], vec![r(Z), r(X)]],
            WRC,
            Sometimes,
        ),
        reads(
            "ISA2+release+acquire",
            vec![
                vec![w(X, 1), release(Y, 1)],
                vec![acquire(Y), release(Z, 1)],
                vec![acquire(Z), r(X)],
            ],
            WRC,
            Never,
        ),
        finals(
            "Z6.0+release+acquire+mb",
            vec![
                vec![w(X, 1), release(Y, 1)],
                vec![acquire(Y), release(Z, 1)],
                vec![w(Z, 2), MB, r(X)],
            ],
            &[(1, 0, 1), (2, 0, 0)],
            &[(Z, 2)],
            Sometimes,
        ),
    ]
}

/// Four tasks: IRIW, and a way back into a task.
fn four_tasks() -> Vec<Litmus> {
    const IRIW: &[(usize, usize, u64)] = &[(1, 0, 1), (1, 1, 0), (3, 0, 1), (3, 1, 0)];
    const BACK: &[(usize, usize, u64)] = &[(0, 0, 1), (0, 1, 1), (0, 2, 0), (3, 0, 1)];
    let iriw = |between: &[Instr]| {
        vec![
            vec![w(X, 1)],
            [&[r(X)], between, &[r(Y)]].concat(),
            vec![w(Y, 1)],
            [&[r(Y)], between, &[r(X)]].concat(),
        ]
    };
    let control = Barrier(Fence::Control);
    let back = |barrier: Instr| {
        vec![
            vec![r(Z), control, w(Y, 1), acquire(A), r(X)],
            vec![w(X, 1), release(Z, 1)],
            vec![w(Y, 2), barrier, w(B, 1)],
            vec![r(B), control, w(A, 1)],
        ]
    };
    vec![
        // The first task's first read happens after its last, to which x has not propagated, and
        // before its write, by a dependency. That is overwritten before a full barrier, from where
        // reads and a dependency lead to the last read: a cycle of propagates-before. A write
        // barrier makes no such step.
        finals("back into a task by a full barrier", back(MB), BACK, &[(Y, 2)], Never),
        finals("back into a task by a write barrier", back(WMB), BACK, &[(Y, 2)], Sometimes),
        reads("IRIW", iriw(&[]), IRIW, Sometimes),
        reads("IRIW+mb", iriw(&[MB]), IRIW, Never),
        // Acquires do not make tasks agree on the order of writes by others.
        reads(
            "IRIW+acquire",
            vec![
                vec![w(X, 1)],
                vec![acquire(X), acquire(Y)],
                vec![w(Y, 1)],
                vec![acquire(Y), acquire(X)],
            ],
            IRIW,
            Sometimes,
        ),
    ]
}

/// Locks (tools/memory-model/lock.cat). A lock's own read is a read of its task.
fn locks() -> Vec<Litmus> {
    let sils = |after: &[Instr]| {
        vec![
            [&[Lock(0)], after, &[w(X, 1), Unlock(0)]].concat(),
            vec![acquire(X), IsLocked(0), IsLocked(0)],
        ]
    };
    const SILS: &[(usize, usize, u64)] = &[(1, 0, 1), (1, 1, 0), (1, 2, 1)];
    vec![
        reads(
            "MP+polocks",
            vec![
                [vec![w(X, 1)], locked(&[w(Y, 1)])].concat(),
                [locked(&[r(Y)]), vec![r(X)]].concat(),
            ],
            &[(1, 1, 1), (1, 2, 0)],
            Never,
        ),
        reads(
            "MP+porevlocks",
            vec![
                [vec![r(Y)], locked(&[r(X)])].concat(),
                [locked(&[w(X, 1)]), vec![w(Y, 1)]].concat(),
            ],
            &[(0, 0, 1), (0, 2, 0)],
            Never,
        ),
        reads(
            "MP+unlock-lock+rmb",
            vec![
                [locked_by(0, &[w(X, 1)]), locked_by(1, &[w(Y, 1)])].concat(),
                vec![r(Y), RMB, r(X)],
            ],
            &[(1, 0, 1), (1, 1, 0)],
            Never,
        ),
        reads("MP+lock+is-locked", sils(&[]), SILS, Sometimes),
        reads("MP+lock-mb+is-locked", sils(&[Barrier(Fence::AfterLock)]), SILS, Never),
    ]
}

/// A lock that is handed over, and others look on.
fn handed_over_locks() -> Vec<Litmus> {
    let handed = |second: &[Instr], third: Vec<Instr>| {
        vec![locked(&[w(X, 1), w(Y, 1)]), [second, &[Unlock(0)]].concat(), third]
    };
    vec![
        reads(
            "ISA2+lock+lock+mb",
            handed(&[Lock(0), r(Y), w(Z, 1)], vec![r(Z), MB, r(X)]),
            &[(1, 1, 1), (2, 0, 1), (2, 1, 0)],
            Never,
        ),
        finals(
            "Z6.0+lock+lock+mb",
            handed(&[Lock(0), r(Y), w(Z, 1)], vec![w(Z, 2), MB, r(X)]),
            &[(1, 1, 1), (2, 0, 0)],
            &[(Z, 2)],
            Sometimes,
        ),
        finals(
            "Z6.0+lock+Lock+mb",
            handed(&[Lock(0), Barrier(Fence::AfterLock), r(Y), w(Z, 1)], vec![w(Z, 2), MB, r(X)]),
            &[(1, 1, 1), (2, 0, 0)],
            &[(Z, 2)],
            Never,
        ),
        // What the barrier after unlock and lock is for: the same, made a full barrier.
        finals(
            "Z6.0+lock+lock-after-unlock-lock+mb",
            handed(
                &[Lock(0), Barrier(Fence::AfterUnlockLock), r(Y), w(Z, 1)],
                vec![w(Z, 2), MB, r(X)],
            ),
            &[(1, 1, 1), (2, 0, 0)],
            &[(Z, 2)],
            Never,
        ),
        // A barrier for atomics makes no full barrier of a lock: that is no update.
        reads(
            "SB+before-atomic-lock",
            vec![
                [vec![w(X, 1), Barrier(Fence::BeforeAtomic)], locked(&[r(Y)])].concat(),
                vec![w(Y, 1), MB, r(X)],
            ],
            &[(0, 1, 0), (1, 0, 0)],
            Sometimes,
        ),
        // An unlock and a lock alone are no full barrier.
        reads(
            "SB+unlock-lock",
            vec![
                [locked_by(0, &[w(X, 1)]), locked_by(1, &[r(Y)])].concat(),
                vec![w(Y, 1), MB, r(X)],
            ],
            &[(0, 2, 0), (1, 0, 0)],
            Sometimes,
        ),
    ]
}

/// Updates, and barriers for them.
fn updates() -> Vec<Litmus> {
    let failing = Update(Z, Change::CompareExchange(1, 0), Rmw::Full);
    let taking = Update(Y, Change::CompareExchange(0, 1), Rmw::Full);
    let after = Barrier(Fence::AfterAtomic);
    let sb = |between: &[Instr]| {
        vec![[&[w(X, 1)], between, &[r(Y)]].concat(), [&[w(Y, 1)], between, &[r(X)]].concat()]
    };
    const SB: &[(usize, usize, u64)] = &[(0, 1, 0), (1, 1, 0)];
    const LATE: &[(usize, usize, u64)] = &[(0, 0, 0), (1, 0, 1), (1, 1, 0)];
    let add = |strength| Update(Z, Change::Add(1), strength);
    vec![
        reads(
            "inc-after-atomic+rmb",
            vec![
                vec![r(X), RMB, r(Y)],
                vec![Update(Y, Change::AddVoid(1), Rmw::Relaxed), after, w(X, 1)],
            ],
            &[(0, 0, 1), (0, 1, 0)],
            Never,
        ),
        // The reader's half of an update that returns nothing is ordered by no read barrier, but
        // an acquire would not do instead of the full barrier above.
        reads(
            "inc+acquire+rmb",
            vec![vec![r(X), RMB, r(Y)], vec![Update(Y, Change::Add(1), Rmw::Acquire), w(X, 1)]],
            &[(0, 0, 1), (0, 1, 0)],
            Sometimes,
        ),
        reads("SB+failed", sb(&[failing]), SB, Sometimes),
        reads("SB+failed-after-atomic", sb(&[failing, after]), SB, Never),
        reads("cmpxchg-late", vec![vec![w(X, 1), taking], vec![taking, r(X)]], LATE, Sometimes),
        reads(
            "cmpxchg-late-after-atomic",
            vec![vec![w(X, 1), taking], vec![taking, after, r(X)]],
            LATE,
            Never,
        ),
        // The release goes on through updates that read from one another ("rmw-sequence" in
        // linux-kernel.cat).
        reads(
            "MP+release+update+acquire",
            vec![
                vec![w(X, 1), release(Y, 1)],
                vec![Update(Y, Change::Add(1), Rmw::Relaxed)],
                vec![acquire(Y), r(X)],
            ],
            &[(1, 0, 1), (2, 0, 2), (2, 1, 0)],
            Never,
        ),
        reads("SB+full", sb(&[add(Rmw::Full)]), SB, Never),
        reads("SB+relaxed", sb(&[add(Rmw::Relaxed)]), SB, Sometimes),
        reads(
            "SB+before-atomic",
            sb(&[Barrier(Fence::BeforeAtomic), add(Rmw::Relaxed)]),
            SB,
            Never,
        ),
    ]
}

/// Grace periods.
fn grace_periods() -> Vec<Litmus> {
    const MP: &[(usize, usize, u64)] = &[(1, 0, 1), (1, 1, 0)];
    let writes = [w(X, 1), w(Y, 1)];
    let reader = section(&[r(Y), r(X)]);
    vec![
        reads("RCU+sync+read", vec![section(&writes), vec![r(X), GracePeriod, r(Y)]], MP, Never),
        reads(
            "RCU+sync+read, no section",
            vec![writes.to_vec(), vec![r(X), GracePeriod, r(Y)]],
            MP,
            Sometimes,
        ),
        // The pointer is 0 for the old object, X; 1 for another. The old object is overwritten when
        // nobody can have the pointer any more.
        reads(
            "RCU+sync+free",
            vec![section(&[r(Y), r(X)]), vec![w(Y, 1), GracePeriod, w(X, 1)]],
            &[(0, 0, 0), (0, 1, 1)],
            Never,
        ),
        // As many grace periods as sections are enough, fewer are not: the rule of thumb of the
        // model's own explanation (tools/memory-model/Documentation/explanation.txt).
        reads(
            "RCU+2 sections+2 grace periods",
            vec![
                section(&[w(X, 1), r(Y)]),
                section(&[w(Y, 1), r(Z)]),
                vec![w(Z, 1), GracePeriod, r(A)],
                vec![w(A, 1), GracePeriod, r(X)],
            ],
            &[(0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0)],
            Never,
        ),
        reads(
            "RCU+2 sections+1 grace period",
            vec![
                section(&[w(X, 1), r(Y)]),
                vec![w(Y, 1), GracePeriod, r(Z)],
                section(&[w(Z, 1), r(X)]),
            ],
            &[(0, 0, 0), (1, 0, 0), (2, 0, 0)],
            Sometimes,
        ),
        reads(
            "RCU+1 section+1 grace period",
            vec![section(&[w(X, 1), r(Y)]), vec![w(Y, 1), GracePeriod, r(X)]],
            &[(0, 0, 0), (1, 0, 0)],
            Never,
        ),
        // A section by itself orders nothing.
        reads("MP+sections", vec![section(&writes), reader], MP, Sometimes),
    ]
}

fn assert_all(tests: Vec<Litmus>) {
    for Litmus { name, program, outcome, verdict } in tests {
        assert_eq!(seen(&program, &outcome, Model::Kernel), verdict, "{name}");
    }
}

#[test]
fn one_word_is_coherent() {
    assert_all(coherence());
}

#[test]
fn two_words_are_ordered_as_in_the_kernels_model() {
    assert_all(two_words());
    assert_all(overwrites());
    assert_all(address_dependencies());
}

#[test]
fn writes_propagate_as_in_the_kernels_model() {
    assert_all(more_tasks());
    assert_all(four_tasks());
}

#[test]
fn locks_order_as_in_the_kernels_model() {
    assert_all(locks());
    assert_all(handed_over_locks());
}

#[test]
fn updates_order_as_in_the_kernels_model() {
    assert_all(updates());
}

#[test]
fn grace_periods_wait_as_in_the_kernels_model() {
    assert_all(grace_periods());
}

#[test]
fn nothing_weak_is_seen_under_sequential_consistency() {
    let tests = [
        coherence(),
        two_words(),
        overwrites(),
        address_dependencies(),
        more_tasks(),
        four_tasks(),
        locks(),
        updates(),
    ];
    for Litmus { name, program, outcome, .. } in tests.into_iter().flatten() {
        assert_eq!(seen(&program, &outcome, Model::Sc), Never, "{name}");
    }
}

/// What is lost by leaving out cycles of program order and reads-from. The kernel's model answers
/// "sometimes" to the first; the others are forbidden by barriers anyway.
#[test]
fn load_buffering_is_not_seen() {
    let lb = |first: Vec<Instr>, second: Vec<Instr>| vec![first, second];
    let both = Outcome { reads: &[(0, 0, 1), (1, 0, 1)], finals: &[] };
    let relaxed = lb(vec![r(X), w(Y, 1)], vec![r(Y), w(X, 1)]);
    assert_eq!(seen(&relaxed, &both, Model::Kernel), Never, "here the engine is blind");
    let ordered = lb(vec![r(X), release(Y, 1)], vec![acquire(Y), w(X, 1)]);
    assert_eq!(seen(&ordered, &both, Model::Kernel), Never);
    let by_locks =
        lb([locked_by(0, &[r(X)]), locked_by(1, &[w(Y, 1)])].concat(), vec![acquire(Y), w(X, 1)]);
    let after_lock = Outcome { reads: &[(0, 1, 1), (1, 0, 1)], finals: &[] };
    assert_eq!(seen(&by_locks, &after_lock, Model::Kernel), Never);
}
