//! Who goes round without finding anything new, in a search under fair schedules
//! ([`crate::fair`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use selvedge_trace::{AGAIN, Action, Class, ENDLESS_LOOPS_END, Event, Finding, PathId, Waiting};

use super::{Ended, Record};
use crate::fair::{At, Loop, ROUNDS};
use crate::footprint;
use crate::step::{Does, NO_OBJECT, Step};

/// A step that a task has taken.
#[derive(Clone, Copy, Debug)]
struct Taken {
    /// The index of its event.
    event: usize,
    /// The bits of what it found that the task may have looked at.
    reads: u64,
}

/// What the tasks of an execution have done.
pub(super) struct Rounds {
    loops: Arc<[Loop]>,
    /// By task.
    taken: Vec<Vec<Taken>>,
    /// Who stands still, and how many steps a round of his has.
    standing: BTreeMap<usize, usize>,
}

impl Rounds {
    pub(super) fn of(loops: Arc<[Loop]>) -> Rounds {
        Rounds { loops, taken: Vec::new(), standing: BTreeMap::new() }
    }

    pub(super) fn forget(&mut self) {
        self.taken.iter_mut().for_each(Vec::clear);
        self.standing.clear();
    }

    /// The task takes the step, whose event has this index.
    pub(super) fn took(&mut self, task: usize, step: &Step, event: usize) {
        if self.taken.len() <= task {
            self.taken.resize_with(task + 1, Vec::new);
        }
        let reads = match step.does {
            Does::Update { looks: false, .. } => 0,
            _ => footprint::announced(step).reads,
        };
        self.taken[task].push(Taken { event, reads });
    }
}

/// Are they the same to the task that has taken them?
fn are_same(events: &[Event], a: Taken, b: Taken) -> bool {
    let step = |taken: Taken| {
        let e = &events[taken.event];
        (e.path, e.primitive, e.object, e.action.kind(), e.old & taken.reads)
    };
    a.reads == b.reads && step(a) == step(b)
}

impl Record {
    /// The current task is about to take this step. Has it gone round often enough, and would begin
    /// another round? Then it stands still from now on.
    pub(super) fn stands_still_before(&mut self, step: &Step) -> bool {
        let Some(rounds) = &self.rounds else { return false };
        if rounds.standing.contains_key(&self.current) {
            return true;
        }
        let length = rounds.loops.iter().find_map(|of| self.has_gone_round(rounds, of, step));
        let Some(length) = length else { return false };
        if let Some(rounds) = &mut self.rounds {
            rounds.standing.insert(self.current, length);
        }
        true
    }

    /// Does the current task stand still?
    pub(crate) fn stands_still(&self) -> bool {
        self.rounds.as_ref().is_some_and(|rounds| rounds.standing.contains_key(&self.current))
    }

    /// The number of steps of a round, if the current task has gone round this loop, and another
    /// round begins with the step.
    fn has_gone_round(&self, rounds: &Rounds, of: &Loop, step: &Step) -> Option<usize> {
        let taken = rounds.taken.get(self.current)?;
        let events = self.events();
        let is_repeated = |&length: &usize| {
            let first = taken.len().checked_sub(ROUNDS * length);
            first.is_some_and(|first| {
                let mut later = first + length..taken.len();
                later.all(|at| are_same(events, taken[at], taken[at - length]))
            })
        };
        if !of.steps.iter().any(|(_, primitive)| *primitive == step.primitive) {
            return None;
        }
        let period = of.steps.len();
        let length = (1..=of.times).map(|times| times * period).find(is_repeated)?;
        let round = &taken[taken.len() - length..];
        let is_at = |event: &Event, (functions, primitive): &At| {
            event.primitive == *primitive && self.paths.functions(event.path) == *functions
        };
        let begins_at = |start: usize| {
            let mut steps = round.iter().enumerate();
            steps.all(|(at, taken)| is_at(&events[taken.event], &of.steps[(start + at) % period]))
        };
        let first = &events[round[0].event];
        let is_next = first.primitive == step.primitive && first.path == self.me().path;
        (is_next && (0..period).any(begins_at)).then_some(length)
    }

