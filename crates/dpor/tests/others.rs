//! Processes that do one search together come to what each comes to alone: here threads, which give
//! each other nothing but text.

use crate::common;

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use common::{Final, Instr, Memory, Rule, STACK, STEPS_MAX, WORDS, execute};
use dpor::{
    Counts, End, Next, Observer, Others, Search, Searched, Split, Step, Worker, join, spawn,
};

thread_local! {
    /// Every worker runs the program in a memory of its own.
    static MEMORY: Arc<Mutex<Memory>> = Arc::default();
}

/// Three tasks that contend for a word and a lock, with a choice: some thousand executions.
fn play() {
    use Instr::*;
    const SMALL: Rule = Rule::IncrementBelow(2);
    let program = [
        vec![FetchAdd(0, 1), Lock(0), Update(0, SMALL), Unlock(0)],
        vec![Choose, Try(0), Write(0, 5), Read(1)],
        vec![Lock(0), Add(1, 1), Unlock(0), Update(0, SMALL)],
        vec![Write(1, 7), FetchAdd(0, 2)],
    ];
    let memory = MEMORY.with(Arc::clone);
    *memory.lock().unwrap() =
        Memory { words: vec![0; WORDS as usize], logs: vec![Vec::new(); program.len()] };
    let start = |(me, instrs): (usize, Vec<Instr>)| {
        let memory = memory.clone();
        spawn("task", move || instrs.iter().for_each(|&instr| execute(instr, me, &memory)))
    };
    let tasks: Vec<usize> = program.into_iter().enumerate().map(start).collect();
    tasks.into_iter().for_each(join);
}

/// How often each final state was seen; and the first of it that was looked for, ends the search.
#[derive(Clone, Default)]
struct Collect {
    finals: BTreeMap<String, usize>,
    wanted: Option<String>,
}

impl Observer for Collect {
    fn execution_ended(&mut self, end: &End, _: &[Step]) -> Next {
        if *end == End::SleepSetBlocked {
            return Next::Continue;
        }
        let found: Final = MEMORY.with(|memory| {
            let memory = memory.lock().unwrap();
            (matches!(end, End::Deadlock(_)), memory.logs.clone(), memory.words.clone())
        });
        let found = format!("{found:?}");
        let is_wanted = self.wanted.as_ref() == Some(&found);
        *self.finals.entry(found).or_default() += 1;
        if is_wanted { Next::Stop } else { Next::Continue }
    }
}

impl Worker for Collect {
    type Findings = BTreeMap<String, usize>;

    fn submit(&mut self) -> Self::Findings {
        std::mem::take(&mut self.finals)
    }

    fn submit_panic(&mut self, _: Box<dyn Any + Send>) -> Self::Findings {
        unreachable!("nothing panics here")
    }
}

/// What all of them have written, by round and part.
type Written = Arc<Mutex<HashMap<(u64, usize), String>>>;

/// One of several.
#[derive(Clone)]
struct One {
    number: usize,
    of: usize,
    written: Written,
    /// How many parts it has searched, and how many it has taken from others.
    searched: Arc<Mutex<(usize, usize)>>,
    /// It does not wait.
    is_over: bool,
}

impl One {
    fn of(number: usize, of: usize, written: &Written) -> One {
        One { number, of, written: written.clone(), searched: Arc::default(), is_over: false }
    }
}

impl Others<BTreeMap<String, usize>> for One {
    fn is_mine(&self, part: usize) -> bool {
        part % self.of == self.number
    }

    fn get(&mut self, round: u64, part: usize) -> Option<(Searched, BTreeMap<String, usize>)> {
        let written = self.written.lock().unwrap();
        let text = written.get(&(round, part))?;
        self.searched.lock().unwrap().1 += 1;
        Some(serde_json::from_str(text).expect("as it was written"))
    }

    fn put(
        &mut self,
        round: u64,
        part: usize,
        searched: &Searched,
        findings: &BTreeMap<String, usize>,
    ) {
        self.searched.lock().unwrap().0 += 1;
        let text = serde_json::to_string(&(searched, findings)).expect("plain data");
        self.written.lock().unwrap().insert((round, part), text);
    }

    fn is_over(&mut self) -> bool {
        self.is_over
    }
}

const SMALL: Split = Split { alone: 50, parts: 8, executions: 20, grows: false };

/// What was found, in all, and the counts.
type Outcome = (BTreeMap<String, usize>, Counts);

