//! Each monitor finds what it is for, and is silent about the corrected twin.

use selvedge_monitors::{
    LOCKS_HAVE_ONE_ORDER, Ledger, LockOrder, NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO,
    NOBODY_WAITS_FOR_EVER, REFERENCES_BALANCE, WaitGraph,
};
use selvedge_trace::{
    Action, BitWait, Context, End, Event, Execution, Finding, Monitor, Name, Order, PathId, Paths,
    TaskInfo, Waiting,
};

const A: u32 = 0;
const B: u32 = 1;
const GUARD: u32 = 2;

fn event(task: u8, action: Action, object: u32) -> Event {
    Event {
        task,
        cpu: task,
        context: Context::Task,
        path: PathId::ROOT,
        action,
        primitive: "primitive",
        object,
        name: Name::new("object").nth(object as usize),
        order: Order::Relaxed,
        old: 0,
        new: 0,
        stale: false,
    }
}

fn count(task: u8, new: u64) -> Event {
    Event { new, ..event(task, Action::Update, A) }
}

fn tasks() -> Vec<TaskInfo> {
    let info =
        |cpu: u8| TaskInfo { name: format!("task{cpu}"), cpu: Some(cpu), context: Context::Task };
    (0..3).map(info).collect()
}

fn show(monitor: &mut impl Monitor, events: &[Event], end: &End) -> Option<Finding> {
    let (paths, tasks) = (Paths::default(), tasks());
    monitor.execution(&Execution { events, paths: &paths, tasks: &tasks, end })
}

const BATCH: Name = Name::new("batch");

#[test]
fn a_put_without_a_get_is_found_where_it_happens() {
    let put = event(0, Action::Put(BATCH), A);
    let get = event(0, Action::Get(BATCH), A);
    let finding = show(&mut Ledger::default(), &[put], &End::Complete).expect("found");
    assert_eq!((finding.rule, finding.event), (REFERENCES_BALANCE, Some(0)));
    assert_eq!(show(&mut Ledger::default(), &[get, put], &End::Complete), None);
}

#[test]
fn a_leak_names_who_still_holds_it() {
    let get = event(0, Action::Get(BATCH), A);
    let leaked = [get, count(0, 1), count(1, 0)];
    let finding = show(&mut Ledger::default(), &leaked, &End::Complete).expect("found");
    assert_eq!(finding.message, "object[0] is 0, its holders hold 1: batch (1)");
    let handed = [get, count(0, 1), event(0, Action::Hand(BATCH, Name::new("user")), A)];
    assert_eq!(show(&mut Ledger::default(), &handed, &End::Complete), None);
    assert_eq!(show(&mut Ledger::default(), &leaked, &End::Stopped), None, "not at its end");
}

fn nested(task: u8, outer: u32, inner: u32) -> Vec<Event> {
    let (lock, unlock) = (Action::Lock, Action::Unlock);
    [(lock, outer), (lock, inner), (unlock, inner), (unlock, outer)]
        .map(|(action, object)| event(task, action, object))
        .to_vec()
}

fn order_of(executions: &[Vec<Event>]) -> Option<(Finding, String)> {
    let mut monitor = LockOrder::default();
    for events in executions {
        assert_eq!(show(&mut monitor, events, &End::Complete), None);
    }
    monitor.exploration_ended()
}

#[test]
fn a_cycle_of_lock_orders_is_found_though_no_execution_ran_into_it() {
    let (finding, evidence) = order_of(&[nested(0, A, B), nested(1, B, A)]).expect("found");
    assert_eq!(finding.rule, LOCKS_HAVE_ONE_ORDER);
    assert!(evidence.contains("task0 takes object[1] while it holds object[0]"), "{evidence}");
    assert!(evidence.contains("task1 takes object[0] while it holds object[1]"), "{evidence}");
    assert_eq!(order_of(&[nested(0, A, B), nested(1, A, B)]), None, "one order");
    assert_eq!(order_of(&[nested(0, A, B), nested(0, B, A)]), None, "one task");
}

#[test]
fn a_guard_lock_or_a_trylock_makes_a_cycle_harmless() {
    let guarded = |task, outer, inner| {
        let lock = vec![event(task, Action::Lock, GUARD)];
        [lock, nested(task, outer, inner), vec![event(task, Action::Unlock, GUARD)]].concat()
    };
    assert_eq!(order_of(&[guarded(0, A, B), guarded(1, B, A)]), None);
    let tried: Vec<Event> = (nested(1, B, A).into_iter())
        .map(|e| {
            if (e.action, e.object) == (Action::Lock, A) { event(1, Action::TryLock, A) } else { e }
        })
        .collect();
    assert_eq!(order_of(&[nested(0, A, B), tried]), None);
}

fn waits(task: u8, object: u32) -> Waiting {
    let name = Name::new("object").nth(object as usize);
    Waiting { task, primitive: "spin_lock", object, name, path: PathId::ROOT }
}

