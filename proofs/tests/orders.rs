//! Which ordering a claim needs or lacks, on programs of which the kernel's memory model says so in
//! its own documentation: message passing (MP) and store buffering (SB).

use selvedge_explore::Verdict;
use selvedge_kernel::{
    READ_ONCE, Rule, WRITE_ONCE, atomic_inc, enter, fail, smp_load_acquire, smp_mb, smp_rmb,
    smp_store_release, smp_wmb,
};
use selvedge_models::Machine;
use selvedge_models::trees::V6_12_117;
use selvedge_proofs::mutation::orders::{Cost, Cures, Need, Needs, cures, needs};
use selvedge_proofs::{Bounds, Claim, Engine, Expected, Run, Scenario, Source, cpu};

const RULE: Rule = Rule("who sees the flag sees the data; of two flags somebody sees one");

/// A claim about tasks on CPU0 and CPU1.
fn claim(tasks: [fn(&Run); 2], at_end: fn(&Run), expected: Expected) -> &'static Claim {
    let [first, second] = tasks;
    let tasks = Vec::leak(vec![cpu(0, "first", first), cpu(1, "second", second)]);
    let scenario = Scenario {
        name: "litmus",
        machine: Machine::TINY,
        tasks,
        at_end: Some(at_end),
        ..Scenario::EMPTY
    };
    Box::leak(Box::new(Claim {
        subsystem: "litmus",
        rule: RULE,
        scenario: Box::leak(Box::new(scenario)),
        tree: &V6_12_117,
        engines: &[Engine::Graph],
        expected,
        source: Source::analysis("tools/memory-model/Documentation/recipes.txt"),
        reached: &[],
        by_then: &[],
    }))
}

fn nothing(_: &Run) {}

// Two words of the kernel serve as data and flag.

fn send(run: &Run, barrier: fn()) {
    let _in = enter("send");
    WRITE_ONCE(&run.folios[0].contents, 1);
    barrier();
    WRITE_ONCE(&run.folios[0].generation, 1);
}

fn send_released(run: &Run) {
    let _in = enter("send");
    WRITE_ONCE(&run.folios[0].contents, 1);
    smp_store_release(&run.folios[0].generation, 1);
}

fn receive(run: &Run, barrier: fn()) {
    let _in = enter("receive");
    if READ_ONCE(&run.folios[0].generation) == 1 {
        barrier();
        if READ_ONCE(&run.folios[0].contents) == 0 {
            fail(RULE, "the flag without the data");
        }
    }
}

fn receive_acquired(run: &Run) {
    let _in = enter("receive");
    if smp_load_acquire(&run.folios[0].generation) == 1 && READ_ONCE(&run.folios[0].contents) == 0 {
        fail(RULE, "the flag without the data");
    }
}

/// Store buffering, one side: who sees nothing is counted.
fn raise_and_look(run: &Run, first: bool, barrier: fn()) {
    let _in = enter(if first { "first" } else { "second" });
    let (mine, other) = (&run.folios[0].contents, &run.folios[0].generation);
    let (mine, other) = if first { (mine, other) } else { (other, mine) };
    WRITE_ONCE(mine, 1);
    barrier();
    if READ_ONCE(other) == 0 {
        atomic_inc(&run.count);
    }
}

fn somebody_saw_one(run: &Run) {
    if run.count.peek() == 2 {
        fail(RULE, "neither saw the other's flag");
    }
}

fn no_barrier() {}

/// The orderings by name, with what came of each: `Some`, if it is needed, with what would do.
fn found(needs: &Needs) -> Vec<(String, Option<Option<String>>)> {
    let of = |need: &Need| match need {
        Need::Needed { enough, .. } => Some(enough.clone()),
        Need::NotNeeded => None,
        Need::Undecided(why) => panic!("undecided: {why}"),
    };
    needs.orderings.iter().map(|(one, need)| (one.to_string(), of(need))).collect()
}

fn needs_of(tasks: [fn(&Run); 2], at_end: fn(&Run)) -> Vec<(String, Option<Option<String>>)> {
    let claim = claim(tasks, at_end, Expected::Holds);
    found(&needs(claim, &Bounds::PROOF).expect("it holds"))
}

/// What cures it, with the costs; `None`: no ordering does.
fn cures_of(tasks: [fn(&Run); 2], at_end: fn(&Run)) -> Option<Vec<(Cost, String)>> {
    let claim = claim(tasks, at_end, Expected::Violated);
    match cures(claim, &Bounds::PROOF).expect("it is violated") {
        Cures::None { executions } => {
            assert!(executions >= 2, "one under each model at least");
            None
        }
        Cures::By { cures, undecided, .. } => {
            assert!(undecided.is_empty(), "{undecided:?}");
            Some(cures.iter().map(|cure| (cure.cost, cure.to_string())).collect())
        }
    }
}

