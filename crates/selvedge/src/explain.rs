//! `selvedge explain`: why a counterexample fails.

use std::path::PathBuf;

use selvedge_explore::Bounds;
use selvedge_proofs::{Claim, Engine, Expected, explain, rows};
use selvedge_trace::{Look, to_json, why_as};

use crate::args::whole_number;
use crate::error::Failure;
use crate::interrupt::Interrupt;
use crate::progress::Meter;
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
    /// Give each part up (and say so) after so many executions; the search for fewer preemptions
    /// has them for each number of these. If all executions are more than these, each guess at the
    /// orders is tested by looking for an execution that contradicts it, for so long; and if that
    /// is too much, those are compared that begin as the failing one.
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = whole_number,
          allow_negative_numbers = true)]
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
    if !engine.takes_schedules() {
        return Err(Failure::new(format!(
            "{}: {}",
            args.file.display(),
            not_explained(claim, engine)
        )));
    }
    if let Some(output) = &args.output {
        output::prepare_file(output)?;
    }
    let interrupt = Interrupt::catch()?;
    let meter = Meter::new(1);
    let bounds = Bounds {
        executions_max: args.max_executions,
        workers: threads::cores(),
        interrupted: Some(interrupt.flag()),
        progress: Some(meter.of_row(&cx.claim)),
        ..Bounds::PROOF
    };
    let explained = explain(claim, engine, &bounds, &cx);
    meter.finish();
    let explained =
        explained.map_err(|why| Failure::new(format!("{}: {why}", args.file.display())))?;
    if let Some(output) = &args.output {
        output::write_file(output, &to_json(&explained))?;
    }
    output::print(&why_as(&explained, &Look { width: output::table_width(), all: false }))?;
    let undecided = explained.explanation.is_some_and(|why| !why.limits.is_empty());
    Ok(if undecided { Status::Undecided } else { Status::AsExpected })
}

/// Why what this engine has found is not explained, and what to do: the same question may have been
/// asked of dpor, whose executions can be compared.
fn not_explained(claim: &Claim, engine: Engine) -> String {
    let why = match engine {
        Engine::Loom => "loom ends its search at the first violation, and cannot be told an order",
        _ => "an execution graph is no order of steps",
    };
    let is_same = |(other, engine): &(&Claim, Engine)| {
        *engine == Engine::Dpor
            && other.rule == claim.rule
            && other.scenario.name == claim.scenario.name
            && other.tree.name == claim.tree.name
    };
    let advice = match rows().find(is_same) {
        Some((other, dpor)) if other.expected == Expected::Violated => {
            let name = other.name(dpor);
            let file = name.replace("::", ".");
            format!(
                "dpor finds the same under sequential consistency: `selvedge check {name} --out \
                 DIR`, then `selvedge explain DIR/{file}.json`"
            )
        }
        Some((other, dpor)) => format!(
            "it takes weak memory, since under sequential consistency the rule holds ({}): \
             `selvedge show FILE` names each store that a stale read does not see, and `selvedge \
             show FILE --as steps` what each step orders",
            other.name(dpor)
        ),
        None => "no row asks it of dpor: `selvedge show FILE` names each store that a stale read \
                 does not see, and `selvedge show FILE --as steps` what each step orders"
            .into(),
    };
    format!("what {engine} has found cannot be explained: {why}; {advice}")
}
