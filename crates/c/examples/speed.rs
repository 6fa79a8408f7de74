//! How many executions of a scenario a second of CPU time is good for, on C and on the model:
//!
//! ```sh
//! cargo run --release -p selvedge-c --example speed -- ~/linux [SCENARIO]...
//! ```
//!
//! What it takes to link, audit and load is not counted. The two take turns, so that what else the
//! machine does slows both.

use std::sync::Arc;

use selvedge_c::{Request, check};
use selvedge_explore::{Bounds, Engine, explore};
use selvedge_models::mm::filemap::Filemap;
use selvedge_models::{Kernel, Tree, trees};
use selvedge_monitors::for_rule;
use selvedge_proofs::{Claim, Run, Scenario};

const ROUNDS: usize = 3;

fn main() {
    if let Err(why) = measure(std::env::args().skip(1)) {
        eprintln!("speed: {why}");
        std::process::exit(2);
    }
}

fn measure(mut args: impl Iterator<Item = String>) -> Result<(), String> {
    let kernel = args.next().ok_or("which kernel tree? speed DIR [SCENARIO]...")?;
    let named: Vec<String> = args.collect();
    let named = if named.is_empty() { vec![USUAL.to_string()] } else { named };
    // Before anything is compiled for it.
    named.iter().try_for_each(|name| claim_of(name).map(|_| ()))?;
    for name in named {
        for _ in 0..ROUNDS {
            let (c, model) = (of_c(&kernel, &name)?, of_model(&kernel, &name)?);
            println!("{name}: {c:.0} on C, {model:.0} on the model: {:.2}", c / model);
        }
    }
    Ok(())
}

/// A large one.
const USUAL: &str = "killed_waiter_before_plain_waiter_unfairness_0";

/// Seconds that this process has used.
fn seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").expect("Linux");
    text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).expect("a number") / 1e9
}

fn of_c(kernel: &str, name: &str) -> Result<f64, String> {
    let timed = |executions_max| {
        let request = Request {
            kernel: kernel.into(),
            patches: Vec::new(),
            init: None,
            also: Vec::new(),
            filters: vec![name.to_string()],
            cc: "gcc".into(),
            bounds: Bounds { executions_max, ..Bounds::PROOF },
            every_access: std::env::var_os("EVERY_ACCESS").is_some(),
        };
        let begun = seconds();
        let checked = check(&request, &|_| ()).map_err(|error| error.to_string())?;
        let lacks = || format!("this kernel lacks a function of {name}");
        let ran = checked.before.first().ok_or_else(lacks)?;
        Ok::<_, String>((ran.exploration.executions, seconds() - begun))
    };
    let (executions, all) = timed(Bounds::PROOF.executions_max)?;
    let (_, besides) = timed(1)?;
    Ok(executions as f64 / (all - besides))
}

/// A claim about the scenario of this name, and the unfairness that the name asks for.
fn claim_of(name: &str) -> Result<(&'static Claim, u32), String> {
    let (base, unfairness) = match name.split_once("_unfairness_") {
        Some((base, number)) => {
            (base, number.parse().map_err(|_| format!("{name}: {number} is no number"))?)
        }
        None => (name, 5),
    };
    let found = selvedge_proofs::rows().map(|(claim, _)| claim).find(|c| c.scenario.name == base);
    let none = || format!("{base}: no model has it, to compare C with (`selvedge list scenarios`)");
    Ok((found.ok_or_else(none)?, unfairness))
}

fn of_model(kernel: &str, name: &str) -> Result<f64, String> {
    let version = if kernel.contains("6.12") { "v6.12.117" } else { "v6.1" };
    let release = trees::ALL.iter().find(|tree| tree.name == version).expect("a release");
    let (claim, unfairness) = claim_of(name)?;
    let of: &'static Scenario = claim.scenario;
    let filemap = Filemap { unfairness, ..release.filemap };
    let tree: &'static Tree = Box::leak(Box::new(Tree { filemap, ..**release }));
    let monitors = for_rule(claim.rule);
    let machine = of.machine.operations().mlock();
    let body = Arc::new(move || of.play(&Run::new(Kernel::new(tree, machine))));
    let bounds = Bounds { workers: 1, stateful: false, ..Bounds::PROOF };
    let begun = seconds();
    let seen = explore(Engine::Dpor, &bounds, monitors, body);
    Ok(seen.executions as f64 / (seconds() - begun))
}
