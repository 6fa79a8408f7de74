//! `selvedge patch`: which modelled functions a patch touches, which claims exercise them, and what
//! is touched that nothing here judges.

pub mod reach;
pub mod survey;
pub mod view;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use selvedge_patch::{Remark, read};
use selvedge_proofs::Claim;

use crate::args::{CheckArgs, Format, PatchArgs};
use crate::check::{check_all, status};
use crate::error::Failure;
use crate::{Outcome, Status, output};

use reach::Reach;
use survey::{FunctionSurvey, PatchSurvey, survey};

/// All that is said of the files.
pub struct Report {
    patches: Vec<PatchSurvey>,
    /// What could not be read, with the file that it is in.
    remarks: Vec<(String, Remark)>,
    /// The functions that are modelled and touched, with the claims that exercise each.
    exercised: Vec<(String, Vec<&'static Claim>)>,
    /// The claims that exercise any of them.
    claims: Vec<&'static Claim>,
    has_kernel: bool,
}

impl Report {
    fn functions(&self) -> impl Iterator<Item = (&str, &FunctionSurvey)> {
        let files = self.patches.iter().flat_map(|patch| &patch.files);
        files.flat_map(|file| file.functions.iter().map(|f| (file.path.as_str(), f)))
    }

    /// The claims that exercise a function.
    fn claims_of(&self, name: &str) -> &[&'static Claim] {
        let found = self.exercised.iter().find(|(known, _)| known == name);
        found.map_or(&[], |(_, claims)| claims)
    }
}

/// Reads the files and prints what the patches in them touch.
pub fn run(args: &PatchArgs) -> Outcome {
    args.kernel.as_deref().map_or(Ok(()), expect_kernel_tree)?;
    let report = report(args)?;
    let rows = match args.check {
        false => None,
        true => {
            let rows: Vec<_> = report.claims.iter().map(|&c| (c, c.engines[0])).collect();
            Some(check_all(&rows, &CheckArgs::default())?.rows)
        }
    };
    let text = match args.format {
        Format::Text => view::text(&report, rows.as_deref()),
        Format::Json => view::json(&report, rows.as_deref()),
    };
    output::print(&text)?;
    // That nothing was asked is no answer.
    Ok(match rows.as_deref() {
        None => Status::AsExpected,
        Some([]) => Status::Undecided,
        Some(rows) => status(rows),
    })
}

/// Whoever names another directory is told so, rather than that nothing was found in it.
pub fn expect_kernel_tree(dir: &Path) -> Result<(), Failure> {
    let says = || format!("{}: no kernel tree: it has no directory mm/", dir.display());
    if dir.join("mm").is_dir() { Ok(()) } else { Err(Failure::new(says())) }
}

fn report(args: &PatchArgs) -> Result<Report, Failure> {
    let (mut patches, mut remarks, mut without) = (Vec::new(), Vec::new(), Vec::new());
    for path in &args.files {
        let name = path.display().to_string();
        match read(&contents(path)?) {
            Ok(input) => {
                let surveys = input.patches.iter();
                patches.extend(surveys.map(|p| survey(&name, p, args.kernel.as_deref())));
                remarks.extend(input.remarks.into_iter().map(|remark| (name.clone(), remark)));
            }
            Err(none) => {
                let trees = none.subject.as_deref().map(survey::trees_about).unwrap_or_default();
                without.push(format!("{name}: {none}"));
                without.extend(trees.iter().map(|tree| view::modelled_as(tree)));
                remarks.push((name, Remark { line: 0, text: none.to_string() }));
            }
        }
    }
    if patches.is_empty() {
        return Err(Failure::new(view::clean(&without.join("\n"))));
    }
    let mut report = Report {
        patches,
        remarks,
        exercised: Vec::new(),
        claims: Vec::new(),
        has_kernel: args.kernel.is_some(),
    };
    exercise(&mut report);
    Ok(report)
}

/// Finds the claims, which takes a few seconds, and is not needed if nothing is modelled.
fn exercise(report: &mut Report) {
    let mut entered: Vec<(String, Vec<&str>)> = report
        .functions()
        .filter(|(_, function)| !function.models.is_empty())
        .map(|(_, function)| (function.name.clone(), function.entered()))
        .collect();
    entered.sort();
    entered.dedup();
    if entered.is_empty() {
        return;
    }
    let reach = Reach::explore(|_| true);
    let all: Vec<&str> = entered.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    report.claims = reach::claims(&reach, &all);
    let each = entered.into_iter().map(|(name, names)| (name, reach::claims(&reach, &names)));
    report.exercised = each.collect();
}

/// The text of a file, or of stdin for `-`. Mails have all kinds of bytes.
pub fn contents(path: &Path) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let done = match path.as_os_str() == "-" {
        true => std::io::stdin().take(output::READ_MAX + 1).read_to_end(&mut bytes),
        false => File::open(path)
            .and_then(|file| file.take(output::READ_MAX + 1).read_to_end(&mut bytes)),
    };
    done.map_err(|error| Failure::io("read", path, &error))?;
    if bytes.len() as u64 > output::READ_MAX {
        let (path, most) = (path.display(), output::READ_MAX >> 20);
        return Err(Failure::new(format!("{path}: more than {most} MiB, expected patches")));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
