//! When all executions are too many to be compared: from the few that are known the conditions are
//! guessed that could make the difference, and each guess is tested by looking for an execution
//! that contradicts it. Such a search gives an execution up as soon as it cannot be one, and ends
//! at the first; what it finds makes the next guess better. A guess that nothing contradicts is
//! true of all executions, though most of them were never run to their end.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use dpor::{End, Next, Observer, SleepSets, Step};
use selvedge_trace::Explanation;

use super::Subject;
use super::collector::{Collector, Met};
use super::conditions::take_ways;
use super::decisive::Decided;
use super::gather::Gather;
use super::orders::{Bits, Compared, Comparison, has, taken};
use super::ways::{self, Ways, meets_one};
use crate::machine::shuttle::{how_it_ended, numbers, run_quietly};
use crate::record::Asked;
use crate::replay::{decisions, follow};
use crate::tally::{Monitors, Seen};
use crate::task::Stop;
use crate::verdict::Cut;
use crate::{Bounds, Engine, footprint, record};

/// So many guesses are tested at most,
const GUESSES_MAX: usize = 200;
/// and so many times the limit of one search is run for all of them.
const SEARCHES_MAX: u64 = 5;
/// What contradicts is looked for among the executions that begin as the failing one does up to so
/// many decisions before the one that decides, before it is looked for among all.
const STEPS_BACK: [usize; 3] = [0, 16, 64];

/// Who looks for what contradicts.
pub(super) struct Directed<'a> {
    of: &'a Subject<'a>,
    decided: &'a Decided,
    /// What the executions that are known are compared in.
    comparison: Comparison,
    gathered: Gather,
    /// The schedules of the executions that are known; the first is the failing one.
    known: Vec<Vec<i32>>,
    /// Are they compared in orders that only some of them have?
    extends: bool,
    /// Sets of conditions with which no execution passes.
    sufficient: HashSet<Vec<usize>>,
    /// Those of which that could not be found out, and why.
    unproven: HashMap<Vec<usize>, String>,
    /// Did an execution break another rule?
    others: bool,
    /// How many executions were run, also those that were given up.
    runs: u64,
}

/// What contradicts that an execution fails exactly if it goes one of the ways.
#[derive(Clone)]
enum Contradicts {
    /// It meets these conditions, and does not fail.
    Passes(Vec<usize>),
    /// It meets none of these sets of them, and fails.
    FailsOtherwise(Vec<Vec<usize>>),
}

/// What was found out.
struct Told {
    comparison: Comparison,
    gathered: Gather,
    ways: Ways,
    /// Why it is not known whether there are others, if it is not.
    others_unknown: Option<String>,
    /// Did an execution break another rule?
    others: bool,
}

/// Finds the conditions, and says them. `Err`: why it found none.
///
/// Orders that only some executions have tell more ways to fail, and give more to rule out. So if
/// these are too much, it is tried with those of the failing execution alone.
pub(super) fn explain(
    of: &Subject<'_>,
    comparison: &Comparison,
    decided: &Decided,
    why: &mut Explanation,
) -> Result<(), String> {
    let tell = |extends| Directed::new(of, comparison, decided, extends).tell();
    let told = match tell(true) {
        Ok(told) if told.others_unknown.is_none() => Ok(told),
        told => match (told, tell(false)) {
            (Ok(_), Ok(second)) if second.others_unknown.is_none() => Ok(second),
            (Ok(told), _) | (Err(_), Ok(told)) => Ok(told),
            (Err(limit), Err(_)) => Err(limit),
        },
    };
    told?.say(why);
    Ok(())
}

impl Told {
    fn say(&self, why: &mut Explanation) {
        if self.others {
            why.limits.push("executions that break another rule are not compared".into());
        }
        take_ways(&self.comparison, &self.gathered, &self.ways, why);
        if let Some(limit) = &self.others_unknown {
            (why.necessary, why.exhaustive, why.others_unknown) = (false, false, true);
            why.limits.push(format!("whether there are other ways to fail: {limit}"));
        }
    }
}

