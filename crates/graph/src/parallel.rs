//! A search that several workers do together.
//!
//! The levels of the search have nothing to do with each other, so what is left of a search after
//! some executions can be cut into parts. A round searches some of them, each up to a number of
//! executions, and puts together what was found in the order of the parts; what is left of them is
//! cut again. Nothing of that depends on how many workers there are.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use crate::coroutine::Words;
use crate::engine::{Explored, Part, Run};
use crate::search::{Counts, Observer, Search};

/// Looks at the executions of one thread of the operating system. What it saw in a part of the
/// search is handed in before it gets another.
pub trait Worker: Observer {
    /// What was seen in a part.
    type Findings: Send;

    /// What was seen since the last call.
    fn submit(&mut self) -> Self::Findings;
}

/// How the work is cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Split {
    /// How many executions are run before there is anything to share, at least 1. A small search
    /// is done by the calling thread and starts no other.
    pub alone: u64,
    /// How many parts are searched before what was found is put together, at least 1.
    pub parts: usize,
    /// How many executions of a part are run at most before what is left of it becomes parts of
    /// their own, at least 1.
    pub executions: u64,
}

impl Default for Split {
    fn default() -> Split {
        Split { alone: 4_096, parts: 32, executions: 512 }
    }
}

/// A part, and the words that the program had made when it was put aside.
type Waiting = (Part, Words);

/// Parts that are searched before what was found is put together, each up to a number of
/// executions.
struct Round {
    parts: Vec<Waiting>,
    budget: u64,
}

/// A part that has been searched.
struct Searched<F> {
    explored: Explored,
    findings: F,
}

impl Search {
    /// Explores the program by so many threads of the operating system. Each makes workers of its
    /// own; `merge` gets what they hand in, in an order that does not depend on the number of
    /// threads, up to the first part in which a worker said [`crate::Next::Stop`].
    pub fn run_by<W: Worker>(
        &self,
        threads: usize,
        main: Arc<dyn Fn() + Send + Sync>,
        worker: impl Fn() -> W + Sync,
        mut merge: impl FnMut(W::Findings, &Counts),
    ) -> Counts {
        let mut counts = Counts::default();
        let mut waiting = VecDeque::from([(Part::whole(), Words::default())]);
        let mut is_first = true;
        let mut is_told = false;
        while !waiting.is_empty() && !is_told && counts.executions < self.executions_max {
            let left = self.executions_max - counts.executions;
            let (parts, budget) = if is_first {
                (1, self.split.alone.min(left))
            } else {
                // No more than may be run, all together.
                let parts = (left / self.split.executions).clamp(1, self.split.parts as u64);
                (parts as usize, self.split.executions.min(left))
            };
            is_first = false;
            let parts = waiting.drain(..parts.min(waiting.len())).collect();
            let round = Round { parts, budget };
            let mut put_back = Vec::new();
            for searched in self.search_round(threads, round, &main, &worker) {
                if is_told {
                    break;
                }
                let Searched { explored, findings } = searched;
                counts = counts.with(explored.counts);
                is_told = explored.is_told;
                merge(findings, &counts);
                let parts = explored.left.into_iter().flat_map(Part::split);
                put_back.extend(parts.map(|part| (part, explored.words.clone())));
            }
            put_back.into_iter().rev().for_each(|part| waiting.push_front(part));
        }
        counts.complete = waiting.is_empty() && !is_told && counts.given_up == 0;
        counts
    }

    /// Searches the parts of a round. Returns them in their order.
    fn search_round<W: Worker>(
        &self,
        threads: usize,
        round: Round,
        main: &Arc<dyn Fn() + Send + Sync>,
        worker: &(impl Fn() -> W + Sync),
    ) -> Vec<Searched<W::Findings>> {
        let count = round.parts.len();
        let parts: Vec<_> = round.parts.into_iter().map(|part| Mutex::new(Some(part))).collect();
        let results: Vec<_> = (0..count).map(|_| Mutex::new(None)).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            let mut worker = worker();
            loop {
                let at = next.fetch_add(1, Relaxed);
                let Some(part) = parts.get(at) else { break };
                let (part, words) = locked(part).take().expect("each part is taken once");
                let program: Arc<dyn Fn()> = main.clone();
                let run = Run { search: self, program: &program, executions_max: round.budget };
                let explored = run.explore(&mut worker, vec![part], words);
                let findings = worker.submit();
                *locked(&results[at]) = Some(Searched { explored, findings });
            }
        };
        if count == 1 || threads <= 1 {
            work();
        } else {
            std::thread::scope(|scope| {
                for _ in 1..threads.min(count) {
                    scope.spawn(work);
                }
                work();
            });
        }
        let searched = results.into_iter().map(|result| {
            let searched = result.into_inner().unwrap_or_else(PoisonError::into_inner);
            searched.expect("every part has been searched")
        });
        searched.collect()
    }
}

/// Nobody panics while they hold one of these.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
