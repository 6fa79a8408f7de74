//! The reference ledger: every counted reference has a holder. It is booked twice, in the counter
//! and by name, so that the two can be compared.
//!
//! A graph with an edge from each object to each holder, weighted with the number of references.

use std::collections::BTreeMap;

use petgraph::Undirected;
use petgraph::stable_graph::{NodeIndex, StableGraph};
use petgraph::visit::EdgeRef;
use selvedge_trace::{Action, End, Event, Execution, Finding, Monitor, Name, Rule};

/// The rule of the ledger.
pub const REFERENCES_BALANCE: Rule = Rule("the reference count is what its holders hold");

/// Books references. Finds a put by somebody who holds none, and, at the end of an execution that
/// ran to its end, a counter that is not the number of references that somebody holds.
#[derive(Default)]
pub struct Ledger {
    books: Books,
}

#[derive(Default)]
struct Books {
    graph: StableGraph<Party, i64, Undirected>,
    objects: BTreeMap<u32, NodeIndex>,
    holders: BTreeMap<Name, NodeIndex>,
}

enum Party {
    Object { name: Name, counter: Option<u64> },
    Holder(Name),
}

impl Monitor for Ledger {
    fn another(&self) -> Box<dyn Monitor> {
        Box::<Ledger>::default()
    }

    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        self.books.close();
        for (index, event) in execution.events.iter().enumerate() {
            if let Err(message) = self.books.enter(event) {
                return Some(Finding { rule: REFERENCES_BALANCE, message, event: Some(index) });
            }
        }
        let message = (*execution.end == End::Complete).then(|| self.books.imbalance())??;
        Some(Finding { rule: REFERENCES_BALANCE, message, event: None })
    }
}

impl Books {
    /// Forgets everything.
    fn close(&mut self) {
        self.graph.clear();
        self.objects.clear();
        self.holders.clear();
    }

    fn enter(&mut self, event: &Event) -> Result<(), String> {
        match event.action {
            Action::Get(holder) => self.change(event, holder, 1),
            Action::Put(holder) => self.change(event, holder, -1),
            Action::Hand(from, to) => {
                self.change(event, from, -1)?;
                self.change(event, to, 1)
            }
            Action::Write | Action::Update => {
                // Only objects that references have been booked for are counters.
                if let Some(&node) = self.objects.get(&event.object)
                    && let Party::Object { counter, .. } = &mut self.graph[node]
                {
                    *counter = Some(event.new);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn change(&mut self, event: &Event, holder: Name, by: i64) -> Result<(), String> {
        let graph = &mut self.graph;
        let object = *self
            .objects
            .entry(event.object)
            .or_insert_with(|| graph.add_node(Party::Object { name: event.name, counter: None }));
        let party =
            *(self.holders.entry(holder)).or_insert_with(|| graph.add_node(Party::Holder(holder)));
        let edge = match graph.find_edge(object, party) {
            Some(edge) => edge,
            None => graph.add_edge(object, party, 0),
        };
        graph[edge] += by;
        if graph[edge] < 0 {
            return Err(format!(
                "{holder} puts a reference to {} that it does not hold",
                event.name
            ));
        }
        Ok(())
    }

    /// A counter that differs from what its holders hold, with all of them.
    fn imbalance(&self) -> Option<String> {
        self.objects.values().find_map(|&node| {
            let Party::Object { name, counter: Some(counter) } = &self.graph[node] else {
                return None;
            };
            let held: i64 = self.graph.edges(node).map(|edge| *edge.weight()).sum();
            (held != *counter as i64).then(|| {
                format!(
                    "{name} is {}, its holders hold {held}: {}",
                    *counter as i64,
                    self.holders_of(node)
                )
            })
        })
    }

    fn holders_of(&self, object: NodeIndex) -> String {
        let holders = self.graph.edges(object).filter(|edge| *edge.weight() > 0);
        let mut names: Vec<String> = holders
            .filter_map(|edge| match &self.graph[edge.target()] {
                Party::Holder(name) => Some(format!("{name} ({})", edge.weight())),
                Party::Object { .. } => None,
            })
            .collect();
        names.sort();
        if names.is_empty() { "nobody".into() } else { names.join(", ") }
    }
}
