//! The ledger and the loops without a bound, asked of the models: no function counts without saying
//! for whom, and a lookup spins only where a fault leaves a freed folio in the page cache.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use include_dir::Dir;
use selvedge_explore::{Bounds, Engine, explore};
use selvedge_kernel::edits::Edit;
use selvedge_models::mm::swap::{folio_get, folio_put};
use selvedge_models::trees::{L1, L2, V6_12_117};
use selvedge_models::{Kernel, Machine, PAGE_CACHE, Tree};
use selvedge_monitors::{
    ENDLESS, ENDLESS_LOOPS_END, Ledger, Luck, NOBODY_HOLDS_ON, REFERENCES_BALANCE,
    WHAT_IS_FREED_IS_NOT_TAKEN,
};
use selvedge_proofs::{Claim, Run, Scenario, explore_edited, lock_order, rows};
use selvedge_trace::{End, Execution, Finding, Monitor, Name, Site};

/// So many executions of each scenario show what its functions do.
const FEW: u64 = 100;

/// Its caller has no reference, which is what it is about.
const TAKES_WHAT_IS_FREED: &str = "isolate_without_reference_vs_last_put";

#[test]
fn every_function_of_the_models_that_counts_says_for_whom() {
    let mut asked = 0;
    let is_sound = |scenario: &&Scenario| scenario.name != TAKES_WHAT_IS_FREED;
    for scenario in lock_order::scenarios(&V6_12_117).into_iter().filter(is_sound) {
        let monitors: Vec<Box<dyn Monitor>> = vec![Box::new(Ledger::at_every_step())];
        let kernel = || Kernel::new(&V6_12_117, scenario.machine);
        let body = Arc::new(move || scenario.play(&Run::new(kernel())));
        let bounds =
            Bounds { executions_max: FEW, as_found: true, keep_going: true, ..Bounds::PROOF };
        let seen = explore(Engine::Dpor, &bounds, monitors, body);
        let all = seen.violations.iter().flat_map(|all| &all.distinct);
        let of_ledger = [REFERENCES_BALANCE, WHAT_IS_FREED_IS_NOT_TAKEN];
        let found: Vec<&str> =
            all.filter(|v| of_ledger.contains(&v.rule)).map(|v| v.message.as_str()).collect();
        assert_eq!(found, [""; 0], "{}", scenario.name);
        asked += 1;
    }
    assert!(asked > 50, "{asked} scenarios");
}

fn found(ledger: fn() -> Ledger, task: fn(&Kernel)) -> Option<String> {
    let program = move || {
        let kernel = Kernel::new(&V6_12_117, Machine::TINY);
        selvedge_kernel::join(kernel.task(0, "task", task));
    };
    let monitors: Vec<Box<dyn Monitor>> = vec![Box::new(ledger())];
    let seen = explore(Engine::Dpor, &Bounds::PROOF, monitors, Arc::new(program));
    seen.counterexample.map(|found| found.rule)
}

#[test]
fn each_rule_of_the_ledger_has_a_program_that_breaks_it() {
    const LOOKUP: Name = Name::new("lookup");
    let every = Ledger::at_every_step;
    let counts_in_silence: fn(&Kernel) = |k| {
        selvedge_kernel::atomic_inc(&k.folios[0].refcount);
        selvedge_kernel::atomic_read(&k.folios[0].mapcount);
        selvedge_kernel::atomic_dec(&k.folios[0].refcount);
    };
    assert_eq!(found(every, counts_in_silence).as_deref(), Some(REFERENCES_BALANCE.0));
    assert_eq!(found(Ledger::default, counts_in_silence), None, "the end is as the beginning");
    let takes_what_was_freed: fn(&Kernel) = |k| {
        folio_put(k, &k.folios[0], PAGE_CACHE);
        folio_get(&k.folios[0], LOOKUP);
    };
    assert_eq!(found(every, takes_what_was_freed).as_deref(), Some(WHAT_IS_FREED_IS_NOT_TAKEN.0));
    let kept = || Ledger::default().kept_by(&["page cache"]);
    let forgets_a_put: fn(&Kernel) = |k| folio_get(&k.folios[0], LOOKUP);
    assert_eq!(found(kept, forgets_a_put).as_deref(), Some(NOBODY_HOLDS_ON.0));
    let puts: fn(&Kernel) = |k| {
        folio_get(&k.folios[0], LOOKUP);
        folio_put(k, &k.folios[0], LOOKUP);
    };
    assert_eq!((found(kept, puts), found(every, puts)), (None, None));
}

