//! Why a counterexample fails: the execution with the fewest preemptions that breaks the rule, the
//! orders of steps that it takes, and the step that decides. All of it by exploration: what could
//! not be explored to the end is named.

mod behind;
mod collector;
mod conditions;
mod decisive;
mod directed;
mod gather;
mod minimal;
mod orders;
mod ways;

use selvedge_trace::{Counterexample, Explanation, Monitor, because};

use self::behind::Behind;
use self::decisive::Decided;
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
/// does. The search for fewer preemptions has it for each count.
pub fn explain(
    bounds: &Bounds,
    monitors: Vec<Box<dyn Monitor>>,
    body: &Body,
    found: &Counterexample,
) -> Result<Counterexample, String> {
    let bounds = &Bounds { keep_going: false, stateful: false, time_max: None, ..bounds.clone() };
    let mut why = Explanation::default();
    let mut cx = minimal::with_fewest_preemptions(bounds, &monitors, body, found, &mut why)?;
    let decided = match decisive::step(bounds, others(&monitors), body, &cx) {
        Ok(decided) => decided,
        Err(limit) => {
            why.limits.push(limit);
            None
        }
    };
    let of = Subject { bounds, monitors: &monitors, body, cx: &cx };
    compare(&of, decided.as_ref(), &mut why);
    if let Some(decided) = decided {
        (why.decisive, why.passing) = (Some(decided.step), Some(decided.passing));
    }
    why.unneeded = because::unneeded(&cx, &why);
    why.sentence = because::sentence(&cx, &why);
    cx.explanation = Some(why);
    Ok(cx)
}

/// What is explained.
#[derive(Clone, Copy)]
struct Subject<'a> {
    bounds: &'a Bounds,
    monitors: &'a Monitors,
    body: &'a Body,
    cx: &'a Counterexample,
}

impl Subject<'_> {
    /// Those who say whether an execution fails, and who looks at it then.
    fn watched_by(&self, last: Box<dyn Monitor>) -> Monitors {
        let mut watching = others(self.monitors);
        watching.push(last);
        watching
    }
}

/// Which orders it takes, of all executions; if these are too many to be run, by looking for what
/// contradicts; if that is too much as well, of those with a common beginning.
fn compare(of: &Subject<'_>, decided: Option<&Decided>, why: &mut Explanation) {
    let comparison = Comparison::new(of, decided);
    let all = |last| orders::run_all(of, last);
    let limit = match comparison.and_gather(&all) {
        Ok(compared) => {
            (why.executions, why.failing) = (compared.0.executions(), compared.0.failing());
            return conditions::choose(&comparison, &compared, &all, why);
        }
        Err(limit) => limit,
    };
    let Some(decided) = decided.filter(|_| !of.bounds.is_interrupted()) else {
        return why.limits.push(limit);
    };
    let directed = directed::explain(of, &comparison, decided, why);
    let Err(directed_limit) = directed else { return };
    why.limits.push(format!("{limit}; nor by looking for what contradicts: {directed_limit}"));
    let executions_max = of.bounds.executions_max.div_ceil(4);
    let fewer = Bounds { executions_max, ..of.bounds.clone() };
    let of = &Subject { bounds: &fewer, ..*of };
    if let Some(Behind { until, from, compared }) = behind::compare(of, &comparison, decided) {
        why.from = Some(from).filter(|&from| from > 0);
        (why.executions, why.failing) = (compared.0.executions(), compared.0.failing());
        let after = |last| behind::run_after(of, until, last);
        conditions::choose(&comparison, &compared, &after, why);
    }
}
