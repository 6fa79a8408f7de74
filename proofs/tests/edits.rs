//! Edits of a release's steps come to what the mutants of the same faults come to that are written
//! into the models: in each claim about the mutant the same verdict, by as many executions.

use selvedge_explore::{Bounds, Verdict};
use selvedge_kernel::edits::Edit;
use selvedge_models::trees::by_name;
use selvedge_proofs::{explore_edited, explore_in, rows};
use selvedge_trace::Site;

/// A mutant of 6.1, and the same as edits.
const MUTANTS: &[(&str, &[Edit])] = &[
    (
        "v6.1-drain-no-mb-before-read",
        &[Edit::drop(Site::of("smp_mb").within("__lru_add_drain_all").nth(0))],
    ),
    (
        "v6.1-drain-no-mb-after-bump",
        &[Edit::drop(Site::of("smp_mb").within("__lru_add_drain_all").nth(1))],
    ),
    ("v6.1-trylock-relaxed", &[Edit::relax(Site::of("test_and_set_bit_lock").on("PG_locked"))]),
    ("v6.1-unlock-relaxed", &[Edit::relax(Site::of("xor_unlock_is_negative_byte"))]),
    (
        "v6.1-unlock-buffer-no-mb",
        &[Edit::drop(Site::of("smp_mb__after_atomic").within("unlock_buffer"))],
    ),
];

#[test]
fn edits_come_to_what_mutants_come_to() {
    let release = by_name("v6.1").expect("a tree");
    let (mut holds, mut violated) = (0, 0);
    for (name, edits) in MUTANTS {
        let mutant = by_name(name).expect("a mutant");
        for (claim, engine) in rows().filter(|(claim, _)| claim.tree.name == *name) {
            if !engine.is_exhaustive() {
                continue;
            }
            let written = explore_in(mutant, claim, engine, &Bounds::PROOF);
            let edited = explore_edited((release, edits), claim, engine, &Bounds::PROOF);
            assert_eq!(edited.idle_edits, [], "{}", claim.name(engine));
            assert_eq!(
                (&edited.verdict, edited.executions),
                (&written.verdict, written.executions),
                "{}",
                claim.name(engine)
            );
            match edited.verdict {
                Verdict::Violated => violated += 1,
                _ => holds += 1,
            }
        }
    }
    assert!(holds >= 4 && violated >= 6, "{holds} hold, {violated} are violated");
}