impl<'a> Directed<'a> {
    fn new(
        of: &'a Subject<'a>,
        comparison: &Comparison,
        decided: &'a Decided,
        extends: bool,
    ) -> Directed<'a> {
        Directed {
            of,
            decided,
            comparison: comparison.clone(),
            gathered: comparison.gather(),
            known: Vec::new(),
            extends,
            sufficient: HashSet::new(),
            unproven: HashMap::new(),
            others: false,
            runs: 0,
        }
    }

    fn tell(mut self) -> Result<Told, String> {
        self.learn(self.of.cx.schedule.clone());
        self.learn(self.decided.schedule.clone());
        for _ in 0..GUESSES_MAX {
            let (compared, first) = self.compare().ok_or("it does not fail again")?;
            let mut ways = ways::guess(&compared, &first)?;
            if let Some(passes) = self.passes(&ways)? {
                self.learn(passes);
                continue;
            }
            self.leave_out_unproven(&mut ways);
            let others_unknown = match self.otherwise(&ways) {
                Ok(Some(fails)) => {
                    self.learn(fails);
                    continue;
                }
                Ok(None) => None,
                Err(limit) => Some(limit),
            };
            let Directed { comparison, gathered, others, .. } = self;
            return Ok(Told { comparison, gathered, ways, others_unknown, others });
        }
        Err(format!("{GUESSES_MAX} guesses were all contradicted"))
    }

    /// An execution that goes one of the ways, and does not fail. `Err`: of the first it is not
    /// known.
    fn passes(&mut self, ways: &Ways) -> Result<Option<Vec<i32>>, String> {
        for (number, set) in ways.sets.iter().enumerate() {
            match self.unproven.get(set) {
                Some(limit) if number == 0 => return Err(limit.clone()),
                None if !self.sufficient.contains(set) => {}
                _ => continue,
            }
            match self.contradiction(&Contradicts::Passes(set.clone())) {
                Ok(Some(passes)) => return Ok(Some(passes)),
                Ok(None) => {
                    self.sufficient.insert(set.clone());
                }
                Err(limit) if number == 0 => return Err(limit),
                Err(limit) => {
                    self.unproven.insert(set.clone(), limit);
                }
            }
        }
        Ok(None)
    }

    /// A known execution goes such a way, and no other that is told, so that there are others.
    fn leave_out_unproven(&self, ways: &mut Ways) {
        let limit = ways.sets[1..].iter().find_map(|set| self.unproven.get(set));
        ways.untold = ways.untold.take().or_else(|| limit.cloned());
        ways.sets.retain(|set| !self.unproven.contains_key(set));
    }

    /// An execution that fails otherwise, if it is not known that there are any.
    fn otherwise(&mut self, ways: &Ways) -> Result<Option<Vec<i32>>, String> {
        match ways.are_all() {
            true => self.contradiction(&Contradicts::FailsOtherwise(ways.sets.clone())),
            false => Ok(None),
        }
    }

    /// An execution is known from now on, and what may matter in it.
    fn learn(&mut self, schedule: Vec<i32>) {
        let watching = self.of.watched_by(Box::new(self.comparison.gather()));
        let looked = follow(self.of.bounds, watching, self.of.body, &schedule).1.pop();
        if let Some(looked) = looked {
            self.gathered.add(taken::<Gather>(looked));
        }
        if self.extends {
            self.comparison.extend(&self.gathered);
        }
        self.known.push(schedule);
    }

    /// What is known; and of the failing execution.
    fn compare(&self) -> Option<(Compared, Bits)> {
        let mut compared = self.comparison.nothing_yet();
        let mut first = None;
        for schedule in &self.known {
            let watched = follow(self.of.bounds, self.watching(), self.of.body, schedule).1;
            if let Some(met) = last(&watched) {
                first.get_or_insert_with(|| met.bits.clone());
                add(&mut compared, met);
            }
        }
        first.map(|first| (compared, first))
    }

    fn watching(&self) -> Monitors {
        self.of.watched_by(Box::new(self.comparison.collector()))
    }

    /// Looks near the failing execution first, and in the end everywhere.
    fn contradiction(&mut self, how: &Contradicts) -> Result<Option<Vec<i32>>, String> {
        let mut before = usize::MAX;
        let near = STEPS_BACK.iter().map(|back| self.decided.at.saturating_sub(*back));
        for until in near.chain([0]) {
            let until = super::behind::at_a_task(self.of.cx, until);
            if until >= before {
                continue;
            }
            before = until;
            if let Some(found) = self.search(how, until)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn asked(&self, how: &Contradicts) -> Asked {
        match how {
            Contradicts::Passes(set) => self.comparison.asked_all(set),
            Contradicts::FailsOtherwise(sets) => self.comparison.asked_none(sets),
        }
    }

    fn search(&mut self, how: &Contradicts, until: usize) -> Result<Option<Vec<i32>>, String> {
        let max = self.of.bounds.executions_max.saturating_mul(SEARCHES_MAX);
        if self.runs >= max {
            return Err(format!("the limit of {max} executions of all searches"));
        }
        let watching = self.watching();
        record::begin_search(Engine::Dfs, &Bounds { keep_going: false, ..self.of.bounds.clone() });
        footprint::begin_search(&watching);
        let asked = self.asked(how);
        record::with(|record| record.ask(asked));
        let probe = Probe {
            seen: Seen::by(watching),
            bounds: self.of.bounds.clone(),
            how: how.clone(),
            runs: 0,
            others: false,
            answer: None,
        };
        let probe = Rc::new(RefCell::new(probe));
        let observer = Box::new(Shared(probe.clone()));
        let beginning = decisions(&self.of.cx.schedule[..until]);
        let steps_max = 2 * self.of.bounds.steps_max;
        run_quietly(SleepSets::after(&beginning, observer, steps_max), self.of.body)?;
        let mut probe = probe.borrow_mut();
        self.others |= probe.others;
        self.runs += probe.runs;
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
    how: Contradicts,
    /// Executions, also those that were given up.
    runs: u64,
    /// One has broken another rule.
    others: bool,
    /// The schedule of the first that contradicts; `Err`: what ended the search before it was known
    /// whether there is one.
    answer: Option<Result<Vec<i32>, Cut>>,
}

impl Probe {
    fn contradicts(&self, met: &Met) -> bool {
        match &self.how {
            Contradicts::Passes(set) => {
                !met.fails && set.iter().all(|&number| has(&met.bits, number))
            }
            Contradicts::FailsOtherwise(sets) => met.fails && !meets_one(sets, &met.bits),
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
    fn execution_ended(&mut self, end: &End, schedule: &[Step]) -> Next {
        self.runs += 1;
        let (ended, stopped) = how_it_ended(end);
        let is_whole = *end != End::SleepSetBlocked && matches!(stopped, None | Some(Stop::Failed));
        let cut = self.cut(end, stopped);
        let mut found = false;
        if is_whole && cut.is_none() {
            self.seen.execution_ended(ended, true, Vec::new);
            let met = last(&self.seen.monitors);
            self.others |= met.is_none();
            found = met.is_some_and(|met| self.contradicts(&met));
        }
        self.answer = found.then(|| Ok(numbers(schedule))).or(cut.map(Err));
        if self.answer.is_some() { Next::Stop } else { Next::Continue }
    }
}

struct Shared(Rc<RefCell<Probe>>);

impl Observer for Shared {
    fn execution_ended(&mut self, end: &End, schedule: &[Step]) -> Next {
        self.0.borrow_mut().execution_ended(end, schedule)
    }
}
