//! Why a counterexample fails: the execution with the fewest preemptions that breaks the rule, the
//! orders of steps that it takes, and the step that decides. All of it by exploration: what could
//! not be explored to the end is named.

mod behind;
mod conditions;
mod decisive;
mod minimal;
mod orders;

use selvedge_trace::{Counterexample, Explanation, Monitor, because};

use self::behind::Behind;
use self::orders::Comparison;
use crate::tally::others;
use crate::{Body, Bounds};

/// A counterexample that is as simple as could be found, with its explanation in it. `Err`: it
/// cannot be explained, and why.
///
/// `found` is of a sequentially consistent engine, and has its schedule. `bounds.executions_max` is
/// the limit of each of the parts: of the comparison of all executions, of what can happen after a
/// step. If the first is too much, those with a common beginning are compared, as far back as a
/// fourth of it does. The search for fewer preemptions has a tenth of it for each count: it runs
/// every order of steps, and not one of those that are alike, so that it soon grows beyond any
/// limit.
pub fn explain(
    bounds: &Bounds,
    monitors: Vec<Box<dyn Monitor>>,
    body: &Body,
    found: &Counterexample,
) -> Result<Counterexample, String> {
    let bounds = &Bounds { keep_going: false, stateful: false, time_max: None, ..bounds.clone() };
    let mut why = Explanation::default();
    let fewer = Bounds { executions_max: bounds.executions_max.div_ceil(10), ..bounds.clone() };
    let mut cx = minimal::with_fewest_preemptions(&fewer, &monitors, body, found, &mut why)?;
    let decided = match decisive::step(bounds, others(&monitors), body, &cx) {
        Ok(decided) => decided,
        Err(limit) => {
            why.limits.push(limit);
            None
        }
    };
    let comparison = Comparison::new(bounds, body, &cx, decided.as_ref());
    let compared = match comparison.of_all(bounds, &monitors, body, &cx) {
        Ok(compared) => Some(compared),
        Err(limit) => {
            why.limits.push(limit);
            let fewer =
                Bounds { executions_max: bounds.executions_max.div_ceil(4), ..bounds.clone() };
            let compare =
                |decided| behind::compare(&fewer, &monitors, body, &cx, &comparison, decided);
            decided.as_ref().and_then(compare).map(|Behind { from, compared }| {
                why.from = Some(from).filter(|&from| from > 0);
                compared
            })
        }
    };
    if let Some(compared) = compared {
        (why.executions, why.failing) = (compared.executions(), compared.failing());
        conditions::choose(&compared, &mut why);
    }
    if let Some(decided) = decided {
        (why.decisive, why.passing) = (Some(decided.step), Some(decided.passing));
    }
    why.unneeded = because::unneeded(&cx, &why);
    why.sentence = because::sentence(&cx, &why);
    cx.explanation = Some(why);
    Ok(cx)
}