#[test]
fn message_passing_needs_its_release_and_its_acquire() {
    let found = needs_of([send_released, receive_acquired], nothing);
    let expected = [
        ("receive(): smp_load_acquire(folio->gen), acquire".to_string(), Some(None)),
        ("send(): smp_store_release(folio->gen), release".to_string(), Some(None)),
    ];
    assert_eq!(found, expected);
}

/// A full barrier orders more than either side has to.
#[test]
fn of_a_full_barrier_it_is_said_what_would_do() {
    let found = needs_of([|k| send(k, smp_mb), |k| receive(k, smp_mb)], nothing);
    let would_do = |what: &str| Some(Some(what.to_string()));
    let expected = [
        ("receive(): smp_mb()".to_string(), would_do("smp_rmb()")),
        ("send(): smp_mb()".to_string(), would_do("smp_wmb()")),
    ];
    assert_eq!(found, expected);
    let found = needs_of([|k| send(k, smp_wmb), |k| receive(k, smp_rmb)], nothing);
    assert!(found.iter().all(|(_, need)| *need == Some(None)), "{found:?}");
}

#[test]
fn store_buffering_needs_both_full_barriers() {
    let sides: [fn(&Run); 2] =
        [|k| raise_and_look(k, true, smp_mb), |k| raise_and_look(k, false, smp_mb)];
    let expected = [
        ("first(): smp_mb()".to_string(), Some(None)),
        ("second(): smp_mb()".to_string(), Some(None)),
    ];
    assert_eq!(needs_of(sides, somebody_saw_one), expected);
}

/// Who looks again under a lock needs no barrier before it: an order that nobody needs is said so.
#[test]
fn an_ordering_that_is_there_twice_is_needed_in_neither_place() {
    let twice: fn(&Run) = |k| {
        let _in = enter("send");
        WRITE_ONCE(&k.folios[0].contents, 1);
        smp_wmb();
        smp_store_release(&k.folios[0].generation, 1);
    };
    let found = needs_of([twice, receive_acquired], nothing);
    let expected = [
        ("receive(): smp_load_acquire(folio->gen), acquire".to_string(), Some(None)),
        ("send(): smp_store_release(folio->gen), release".to_string(), None),
        ("send(): smp_wmb()".to_string(), None),
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_release_that_message_passing_lacks_is_named_and_what_would_do_too() {
    let cures = cures_of([|k| send(k, no_barrier), receive_acquired], nothing);
    let expected = [
        (Cost::OneWay, "WRITE_ONCE(folio->gen) in send() as a release".to_string()),
        (
            Cost::ReadsOrWrites,
            "smp_wmb() between WRITE_ONCE(folio->contents) and WRITE_ONCE(folio->gen) in \
             send()"
                .to_string(),
        ),
    ];
    assert_eq!(cures, Some(expected.to_vec()));
}

#[test]
fn the_side_of_store_buffering_that_lacks_its_barrier_gets_a_full_one() {
    let cures = cures_of(
        [|k| raise_and_look(k, true, smp_mb), |k| raise_and_look(k, false, no_barrier)],
        somebody_saw_one,
    );
    let expected = (
        Cost::Full,
        "smp_mb() between WRITE_ONCE(folio->gen) and READ_ONCE(folio->contents) in second()"
            .to_string(),
    );
    assert_eq!(cures, Some(vec![expected]));
}

#[test]
fn where_two_orderings_are_missing_no_single_one_cures() {
    let both = [
        |k: &Run| raise_and_look(k, true, no_barrier),
        |k: &Run| raise_and_look(k, false, no_barrier),
    ];
    assert_eq!(cures_of(both, somebody_saw_one), Some(Vec::new()));
    let both: [fn(&Run); 2] = [|k| send(k, no_barrier), |k| receive(k, no_barrier)];
    assert_eq!(cures_of(both, nothing), Some(Vec::new()));
}

/// The receiver takes it ill that the flag is not there yet.
#[test]
fn what_breaks_under_sequential_consistency_is_cured_by_no_ordering() {
    let impatient: fn(&Run) = |k| {
        let _in = enter("receive");
        if smp_load_acquire(&k.folios[0].generation) == 0 {
            fail(RULE, "no flag");
        }
    };
    assert_eq!(cures_of([send_released, impatient], nothing), None);
}

/// What is asked of a claim that is otherwise than expected is not answered.
#[test]
fn a_claim_that_is_otherwise_is_told_from_one_that_lacks_nothing() {
    let holds = claim([send_released, receive_acquired], nothing, Expected::Violated);
    assert_eq!(cures(holds, &Bounds::PROOF), Err(Verdict::Holds));
    let broken = claim([|k| send(k, no_barrier), receive_acquired], nothing, Expected::Holds);
    assert_eq!(needs(broken, &Bounds::PROOF).map(|_| ()), Err(Verdict::Violated));
    let few = Bounds { executions_max: 1, ..Bounds::PROOF };
    let broken = needs(holds, &few).map(|_| ());
    assert!(matches!(broken, Err(Verdict::Undecided(_))), "{broken:?}");
}
