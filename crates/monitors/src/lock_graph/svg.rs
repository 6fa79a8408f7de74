//! Graphs as one picture that needs no Graphviz: what comes first on the left, the nodes of a cycle
//! above each other. The same graph is drawn the same way each time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use selvedge_trace::views::escaped;

use super::splat::function;
use super::{Id, Judged, LockGraph, Use, Verdict};

/// A graph to be drawn.
#[derive(Clone, Debug)]
pub struct Drawing<'a> {
    /// What is written above it.
    pub title: String,
    /// The graph.
    pub graph: &'a LockGraph,
    /// Its cycles: those that are real are red.
    pub cycles: &'a [Judged],
}

/// A graph of more nodes is not drawn: nobody could read it.
const NODES_MAX: usize = 40;

// Pixels.
const CHAR: usize = 7;
const BOX_HEIGHT: usize = 26;
const ROW: usize = 84;
const GAP: usize = 220;
const MARGIN: usize = 20;
const TITLE: usize = 34;

/// The graphs one below the other, as one SVG document. One with too many nodes is named and left
/// out.
pub fn svg(drawings: &[Drawing<'_>]) -> String {
    let (mut body, mut width, mut height) = (String::new(), 0, MARGIN);
    for drawing in drawings {
        let plan = Plan::of(drawing.graph);
        // Writing to a string cannot fail; so below.
        let _ = writeln!(body, "<g transform=\"translate({MARGIN},{height})\">");
        if plan.places.len() > NODES_MAX {
            let what =
                format!("{}: {} nodes, drawn by --format dot", drawing.title, plan.places.len());
            let _ = writeln!(body, "<text class=\"title\" y=\"14\">{}</text>", escaped(&what));
            height += TITLE;
        } else {
            let title = escaped(&drawing.title);
            let _ = writeln!(body, "<text class=\"title\" y=\"14\">{title}</text>");
            edges(&mut body, drawing, &plan);
            nodes(&mut body, drawing.graph, &plan);
            height += TITLE + plan.height;
        }
        body.push_str("</g>\n");
        width = width.max(plan.width).max(drawing.title.chars().count() * (CHAR + 1));
    }
    format!("{}{body}</svg>\n", head(width + 2 * MARGIN, height + MARGIN))
}

fn head(width: usize, height: usize) -> String {
    let marker = |id: &str, colour: &str| {
        format!(
            "<marker id=\"{id}\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"7\" \
             markerHeight=\"7\" orient=\"auto\">\
             <path d=\"M0,0L10,5L0,10z\" fill=\"{colour}\"/></marker>\n"
        )
    };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\">\n\
         <style>text{{font:12px monospace;fill:#222}}.title{{font-weight:bold}}\
         .label{{font-size:11px;text-anchor:middle;paint-order:stroke;\
         stroke:#fff;stroke-width:3px}}rect{{fill:#f4f4f4;stroke:#444}}\
         path.e{{fill:none;stroke:#444}}path.try{{stroke-dasharray:4 3}}\
         path.real{{stroke:#c00;stroke-width:2}}</style>\n\
         <rect width=\"100%\" height=\"100%\" style=\"fill:#fff;stroke:none\"/>\n\
         <defs>{}{}</defs>\n",
        marker("a", "#444"),
        marker("r", "#c00"),
    )
}

/// Where a node is: its left upper corner, its width, and its column.
#[derive(Clone, Copy)]
struct Place {
    x: usize,
    y: usize,
    width: usize,
    column: usize,
}

struct Plan {
    places: BTreeMap<Id, Place>,
    width: usize,
    height: usize,
}

impl Plan {
    fn of(graph: &LockGraph) -> Plan {
        let columns = columns(graph);
        let width_of = |id: Id| graph.name(id).chars().count() * CHAR + 16;
        let mut plan = Plan { places: BTreeMap::new(), width: 0, height: 0 };
        for (column, nodes) in columns.iter().enumerate() {
            let widest = nodes.iter().map(|&id| width_of(id)).max().unwrap_or(0);
            for (row, &id) in nodes.iter().enumerate() {
                // Neighbours in one row would hide the edges that pass by.
                let y = TITLE + row * ROW + (column % 2) * (ROW / 3);
                let place = Place { x: plan.width, y, width: width_of(id), column };
                plan.places.insert(id, place);
                plan.height = plan.height.max(y + ROW);
            }
            plan.width += widest + GAP;
        }
        plan
    }
}

