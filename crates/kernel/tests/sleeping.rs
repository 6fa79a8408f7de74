//! A task that waits for its wake-up before it looks at its state comes to the same ends as one
//! that looks first: on programs made at random, of sleepers, wakers, signals and timers.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use selvedge_explore::{Bounds, Engine, Exploration, Verdict, explore};
use selvedge_kernel::{
    __set_current_state, Cpus, Name, READ_ONCE, TASK_INTERRUPTIBLE, TASK_KILLABLE, TASK_NORMAL,
    TASK_RUNNING, TASK_UNINTERRUPTIBLE, Task, Var, WRITE_ONCE, interrupt, join, process_timeout,
    schedule, schedule_timeout, send_sigkill, set_current_state, spawn_task, try_to_wake_up,
};
use selvedge_trace::{End, Execution, Finding, Monitor};

/// What the sleeper, or one of those who may wake it, does next.
#[derive(Clone, Copy, Debug)]
enum Does {
    Announce(u64),
    AnnounceWithoutBarrier(u64),
    Sleep,
    SleepForATime,
    /// Sleeps if the word is not set, as a wait for an event does.
    SleepUnlessSet,
    Look,
    Set,
    Wake(u64),
    Kill,
    TimeOut,
}

const SLEEPER: [Does; 11] = [
    Does::Announce(TASK_UNINTERRUPTIBLE),
    Does::Announce(TASK_KILLABLE),
    Does::Announce(TASK_INTERRUPTIBLE),
    Does::AnnounceWithoutBarrier(TASK_UNINTERRUPTIBLE),
    Does::AnnounceWithoutBarrier(TASK_RUNNING),
    Does::Sleep,
    Does::Sleep,
    Does::SleepForATime,
    Does::SleepUnlessSet,
    Does::SleepUnlessSet,
    Does::Look,
];
const OTHERS: [Does; 6] = [
    Does::Set,
    Does::Wake(TASK_NORMAL),
    Does::Wake(TASK_NORMAL),
    Does::Wake(TASK_UNINTERRUPTIBLE),
    Does::Kill,
    Does::TimeOut,
];

#[derive(Clone, Debug)]
struct Program {
    sleeper: Vec<Does>,
    others: [Vec<Does>; 2],
    /// Is the second of the others an interrupt on the sleeper's CPU?
    interrupts: bool,
    preempt_rt: bool,
}

/// Numbers that look random, the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) as usize % n
    }

    fn of(&mut self, all: &[Does], most: usize) -> Vec<Does> {
        (0..=self.below(most)).map(|_| all[self.below(all.len())]).collect()
    }

    fn program(&mut self) -> Program {
        let sleeper = self.of(&SLEEPER, 6);
        let others = [self.of(&OTHERS, 3), self.of(&OTHERS, 2)];
        let (interrupts, preempt_rt) = (self.below(2) == 0, self.below(4) == 0);
        Program { sleeper, others, interrupts, preempt_rt }
    }
}

fn take(does: Does, cpus: &Cpus, task: &Task, word: &Var) {
    match does {
        Does::Announce(state) => set_current_state(task, state),
        Does::AnnounceWithoutBarrier(state) => __set_current_state(task, state),
        Does::Sleep => schedule(cpus, task),
        Does::SleepForATime => schedule_timeout(cpus, task),
        Does::SleepUnlessSet => {
            if READ_ONCE(word) == 0 {
                schedule(cpus, task);
            }
        }
        Does::Look => {
            READ_ONCE(word);
        }
        Does::Set => WRITE_ONCE(word, 1),
        Does::Wake(states) => {
            try_to_wake_up(cpus, task, states);
        }
        Does::Kill => send_sigkill(cpus, task),
        Does::TimeOut => process_timeout(cpus, task),
    }
}

fn play(program: &Program) {
    let cpus = Arc::new(Cpus::new(3, program.preempt_rt));
    let task = Arc::new(Task::new(0));
    let word = Arc::new(Var::new(Name::new("word"), 0));
    let run = |all: &[Does]| {
        let (all, cpus, task, word) = (all.to_vec(), cpus.clone(), task.clone(), word.clone());
        move || all.into_iter().for_each(|does| take(does, &cpus, &task, &word))
    };
    let [first, second] = &program.others;
    let second = match program.interrupts && !program.preempt_rt {
        true => interrupt(&cpus, 0, "interrupt", run(second)),
        false => spawn_task(&cpus, 2, "second", run(second)),
    };
    let tasks = [
        spawn_task(&cpus, 0, "sleeper", run(&program.sleeper)),
        spawn_task(&cpus, 1, "first", run(first)),
        second,
    ];
    tasks.into_iter().for_each(join);
}

