//! Why a counterexample fails: the execution with the fewest preemptions that breaks the rule, the
//! orders of steps that it takes, and the step that decides. All of it by exploration: what could
//! not be explored to the end is named.

mod behind;
mod conditions;
mod decisive;
mod directed;
mod minimal;
mod orders;

use std::cell::Cell;

use selvedge_trace::{Counterexample, Explanation, Monitor, because};

use self::behind::Behind;
use self::decisive::Decided;
use self::directed::Directed;
use self::orders::Comparison;
use crate::tally::{Monitors, others};
use crate::{Body, Bounds};

/// A counterexample that is as simple as could be found, with its explanation in it. `Err`: it
/// cannot be explained, and why.
///
/// `found` is of a sequentially consistent engine, and has its schedule. `bounds.executions_max` is
/// the limit of each of the parts: of the comparison of all executions, of what can happen after a
/// step. If the first is too much, each guess at the orders is tested by as many executions; and if
/// that does not do, those with a common beginning are compared, as far back as a fourth of it
/// does. The search for fewer preemptions has a tenth of it for each count: it runs every order of
/// steps, and not one of those that are alike, so that it soon grows beyond any limit.
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
    compare(bounds, &monitors, body, &cx, decided.as_ref(), &mut why);
    if let Some(decided) = decided {
        (why.decisive, why.passing) = (Some(decided.step), Some(decided.passing));
    }
    why.unneeded = because::unneeded(&cx, &why);
    why.sentence = because::sentence(&cx, &why);
    cx.explanation = Some(why);
    Ok(cx)
}

/// Which orders it takes, of all executions; if these are too many to be run, by looking for what
/// contradicts; if that is too much as well, of those with a common beginning.
fn compare(
    bounds: &Bounds,
    monitors: &Monitors,
    body: &Body,
    cx: &Counterexample,
    decided: Option<&Decided>,
    why: &mut Explanation,
) {
    let comparison = Comparison::new(bounds, body, cx, decided);
    let limit = match comparison.of_all(bounds, monitors, body, cx) {
        Ok(compared) => {
            (why.executions, why.failing) = (compared.executions(), compared.failing());
            return conditions::choose(&compared, why);
        }
        Err(limit) => limit,
    };
    let Some(decided) = decided.filter(|_| !bounds.is_interrupted()) else {
        return why.limits.push(limit);
    };
    let others = Cell::new(false);
    let directed =
        Directed { bounds, monitors, body, cx, comparison: &comparison, decided, others };
    let Err(directed_limit) = directed.explain(why) else { return };
    why.limits.push(format!("{limit}; nor by looking for what contradicts: {directed_limit}"));
    let fewer = Bounds { executions_max: bounds.executions_max.div_ceil(4), ..bounds.clone() };
    let behind = behind::compare(&fewer, monitors, body, cx, &comparison, decided);
    if let Some(Behind { from, compared }) = behind {
        why.from = Some(from).filter(|&from| from > 0);
        (why.executions, why.failing) = (compared.executions(), compared.failing());
        conditions::choose(&compared, why);
    }
}