    /// The execution has ended like this. If nobody can go on but who stands still, it has either
    /// come to a livelock, or not to an end.
    pub(crate) fn settle(&mut self, ended: Ended) -> Ended {
        let stands = self.rounds.as_ref().is_some_and(|rounds| !rounds.standing.is_empty());
        if ended != Ended::Deadlock || !stands || self.finding.is_some() {
            return ended;
        }
        let Some(lasso) = self.each_alone().or_else(|| self.in_step()) else {
            self.wakes_on = self.would_wake();
            return Ended::Unfair;
        };
        let (goes, their) = if lasso.who.len() > 1 { ("go", "their") } else { ("goes", "the") };
        let message = format!(
            "{} {goes} round for ever, in a fair schedule too: {their} last {} steps again and \
             again, and nobody else can go on",
            lasso.who.join(" and "),
            lasso.round.iter().filter(|&&at| !self.events()[at].action.is_note()).count(),
        );
        self.put_last(&lasso);
        let event = self.events().len() - 1;
        self.finding = Some(Finding { rule: ENDLESS_LOOPS_END, message, event: Some(event) });
        Ended::Deadlock
    }

    /// The last rounds of those who stand still, if each goes round for ever by itself.
    fn each_alone(&self) -> Option<Lasso> {
        let rounds = self.rounds.as_ref()?;
        let events = self.events();
        let mut lasso = Lasso::default();
        for (&task, &length) in &rounds.standing {
            let taken = &rounds.taken[task];
            let since = taken[taken.len() - length].event..events.len();
            let (own, others): (Vec<usize>, Vec<usize>) =
                since.partition(|&at| usize::from(events[at].task) == task);
            let steps: Vec<&Event> = own.iter().map(|&at| &events[at]).collect();
            let meets = |other: &Event| {
                steps.iter().any(|e| e.object == other.object && e.touch.depends_on(other.touch))
            };
            if others.iter().any(|&at| meets(&events[at]))
                || !leaves_what_it_found(&steps)
                || self.lets_somebody_go(&steps)
            {
                return None;
            }
            lasso.who.push(self.goes_round(task, &steps));
            lasso.round.extend(own);
        }
        Some(lasso)
    }

    /// The first steps between two states that are one, if all who stand still have taken some of
    /// them, and nobody else has. Who stands still has the same ahead of him at the same step of
    /// his rounds.
    fn in_step(&self) -> Option<Lasso> {
        let rounds = self.rounds.as_ref()?;
        let events = self.events();
        let begins = rounds.standing.iter().map(|(&task, length)| {
            let taken = &rounds.taken[task];
            taken[taken.len() - ROUNDS * length].event
        });
        let is_other = |event: &Event| {
            !event.action.is_note() && !rounds.standing.contains_key(&usize::from(event.task))
        };
        let after_others = events.iter().rposition(is_other).map_or(0, |at| at + 1);
        let begin = begins.max()?.max(after_others);
        let mut state = State::new(events.get(begin..)?);
        let mut known: Vec<State> = Vec::new();
        for (at, event) in events.iter().enumerate().skip(begin) {
            known.push(state.clone());
            state.step(event, rounds.standing.get(&usize::from(event.task)).copied());
            let goes = |from: usize, task: usize| {
                events[from..=at].iter().any(|e| usize::from(e.task) == task && !e.action.is_note())
            };
            let is_it = |&from: &usize| {
                known[from - begin] == state && rounds.standing.keys().all(|&task| goes(from, task))
            };
            let Some(from) = (begin..=at).rev().find(is_it) else { continue };
            let round: Vec<&Event> = events[from..=at].iter().collect();
            if self.lets_somebody_go(&round) {
                return None;
            }
            let own = |task: usize| -> Vec<&Event> {
                round.iter().copied().filter(|e| usize::from(e.task) == task).collect()
            };
            let names = rounds.standing.keys().map(|&task| self.goes_round(task, &own(task)));
            let who = names.collect();
            return Some(Lasso { round: (from..=at).collect(), who, is_all: true });
        }
        None
    }

    /// Could somebody who waits go on in the midst of the round?
    fn lets_somebody_go(&self, round: &[&Event]) -> bool {
        let changes = |object| round.iter().any(|e| e.object == object && e.touch.writes != 0);
        let goes = |task: u8| {
            self.rounds.as_ref().is_some_and(|it| it.standing.contains_key(&usize::from(task)))
        };
        let waits = self.waiting();
        let mut others = waits.iter().filter(|w| w.end_of.is_none() && !goes(w.task));
        others.any(|w| changes(w.object) || leaves_its_cpu(round))
    }

