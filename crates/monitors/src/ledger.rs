//! The reference ledger: every counted reference has a holder. It is booked twice, in the counter
//! and by name, so that the two can be compared.
//!
//! A graph with an edge from each holder to each object that it holds, weighted with the number of
//! references and the place of the latest get.
//!
//! - [`REFERENCES_BALANCE`]: a put needs its get, at the put. The counter is what its holders hold:
//!   at the end; if asked ([`Ledger::at_every_step`]), after every step.
//! - [`WHAT_IS_FREED_IS_NOT_TAKEN`]: at the get, if asked.
//! - [`NOBODY_HOLDS_ON`]: at the end, if asked.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::ops::Range;

use petgraph::Direction;
use petgraph::stable_graph::{NodeIndex, StableGraph};
use petgraph::visit::EdgeRef;
use selvedge_trace::{Action, End, Event, Execution, Finding, Judges, Monitor, Name, Rule};
use serde_json::Value;

/// The rule of the ledger.
pub const REFERENCES_BALANCE: Rule = Rule("the reference count is what its holders hold");
/// `VM_BUG_ON_FOLIO(folio_ref_zero_or_close_to_overflow(folio))`.
pub const WHAT_IS_FREED_IS_NOT_TAKEN: Rule =
    Rule("nobody takes a reference to what has been freed");
/// What every get is for.
pub const NOBODY_HOLDS_ON: Rule =
    Rule("when all is over, only who keeps references for good has any");

/// Books references. Finds a put by somebody who holds none, and, at the end of an execution that
/// ran to its end, a counter that is not the number of references that somebody holds.
#[derive(Default)]
pub struct Ledger {
    books: Books,
    /// Are counter and holders compared after every step?
    is_strict: bool,
    /// Who may hold a reference at the end, by the text of its name; `None`: anybody.
    keepers: Option<&'static [&'static str]>,
    /// Which events of the last execution were booked, and how many it looked at without a finding.
    booked: Vec<usize>,
    looked_at: usize,
    /// With how many events the next execution begins as the last.
    alike: usize,
    /// The books after so many of the first events, to begin with.
    kept: Books,
    kept_after: usize,
}

impl Ledger {
    /// The same, and it compares after every step: a step of a counter is followed by the notes of
    /// what it was for, or follows them, before its task takes another. So each function that
    /// changes a counter is found that does not say for whom. A counter that is frozen is who froze
    /// it's. Besides [`WHAT_IS_FREED_IS_NOT_TAKEN`].
    pub fn at_every_step() -> Ledger {
        Ledger { is_strict: true, ..Ledger::default() }
    }

    /// The same, and at the end of an execution none but these holders have a reference
    /// ([`NOBODY_HOLDS_ON`]), or who has got it from the scenario's main task, which says what is
    /// so when a scenario begins.
    #[must_use]
    pub fn kept_by(self, keepers: &'static [&'static str]) -> Ledger {
        Ledger { keepers: Some(keepers), ..self }
    }
}

#[derive(Default)]
struct Books {
    graph: StableGraph<Party, Share>,
    /// By number, in that order.
    objects: Vec<(u32, NodeIndex)>,
    holders: Vec<(Name, NodeIndex)>,
    /// What counters differ by from what is booked, on account of each task.
    due: Vec<Due>,
    /// What has been freed: the words of a folio have a name and a number in common.
    freed: BTreeSet<(&'static str, Option<u8>)>,
}

#[derive(Clone)]
enum Party {
    Object {
        name: Name,
        counter: Option<i64>,
        /// The task that has set it to 0 while it is held, if one has.
        frozen_by: Option<u8>,
    },
    Holder(Name),
}

/// What a holder has of an object.
#[derive(Clone, Copy, Default)]
struct Share {
    references: i64,
    /// The event of the latest get.
    since: usize,
}

/// A task has changed the counter by more than it has booked.
#[derive(Clone)]
struct Due {
    task: u8,
    object: u32,
    by: i64,
    /// The event that began it.
    since: usize,
}

impl Monitor for Ledger {
    fn another(&self) -> Box<dyn Monitor> {
        let Ledger { is_strict, keepers, .. } = *self;
        Box::new(Ledger { is_strict, keepers, ..Ledger::default() })
    }

    fn kept(&self) -> Option<Value> {
        Some(Value::Null)
    }

