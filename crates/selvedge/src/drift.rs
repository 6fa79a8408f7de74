//! `selvedge drift`: which of the modelled functions a kernel tree has otherwise than the tree that
//! their fingerprints were taken of, so that somebody holds the models beside them again.

mod compare;
mod fingerprints;
mod kernel_tree;
mod view;

use std::collections::BTreeSet;

use selvedge_models::Tree;
use selvedge_models::functions::FUNCTIONS;
use selvedge_proofs::Claim;

use crate::args::{DriftArgs, Format};
use crate::error::Failure;
use crate::patch::expect_kernel_tree;
use crate::patch::reach::{self, Reach};
use crate::{Outcome, Status, output};

use compare::{Drift, compare};
use fingerprints::Fingerprints;
use kernel_tree::{KernelTree, Release};

/// All that is said of a kernel tree.
pub struct Report {
    /// The release that the tree is of.
    release: Release,
    /// The recorded release that it is compared with, if there is one.
    against: Option<Release>,
    /// Every modelled function.
    functions: Vec<Drift>,
    /// Functions that have fingerprints and are no longer modelled.
    left_over: Vec<String>,
}

/// Compares, or records.
pub fn run(args: &DriftArgs) -> Outcome {
    expect_kernel_tree(&args.kernel)?;
    let tree = KernelTree::open(&args.kernel)?;
    let known = Fingerprints::read(args.fingerprints.as_deref(), args.record)?;
    if args.record {
        return record(&tree, known);
    }
    let report = report(&tree, &known, args)?;
    let text = match args.format {
        Format::Text => view::text(&report),
        Format::Json => view::json(&report),
    };
    output::print(&text)?;
    let any = |is: fn(&Drift) -> bool| report.functions.iter().any(is);
    Ok(match (any(|f| f.status.is_drift()), any(|f| f.status == compare::Status::Unknown)) {
        (true, _) => Status::Drift,
        (false, true) => Status::Undecided,
        (false, false) => Status::AsExpected,
    })
}

/// The names in C of all functions that are modelled.
fn modelled() -> BTreeSet<&'static str> {
    FUNCTIONS.iter().filter(|f| f.is_modelled()).map(|f| f.name).collect()
}

fn record(tree: &KernelTree, mut known: Fingerprints) -> Outcome {
    let found = compare::defined(tree, &modelled());
    let (defined, names) = (found.len(), modelled());
    known.replace(tree.release(), &names, &found);
    let file = known.write()?;
    let release = tree.release();
    output::print(&format!(
        "{}: {release}: {defined} of {} modelled functions are defined there; the others are of \
            other \
         releases, or made by macros\n",
        file.display(),
        names.len()
    ))?;
    Ok(Status::AsExpected)
}

fn report(tree: &KernelTree, known: &Fingerprints, args: &DriftArgs) -> Result<Report, Failure> {
    let release = tree.release().clone();
    let against = match &args.against {
        None => known.of_line(&release.line),
        Some(wanted) => Some(known.named(wanted)?),
    };
    let names = modelled();
    let mut functions = compare(tree, known, against.as_ref(), &names);
    if let Some(against) = &against {
        exercise(&mut functions, &against.line);
    }
    let recorded = against.iter().flat_map(|release| known.functions(release));
    let left_over = recorded.filter(|name| !names.contains(name)).map(String::from).collect();
    Ok(Report { release, against, functions, left_over })
}

/// Finds the claims that exercise what has drifted, among those about trees of the release line.
fn exercise(functions: &mut [Drift], line: &str) {
    if !functions.iter().any(|f| f.status.is_drift()) {
        return;
    }
    let reach = Reach::explore(|tree| is_of_line(tree, line));
    for function in functions.iter_mut().filter(|f| f.status.is_drift()) {
        let names: Vec<&str> = function.models().flat_map(|model| model.entered).copied().collect();
        function.claims = reach::claims(&reach, &names);
    }
}

/// Is it a release of this line, or derived from one?
fn is_of_line(tree: &Tree, line: &str) -> bool {
    let release = tree.bases().last().unwrap_or(tree);
    let version = release.name.trim_start_matches('v');
    let rest = version.strip_prefix(line);
    rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
}

impl Drift {
    /// The claims that exercise it.
    fn claims(&self) -> &[&'static Claim] {
        &self.claims
    }
}

#[cfg(test)]
mod tests {
    use selvedge_models::trees;

    use super::*;

    #[test]
    fn a_tree_is_of_the_line_of_its_release() {
        let is_of = |name, line| is_of_line(trees::by_name(name).expect("a tree"), line);
        assert!(is_of("v6.1", "6.1") && is_of("v6.1.192", "6.1") && is_of("v6.1-rt", "6.1"));
        assert!(!is_of("v6.12.117", "6.1") && is_of("v5.9-rc1", "5.9"));
        assert!(is_of("rfc-migrate-pending-bool", "5.11"));
    }
}
