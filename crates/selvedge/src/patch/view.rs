//! The report, for reading and as JSON (schema `selvedge-patch/1`).

use std::collections::BTreeMap;
use std::fmt::Write;

use selvedge_models::Tree;
use selvedge_models::functions::{Function, Notes};
use selvedge_patch::{Found, How};
use selvedge_proofs::{Claim, Row};
use selvedge_trace::views::steers;
use serde_json::{Value, json};

use super::Report;
use super::reach::EXECUTIONS;
use super::survey::{FileSurvey, FunctionSurvey, PatchSurvey, how_modelled};
use crate::format::CheckFormat;

/// A line is no longer than this, where it can be broken.
const WIDTH: usize = 100;

/// Without the characters that a mail may have and that steer a terminal.
pub fn clean(text: &str) -> String {
    let is_plain = |c: char| !steers(c) || c == '\n';
    text.chars().map(|c| if is_plain(c) { c } else { '\u{fffd}' }).collect()
}

/// The report, for reading; with what the claims came to, if they were checked.
pub fn text(report: &Report, rows: Option<&[Row]>) -> String {
    let mut out = String::new();
    for patch in &report.patches {
        patch_text(&mut out, report, patch);
    }
    remarks(&mut out, report);
    models(&mut out, report);
    claims(&mut out, report);
    summary(&mut out, report);
    let mut out = clean(&out);
    match rows {
        Some([]) => out.push_str("\nNothing to check: no claim exercises what is touched.\n"),
        Some(rows) => {
            out.push('\n');
            out.push_str(&CheckFormat::Text.render(rows));
        }
        None if report.claims.is_empty() => {}
        None => out.push_str("`--check` checks these claims.\n"),
    }
    out
}

/// A paragraph at this indentation; its later lines are indented by two more. Writing to a string
/// cannot fail; so below.
pub fn paragraph(out: &mut String, indent: usize, text: &str) {
    let mut line = " ".repeat(indent);
    let mut is_empty = true;
    for word in text.split_whitespace() {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(out, "{line}");
            line = " ".repeat(indent + 2);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    let _ = writeln!(out, "{line}");
}

fn patch_text(out: &mut String, report: &Report, patch: &PatchSurvey) {
    let (file, line) = &patch.at;
    paragraph(out, 0, patch.subject.as_deref().unwrap_or("(a patch without a subject)"));
    paragraph(out, 2, &format!("{file}, from line {line}"));
    for tree in &patch.trees {
        paragraph(out, 2, &modelled_as(tree));
    }
    for file in &patch.files {
        file_text(out, report, file);
    }
    out.push('\n');
}

/// There is a tree for what is named so, with or without its diff.
pub fn modelled_as(tree: &Tree) -> String {
    let (name, base) = (tree.name, tree.base);
    format!(
        "a patch of this subject is modelled as the tree `{name}`: `selvedge check --tree {name}`, \
         `selvedge diff {base} {name}`"
    )
}

fn file_text(out: &mut String, report: &Report, file: &FileSurvey) {
    paragraph(out, 2, &file.path);
    for function in &file.functions {
        paragraph(out, 4, &format!("{}(): {}", function.name, how(function.how)));
        function_text(out, report, function);
    }
    if !file.outside.is_empty() {
        let (first, count) = (shortened(&file.outside[0]), file.outside.len());
        let more = if count > 1 { format!(", and {} more", count - 1) } else { String::new() };
        paragraph(out, 4, &format!("outside of functions, not judged: {first}{more}"));
    }
    if file.unknown > 0 {
        let count = file.unknown;
        paragraph(out, 4, &format!("changed lines in a function that nothing names: {count}"));
    }
    if file.functions.is_empty() && file.outside.is_empty() && file.unknown == 0 {
        paragraph(out, 4, "no code is changed");
    }
    match file.found {
        Found::HunkNotInFile => paragraph(
            out,
            4,
            "(this file of the kernel tree does not have the lines of some hunk: functions are named \
             from the hunk)",
        ),
        Found::Hunk if report.has_kernel => {
            paragraph(
                out,
                4,
                "(the kernel tree has no such file: functions are named from the hunks)",
            );
        }
        Found::Header => paragraph(
            out,
            4,
            "(the line breaks are lost: only what the headers of the hunks name is known)",
        ),
        Found::Hunk | Found::File => {}
    }
}

fn how(how: How) -> &'static str {
    match how {
        How::Comments => "only comments are changed",
        How::Changed => "changed",
        How::Added => "added",
        How::Removed => "removed",
    }
}

