//! Who waits for whom when nobody can go on.

use std::collections::BTreeMap;

use petgraph::algo::tarjan_scc;
use petgraph::graph::DiGraph;
use selvedge_trace::{Action, End, Event, Execution, Finding, Monitor, Rule, Waiting};

/// The rule of the wait graph.
pub const NOBODY_WAITS_FOR_EVER: Rule = Rule("no task waits for ever");

/// Explains deadlocks: the cycle, or whom nobody will wake.
#[derive(Default)]
pub struct WaitGraph;

impl Monitor for WaitGraph {
    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        let End::Deadlock(waiting) = execution.end else { return None };
        let holders = holders(execution.events);
        let name = |task: u8| match execution.tasks.get(usize::from(task)) {
            Some(info) => match info.cpu {
                Some(cpu) => format!("CPU{cpu} {}", info.name),
                None => info.name.clone(),
            },
            None => format!("task {task}"),
        };
        let cycle = cycle(waiting, &holders);
        // The scenario's main waits for everybody; it is never the reason.
        let guilty = waiting.iter().filter(|w| w.primitive != "join" || cycle.contains(&w.task));
        let explain = |w: &Waiting| {
            let held_by = match holders.get(&w.object) {
                Some((task, _)) if *task == w.task => "held by itself".to_string(),
                Some((task, since)) => {
                    let function = execution.paths.innermost(since.path).unwrap_or("the scenario");
                    format!("held by {} since {function}()", name(*task))
                }
                None => "which nobody will give it".to_string(),
            };
            format!("{} waits for {}, {held_by}", name(w.task), w.name)
        };
        let message = guilty.map(explain).collect::<Vec<_>>().join("; ");
        let event = execution.events.iter().rposition(|event| !event.action.is_note());
        Some(Finding { rule: NOBODY_WAITS_FOR_EVER, message, event })
    }
}

/// Who holds each lock at the end, and the event by which it was taken.
fn holders(events: &[Event]) -> BTreeMap<u32, (u8, Event)> {
    let mut holders = BTreeMap::new();
    for event in events {
        match event.action {
            Action::Lock | Action::TryLock => {
                holders.insert(event.object, (event.task, *event));
            }
            Action::Unlock => {
                holders.remove(&event.object);
            }
            _ => {}
        }
    }
    holders
}

/// The tasks of a cycle of waits, if there is one.
fn cycle(waiting: &[Waiting], holders: &BTreeMap<u32, (u8, Event)>) -> Vec<u8> {
    let mut graph = DiGraph::<u8, ()>::new();
    let nodes: BTreeMap<u8, _> = waiting.iter().map(|w| (w.task, graph.add_node(w.task))).collect();
    for w in waiting {
        if let Some((holder, _)) = holders.get(&w.object)
            && let Some(&to) = nodes.get(holder)
        {
            graph.add_edge(nodes[&w.task], to, ());
        }
    }
    let cycle = tarjan_scc(&graph).into_iter().find(|component| component.len() > 1);
    cycle.map(|nodes| nodes.into_iter().map(|node| graph[node]).collect()).unwrap_or_default()
}
