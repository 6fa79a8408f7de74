//! The execution as a graph, which is what it is under weak memory: accesses as nodes, and between
//! them program order (`po`) with its barriers, reads-from (`rf`), coherence (`co`) and from-reads
//! (`fr`). For Graphviz, and as a picture.
//!
//! A counterexample is stored in an order of its steps. What the graph needs follows from that:
//! writes of a word are coherent in the order that is shown; a read has read from the last of them
//! that is shown before it, unless it is stale. Of one that is, the write is found by its value;
//! where several fit, the edge says so (`rf?`).
//!
//! Left out: words that one task alone touches, or that nobody writes; what keeps a CPU to itself;
//! of `co` and `fr` what follows from others.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::text;
use crate::{Accesses, ActionKind, Counterexample, Record};

/// The graph in Graphviz's language.
pub fn graph(cx: &Counterexample) -> String {
    let cx = &text::printable(cx);
    let graph = Graph::of(cx);
    let mut out = String::from("digraph execution {\n");
    let title = quoted(&format!("{}\n{}", cx.rule, cx.message));
    // Writing to a string cannot fail; so below.
    let _ =
        writeln!(out, "  label={title};\n  labelloc=t;\n  node [fontname=monospace, shape=box];");
    for (task, nodes) in &graph.columns {
        let _ = writeln!(out, "  subgraph cluster_{task} {{");
        let _ = writeln!(out, "    label={};", quoted(&text::who(cx, *task)));
        for &node in nodes {
            let fatal = if cx.fatal == Some(node) { ", color=red" } else { "" };
            let _ = writeln!(out, "    {node} [label={}{fatal}];", quoted(&graph.labels[&node]));
        }
        out.push_str("  }\n");
    }
    for edge in &graph.edges {
        let Edge { from, to, kind, label } = edge;
        let (colour, style) = (kind.colour(), if *kind == Kind::Po { "bold" } else { "solid" });
        // Only program order says what is above what.
        let constraint = if *kind == Kind::Po { "" } else { ", constraint=false" };
        let _ = writeln!(
            out,
            "  {from} -> {to} [label={}, color=\"{colour}\", fontcolor=\"{colour}\", \
             style={style}{constraint}];",
            quoted(label),
        );
    }
    out + "}\n"
}

/// The same as a picture that needs no Graphviz: a column for each task, and time goes down as in
/// the table.
pub fn graph_svg(cx: &Counterexample) -> String {
    let cx = &text::printable(cx);
    let graph = Graph::of(cx);
    let plan = Plan::of(cx, &graph);
    let mut body = String::new();
    let title = [&cx.rule, &cx.message];
    for (line, text) in title.into_iter().enumerate() {
        let y = MARGIN + line * LINE;
        let _ =
            writeln!(body, "<text class=\"t\" x=\"{MARGIN}\" y=\"{y}\">{}</text>", escaped(text));
    }
    for (task, column) in &plan.columns {
        let (x, y) = (column.middle(), HEAD - LINE);
        let who = escaped(&text::who(cx, *task));
        let _ = writeln!(body, "<text class=\"t m\" x=\"{x}\" y=\"{y}\">{who}</text>");
    }
    graph.edges.iter().for_each(|edge| plan.edge(&mut body, edge));
    for (node, place) in &plan.places {
        let class = if cx.fatal == Some(*node) { " class=\"f\"" } else { "" };
        let (x, y, width) = (place.column.x, place.y, place.column.width);
        let (middle, base) = (place.column.middle(), y + LINE - 4);
        let label = escaped(&graph.labels[node]);
        let _ = writeln!(
            body,
            "<rect{class} x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{BOX}\"/>\
             <text class=\"m\" x=\"{middle}\" y=\"{base}\">{label}</text>"
        );
    }
    let height = plan.height + LINE;
    let _ = writeln!(body, "<text x=\"{MARGIN}\" y=\"{}\">{KEY}</text>", height - MARGIN / 2);
    head(plan.width.max(plan.title_width(cx)).max(2 * MARGIN + KEY.len() * (CHAR + 1)), height)
        + &body
        + "</svg>\n"
}

/// What the edges are called, below a picture.
const KEY: &str = "po: order of the program; rf: reads from; co: overwrites; fr: reads what that \
                   one overwrites";