fn function_text(out: &mut String, report: &Report, function: &FunctionSurvey) {
    if function.models.is_empty() {
        not_modelled(out, function);
        return;
    }
    for model in &function.models {
        let Function { file, line, says, .. } = model;
        paragraph(out, 6, &format!("{}: {file}:{line}: {says}", how_modelled(model)));
        if !model.left_out.is_empty() {
            paragraph(out, 8, &format!("left out there: {}", model.left_out));
        }
    }
    let claims = report.claims_of(&function.name);
    let says = match claims.len() {
        0 if function.entered().is_empty() => {
            "no claim is known to exercise it: its steps are recorded under no name".into()
        }
        0 => "no claim was seen to exercise it: nothing judges this change".into(),
        count => {
            let by = match function.models.iter().all(|model| model.by_callers) {
                true => " (their scenarios enter a caller of it, or another function of its model)",
                false => "",
            };
            format!("exercised by {}{by}: {}", plural(count, "claim"), by_subsystem(claims))
        }
    };
    paragraph(out, 6, &says);
}

fn not_modelled(out: &mut String, function: &FunctionSurvey) {
    paragraph(out, 6, "NOT MODELLED: nothing judges this change");
    for mention in function.mentions.iter().take(2) {
        paragraph(
            out,
            8,
            &format!("{}:{} speaks of it: {}", mention.file, mention.line, mention.says),
        );
    }
    for namesake in function.namesakes.iter().take(1) {
        let file = namesake.file;
        paragraph(out, 8, &format!("{file} models a function of this name, but of another place"));
    }
}

/// `longterm_pin 27, races 6`: how many of these claims are of which subsystem.
pub fn by_subsystem(claims: &[&Claim]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for claim in claims {
        *counts.entry(claim.subsystem).or_default() += 1;
    }
    counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

/// `1 claim`, `2 claims`.
pub fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// What fits on a line.
fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

fn remarks(out: &mut String, report: &Report) {
    if report.remarks.is_empty() {
        return;
    }
    out.push_str("Not read:\n");
    for (file, remark) in &report.remarks {
        match remark.line {
            0 => paragraph(out, 2, &format!("{file}: {}", remark.text)),
            line => paragraph(out, 2, &format!("{file}, line {line}: {}", remark.text)),
        }
    }
    out.push('\n');
}

/// The files of models that are concerned, each once.
fn notes(report: &Report) -> Vec<&'static Notes> {
    let models = report.functions().flat_map(|(_, function)| &function.models);
    let mut all: Vec<&Notes> = models.map(|model| model.notes()).collect();
    all.sort_by_key(|notes| notes.file);
    all.dedup_by_key(|notes| notes.file);
    all
}

fn models(out: &mut String, report: &Report) {
    let notes = notes(report);
    if notes.is_empty() {
        return;
    }
    out.push_str("The models, and what they leave out:\n");
    for notes in notes {
        paragraph(out, 2, notes.file);
        for (what, says) in
            [("after", notes.source), ("scaled:", notes.scaled), ("left out:", notes.left_out)]
        {
            if !says.is_empty() {
                paragraph(out, 4, &format!("{what} {says}"));
            }
        }
    }
    out.push('\n');
}

/// The claims, a paragraph for each rule: its scenarios, and in how many trees.
fn claims(out: &mut String, report: &Report) {
    if report.claims.is_empty() {
        return;
    }
    out.push_str("Claims that exercise what is touched (scenarios, and in how many trees):\n");
    /// Of a scenario, in how many trees.
    type Trees = BTreeMap<&'static str, usize>;
    let mut rules: Vec<((&str, &str), Trees)> = Vec::new();
    for claim in &report.claims {
        let rule = (claim.subsystem, claim.rule.0);
        let at = rules.iter().position(|(known, _)| *known == rule).unwrap_or_else(|| {
            rules.push((rule, BTreeMap::new()));
            rules.len() - 1
        });
        *rules[at].1.entry(claim.scenario.name).or_default() += 1;
    }
    for ((subsystem, rule), scenarios) in &rules {
        let scenarios = scenarios.iter().map(|(name, trees)| format!("{name} {trees}"));
        let scenarios = scenarios.collect::<Vec<_>>().join(", ");
        paragraph(out, 2, &format!("{subsystem}: {rule}: {scenarios}"));
    }
    let says = format!(
        "Found by the first {EXECUTIONS} executions of each scenario in each tree, under dpor: a \
         claim that is not listed may still enter the function in a rarer interleaving."
    );
    paragraph(out, 0, &says);
    out.push('\n');
}

