//! The command. With `ci` the only part that prints or touches files.
//!
//! Exit codes: 0 all as expected, 1 a violation or an unexpected verdict, 2 usage or bad input,
//! 3 undecided.

mod args;
mod check;
mod diff;
mod error;
mod list;
mod litmus;
mod matrix;
mod output;
mod patch;
mod progress;
mod report;
mod select;
mod show;
mod threads;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, CheckArgs, Command};
use crate::error::Failure;

fn main() -> ExitCode {
    let args = Args::parse();
    start_log(args.log.as_deref());
    answer_for_aborts();
    let result = match args.command {
        None => check::run(&CheckArgs::default()),
        Some(Command::Check(args)) => check::run(&args),
        Some(Command::Diff(args)) => diff::run(&args),
        Some(Command::List(args)) => list::run(&args),
        Some(Command::Litmus(args)) => litmus::run(&args),
        Some(Command::Patch(args)) => patch::run(&args),
        Some(Command::Show(args)) => show::run(&args),
    };
    match result {
        Ok(status) => ExitCode::from(status as u8),
        Err(failure) => {
            eprintln!("selvedge: {failure}");
            ExitCode::from(2)
        }
    }
}

/// A model that panics while it unwinds aborts the process: say what that means, and exit as
/// undecided rather than by a signal.
fn answer_for_aborts() {
    const SAID: &str =
        "selvedge: a model aborted the process (a panic within a panic): undecided\n";
    let last_words = || {
        // What may be done in a signal handler: write, and exit at once.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), SAID.as_bytes());
        signal_hook::low_level::exit(Status::Undecided as i32);
    };
    // SAFETY: stderr is not buffered, so that writing to it takes no lock that the aborting thread
    // could hold while it allocates; `exit` here is `_exit`.
    let registered =
        unsafe { signal_hook::low_level::register(signal_hook::consts::SIGABRT, last_words) };
    if let Err(error) = registered {
        eprintln!("selvedge: aborts will not be explained: {error}");
    }
}

/// Events of the gate, if asked for: `--log trace`, or `RUST_LOG=selvedge::gate=trace`.
fn start_log(filter: Option<&str>) {
    let filter = filter.map(String::from).or_else(|| std::env::var("RUST_LOG").ok());
    let Some(filter) = filter else { return };
    // A bare level is about our gate: loom and shuttle have much to say too.
    let filter = if filter.contains('=') || filter == "off" {
        filter
    } else {
        format!("selvedge::gate={filter}")
    };
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .without_time()
        .init();
}

/// How a command that did its work ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Status {
    AsExpected = 0,
    Unexpected = 1,
    BadInput = 2,
    Undecided = 3,
}

/// What every command returns.
type Outcome = Result<Status, Failure>;