/// What an edge is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Kind {
    Po,
    Rf,
    Co,
    Fr,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Po => "po",
            Kind::Rf => "rf",
            Kind::Co => "co",
            Kind::Fr => "fr",
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Kind::Po => "#444444",
            Kind::Rf => "#007733",
            Kind::Co => "#995500",
            Kind::Fr => "#cc0000",
        }
    }
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Edge {
    from: usize,
    to: usize,
    kind: Kind,
    /// The relation; of program order the barriers too.
    label: String,
}

/// Nodes are numbers of steps.
struct Graph {
    /// By task, in the order of its program.
    columns: BTreeMap<u8, Vec<usize>>,
    labels: BTreeMap<usize, String>,
    edges: BTreeSet<Edge>,
}

impl Graph {
    fn of(cx: &Counterexample) -> Graph {
        let mut graph =
            Graph { columns: BTreeMap::new(), labels: BTreeMap::new(), edges: BTreeSet::new() };
        let shared = shared(cx);
        let mut barriers: BTreeMap<u8, Vec<String>> = BTreeMap::new();
        for (index, step) in cx.steps.iter().enumerate() {
            let waiting = barriers.entry(step.task).or_default();
            if step.action == ActionKind::Fence {
                waiting.push(format!("{}()", step.primitive));
                continue;
            }
            if step.action.accesses().is_none() || !shared.contains(step.object.as_str()) {
                continue;
            }
            let column = graph.columns.entry(step.task).or_default();
            if let Some(&before) = column.last() {
                let mut label = vec![Kind::Po.name().to_string()];
                label.append(waiting);
                let label = label.join(" ");
                graph.edges.insert(Edge { from: before, to: index, kind: Kind::Po, label });
            }
            waiting.clear();
            column.push(index);
            graph.labels.insert(index, label(cx, index, step));
        }
        for object in shared {
            graph.relate(cx, object);
        }
        graph
    }

    /// Reads-from, coherence and from-reads of one word.
    fn relate(&mut self, cx: &Counterexample, object: &str) {
        let of_word = |(_, step): &(usize, &Record)| {
            step.object == object && step.action.accesses().is_some()
        };
        // By place in coherence order, with what was written; first the initial value, which is
        // what is there before the first step.
        let initial = cx.steps.iter().enumerate().find(of_word).map_or(0, |(_, step)| step.old);
        let mut writes: Vec<(Option<usize>, u64)> = vec![(None, initial)];
        let mut readers: Vec<(usize, usize)> = Vec::new();
        for (index, step) in cx.steps.iter().enumerate().filter(of_word) {
            let Accesses { reads, writes: does_write } = step.action.accesses().expect("it is one");
            if reads {
                let (place, is_sure) = source(&writes, step);
                if let Some(write) = writes[place].0 {
                    self.edge(write, index, Kind::Rf, if is_sure { "rf" } else { "rf?" });
                }
                readers.push((index, place));
            }
            if does_write {
                if let (Some(&(Some(last), _)), false) = (writes.last(), reads) {
                    self.edge(last, index, Kind::Co, "co");
                }
                writes.push((Some(index), step.new));
            }
        }
        for (read, place) in readers {
            if let Some(&(Some(next), _)) = writes.get(place + 1)
                && next != read
            {
                self.edge(read, next, Kind::Fr, "fr");
            }
        }
    }

    fn edge(&mut self, from: usize, to: usize, kind: Kind, label: &str) {
        self.edges.insert(Edge { from, to, kind, label: label.into() });
    }
}

/// The place among the writes so far that a step has read from, and whether that is sure.
fn source(writes: &[(Option<usize>, u64)], step: &Record) -> (usize, bool) {
    let newest = writes.len() - 1;
    if !step.stale {
        return (newest, true);
    }
    let fits: Vec<usize> = (0..newest).filter(|&place| writes[place].1 == step.old).collect();
    match fits.as_slice() {
        [one] => (*one, true),
        [.., last] => (*last, false),
        // Not of an order in which what it read comes first.
        [] => (newest, false),
    }
}