    fn begins_alike(&mut self, events: usize) {
        self.alike = events;
    }

    // Who holds how many references to what is part of a state, and so is whether a counter was
    // counted. What a task owes, and who has frozen what, is not.
    fn judges(&self) -> Judges {
        if self.is_strict { Judges::SoFar } else { Judges::States }
    }

    fn so_far(&mut self, beginning: &Execution<'_>, hash: &mut dyn Hasher) {
        self.books.close();
        for (index, event) in beginning.events.iter().enumerate() {
            // What is wrong with it is found when it is over.
            let _ = self.books.enter(index, event);
        }
        self.books.hash_into(hash);
    }

    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        if let Some(finding) = self.look_at_events(execution) {
            return Some(finding);
        }
        if *execution.end != End::Complete {
            return None;
        }
        if self.is_strict
            && let Some(due) = self.books.due.iter().find(|due| due.by != 0)
        {
            return Some(self.books.unbooked(execution, due));
        }
        if let Some(message) = self.books.imbalance(execution) {
            return Some(Finding { rule: REFERENCES_BALANCE, message, event: None });
        }
        self.keepers.and_then(|keepers| self.books.left_over(execution, keepers))
    }
}

impl Ledger {
    /// Books what has happened. What the last execution began with too has been found to be right:
    /// it is only booked again.
    fn look_at_events(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        let known = std::mem::take(&mut self.alike).min(self.looked_at);
        self.booked.truncate(self.booked.partition_point(|&at| at < known));
        // Most executions have more in common with the last than this.
        if self.kept_after > known || self.kept_after < known / 2 {
            self.kept_after = known - known / 4;
            self.kept.close();
            self.kept.enter_again(execution, &self.booked, 0..self.kept_after);
        }
        self.books.copy_from(&self.kept);
        self.books.enter_again(execution, &self.booked, self.kept_after..known);
        for (at, event) in execution.events.iter().enumerate().skip(known) {
            self.looked_at = at;
            if self.is_strict
                && let Some(finding) = self.books.before(execution, at, event)
            {
                return Some(finding);
            }
            match self.books.enter(at, event) {
                Ok(true) => self.booked.push(at),
                Ok(false) => {}
                Err(message) => {
                    return Some(Finding { rule: REFERENCES_BALANCE, message, event: Some(at) });
                }
            }
        }
        self.looked_at = execution.events.len();
        None
    }
}

impl Books {
    /// Forgets everything.
    fn close(&mut self) {
        self.graph.clear();
        self.objects.clear();
        self.holders.clear();
        self.due.clear();
        self.freed.clear();
    }

    /// Makes them what the others are.
    fn copy_from(&mut self, other: &Books) {
        self.graph.clone_from(&other.graph);
        self.objects.clone_from(&other.objects);
        self.holders.clone_from(&other.holders);
        self.due.clone_from(&other.due);
        self.freed.clone_from(&other.freed);
    }

    /// Books those of the `booked` events that are in the range, and were right the last time.
    fn enter_again(&mut self, execution: &Execution<'_>, booked: &[usize], range: Range<usize>) {
        let first = booked.partition_point(|&at| at < range.start);
        for &at in booked[first..].iter().take_while(|&&at| at < range.end) {
            let entered = self.enter(at, &execution.events[at]);
            assert!(entered.is_ok(), "it was right the last time");
        }
    }

    /// Hashes what determines what will be found, but for what is part of a state.
    fn hash_into(&self, mut hash: &mut dyn Hasher) {
        for (object, node) in &self.objects {
            if let Party::Object { counter, frozen_by, .. } = self.graph[*node] {
                (object, counter, frozen_by).hash(&mut hash);
            }
        }
        let open = self.due.iter().filter(|due| due.by != 0);
        let mut open: Vec<_> = open.map(|due| (due.task, due.object, due.by)).collect();
        open.sort_unstable();
        (open, &self.freed).hash(&mut hash);
    }

