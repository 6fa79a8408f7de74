//! `selvedge explain`: why a counterexample fails.

use std::path::PathBuf;

use selvedge_explore::Bounds;
use selvedge_proofs::explain;
use selvedge_trace::{to_json, why};

use crate::args::whole_number;
use crate::error::Failure;
use crate::interrupt::Interrupt;
use crate::trace_file::{read, row_of};
use crate::{Outcome, Status, output, threads};

/// `selvedge explain`
#[derive(clap::Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct ExplainArgs {
    /// A counterexample: a file `*.json` that `check --out` wrote.
    pub file: PathBuf,
    /// Write the simplest counterexample, with its explanation, to this file: `show` then marks the
    /// step that decides, and leaves out what does not matter.
    #[arg(short, value_name = "OUT")]
    pub output: Option<PathBuf>,
    /// Give each part up (and say so) after so many executions.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = whole_number)]
    pub max_executions: u64,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  it is explained
  2  the file is unreadable, or cannot be explained, and why
  3  something was not decided within the limits, and is named";

/// Explains the counterexample of the file.
pub fn run(args: &ExplainArgs) -> Outcome {
    let cx = read(&args.file)?;
    let (claim, engine) = row_of(&args.file, &cx)?;
    if let Some(output) = &args.output {
        output::prepare_file(output)?;
    }
    let interrupt = Interrupt::catch()?;
    let bounds = Bounds {
        executions_max: args.max_executions,
        workers: threads::cores(),
        interrupted: Some(interrupt.flag()),
        ..Bounds::PROOF
    };
    let explained = explain(claim, engine, &bounds, &cx)
        .map_err(|why| Failure::new(format!("{}: {why}", args.file.display())))?;
    if let Some(output) = &args.output {
        output::write_file(output, &to_json(&explained))?;
    }
    output::print(&why(&explained))?;
    let undecided = explained.explanation.is_some_and(|why| !why.limits.is_empty());
    Ok(if undecided { Status::Undecided } else { Status::AsExpected })
}