/// Words that several tasks touch, and one of them writes.
fn shared(cx: &Counterexample) -> BTreeSet<&str> {
    let mut users: BTreeMap<&str, (BTreeSet<u8>, bool)> = BTreeMap::new();
    let of_cpus = cx.steps.iter().filter(|step| text::has_cpu(cx, step.task));
    for step in of_cpus.filter(|step| !text::excludes_on_a_cpu(&step.object)) {
        if let Some(access) = step.action.accesses() {
            let (tasks, is_written) = users.entry(&step.object).or_default();
            tasks.insert(step.task);
            *is_written |= access.writes;
        }
    }
    let is_shared = |(tasks, is_written): &(BTreeSet<u8>, bool)| tasks.len() > 1 && *is_written;
    users.iter().filter(|(_, of)| is_shared(of)).map(|(object, _)| *object).collect()
}

/// `7 smp_load_acquire(flag) -> 1 [acquire]`
fn label(cx: &Counterexample, index: usize, step: &Record) -> String {
    format!("{index} {}{}", text::step(cx, step), step.order.mark())
}

// Pixels.
const CHAR: usize = 7;
const LINE: usize = 18;
const BOX: usize = 22;
const ROW: usize = 40;
const GAP: usize = 110;
const MARGIN: usize = 24;
const HEAD: usize = MARGIN + 4 * LINE;

#[derive(Clone, Copy)]
struct Column {
    x: usize,
    width: usize,
}

impl Column {
    fn middle(&self) -> usize {
        self.x + self.width / 2
    }
}

#[derive(Clone, Copy)]
struct Place {
    column: Column,
    y: usize,
}

struct Plan {
    columns: BTreeMap<u8, Column>,
    places: BTreeMap<usize, Place>,
    width: usize,
    height: usize,
}

impl Plan {
    fn of(cx: &Counterexample, graph: &Graph) -> Plan {
        let (mut columns, mut places) = (BTreeMap::new(), BTreeMap::new());
        let mut x = MARGIN + GAP / 2;
        for (task, nodes) in &graph.columns {
            let labels = nodes.iter().map(|node| text::width(&graph.labels[node]));
            let widest = labels.chain([text::width(&text::who(cx, *task))]).max().unwrap_or(0);
            let column = Column { x, width: widest * CHAR + 16 };
            columns.insert(*task, column);
            x += column.width + GAP;
        }
        for (row, node) in graph.labels.keys().enumerate() {
            let column = columns[&cx.steps[*node].task];
            places.insert(*node, Place { column, y: HEAD + row * ROW });
        }
        Plan { columns, places, width: x, height: HEAD + graph.labels.len() * ROW + MARGIN }
    }

    fn title_width(&self, cx: &Counterexample) -> usize {
        let longest = text::width(&cx.rule).max(text::width(&cx.message));
        2 * MARGIN + longest * (CHAR + 1)
    }

    fn edge(&self, out: &mut String, edge: &Edge) {
        let (from, to) = (self.places[&edge.from], self.places[&edge.to]);
        let class = edge.kind.name();
        let is_same_column = from.column.x == to.column.x;
        let (path, x, y) = if edge.kind == Kind::Po {
            let (x, top, bottom) = (from.column.middle(), from.y + BOX, to.y);
            (format!("M{x},{top}L{x},{bottom}"), x, usize::midpoint(top, bottom) + 4)
        } else if is_same_column {
            // Round the left side.
            let (x, top, bottom) = (from.column.x, from.y + BOX / 2, to.y + BOX / 2);
            let out = x - GAP / 3;
            (
                format!("M{x},{top}C{out},{top} {out},{bottom} {x},{bottom}"),
                out,
                usize::midpoint(top, bottom),
            )
        } else {
            let goes_right = from.column.x < to.column.x;
            let right = |column: Column| column.x + column.width;
            let (start, end) = match goes_right {
                true => (right(from.column), to.column.x),
                false => (from.column.x, right(to.column)),
            };
            let (top, bottom) = (from.y + BOX / 2, to.y + BOX / 2);
            let (x, y) = (usize::midpoint(start, end), usize::midpoint(top, bottom));
            (format!("M{start},{top}C{x},{top} {x},{bottom} {end},{bottom}"), x, y)
        };
        let label = escaped(&edge.label);
        let _ = writeln!(
            out,
            "<path class=\"{class}\" d=\"{path}\" marker-end=\"url(#{class})\"/>\
             <text class=\"l {class}\" x=\"{x}\" y=\"{y}\">{label}</text>"
        );
    }
}

