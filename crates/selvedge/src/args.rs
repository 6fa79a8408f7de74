//! The command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::format::{CheckFormat, Report};
use crate::shard::Shard;

/// A model checker for the locking of the Linux memory manager.
///
/// Without a command: checks every claim with its default engine and prints what is proven.
#[derive(Parser, Debug)]
#[command(name = "selvedge", version, disable_help_subcommand = true, after_help = EXIT_CODES)]
pub struct Args {
    /// Print every step at the gate to stderr: `trace`, or a filter as in RUST_LOG.
    #[arg(long, global = true, value_name = "FILTER")]
    pub log: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  every verdict is the expected one
  1  a violation, or another unexpected verdict
  2  wrong usage, bad input, or something cannot be written
  3  undecided: a limit was hit, or it was interrupted";

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Check claims and compare the verdicts with what is expected.
    Check(CheckArgs),
    /// Run the kernel's own C, compiled from a kernel tree, with and without patches.
    C(crate::c::CArgs),
    /// Name what there is.
    List(ListArgs),
    /// The lock order: every cycle of the lock and wait graph of every tree, with its verdict.
    Locks(LocksArgs),
    /// Run litmus tests in the kernel's C dialect on our primitives.
    Litmus(LitmusArgs),
    /// What differs between two trees: functions, decisions, verdicts.
    Diff(DiffArgs),
    /// Which of the modelled functions a kernel tree has otherwise than they were modelled.
    Drift(DriftArgs),
    /// Put the reports of all shards of a check together, and print them as `check` does.
    Merge(MergeArgs),
    /// Make a fault at each step of the models, one at a time: which claim notices it.
    Mutate(MutateArgs),
    /// Begin a tree of yours, or a driver of movable pages: a file to fill in, which is then asked
    /// what there is to ask.
    New(NewArgs),
    /// Which barrier, acquire, release and full update a weak claim needs; and which single one
    /// cures a claim that is violated.
    Orders(OrdersArgs),
    /// Which modelled functions a patch touches, and which claims exercise them.
    Patch(PatchArgs),
    /// Run the execution of a counterexample again, step for step.
    Replay(crate::replay::ReplayArgs),
    /// Why a counterexample fails: the fewest preemptions, the orders of steps that it takes, the
    /// step that decides.
    Explain(crate::explain::ExplainArgs),
    /// Print a counterexample that `check --out` wrote.
    Show(ShowArgs),
}

/// `selvedge check`
#[derive(clap::Args, Debug, Default)]
#[command(after_help = EXIT_CODES)]
pub struct CheckArgs {
    /// Which rows: whole parts of their names `subsystem::rule::scenario::tree::engine`, as a
    /// scenario or a rule; if no row has such a part, any text in the name or in the rule's
    /// sentence.
    pub filters: Vec<String>,
    /// Only this tree.
    #[arg(long = "tree", value_name = "TREE")]
    pub trees: Vec<String>,
    /// Only this engine: dpor, loom, random, pct, dfs, graph or graph-sc.
    #[arg(long = "engine", value_name = "ENGINE")]
    pub engines: Vec<String>,
    /// How to print, and what to write.
    #[command(flatten)]
    pub printed: Printed,
    /// So many rows at a time, and so many threads for a long one, 1 to 1024; all cores if not
    /// given. What is found does not depend on it.
    #[arg(long, value_name = "N", value_parser = workers, allow_negative_numbers = true)]
    pub workers: Option<NonZeroUsize>,
    /// After a violation search on, and count them all by rule and place. Not under loom.
    #[arg(long)]
    pub keep_going: bool,
    /// Search over states: go on from each state once, whatever way led to it, instead of running
    /// every order of conflicting steps. Rows of dpor only. A rule that asks for the way to a
    /// state is undecided.
    #[arg(long, conflicts_with_all = ["keep_going", "shard", "parts", "cache"])]
    pub stateful: bool,
    /// Give a row up (undecided) after so many executions.
    #[arg(long, value_name = "N", value_parser = whole_number, allow_negative_numbers = true)]
    pub max_executions: Option<u64>,
    /// Give a row up (undecided) after so many seconds.
    #[arg(long, value_name = "SECONDS", value_parser = whole_number, allow_negative_numbers = true)]
    pub max_seconds: Option<u64>,
    /// Give up (undecided) all rows that are not decided so many seconds after the start.
    #[arg(long, value_name = "SECONDS", value_parser = whole_number, allow_negative_numbers = true)]
    pub max_time: Option<u64>,
    /// Only the K-th of N parts of the rows, which are about equally long: for one of N jobs, whose
    /// reports (`--report json=FILE`) `selvedge merge` puts together. A row that is longer than
    /// such a part is one job's, unless all name one directory with `--parts`.
    #[arg(long, value_name = "K/N")]
    pub shard: Option<Shard>,
    /// Keep in this directory what came of the parts of large searches (of dpor), and take from it
    /// what is known. Shards that name the same one search large rows together; a check that was
    /// stopped goes on.
    #[arg(long, value_name = "DIR")]
    pub parts: Option<PathBuf>,
    /// Take a row from this directory if nothing that it depends on has changed since it was
    /// checked, and keep there what is decided.
    #[arg(long, value_name = "DIR", conflicts_with = "keep_going")]
    pub cache: Option<PathBuf>,
}

