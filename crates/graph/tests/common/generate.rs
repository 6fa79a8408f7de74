//! Random programs, the same in every run.

use graph::{Fence, Load, Rmw, Store};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::{Change, Instr, Program};

/// So many programs of a fixed seed; `PROPTEST_CASES` asks for another number, and
/// `PROPTEST_RNG_SEED` for another seed. What fails is not written to a file.
pub fn programs(cases: u32) -> ProptestConfig {
    let asked = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    ProptestConfig {
        cases: asked("PROPTEST_CASES").map_or(cases, |cases: u64| cases as u32),
        rng_seed: RngSeed::Fixed(asked("PROPTEST_RNG_SEED").unwrap_or(1)),
        failure_persistence: None,
        max_local_rejects: 10_000_000,
        max_global_rejects: 10_000_000,
        ..ProptestConfig::default()
    }
}

/// Marked reads and writes.
pub fn access(words: usize) -> impl Strategy<Value = Instr> + Clone {
    let load = prop_oneof![2 => Just(Load::Relaxed), 1 => Just(Load::Acquire)];
    let store = prop_oneof![2 => Just(Store::Relaxed), 1 => Just(Store::Release)];
    prop_oneof![
        (0..words, load).prop_map(|(w, load)| Instr::Read(w, load)),
        (0..words, 1..3u64, store).prop_map(|(w, value, store)| Instr::Write(w, value, store)),
    ]
}

/// Updates of all strengths.
pub fn update(words: usize) -> impl Strategy<Value = Instr> + Clone {
    let strength =
        prop_oneof![Just(Rmw::Relaxed), Just(Rmw::Acquire), Just(Rmw::Release), Just(Rmw::Full)];
    let change = prop_oneof![
        Just(Change::Add(1)),
        Just(Change::Swap(1)),
        (0..2u64).prop_map(|old| Change::CompareExchange(old, 1)),
    ];
    prop_oneof![
        4 => (0..words, change, strength).prop_map(|(w, change, s)| Instr::Update(w, change, s)),
        1 => (0..words).prop_map(|w| Instr::Update(w, Change::AddVoid(1), Rmw::Relaxed)),
    ]
}

/// Barriers for reads and writes.
pub fn barrier() -> impl Strategy<Value = Instr> + Clone {
    prop_oneof![
        3 => Just(Fence::Full),
        1 => Just(Fence::Read),
        1 => Just(Fence::Write),
        1 => Just(Fence::Control),
        1 => Just(Fence::Address),
    ]
    .prop_map(Instr::Barrier)
}

/// Barriers that are strong together with something else.
pub fn combined_barrier() -> impl Strategy<Value = Instr> + Clone {
    prop_oneof![
        Just(Fence::BeforeAtomic),
        Just(Fence::AfterAtomic),
        Just(Fence::AfterLock),
        Just(Fence::AfterUnlockLock),
    ]
    .prop_map(Instr::Barrier)
}

/// Waits for a value.
pub fn wait(words: usize) -> impl Strategy<Value = Instr> + Clone {
    let load = prop_oneof![Just(Load::Relaxed), Just(Load::Acquire)];
    let strength = prop_oneof![Just(Rmw::Relaxed), Just(Rmw::Acquire)];
    prop_oneof![
        (0..words, 0..3u64, load).prop_map(|(w, value, load)| Instr::Wait(w, value, load)),
        (0..words, 1..3u64, strength).prop_map(|(w, value, s)| Instr::WaitUpdate(w, value, s)),
    ]
}

type Part = Vec<Instr>;

/// A critical section around parts of at most `inside` instructions.
pub fn locked(
    instr: impl Strategy<Value = Instr> + Clone,
    locks: usize,
    inside: usize,
) -> impl Strategy<Value = Part> + Clone {
    let body = prop::collection::vec(instr, 0..=inside);
    let take = prop_oneof![3 => Just(true), 1 => Just(false)];
    let gives_back = prop_oneof![15 => Just(true), 1 => Just(false)];
    (0..locks, take, gives_back, body).prop_map(|(lock, waits, gives_back, body)| {
        let take = if waits { Instr::Lock(lock) } else { Instr::TryLock(lock) };
        let end = gives_back.then_some(Instr::Unlock(lock));
        [take].into_iter().chain(body).chain(end).collect()
    })
}

/// A read-side critical section.
pub fn section(instr: impl Strategy<Value = Instr> + Clone) -> impl Strategy<Value = Part> + Clone {
    prop::collection::vec(instr, 1..=2).prop_map(|body| {
        let body = [Instr::SectionBegins].into_iter().chain(body);
        body.chain([Instr::SectionEnds]).collect()
    })
}

pub fn single(instr: impl Strategy<Value = Instr> + Clone) -> impl Strategy<Value = Part> + Clone {
    instr.prop_map(|instr| vec![instr])
}

/// Two to four tasks of at most `parts` parts each, and so many accesses in all.
pub fn tasks(
    part: impl Strategy<Value = Part> + Clone,
    parts: usize,
    accesses: std::ops::RangeInclusive<usize>,
) -> impl Strategy<Value = Program> {
    let task = prop::collection::vec(part, 1..=parts).prop_map(|parts| parts.concat());
    let program = prop::collection::vec(task, 2..=4);
    program.prop_filter("of a size to enumerate", move |program| {
        accesses.contains(&program.iter().flatten().map(|&instr| size(instr)).sum())
    })
}

/// How many reads and writes.
fn size(instr: Instr) -> usize {
    match instr {
        Instr::Barrier(_) | Instr::SectionBegins | Instr::SectionEnds | Instr::GracePeriod => 0,
        Instr::Update(..) | Instr::WaitUpdate(..) | Instr::Lock(_) | Instr::TryLock(_) => 2,
        _ => 1,
    }
}
