//! Parts of a search: levels that anybody may go on with, in graphs of any width.

use super::weight::WHOLE;
use super::{Alternative, Engine, Level, Stopped, Way};
use crate::coroutine::{self, Words};
use crate::graph::{Graph, Shape};
use crate::search::{Counts, Observer, Program, Search};
use crate::steps;

/// A level that is put aside: what determines its graph, and its alternatives.
pub(crate) struct Part {
    shape: Shape,
    alternatives: Vec<Alternative>,
    revisited: Option<usize>,
    is_fresh: bool,
    /// Of going on with the graph.
    weight: u64,
}

impl Part {
    /// The whole search.
    pub(crate) fn whole() -> Part {
        let shape = Shape { tasks: vec![Vec::new()], ..Shape::default() };
        Part { shape, alternatives: Vec::new(), revisited: None, is_fresh: true, weight: WHOLE }
    }

    fn of<const W: usize>(level: Level<W>) -> Part {
        Part {
            shape: level.graph.shape,
            alternatives: level.alternatives,
            revisited: level.revisited,
            is_fresh: level.is_fresh,
            weight: level.weight,
        }
    }

    fn level<const W: usize>(self, search: &Search) -> Level<W> {
        Level {
            graph: Graph::of(self.shape, search.model),
            alternatives: self.alternatives,
            revisited: self.revisited,
            shared: 0,
            is_fresh: self.is_fresh,
            weight: self.weight,
        }
    }

    /// Is there anything to be explored?
    fn has_more(&self) -> bool {
        self.is_fresh || !self.alternatives.is_empty()
    }

    /// Cuts it into parts of one alternative each (and one that goes on with the graph as it is).
    /// They come in the order in which the whole is explored.
    pub(crate) fn split(mut self) -> Vec<Part> {
        let mut parts = Vec::new();
        if self.is_fresh {
            parts.push(Part {
                shape: self.shape.clone(),
                alternatives: Vec::new(),
                revisited: self.revisited.take(),
                is_fresh: true,
                weight: self.weight,
            });
        }
        while let Some(alternative) = self.alternatives.pop() {
            // What comes after it in the graph is not there any more when its turn comes.
            let shape = self.shape.before_number(alternative.at);
            let alternatives = vec![alternative];
            let part = Part { shape, alternatives, revisited: None, is_fresh: false, weight: 0 };
            parts.push(part);
        }
        parts
    }
}

/// The words of the widest sets of events.
const WIDEST: usize = 65;
/// The most events that an execution can have (what a step adds has to fit, too).
pub(crate) const EVENTS_MAX: usize = WIDEST * 64 - 2;

/// How far an exploration of parts has come.
pub(crate) struct Explored {
    pub(crate) counts: Counts,
    /// What is left, in the order in which it would be explored.
    pub(crate) left: Vec<Part>,
    /// Nobody wants to know what is left.
    pub(crate) is_told: bool,
    /// The words that the program has made so far.
    pub(crate) words: Words,
}

/// What stays the same while parts are explored.
pub(crate) struct Run<'a> {
    pub(crate) search: &'a Search,
    pub(crate) program: &'a Program,
    /// No more executions than these.
    pub(crate) executions_max: u64,
}

impl Run<'_> {
    /// Explores parts, the first one first.
    pub(crate) fn explore(
        &self,
        observer: &mut dyn Observer,
        parts: Vec<Part>,
        words: Words,
    ) -> Explored {
        coroutine::set_words(words);
        let start = Explored {
            counts: Counts::default(),
            left: parts,
            is_told: false,
            words: Words::default(),
        };
        // Wider graphs take longer: as narrow as will do. The last holds more events than may be.
        let narrow = self.go_on::<1>(start, observer);
        let wider = self.go_on::<2>(narrow, observer);
        let wider = self.go_on::<3>(wider, observer);
        let wider = self.go_on::<4>(wider, observer);
        let wider = self.go_on::<6>(wider, observer);
        let wider = self.go_on::<8>(wider, observer);
        let wider = self.go_on::<16>(wider, observer);
        let wider = self.go_on::<32>(wider, observer);
        let widest = self.go_on::<{ WIDEST }>(wider, observer);
        Explored { words: coroutine::words(), ..widest }
    }

    /// Goes on with what is left, in graphs of this width, if they hold it.
    fn go_on<const W: usize>(&self, before: Explored, observer: &mut dyn Observer) -> Explored {
        let Explored { counts, left, is_told, words } = before;
        // An alternative adds up to two events, whatever width it was noted at.
        let has_room = left.iter().all(|part| part.shape.events.len() + 2 <= W * 64);
        let is_enough = counts.executions >= self.executions_max;
        if left.is_empty() || is_told || !has_room || is_enough {
            return Explored { counts, left, is_told, words };
        }
        steps::forget();
        let mut engine = Engine::<W> {
            search: self.search,
            program: self.program.clone(),
            observer,
            // What comes first is explored first: it is the last of the stack.
            levels: left.into_iter().rev().map(|part| part.level(self.search)).collect(),
            spare: Vec::new(),
            numbers: Vec::new(),
            tasks: Vec::new(),
            counts,
            way: Way::default(),
            failure: None,
            surprise: None,
        };
        let stopped = engine.run(self.executions_max);
        engine.stop_tasks();
        let left = engine.levels.into_iter().rev().map(Part::of).filter(Part::has_more).collect();
        Explored { counts: engine.counts, left, is_told: stopped == Stopped::Told, words }
    }
}
