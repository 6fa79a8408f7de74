//! Why a counterexample fails: the execution with the fewest preemptions that breaks the rule, the
//! orders of steps that it takes, and the step that decides. All of it by exploration: what could
//! not be explored to the end is named.

mod conditions;
mod decisive;
mod minimal;
mod orders;

use selvedge_trace::{Counterexample, Explanation, Monitor, because};

use crate::tally::others;
use crate::{Body, Bounds};

/// A counterexample that is as simple as could be found, with its explanation in it. `Err`: it
/// cannot be explained, and why.
///
/// `found` is of a sequentially consistent engine, and has its schedule. `bounds.executions_max` is
/// the limit of each of the parts: of the search for fewer preemptions, of the comparison of all
/// executions, of what can happen after a step.
pub fn explain(
    bounds: &Bounds,
    monitors: Vec<Box<dyn Monitor>>,
    body: &Body,
    found: &Counterexample,
) -> Result<Counterexample, String> {
    let bounds = &Bounds { keep_going: false, stateful: false, time_max: None, ..bounds.clone() };
    let mut why = Explanation::default();
    let mut cx = minimal::with_fewest_preemptions(bounds, &monitors, body, found, &mut why)?;
    match orders::compare(bounds, &monitors, body, &cx) {
        Ok(compared) => {
            (why.executions, why.failing) = (compared.executions(), compared.failing());
            conditions::choose(&compared, &mut why);
        }
        Err(limit) => why.limits.push(limit),
    }
    match decisive::step(bounds, others(&monitors), body, &cx) {
        Ok(Some((step, passing))) => (why.decisive, why.passing) = (Some(step), Some(passing)),
        Ok(None) => {}
        Err(limit) => why.limits.push(limit),
    }
    why.unneeded = because::unneeded(&cx, &why);
    why.sentence = because::sentence(&cx, &why);
    cx.explanation = Some(why);
    Ok(cx)
}
