//! Everything that is asked of v5.15 is asked of both trees, a test for each row.

use libtest_mimic::{Arguments, Trial};
use own_patch::{LOOKS_UNDER_LOCK_TOO, WAITS_FOR_RCU};
use selvedge_proofs::{Bounds, Expected, Source, Suite, check};

fn main() {
    let args = Arguments::from_args();
    let suite = Suite::of(&[&WAITS_FOR_RCU, &LOOKS_UNDER_LOCK_TOO]).expect(
        "install_vs_prep::looks-under-lock-too",
        Expected::Holds,
        Source::commit("c0226eb8bde8"),
    );
    let rows = suite.rows().unwrap_or_else(|why| panic!("{why}"));
    let trials = rows.into_iter().map(|(claim, engine)| {
        let row = move || Ok(check(claim, engine, &Bounds::PROOF).as_expected()?);
        Trial::test(claim.name(engine), row)
    });
    libtest_mimic::run(&args, trials.collect()).exit()
}
