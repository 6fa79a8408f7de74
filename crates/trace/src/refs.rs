//! The references of a counterexample: who holds which object, since where; at the end, and
//! wherever somebody found a count that it could not freeze or take.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::text;
use crate::views::quoted;
use crate::{ActionKind, Counterexample, Record};

/// What a holder has of an object, and the step at which it got the latest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Share {
    references: i64,
    since: usize,
}

/// The books at some moment: by object, its holders; and the counters.
#[derive(Clone, Default)]
struct Books<'a> {
    held: BTreeMap<&'a str, BTreeMap<&'a str, Share>>,
    counters: BTreeMap<&'a str, i64>,
}

impl<'a> Books<'a> {
    fn enter(&mut self, at: usize, step: &'a Record) {
        match step.action {
            ActionKind::Get => self.add(at, &step.object, &step.detail, 1),
            ActionKind::Put => self.add(at, &step.object, &step.detail, -1),
            ActionKind::Hand => {
                let (from, to) = step.detail.split_once(" to ").unwrap_or((&step.detail, ""));
                self.add(at, &step.object, from, -1);
                self.add(at, &step.object, to, 1);
            }
            ActionKind::Update | ActionKind::Write if step.bit.is_none() => {
                self.counters.insert(&step.object, step.new as i64);
            }
            _ => {}
        }
    }

    fn add(&mut self, at: usize, object: &'a str, holder: &'a str, by: i64) {
        let holders = self.held.entry(object).or_default();
        let share = holders.entry(holder).or_insert(Share { references: 0, since: at });
        share.references += by;
        if by > 0 {
            share.since = at;
        }
        if share.references == 0 {
            holders.remove(holder);
        }
    }
}

/// Every object that references are booked for, with its counter and its holders; then, of each
/// conditional update of a counter that did not happen, who held it at that moment.
pub fn refs(cx: &Counterexample) -> String {
    let cx = &text::printable(cx);
    let mut books = Books::default();
    let mut failures = String::new();
    for (at, step) in cx.steps.iter().enumerate() {
        books.enter(at, step);
        let is_booked = books.held.contains_key(step.object.as_str());
        if step.action == ActionKind::UpdateFailed && step.bit.is_none() && is_booked {
            let function = step.path.last().map_or("the scenario", String::as_str);
            // Writing to a string cannot fail.
            let _ = writeln!(
                failures,
                "{at:4} {}: {}({}) in {function}() found {}, held by:",
                text::who(cx, step.task),
                step.primitive,
                step.object,
                step.old as i64,
            );
            holders(&mut failures, cx, &books, &step.object);
        }
    }
    let mut out = String::new();
    for object in books.held.keys() {
        let held: i64 = books.held[object].values().map(|share| share.references).sum();
        match books.counters.get(object) {
            Some(counter) if *counter != held => {
                let _ = writeln!(out, "{object} is {counter}, its holders hold {held}  <==");
            }
            _ => _ = writeln!(out, "{object} is {held}"),
        }
        holders(&mut out, cx, &books, object);
    }
    if books.held.is_empty() {
        out.push_str("No references are booked in this counterexample.\n");
    }
    if !failures.is_empty() {
        out.push_str("\nCounts that were not as somebody wanted them:\n");
        out.push_str(&failures);
    }
    let _ = write!(out, "\n{}", text::paragraph(&format!("Broken: {}. {}", cx.rule, cx.message)));
    out
}

fn holders(out: &mut String, cx: &Counterexample, books: &Books<'_>, object: &str) {
    let shares = books.held.get(object).into_iter().flatten();
    let mut is_held = false;
    for (holder, share) in shares {
        is_held = true;
        let since = since(cx, share.since);
        let _ = writeln!(out, "       {} x {holder}, {since}", share.references);
    }
    if !is_held {
        out.push_str("       nobody\n");
    }
}

/// `since folio_add_lru() of CPU0 adder at step 12`
fn since(cx: &Counterexample, at: usize) -> String {
    match cx.steps.get(at).and_then(|step| Some((step, step.path.last()?))) {
        Some((step, function)) => {
            format!("since {function}() of {} at step {at}", text::who(cx, step.task))
        }
        None => "since the scenario began".into(),
    }
}

/// The same at the end, as a graph for Graphviz: an edge from each holder to what it holds, with
/// the place of the get.
pub fn refs_dot(cx: &Counterexample) -> String {
    let cx = &text::printable(cx);
    let mut books = Books::default();
    cx.steps.iter().enumerate().for_each(|(at, step)| books.enter(at, step));
    let mut out = String::from("digraph references {\n  rankdir=LR;\n");
    for (object, holders) in &books.held {
        let counter = books.counters.get(object);
        let count = counter.map_or(String::new(), |counter| format!(" = {counter}"));
        let _ = writeln!(
            out,
            "  {} [shape=box, label={}];",
            quoted(object),
            quoted(&format!("{object}{count}"))
        );
        for (holder, share) in holders {
            let label = format!("{} x, {}", share.references, since(cx, share.since));
            let _ = writeln!(
                out,
                "  {} -> {} [label={}];",
                quoted(holder),
                quoted(object),
                quoted(&label)
            );
        }
    }
    out + "}\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn record(action: ActionKind, detail: &str, values: (u64, u64)) -> Record {
        Record {
            path: vec!["folio_add_lru".into()],
            primitive: "atomic_cmpxchg".into(),
            detail: detail.into(),
            ..fixture::step(1, action, "folio0->_refcount", values)
        }
    }

    fn of(steps: Vec<Record>) -> Counterexample {
        Counterexample {
            rule: "the reference count is what its holders hold".into(),
            message: "it is not".into(),
            ..fixture::counterexample(&["adder"], steps)
        }
    }

    fn begun() -> Record {
        Record { path: Vec::new(), task: 0, ..record(ActionKind::Get, "page cache", (0, 0)) }
    }

    #[test]
    fn a_count_is_explained_by_its_holders_and_where_they_got_it() {
        let cx = of(vec![
            begun(),
            record(ActionKind::Update, "", (1, 2)),
            record(ActionKind::Get, "batch", (0, 0)),
            record(ActionKind::UpdateFailed, "", (2, 2)),
            record(ActionKind::Hand, "batch to LRU list", (0, 0)),
            record(ActionKind::Put, "LRU list", (0, 0)),
        ]);
        let shown = refs(&cx);
        assert_eq!(
            shown,
            "folio0->_refcount is 2, its holders hold 1  <==\n\
             \x20      1 x page cache, since the scenario began\n\n\
             Counts that were not as somebody wanted them:\n\
             \x20  3 CPU0 adder: atomic_cmpxchg(folio0->_refcount) in folio_add_lru() found 2, held \
             by:\n\
             \x20      1 x batch, since folio_add_lru() of CPU0 adder at step 2\n\
             \x20      1 x page cache, since the scenario began\n\n\
             Broken: the reference count is what its holders hold. it is not\n"
        );
        assert!(refs(&of(Vec::new())).starts_with("No references are booked"));
    }

    #[test]
    fn the_graph_has_an_edge_from_each_holder() {
        let cx = of(vec![begun(), record(ActionKind::Get, "batch", (0, 0))]);
        let drawn = refs_dot(&cx);
        let edge = "\"batch\" -> \"folio0->_refcount\" \
                    [label=\"1 x, since folio_add_lru() of CPU0 adder at step 1\"];";
        assert!(drawn.contains(edge), "{drawn}");
    }
}
