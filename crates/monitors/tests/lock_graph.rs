//! Who holds what is not always who took it: bits without an owner, from the events alone.

use crate::common;

use std::sync::{Arc, Mutex};

use common::{event, tasks};
use selvedge_monitors::lock_graph::{
    Guard, Id, LockGraph, Locks, Search, Verdict, dot, joined, judge, splat,
};
use selvedge_trace::{
    Action, Bit, BitWait, Class, Context, End, Event, Execution, Monitor, Name, PathId, Paths, Rule,
};

const LOCKED: Bit = Bit { nr: 0, name: "PG_locked" };
const WRITEBACK: Bit = Bit { nr: 1, name: "PG_writeback" };
const LOCK: u32 = 9;

/// Executions of tasks that lock folios and end their writeback.
struct Program {
    paths: Paths,
    waits: PathId,
    graph: Arc<Mutex<LockGraph>>,
    monitor: Locks,
}

impl Program {
    fn new() -> Program {
        let mut paths = Paths::default();
        let waits = paths.enter(PathId::ROOT, "folio_lock");
        let graph = Arc::default();
        let monitor = Locks::into(&graph);
        Program { paths, waits, graph, monitor }
    }

    fn change(task: u8, folio: u32, bit: Bit, is_set: bool) -> Event {
        let word = |set| if set { bit.mask() } else { 0 };
        Event {
            bit: Some(bit),
            old: word(!is_set),
            new: word(is_set),
            name: Name::new("folio->flags").nth(folio as usize),
            primitive: if is_set { "test_and_set_bit" } else { "clear_bit_unlock" },
            ..event(task, Action::Update, folio)
        }
    }

    /// `folio_lock()`, which did not have to wait.
    fn locks(&self, task: u8, folio: u32) -> Event {
        Event { path: self.waits, ..Program::change(task, folio, LOCKED, true) }
    }

    fn gathered(&self) -> LockGraph {
        self.graph.lock().expect("not poisoned").clone()
    }

    fn runs(&mut self, events: &[Event]) {
        let (tasks, end) = (tasks(), End::Complete);
        let execution = Execution { events, paths: &self.paths, tasks: &tasks, end: &end };
        assert_eq!(self.monitor.execution(&execution), None);
    }

    /// `PG_locked of folio0 -> PG_locked of folio1: task1`, or `tries` of one that only tries.
    fn edges(&self) -> Vec<String> {
        let graph = self.graph.lock().expect("not poisoned");
        let uses = graph.edges.iter().flat_map(|(edge, uses)| uses.iter().map(move |u| (edge, u)));
        uses.map(|((from, to), used)| {
            let verb = if used.tries { "tries" } else { "waits" };
            let (from, to) = (graph.name(*from), graph.name(*to));
            format!("{from} -> {to}: {} {verb}", used.who)
        })
        .filter(|edge| !edge.starts_with("end of"))
        .collect()
    }
}

fn starts(by: u8, task: u8) -> Event {
    Event { new: u64::from(task), ..event(by, Action::Spawn, u32::MAX) }
}

/// A wait is an edge although the lock was free; a try is one that only tries.
#[test]
fn a_wait_that_did_not_have_to_be_is_an_edge() {
    let mut p = Program::new();
    let (first, second) = (p.locks(1, 0), p.locks(1, 1));
    p.runs(&[starts(0, 1), starts(0, 2), first, second]);
    assert_eq!(p.edges(), ["PG_locked of folio0 -> PG_locked of folio1: CPU1 task1 waits"]);
    let tried = Event { path: PathId::ROOT, ..p.locks(2, 0) };
    let (cleared, held) = (Program::change(1, 0, LOCKED, false), p.locks(2, 1));
    p.runs(&[starts(0, 1), starts(0, 2), held, tried, cleared]);
    assert_eq!(p.edges()[1], "PG_locked of folio1 -> PG_locked of folio0: CPU2 task2 tries");
    let graph = p.graph.lock().expect("not poisoned");
    let (cycles, all) = judge(&graph, &Search { executions: 2, cut: None });
    let [one] = &cycles[..] else { panic!("{cycles:?}") };
    let guard = [Guard::TryLock("the scenario".into())].into();
    assert_eq!((&one.verdict, all), (&Verdict::Refuted(guard), true));
}

/// A task tries a lock of which nothing else is known, and does not get it: the edge has a name.
#[test]
fn a_lock_that_is_only_tried_has_a_name() {
    let of_rwsem =
        [Action::TryLockShared, Action::TryLockFailed].map(|a| (a, Class::RwSem, "rwsem"));
    let of_rwlock = (Action::TryLockShared, Class::RwLock, "rwlock");
    for (action, class, kind) in of_rwsem.into_iter().chain([of_rwlock]) {
        let mut p = Program::new();
        let tried = Event { class, ..lock(1, LOCK, "i_mmap_rwsem", action) };
        p.runs(&[starts(0, 1), p.locks(1, 0), tried]);
        assert_eq!(p.edges(), ["PG_locked of folio0 -> i_mmap_rwsem: CPU1 task1 tries"]);
        assert_eq!(p.gathered().resources[&Id::Object(LOCK)].kind.to_string(), kind);
    }
}

