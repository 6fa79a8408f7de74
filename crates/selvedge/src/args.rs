//! The command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// A model checker for the locking of the Linux memory manager.
///
/// Without a command: checks every claim with its default engine and prints what is proven.
#[derive(Parser, Debug)]
#[command(name = "selvedge", version, disable_help_subcommand = true)]
pub struct Args {
    /// Print every step at the gate to stderr: `trace`, or a filter as in RUST_LOG.
    #[arg(long, global = true, value_name = "FILTER")]
    pub log: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Check claims and compare the verdicts with what is expected.
    Check(CheckArgs),
    /// Name what there is.
    List(ListArgs),
    /// Run litmus tests in the kernel's C dialect on our primitives.
    Litmus(LitmusArgs),
    /// What differs between two trees: functions, decisions, verdicts.
    Diff(DiffArgs),
    /// Which modelled functions a patch touches, and which claims exercise them.
    Patch(PatchArgs),
    /// Print a counterexample that `check --out` wrote.
    Show(ShowArgs),
}

/// `selvedge check`
#[derive(clap::Args, Debug, Default)]
pub struct CheckArgs {
    /// Rows whose name `subsystem::rule::scenario::tree::engine` contains one of these.
    pub filters: Vec<String>,
    /// Only this tree.
    #[arg(long = "tree", value_name = "TREE")]
    pub trees: Vec<String>,
    /// Only this engine: dpor, loom, random, pct or dfs.
    #[arg(long = "engine", value_name = "ENGINE")]
    pub engines: Vec<String>,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Write every counterexample to this directory, as JSON and as a table.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// So many rows at a time, and so many threads for a long one, at least 1; all cores if not
    /// given. What is found does not depend on it.
    #[arg(long, value_name = "N")]
    pub workers: Option<NonZeroUsize>,
    /// After a violation search on, and count them all by rule and place. Not under loom.
    #[arg(long)]
    pub keep_going: bool,
    /// Give a row up (undecided) after so many executions.
    #[arg(long, value_name = "N")]
    pub max_executions: Option<u64>,
    /// Give a row up (undecided) after so many seconds.
    #[arg(long, value_name = "SECONDS")]
    pub max_seconds: Option<u64>,
}

/// `selvedge diff`
#[derive(clap::Args, Debug)]
pub struct DiffArgs {
    /// The one tree: `selvedge list trees` names them.
    #[arg(value_name = "TREE")]
    pub from: String,
    /// The other one.
    #[arg(value_name = "TREE")]
    pub to: String,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Give a scenario up (undecided) after so many executions.
    #[arg(long, value_name = "N")]
    pub max_executions: Option<u64>,
}

/// `selvedge patch`
#[derive(clap::Args, Debug)]
pub struct PatchArgs {
    /// Patches: from `git format-patch`, a diff, an mbox, or a mail that quotes one; `-` for stdin.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Find the functions in the C text of this kernel tree, rather than from the hunks alone.
    #[arg(long, value_name = "DIR")]
    pub kernel: Option<PathBuf>,
    /// Check the claims that exercise the functions, each with its default engine.
    #[arg(long)]
    pub check: bool,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `selvedge list`
#[derive(clap::Args, Debug)]
pub struct ListArgs {
    /// What to list.
    #[arg(value_enum, default_value_t)]
    pub what: Listed,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `selvedge show`
#[derive(clap::Args, Debug)]
pub struct ShowArgs {
    /// A counterexample: a file `*.json`.
    pub file: PathBuf,
    /// What to show.
    #[arg(long = "as", value_enum, default_value_t, value_name = "VIEW")]
    pub view: View,
    /// Where to write it, instead of to the terminal.
    #[arg(short, value_name = "OUT")]
    pub output: Option<PathBuf>,
}

/// How to print.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Format {
    /// For reading.
    #[default]
    Text,
    /// One object, and nothing else, on stdout.
    Json,
}

/// What there is.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Listed {
    /// Releases and patches.
    Trees,
    /// Small closed programs.
    Scenarios,
    /// What is expected of which scenario in which tree.
    #[default]
    Claims,
    /// Trees with a deliberate fault.
    Mutants,
    /// What explores.
    Engines,
}

/// A view of a counterexample.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum View {
    /// The CPU0/CPU1 table of a changelog.
    #[default]
    Table,
    /// Every event, numbered.
    Steps,
    /// The file itself, checked.
    Json,
}

/// `selvedge litmus`
#[derive(clap::Args, Debug)]
pub struct LitmusArgs {
    /// Litmus tests: `tools/memory-model/litmus-tests/*.litmus` of a kernel tree, or others.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Under this engine: loom and dpor, if not given.
    #[arg(long = "engine", value_name = "ENGINE")]
    pub engines: Vec<String>,
    /// How to print; a table of all tests for a README with `card`.
    #[arg(long, value_enum, default_value_t)]
    pub format: LitmusFormat,
}

/// How to print what litmus tests came to.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LitmusFormat {
    /// As herd7 does, a line for each test and engine.
    #[default]
    Herd,
    /// The conformance card: a Markdown table, and the totals.
    Card,
}
