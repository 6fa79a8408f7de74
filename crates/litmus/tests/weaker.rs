//! A check must be able to fail: what a twin forbids is reached when some step of its primitives
//! orders less than it should, or is not one step; and what PREEMPT_RCU makes of the twins.

use std::collections::BTreeSet;

use selvedge_explore::edits::{Edit, How};
use selvedge_explore::{Bounds, Engine, Passed, Sites};
use selvedge_litmus::{Agreement, Setting, Test, judge, observe_in};
use selvedge_trace::{ActionKind, Monitor, Order, Site};

use crate::primitives::tests;

fn agreement(setting: &Setting, test: &Test, monitors: Vec<Box<dyn Monitor>>) -> Agreement {
    // Without a step a loop may not end; what is reached is reached soon.
    let few = Bounds { executions_max: 500, steps_max: 500, ..Bounds::PROOF };
    let how = (Engine::Graph, &few);
    judge(test, &observe_in(setting, test, how, monitors).expect("supported")).agreement
}

/// The sites that executions of the test pass.
fn sites(test: &Test) -> Vec<(Site, Passed)> {
    let sites = Sites::default();
    agreement(&Setting::default(), test, vec![Box::new(sites.clone())]);
    sites.passed().into_iter().collect()
}

/// A barrier or a lock is left out, an order taken away, an update split.
fn faults((site, passed): (Site, Passed)) -> Vec<Edit> {
    let edit = |how| Edit { at: site, how };
    match passed.action {
        ActionKind::Fence => vec![Edit::drop(site)],
        ActionKind::Lock => vec![edit(How::DropPair)],
        ActionKind::Wait => vec![Edit::drop(site)],
        // It is taken on no object.
        ActionKind::Join => vec![Edit::drop(Site { object: None, ..site })],
        ActionKind::Update | ActionKind::UpdateFailed if passed.order == Order::Relaxed => {
            vec![edit(How::Split)]
        }
        ActionKind::Update | ActionKind::UpdateFailed => {
            vec![edit(How::Relax(Order::Relaxed)), edit(How::Split)]
        }
        _ if passed.order != Order::Relaxed => vec![edit(How::Relax(Order::Relaxed))],
        _ => Vec::new(),
    }
}

/// Is the forbidden state reached with one of these faults, with all of one function, or with two?
/// What cannot be done to a step leaves the search undecided, and is no fault.
fn is_reached_by(test: &Test, faults: Vec<Edit>) -> bool {
    let with = |edits: Vec<Edit>| {
        let setting = Setting { edits: edits.leak(), ..Setting::default() };
        agreement(&setting, test, Vec::new())
    };
    let is_reached = |edits| with(edits) == Agreement::FalseAlarm;
    let mut possible = Vec::new();
    for one in faults {
        match with(vec![one]) {
            Agreement::FalseAlarm => return true,
            Agreement::Undecided(_) => {}
            _ => possible.push(one),
        }
    }
    let functions: BTreeSet<_> = possible.iter().map(|one| one.at.function).collect();
    let mut whole = functions.into_iter().map(|function| {
        let of_it = possible.iter().filter(|one| one.at.function == function);
        of_it.map(|one| Edit { at: Site { nth: None, ..one.at }, ..*one }).collect()
    });
    let mut pairs = possible.iter().flat_map(|one| possible.iter().map(|two| vec![*one, *two]));
    whole.any(is_reached) || pairs.any(is_reached)
}

/// What is ordered by the start of a task alone, which no edit takes away. What each forbids is
/// reached in the twin whose name ends in `-before`.
const BY_THEIR_START: [&str; 2] = ["MP+call-rcu", "MP+schedule-work"];

#[test]
fn what_a_twin_forbids_is_reached_when_a_primitive_is_weaker() {
    let forbids = |test: &Test| test.result.as_deref() == Some("Never");
    let never: Vec<Test> = tests().into_iter().map(|(_, test)| test).filter(forbids).collect();
    let is_kept = |test: &&Test| {
        let faults: Vec<Edit> = sites(test).into_iter().flat_map(faults).collect();
        !is_reached_by(test, faults)
    };
    let kept: Vec<&str> = never.iter().filter(is_kept).map(|test| test.name.as_str()).collect();
    assert_eq!(kept, BY_THEIR_START, "of {}", never.len());
}

/// A reader that may be preempted, and one that waits for a grace period on the reader's own CPU,
/// are no other readers.
#[test]
fn the_twins_of_rcu_agree_with_preemptible_readers() {
    let of_readers = |(text, _): &(String, Test)| text.contains("rcu_read_lock()");
    let tests: Vec<_> = tests().into_iter().filter(of_readers).collect();
    assert!(tests.len() > 5);
    for (_, test) in tests {
        let preemptible = Setting { preempt_rcu: true, ..Setting::default() };
        for setting in [preemptible, Setting { one_cpu: true, ..preemptible }] {
            let found = agreement(&setting, &test, Vec::new());
            assert_eq!(found, Agreement::Agrees, "{} {setting:?}", test.name);
        }
    }
}
