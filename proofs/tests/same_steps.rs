//! Trees that need no row of their own take the same steps as one that has it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

use selvedge_explore::{Bounds, Engine, explore};
use selvedge_models::{Kernel, Tree};
use selvedge_proofs::{NotAsked, Run, Scenario, not_asked, rows};
use selvedge_trace::{Execution, Finding, Monitor};

/// So many executions of each are compared. Where two trees part, they do so early: the first
/// execution comes to nearly every line, and the next ones to the other branches.
const COMPARED: u64 = 300;

/// Steps of each execution, in the order in which they are explored, as one number.
#[derive(Clone, Default)]
struct Steps(Arc<Mutex<DefaultHasher>>);

impl Monitor for Steps {
    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        let hash = &mut *self.0.lock().expect("nobody panics with it");
        for event in execution.events {
            let function = execution.paths.innermost(event.path);
            (event.task, event.primitive, function).hash(hash);
            // 6.7 gave the flags of a wait-queue entry other numbers: what is set or cleared counts.
            let (old, new) = match event.name.text {
                "wait.flags" => (0, u64::from(event.old != event.new)),
                _ => (event.old, event.new),
            };
            (event.object, old, new, event.order as u8).hash(hash);
        }
        None
    }

    fn another(&self) -> Box<dyn Monitor> {
        Box::new(self.clone())
    }
}

/// How many executions were compared, and their steps as a number.
fn steps_of(tree: &'static Tree, scenario: &'static Scenario) -> (u64, u64) {
    let steps = Steps::default();
    let body = Arc::new(move || scenario.play(&Run::new(Kernel::new(tree, scenario.machine))));
    let bounds = Bounds { executions_max: COMPARED, as_found: true, ..Bounds::PROOF };
    let seen = explore(Engine::Dpor, &bounds, vec![Box::new(steps.clone())], body);
    let hash = steps.0.lock().expect("nobody panics with it").finish();
    (seen.executions, hash)
}

#[test]
fn a_tree_that_is_not_asked_takes_the_steps_of_one_that_is() {
    let all = not_asked();
    assert!(!all.is_empty());
    for NotAsked { scenario, as_in, trees } in all {
        let is_asked = |tree: &Tree| {
            rows().any(|(claim, _)| {
                claim.scenario.name == scenario.name && claim.tree.name == tree.name
            })
        };
        assert!(is_asked(as_in), "{}: {} is not asked either", scenario.name, as_in.name);
        let expected = steps_of(as_in, scenario);
        for tree in trees {
            let found = steps_of(tree, scenario);
            assert_eq!(found, expected, "{}: {} and {}", scenario.name, tree.name, as_in.name);
        }
    }
}

#[test]
fn trees_that_differ_in_a_step_are_told_apart() {
    let one = not_asked().swap_remove(0);
    let other = selvedge_models::trees::by_name("v6.1").expect("a release");
    assert_ne!(steps_of(one.as_in, one.scenario), steps_of(other, one.scenario));
}