/// How rows are printed, and where they are written to besides.
#[derive(clap::Args, Debug, Default)]
pub struct Printed {
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub format: CheckFormat,
    /// Write the same rows to a file too, as `junit=out.xml`. May be given several times.
    #[arg(long = "report", value_name = "FORMAT=FILE")]
    pub reports: Vec<Report>,
    /// Write every counterexample to this directory, as JSON, as a table and as a page, and a page
    /// of all rows, `index.html`.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Name on the page of `--out` the mutants that rows kill: what `mutate --format json`, or
    /// `mutate --report`, has written. If not given, mutants.json in the directory, or the page of
    /// the docs, if the command runs in a checkout.
    #[arg(long, value_name = "FILE", requires = "out")]
    pub mutants: Option<PathBuf>,
}

/// `selvedge merge`
#[derive(clap::Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct MergeArgs {
    /// The report of each shard: what `check --shard K/N --report json=FILE` has written.
    #[arg(required = true, value_name = "REPORT")]
    pub files: Vec<PathBuf>,
    /// How to print, and what to write.
    #[command(flatten)]
    pub printed: Printed,
}

/// More threads than this help nobody, and exhaust some machines.
const WORKERS_MAX: usize = 1024;

fn workers(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse::<NonZeroUsize>().ok().filter(|n| n.get() <= WORKERS_MAX);
    number.ok_or_else(|| {
        format!("expected a number from 1 to {WORKERS_MAX}; leave `--workers` out for all cores")
    })
}

pub fn whole_number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "expected a whole number; leave it out for no limit".into())
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
    /// Which questions: rows by their names, as of `check`. All, if not given.
    pub filters: Vec<String>,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// So many questions at a time, 1 to 1024; all cores if not given.
    #[arg(long, value_name = "N", value_parser = workers, allow_negative_numbers = true)]
    pub workers: Option<NonZeroUsize>,
    /// Give a scenario up (undecided) after so many executions.
    #[arg(long, value_name = "N", value_parser = whole_number, allow_negative_numbers = true)]
    pub max_executions: Option<u64>,
    /// Give a scenario up (undecided), in each tree, after so many seconds.
    #[arg(long, value_name = "SECONDS", value_parser = whole_number, allow_negative_numbers = true)]
    pub max_seconds: Option<u64>,
}

/// `selvedge drift`
#[derive(clap::Args, Debug)]
#[command(after_help = DRIFT_EXIT_CODES)]
pub struct DriftArgs {
    /// The kernel tree.
    #[arg(long, value_name = "DIR")]
    pub kernel: PathBuf,
    /// Write the fingerprints of this tree in place of those of its release line.
    #[arg(long, conflicts_with = "against")]
    pub record: bool,
    /// Compare with this recorded release, as `6.12`, instead of the tree's own.
    #[arg(long, value_name = "RELEASE")]
    pub against: Option<String>,
    /// The fingerprints; models/fingerprints.tsv of the checkout around the current directory, else
    /// those that the command was built with, if not given.
    #[arg(long, value_name = "FILE")]
    pub fingerprints: Option<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

const DRIFT_EXIT_CODES: &str = "\
Exit codes:
  0  nothing has drifted
  2  bad input: no kernel tree, or fingerprints that cannot be read or written
  3  nothing is known to have drifted, but some functions have no fingerprint
  4  drift: a function has changed, moved, gone, or come";

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

/// `selvedge locks`
#[derive(clap::Args, Debug)]
#[command(after_help = crate::locks::EXIT_CODES)]
pub struct LocksArgs {
    /// Which scenarios: any text in their names. All, if not given.
    pub filters: Vec<String>,
    /// Only this tree; all but mutants, if not given.
    #[arg(long = "tree", value_name = "TREE")]
    pub trees: Vec<String>,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub format: LocksFormat,
    /// Write each deadlock to this directory: the counterexample, its table, and a splat.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// So many scenarios at a time, 1 to 1024; all cores if not given.
    #[arg(long, value_name = "N", value_parser = workers, allow_negative_numbers = true)]
    pub workers: Option<NonZeroUsize>,
    /// Give a scenario up after so many executions, 30,000 if not given: its cycles are then
    /// possible.
    #[arg(long, value_name = "N", value_parser = whole_number, allow_negative_numbers = true)]
    pub max_executions: Option<u64>,
}

/// How to print the lock order.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LocksFormat {
    /// For reading.
    #[default]
    Text,
    /// One object, and nothing else, on stdout.
    Json,
    /// Each cycle in a line, as a table of Markdown (docs/lock-order.md).
    Table,
    /// Each cycle as lockdep would print it.
    Splat,
    /// Each cycle as DEPT would print it.
    Dept,
    /// The graph of each scenario, for Graphviz.
    Dot,
    /// The same as one picture; a graph of more than 40 nodes is left out.
    Svg,
}

