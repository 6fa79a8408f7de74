//! What an audit of the models against the C asked about single functions: which steps one takes,
//! in which order, in which release. Each would fail if the difference came back, though no claim
//! might notice.

use std::sync::{Arc, Mutex};

use selvedge_explore::{Bounds, Engine, Verdict, explore};
use selvedge_kernel::{Name, clear_bit, join, set_bit};
use selvedge_models::fs::buffer::{__find_get_block, Finder, brelse, try_to_free_buffers};
use selvedge_models::mm::migrate::{Aops, ISOLATION, Migrator, migrate_pages};
use selvedge_models::mm::page_writeback::folio_end_writeback;
use selvedge_models::mm::swap::{folio_activate, folio_add_lru, folio_get, lru_add_drain};
use selvedge_models::trees::{V6_1, V6_6, V6_10, V6_11, V6_12, V6_12_117, V6_15};
use selvedge_models::{BH_DIRTY, BH_LOCK, Kernel, Machine, PG_WRITEBACK, Tree};
use selvedge_trace::{Action, Event, Execution, Finding, Monitor};

/// Each step as `function: primitive object bit`, by the innermost kernel function.
type Steps = Arc<Mutex<Vec<String>>>;

/// Writes down what a task does that is alone.
struct Listen(Steps);

impl Monitor for Listen {
    fn another(&self) -> Box<dyn Monitor> {
        Box::new(Listen(self.0.clone()))
    }

    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        let of_task = execution.events.iter().filter(|event| event.task == 1);
        let steps = of_task.map(|event| step(execution, event)).collect();
        *self.0.lock().expect("not poisoned") = steps;
        None
    }
}

fn step(execution: &Execution<'_>, event: &Event) -> String {
    let function = execution.paths.innermost(event.path).unwrap_or_default();
    let bit = event.bit.map_or("", |bit| bit.name);
    let note = if event.action.is_note() { "note" } else { event.primitive };
    let object = if event.action == Action::Fence { String::new() } else { event.name.to_string() };
    format!("{function}: {note} {object} {bit}").trim_end().to_string()
}

/// The steps of a task that is alone, in a tree.
fn steps(tree: &'static Tree, machine: Machine, task: fn(&Kernel)) -> Vec<String> {
    let heard = Steps::default();
    let body = move || {
        let kernel = Kernel::new(tree, machine);
        join(kernel.task(0, "alone", task));
    };
    let listen: Vec<Box<dyn Monitor>> = vec![Box::new(Listen(heard.clone()))];
    let seen = explore(Engine::Dpor, &Bounds::PROOF, listen, Arc::new(body));
    assert_eq!(seen.verdict, Verdict::Holds, "{}: {:?}", tree.name, seen.counterexample);
    let steps = heard.lock().expect("not poisoned").clone();
    assert!(!steps.is_empty(), "{}", tree.name);
    steps
}

/// The place of the first step that ends so.
fn place(steps: &[String], end: &str) -> usize {
    let found = steps.iter().position(|step| step.ends_with(end));
    found.unwrap_or_else(|| panic!("no {end} in {steps:#?}"))
}

fn has(steps: &[String], part: &str) -> bool {
    steps.iter().any(|step| step.contains(part))
}

/// Up to 6.6 the bit is cleared, then the mark of waiters is looked at, with a barrier between: who
/// queues itself in between is seen, or sees that the bit is clear. Since 6.7 it is one step.
#[test]
fn an_end_of_writeback_looks_for_waiters_behind_a_barrier_until_6_6() {
    let ends = |tree| {
        steps(tree, Machine::TINY.listed(), |k| {
            set_bit(PG_WRITEBACK, &k.folios[0].flags);
            folio_end_writeback(k, &k.folios[0]);
        })
    };
    for tree in [&V6_1, &V6_6] {
        let steps = ends(tree);
        let cleared = place(&steps, "test_and_clear_bit folio0->flags PG_writeback");
        let barrier = place(&steps, "smp_mb__after_atomic");
        let looked = place(&steps, "test_bit folio0->flags PG_waiters");
        assert!(cleared < barrier && barrier < looked, "{}: {steps:#?}", tree.name);
    }
    let steps = ends(&V6_12_117);
    assert!(has(&steps, "xor_unlock_is_negative_byte folio0->flags"), "{steps:#?}");
    assert!(!has(&steps, "smp_mb") && !has(&steps, "PG_waiters"), "{steps:#?}");
}

/// A lookup of a buffer is an access to its folio, whichever way it is found: the second one puts
/// the folio into the activate batch, which has a reference to it.
#[test]
fn who_looks_up_a_buffer_marks_its_folio_accessed() {
    let machine = Machine::TINY.listed().operations();
    for tree in [&V6_1, &V6_12_117] {
        let steps = steps(tree, machine, |k| {
            let look =
                || __find_get_block(k, &k.buffer_heads[0], Name::new("user"), Finder::Atomic);
            // In the page cache, then in the bh_lru.
            assert!(look().is_some() && look().is_some());
        });
        let marked = place(&steps, "folio_mark_accessed: set_bit folio0->flags PG_referenced");
        let activated = steps.iter().rposition(|step| step.starts_with("folio_activate:"));
        assert!(activated.is_some_and(|at| marked < at), "{}: {steps:#?}", tree.name);
    }
}