#[test]
fn a_deadlock_is_explained_by_who_holds_what() {
    let events = [event(0, Action::Lock, A), event(1, Action::Lock, B)];
    let end = End::Deadlock(vec![waits(0, B), waits(1, A)]);
    let finding = show(&mut WaitGraph, &events, &end).expect("found");
    assert_eq!(finding.rule, NOBODY_WAITS_FOR_EVER);
    assert_eq!(
        finding.message,
        "CPU0 task0 waits for object[1], held by CPU1 task1 since the scenario(); \
         CPU1 task1 waits for object[0], held by CPU0 task0 since the scenario()"
    );
    let alone = End::Deadlock(vec![waits(0, B)]);
    let finding = show(&mut WaitGraph, &[], &alone).expect("found");
    assert_eq!(finding.message, "CPU0 task0 waits for object[1], which nobody will give it");
    assert_eq!(show(&mut WaitGraph, &events, &End::Complete), None);
}

const LOCKED: u64 = 1;
const FLAGS: u32 = 3;
const ENTRY: u32 = 10;

/// Steps on the folio's flags, and in the functions that sleep and wake.
struct Folio {
    paths: Paths,
    waits: PathId,
    sleeps: PathId,
    wakes: PathId,
}

impl Folio {
    fn new() -> Folio {
        let mut paths = Paths::default();
        let waits = paths.enter(PathId::ROOT, "folio_wait_bit_common");
        let sleeps = paths.enter(waits, "schedule");
        let wakes = paths.enter(PathId::ROOT, "folio_wake_bit");
        Folio { paths, waits, sleeps, wakes }
    }

    fn change(&self, task: u8, old: u64, new: u64) -> Event {
        Event { old, new, ..event(task, Action::Update, FLAGS) }
    }

    fn awaits(&self, task: u8) -> Event {
        let told_by = [ENTRY + u32::from(task), ENTRY + 10 + u32::from(task)];
        let wait = BitWait { mask: LOCKED, bit: "PG_locked", told_by };
        Event { path: self.waits, ..event(task, Action::Awaits(wait), FLAGS) }
    }

    fn tells(&self, task: u8, sleeper: u8) -> Event {
        let object = ENTRY + u32::from(sleeper);
        Event { path: self.wakes, ..event(task, Action::Write, object) }
    }

    fn hang(&self, events: &[Event], sleepers: &[u8]) -> Finding {
        let sleeper = |&task: &u8| Waiting {
            primitive: "schedule",
            path: self.sleeps,
            ..waits(task, ENTRY + 10 + u32::from(task))
        };
        let end = End::Deadlock(sleepers.iter().map(sleeper).collect());
        let tasks = tasks();
        let execution = Execution { events, paths: &self.paths, tasks: &tasks, end: &end };
        WaitGraph.execution(&execution).expect("found")
    }
}

#[test]
fn a_sleeper_whose_wake_up_went_to_another_is_explained() {
    let f = Folio::new();
    let (lock, unlock) = (f.change(0, 0, LOCKED), f.change(0, LOCKED, 0));
    let events = [lock, f.awaits(1), f.awaits(2), unlock, f.tells(0, 1)];
    let finding = f.hang(&events, &[2]);
    assert_eq!((finding.rule, finding.event), (NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO, Some(3)));
    assert_eq!(
        finding.message,
        "CPU2 task2 sleeps on PG_locked of object[3], which is clear: CPU0 task0 cleared it last \
         and woke CPU1 task1, who did not take it and woke nobody"
    );
    let otherwise = [lock, f.awaits(2), f.awaits(1), unlock, f.tells(0, 1)];
    assert_eq!(f.hang(&otherwise, &[2]).message, finding.message, "the same hang, one finding");
}

#[test]
fn a_sleeper_that_was_not_seen_is_told_from_one_that_was_passed_by() {
    let f = Folio::new();
    let (lock, unlock) = (f.change(0, 0, LOCKED), f.change(0, LOCKED, 0));
    let unseen = f.hang(&[lock, unlock, f.awaits(2)], &[2]);
    assert!(unseen.message.ends_with("saw no mark of a sleeper"), "{}", unseen.message);
    let looks = Event { path: f.wakes, ..event(0, Action::Lock, GUARD) };
    let passed_by = f.hang(&[lock, unlock, looks, f.awaits(2)], &[2]);
    assert!(passed_by.message.ends_with("found nobody to wake"), "{}", passed_by.message);
}

#[test]
fn a_bit_that_is_set_is_held_by_whom_it_was_given_to() {
    let f = Folio::new();
    let owns = event(1, Action::Owns(LOCKED), FLAGS);
    let finding = f.hang(&[f.change(0, 0, LOCKED), owns, f.awaits(2)], &[2]);
    assert_eq!(finding.rule, NOBODY_WAITS_FOR_EVER);
    assert_eq!(
        finding.message,
        "CPU2 task2 sleeps on PG_locked of object[3], set by CPU1 task1 since the scenario()"
    );
}
