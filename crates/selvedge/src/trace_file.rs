//! Counterexamples as files: reading one, and finding the row that it is of.

use std::path::Path;

use selvedge_explore::Engine;
use selvedge_proofs::{Claim, rows};
use selvedge_trace::views::spelled_out;
use selvedge_trace::{Counterexample, from_json};

use crate::error::{Failure, near};
use crate::output;

/// Reads a counterexample.
pub fn read(path: &Path) -> Result<Counterexample, Failure> {
    let name = path.display().to_string();
    let text = output::read_text(path, "a counterexample (selvedge-trace/1)")?;
    from_json(&name, &text).map_err(|error| Failure::new(error.to_string()))
}

/// The row that a counterexample is of.
pub fn row_of(path: &Path, cx: &Counterexample) -> Result<(&'static Claim, Engine), Failure> {
    let found = rows().find(|(claim, engine)| claim.name(*engine) == cx.claim);
    found.ok_or_else(|| {
        let names: Vec<String> = rows().map(|(claim, engine)| claim.name(engine)).collect();
        let hint = match near(&cx.claim, &names).first() {
            Some(near) => format!("the nearest is `{near}`"),
            None => "`selvedge list claims` names all".into(),
        };
        Failure::new(format!(
            "{}: it is of the row `{}`, and there is none of this name here: it is of a tree, a \
             scenario or a rule that this selvedge does not have, or of the kernel's own C, which \
             `selvedge c` runs; {hint}",
            path.display(),
            spelled_out(&cx.claim, &[])
        ))
    })
}
