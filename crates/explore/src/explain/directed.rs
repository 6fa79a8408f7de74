//! When all executions are too many to be compared: from the few that are known the conditions are
//! guessed that could make the difference, and each guess is tested by looking for an execution
//! that contradicts it. Such a search gives an execution up as soon as it cannot be one, and ends
//! at the first; what it finds makes the next guess better. A guess that nothing contradicts is
//! true of all executions, though most of them were never run to their end.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use dpor::{End, Next, Observer, SleepSets, Step};
use selvedge_trace::{Counterexample, Explanation};

use super::conditions::{self, Picked};
use super::decisive::Decided;
use super::orders::{Collector, Compared, Comparison, Met, has};
use crate::machine::shuttle::{how_it_ended, run_quietly};
use crate::replay::{decisions, follow};
use crate::tally::{Monitors, Seen, others};
use crate::task::Stop;
use crate::verdict::Cut;
use crate::{Body, Bounds, Engine, footprint, record};

/// So many guesses are tested at most.
const GUESSES_MAX: usize = 200;
/// What contradicts is looked for among the executions that begin as the failing one does up to so
/// many decisions before the one that decides, before it is looked for among all.
const STEPS_BACK: [usize; 3] = [0, 16, 64];

/// Who looks for what contradicts.
pub(super) struct Directed<'a> {
    pub(super) bounds: &'a Bounds,
    pub(super) monitors: &'a Monitors,
    pub(super) body: &'a Body,
    pub(super) cx: &'a Counterexample,
    pub(super) comparison: &'a Comparison,
    pub(super) decided: &'a Decided,
    /// Did an execution break another rule?
    pub(super) others: Cell<bool>,
}

/// What contradicts that an execution fails exactly if it meets the conditions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Contradicts {
    /// It meets them, and does not fail.
    Passes,
    /// It does not, and fails.
    FailsOtherwise,
}

impl Directed<'_> {
    /// Finds the conditions, and says them. `Err`: why it found none.
    pub(super) fn explain(&self, why: &mut Explanation) -> Result<(), String> {
        let mut compared = self.comparison.nothing_yet();
        self.add_known(&mut compared);
        for _ in 0..GUESSES_MAX {
            let mut guess = conditions::pick(&compared)?;
            if let Some(met) = self.contradiction(&guess, Contradicts::Passes)? {
                add(&mut compared, met);
                continue;
            }
            match self.otherwise(&guess) {
                Ok(Some(met)) => add(&mut compared, met),
                Ok(None) => {
                    if self.others.get() {
                        why.limits
                            .push("executions that break another rule are not compared".into());
                    }
                    conditions::take(&compared, &guess, why);
                    return Ok(());
                }
                Err(limit) => {
                    guess.is_necessary = false;
                    conditions::take(&compared, &guess, why);
                    why.others_unknown = true;
                    why.limits.push(format!("whether there are other ways to fail: {limit}"));
                    return Ok(());
                }
            }
        }
        Err(format!("{GUESSES_MAX} guesses were all contradicted"))
    }

    /// An execution that fails without these, if it is not known that there are any.
    fn otherwise(&self, guess: &Picked) -> Result<Option<Met>, String> {
        match guess.is_necessary {
            true => self.contradiction(guess, Contradicts::FailsOtherwise),
            false => Ok(None),
        }
    }

    /// The failing execution, and the one that could have been instead.
    fn add_known(&self, compared: &mut Compared) {
        for schedule in [&self.cx.schedule, &self.decided.schedule] {
            let watching = self.watching();
            let watched = follow(self.bounds, watching, self.body, schedule).1;
            if let Some(met) = last(&watched) {
                add(compared, met);
            }
        }
    }

    fn watching(&self) -> Monitors {
        let mut watching = others(self.monitors);
        watching.push(Box::new(self.comparison.collector(self.cx)));
        watching
    }

    /// Looks near the failing execution first, and in the end everywhere.
    fn contradiction(&self, guess: &Picked, how: Contradicts) -> Result<Option<Met>, String> {
        let mut before = usize::MAX;
        let near = STEPS_BACK.iter().map(|back| self.decided.at.saturating_sub(*back));
        for until in near.chain([0]) {
            let until = super::behind::at_a_task(self.cx, until);
            if until >= before {
                continue;
            }
            before = until;
            if let Some(met) = self.search(guess, how, until)? {
                return Ok(Some(met));
            }
        }
        Ok(None)
    }

    fn search(
        &self,
        guess: &Picked,
        how: Contradicts,
        until: usize,
    ) -> Result<Option<Met>, String> {
        let watching = self.watching();
        record::begin_search(Engine::Dfs, &Bounds { keep_going: false, ..self.bounds.clone() });
        footprint::begin_search(&watching);
        let asked = self.comparison.asked(&guess.set, how == Contradicts::Passes);
        record::with(|record| record.ask(asked));
        let probe = Probe {
            seen: Seen::by(watching),
            bounds: self.bounds.clone(),
            set: guess.set.clone(),
            how,
            runs: 0,
            others: false,
            answer: None,
        };
        let probe = Rc::new(RefCell::new(probe));
        let observer = Box::new(Shared(probe.clone()));
        let beginning = decisions(&self.cx.schedule[..until]);
        let steps_max = 2 * self.bounds.steps_max;
        run_quietly(SleepSets::after(&beginning, observer, steps_max), self.body)?;
        let mut probe = probe.borrow_mut();
        self.others.set(self.others.get() || probe.others);
        let answer = probe.answer.take();
        answer.map_or(Ok(None), |answer| answer.map(Some).map_err(|cut| cut.to_string()))
    }
}