/// Does the loop of a lookup beside a migration end? Whatever else is broken besides.
fn lookup_ends(edits: &'static [Edit]) -> bool {
    let is_it = |claim: &Claim| {
        claim.scenario.name == "migrate_isolated_vs_lookup" && claim.tree.name == V6_12_117.name
    };
    let (claim, _) = rows().find(|(claim, _)| is_it(claim)).expect("a claim");
    let claim = Claim { rule: ENDLESS_LOOPS_END, ..*claim };
    let bounds = Bounds { keep_going: true, ..Bounds::PROOF };
    let seen = explore_edited((&V6_12_117, edits), &claim, Engine::Dpor, &bounds);
    assert!(seen.is_complete() && seen.idle_edits.is_empty(), "{}", seen.verdict);
    let all = seen.violations.iter().flat_map(|all| &all.distinct);
    all.into_iter().all(|violation| violation.rule != ENDLESS_LOOPS_END)
}

/// A migration that leaves the old folio in the page cache, and frees it.
const LEAVES_THE_SLOT: &[Edit] =
    &[Edit::drop(Site::of("smp_store_release").on("i_pages").within("__folio_migrate_mapping"))];

#[test]
fn a_lookup_spins_only_on_a_freed_folio_in_the_page_cache() {
    assert!(lookup_ends(&[]));
    assert!(!lookup_ends(LEAVES_THE_SLOT));
}

/// A mark that no model makes any more would make the rule hold of anything.
#[test]
fn the_marks_of_endless_loops_are_made() {
    fn texts(dir: &'static Dir<'static>) -> Vec<&'static str> {
        let here = dir.files().filter_map(|file| file.contents_utf8());
        here.chain(dir.dirs().flat_map(texts)).collect()
    }
    let texts = texts(&selvedge_models::SOURCES);
    for endless in ENDLESS {
        let function = format!("enter(\"{}\")", endless.function);
        for wanted in endless.again.iter().copied().chain([function.as_str()]) {
            assert!(texts.iter().any(|text| text.contains(wanted)), "{wanted}");
        }
    }
}

/// Notes what is found in executions in which everybody comes to an end.
struct Notes(Luck, Arc<Mutex<BTreeSet<String>>>);

impl Monitor for Notes {
    fn another(&self) -> Box<dyn Monitor> {
        Box::new(Notes(Luck, self.1.clone()))
    }

    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        if *execution.end == End::Complete {
            let found = self.0.execution(execution).map(|finding| finding.message);
            self.1.lock().expect("no panic").extend(found);
        }
        None
    }
}

/// What it finds that waits for luck, in the first executions of this scenario.
fn ends_by_luck(tree: &'static Tree, scenario: &str) -> BTreeSet<String> {
    let is_it = |claim: &Claim| claim.scenario.name == scenario && claim.tree.name == tree.name;
    let (claim, _) = rows().find(|(claim, _)| is_it(claim)).expect("a claim");
    let scenario = claim.scenario;
    let body = move || scenario.play(&Run::new(Kernel::new(tree, scenario.machine)));
    let bounds = Bounds { keep_going: true, executions_max: 2_000, ..Bounds::PROOF };
    let notes = Arc::default();
    let monitors: Vec<Box<dyn Monitor>> = vec![Box::new(Notes(Luck, Arc::clone(&notes)))];
    explore(Engine::Dpor, &bounds, monitors, Arc::new(body));
    notes.lock().expect("no panic").clone()
}

/// The execution ends well, so that no deadlock tells of it.
#[test]
fn a_lost_wake_up_is_found_although_somebody_comes_by() {
    let found = ends_by_luck(&L2, "killed_waiter_and_stealer");
    let told = "CPU2 plain sleeps on PG_locked of folio0->flags, which is clear: CPU0 stealer \
                cleared it last and woke CPU1 killable, who neither took it nor passed the wake-up \
                on; and goes on only because CPU0 stealer comes by later";
    assert!(found.contains(told), "{found:#?}");
    let given_away = ends_by_luck(&L1, "killed_waiter_and_stealer");
    assert!(given_away.is_empty(), "{given_away:#?}");
}
