//! Orders to show an execution in, looks at what is newest, and exclusions.
//! `PROPTEST_CASES` sets how many programs of each kind.

use crate::common;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use common::generate::{
    access, barrier, combined_barrier, locked, programs, single, tasks, update,
};
use common::{Instr, Key, Program, body, key};
use graph::{
    At, Does, End, Execution, Keeps, Load, Lock, Model, Next, Rmw, Search, Store, Word, check,
    spawn,
};
use proptest::prelude::*;

/// Does each read see the newest value, and does each write go last?
fn is_interleaving(execution: &Execution<'_>, order: &[graph::Event]) -> bool {
    let mut newest: BTreeMap<usize, Option<At>> = BTreeMap::new();
    let mut written: BTreeMap<usize, usize> = BTreeMap::new();
    order.iter().all(|event| match event.does {
        Does::Read { word, from, .. } => newest.get(&word).copied().flatten() == from,
        Does::Write { word, .. } => {
            newest.insert(word, Some(event.at));
            let place = written.entry(word).or_insert(0);
            *place += 1;
            execution.writes(word).nth(*place - 1) == Some(event.at)
        }
        _ => true,
    })
}

/// Each event once, after the one before it in its task, and after what it reads from.
fn keeps_program_order_and_reads_from(execution: &Execution<'_>, order: &[graph::Event]) -> bool {
    let mut shown: BTreeSet<At> = BTreeSet::new();
    let count: usize = (0..execution.tasks()).map(|task| execution.events(task).len()).sum();
    order.len() == count
        && order.iter().all(|event| {
            let At { task, index } = event.at;
            let before = index == 0 || shown.contains(&At { task, index: index - 1 });
            let from = match event.does {
                Does::Read { from: Some(from), .. } => shown.contains(&from),
                _ => true,
            };
            shown.insert(event.at) && before && from
        })
}

/// The executions under this model; of each, whether there is an interleaving.
fn interleavings(program: &Program, model: Model) -> BTreeMap<Key, bool> {
    let mut found = BTreeMap::new();
    Search::of(model).run(body(program), &mut |_: &End, execution: &Execution<'_>| {
        let best = execution.in_best_order();
        let keeps = best.keeps();
        let order: Vec<graph::Event> = best.events().collect();
        let is_one = keeps == Keeps::Everything;
        assert!(keeps_program_order_and_reads_from(execution, &order));
        assert_eq!(is_one, is_interleaving(execution, &order));
        let added: Vec<graph::Event> = execution.in_order().collect();
        assert_eq!(execution.is_interleaving(), is_interleaving(execution, &added));
        assert!(is_one || !execution.is_interleaving());
        let unmoved = best.unmoved();
        assert_eq!(order[..unmoved], added[..unmoved]);
        assert_eq!(is_one && unmoved == order.len(), execution.is_interleaving());
        found.insert(key(execution), is_one);
        Next::Continue
    });
    found
}

/// The executions of a program whose locks are taken by `lock` and given back by `unlock`.
fn executions(program: &Program, lock: fn(Lock), unlock: fn(Lock)) -> BTreeSet<Key> {
    let program = Rc::new(program.clone());
    let main = move || {
        let words: Rc<Vec<Word>> = Rc::new((0..common::WORDS).map(|_| Word::new(0)).collect());
        let locks: Rc<Vec<Lock>> = Rc::new((0..common::LOCKS).map(|_| Lock::new()).collect());
        let run = |task: usize| {
            let (program, words, locks) = (program.clone(), words.clone(), locks.clone());
            spawn(move || {
                for &instr in &program[task] {
                    match instr {
                        Instr::Lock(l) | Instr::TryLock(l) => lock(locks[l]),
                        Instr::Unlock(l) => unlock(locks[l]),
                        Instr::Read(w, load) => drop(words[w].load(load)),
                        Instr::Write(w, value, store) => words[w].store(value, store),
                        Instr::Barrier(fence) => graph::fence(fence),
                        other => unreachable!("{other:?} is not among the programs"),
                    }
                }
            })
        };
        let tasks: Vec<_> = (0..program.len()).map(run).collect();
        tasks.into_iter().for_each(|task| task.join());
    };
    let mut found = BTreeSet::new();
    Search::default().run(main, &mut |_: &End, execution: &Execution<'_>| {
        assert!(found.insert(key(execution)), "an execution twice");
        Next::Continue
    });
    found
}

proptest! {
    #![proptest_config(programs(300))]

    #[test]
    fn an_execution_is_an_interleaving_if_sequential_consistency_has_it(
        program in tasks(
            prop_oneof![
                3 => single(prop_oneof![3 => access(2), 1 => update(2), 1 => barrier()]),
                1 => locked(access(2), 1, 1),
            ],
            3,
            3..=7,
        ),
    ) {
        let weak = interleavings(&program, Model::Kernel);
        let strong = interleavings(&program, Model::Sc);
        prop_assert!(strong.values().all(|&is_one| is_one));
        let among_weak: Vec<&Key> =
            weak.iter().filter(|(_, is_one)| **is_one).map(|(key, _)| key).collect();
        prop_assert_eq!(among_weak, strong.keys().collect::<Vec<_>>());
    }

    /// An exclusion is an acquire and a release: no barrier that goes with locks goes with it, and
    /// third parties see no order of a lock.
    #[test]
    fn an_exclusion_is_an_update_that_waits_and_a_store(
        program in tasks(
            prop_oneof![
                2 => locked(access(2), 2, 2),
                1 => single(prop_oneof![access(2), combined_barrier(), barrier()]),
            ],
            3,
            4..=9,
        ),
    ) {
        let entered = executions(&program, Lock::enter, Lock::leave);
        let plainly = executions(
            &program,
            |lock| {
                lock.word().wait_update(Rmw::Acquire, |held| (held == 0).then_some(1));
            },
            |lock| lock.word().store(0, Store::Release),
        );
        prop_assert_eq!(entered, plainly);
    }
}

#[test]
fn a_task_that_has_seen_the_end_of_all_others_sees_the_newest_value() {
    // Two writes of different tasks: either may be the last. One of the tasks writes twice.
    let program = || {
        let word = Word::new(7);
        assert_eq!(word.peek(), 7);
        let one = spawn(move || {
            word.store(1, Store::Relaxed);
            word.store(2, Store::Relaxed);
        });
        let other = spawn(move || word.store(3, Store::Relaxed));
        one.join();
        other.join();
        let newest = word.peek();
        check(newest != 1, "coherence");
        // A look is no event; a read comes to the same.
        check(word.load(Load::Relaxed) == newest, "all are over");
    };
    let mut lasts = Vec::new();
    let counts = Search::default().run(program, &mut |_: &End, execution: &Execution<'_>| {
        lasts.push(execution.final_value(0));
        Next::Continue
    });
    lasts.sort_unstable();
    assert_eq!((lasts, counts.failures), (vec![2, 2, 3], 0));
}
