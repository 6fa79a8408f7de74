//! What a search has seen. Every search returns one of these.

use std::collections::BTreeSet;

use selvedge_trace::{Counterexample, Execution, Finding, Monitor, NOBODY_WAITS_FOR_EVER, Rule};

use crate::States;
use crate::edits::Edit;
use crate::record::{self, Ended};
use crate::verdict::Cut;
use crate::violations::{self, Violation};

/// The monitors of a search.
pub(crate) type Monitors = Vec<Box<dyn Monitor>>;

/// Monitors of the same kinds that have seen nothing.
pub(crate) fn others(monitors: &Monitors) -> Monitors {
    monitors.iter().map(|monitor| monitor.another()).collect()
}

/// What the executions of a search, or of a part of it, have shown.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) executions: u64,
    pub(crate) steps_max: usize,
    pub(crate) reached: BTreeSet<&'static str>,
    pub(crate) counterexample: Option<Counterexample>,
    /// A limit of the engine that an execution ran into, if one did.
    pub(crate) exceeded: Option<String>,
    /// Counted only if the search goes on after a violation.
    pub(crate) violations: Vec<Violation>,
    /// The edits of the executions, and which were used: a bit each.
    pub(crate) edits: (&'static [Edit], u64),
    /// Told apart by a search that compares states.
    pub(crate) states: Option<States>,
}

impl Tally {
    /// Adds what was seen in executions that come after these.
    fn add(&mut self, later: Tally) {
        self.executions += later.executions;
        self.steps_max = self.steps_max.max(later.steps_max);
        self.reached.extend(later.reached);
        self.counterexample = self.counterexample.take().or(later.counterexample);
        let edits = if later.edits.0.is_empty() { self.edits.0 } else { later.edits.0 };
        self.edits = (edits, self.edits.1 | later.edits.1);
        later.violations.into_iter().for_each(|found| violations::add(&mut self.violations, found));
    }
}

/// A search, or a part of one, with those who look at it.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) tally: Tally,
    pub(crate) monitors: Monitors,
    /// Why it ended before its end.
    pub(crate) cut: Option<Cut>,
    /// The rule that the last execution broke, if it broke one.
    pub(crate) broke: Option<Rule>,
    /// That is not the rule that is looked for ([`crate::Bounds::rule`]).
    pub(crate) is_passed_over: bool,
    /// The states that the last execution reached.
    pub(crate) reached_last: Vec<&'static str>,
    /// The number of the execution that the monitors have seen last; 0: none.
    pub(crate) last: u64,
    /// In the last execution somebody stands still who would wake somebody else: who, and whom.
    pub(crate) wakes_on: Option<String>,
}

impl Seen {
    /// Nothing yet.
    pub(crate) fn by(monitors: Monitors) -> Seen {
        Seen { monitors, ..Seen::default() }
    }

    /// Takes the tally and the monitors collected since the last call, and continues with fresh
    /// monitors.
    pub(crate) fn submit(&mut self) -> Seen {
        let others = others(&self.monitors);
        std::mem::replace(self, Seen::by(others))
    }

    /// Adds what was seen in executions that come after these, by a search that is split.
    pub(crate) fn add(&mut self, later: Seen) {
        self.tally.add(later.tally);
        for (all, monitor) in self.monitors.iter_mut().zip(later.monitors) {
            all.take_over(monitor);
        }
        self.cut = self.cut.take().or(later.cut);
    }

    /// Counts the execution that has just ended and shows it to the monitors. True if a rule was
    /// broken. With `keeps_going`, or if it is not the rule that is looked for, the violation is
    /// only counted.
    pub(crate) fn execution_ended(
        &mut self,
        ended: Ended,
        keeps_going: bool,
        schedule: impl FnOnce() -> Vec<i32>,
    ) -> bool {
        record::with(|record| {
            let ended = record.settle(ended);
            self.wakes_on = record.wakes_on.take();
            // Most executions reach what the last one did.
            let reached = record.reached();
            let is_one = |(a, b): (&&'static str, &&'static str)| std::ptr::eq(*a, *b);
            let is_as_last = reached.len() == self.reached_last.len()
                && reached.iter().zip(&self.reached_last).all(is_one);
            if !is_as_last {
                self.tally.reached.extend(reached);
                self.reached_last.clear();
                self.reached_last.extend_from_slice(reached);
            }
            let (edits, used) = record.edits.used();
            let wanted = record.wanted();
            self.tally.edits = (edits, self.tally.edits.1 | used);
            let (number, alike) = record.shows(self.last);
            self.last = number;
            record.show(ended, |execution, steps, found| {
                self.monitors.iter_mut().for_each(|monitor| monitor.begins_alike(alike));
                self.tally.executions += 1;
                self.tally.steps_max = self.tally.steps_max.max(steps);
                let finding = self.finding(execution, ended, found);
                for monitor in &mut self.monitors {
                    monitor.concluded(execution, finding.as_ref());
                }
                self.broke = finding.as_ref().map(|finding| finding.rule);
                let is_broken = finding.is_some();
                self.is_passed_over =
                    self.broke.is_some_and(|rule| wanted.is_some_and(|wanted| wanted != rule));
                match finding {
                    Some(finding) if keeps_going || self.is_passed_over => {
                        violations::count(&mut self.tally.violations, execution, &finding);
                    }
                    Some(finding) if self.tally.counterexample.is_none() => {
                        let mut counterexample = Counterexample::new(execution, &finding);
                        counterexample.schedule = schedule();
                        self.tally.counterexample = Some(counterexample);
                    }
                    _ => {}
                }
                is_broken
            })
        })
    }

    fn finding(
        &mut self,
        execution: &Execution<'_>,
        ended: Ended,
        mut finding: Option<Finding>,
    ) -> Option<Finding> {
        for monitor in &mut self.monitors {
            let found = monitor.execution(execution);
            finding = finding.or(found);
        }
        if finding.is_none() && ended == Ended::Deadlock {
            let message = "some tasks can never go on".into();
            return Some(Finding { rule: NOBODY_WAITS_FOR_EVER, message, event: None });
        }
        finding
    }
}
