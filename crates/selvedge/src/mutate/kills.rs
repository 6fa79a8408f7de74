//! What `mutate --format json` has written, read again: which mutants each row kills.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::error::Failure;
use crate::output;

/// `selvedge-mutants/1`, as far as it is asked here.
#[derive(Deserialize)]
struct Report {
    schema: String,
    mutants: Vec<Mutant>,
}

#[derive(Deserialize)]
struct Mutant {
    name: String,
    killed_by: Vec<Kill>,
}

#[derive(Deserialize)]
struct Kill {
    row: String,
}

const SCHEMA: &str = "selvedge-mutants/1";

/// The mutants that each row kills, by the row's name.
///
/// # Errors
/// The file cannot be read, or is no such report.
pub fn kills_in(file: &Path) -> Result<BTreeMap<String, Vec<String>>, Failure> {
    let name = file.display();
    let wrong = |what: String| {
        Failure::new(format!(
            "{name}: {what}; expected what `selvedge mutate --format json` writes ({SCHEMA})"
        ))
    };
    let bytes = output::read_file(file)?;
    kills(&bytes).map_err(wrong)
}

fn kills(bytes: &[u8]) -> Result<BTreeMap<String, Vec<String>>, String> {
    let report: Report = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if report.schema != SCHEMA {
        return Err(format!("`schema` is `{}`", report.schema));
    }
    let mut kills: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for mutant in report.mutants {
        for kill in mutant.killed_by {
            kills.entry(kill.row).or_default().push(mutant.name.clone());
        }
    }
    Ok(kills)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_mutants_is_read_by_row() {
        let text = r#"{ "schema": "selvedge-mutants/1", "mutants": [
            { "name": "a::drop", "killed_by": [{ "row": "one", "what": "" }, { "row": "two" }] },
            { "name": "b::drop", "killed_by": [{ "row": "one" }] },
            { "name": "c::drop", "killed_by": [] }] }"#;
        let found = kills(text.as_bytes()).expect("a report");
        assert_eq!(found["one"], ["a::drop", "b::drop"]);
        assert_eq!(found["two"], ["a::drop"]);
        for (wrong, why) in [
            ("{}", "missing field `schema`"),
            ("{\"schema\": \"selvedge-mutants/2\", \"mutants\": []}", "`schema` is"),
            ("no", "expected"),
        ] {
            let said = kills(wrong.as_bytes()).expect_err("it is wrong");
            assert!(said.contains(why), "{said}");
        }
    }
}
