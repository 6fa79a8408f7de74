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
use selvedge_proofs::{Run, Scenario};

const ROUNDS: usize = 3;

fn main() {
    let mut args = std::env::args().skip(1);
    let kernel = args.next().expect("the kernel tree");
    let named: Vec<String> = args.collect();
    let named = if named.is_empty() { vec![USUAL.to_string()] } else { named };
    for name in named {
        for _ in 0..ROUNDS {
            let (c, model) = (of_c(&kernel, &name), of_model(&kernel, &name));
            println!("{name}: {c:.0} on C, {model:.0} on the model: {:.2}", c / model);
        }
    }
}

/// A large one.
const USUAL: &str = "killed_waiter_before_plain_waiter_unfairness_0";

/// Seconds that this process has used.
fn seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").expect("Linux");
    text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).expect("a number") / 1e9
}

fn of_c(kernel: &str, name: &str) -> f64 {
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
        let checked = check(&request, &|_| ()).unwrap_or_else(|error| panic!("{error}"));
        (checked.before[0].exploration.executions, seconds() - begun)
    };
    let (executions, all) = timed(Bounds::PROOF.executions_max);
    let (_, besides) = timed(1);
    executions as f64 / (all - besides)
}

fn of_model(kernel: &str, name: &str) -> f64 {
    let version = if kernel.contains("6.12") { "v6.12.117" } else { "v6.1" };
    let release = trees::ALL.iter().find(|tree| tree.name == version).expect("a release");
    let (base, unfairness) = match name.split_once("_unfairness_") {
        Some((base, number)) => (base, number.parse().expect("a number")),
        None => (name, 5),
    };
    let of: &'static Scenario = selvedge_proofs::rows()
        .map(|(claim, _)| claim.scenario)
        .find(|scenario| scenario.name == base)
        .expect("a scenario that has models");
    let filemap = Filemap { unfairness, ..release.filemap };
    let tree: &'static Tree = Box::leak(Box::new(Tree { filemap, ..**release }));
    let rule = selvedge_proofs::rows().find(|(c, _)| c.scenario.name == base).expect("a claim");
    let monitors = for_rule(rule.0.rule);
    let machine = of.machine.operations().mlock();
    let body = Arc::new(move || of.play(&Run::new(Kernel::new(tree, machine))));
    let bounds = Bounds { workers: 1, stateful: false, ..Bounds::PROOF };
    let begun = seconds();
    let seen = explore(Engine::Dpor, &bounds, monitors, body);
    seen.executions as f64 / (seconds() - begun)
}
