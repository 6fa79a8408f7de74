//! Random programs.

use proptest::prelude::*;

use super::Instr::{self, *};
use super::{Rule, Until};

/// One in so many of the programs that `PROPTEST_CASES` asks for, or of 120. What fails is not
/// written to a file, and programs that are filtered out do not count.
pub fn one_in(share: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok());
    ProptestConfig {
        cases: cases.unwrap_or(120) / share,
        max_local_rejects: 10_000_000,
        max_global_rejects: 1_000_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// An update loop as one step.
pub fn update() -> impl Strategy<Value = Instr> {
    let rule = prop_oneof![
        (1..4u64).prop_map(Rule::IncrementBelow),
        prop_oneof![Just(1), Just(3), Just(1 << 32)].prop_map(Rule::Flip)
    ];
    (0..2u32, rule).prop_map(|(w, rule)| Update(w, rule))
}

/// A wait for a value.
fn until() -> impl Strategy<Value = Until> {
    prop_oneof![
        (1..3u64).prop_map(Until::Equals),
        (0..3u64).prop_map(Until::Differs),
        prop_oneof![Just(1), Just(2), Just(1 << 32)].prop_map(Until::Clear),
        prop_oneof![Just(1), Just(3), Just(1 << 32)].prop_map(Until::Set),
    ]
}

fn instr() -> impl Strategy<Value = Instr> {
    let w = 0..2u32;
    prop_oneof![
        w.clone().prop_map(Read),
        (w.clone(), any::<bool>()).prop_map(|(w, high)| ReadHalf(w, high)),
        (w.clone(), 1..3u64).prop_map(|(w, v)| Write(w, v)),
        (w.clone(), any::<bool>(), 1..3u64).prop_map(|(w, high, v)| WriteHalf(w, high, v)),
        (w.clone(), prop_oneof![Just(0), Just(1), Just(1 << 32)]).prop_map(|(w, v)| Put(w, v)),
        (w.clone(), any::<bool>(), any::<bool>()).prop_map(|(w, high, set)| Flag(w, high, set)),
        (w.clone(), 1..3u64).prop_map(|(w, v)| Add(w, v)),
        (w.clone(), any::<bool>()).prop_map(|(w, high)| SetBit(w, high)),
        (w.clone(), 1..3u64).prop_map(|(w, v)| FetchAdd(w, v)),
        update(),
        w.clone().prop_map(Try),
        w.clone().prop_map(Wake),
        (w.clone(), any::<bool>()).prop_map(|(t, consume)| Wait(t, consume)),
        (w.clone(), until()).prop_map(|(w, until)| Await(w, until)),
        (w.clone(), until(), 1..3u64).prop_map(|(w, until, v)| AwaitAdd(w, until, v)),
        (w.clone(), w.clone(), any::<bool>())
            .prop_map(|(l, t, consume)| WaitPassing(l, t, consume)),
        Just(Choose),
        (w.clone(), w, 1..3u64).prop_map(|(l, w, v)| PassAndWrite(l, w, v)),
    ]
}

/// How a critical section goes with a second one.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Single,
    Nested,
    HandOverHand,
    Passing,
}

/// A task of at most `parts` parts and `steps` steps, some of them within critical sections, which
/// may nest or overlap.
pub fn task(parts: usize, steps: usize) -> impl Strategy<Value = Vec<Instr>> {
    use Shape::{HandOverHand, Nested, Passing, Single};
    let shape = prop_oneof![Just(Single), Just(Nested), Just(HandOverHand), Just(Passing)];
    let section = (0..2u32, prop::collection::vec(instr(), 0..2), shape);
    let section = section.prop_map(|(l, inner, shape)| {
        let other = 1 - l;
        let alone = matches!(shape, Single | Passing);
        // A task that has a lock must neither take nor try it, and what it passes it may have.
        let is_allowed = |i: &Instr| !matches!(i, Try(t) if *t == l || !alone);
        let inner: Vec<Instr> = inner.into_iter().filter(is_allowed).collect();
        match shape {
            Single => [vec![Lock(l)], inner, vec![Unlock(l)]].concat(),
            Passing => [vec![LockPassing(l, other)], inner, vec![Unlock(l)]].concat(),
            Nested => [vec![Lock(l), Lock(other)], inner, vec![Unlock(other), Unlock(l)]].concat(),
            HandOverHand => {
                [vec![Lock(l), Lock(other), Unlock(l)], inner, vec![Unlock(other)]].concat()
            }
        }
    });
    let part = prop_oneof![3 => instr().prop_map(|i| vec![i]), 2 => section];
    prop::collection::vec(part, 1..=parts).prop_map(move |parts| {
        let max = steps;
        let mut steps = parts.concat();
        // The longest whole prefix that is not too long and leaves no lock taken.
        while steps.len() > max || steps.iter().map(balance).sum::<i32>() != 0 {
            steps.pop();
        }
        steps
    })
}

fn balance(instr: &Instr) -> i32 {
    match instr {
        Lock(_) | LockPassing(..) => 1,
        Unlock(_) => -1,
        _ => 0,
    }
}
