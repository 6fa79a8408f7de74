//! The order in which the tasks of an execution run, and what two executions have in common.
//! `PROPTEST_CASES` sets how many programs.

use crate::common;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use common::generate::{access, barrier, locked, programs, single, tasks, update};
use common::{Change, Instr, Program};
use graph::{At, Does, End, Execution, Keeps, Lock, Model, Next, Search, Word, spawn};
use proptest::prelude::*;

/// An operation of a task, when it has happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Done {
    task: usize,
    word: usize,
    /// What was read, or written; of an update, what was read.
    value: u64,
    is_stale: bool,
    /// What a write has replaced, if that is not what was written last.
    replaced: Option<u64>,
    /// How many operations had happened then.
    steps: usize,
}

/// What is noted of the run of an execution, and of the run before it.
#[derive(Default)]
struct Noted {
    run: Vec<Done>,
    before: Vec<Done>,
    in_common: usize,
}

type Notes = Rc<RefCell<Noted>>;

fn run(instr: Instr, words: &[Word], locks: &[Lock]) -> Option<(Word, u64)> {
    match instr {
        Instr::Read(w, load) => Some((words[w], words[w].load(load))),
        Instr::Write(w, value, store) => {
            words[w].store(value, store);
            Some((words[w], value))
        }
        Instr::Update(w, Change::CompareExchange(old, new), strength) => {
            let (Ok(seen) | Err(seen)) = words[w].compare_exchange(old, new, strength);
            Some((words[w], seen))
        }
        Instr::Update(w, Change::Swap(n), strength) => Some((words[w], words[w].swap(n, strength))),
        Instr::Update(w, Change::Add(n) | Change::AddVoid(n), strength) => {
            Some((words[w], words[w].fetch_add(n, strength)))
        }
        Instr::Barrier(fence) => {
            graph::fence(fence);
            None
        }
        Instr::Lock(l) | Instr::TryLock(l) => {
            locks[l].lock();
            Some((locks[l].word(), 0))
        }
        Instr::Unlock(l) => {
            locks[l].unlock();
            Some((locks[l].word(), 0))
        }
        other => unreachable!("{other:?} is not among the programs"),
    }
}

/// The program, which notes what it does.
fn noting(program: &Program, notes: &Notes) -> impl Fn() + 'static + use<> {
    let (program, notes) = (Rc::new(program.clone()), notes.clone());
    move || {
        notes.replace_with(|noted| Noted {
            run: Vec::new(),
            before: std::mem::take(&mut noted.run),
            in_common: graph::steps_in_common(),
        });
        let words: Rc<Vec<Word>> = Rc::new((0..common::WORDS).map(|_| Word::new(0)).collect());
        let locks: Rc<Vec<Lock>> = Rc::new((0..common::LOCKS).map(|_| Lock::new()).collect());
        let start = |task: usize| {
            let (program, words, locks) = (program.clone(), words.clone(), locks.clone());
            let notes = notes.clone();
            spawn(move || {
                for &instr in &program[task] {
                    let Some((word, value)) = run(instr, &words, &locks) else { continue };
                    notes.borrow_mut().run.push(Done {
                        task: graph::me(),
                        word: word.number(),
                        value,
                        is_stale: graph::is_stale(),
                        replaced: graph::replaced(),
                        steps: graph::steps_taken(),
                    });
                }
            })
        };
        let tasks: Vec<_> = (0..program.len()).map(start).collect();
        tasks.into_iter().for_each(|task| task.join());
    }
}

/// What a run in the best order notes, but for the numbers of steps.
fn in_best_order(execution: &Execution<'_>) -> Vec<Done> {
    let best = execution.in_best_order();
    let mut places: BTreeMap<At, usize> = BTreeMap::new();
    for word in 0..execution.words() {
        places.extend(execution.writes(word).zip(1..));
    }
    let mut newest = vec![0; execution.words()];
    let mut values = BTreeMap::new();
    let mut last = vec![0; execution.words()];
    let mut read = 0;
    let mut done = Vec::new();
    for event in best.events().filter(|event| !event.is_blocked) {
        let task = event.at.task;
        match event.does {
            Does::Read { value, .. } if event.is_update => read = value,
            Does::Read { word, value, from } => {
                let is_stale = from.map_or(0, |from| places[&from]) < newest[word];
                let replaced = None;
                done.push(Done { task, word, value, is_stale, replaced, steps: 0 });
            }
            Does::Write { word, value } => {
                let place = places[&event.at];
                newest[word] = newest[word].max(place);
                values.insert((word, place), value);
                let before = values.get(&(word, place - 1)).copied().unwrap_or_default();
                let written = std::mem::replace(&mut last[word], value);
                let replaced = (before != written).then_some(before);
                let value = if event.is_update { read } else { value };
                done.push(Done { task, word, value, is_stale: false, replaced, steps: 0 });
            }
            _ => {}
        }
    }
    done
}

fn without_steps(run: &[Done]) -> Vec<Done> {
    run.iter().map(|done| Done { steps: 0, ..*done }).collect()
}

/// Runs the program and looks at each execution. Returns how many there were, how many had
/// something in common with the run before, and of how many no order keeps coherence.
fn look(program: &Program, model: Model) -> (usize, usize, usize) {
    let notes = Notes::default();
    let (mut executions, mut alike, mut incoherent) = (0, 0, 0);
    let mut observer = |_: &End, execution: &Execution<'_>| {
        let Noted { run, before, in_common } = &*notes.borrow();
        assert!(execution.ran_in_best_order());
        assert_eq!(without_steps(run), in_best_order(execution));
        incoherent += usize::from(execution.in_best_order().keeps() == Keeps::ReadsFrom);
        assert!(run.is_sorted_by(|a, b| a.steps < b.steps));
        let known = |run: &[Done]| -> Vec<Done> {
            run.iter().copied().filter(|done| done.steps <= *in_common).collect()
        };
        assert_eq!(known(run), known(before));
        executions += 1;
        alike += usize::from(!known(run).is_empty());
        Next::Continue
    };
    Search { model, ..Search::default() }.run(noting(program, &notes), &mut observer);
    (executions, alike, incoherent)
}

proptest! {
    #![proptest_config(programs(300))]

    #[test]
    fn tasks_run_in_the_order_in_which_an_execution_is_shown(
        program in tasks(
            prop_oneof![
                4 => single(prop_oneof![3 => access(3), 2 => update(2), 1 => barrier()]),
                1 => locked(access(2), 2, 2),
            ],
            3,
            4..=8,
        ),
    ) {
        look(&program, Model::Kernel);
        let (_, _, incoherent) = look(&program, Model::Sc);
        prop_assert_eq!(incoherent, 0);
    }
}

/// Nothing green is empty: most executions begin like the one before, and two writes to each of two
/// words can have no order that keeps coherence.
#[test]
fn executions_begin_alike() {
    use graph::Store::Relaxed;
    let add = Instr::Update(0, Change::Add(1), graph::Rmw::Relaxed);
    let program = vec![vec![Instr::Write(1, 1, Relaxed), add, add], vec![add, add]];
    let (executions, alike, _) = look(&program, Model::Kernel);
    assert_eq!((executions, alike), (6, 5));
    let [a, b] = [[0, 1], [1, 0]].map(|words| {
        words.iter().map(|&word| Instr::Write(word, 1 + word as u64, Relaxed)).collect::<Vec<_>>()
    });
    let (executions, _, incoherent) = look(&vec![a, b], Model::Kernel);
    assert_eq!((executions, incoherent), (4, 1));
}
