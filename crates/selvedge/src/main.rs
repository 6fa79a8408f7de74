//! The command. With `ci` the only part that prints or touches files.
//!
//! Exit codes: 0 all as expected, 1 a violation or an unexpected verdict, 2 usage or bad input,
//! 3 undecided, 4 drift.

mod args;
mod c;
mod cache;
mod check;
mod colour;
#[cfg(test)]
mod damaged;
mod diff;
mod drift;
mod error;
mod explain;
mod fingerprint;
mod format;
mod interrupt;
mod kernel_file;
mod list;
mod litmus;
mod locks;
mod merge;
mod mutate;
mod new;
mod orders;
mod output;
mod parts;
mod patch;
mod progress;
mod replay;
mod select;
mod shard;
mod show;
#[cfg(test)]
mod shown_commands;
mod stored;
mod threads;
mod trace_file;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::args::{Args, CheckArgs, Command};
use crate::error::Failure;

fn main() -> ExitCode {
    let args = Args::parse();
    answer_for_aborts();
    let result = start_log(args.log.as_deref()).and_then(|()| run(args.command));
    match result {
        Ok(status) => ExitCode::from(status as u8),
        Err(failure) => {
            output::tell(&format!("selvedge: {failure}"));
            ExitCode::from(2)
        }
    }
}

fn run(command: Option<Command>) -> Outcome {
    match command {
        None => check::run(&CheckArgs::default()),
        Some(Command::C(args)) => c::run(&args),
        Some(Command::Check(args)) if locks::is_meant(&args) => locks::check(&args),
        Some(Command::Check(args)) => check::run(&args),
        Some(Command::Diff(args)) => diff::run(&args),
        Some(Command::Drift(args)) => drift::run(&args),
        Some(Command::List(args)) => list::run(&args),
        Some(Command::Litmus(args)) => litmus::run(&args),
        Some(Command::Merge(args)) => merge::run(&args),
        Some(Command::Locks(args)) => locks::run(&args),
        Some(Command::Mutate(args)) => mutate::run(&args),
        Some(Command::New(args)) => new::run(&args),
        Some(Command::Orders(args)) => orders::run(&args),
        Some(Command::Patch(args)) => patch::run(&args),
        Some(Command::Explain(args)) => explain::run(&args),
        Some(Command::Replay(args)) => replay::run(&args),
        Some(Command::Show(args)) => show::run(&args),
    }
}

/// A model that panics while it unwinds, or needs more memory or threads than there are, aborts the
/// process: say what that means, and exit as undecided rather than by a signal.
#[expect(unsafe_code, reason = "a signal handler: see the comment")]
fn answer_for_aborts() {
    const SAID: &str = "selvedge: the process was aborted (a panic within a panic of a model, or \
                        no more memory or threads): undecided\n";
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
        output::tell(&format!("selvedge: aborts will not be explained: {error}"));
    }
}

/// Events of the gate, if asked for: `--log trace`, or `RUST_LOG=selvedge::gate=trace`. Nothing
/// asks for nothing.
fn start_log(filter: Option<&str>) -> Result<(), Failure> {
    let filter = filter.map(String::from).or_else(|| std::env::var("RUST_LOG").ok());
    let Some(filter) = filter.filter(|filter| !filter.trim().is_empty()) else { return Ok(()) };
    // A bare level is about our gate: loom and shuttle have much to say too.
    let filter = if filter.contains('=') || filter == "off" {
        filter
    } else {
        format!("selvedge::gate={filter}")
    };
    let parsed = EnvFilter::try_new(&filter).map_err(|error| {
        Failure::new(format!("`{filter}` is no filter of a log ({error}): try `--log trace`"))
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .without_time()
        .init();
    Ok(())
}

/// How a command that did its work ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Status {
    AsExpected = 0,
    Unexpected = 1,
    BadInput = 2,
    Undecided = 3,
    Drift = 4,
}

/// What every command returns.
type Outcome = Result<Status, Failure>;