fn add(compared: &mut Compared, met: Met) {
    let seen = if met.fails { &mut compared.failing } else { &mut compared.passing };
    *seen.entry(met.bits).or_default() += 1;
}

/// What the last execution has shown to the last of the monitors.
fn last(monitors: &Monitors) -> Option<Met> {
    let last: &dyn std::any::Any = &**monitors.last()?;
    last.downcast_ref::<Collector>()?.last().cloned()
}

struct Probe {
    seen: Seen,
    bounds: Bounds,
    set: Vec<usize>,
    how: Contradicts,
    /// Executions, also those that were given up.
    runs: u64,
    /// One has broken another rule.
    others: bool,
    /// The first that contradicts; `Err`: what ended the search before it was known whether there
    /// is one.
    answer: Option<Result<Met, Cut>>,
}

impl Probe {
    fn contradicts(&self, met: &Met) -> bool {
        let meets_all = self.set.iter().all(|&number| has(&met.bits, number));
        match self.how {
            Contradicts::Passes => !met.fails && meets_all,
            Contradicts::FailsOtherwise => met.fails && !meets_all,
        }
    }

    fn cut(&self, end: &End, stopped: Option<Stop>) -> Option<Cut> {
        let max = self.bounds.executions_max;
        match (end, stopped) {
            (End::NotDeterministic(what), _) => Some(Cut::NotDeterministic(what.clone())),
            (_, Some(Stop::StepLimit)) => Some(Cut::steps()),
            (_, Some(Stop::Unable(why))) => Some(Cut::Engine(why)),
            _ if self.bounds.is_interrupted() => Some(Cut::Interrupted),
            _ => (self.runs >= max).then_some(Cut::Executions(max)),
        }
    }
}

impl Observer for Probe {
    fn execution_ended(&mut self, end: &End, _: &[Step]) -> Next {
        self.runs += 1;
        let (ended, stopped) = how_it_ended(end);
        let is_whole = *end != End::SleepSetBlocked && matches!(stopped, None | Some(Stop::Failed));
        let cut = self.cut(end, stopped);
        let mut found = None;
        if is_whole && cut.is_none() {
            self.seen.execution_ended(ended, true, Vec::new);
            let met = last(&self.seen.monitors);
            self.others |= met.is_none();
            found = met.filter(|met| self.contradicts(met));
        }
        self.answer = found.map(Ok).or(cut.map(Err));
        if self.answer.is_some() { Next::Stop } else { Next::Continue }
    }
}

struct Shared(Rc<RefCell<Probe>>);

impl Observer for Shared {
    fn execution_ended(&mut self, end: &End, schedule: &[Step]) -> Next {
        self.0.borrow_mut().execution_ended(end, schedule)
    }
}
