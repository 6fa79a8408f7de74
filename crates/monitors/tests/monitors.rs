//! Each monitor finds what it is for, and is silent about the corrected twin.

use crate::common;

use common::{A, B, GUARD, event, show, tasks, waits};
use selvedge_monitors::{
    ENDLESS_LOOPS_END, LOCKS_HAVE_ONE_ORDER, Ledger, LockOrder, NOBODY_WAITS_FOR_EVER,
    PLAIN_ACCESSES_DO_NOT_RACE, REFERENCES_BALANCE, Races, WAITING_MIGRATION_HOLDS_ITS_PAIR,
    WaitGraph, for_rule,
};
use selvedge_trace::{
    Action, Bit, Class, End, Event, Execution, Finding, Monitor, Name, Order, PathId, Paths, Rule,
};

fn count(task: u8, new: u64) -> Event {
    Event { new, ..event(task, Action::Update, A) }
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

/// Each half of a cycle in another process.
#[test]
fn what_a_monitor_has_kept_goes_through_a_file() {
    let kept = |events: Vec<Event>| {
        let mut monitor = LockOrder::default();
        assert_eq!(show(&mut monitor, &events, &End::Complete), None);
        monitor.kept().expect("it keeps something").to_string()
    };
    let mut all = LockOrder::default();
    for half in [kept(nested(0, A, B)), kept(nested(1, B, A))] {
        let mut restored = LockOrder::default();
        assert!(restored.restore(half.parse().expect("JSON")));
        all.take_over(Box::new(restored));
    }
    assert_eq!(all.exploration_ended(), order_of(&[nested(0, A, B), nested(1, B, A)]));
    assert!(!LockOrder::default().restore("[1]".parse().expect("JSON")));
    // Those that keep nothing say so: else nothing that they watch could be shared.
    let of_their_own = [
        PLAIN_ACCESSES_DO_NOT_RACE,
        WAITING_MIGRATION_HOLDS_ITS_PAIR,
        REFERENCES_BALANCE,
        ENDLESS_LOOPS_END,
    ];
    for rule in of_their_own {
        assert!(for_rule(rule).iter().all(|monitor| monitor.kept().is_some()));
    }
}

/// What an object is called says nothing of what it is.
#[test]
fn exclusions_of_a_cpu_are_told_by_their_class() {
    let of = |class, name| {
        let events = [nested(0, A, B), nested(1, B, A)];
        let classed = |e: Event| Event { class, name: Name { text: name, ..e.name }, ..e };
        events.map(|events| events.into_iter().map(classed).collect())
    };
    for class in [Class::Preempt, Class::Irq] {
        assert_eq!(order_of(&of(class, "excludes")), None, "{class:?}");
    }
    assert!(order_of(&of(Class::Lock, "cpu.hotplug.lock")).is_some());
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

const WRITE: Action = Action::PlainWrite;
const READ: Action = Action::PlainRead;

fn ordered(task: u8, action: Action, object: u32, order: Order) -> Event {
    Event { order, ..event(task, action, object) }
}

fn of_task(task: u8, action: Action, other: u64) -> Event {
    Event { new: other, ..event(task, action, u32::MAX) }
}

/// The index of the later side, if there is a race.
fn race(events: &[Event]) -> Option<usize> {
    let finding = show(&mut Races::default(), events, &End::Complete)?;
    assert_eq!(finding.rule, PLAIN_ACCESSES_DO_NOT_RACE);
    finding.event
}

#[test]
fn a_race_is_told_from_both_sides() {
    let mut paths = Paths::default();
    let outer = paths.enter(PathId::ROOT, "migrate_prep");
    let inner = paths.enter(outer, "has_bh_in_lru");
    let install = paths.enter(PathId::ROOT, "bh_lru_install");
    let events = [
        Event { path: install, new: 1, ..event(0, WRITE, A) },
        // However much both do in between: nothing of it is about the other.
        event(0, Action::Lock, B),
        event(0, Action::Unlock, B),
        event(1, Action::Lock, GUARD),
        Event { path: inner, old: 1, new: 1, ..event(1, READ, A) },
    ];
    let execution =
        Execution { events: &events, paths: &paths, tasks: &tasks(), end: &End::Complete };
    let finding = Races::default().execution(&execution).expect("found");
    assert_eq!(finding.event, Some(4));
    assert_eq!(
        finding.message,
        "data race in bh_lru_install / has_bh_in_lru: \
         plain write of object[0] (0 -> 1) by task task0 on CPU0 in bh_lru_install(), step 0; \
         plain read of object[0] (1) by task task1 on CPU1 in migrate_prep() > has_bh_in_lru(), \
         step 4"
    );
}

#[test]
fn a_claim_asks_for_the_race_detector_by_its_rule() {
    let events = [event(0, WRITE, A), event(1, READ, A)];
    let found = |rule: Rule| {
        let mut monitors = for_rule(rule);
        monitors.iter_mut().find_map(|monitor| {
            let (paths, tasks) = (Paths::default(), tasks());
            let end = &End::Complete;
            monitor.execution(&Execution { events: &events, paths: &paths, tasks: &tasks, end })
        })
    };
    let finding = found(PLAIN_ACCESSES_DO_NOT_RACE).expect("asked for");
    assert_eq!(finding.rule, PLAIN_ACCESSES_DO_NOT_RACE);
    assert_eq!(found(REFERENCES_BALANCE), None, "the kernel races on purpose");
}

/// KCSAN leaves both sides alone; `READ_ONCE()` in its place is a side (access-marking.txt).
#[test]
fn a_read_that_is_meant_to_race_is_not_reported() {
    let look = |racy| Event { racy, ..event(1, Action::Read, A) };
    for order in [[0, 1], [1, 0]] {
        let events = |racy| order.map(|at| [event(0, WRITE, A), look(racy)][at]);
        assert_eq!(race(&events(true)), None);
        assert_eq!(race(&events(false)), Some(1));
    }
}

/// Two bit locks in one word: that one engine took all of task 0 first orders nothing, because it
/// could have been the other way round without any step reading another value.
#[test]
fn bits_of_a_word_do_not_order_one_another() {
    let (one, two) = (Bit { nr: 0, name: "one" }, Bit { nr: 1, name: "two" });
    let on = |task, bit: Bit, order| Event {
        bit: Some(bit),
        new: bit.mask(),
        ..ordered(task, Action::Update, B, order)
    };
    let critical = |task, bit, access| {
        let (lock, unlock) = (on(task, bit, Order::Acquire), on(task, bit, Order::Release));
        [lock, event(task, access, A), unlock]
    };
    let both = |bit| race(&[critical(0, one, WRITE), critical(1, bit, READ)].concat());
    assert_eq!(both(one), None);
    assert_eq!(both(two), Some(4));
    // One step that changes the lock's bit and reads another: it releases the lock, and no more.
    let xor = Event { bit: None, old: one.mask() | two.mask(), ..on(0, two, Order::Release) };
    let through = |bit| {
        let lock = on(1, bit, Order::Acquire);
        race(&[on(0, one, Order::Acquire), event(0, WRITE, A), xor, lock, event(1, READ, A)])
    };
    assert_eq!(through(one), None);
    assert_eq!(through(two), Some(4));
}

/// `atomic_inc()` returns nothing: a barrier after it is no acquire of what others released.
#[test]
fn a_void_update_sees_nothing() {
    let see = |step: Event| {
        let full = |task| ordered(task, Action::Fence, u32::MAX, Order::Full);
        let count = event(0, Action::Update, B);
        race(&[event(0, WRITE, A), full(0), count, step, full(1), event(1, READ, A)])
    };
    assert_eq!(see(event(1, Action::Read, B)), None);
    assert_eq!(see(event(1, Action::Update, B)), Some(5));
}

#[test]
fn accesses_race_only_if_one_writes_and_one_is_plain() {
    let marked = [(Action::Read, false), (Action::Write, true), (Action::Update, true)];
    let plain = [(READ, false), (WRITE, true)];
    for (first, writes) in marked.into_iter().chain(plain) {
        for (second, also_writes) in marked.into_iter().chain(plain) {
            let is_plain = |action| matches!(action, READ | WRITE);
            let expected = (writes || also_writes) && (is_plain(first) || is_plain(second));
            let events = |task| [event(0, first, A), event(task, second, A)];
            assert_eq!(race(&events(1)), expected.then_some(1), "{first:?}, {second:?}");
            assert_eq!(race(&events(0)), None, "one task: {first:?}, {second:?}");
        }
    }
}

#[test]
fn locks_wakeups_starts_and_joins_order_plain_accesses() {
    let between =
        |middle: &[Event]| race(&[&[event(0, WRITE, A)], middle, &[event(1, READ, A)]].concat());
    let (lock, unlock) = (Action::Lock, Action::Unlock);
    assert_eq!(between(&[event(0, unlock, B), event(1, lock, B)]), None);
    assert_eq!(between(&[event(0, unlock, B), event(1, Action::TryLock, B)]), None);
    assert_eq!(between(&[event(0, Action::Wake, B), event(1, Action::Wait, B)]), None);
    assert_eq!(between(&[of_task(0, Action::Spawn, 1)]), None);
    assert_eq!(between(&[of_task(1, Action::Join, 0)]), None);
    // Through a third task.
    let relay = [event(0, unlock, B), event(2, lock, B), event(2, unlock, GUARD)];
    assert_eq!(between(&[&relay[..], &[event(1, lock, GUARD)]].concat()), None);

    assert_eq!(between(&[event(0, unlock, B), event(1, lock, GUARD)]), Some(3), "another lock");
    assert_eq!(between(&[event(1, lock, B), event(0, unlock, B)]), Some(3), "taken before");
    assert_eq!(between(&[event(0, unlock, B), event(1, Action::TryLockFailed, B)]), Some(3));
    assert_eq!(between(&[of_task(0, Action::Spawn, 2)]), Some(2), "another task");
    // What is done after the release is not ordered.
    let late = [event(0, unlock, B), event(0, WRITE, A), event(1, lock, B), event(1, READ, A)];
    assert_eq!(race(&late), Some(3));
}

#[test]
fn a_flag_orders_plain_accesses_if_it_releases_and_acquires() {
    use Order::{Acquire, Full, Relaxed, Release};
    let passed = |write: Order, read: Order| {
        let (set, see) = (Action::Write, Action::Read);
        race(&[
            event(0, WRITE, A),
            ordered(0, set, B, write),
            ordered(1, see, B, read),
            event(1, READ, A),
        ])
    };
    assert_eq!(passed(Release, Acquire), None);
    assert_eq!(passed(Relaxed, Acquire), Some(3));
    assert_eq!(passed(Release, Relaxed), Some(3));

    let barriers = |before: Order, after: Order| {
        race(&[
            event(0, WRITE, A),
            ordered(0, Action::Fence, u32::MAX, before),
            event(0, Action::Write, B),
            event(1, Action::Read, B),
            ordered(1, Action::Fence, u32::MAX, after),
            event(1, READ, A),
        ])
    };
    assert_eq!(barriers(Release, Acquire), None);
    assert_eq!(barriers(Full, Full), None);
    assert_eq!(barriers(Acquire, Acquire), Some(5));
    assert_eq!(barriers(Release, Release), Some(5));

    let stale = Event { stale: true, ..ordered(1, Action::Read, B, Acquire) };
    let release = ordered(0, Action::Write, B, Release);
    assert_eq!(race(&[event(0, WRITE, A), release, stale, event(1, READ, A)]), Some(3));
}

/// An update continues what a release store began; a plain or relaxed store begins anew; an update
/// that did not happen acquires nothing.
#[test]
fn updates_pass_on_what_was_released() {
    let through = |middle: Event, last: Event| {
        let release = ordered(0, Action::Write, B, Order::Release);
        race(&[event(0, WRITE, A), release, middle, last, event(1, READ, A)])
    };
    let acquire = ordered(1, Action::Read, B, Order::Acquire);
    assert_eq!(through(event(2, Action::Update, B), acquire), None);
    assert_eq!(through(event(2, Action::Write, B), acquire), Some(4));
    let full = |action| ordered(1, action, B, Order::Full);
    let idle = event(2, Action::Read, B);
    assert_eq!(through(idle, full(Action::Update)), None);
    assert_eq!(through(idle, full(Action::UpdateFailed)), Some(4));
}

/// A number below this one.
type Below<'a> = &'a mut dyn FnMut(usize) -> usize;

/// Executions of such events that begin as the one before did, up to some event, and go on
/// otherwise.
fn that_part(count: usize, any: fn(Below<'_>) -> Event) -> Vec<(usize, Vec<Event>)> {
    let mut state = 1_u64;
    let mut below = |limit: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % limit
    };
    let (mut executions, mut events) = (Vec::new(), Vec::<Event>::new());
    for _ in 0..count {
        let alike = below(events.len() + 1);
        events.truncate(alike);
        for _ in 0..below(12) {
            events.push(any(&mut below));
        }
        executions.push((alike, events.clone()));
    }
    executions
}

/// A step of a lock or a counter, or a note of a reference.
fn booked(below: Below<'_>) -> Event {
    let task = below(3) as u8;
    let object = [A, B, GUARD][below(3)];
    let (old, new) = (below(3) as u64, below(3) as u64);
    let action = match below(10) {
        0 | 1 => Action::Lock,
        2 => Action::TryLock,
        3 | 4 => Action::Unlock,
        5 | 6 => Action::Get(BATCH),
        7 => Action::Put(BATCH),
        8 => Action::Hand(BATCH, Name::new("user")),
        _ => Action::Update,
    };
    let event = Event { old, new, ..event(task, action, object) };
    let name = Name::new("object->freed").nth(0);
    let of_freed = Event { name, action: Action::Write, ..event };
    if below(20) == 0 { of_freed } else { event }
}

/// An access, mostly marked, or something that orders others.
fn ordering(below: Below<'_>) -> Event {
    let task = below(4) as u8;
    let object = [A, B, GUARD, 40][below(4)];
    let order = [Order::Relaxed, Order::Acquire, Order::Release, Order::Full][below(4)];
    let bit = (below(6) == 0).then_some(Bit { name: "PG_locked", nr: below(3) as u32 });
    let (old, new) = (below(3) as u64, below(3) as u64);
    let accesses = [Action::Read, Action::Write, Action::Update, Action::UpdateFailed];
    let action = match below(24) {
        0 => READ,
        1 => WRITE,
        2..=9 => accesses[below(4)],
        10..=13 => Action::Lock,
        14..=17 => Action::Unlock,
        18 => Action::Wake,
        19 => Action::Wait,
        20 => Action::Get(BATCH),
        21 => return of_task(task, Action::Spawn, 4 + below(2) as u64),
        22 => return of_task(task, Action::Join, below(4) as u64),
        _ => Action::Fence,
    };
    Event { old, new, bit, order, ..event(task, action, object) }
}

#[test]
fn who_goes_on_where_two_executions_part_finds_what_he_finds_from_the_beginning() {
    let ledgers: [fn() -> Ledger; 3] =
        [Ledger::default, Ledger::at_every_step, || Ledger::default().kept_by(&["user"])];
    for ledger in ledgers {
        let (mut goes_on, mut found) = (ledger(), [0, 0]);
        for (alike, events) in that_part(4_000, booked) {
            goes_on.begins_alike(alike);
            let finding = show(&mut goes_on, &events, &End::Complete);
            assert_eq!(finding, show(&mut ledger(), &events, &End::Complete));
            found[usize::from(finding.is_some())] += 1;
        }
        assert!(found.iter().all(|&times| times > 100), "{found:?}: both happen");
    }
    let (mut goes_on, mut found) = (Races::default(), [0, 0]);
    for (alike, events) in that_part(8_000, ordering) {
        goes_on.begins_alike(alike);
        let finding = show(&mut goes_on, &events, &End::Complete);
        assert_eq!(finding, show(&mut Races::default(), &events, &End::Complete));
        found[usize::from(finding.is_some())] += 1;
    }
    assert!(found.iter().all(|&times| times > 100), "{found:?}: both happen");
    let (mut goes_on, mut begins) = (LockOrder::default(), LockOrder::default());
    for (alike, events) in that_part(40, booked) {
        goes_on.begins_alike(alike);
        for monitor in [&mut goes_on, &mut begins] {
            assert_eq!(show(monitor, &events, &End::Complete), None);
        }
        assert_eq!(goes_on.kept(), begins.kept());
    }
    assert!(begins.exploration_ended().is_some(), "there is something to be found");
}