fn search(one: Option<One>, workers: usize, wanted: Option<&str>) -> Outcome {
    let search = Search {
        workers,
        split: SMALL,
        steps_max: STEPS_MAX,
        executions_max: u64::MAX,
        stack: STACK,
        remembers_traces: true,
    };
    let all = Arc::new(Mutex::new(BTreeMap::new()));
    let (into, wanted) = (all.clone(), wanted.map(String::from));
    let worker = move || Collect { wanted: wanted.clone(), ..Collect::default() };
    let others = one.map(|one| Box::new(one) as Box<dyn Others<_>>);
    let counts = search.run_with(others, Arc::new(play), worker, move |seen, _| {
        for (end, times) in seen {
            *into.lock().unwrap().entry(end).or_default() += times;
        }
    });
    let all = all.lock().unwrap().clone();
    (all, counts)
}

/// Each at the same time as the others.
fn together(all: &[One], wanted: Option<&str>) -> Vec<Outcome> {
    std::thread::scope(|scope| {
        let jobs = all.iter().map(|one| scope.spawn(|| search(Some(one.clone()), 2, wanted)));
        let jobs: Vec<_> = jobs.collect();
        jobs.into_iter().map(|job| job.join().expect("searched")).collect()
    })
}

#[test]
fn each_of_three_comes_to_what_one_comes_to_alone() {
    let alone = search(None, 1, None);
    assert!(alone.1.complete && alone.1.executions > 20 * SMALL.alone);
    assert_eq!(alone.1.repeated_traces, 0);
    let written = Written::default();
    let all: Vec<One> = (0..3).map(|number| One::of(number, 3, &written)).collect();
    for found in together(&all, None) {
        assert_eq!(found, alone);
    }
    let parts = written.lock().unwrap().len();
    for one in &all {
        let (searched, taken) = *one.searched.lock().unwrap();
        assert_eq!(searched + taken, parts, "each part once, here or elsewhere");
    }
    // How many is a matter of time.
    assert!(all.iter().any(|one| one.searched.lock().unwrap().1 > 0), "nobody took anything");
}

#[test]
fn what_is_found_first_is_the_same_for_all_of_them() {
    let (all, whole) = search(None, 1, None);
    let rarest = all.iter().min_by_key(|(_, times)| **times).expect("some").0;
    let alone = search(None, 1, Some(rarest));
    assert!(!alone.1.complete && alone.1.executions < whole.executions);
    assert!(alone.1.executions > SMALL.alone, "found before anything was split");
    let written = Written::default();
    let jobs: Vec<One> = (0..4).map(|number| One::of(number, 4, &written)).collect();
    for found in together(&jobs, Some(rarest)) {
        assert_eq!(found, alone);
    }
}

#[test]
fn one_whose_others_never_come_does_it_all() {
    let one = One::of(1, 4, &Written::default());
    assert_eq!(search(Some(one.clone()), 1, None), search(None, 1, None));
    assert_eq!(one.searched.lock().unwrap().1, 0);
}

#[test]
fn a_search_that_is_given_up_is_not_complete_and_the_next_one_goes_on_with_it() {
    let alone = search(None, 1, None);
    let written = Written::default();
    let first = One { is_over: true, ..One::of(1, 2, &written) };
    let (found, counts) = search(Some(first), 1, None);
    assert!(!counts.complete && counts.executions > SMALL.alone);
    assert_eq!(found.values().sum::<usize>() as u64, counts.executions);
    let parts = written.lock().unwrap().len();
    assert!(parts > 0);
    // By another number of them.
    let second = One::of(0, 1, &written);
    assert_eq!(search(Some(second.clone()), 1, None), alone);
    assert_eq!(second.searched.lock().unwrap().1, parts);
}

#[test]
fn what_came_of_another_part_is_not_taken() {
    let written = Written::default();
    let alone = search(Some(One::of(0, 1, &written)), 1, None);
    // As it would be if the program had changed.
    let mut texts = written.lock().unwrap();
    let (first, second) = (texts[&(2, 0)].clone(), texts[&(2, 1)].clone());
    texts.insert((2, 0), second);
    texts.insert((2, 1), first);
    drop(texts);
    let again = One::of(0, 1, &written);
    assert_eq!(search(Some(again.clone()), 1, None), alone);
    assert_eq!(again.searched.lock().unwrap().0, 2, "searched again");
}