/// `buffer_busy()`: it has no references, and its I/O is under way, or due.
#[test]
fn a_buffer_that_is_locked_or_dirty_is_not_freed() {
    let machine = Machine::TINY.aops(&[Aops::Buffers]);
    for tree in [&V6_1, &V6_12_117] {
        steps(tree, machine, |k| {
            let (folio, bh) = (&k.folios[0], &k.buffer_heads[0]);
            brelse(Some(bh), Name::new("user of the bh"));
            for busy in [BH_DIRTY, BH_LOCK] {
                set_bit(busy, &bh.b_state);
                assert!(!try_to_free_buffers(k, folio), "{} is set", busy.name);
                clear_bit(busy, &bh.b_state);
            }
            assert!(try_to_free_buffers(k, folio), "nothing keeps it");
        });
    }
}

/// The fold of PG_unevictable and the list: it is cleared first, by an update that returns what was
/// there, and PG_mlocked is read after that.
#[test]
fn a_folio_that_is_added_loses_its_unevictable_mark_first() {
    let machine = Machine::TINY.mlock();
    for tree in [&V6_1, &V6_11, &V6_12_117] {
        let steps = steps(tree, machine, |k| {
            folio_add_lru(k, &k.folios[0]);
            lru_add_drain(k);
        });
        let cleared = place(&steps, "test_and_clear_bit folio0->flags PG_unevictable");
        let looked = place(&steps, "test_bit folio0->flags PG_mlocked");
        assert!(cleared < looked, "{}: {steps:#?}", tree.name);
    }
}

/// What a release asks of a folio for a batch: 6.11 gets it and then clears PG_lru; 6.12 to 6.16
/// clear first; 6.12.117, where that is reverted, looks at PG_lru and gets it.
#[test]
fn a_batch_takes_its_folio_as_the_release_does() {
    let machine = Machine::TINY.listed().operations();
    let order = |tree: &'static Tree| {
        let steps = steps(tree, machine, |k| folio_activate(k, &k.folios[0]));
        let claims = |step: &String| {
            let lru = step.ends_with("folio0->flags PG_lru");
            lru && (step.contains("test_bit") || step.contains("test_and_clear_bit"))
        };
        let claimed = steps.iter().position(claims).expect("a look at PG_lru");
        let got = place(&steps, "atomic_inc folio0->_refcount");
        (steps[claimed].contains("test_and_clear_bit"), claimed < got)
    };
    assert_eq!(order(&V6_10), (false, true));
    assert_eq!(order(&V6_11), (true, false));
    assert_eq!(order(&V6_12), (true, true));
    assert_eq!(order(&V6_15), (true, true));
    assert_eq!(order(&V6_12_117), (false, true));
}

/// A folio that is migrated, mapped and not mlocked.
const MAPPED: Machine =
    Machine::TINY.cpus(1).sleepers(1).passes(1).batch(3).mapped().anon().operations();

fn migrates(k: &Kernel) {
    folio_get(&k.folios[0], ISOLATION);
    migrate_pages(k, &[0], Migrator::SYNC);
}

/// After the move the new folio rests in a batch of this CPU. Up to 6.7 it is drained if the old
/// one was mapped; since 6.8 only if it was mlocked.
#[test]
fn a_move_drains_this_cpu_if_the_folio_was_mapped_until_6_7() {
    let drains = |tree| has(&steps(tree, MAPPED, migrates), "lru_add_drain");
    assert!(drains(&V6_1) && drains(&V6_6));
    assert!(!drains(&V6_10) && !drains(&V6_12_117));
}

/// Since 6.11 `__migrate_folio()` compares the count of an anonymous folio before the copy, and
/// does not turn back after it; until 6.10 it is `folio_migrate_mapping()` that compares it, and
/// the copy comes last.
#[test]
fn the_count_of_an_anonymous_folio_is_not_compared_again_after_the_copy() {
    let compared_in = |tree: &'static Tree| {
        let steps = steps(tree, MAPPED, migrates);
        let copied = steps.iter().position(|step| step.contains("contents"));
        let (before, after) = steps.split_at(copied.expect("it is copied"));
        let compares = |step: &&String| {
            step.contains("atomic_read folio0->_refcount") && step.contains("migrate")
        };
        assert_eq!(after.iter().find(compares), None, "{}", tree.name);
        let last = before.iter().rfind(compares).expect("it is compared");
        last.split_once(':').expect("a function").0.to_string()
    };
    assert_eq!(compared_in(&V6_10), "folio_migrate_mapping");
    for tree in [&V6_11, &V6_12_117, &V6_15] {
        assert!(!compared_in(tree).contains("folio_migrate_mapping"), "{}", tree.name);
    }
}
