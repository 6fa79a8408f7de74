//! A counterexample again: the same execution from its schedule, and why it fails.

use std::collections::BTreeMap;
use std::sync::Arc;

use selvedge_explore::{Body, Bounds, Engine, Replayed};
use selvedge_models::{Kernel, functions};
use selvedge_trace::{Counterexample, Model};

use crate::check::monitors;
use crate::{Claim, Run};

/// The version of the models, as far as the counterexample comes through them.
pub fn model_of(cx: &Counterexample) -> Model {
    let hash = |name: &str| functions::text_hash(name).map(|hash| format!("{hash:016x}"));
    let known = cx.functions().into_iter().filter_map(|name| Some((name.into(), hash(name)?)));
    Model::new(env!("CARGO_PKG_VERSION"), known.collect::<BTreeMap<String, String>>())
}

/// Runs the claim's scenario once, along this schedule. Not of an engine that cannot be told one
/// ([`Engine::takes_schedules`]).
pub fn replay(claim: &Claim, schedule: &[i32]) -> Replayed {
    selvedge_explore::replay(&Bounds::PROOF, monitors(claim), &body(claim), schedule)
}

/// The counterexample as simple as could be found, with why it fails
/// ([`selvedge_explore::explain`]).
/// `Err`: it cannot be explained, and why.
pub fn explain(
    claim: &Claim,
    engine: Engine,
    bounds: &Bounds,
    cx: &Counterexample,
) -> Result<Counterexample, String> {
    if engine == Engine::Loom {
        return Err("loom ends its search at the first violation, so that its executions cannot \
                    be compared; if the claim has rows of dpor, explain one of those"
            .into());
    }
    if !engine.takes_schedules() {
        return Err(format!(
            "{engine} explores graphs, and no orders of steps that could be compared; if the claim \
             has rows of dpor, explain one of those"
        ));
    }
    let mut found = selvedge_explore::explain(bounds, monitors(claim), &body(claim), cx)?;
    found.model = Some(model_of(&found));
    Ok(found)
}

fn body(claim: &Claim) -> Body {
    let (scenario, tree) = (claim.scenario, claim.tree);
    Arc::new(move || scenario.play(&Run::new(Kernel::new(tree, scenario.machine))))
}
