//! `selvedge orders`: which ordering a claim needs, and which one would mend it.

use serde_json::Value;

use crate::cli::{refused, selvedge, stdout};

/// Found by hand once (docs/findings.md), and now by the command.
#[test]
fn orders_names_what_cures_a_claim_that_only_weak_memory_breaks() {
    let row = "migrate_vs_direct_io::v6.12.117";
    let output = selvedge(&["orders", row]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let cure = "smp_rmb() between atomic_read(folio->_refcount) and read(folio->contents) in \
                migrate_folio()";
    assert!(text.contains(cure), "{text}");
    let output = selvedge(&["orders", row, "--format", "json"]);
    let report: Value = serde_json::from_str(&stdout(&output)).expect("one JSON object");
    assert_eq!(report["schema"], "selvedge-orders/1");
    let claim = &report["claims"][0];
    assert_eq!(
        (&claim["verdict"], &claim["violated_under_sc"]),
        (&"violated".into(), &false.into())
    );
    let cures = claim["cures"].as_array().expect("cures");
    // The cheapest first: of the same place an acquire does.
    assert_eq!(cures[0]["cost"], "acquire or release");
    let is_it = |one: &&Value| one["text"] == cure && one["cost"] == "read or write barrier";
    assert!(cures.iter().any(|one| is_it(&one)), "{cures:?}");
    assert_eq!(cures[0]["behind"]["file"], "mm/migrate.c");
}

#[test]
fn orders_says_what_a_claim_needs_and_what_none_of_them_needs() {
    let output = selvedge(&["orders", "two_cpus_try_once::v6.12.117", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let report: Value = serde_json::from_str(&stdout(&output)).expect("one JSON object");
    let claims = report["claims"].as_array().expect("claims");
    let orderings = claims.iter().flat_map(|claim| claim["orderings"].as_array().expect("all"));
    let of = |mutant: &str| {
        let is_it = |one: &&&Value| one["mutant"] == mutant;
        let found: Vec<&Value> = orderings.clone().collect();
        found.iter().find(is_it).map(|one| one["need"].clone())
    };
    // The folio lock is one word: its release is what orders who has it next.
    let given = "folio_unlock::xor_unlock_is_negative_byte(folio->flags)#0::relax";
    assert_eq!(of(given), Some("needed".into()));
    let unneeded = report["trees"][0]["needed_by_none"].as_array().expect("a list");
    assert!(unneeded.iter().all(|one| one["mutant"] != given));
}

#[test]
fn orders_refuses_what_it_cannot_ask_and_names_a_limit() {
    refused(&["orders", "no_such_scenario"], "no row has `no_such_scenario`");
    refused(&["orders", "--tree", "v9.9"], "unknown tree `v9.9`");
    let cut = selvedge(&["orders", "migrate_vs_direct_io::v6.12.117", "--max-executions", "1"]);
    assert_eq!(cut.status.code(), Some(3));
    assert!(stdout(&cut).contains("the limit of 1 executions"), "{}", stdout(&cut));
}
