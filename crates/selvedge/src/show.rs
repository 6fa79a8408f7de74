//! `selvedge show`: a counterexample from its file.

use selvedge_models::{Commit, Kind, Tree, trees};
use selvedge_trace::views::{self, Tags};
use selvedge_trace::{Counterexample, Look, refs, refs_dot, steps, table_as, to_json};

use crate::args::{ShowArgs, View};
use crate::trace_file::read;
use crate::{Outcome, Status, output};

/// Reads the file and prints the view.
pub fn run(args: &ShowArgs) -> Outcome {
    let cx = read(&args.file)?;
    let is_for_here = args.output.is_none();
    let width = args.width.map_or_else(|| default_width(is_for_here), usize::from);
    let look = Look { width, all: args.all };
    let view = match args.view {
        View::Table => output::printable(&table_as(&cx, &look)),
        View::Steps => output::printable(&steps(&cx)),
        View::Refs => output::printable(&refs(&cx)),
        View::RefsDot => output::printable(&refs_dot(&cx)),
        View::Splat => output::printable(&views::splat(&cx)),
        View::Changelog => output::printable(&views::changelog(&cx, &tags(&cx))),
        View::Mermaid => output::printable(&views::mermaid(&cx)),
        View::Ftrace => output::printable(&views::ftrace(&cx)),
        View::Dot => output::printable(&views::dot(&cx)),
        View::Graph => output::printable(&views::graph(&cx)),
        View::GraphSvg => output::printable(&views::graph_svg(&cx)),
        View::Html => views::html(&cx),
        View::Perfetto => views::chrome(&cx),
        View::Json => to_json(&cx),
    };
    match &args.output {
        Some(path) => output::write_file(path, &view)?,
        None => output::print(&view)?,
    }
    Ok(Status::AsExpected)
}

/// What goes to a file may be pasted into a mail, however wide the terminal is.
fn default_width(is_for_here: bool) -> usize {
    if is_for_here { output::table_width() } else { Look::default().width }
}

/// What is known of the tree that the counterexample is of.
fn tags(cx: &Counterexample) -> Tags {
    let Some(tree) = trees::by_name(&cx.tree) else {
        return Tags { base: cx.tree.clone(), ..Tags::default() };
    };
    let fixes = tree.patches.iter().filter_map(|patch| fixes(patch)).collect();
    let links = tree.patches.iter().filter_map(|patch| posted(patch)).collect();
    Tags { base: base(tree), fixes, links }
}

/// `v6.12.117`, `v5.11 and "[PATCH v2] ..."`
fn base(tree: &Tree) -> String {
    let titles: Vec<String> =
        tree.patches.iter().map(|patch| format!("\"{}\"", patch.title)).collect();
    match tree.kind {
        Kind::Release => tree.name.into(),
        _ if titles.is_empty() => format!("{} ({})", tree.name, tree.about),
        _ => format!("{} and {}", tree.base, titles.join(", ")),
    }
}

fn fixes(patch: &Commit) -> Option<(String, String)> {
    patch.hash.map(|hash| (hash.to_string(), patch.title.to_string()))
}

/// Of a patch that was never merged only the title is known, with author and date.
fn posted(patch: &Commit) -> Option<String> {
    patch.hash.is_none().then(|| format!("<of {}>", patch.title))
}
