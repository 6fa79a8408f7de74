//! One execution again, from its schedule.

use std::cell::RefCell;
use std::rc::Rc;

use dpor::{End, Next, Observer, Replay, Step};
use selvedge_trace::{Counterexample, Finding, Monitor, Rule};

use crate::fair::ROUNDS;
use crate::machine::shuttle::{how_it_ended, not_done, numbers, run_quietly};
use crate::record::{self, Ended};
use crate::tally::{Monitors, Seen, others};
use crate::{Body, Bounds, Engine};
use crate::{footprint, panics};

/// What became of a schedule that was followed.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// What happened, spelled out. If no rule was broken, its rule is empty.
    pub execution: Counterexample,
    /// How many preemptions it has.
    pub preemptions: u32,
    /// Why it did not come to an end, if it did not: the schedule could not be followed, the model
    /// panicked, a limit was hit.
    pub stopped: Option<String>,
}

impl Replayed {
    /// Was a rule broken?
    pub fn is_violated(&self) -> bool {
        !self.execution.rule.is_empty()
    }
}

/// Follows a schedule of one of the sequentially consistent engines
/// ([`Counterexample::schedule`]), and shows the execution to the monitors. Of the bounds, only
/// `steps_max` counts.
pub fn replay(
    bounds: &Bounds,
    monitors: Vec<Box<dyn Monitor>>,
    body: &Body,
    schedule: &[i32],
) -> Replayed {
    follow(bounds, monitors, body, schedule).0
}

/// The same; the monitors are given back. A schedule that ends in rounds that are the same is
/// followed once more, with those who go them bounded: it may be a livelock.
pub(crate) fn follow(
    bounds: &Bounds,
    monitors: Monitors,
    body: &Body,
    schedule: &[i32],
) -> (Replayed, Monitors) {
    let kinds = others(&monitors);
    let first = follow_once(bounds, monitors, body, schedule);
    let loops = match first.0.stopped {
        Some(_) => record::with(|record| record.loops_at_the_end(ROUNDS)),
        None => Vec::new(),
    };
    if loops.is_empty() {
        return first;
    }
    let bounds = Bounds { loops: Some(loops.into()), ..bounds.clone() };
    let again = follow_once(&bounds, kinds, body, schedule);
    if again.0.is_violated() { again } else { first }
}

fn follow_once(
    bounds: &Bounds,
    monitors: Monitors,
    body: &Body,
    schedule: &[i32],
) -> (Replayed, Monitors) {
    panics::install_hook();
    record::begin_search(Engine::Dfs, &Bounds { keep_going: false, ..bounds.clone() });
    footprint::begin_search(&monitors);
    let seen = Seen::by(monitors);
    let once = Once { seen, decisions: schedule.len(), ..Once::default() };
    let once = Rc::new(RefCell::new(once));
    let steps_max = 2 * bounds.steps_max;
    let replay = Replay::new(&decisions(schedule), Box::new(Shared(once.clone())), steps_max);
    let preemptions = replay.preemptions();
    let outcome = run_quietly(replay, body);
    let Once { seen, execution, stopped, .. } = once.replace(Once::default());
    let execution = execution.unwrap_or_else(as_far_as_it_came);
    let stopped = outcome.err().or(stopped);
    (Replayed { execution, preemptions: preemptions.get(), stopped }, seen.monitors)
}

/// The schedule as decisions: the reverse of [`numbers`].
pub(crate) fn decisions(schedule: &[i32]) -> Vec<Step> {
    let step = |&number: &i32| match usize::try_from(number) {
        Ok(task) => Step::Task(task),
        Err(_) => Step::Choice((-1 - i64::from(number)) as u32),
    };
    schedule.iter().map(step).collect()
}

/// The execution that was recorded last, broken rule or none.
pub(crate) fn as_far_as_it_came() -> Counterexample {
    let nothing = Finding { rule: Rule(""), message: String::new(), event: None };
    let spell =
        |execution: &selvedge_trace::Execution<'_>, _, _| Counterexample::new(execution, &nothing);
    record::with(|record| record.show(Ended::Cut, spell))
}

#[derive(Default)]
struct Once {
    seen: Seen,
    /// How many decisions the schedule has.
    decisions: usize,
    execution: Option<Counterexample>,
    stopped: Option<String>,
}

impl Observer for Once {
    fn execution_ended(&mut self, end: &End, schedule: &[Step]) -> Next {
        let (ended, stopped) = how_it_ended(end);
        self.seen.execution_ended(ended, false, || numbers(schedule));
        self.execution = self.seen.tally.counterexample.take();
        self.stopped = match (end, stopped) {
            (End::NotDeterministic(what), _) => Some(what.clone()),
            _ if self.execution.is_some() => None,
            _ if schedule.len() < self.decisions => {
                let (taken, all) = (schedule.len(), self.decisions);
                Some(format!("it ends after {taken} of the {all} decisions of the schedule"))
            }
            (_, Some(crate::task::Stop::Unable(why))) => Some(why),
            _ if ended == Ended::Cut => Some("it has too many steps".into()),
            _ => not_done().map(|cut| cut.to_string()),
        };
        Next::Stop
    }
}

struct Shared(Rc<RefCell<Once>>);

impl Observer for Shared {
    fn execution_ended(&mut self, end: &End, schedule: &[Step]) -> Next {
        self.0.borrow_mut().execution_ended(end, schedule)
    }
}
