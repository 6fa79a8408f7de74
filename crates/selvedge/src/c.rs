//! `selvedge c`: the kernel's own C under the explorer, before and after a patch.

mod compare;

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use selvedge_c::{Checked, Ran, Request};
use selvedge_explore::{Bounds, Engine, Verdict};
use selvedge_models::{Tree, trees};
use selvedge_proofs::{Claim, Expected, Row, Scenario, Source};

use crate::args::whole_number;
use crate::check::{status, write_counterexample};
use crate::error::Failure;
use crate::format::CheckFormat;
use crate::interrupt::Interrupt;
use crate::select::not_empty;
use crate::{Outcome, Status, output};

/// `selvedge c`
#[derive(clap::Args, Debug)]
pub struct CArgs {
    /// Parts of names of scenarios. Without any: all, or those that the patches reach.
    pub filters: Vec<String>,
    /// The kernel tree. It is not written to: what is made lies in $XDG_CACHE_HOME/selvedge/c.
    #[arg(long, value_name = "DIR")]
    pub kernel: PathBuf,
    /// A patch on top of it: a diff, a mail or an mbox, as `selvedge patch` takes them; `-` is
    /// stdin. May be given several times, in their order.
    #[arg(long = "patch", value_name = "FILE")]
    pub patches: Vec<PathBuf>,
    /// A C file with a scenario of your own, which is run in place of all others (docs/c.md).
    #[arg(long, value_name = "FILE.c", conflicts_with_all = ["filters", "compare"])]
    pub init: Option<PathBuf>,
    /// Hold the models beside this kernel's C: which functions do the same, step by step?
    #[arg(long)]
    pub compare: bool,
    /// Compile this file of the tree, too (`mm/mmap.c`); may be given several times.
    #[arg(long, value_name = "FILE.c")]
    pub also: Vec<String>,
    /// The compiler: gcc, or clang.
    #[arg(long, value_name = "CC", default_value = "gcc")]
    pub cc: String,
    /// Let an access be a step even if none races with it: slower, with the same verdict.
    #[arg(long)]
    pub every_access: bool,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub format: CheckFormat,
    /// Write every counterexample to this directory, as JSON and as a table.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Give a row up (undecided) after so many executions.
    #[arg(long, value_name = "N", value_parser = whole_number, allow_negative_numbers = true)]
    pub max_executions: Option<u64>,
    /// Give a row up (undecided) after so many seconds.
    #[arg(long, value_name = "SECONDS", value_parser = whole_number, allow_negative_numbers = true)]
    pub max_seconds: Option<u64>,
}

/// Builds, audits, explores and prints.
pub fn run(args: &CArgs) -> Outcome {
    args.filters.iter().try_for_each(|filter| not_empty(filter))?;
    if let Some(dir) = &args.out {
        output::prepare_dir(dir)?;
    }
    let interrupt = Interrupt::catch()?;
    let bounds = Bounds {
        executions_max: args.max_executions.unwrap_or(Bounds::PROOF.executions_max),
        time_max: args.max_seconds.map(Duration::from_secs),
        interrupted: Some(interrupt.flag()),
        ..Bounds::PROOF
    };
    let request = Request {
        kernel: args.kernel.clone(),
        patches: args.patches.clone(),
        init: args.init.clone(),
        filters: args.filters.clone(),
        also: args.also.clone(),
        cc: args.cc.clone(),
        bounds,
        every_access: args.every_access,
    };
    let say = |text: &str| output::tell(&format!("selvedge: {text}"));
    if args.compare {
        return match selvedge_c::compare(&request, &say) {
            Ok(compared) => compare::print(&compared),
            Err(error) => not_explored(&error, &request),
        };
    }
    let checked = match selvedge_c::check(&request, &say) {
        Ok(checked) => checked,
        Err(error) => return not_explored(&error, &request),
    };
    for remark in &checked.remarks {
        output::tell(&format!("note: {remark}"));
    }
    for (scenario, function) in &checked.not_applicable {
        output::tell(&format!("not applicable: {}: no {function}() here", scenario.name));
    }
    let summary = if args.patches.is_empty() { String::new() } else { summary(&checked) };
    let is_same_code = checked.is_same_code;
    let missing: Vec<String> = checked.missing().into_iter().map(String::from).collect();
    let rows = rows(checked);
    let written = match &args.out {
        Some(dir) => rows.iter().try_for_each(|row| write_counterexample(dir, row)),
        None => Ok(()),
    };
    if args.format == CheckFormat::Text {
        output::print(&summary)?;
    }
    output::print(&args.format.render(&rows))?;
    written?;
    if !missing.is_empty() {
        return Err(Failure::new(missing.join("\nselvedge: ")));
    }
    // That nothing was asked is no answer, unless the code is that of the tree.
    Ok(if rows.is_empty() && !is_same_code { Status::Undecided } else { status(&rows) })
}

