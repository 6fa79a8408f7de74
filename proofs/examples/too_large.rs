//! The claims that are not asked of `graph` in every run because they are too large, asked of it
//! all the same: `cargo run --release -p selvedge-proofs --example too_large -- [SECONDS] [PART]`.
//! Each is given so many seconds of the clock (60 if nothing is said).
//!
//! Ends with 1 if a verdict is another one than under sequential consistency, with 3 if none is
//! and some claims are undecided.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use selvedge_proofs::claims::weak::is_too_large;
use selvedge_proofs::{Bounds, Claim, Engine, Outcome, check, rows};

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let seconds = match args.next().map(|text| text.parse::<u64>()) {
        None => 60,
        Some(Ok(seconds)) => seconds,
        Some(Err(error)) => {
            eprintln!("SECONDS, the first argument, is a whole number: {error}");
            return ExitCode::from(2);
        }
    };
    let part = args.next().unwrap_or_default();
    let (mut as_expected, mut others, mut undecided) = (0, 0, 0);
    for (claim, _) in rows().filter(|(_, engine)| *engine == Engine::Dpor) {
        let name = claim.name(Engine::Graph);
        if !is_too_large(claim) || !name.contains(&part) {
            continue;
        }
        let outcome = ask(claim, &name, Duration::from_secs(seconds));
        let tally = match outcome {
            Outcome::AsExpected => &mut as_expected,
            Outcome::Undecided(_) => &mut undecided,
            Outcome::Unexpected(_) => &mut others,
        };
        *tally += 1;
    }
    println!("{as_expected} as under sequential consistency, {others} not, {undecided} undecided");
    ExitCode::from(match (others, undecided) {
        (0, 0) => 0,
        (0, _) => 3,
        _ => 1,
    })
}

fn ask(claim: &'static Claim, name: &str, time: Duration) -> Outcome {
    let bounds = Bounds { time_max: Some(time), executions_max: u64::MAX, ..Bounds::PROOF };
    let start = Instant::now();
    let row = check(claim, Engine::Graph, &bounds);
    let seconds = start.elapsed().as_secs_f64();
    let seen = &row.exploration;
    let (executions, steps) = (seen.executions, seen.steps_max);
    println!("{executions:>8} executions {steps:>5} steps {seconds:>8.2} s  {name}");
    if row.outcome != Outcome::AsExpected {
        println!("    {}, expected: {}", seen.verdict, claim.expected.name());
    }
    row.outcome
}
