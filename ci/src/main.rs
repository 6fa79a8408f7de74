//! The gate: what has to be green before a change lands. Any CI calls `cargo run -p selvedge-ci`;
//! with names of steps (`-- format tidy`) it runs these only.

mod tidy;

use std::process::{Command, ExitCode};
use std::time::Instant;

/// A named check.
struct Step {
    name: &'static str,
    run: fn() -> Result<(), String>,
}

const GATE: &[Step] = &[
    Step { name: "format", run: || cargo(&["fmt", "--all", "--check"]) },
    Step { name: "tidy", run: tidy::run },
    Step { name: "lints", run: lints },
    Step { name: "docs", run: docs },
    // The proofs, the golden counterexamples and the README's tables are tests.
    Step { name: "tests", run: || cargo(&["test", "--workspace"]) },
];

fn lints() -> Result<(), String> {
    cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
}

fn docs() -> Result<(), String> {
    let mut command = Command::new("cargo");
    command.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
    succeed(command)
}

fn cargo(args: &[&str]) -> Result<(), String> {
    let mut command = Command::new("cargo");
    command.args(args);
    succeed(command)
}

fn succeed(mut command: Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} failed")) }
}

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if let Some(name) = wanted.iter().find(|name| GATE.iter().all(|step| step.name != **name)) {
        let names: Vec<&str> = GATE.iter().map(|step| step.name).collect();
        eprintln!("gate: no step is called {name:?}; there are {}", names.join(", "));
        return ExitCode::from(2);
    }
    let is_wanted = |step: &&Step| wanted.is_empty() || wanted.iter().any(|w| w == step.name);
    for step in GATE.iter().filter(is_wanted) {
        let started = Instant::now();
        println!("== {}", step.name);
        if let Err(why) = (step.run)() {
            eprintln!("gate: {}: {why}", step.name);
            return ExitCode::FAILURE;
        }
        println!("== {} took {:.1} s", step.name, started.elapsed().as_secs_f64());
    }
    ExitCode::SUCCESS
}