fn summary(out: &mut String, report: &Report) {
    let mut names: BTreeMap<&str, (bool, bool)> = BTreeMap::new();
    for (_, function) in report.functions() {
        let seen = names.entry(&function.name).or_default();
        seen.0 |= !function.models.is_empty();
        seen.1 |= !report.claims_of(&function.name).is_empty();
    }
    let of = |is: fn(&(bool, bool)) -> bool| -> Vec<&str> {
        names.iter().filter(|(_, seen)| is(seen)).map(|(name, _)| *name).collect()
    };
    let (exercised, unmodelled) = (of(|seen| seen.0 && seen.1), of(|seen| !seen.0));
    let modelled = of(|seen| seen.0);
    let mut says = format!(
        "{}: {} modelled, {} of them exercised by {}",
        plural(names.len(), "function"),
        modelled.len(),
        exercised.len(),
        plural(report.claims.len(), "claim"),
    );
    let idle = of(|seen| seen.0 && !seen.1);
    if !idle.is_empty() {
        let _ = write!(says, "; modelled, but exercised by no claim: {}", idle.join(", "));
    }
    if !unmodelled.is_empty() {
        let _ = write!(says, "; not modelled and so not judged: {}", unmodelled.join(", "));
    }
    paragraph(out, 0, &(says + "."));
    if !modelled.is_empty() {
        paragraph(
            out,
            0,
            "The claims are about the trees of `selvedge list trees`, not about this patch: they say \
             what holds where it intervenes. What it does to that is told when it is a tree of its \
             own (docs/patch.md).",
        );
    }
}

/// The report as JSON.
pub fn json(report: &Report, rows: Option<&[Row]>) -> String {
    let mut whole = json!({
        "schema": "selvedge-patch/1",
        "patches": report.patches.iter().map(|p| patch_json(report, p)).collect::<Vec<_>>(),
        "remarks": report.remarks.iter()
            .map(|(file, r)| json!({ "file": file, "line": r.line, "text": r.text }))
            .collect::<Vec<_>>(),
        "models": notes(report).iter().map(|notes| notes_json(notes)).collect::<Vec<_>>(),
        "claims": names(&report.claims),
        "executions_max": EXECUTIONS,
        "check": Value::Null,
    });
    if let Some(rows) = rows {
        // A report is JSON.
        whole["check"] = serde_json::from_str(&CheckFormat::Json.render(rows)).unwrap_or_default();
    }
    serde_json::to_string_pretty(&whole).expect("plain data") + "\n"
}

fn names(claims: &[&Claim]) -> Vec<String> {
    claims.iter().map(|claim| claim.name(claim.engines[0])).collect()
}

fn notes_json(notes: &Notes) -> Value {
    json!({ "file": notes.file, "after": notes.source, "scaled": notes.scaled,
            "left_out": notes.left_out })
}

fn patch_json(report: &Report, patch: &PatchSurvey) -> Value {
    let functions = |file: &FileSurvey| {
        file.functions.iter().map(|f| function_json(report, f)).collect::<Vec<_>>()
    };
    let file = |file: &FileSurvey| {
        json!({ "path": file.path, "functions": functions(file), "outside": file.outside,
                "unknown": file.unknown, "found_by": found(file.found) })
    };
    json!({ "subject": patch.subject, "file": patch.at.0, "line": patch.at.1,
            "trees": patch.trees.iter().map(|tree| tree.name).collect::<Vec<_>>(),
            "files": patch.files.iter().map(file).collect::<Vec<_>>() })
}

fn function_json(report: &Report, function: &FunctionSurvey) -> Value {
    let place = |model: &&Function| {
        json!({ "how": how_modelled(model), "file": model.file, "line": model.line,
                "function": model.rust, "says": model.says, "left_out": model.left_out,
                "by_callers": model.by_callers })
    };
    let how = match function.how {
        How::Comments => "comments",
        How::Changed => "changed",
        How::Added => "added",
        How::Removed => "removed",
    };
    json!({ "name": function.name, "change": how, "modelled": !function.models.is_empty(),
            "models": function.models.iter().map(place).collect::<Vec<_>>(),
            "mentioned": function.mentions.iter().map(place).collect::<Vec<_>>(),
            "claims": names(report.claims_of(&function.name)) })
}

fn found(found: Found) -> &'static str {
    match found {
        Found::File => "kernel tree",
        Found::Hunk => "hunk",
        Found::HunkNotInFile => "hunk: not in the kernel tree",
        Found::Header => "hunk header",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_mail_says_steers_no_terminal() {
        assert_eq!(clean("mm/\u{202e}wap.c\n\u{1b}[31m"), "mm/\u{fffd}wap.c\n\u{fffd}[31m");
    }
}