/// A reader in an interrupt waits for no reader, but for a writer, who must have interrupts off.
#[test]
fn readers_of_an_rwlock_need_not_turn_interrupts_off() {
    let takes = |action, context| {
        let event = lock(1, LOCK, "tasklist_lock", action);
        Event { class: Class::RwLock, context, ..event }
    };
    let mut p = Program::new();
    let (reads, in_irq) = (Action::LockShared, takes(Action::LockShared, Context::Irq));
    p.runs(&[starts(0, 1), takes(reads, Context::Task)]);
    p.runs(&[starts(0, 1), in_irq]);
    let inverted = |p: &Program| p.gathered().contexts[&Id::Object(LOCK)].inversion().is_some();
    assert!(!inverted(&p));
    p.runs(&[starts(0, 1), takes(Action::Lock, Context::Task)]);
    assert!(inverted(&p), "a writer with interrupts on");
}

/// A bio that nobody has submitted yet is up to who has it; once it was, to the end of the I/O,
/// which that task started.
#[test]
fn a_bit_is_held_by_who_must_clear_it() {
    let mut p = Program::new();
    let set = Program::change(1, 0, WRITEBACK, true);
    let ends = Program::change(2, 0, WRITEBACK, false);
    let (before, after) = (p.locks(1, 1), p.locks(1, 2));
    let unlocks = |folio| Program::change(1, folio, LOCKED, false);
    // Task 2 is the end of the I/O, which task 1 starts between its two waits.
    let in_io = p.locks(2, 3);
    p.runs(&[starts(0, 1), set, before, unlocks(1), starts(1, 2), after, unlocks(2), in_io, ends]);
    assert_eq!(
        p.edges(),
        [
            "PG_writeback of folio0 -> PG_locked of folio1: CPU1 task1 waits",
            "PG_writeback of folio0 -> PG_locked of folio3: CPU2 task2 waits",
        ]
    );
}

/// Who was handed a lock holds it from when the waker took it for him.
#[test]
fn a_lock_that_was_handed_over_is_held_by_whom_it_was_given_to() {
    let mut p = Program::new();
    let given = Event { in_waker: true, ..Program::change(1, 0, LOCKED, true) };
    let owns = event(2, Action::Owns(LOCKED.mask()), 0);
    let (by_waker, by_owner) = (p.locks(1, 1), p.locks(2, 2));
    p.runs(&[starts(0, 1), starts(0, 2), given, owns, by_waker, by_owner]);
    assert_eq!(p.edges(), ["PG_locked of folio0 -> PG_locked of folio2: CPU2 task2 waits"]);
}

/// Executions in which each task takes the same steps are read each, if what somebody else has set
/// is up to a task since another of its steps.
#[test]
fn an_execution_is_like_another_only_if_bits_were_set_at_the_same_steps() {
    let mut p = Program::new();
    let given = Event { in_waker: true, ..Program::change(1, 0, LOCKED, true) };
    let (waits, clears) = (p.locks(2, 1), Program::change(2, 0, LOCKED, false));
    let begins = [starts(0, 1), starts(0, 2)];
    p.runs(&[&begins[..], &[waits, given, clears]].concat());
    assert_eq!(p.edges(), [""; 0], "it holds nothing yet");
    p.runs(&[&begins[..], &[given, waits, clears]].concat());
    assert_eq!(p.edges(), ["PG_locked of folio0 -> PG_locked of folio1: CPU2 task2 waits"]);
    // Likewise, if it is still set at the end, and says whose it is.
    let mut p = Program::new();
    let owns = event(2, Action::Owns(LOCKED.mask()), 0);
    p.runs(&[&begins[..], &[waits, given, owns]].concat());
    assert_eq!(p.edges(), [""; 0]);
    p.runs(&[&begins[..], &[given, waits, owns]].concat());
    assert_eq!(p.edges(), ["PG_locked of folio0 -> PG_locked of folio1: CPU2 task2 waits"]);
}

