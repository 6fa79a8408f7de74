//! `selvedge orders`: which ordering each weak claim needs, and which one a violated claim lacks.

mod print;

use std::time::Instant;

use selvedge_explore::{Bounds, Engine, Verdict};
use selvedge_proofs::mutation::orders::{Cures, Needs, cures, needs};
use selvedge_proofs::mutation::survivors::Survivors;
use selvedge_proofs::{Claim, Expected};

use crate::args::{CheckArgs, Format, OrdersArgs};
use crate::error::Failure;
use crate::interrupt::Interrupt;
use crate::progress::Meter;
use crate::select::select;
use crate::{Outcome, Status, output, threads};

/// What the exit code says.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  every claim is decided, as expected; whether a violated one has a cure does not matter
  1  a claim is violated that should hold, or holds that should not
  2  wrong usage or bad input
  3  undecided: a limit was hit, and is named";

/// The tree that is meant if nothing is said.
const TREE: &str = "v6.12.117";

/// A claim, and what came of its orderings.
struct Asked {
    claim: &'static Claim,
    found: Found,
}

enum Found {
    /// It holds, with these.
    Holds(Needs),
    /// It is violated.
    Violated(Cures),
    /// It is otherwise than expected, or undecided.
    Otherwise(Verdict),
}

impl Asked {
    fn name(&self) -> String {
        self.claim.name(Engine::Graph)
    }

    fn status(&self) -> Status {
        let is_undecided = match &self.found {
            Found::Otherwise(Verdict::Undecided(_) | Verdict::HoldsWithin(_)) => true,
            Found::Otherwise(Verdict::Holds | Verdict::Violated) => return Status::Unexpected,
            Found::Holds(needs) => needs.is_undecided(),
            Found::Violated(cures) => cures.is_undecided(),
        };
        if is_undecided { Status::Undecided } else { Status::AsExpected }
    }
}

/// All that was found.
struct All {
    asked: Vec<Asked>,
    survivors: Survivors,
    seconds: f64,
}

/// Asks the claims that the arguments name.
pub fn run(args: &OrdersArgs) -> Outcome {
    let started = Instant::now();
    let claims = claims(args)?;
    let survivors = Survivors::read().map_err(Failure::new)?;
    let interrupt = Interrupt::catch()?;
    let bounds = Bounds {
        executions_max: args.max_executions,
        interrupted: Some(interrupt.flag()),
        ..Bounds::PROOF
    };
    let workers = args.workers.map_or_else(threads::cores, usize::from);
    let meter = Meter::new(claims.len());
    let asked = threads::on_each(&claims, workers, |&claim| {
        let found = ask(claim, &bounds);
        interrupt.tell();
        meter.row_done();
        Asked { claim, found }
    });
    meter.finish();
    let all = All { asked, survivors, seconds: started.elapsed().as_secs_f64() };
    output::print(&match args.format {
        Format::Text => print::text(&all),
        Format::Json => print::json(&all),
    })?;
    let statuses = || all.asked.iter().map(Asked::status);
    let worst = [Status::Unexpected, Status::Undecided];
    let worst = worst.into_iter().find(|worst| statuses().any(|status| status == *worst));
    Ok(worst.unwrap_or(Status::AsExpected))
}

/// The weak claims that are meant: with nothing said those of one release.
fn claims(args: &OrdersArgs) -> Result<Vec<&'static Claim>, Failure> {
    let is_all = args.trees.is_empty() && args.filters.is_empty();
    let rows = select(&CheckArgs {
        filters: args.filters.clone(),
        trees: if is_all { vec![TREE.into()] } else { args.trees.clone() },
        engines: vec![Engine::Graph.to_string()],
        ..CheckArgs::default()
    })?;
    Ok(rows.into_iter().map(|(claim, _)| claim).collect())
}

fn ask(claim: &'static Claim, bounds: &Bounds) -> Found {
    let found = match claim.expected {
        Expected::Holds => needs(claim, bounds).map(Found::Holds),
        Expected::Violated => cures(claim, bounds).map(Found::Violated),
    };
    found.unwrap_or_else(Found::Otherwise)
}