    /// Books an event; `false`: there is nothing to be booked.
    fn enter(&mut self, index: usize, event: &Event) -> Result<bool, String> {
        match event.action {
            Action::Get(holder) => {
                // An object that is booked for the first time is not counted yet.
                let is_counted = self.counter(event.object).is_some();
                self.change(index, event, holder, 1)?;
                if is_counted {
                    self.owe(index, event, -1);
                }
            }
            Action::Put(holder) => {
                self.owe(index, event, 1);
                self.change(index, event, holder, -1)?;
            }
            Action::Hand(from, to) => {
                self.change(index, event, from, -1)?;
                self.change(index, event, to, 1)?;
            }
            Action::Write | Action::PlainWrite | Action::Update => {
                match event.name.text.strip_suffix("->freed") {
                    Some(of) if event.new != 0 => _ = self.freed.insert((of, event.name.index)),
                    Some(of) => _ = self.freed.remove(&(of, event.name.index)),
                    None => return Ok(self.count(index, event)),
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn change(&mut self, at: usize, event: &Event, holder: Name, by: i64) -> Result<(), String> {
        let (object, party) = (self.object(event), self.holder(holder));
        let graph = &mut self.graph;
        let edge = match graph.find_edge(party, object) {
            Some(edge) => edge,
            None => graph.add_edge(party, object, Share::default()),
        };
        let share = &mut graph[edge];
        share.references += by;
        if by > 0 {
            share.since = at;
        }
        if share.references < 0 {
            return Err(format!(
                "{holder} puts a reference to {} that it does not hold",
                event.name
            ));
        }
        Ok(())
    }

    /// The node of an object, if references to it have been booked.
    fn node_of(&self, object: u32) -> Option<NodeIndex> {
        let at = self.objects.binary_search_by_key(&object, |&(number, _)| number);
        at.ok().map(|at| self.objects[at].1)
    }

    /// The node of the object that the event is about.
    fn object(&mut self, event: &Event) -> NodeIndex {
        match self.objects.binary_search_by_key(&event.object, |&(number, _)| number) {
            Ok(at) => self.objects[at].1,
            Err(at) => {
                let new = Party::Object { name: event.name, counter: None, frozen_by: None };
                let node = self.graph.add_node(new);
                self.objects.insert(at, (event.object, node));
                node
            }
        }
    }

    fn holder(&mut self, name: Name) -> NodeIndex {
        if let Some((_, node)) = self.holders.iter().find(|(known, _)| *known == name) {
            return *node;
        }
        let node = self.graph.add_node(Party::Holder(name));
        self.holders.push((name, node));
        node
    }

    fn counter(&self, object: u32) -> Option<i64> {
        match self.graph[self.node_of(object)?] {
            Party::Object { counter, .. } => counter,
            Party::Holder(_) => None,
        }
    }

    /// A step of a counter, if it is one: only objects that references have been booked for are.
    fn count(&mut self, index: usize, event: &Event) -> bool {
        let Some(node) = self.node_of(event.object) else { return false };
        let Party::Object { counter, frozen_by, .. } = &mut self.graph[node] else { return false };
        let new = event.new as i64;
        // The value that a store replaces is no part of its event.
        let old = match event.action {
            Action::Update => Some(event.old as i64),
            _ => *counter,
        };
        *counter = Some(new);
        let freezes = new == 0 && old.is_some_and(|o| o > 0) && event.primitive.contains("cmpxchg");
        if freezes {
            *frozen_by = Some(event.task);
        } else if frozen_by.take().is_some() {
            let held: i64 = self.held(node);
            self.due.retain(|due| due.object != event.object);
            self.owe(index, event, new - held);
        } else if let Some(old) = old {
            self.owe(index, event, new - old);
        }
        true
    }

    fn owe(&mut self, since: usize, event: &Event, by: i64) {
        let (task, object) = (event.task, event.object);
        match self.due.iter_mut().find(|due| (due.task, due.object) == (task, object)) {
            Some(due) if due.by != 0 => due.by += by,
            Some(due) => (due.by, due.since) = (by, since),
            None => self.due.push(Due { task, object, by, since }),
        }
    }

    /// What must be so before a task takes this step: what it has counted is booked.
    fn before(&self, execution: &Execution<'_>, index: usize, event: &Event) -> Option<Finding> {
        if event.action.is_note() {
            return None;
        }
        let is_open = |due: &&Due| {
            due.by != 0
                && due.task == event.task
                && due.object != event.object
                && !self.is_frozen(due.object)
        };
        if let Some(due) = self.due.iter().find(is_open) {
            return Some(self.unbooked(execution, due));
        }
        let raises = event.action == Action::Update && event.new as i64 > event.old as i64;
        let of = event.name.text.split_once("->")?.0;
        let is_freed = self.freed.contains(&(of, event.name.index));
        (raises && is_freed && self.node_of(event.object).is_some()).then(|| {
            let message = format!("{}({}), which has been freed", event.primitive, event.name);
            Finding { rule: WHAT_IS_FREED_IS_NOT_TAKEN, message, event: Some(index) }
        })
    }

    fn is_frozen(&self, object: u32) -> bool {
        self.node_of(object).is_some_and(|node| {
            matches!(self.graph[node], Party::Object { frozen_by: Some(_), .. })
        })
    }

    /// A task has gone on without saying for whom it changed a counter, or without changing it.
    fn unbooked(&self, execution: &Execution<'_>, due: &Due) -> Finding {
        let node = self.node_of(due.object);
        let event = &execution.events[due.since];
        let place = place(execution, due.since);
        let held = node.map_or(String::from("nobody"), |node| self.holders_of(execution, node));
        let message = format!(
            "{} is {} by {} than its holders hold, since {place}: {held}",
            event.name,
            if due.by > 0 { "more" } else { "less" },
            due.by.abs(),
        );
        Finding { rule: REFERENCES_BALANCE, message, event: Some(due.since) }
    }

    /// How many references to the object somebody holds.
    fn held(&self, object: NodeIndex) -> i64 {
        let holders = self.graph.edges_directed(object, Direction::Incoming);
        holders.map(|edge| edge.weight().references).sum()
    }

    /// A counter that differs from what its holders hold, with all of them.
    fn imbalance(&self, execution: &Execution<'_>) -> Option<String> {
        self.objects.iter().find_map(|&(_, node)| {
            let Party::Object { name, counter: Some(counter), .. } = &self.graph[node] else {
                return None;
            };
            let held = self.held(node);
            (held != *counter).then(|| {
                let holders = self.holders_of(execution, node);
                format!("{name} is {counter}, its holders hold {held}: {holders}")
            })
        })
    }

    /// A holder that should have let go: none of these, and not of the beginning.
    fn left_over(&self, execution: &Execution<'_>, keepers: &[&str]) -> Option<Finding> {
        self.objects.iter().find_map(|&(_, node)| {
            let holders = self.graph.edges_directed(node, Direction::Incoming);
            let mut held = holders.filter(|edge| edge.weight().references > 0);
            let left = held.find_map(|edge| {
                let since = edge.weight().since;
                let Party::Holder(holder) = &self.graph[edge.source()] else { return None };
                let is_kept = keepers.contains(&holder.text) || execution.events[since].task == 0;
                (!is_kept).then_some((*holder, since))
            });
            let (holder, since) = left?;
            let Party::Object { name, .. } = &self.graph[node] else { return None };
            let place = place(execution, since);
            let message = format!("{holder} still has a reference to {name}, since {place}");
            Some(Finding { rule: NOBODY_HOLDS_ON, message, event: Some(since) })
        })
    }

    /// `page cache (1), cpu0:lru_add batch (1 since folio_add_lru() of adder)`
    fn holders_of(&self, execution: &Execution<'_>, object: NodeIndex) -> String {
        let holders = self.graph.edges_directed(object, Direction::Incoming);
        let held = holders.filter(|edge| edge.weight().references > 0);
        let mut names: Vec<String> = held
            .filter_map(|edge| match &self.graph[edge.source()] {
                Party::Holder(name) => {
                    let Share { references, since } = *edge.weight();
                    let place = match execution.events[since].task {
                        0 => String::new(),
                        _ => format!(" since {}", place(execution, since)),
                    };
                    Some(format!("{name} ({references}{place})"))
                }
                Party::Object { .. } => None,
            })
            .collect();
        names.sort();
        if names.is_empty() { "nobody".into() } else { names.join(", ") }
    }
}

/// `folio_add_lru() of adder`
fn place(execution: &Execution<'_>, at: usize) -> String {
    let event = &execution.events[at];
    let who = execution.tasks.get(usize::from(event.task)).map_or("?", |task| task.name.as_str());
    match execution.paths.innermost(event.path) {
        Some(function) => format!("{function}() of {who}"),
        None => who.into(),
    }
}