/// What each task has seen and done outside of its sleeps, and whether it goes on.
type Ends = BTreeSet<(Vec<Vec<(u32, u64, u64)>>, bool)>;

/// Collects the ends.
struct Collect {
    ends: Arc<Mutex<Ends>>,
    /// Who asks who wrote what is read makes tasks look first.
    looks_first: bool,
}

impl Monitor for Collect {
    fn another(&self) -> Box<dyn Monitor> {
        Box::new(Collect { ends: self.ends.clone(), looks_first: self.looks_first })
    }

    fn asks_who_wrote(&self) -> bool {
        self.looks_first
    }

    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        let mut seen = vec![Vec::new(); execution.tasks.len()];
        for event in execution.events.iter().filter(|event| !event.action.is_note()) {
            let is_sleeper = execution.tasks[usize::from(event.task)].name == "sleeper";
            let nest = execution.paths.functions(event.path);
            if !is_sleeper || !nest.iter().any(|function| function.starts_with("schedule")) {
                seen[usize::from(event.task)].push((event.object, event.old, event.new));
            }
        }
        let is_stuck = matches!(execution.end, End::Deadlock(_));
        self.ends.lock().expect("not poisoned").insert((seen, is_stuck));
        None
    }
}

fn ends_of(looks_first: bool, body: impl Fn() + Send + Sync + 'static) -> (Exploration, Ends) {
    let ends = Arc::default();
    let monitor = Collect { ends: Arc::clone(&ends), looks_first };
    let bounds = Bounds { keep_going: true, as_found: true, ..Bounds::PROOF };
    let seen = explore(Engine::Dpor, &bounds, vec![Box::new(monitor)], Arc::new(body));
    assert!(seen.is_complete(), "{}", seen.verdict);
    let cut = seen.violations.as_ref().and_then(|all| all.cut.as_ref());
    assert_eq!(cut, None, "all executions are looked at");
    let ends = std::mem::take(&mut *ends.lock().expect("not poisoned"));
    (seen, ends)
}

fn executions(seen: &Exploration) -> u64 {
    seen.violations.as_ref().map_or(seen.executions, |violations| violations.executions)
}

#[test]
fn who_waits_first_comes_to_the_same_ends_as_who_looks_first() {
    let mut numbers = Numbers(17);
    let (mut stuck, mut first, mut second) = (0, 0, 0);
    for _ in 0..400 {
        let program = numbers.program();
        let (one, other) = (program.clone(), program.clone());
        let (waits, ends) = ends_of(false, move || play(&one));
        let (looks, expected) = ends_of(true, move || play(&other));
        let lost: Vec<_> = expected.difference(&ends).take(3).collect();
        let new: Vec<_> = ends.difference(&expected).take(3).collect();
        assert!(lost.is_empty() && new.is_empty(), "{program:?}: lost {lost:#?}, new {new:#?}");
        stuck += u32::from(waits.verdict == Verdict::Violated);
        (first, second) = (first + executions(&waits), second + executions(&looks));
    }
    assert!((20..380).contains(&stuck), "{stuck} of 400 programs hang in some execution");
    assert!(first < second, "{first} executions if tasks wait first, {second} if they look first");
}

/// A task that has been woken, and does not announce another sleep, does not sleep.
#[test]
fn a_task_that_runs_does_not_sleep() {
    let program = Program {
        sleeper: vec![Does::Announce(TASK_UNINTERRUPTIBLE), Does::Sleep, Does::Sleep],
        others: [vec![Does::Wake(TASK_NORMAL)], vec![]],
        interrupts: false,
        preempt_rt: false,
    };
    // The wake-up may come before the announcement: then it is lost, and the task sleeps.
    let never_stuck = Program {
        sleeper: vec![Does::Sleep, Does::AnnounceWithoutBarrier(TASK_RUNNING), Does::Sleep],
        ..program.clone()
    };
    let (seen, ends) = ends_of(false, move || play(&program));
    assert_eq!(seen.verdict, Verdict::Violated);
    assert!(ends.iter().any(|(_, is_stuck)| !is_stuck), "woken, it sleeps no more");
    let (seen, _) = ends_of(false, move || play(&never_stuck));
    assert_eq!(seen.verdict, Verdict::Holds);
}