fn head(width: usize, height: usize) -> String {
    let kinds = [Kind::Po, Kind::Rf, Kind::Co, Kind::Fr];
    let of_kind = |kind: Kind| {
        let (name, colour) = (kind.name(), kind.colour());
        let marker = format!(
            "<marker id=\"{name}\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"7\" \
             markerHeight=\"7\" orient=\"auto\"><path d=\"M0,0L10,5L0,10z\" \
             style=\"stroke:none;fill:{colour}\"/></marker>"
        );
        (format!("path.{name}{{stroke:{colour}}}text.{name}{{fill:{colour}}}"), marker)
    };
    let (styles, markers): (String, String) = kinds.map(of_kind).into_iter().unzip();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\">\n\
         <style>text{{font:12px monospace;fill:#222}}.t{{font-weight:bold}}\
         .m{{text-anchor:middle}}.l{{font-size:11px;text-anchor:middle;paint-order:stroke;\
         stroke:#fff;stroke-width:3px}}rect{{fill:#f4f4f4;stroke:#444}}rect.f{{stroke:#c00;\
         stroke-width:2}}path{{fill:none}}{styles}</style>\n<defs>{markers}</defs>\n\
         <rect width=\"100%\" height=\"100%\" style=\"fill:#fff;stroke:none\"/>\n"
    )
}

/// In quotes, as Graphviz takes them: a backslash is one only before certain letters.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

/// As text of XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn step(task: u8, action: ActionKind, object: &str, old: u64, new: u64) -> Record {
        fixture::step(task, action, object, (old, new))
    }

    /// Message passing without order on the reader's side: the flag is seen, the data are not.
    fn message() -> Counterexample {
        use ActionKind::{Fence, Read, Write};
        let wmb = Record { primitive: "smp_wmb".into(), ..step(1, Fence, "", 0, 0) };
        let stale = Record { stale: true, ..step(2, Read, "data", 0, 0) };
        let steps = vec![
            step(1, Write, "data", 0, 1),
            step(1, Write, "alone", 0, 1),
            wmb,
            step(1, Write, "flag", 0, 1),
            step(2, Read, "flag", 1, 1),
            stale,
        ];
        Counterexample {
            rule: "who sees the flag & sees the <data>".into(),
            message: String::new(),
            ..fixture::counterexample(&["send", "receive"], steps)
        }
    }

    #[test]
    fn message_passing_is_a_cycle_of_po_rf_and_fr() {
        let cx = message();
        let graph = Graph::of(&cx);
        let edges: Vec<(usize, usize, &str)> =
            graph.edges.iter().map(|edge| (edge.from, edge.to, edge.label.as_str())).collect();
        // The word that one task alone has is not there, nor is the initial value.
        assert_eq!(edges, [(0, 3, "po smp_wmb()"), (3, 4, "rf"), (4, 5, "po"), (5, 0, "fr")]);
    }

    #[test]
    fn a_stale_read_is_of_the_write_that_has_its_value() {
        use ActionKind::{Read, Update, Write};
        let mut cx = message();
        let stale = |old| Record { stale: true, ..step(2, Read, "data", old, old) };
        cx.steps = vec![
            step(1, Write, "data", 0, 7),
            step(1, Update, "data", 7, 8),
            step(1, Write, "data", 8, 9),
            stale(7),
            stale(8),
            stale(0),
        ];
        let graph = Graph::of(&cx);
        let of = |kind| -> Vec<(usize, usize)> {
            let is_it = |edge: &&Edge| edge.kind == kind;
            graph.edges.iter().filter(is_it).map(|edge| (edge.from, edge.to)).collect()
        };
        assert_eq!(of(Kind::Rf), [(0, 1), (0, 3), (1, 4)]);
        // What an update overwrites it has read, and what comes after it is ordered by co already.
        assert_eq!(of(Kind::Co), [(1, 2)]);
        assert_eq!(of(Kind::Fr), [(3, 1), (4, 2), (5, 0)]);
    }

    #[test]
    fn names_are_no_syntax_of_either_format() {
        let cx = message();
        assert!(graph(&cx).contains("\"who sees the flag & sees the <data>\\n\""));
        let svg = graph_svg(&cx);
        assert!(svg.contains("who sees the flag &amp; sees the &lt;data&gt;"), "{svg}");
        for relation in ["rf", "fr", "po smp_wmb()"] {
            assert!(svg.contains(&format!(">{relation}</text>")), "{relation} in {svg}");
        }
    }
}
