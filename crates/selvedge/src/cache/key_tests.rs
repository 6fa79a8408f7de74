use std::sync::LazyLock;

use selvedge_explore::{Bounds, Engine};
use selvedge_proofs::{check, rows};

use super::*;

/// Of three subsystems each claim under its default engine.
fn all() -> Vec<Selected> {
    let some = ["migrate_pending", "folio_lock", "movable_driver"];
    let is_one =
        |(claim, engine): &Selected| some.contains(&claim.subsystem) && claim.engines[0] == *engine;
    rows().filter(is_one).collect()
}

/// The rows whose keys are others after an edit of one file: the texts that are replaced, and by
/// what.
fn changed_by(file: &str, edit: (&str, &str)) -> Vec<Selected> {
    let mut after = sources();
    let (_, text) = after.iter_mut().find(|(path, _)| path == file).expect("a file");
    assert_eq!(text.matches(edit.0).count(), 1, "{file}: {}", edit.0);
    *text = text.replace(edit.0, edit.1);
    let after = Keys::of_sources(&after).expect("Rust");
    let before = BEFORE.iter();
    let differs = before.filter(|(row, key)| after.of(*row, &Bounds::PROOF) != *key);
    differs.map(|(row, _)| *row).collect()
}

/// The keys as they are. They take a while, and most tests compare with them.
static BEFORE: LazyLock<Vec<(Selected, String)>> = LazyLock::new(|| {
    let keys = Keys::of_sources(&sources()).expect("Rust");
    all().into_iter().map(|row| (row, keys.of(row, &Bounds::PROOF))).collect()
});

fn scenarios(rows: &[Selected]) -> BTreeSet<&'static str> {
    rows.iter().map(|(claim, _)| claim.scenario.name).collect()
}

#[test]
fn a_comment_changes_no_key() {
    let edit = ("/// `lru_add_drain_all()`.", "/// `lru_add_drain_all()`, in other words.");
    assert_eq!(scenarios(&changed_by("models/mm/swap/drain.rs", edit)), BTreeSet::new());
}

#[test]
fn a_function_that_some_trees_have_changes_the_keys_of_those() {
    let edit = (
        "pub fn lru_cache_disable_by_work(k: &Kernel) {\n    let _in = enter(\"lru_cache_disable\");",
        "pub fn lru_cache_disable_by_work(k: &Kernel) {\n    let _in = enter(\"x\");",
    );
    let changed = changed_by("models/mm/swap/drain.rs", edit);
    let has_it = |(claim, _): &Selected| format!("{:?}", claim.tree).contains("_by_work");
    assert!(!changed.is_empty() && changed.iter().all(has_it));
    assert!(changed.len() < all().len() / 4, "{} of {}", changed.len(), all().len());
}

#[test]
fn a_function_of_one_subsystem_changes_no_key_of_another() {
    let edit = ("pub fn putback_movable_page(", "#[inline] pub fn putback_movable_page(");
    let changed = scenarios(&changed_by("models/mm/movable/compact.rs", edit));
    assert!(changed.contains("driver_putback"), "{changed:?}");
    assert!(!changed.contains("install_vs_prep"), "{changed:?}");
}

#[test]
fn a_function_that_scenarios_on_c_share_changes_the_keys_of_those_that_call_it() {
    let edit =
        ("swap::folio_add_lru(k, folio(k, args));", "{ swap::folio_add_lru(k, folio(k, args)) }");
    let changed = changed_by("proofs/functions.rs", edit);
    assert!(scenarios(&changed).contains("add_vs_prep"));
    assert!(changed.len() < all().len() / 4, "{:?}", scenarios(&changed));
}

#[test]
fn names_in_texts_and_of_fields_are_no_functions() {
    let text = r#"Tree { name: "a \"b\" c", swap: Swap { lru_add: adds, n: [Some(2)] }, of: x }"#;
    let expected = [("", "Tree"), ("lru_add", "adds"), ("n", "2"), ("n", "Some"), ("of", "x")];
    let expected = expected.into_iter().chain([("swap", "Swap")]);
    let expected = expected.map(|(field, name)| (field.to_string(), name.to_string())).collect();
    assert_eq!(fields(text), expected);
}

#[test]
fn a_scenario_changes_its_own_keys() {
    let edit = (
        "enables again: the migration is pending when we look.\",\n    tasks: &[",
        "enables again: it is pending when we look.\",\n    tasks: &[",
    );
    let changed = changed_by("proofs/claims/migrate_pending.rs", edit);
    assert!(scenarios(&changed).contains("install_vs_prep"));
    assert!(changed.len() < all().len() / 10, "{:?}", scenarios(&changed));
}

#[test]
fn what_all_rows_come_to_changes_all_keys() {
    let edit = ("(self.setup)(run);", "(self.setup)(run); (self.setup)(run);");
    assert_eq!(changed_by("proofs/scenario.rs", edit).len(), all().len());
    let edit = ("let scenario = claim.scenario;", "let scenario = &*claim.scenario;");
    assert_eq!(changed_by("proofs/check.rs", edit).len(), all().len());
    let edit = ("install(if edits.is_empty()", "install(if !edits.is_empty()");
    assert_eq!(changed_by("models/kernel.rs", edit).len(), all().len());
}

/// Found by names, all that an execution has been in is there.
#[test]
fn the_functions_of_a_counterexample_are_reached() {
    let keys = Keys::new().expect("this command's own");
    let mut looked_at = 0;
    let is_violated = |(claim, engine): &Selected| {
        *engine == Engine::Dpor && claim.expected == selvedge_proofs::Expected::Violated
    };
    // A third, of every subsystem: of all it takes half a minute.
    for (claim, engine) in rows().filter(is_violated).step_by(3) {
        let bounds = Bounds { as_found: true, executions_max: 100, ..Bounds::PROOF };
        let Some(found) = check(claim, engine, &bounds).exploration.counterexample else {
            continue;
        };
        let reached = keys.reached(claim, &keys.of_tree(claim.tree, format!("{:?}", claim.tree)));
        for name in found.steps.iter().flat_map(|step| &step.path).collect::<BTreeSet<_>>() {
            // Those of the kernel's primitives are of a crate that belongs to every key.
            let in_models = |text: &str| text.contains(&format!("enter({name:?}"));
            if sources().iter().any(|(_, text)| in_models(text)) {
                let is_there = keys.items.with_text(&reached, name).next().is_some();
                assert!(is_there, "{name} in {}", claim.name(engine));
                looked_at += 1;
            }
        }
    }
    assert!(looked_at > 100, "{looked_at}");
}

#[test]
fn a_tree_prints_no_address() {
    for (claim, _) in all() {
        let tree = format!("{:?} {:?}", claim.tree, claim.scenario.machine);
        assert!(!tree.contains("0x"), "{tree}");
    }
}
