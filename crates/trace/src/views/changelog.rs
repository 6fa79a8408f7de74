//! A draft of the paragraph of a changelog: what happens, when exactly, the table, the tags.

use crate::Counterexample;
use crate::table::{Look, rows};
use crate::text::{self, under};

/// What is known of the tree, for the tags below a changelog.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tags {
    /// What the patch is on top of, or the release: `v6.12.117`.
    pub base: String,
    /// Commits that may have brought it: id, and title. The last is the likeliest.
    pub fixes: Vec<(String, String)>,
    /// Where it was posted or discussed.
    pub links: Vec<String>,
}

/// The draft, at most 75 columns wide but for the tags, which are not to be broken. What has to be
/// filled in by hand is in angle brackets.
pub fn changelog(cx: &Counterexample, tags: &Tags) -> String {
    let cx = &text::printable(cx);
    let mut out = text::paragraph(&format!("With {}, {}.", tags.base, broken(cx)));
    out.push('\n');
    if let Some(why) = cx.explanation.as_ref().filter(|why| !why.sentence.is_empty()) {
        out.push_str(&text::paragraph(&format!("It {}.", why.sentence)));
        out.push('\n');
    }
    // In a changelog a line that begins with blanks is left as it is.
    for line in rows(cx, &Look { width: text::WIDTH - 2, all: false }).0.lines() {
        out.push_str(format!("  {line}").trim_end());
        out.push('\n');
    }
    out.push('\n');
    out.push_str(&text::paragraph("<What the patch does about it, and why that is enough.>"));
    out.push('\n');
    out.push_str(&text::paragraph(&found(cx)));
    out.push('\n');
    if tags.fixes.is_empty() {
        out.push_str("Fixes: <12 digits of the commit> (\"<its title>\")\n");
    }
    for (id, title) in &tags.fixes {
        out.push_str(&format!("Fixes: {id} (\"{title}\")\n"));
    }
    if tags.links.is_empty() {
        out.push_str("Link: <where it was reported>\n");
    }
    for link in &tags.links {
        out.push_str(&format!("Link: {link}\n"));
    }
    out
}

/// The message says what happened; the rule, what should have been.
fn broken(cx: &Counterexample) -> String {
    let happened = text::sentence(&cx.message);
    format!("this can happen: {happened}. It must not: the rule is that {}", cx.rule)
}

fn found(cx: &Counterexample) -> String {
    let all = cx.explanation.as_ref().filter(|why| why.executions > 0 && why.from.is_none());
    let all = all.map_or(String::new(), |why| {
        let breaks = if why.failing == 1 { "breaks" } else { "break" };
        format!(
            " Of all {} interleavings, up to the order of independent steps, {} {breaks} this \
             rule.",
            why.executions, why.failing
        )
    });
    format!(
        "Found by selvedge, a model checker, in the scenario {} {} ({}).{all}",
        cx.scenario,
        under(cx),
        cx.engine
    )
}
