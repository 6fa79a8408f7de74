//! A graph in Graphviz's language: who holds and who waits for which lock when the execution ends,
//! who holds references, and the orders of steps that the failure takes.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::escape::quoted;
use super::held::held;
use crate::because;
use crate::text;
use crate::{Condition, Counterexample};

/// The graph.
pub fn dot(cx: &Counterexample) -> String {
    let cx = &text::printable(cx);
    let mut graph = Graph { out: String::new(), nodes: BTreeSet::new() };
    let fatal = cx.fatal.filter(|_| !because::lasts(cx));
    let end = fatal.unwrap_or(cx.steps.len());
    for lock in held(cx, end) {
        let step = &cx.steps[lock.since];
        let at = step.path.last().map_or(String::new(), |f| format!("{f}()"));
        let (object, task) = (graph.object(&lock.name), graph.task(cx, lock.task));
        graph.edge(&object, &task, &format!("held by, since {at}"), "solid");
    }
    // The scenario's own task waits for all others.
    let of_cpus = cx.blocked.iter().filter(|waits| text::has_cpu(cx, waits.task));
    for waits in of_cpus {
        let (task, object) = (graph.task(cx, waits.task), graph.object(&waits.object));
        graph.edge(&task, &object, &text::blocked(cx, waits), "bold");
    }
    for holder in &cx.holders {
        let of = cx.fatal.and_then(|at| cx.steps.get(at));
        let of = of.map_or(String::from("the object"), |step| step.object.clone());
        let (name, of) = (graph.node("holder", &holder.name, "ellipse"), graph.object(&of));
        graph.edge(&name, &of, &format!("{} references", holder.references), "solid");
    }
    for condition in cx.explanation.iter().flat_map(|why| &why.conditions) {
        if let Condition::Order { before, after: Some(after), .. } = *condition {
            let (one, other) = (graph.step(cx, before), graph.step(cx, after));
            graph.edge(&one, &other, "before", "dashed");
        }
    }
    format!(
        "digraph counterexample {{\n  label={};\n  labelloc=t;\n  \
         node [fontname=monospace];\n{}}}\n",
        quoted(&format!("{}\n{}", cx.rule, cx.message)),
        graph.out
    )
}

struct Graph {
    out: String,
    nodes: BTreeSet<String>,
}

impl Graph {
    fn node(&mut self, kind: &str, label: &str, shape: &str) -> String {
        let id = quoted(&format!("{kind} {label}"));
        if self.nodes.insert(id.clone()) {
            // Writing to a string cannot fail; so below.
            let _ = writeln!(self.out, "  {id} [label={}, shape={shape}];", quoted(label));
        }
        id
    }

    fn task(&mut self, cx: &Counterexample, task: u8) -> String {
        self.node("task", &text::who(cx, task), "box")
    }

    fn object(&mut self, name: &str) -> String {
        self.node("object", name, "octagon")
    }

    fn step(&mut self, cx: &Counterexample, index: usize) -> String {
        let label = cx.steps.get(index).map_or(String::new(), |step| {
            format!("{index} {}\n{}", text::who(cx, step.task), text::step(cx, step))
        });
        self.node("step", &label, "note")
    }

    fn edge(&mut self, from: &str, to: &str, label: &str, style: &str) {
        let _ = writeln!(self.out, "  {from} -> {to} [label={}, style={style}];", quoted(label));
    }
}