/// `selvedge mutate`
#[derive(clap::Args, Debug)]
#[command(after_help = crate::mutate::EXIT_CODES)]
pub struct MutateArgs {
    /// Which mutants: any text in their names `tree::function::primitive(object)#nth::fault`,
    /// where the fault is drop, later, empty, split or relax (docs/mutants.md). All, if not
    /// given.
    pub filters: Vec<String>,
    /// Of this tree: its claims that hold are asked.
    #[arg(long, value_name = "TREE", default_value = "v6.12.117")]
    pub tree: String,
    /// Ask the largest claims too, of mutants that no other claim notices.
    #[arg(long)]
    pub all: bool,
    /// Print a page for the docs: by function and step, which claim needs it, or why none does.
    #[arg(long, conflicts_with = "format")]
    pub report: bool,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// So many mutants at a time, 1 to 1024; all cores if not given.
    #[arg(long, value_name = "N", value_parser = workers, allow_negative_numbers = true)]
    pub workers: Option<NonZeroUsize>,
}

/// `selvedge orders`
#[derive(clap::Args, Debug)]
#[command(after_help = crate::orders::EXIT_CODES)]
pub struct OrdersArgs {
    /// Which claims, of those that `graph` is asked: as of `check`. Without a filter and a tree
    /// those of v6.12.117.
    pub filters: Vec<String>,
    /// Only this tree.
    #[arg(long = "tree", value_name = "TREE")]
    pub trees: Vec<String>,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Give a search up (undecided) after so many executions.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = whole_number,
          allow_negative_numbers = true)]
    pub max_executions: u64,
    /// So many claims at a time, 1 to 1024; all cores if not given.
    #[arg(long, value_name = "N", value_parser = workers, allow_negative_numbers = true)]
    pub workers: Option<NonZeroUsize>,
}

/// `selvedge new`
#[derive(clap::Args, Debug)]
pub struct NewArgs {
    /// The tree's name; that of its file in models/src/trees with `_` for `-`.
    #[arg(required_unless_present = "driver", conflicts_with = "driver", requires = "base")]
    pub name: Option<String>,
    /// The tree that it is on top of: `selvedge list trees` names them.
    #[arg(long, value_name = "TREE", requires = "name")]
    pub base: Option<String>,
    /// A patch: the functions that it touches, as far as they are modelled, are copied to edit.
    #[arg(long, value_name = "FILE", requires = "name")]
    pub from: Option<PathBuf>,
    /// Find the functions in the C text of this kernel tree, rather than from the hunks alone.
    #[arg(long, value_name = "DIR", requires = "from")]
    pub kernel: Option<PathBuf>,
    /// Begin a driver instead, of this name: that of its file in models/src/drivers, and of its
    /// tree.
    #[arg(long, value_name = "NAME")]
    pub driver: Option<String>,
}

/// `selvedge show`
#[derive(clap::Args, Debug)]
pub struct ShowArgs {
    /// A counterexample: a file `*.json`.
    pub file: PathBuf,
    /// What to show.
    #[arg(long = "as", value_enum, default_value_t, value_name = "VIEW")]
    pub view: View,
    /// Every step of a table, also those whose place does not matter.
    #[arg(long)]
    pub all: bool,
    /// How wide a table may be: 60 to 200 columns. If not given 75, as a changelog allows, or as a
    /// terminal that is narrower.
    #[arg(long, value_name = "COLUMNS",
          value_parser = clap::value_parser!(u16).range(60..=200), allow_negative_numbers = true)]
    pub width: Option<u16>,
    /// Where to write it, instead of to the terminal.
    #[arg(short, value_name = "OUT")]
    pub output: Option<PathBuf>,
}

/// How to print a list or a difference.
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
    /// Who holds which references, since where; and whom a failed freeze met.
    Refs,
    /// The same at the end, for Graphviz.
    RefsDot,
    /// In the shape of a lockdep report.
    Splat,
    /// A draft of a changelog's paragraph, with the table and the tags.
    Changelog,
    /// A page to step through, which needs no network.
    Html,
    /// A sequence diagram in Mermaid's language.
    Mermaid,
    /// A trace for Perfetto or chrome://tracing.
    #[value(alias = "chrome")]
    Perfetto,
    /// As ftrace would have recorded it.
    Ftrace,
    /// A graph of locks, references and orders in Graphviz's language.
    Dot,
    /// Accesses of shared words with program order, barriers, reads-from, coherence and from-reads,
    /// for Graphviz.
    Graph,
    /// The same as a picture.
    GraphSvg,
    /// The file itself, checked.
    Json,
}

/// `selvedge litmus`
#[derive(clap::Args, Debug)]
pub struct LitmusArgs {
    /// Litmus tests: `tools/memory-model/litmus-tests/*.litmus` of a kernel tree, or others.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Under this engine: loom, dpor and graph, if not given.
    #[arg(long = "engine", value_name = "ENGINE")]
    pub engines: Vec<String>,
    /// Stop each test and engine after so many executions.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub max_executions: u64,
    /// Stop each test and engine after so many seconds; then the result depends on the machine.
    #[arg(long, value_name = "N")]
    pub max_seconds: Option<u64>,
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