/// What was passed over before it was known that somebody sleeps on the bit is read again.
#[test]
fn what_is_learned_of_a_bit_is_asked_of_the_executions_before() {
    let mut p = Program::new();
    let wait = BitWait { mask: 4, bit: "PG_other", told_by: [50, 51], if_forgotten: Rule("rule") };
    let sets = |object: u32| Event {
        new: 4,
        name: Name::new("folio->flags").nth(object as usize),
        ..event(1, Action::Update, object)
    };
    let sleeps = event(2, Action::Awaits(wait), 1);
    let sleeps = Event { name: Name::new("folio->flags").nth(1), ..sleeps };
    let begins = [starts(0, 1), starts(0, 2)];
    p.runs(&[&begins[..], &[sets(0), p.locks(1, 2)]].concat());
    assert_eq!(p.edges(), [""; 0], "nobody is known to sleep on it");
    p.runs(&[&begins[..], &[sleeps]].concat());
    p.runs(&[&begins[..], &[sets(0), p.locks(1, 2)]].concat());
    assert_eq!(p.edges(), ["PG_other of folio0 -> PG_locked of folio2: CPU1 task1 waits"]);
}

fn lock(task: u8, object: u32, name: &'static str, action: Action) -> Event {
    Event {
        class: Class::Lock,
        name: Name::new(name),
        primitive: "spin_lock",
        ..event(task, action, object)
    }
}

/// Each scenario has one half of the cycle. A static lock is the same in both.
#[test]
fn halves_of_a_cycle_in_two_scenarios_meet_at_what_is_the_same_in_both() {
    let nested = |outer: (u32, &'static str), inner: (u32, &'static str)| {
        let mut p = Program::new();
        let take = |(object, name)| lock(1, object, name, Action::Lock);
        p.runs(&[starts(0, 1), take(outer), take(inner)]);
        p.gathered()
    };
    let (lru, tree) = ((LOCK, "lru_lock"), (LOCK + 1, "i_pages lock"));
    let (one, other) = (nested(lru, tree), nested(tree, lru));
    let (cycles, classes, all) = joined(&[&one, &other], &[0, 1]);
    let [cycle] = &cycles[..] else { panic!("{cycles:?}") };
    assert_eq!(cycle.cycle, ["lru_lock", "i_pages lock"]);
    let scenarios: Vec<usize> = cycle.uses.iter().map(|(scenario, _)| *scenario).collect();
    assert_eq!((scenarios, classes.len(), all), (vec![0, 1], 1, true));
    let (alike, classes, _) = joined(&[&one, &one], &[0, 1]);
    assert_eq!((alike.len(), classes.len()), (0, 0), "one order");

    // Folio 0 of the one is not folio 0 of the other.
    let folios = |first: u32, second: u32| {
        let mut p = Program::new();
        let (first, second) = (p.locks(1, first), p.locks(1, second));
        p.runs(&[starts(0, 1), first, second]);
        p.gathered()
    };
    let (cycles, classes, _) = joined(&[&folios(0, 1), &folios(1, 0)], &[0, 1]);
    assert_eq!((cycles.len(), classes.len()), (0, 1), "by class only");
    // It is, where both begin in the same state.
    let (cycles, ..) = joined(&[&folios(0, 1), &folios(1, 0)], &[0, 0]);
    let [cycle] = &cycles[..] else { panic!("{cycles:?}") };
    assert_eq!(cycle.cycle, ["PG_locked of folio0", "PG_locked of folio1"]);
}

#[test]
fn a_cycle_is_printed_as_lockdep_prints_it_and_drawn() {
    let mut p = Program::new();
    let unlocks = |task, folio| Program::change(task, folio, LOCKED, false);
    let events = |p: &Program, task, first, second| {
        vec![
            p.locks(task, first),
            p.locks(task, second),
            unlocks(task, second),
            unlocks(task, first),
        ]
    };
    let both =
        [vec![starts(0, 1), starts(0, 2)], events(&p, 1, 0, 1), events(&p, 2, 1, 0)].concat();
    p.runs(&both);
    let graph = p.graph.lock().expect("not poisoned");
    let search = Search { executions: 1, cut: Some("the limit of 1 executions".into()) };
    let (cycles, _) = judge(&graph, &search);
    let [one] = &cycles[..] else { panic!("{cycles:?}") };
    assert_eq!(one.cycle, [Id::Bit(0, 1), Id::Bit(1, 1)]);
    let text = splat(&graph, one, "two_folios in v6.1");
    for line in [
        "WARNING: possible circular locking dependency detected\n",
        "CPU1 task1/1 is trying to acquire lock:\n",
        "but task is already holding lock:\n",
        "which lock already depends on the new lock.\n",
        "the existing dependency chain (in reverse order) is:\n",
        "-> #1 (PG_locked of folio0), waited for by CPU2 task2:\n",
        " Possible unsafe locking scenario:\n",
        " *** DEADLOCK ***\n",
        "possible: the scenario was left after 1 executions, by the limit of 1 executions\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let drawn = dot(&graph, &cycles);
    assert!(drawn.contains("n0 -> n1 [label=\"CPU1 task1: folio_lock()\"];"), "{drawn}");
}