/// There is nothing to explore: the input is wrong, or somebody stopped it before.
fn not_explored(error: &selvedge_c::Error, request: &Request) -> Outcome {
    if !request.is_interrupted() {
        return Err(Failure::new(error.to_string()));
    }
    output::tell(&format!("selvedge: {error}"));
    Ok(Status::Undecided)
}

/// What the patches change, and what that changes.
fn summary(checked: &Checked) -> String {
    let mut text = format!("{} on {}", checked.patches, checked.version);
    // Writing to a string cannot fail; so below.
    let _ = match checked.changed.as_slice() {
        [] if checked.is_same_code => writeln!(
            text,
            " compiles to the same code, instruction by instruction: what is so without it is so \
             with it."
        ),
        [] => writeln!(text, " changes nothing that is compiled here."),
        changed => writeln!(text, " changes {}.", changed.join(", ")),
    };
    let both = checked.before.iter().zip(&checked.after);
    let (same, differ): (Vec<_>, Vec<_>) = both
        .map(|(before, after)| (before, [before, after].map(|ran| &ran.exploration.verdict)))
        .partition(|(_, [was, is])| was.name() == is.name());
    for (before, [was, is]) in differ {
        let _ = writeln!(text, "  {:48} {} -> {}", before.scenario.name, name(was), name(is));
    }
    for (before, [_, is]) in same {
        let _ = writeln!(text, "  {:48} still {}", before.scenario.name, name(is));
    }
    if !checked.not_reached.is_empty() {
        let names: Vec<&str> = checked.not_reached.iter().map(|s| s.name).collect();
        let _ = writeln!(text, "  not run, since nothing of it is changed: {}", names.join(", "));
    }
    text.push('\n');
    text
}

fn name(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::HoldsWithin(_) => "holds within bounds",
        other => other.name(),
    }
}

/// The rows, each tree's after the other's of the same scenario.
fn rows(checked: Checked) -> Vec<Row> {
    let version = checked.version;
    let plain = tree(format!("c:{version}"));
    let patched = tree(format!("c:{version}+{}", checked.patches));
    let mut after = checked.after.into_iter();
    let mut rows = Vec::new();
    for before in checked.before {
        let (expected, source) = before.scenario.expected;
        let was = before.exploration.verdict.clone();
        rows.push(row(before, plain, expected, source));
        if let Some(after) = after.next() {
            // A patch is not to break what held; that it mends what did not is welcome.
            let expected = match (&was, &after.exploration.verdict) {
                (Verdict::Violated, Verdict::Violated) => Expected::Violated,
                _ => Expected::Holds,
            };
            let source = Source::analysis("what the tree without the patch does");
            rows.push(row(after, patched, expected, source));
        }
    }
    rows
}

/// Rows and claims live as long as the process; there are as many as scenarios are run.
fn tree(name: String) -> &'static Tree {
    Box::leak(Box::new(Tree { name: name.leak(), aliases: &[], ..trees::V6_12_117 }))
}

fn row(ran: Ran, tree: &'static Tree, expected: Expected, source: Source) -> Row {
    const ENGINES: &[Engine] = &[Engine::Dpor];
    let of = ran.scenario;
    let scenario = Scenario { name: of.name, about: of.of.about, ..Scenario::EMPTY };
    let claim = Claim {
        subsystem: of.subsystem,
        rule: of.rule,
        scenario: Box::leak(Box::new(scenario)),
        tree,
        engines: ENGINES,
        expected,
        source,
        reached: of.reached.leak(),
        by_then: &[],
    };
    Row::of(Box::leak(Box::new(claim)), ran.exploration)
}