/// The nodes by column: each is right of all that it can be waited for from, but for those that it
/// is in a cycle with, which are in one column.
fn columns(graph: &LockGraph) -> Vec<Vec<Id>> {
    let edges: BTreeSet<(Id, Id)> = graph.edges.keys().copied().collect();
    let as_map: DiGraphMap<Id, ()> = edges.iter().map(|&(a, b)| (a, b, ())).collect();
    let mut column_of: BTreeMap<Id, usize> = BTreeMap::new();
    let mut columns: Vec<Vec<Id>> = Vec::new();
    // The last component is one that no other leads to.
    for component in tarjan_scc(&as_map).into_iter().rev() {
        let before =
            edges.iter().filter(|(from, to)| component.contains(to) && !component.contains(from));
        let column = before.filter_map(|(from, _)| column_of.get(from)).max().map_or(0, |c| c + 1);
        columns.resize(columns.len().max(column + 1), Vec::new());
        columns[column].extend(&component);
        column_of.extend(component.iter().map(|&id| (id, column)));
    }
    columns.iter_mut().for_each(|column| column.sort_unstable());
    columns
}

fn nodes(out: &mut String, graph: &LockGraph, plan: &Plan) {
    for (&id, place) in &plan.places {
        let Place { x, y, width, .. } = *place;
        let (kind, name) = match graph.resources.get(&id) {
            Some(resource) => (resource.kind.to_string(), resource.name.as_str()),
            None => (String::new(), "?"),
        };
        let (name, kind) = (escaped(name), escaped(&kind));
        let (text_x, text_y) = (x + 8, y + 17);
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{BOX_HEIGHT}\" rx=\"4\">\
             <title>{kind}</title></rect><text x=\"{text_x}\" y=\"{text_y}\">{name}</text>"
        );
    }
}

/// An edge says what it is when it is pointed at; those of a cycle say so by themselves.
fn edges(out: &mut String, drawing: &Drawing<'_>, plan: &Plan) {
    let is_real = |judged: &&Judged| matches!(judged.verdict, Verdict::Real(_));
    let real: BTreeSet<(Id, Id)> =
        drawing.cycles.iter().filter(is_real).flat_map(Judged::edges).collect();
    let of_cycles: BTreeSet<(Id, Id)> = drawing.cycles.iter().flat_map(Judged::edges).collect();
    let mut labels = String::new();
    for (number, (&(from, to), uses)) in drawing.graph.edges.iter().enumerate() {
        let Some(used) = uses.iter().find(|used| !used.tries).or(uses.first()) else { continue };
        let (a, b) = (plan.places[&from], plan.places[&to]);
        let (path, (x, y)) = curve(a, b);
        let (class, marker) = match (real.contains(&(from, to)), used.tries) {
            (true, _) => ("e real", "r"),
            (false, true) => ("e try", "a"),
            (false, false) => ("e", "a"),
        };
        let text = escaped(&words(used));
        let _ = writeln!(
            out,
            "<path class=\"{class}\" d=\"{path}\" marker-end=\"url(#{marker})\">\
             <title>{text}</title></path>"
        );
        if of_cycles.contains(&(from, to)) {
            // Labels of neighbours do not lie on each other.
            let y = y + 11 * (number % 3);
            let _ = writeln!(labels, "<text class=\"label\" x=\"{x}\" y=\"{y}\">{text}</text>");
        }
    }
    out.push_str(&labels);
}

/// `CPU0 migrator: lock_buffer()`
fn words(used: &Use) -> String {
    format!("{}: {}", used.who, function(&used.waits_in))
}

/// The line from one box to another, and where to write at it.
fn curve(a: Place, b: Place) -> (String, (usize, usize)) {
    let middle = |place: Place| place.y + BOX_HEIGHT / 2;
    let (from, to) = (middle(a), middle(b));
    if a.column != b.column {
        let (x, end) = (a.x + a.width, b.x);
        let half = x + (end - x) / 2;
        return (
            format!("M{x},{from}C{half},{from} {half},{to} {end},{to}"),
            (half, (from + to) / 2 - 4),
        );
    }
    // In one column: down at the right of the boxes, up further right.
    let (x, end) = (a.x + a.width, b.x + b.width);
    let out = x.max(end) + if from < to { 40 } else { 90 };
    let (start, stop) = if from == to { (from - 8, to + 8) } else { (from, to) };
    let path = format!("M{x},{start}C{out},{start} {out},{stop} {end},{stop}");
    (path, (out, (from + to) / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_within_a_column_leaves_room_for_the_one_back() {
        let place = |y| Place { x: 0, y, width: 100, column: 0 };
        let (down, back) = (curve(place(0), place(84)), curve(place(84), place(0)));
        assert_ne!(down.1.0, back.1.0);
    }
}
