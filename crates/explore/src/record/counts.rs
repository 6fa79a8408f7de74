//! An execution that does not end although no two rounds of its loop are the same: which words make
//! the difference.
//!
//! A round that counts a word up is another round each time, and whether the loop ends may depend
//! on the count. So such a loop is not bounded ([`crate::fair`]), and the word is named.

use selvedge_trace::{Event, Name};

use super::Record;
use crate::fair::ENDLESS;

impl Record {
    /// The rounds of a task that has not ended, if the last [`ENDLESS`] of them are the same but
    /// for what words hold: with those words.
    pub(crate) fn counts_at_the_end(&self) -> Option<String> {
        self.waiting().iter().find_map(|w| self.counts_of(w.task))
    }

    fn counts_of(&self, task: u8) -> Option<String> {
        let own = |e: &&Event| e.task == task && !e.action.is_note();
        let steps: Vec<&Event> = self.events().iter().filter(own).collect();
        let step = |e: &Event| (e.path, e.primitive, e.object, e.action.kind());
        let is_repeated = |&length: &usize| {
            let rest = &steps[steps.len() - ENDLESS * length..];
            (length..rest.len()).all(|at| step(rest[at]) == step(rest[at - length]))
        };
        let length = (1..=steps.len() / ENDLESS).find(is_repeated)?;
        let rounds: Vec<&[&Event]> = steps.rchunks(length).take(3).collect();
        let [last, before, first] = rounds[..] else { return None };
        let mut names: Vec<(Name, Option<u64>)> = Vec::new();
        for (at, event) in last.iter().enumerate() {
            let by = event.old.wrapping_sub(before[at].old);
            let is_steady = by == before[at].old.wrapping_sub(first[at].old);
            let changes = by != 0 || event.new != before[at].new || !is_steady;
            if changes && !names.iter().any(|(known, _)| *known == event.name) {
                names.push((event.name, Some(by).filter(|&by| is_steady && by != 0)));
            }
        }
        let words: Vec<String> = names.iter().map(|&(name, by)| said(name, by)).collect();
        let begin = format!("{}({})", last[0].primitive, last[0].name);
        (!words.is_empty()).then(|| {
            format!(
                "{} goes round: {length} steps from {begin} on, the same each time but for {}. \
                 Such a loop is not bounded: what it does may depend on that",
                self.goes_round(task.into(), last),
                words.join(" and "),
            )
        })
    }
}

/// `gen, which is 1 more each time`
fn said(name: Name, by: Option<u64>) -> String {
    match by {
        Some(by) if by < 1 << 32 => format!("{name}, which is {by} more each time"),
        Some(by) => format!("{name}, which is {} less each time", by.wrapping_neg()),
        None => format!("what is in {name}"),
    }
}