    /// Who stands still, and would wake somebody in the next round who waits for that.
    fn would_wake(&self) -> Option<String> {
        let rounds = self.rounds.as_ref()?;
        let events = self.events();
        let waits = self.waiting();
        let is_other = |w: &&Waiting| !rounds.standing.contains_key(&usize::from(w.task));
        rounds.standing.iter().find_map(|(&task, &length)| {
            let taken = &rounds.taken[task];
            let round: Vec<&Event> =
                taken[taken.len() - length..].iter().map(|taken| &events[taken.event]).collect();
            let wakes = |w: &&Waiting| {
                round.iter().any(|e| e.object == w.object && e.action == Action::Wake)
            };
            let other = waits.iter().filter(is_other).find(wakes)?;
            let other = self.who(usize::from(other.task));
            Some(format!(
                "a loop with wake-ups: {} goes round {ROUNDS} times with nothing new found, and \
                 keeps {other} going, who waits to be woken; what more rounds lead to is not \
                 explored",
                self.goes_round(task, &round),
            ))
        })
    }

    /// `CPU0 reader`
    fn who(&self, task: usize) -> String {
        let info = &self.infos[task];
        match info.cpu {
            Some(cpu) => format!("CPU{cpu} {}", info.name),
            None => info.name.clone(),
        }
    }

    /// The task, and the innermost function that these steps of it are in.
    pub(super) fn goes_round(&self, task: usize, steps: &[&Event]) -> String {
        let within = |mut path: PathId, event: &&Event| {
            while !self.paths.is_within(event.path, path) {
                path = self.paths.leave(path);
            }
            path
        };
        let path = steps.first().map_or(PathId::ROOT, |event| event.path);
        let path = steps.iter().fold(path, within);
        let name = self.who(task);
        match self.paths.innermost(path) {
            Some(function) => format!("{name} in {function}()"),
            None => name,
        }
    }

    /// The events of the round come last, and before them a remark that says so.
    fn put_last(&mut self, lasso: &Lasso) {
        let Lasso { round, is_all, .. } = lasso;
        let end = round.last().filter(|_| *is_all).map_or(usize::MAX, |last| last + 1);
        self.events.arrange(|events| {
            events.truncate(end);
            let all = std::mem::take(events);
            let is_before = |&(at, _): &(usize, Event)| !round.contains(&at);
            let (before, last): (Vec<_>, Vec<_>) = all.into_iter().enumerate().partition(is_before);
            let who = last.first().map_or(0, |(_, event)| event.task);
            events.extend(before.into_iter().map(|(_, event)| event));
            events.push(Event::of(who, Action::Mark(AGAIN), NO_OBJECT));
            events.extend(last.into_iter().map(|(_, event)| event));
        });
    }

    /// The loops that the tasks which have not ended have gone round so often, with nothing new
    /// found, and nothing left that was not there.
    pub(crate) fn loops_at_the_end(&self, rounds: usize) -> Vec<Loop> {
        let unfinished = self.waiting().into_iter();
        unfinished.filter_map(|w| self.loop_at_the_end_of(w.task, rounds)).collect()
    }

    fn loop_at_the_end_of(&self, task: u8, rounds: usize) -> Option<Loop> {
        let own = |e: &&Event| e.task == task && !e.action.is_note();
        let steps: Vec<&Event> = self.events().iter().filter(own).collect();
        let step =
            |e: &Event| (e.path, e.primitive, e.object, e.action.kind(), e.old & e.touch.reads);
        let is_repeated = |&length: &usize| {
            let rest = &steps[steps.len() - rounds * length..];
            (length..rest.len()).rev().all(|at| step(rest[at]) == step(rest[at - length]))
        };
        let length = (1..=steps.len() / rounds).find(is_repeated)?;
        let round = &steps[steps.len() - length..];
        if !round.iter().all(|event| may_be_repeated(event.action)) || !adds_nothing(round) {
            return None;
        }
        let at = |event: &&Event| (self.paths.functions(event.path), event.primitive);
        Some(Loop::of(round.iter().map(at).collect()))
    }
}

