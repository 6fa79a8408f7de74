//! An execution as text.

use std::collections::BTreeSet;
use std::fmt;

use crate::execution::{At, Does, Event, Execution};

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.task, self.index)
    }
}

/// One line for each event, in an order in which each comes after what it reads. A read of
/// something else than the newest value shown says so, and names who wrote that.
impl fmt::Display for Execution<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = BTreeSet::new();
        for event in self.in_order() {
            write!(f, "{:>5}  {}", event.at.to_string(), Line(&event))?;
            if let Does::Read { word, from, .. } = event.does
                && let Some(newer) = self.newer(word, from, &shown)
            {
                write!(f, " (stale: {newer} has written another)")?;
            }
            if let Does::Write { word, .. } = event.does
                && let Some(later) = self.newer(word, Some(event.at), &shown)
            {
                write!(f, " (and {later} overwrites it)")?;
            }
            writeln!(f)?;
            shown.insert(event.at);
        }
        if let Some(race) = self.race() {
            writeln!(f, "data race: {} and {} are not ordered", race.first.at, race.second.at)?;
        }
        Ok(())
    }
}

impl Execution<'_> {
    /// The last write to a word that has been shown, if it comes after that one.
    fn newer(&self, word: usize, write: Option<At>, shown: &BTreeSet<At>) -> Option<At> {
        let is_later = |writes: &mut dyn Iterator<Item = At>| {
            writes.filter(|write| shown.contains(write)).last()
        };
        match write {
            None => is_later(&mut self.writes(word)),
            Some(write) => is_later(&mut self.writes(word).skip_while(|&w| w != write).skip(1)),
        }
    }
}

/// What an event does, in words.
struct Line<'a>(&'a Event);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = if self.0.is_plain { ", plain" } else { "" };
        match self.0.does {
            Does::Read { word, value, from } => {
                let waits = if self.0.is_blocked { ", and waits" } else { "" };
                write!(f, "reads {value} from word {word}{plain}{waits}, ")?;
                match from {
                    Some(at) => write!(f, "written at {at}"),
                    None => write!(f, "the initial value"),
                }
            }
            Does::Write { word, value } => write!(f, "writes {value} to word {word}{plain}"),
            Does::Spawn(task) => write!(f, "spawns task {task}"),
            Does::Begin => write!(f, "begins"),
            Does::End => write!(f, "ends"),
            Does::Join(task) => write!(f, "has seen the end of task {task}"),
            Does::GracePeriod => write!(f, "has waited for a grace period"),
            Does::SectionBegins => write!(f, "begins a read-side section"),
            Does::SectionEnds => write!(f, "ends a read-side section"),
            Does::Choice(alternative) => write!(f, "chooses {alternative}"),
            Does::Failure => write!(f, "fails"),
        }
    }
}
