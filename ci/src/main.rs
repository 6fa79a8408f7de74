//! The gate: what has to be green before a change lands. Any CI calls `cargo run -p selvedge-ci`.
//!
//! It runs every step even if one fails, and leaves in a directory what a CI keeps: the verdicts in
//! several formats, the counterexamples, and `index.md`, which links them.

mod args;
mod book;
mod index;
mod kernel;
mod tidy;

use std::fs;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use crate::args::Args;
use crate::index::Done;

/// A named check.
struct Step {
    name: &'static str,
    run: fn(&Args) -> Result<(), String>,
}

const GATE: &[Step] = &[
    Step { name: "format", run: |_| cargo(&["fmt", "--all", "--check"]) },
    Step { name: "tidy", run: |_| tidy::run() },
    Step { name: "build", run: |_| cargo(&["build", "--workspace"]) },
    Step { name: "lints", run: |_| lints() },
    Step { name: "docs", run: |_| docs() },
    Step { name: "book", run: |_| book::run() },
    Step { name: "check", run: check },
    Step { name: "drift", run: |_| drift() },
    // The proofs under all engines, the golden counterexamples and the README's tables are tests.
    Step { name: "mutants", run: |_| mutants() },
    Step { name: "tests", run: |_| cargo(&["test", "--workspace"]) },
];

/// Not run unless they are asked for: they want more than a Rust toolchain, or the network, and
/// minutes.
const ON_REQUEST: &[Step] =
    &[Step { name: "c", run: kernel::run }, Step { name: "package", run: |_| package() }];

/// Each crate can be published: it compiles from what is in its package.
fn package() -> Result<(), String> {
    let is_dirty_too = ["publish", "--workspace", "--dry-run", "--allow-dirty"];
    cargo(&is_dirty_too)
}

fn lints() -> Result<(), String> {
    cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
}

fn docs() -> Result<(), String> {
    let mut command = Command::new("cargo");
    command.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
    succeed(command)
}

/// Every claim under its default engine, once, in all formats that a CI may want.
fn check(args: &Args) -> Result<(), String> {
    let is_github = std::env::var_os("GITHUB_ACTIONS").is_some();
    let mut command = Command::new("cargo");
    command.args(["run", "--quiet", "--package", "selvedge", "--", "check"]);
    command.args(["--format", if is_github { "github" } else { "text" }]);
    for (format, file) in index::REPORTS {
        command.arg("--report").arg(format!("{format}={}", args.artefacts.join(file).display()));
    }
    command.arg("--out").arg(args.artefacts.join(index::COUNTEREXAMPLES));
    if let Some(seconds) = &args.max_time {
        command.args(["--max-time", seconds]);
    }
    succeed(command)
}

/// Kernel trees to hold the models beside, as in PATH.
const KERNEL: &str = "SELVEDGE_KERNEL";

/// Whether a modelled function has changed, if there is a kernel to look at.
fn drift() -> Result<(), String> {
    let Some(kernels) = std::env::var_os(KERNEL).filter(|kernels| !kernels.is_empty()) else {
        println!("not run: {KERNEL} names no kernel tree");
        return Ok(());
    };
    let each = std::env::split_paths(&kernels).map(|kernel| {
        let mut command = Command::new("cargo");
        command.args(["run", "--quiet", "--package", "selvedge", "--", "drift", "--kernel"]);
        command.arg(kernel);
        succeed(command)
    });
    let failures: Vec<String> = each.filter_map(Result::err).collect();
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

/// The page of the docs that says what each step of a release is needed for.
const MUTANTS: &str = "docs/mutants-v6.12.117.md";

/// Every mutant of a release is killed, or it is said why not; and the page is current.
/// `SELVEDGE_BLESS=1` writes it anew.
fn mutants() -> Result<(), String> {
    let mut command = Command::new("cargo");
    command.args(["run", "--quiet", "--package", "selvedge", "--", "mutate", "--report"]);
    let run = command.stderr(Stdio::inherit()).output();
    let output = run.map_err(|error| format!("cannot run {command:?}: {error}"))?;
    let page = String::from_utf8_lossy(&output.stdout);
    if std::env::var_os("SELVEDGE_BLESS").is_some() {
        fs::write(MUTANTS, &*page).map_err(|error| format!("cannot write {MUTANTS}: {error}"))?;
    }
    if !output.status.success() {
        return Err(format!("{command:?} failed: {}; `mutate` says which", output.status));
    }
    match fs::read_to_string(MUTANTS) {
        Ok(known) if known == page => Ok(()),
        _ => Err(format!("{MUTANTS} is not current: run with SELVEDGE_BLESS=1")),
    }
}

fn cargo(args: &[&str]) -> Result<(), String> {
    let mut command = Command::new("cargo");
    command.args(args);
    succeed(command)
}

fn succeed(mut command: Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} failed: {status}")) }
}

fn main() -> ExitCode {
    let names: Vec<&str> = GATE.iter().chain(ON_REQUEST).map(|step| step.name).collect();
    let args = match Args::parse(std::env::args().skip(1), &names) {
        Ok(args) => args,
        Err(why) => {
            eprintln!("gate: {why}\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    // Of an earlier run nothing may be taken for this one's.
    let _ = fs::remove_dir_all(&args.artefacts);
    if let Err(error) = fs::create_dir_all(&args.artefacts) {
        eprintln!("gate: cannot make {}: {error}", args.artefacts.display());
        return ExitCode::from(2);
    }
    let is_named = |step: &&Step| args.steps.iter().any(|s| s == step.name);
    let gate = GATE.iter().filter(|step| args.steps.is_empty() || is_named(step));
    let steps = gate.chain(ON_REQUEST.iter().filter(is_named));
    let done: Vec<Done> = steps.map(|step| run(step, &args)).collect();
    let page = args.artefacts.join("index.md");
    if let Err(error) = fs::write(&page, index::page(&done, &args.artefacts)) {
        eprintln!("gate: cannot write {}: {error}", page.display());
        return ExitCode::FAILURE;
    }
    for failed in done.iter().filter(|done| done.failure.is_some()) {
        eprintln!("gate: {} failed", failed.name);
    }
    println!("gate: see {}", page.display());
    if done.iter().all(|done| done.failure.is_none()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn run(step: &Step, args: &Args) -> Done {
    let started = Instant::now();
    println!("== {}", step.name);
    let failure = (step.run)(args).err();
    if let Some(why) = &failure {
        eprintln!("gate: {}: {why}", step.name);
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("== {} took {seconds:.1} s", step.name);
    Done { name: step.name, failure, seconds }
}