/// Does it change nothing but words, locks and tokens?
fn may_be_repeated(action: Action) -> bool {
    use Action::{Choice, Join, Spawn};
    !matches!(action, Spawn | Join | Choice)
}

/// Does the round leave in each word what was there, if nobody else writes it?
fn adds_nothing(round: &[&Event]) -> bool {
    let mut sums: BTreeMap<u32, u64> = BTreeMap::new();
    for event in round {
        let sum = sums.entry(event.object).or_default();
        *sum = sum.wrapping_add(event.new.wrapping_sub(event.old));
    }
    sums.values().all(|sum| *sum == 0)
}

/// A livelock.
#[derive(Default)]
struct Lasso {
    /// The indices of the events of a round.
    round: Vec<usize>,
    /// Who goes round.
    who: Vec<String>,
    /// What comes after the round is more of the same.
    is_all: bool,
}

/// What those who stand still share, and how far each is in his round.
#[derive(Clone, PartialEq, Eq, Default)]
struct State {
    words: BTreeMap<u32, u64>,
    /// How often each task has each lock.
    held: BTreeMap<(u32, u8), i32>,
    /// Is it set? Of those that somebody has set or waited for.
    tokens: BTreeMap<u32, bool>,
    steps: BTreeMap<u8, usize>,
}

impl State {
    /// Before these events.
    fn new(events: &[Event]) -> State {
        let mut words = BTreeMap::new();
        for event in events.iter().filter(|event| !event.action.is_note()) {
            words.entry(event.object).or_insert(event.old);
        }
        State { words, tokens: first_waits(events), ..State::default() }
    }

    /// After this event, of a task whose rounds have so many steps.
    fn step(&mut self, event: &Event, length: Option<usize>) {
        let Some(length) = length.filter(|_| !event.action.is_note()) else { return };
        self.words.insert(event.object, event.new);
        if event.class == Class::Token {
            self.tokens.insert(event.object, event.action == Action::Wake);
        }
        let taken = taken(event.action);
        if taken != 0 {
            let held = self.held.entry((event.object, event.task)).or_default();
            *held += taken;
            if *held == 0 {
                self.held.remove(&(event.object, event.task));
            }
        }
        let steps = self.steps.entry(event.task).or_insert(0);
        *steps = (*steps + 1) % length;
    }
}

/// Is every object at the end of the round as it was at its beginning?
fn leaves_what_it_found(round: &[&Event]) -> bool {
    let mut words: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    let mut held: BTreeMap<u32, i32> = BTreeMap::new();
    for event in round.iter().filter(|event| event.touch.writes != 0) {
        words.entry(event.object).or_insert((event.old, event.old)).1 = event.new;
        *held.entry(event.object).or_default() += taken(event.action);
    }
    let tokens = first_waits(round.iter().copied());
    let is_set = |token: u32| {
        let last = round.iter().rev().find(|e| e.class == Class::Token && e.object == token);
        last.is_some_and(|event| event.action == Action::Wake)
    };
    words.values().all(|(old, new)| old == new)
        && held.values().all(|&held| held == 0)
        && tokens.keys().all(|&token| is_set(token))
}

/// The tokens that somebody waits for before he, or another, sets them: they were set before.
fn first_waits<'a>(events: impl IntoIterator<Item = &'a Event>) -> BTreeMap<u32, bool> {
    let mut first: BTreeMap<u32, bool> = BTreeMap::new();
    for event in events.into_iter().filter(|event| event.class == Class::Token) {
        first.entry(event.object).or_insert(event.action == Action::Wait);
    }
    first.retain(|_, was_set| *was_set);
    first
}

/// Are others let run on a CPU from which they are kept when the round begins?
fn leaves_its_cpu(round: &[&Event]) -> bool {
    let mut held: BTreeMap<u32, i32> = BTreeMap::new();
    round.iter().filter(|event| event.class.is_exclusion()).any(|event| {
        let held = held.entry(event.object).or_default();
        *held += taken(event.action);
        *held < 0
    })
}

fn taken(action: Action) -> i32 {
    match action {
        Action::Lock | Action::TryLock | Action::LockShared | Action::TryLockShared => 1,
        Action::Unlock | Action::UnlockShared => -1,
        _ => 0,
    }
}
