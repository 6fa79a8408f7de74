//! The page that links what the gate leaves: the steps, the files, and the verdicts.

use std::fmt::Write;
use std::fs;
use std::path::Path;

/// The reports of `selvedge check`: format and file.
pub const REPORTS: &[(&str, &str)] = &[
    ("junit", "junit.xml"),
    ("ktap", "results.ktap"),
    ("sarif", "selvedge.sarif"),
    ("markdown", "verdicts.md"),
    ("text", "verdicts.txt"),
];

/// The directory of counterexamples.
pub const COUNTEREXAMPLES: &str = "counterexamples";

/// What became of a step.
pub struct Done {
    /// The step.
    pub name: &'static str,
    /// Why it failed.
    pub failure: Option<String>,
    /// How long it took.
    pub seconds: f64,
}

/// The page, in Markdown. Links what is there: a step may have failed before it wrote its files.
pub fn page(done: &[Done], artefacts: &Path) -> String {
    let passed = done.iter().all(|done| done.failure.is_none());
    let mut out = format!("# Gate: {}\n\n", if passed { "passed" } else { "failed" });
    out.push_str("| step | result | seconds |\n|---|---|---|\n");
    // Writing to a string cannot fail; so below.
    for Done { name, failure, seconds } in done {
        let result = if failure.is_some() { "**failed**" } else { "passed" };
        let _ = writeln!(out, "| {name} | {result} | {seconds:.1} |");
    }
    out.push('\n');
    for (_, file) in REPORTS {
        if artefacts.join(file).is_file() {
            let _ = writeln!(out, "- [{file}]({file})");
        }
    }
    if let Ok(entries) = fs::read_dir(artefacts.join(COUNTEREXAMPLES)) {
        let tables = entries.flatten().filter(|entry| is_table(&entry.path())).count();
        let _ = writeln!(out, "- [{COUNTEREXAMPLES}/]({COUNTEREXAMPLES}/): {tables} tables");
    }
    if let Ok(verdicts) = fs::read_to_string(artefacts.join("verdicts.md")) {
        let _ = write!(out, "\n{verdicts}");
    }
    out
}

fn is_table(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "txt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_is_named_and_what_is_missing_is_not_linked() {
        let done = [
            Done { name: "build", failure: None, seconds: 1.0 },
            Done { name: "check", failure: Some("exit status: 1".into()), seconds: 2.0 },
        ];
        let page = page(&done, Path::new("no/such/directory"));
        assert!(page.starts_with("# Gate: failed\n"), "{page}");
        assert!(page.contains("| check | **failed** | 2.0 |"), "{page}");
        assert!(!page.contains("junit.xml"), "{page}");
    }
}
