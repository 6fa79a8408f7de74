//! `selvedge mutate`: makes a fault at each step of the models, and says which claim notices it.

mod kills;
mod page;
mod text;

use std::time::Instant;

use selvedge_proofs::mutation::judge::{Asked, judge};
use selvedge_proofs::mutation::survivors::{Explained, Survivors};
use selvedge_proofs::mutation::{Fate, Mutant, Survey, candidates, look};

use crate::args::{Format, MutateArgs};
use crate::error::Failure;
use crate::interrupt::Interrupt;
use crate::progress::Meter;
use crate::select::{not_empty, tree};
use crate::{Outcome, Status, output, threads};

pub use kills::{kills_in, page_of_checkout};
pub use page::{file_of, model_of};
pub use text::what;

/// What the exit code says of mutants.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  every mutant is killed, or proofs/survivors.toml says why not
  1  a mutant survives without a reason, or an entry of that file is wrong
  2  wrong usage or bad input
  3  undecided: a limit was hit, and that file says nothing of the mutant";

/// A mutant, and what came of it.
struct Judged<'a> {
    mutant: &'a Mutant,
    fate: Fate,
    /// If no claim notices it, and somebody has looked into that.
    explained: Option<Explained<'a>>,
}

impl Judged<'_> {
    fn is_unexplained(&self) -> bool {
        matches!(self.fate, Fate::Survived { .. }) && self.explained.is_none()
    }
}

/// All that was found.
struct Found<'a> {
    survey: &'a Survey,
    judged: Vec<Judged<'a>>,
    /// Entries of the file of survivors that are wrong.
    faults: Vec<String>,
    executions: u64,
    seconds: f64,
    /// Somebody stopped it: what was not judged by then is undecided, whatever is known of it.
    is_interrupted: bool,
}

impl Found<'_> {
    fn count(&self, is_meant: impl Fn(&Judged<'_>) -> bool) -> usize {
        self.judged.iter().filter(|judged| is_meant(judged)).count()
    }

    fn unexplained(&self) -> usize {
        self.judged.iter().filter(|judged| judged.is_unexplained()).count()
    }

    fn status(&self) -> Status {
        let is_undecided = |judged: &Judged<'_>| {
            matches!(judged.fate, Fate::Undecided(_))
                && (judged.explained.is_none() || self.is_interrupted)
        };
        if !self.faults.is_empty() || self.unexplained() > 0 {
            Status::Unexpected
        } else if self.count(is_undecided) > 0 {
            Status::Undecided
        } else {
            Status::AsExpected
        }
    }
}

/// Judges the mutants that the arguments name.
pub fn run(args: &MutateArgs) -> Outcome {
    let started = Instant::now();
    let tree = tree(&args.tree)?;
    args.filters.iter().try_for_each(|filter| not_empty(filter))?;
    let survivors = Survivors::read().map_err(Failure::new)?;
    let workers = args.workers.map_or_else(threads::cores, usize::from);
    let rows = candidates(tree);
    if rows.is_empty() {
        return Err(Failure::new(format!("no claim holds in the tree `{}`", tree.name)));
    }
    let survey = Survey::of(tree, threads::on_each(&rows, workers, |&row| look(row)));
    let meant = meant(&survey, &args.filters)?;
    let interrupt = Interrupt::catch()?;
    let meter = Meter::new(meant.len());
    let asked = if args.all { Asked::All } else { Asked::Small };
    let fates = threads::on_each(&meant, workers, |mutant| {
        let judged = match interrupt.is_set() {
            true => (Fate::Undecided("an interrupt from outside".into()), 0),
            false => judge(&survey, mutant, asked),
        };
        meter.row_done();
        judged
    });
    meter.finish();
    let executions = fates.iter().map(|(_, executions)| executions).sum();
    let fates: Vec<(&Mutant, Fate)> =
        meant.into_iter().zip(fates).map(|(mutant, (fate, _))| (mutant, fate)).collect();
    // Its entries are about one tree, and about mutants that were judged.
    let are_judged = tree.name == Survivors::TREE && !interrupt.is_set();
    let faults = if are_judged { survivors.faults(&survey.mutants, &fates) } else { Vec::new() };
    let judged = fates.into_iter().map(|(mutant, fate)| Judged {
        mutant,
        fate,
        explained: survivors.explain(mutant),
    });
    let found = Found {
        survey: &survey,
        judged: judged.collect(),
        faults,
        executions,
        seconds: started.elapsed().as_secs_f64(),
        is_interrupted: interrupt.is_set(),
    };
    let printed = match (args.report, args.format) {
        (true, _) => page::markdown(&found, tree.name),
        (false, Format::Text) => text::text(&found, !args.filters.is_empty()),
        (false, Format::Json) => text::json(&found, tree.name),
    };
    output::print(&printed)?;
    found.faults.iter().for_each(|fault| {
        output::tell(&format!("selvedge: {}: {fault}", Survivors::path().display()));
    });
    Ok(found.status())
}

fn meant<'a>(survey: &'a Survey, filters: &[String]) -> Result<Vec<&'a Mutant>, Failure> {
    let has = |mutant: &Mutant, filter: &String| mutant.name().contains(filter);
    let is_unknown = |filter: &&String| !survey.mutants.iter().any(|mutant| has(mutant, filter));
    if let Some(filter) = filters.iter().find(is_unknown) {
        let functions = survey.mutants.iter().filter_map(|mutant| mutant.site.function);
        let mut known: Vec<String> = functions.map(String::from).collect();
        known.dedup();
        let near = crate::error::near(filter, &known);
        let hint = match near.is_empty() {
            true => "`selvedge mutate --format json` names all mutants".to_string(),
            false => format!("near: {}", near.join(", ")),
        };
        return Err(Failure::new(format!("no mutant has `{filter}` in its name; {hint}")));
    }
    let is_meant =
        |mutant: &&Mutant| filters.is_empty() || filters.iter().any(|filter| has(mutant, filter));
    Ok(survey.mutants.iter().filter(is_meant).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use selvedge_proofs::mutation::survivors::Survivors;

    use crate::damaged::damaged;

    /// `proofs/survivors.toml` is written by hand: it is read and asked, or the line is named.
    #[test]
    fn damaged_survivors_are_read_or_refused() {
        let whole = "[[equivalent]]\nmutants = [\"f::set_bit#2\", \"*::smp_mb#1::drop\"]\n\
                     reason = \"r\"\n\n[[open]]\nmutants = [\"g\"]\nwanted = \"w\"\n";
        assert!(Survivors::parse(whole).is_ok());
        let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
        proptest!(config, |(bytes in damaged(whole))| {
            match Survivors::parse(&String::from_utf8_lossy(&bytes)) {
                Ok(read) => {
                    let patterns = read.equivalent.iter().map(|entry| entry.mutants.len());
                    let open = read.open.iter().map(|entry| entry.mutants.len());
                    // No mutant is known here, so that each pattern names none.
                    let all = patterns.chain(open).sum::<usize>();
                    prop_assert_eq!(read.faults(&[], &[]).len(), all);
                }
                Err(why) => prop_assert!(why.contains("TOML parse error at line"), "{why}"),
            }
        });
    }
}
