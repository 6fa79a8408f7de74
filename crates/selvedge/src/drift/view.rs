//! The report, for reading and as JSON (schema `selvedge-drift/1`).

use std::collections::BTreeMap;
use std::fmt::Write;

use selvedge_models::functions::Function;
use serde_json::{Value, json};

use super::Report;
use super::compare::{Drift, Status};
use crate::patch::reach::EXECUTIONS;
use crate::patch::view::{by_subsystem, paragraph, plural};

/// The report, for reading: what has drifted in full, of the rest the names.
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    let release = &report.release;
    // Writing to a string cannot fail; so below.
    let _ = match &report.against {
        Some(against) => writeln!(out, "Linux {release}, against the fingerprints of {against}\n"),
        None => writeln!(
            out,
            "Linux {release}: no release of {} is recorded. `--against RELEASE` compares with \
                another \
             one, `--record` records this one.\n",
            release.line
        ),
    };
    for function in report.functions.iter().filter(|f| f.status.is_drift()) {
        drifted(&mut out, function);
    }
    if report.functions.iter().any(|f| f.status.is_drift()) {
        let line = report.against.as_ref().map_or("", |against| against.line.as_str());
        let says = format!(
            "Claims: those about trees of {line}, found by the first {EXECUTIONS} executions of \
                each \
             scenario; others may enter a function in a rarer interleaving.\n"
        );
        paragraph(&mut out, 0, &says);
        out.push('\n');
    }
    names(&mut out, report);
    summary(&mut out, report);
    crate::output::printable(&out)
}

fn drifted(out: &mut String, function: &Drift) {
    let was = function.was.as_deref().unwrap_or("not defined");
    let to = function.status.elsewhere().map(|file| format!(" -> {file}")).unwrap_or_default();
    paragraph(out, 0, &format!("{}: {}(), {was}{to}", function.status.name(), function.name));
    for Function { file, line, rust, .. } in function.models() {
        let rust = if rust.is_empty() { String::new() } else { format!(", {rust}()") };
        paragraph(out, 4, &format!("model: {file}:{line}{rust}"));
    }
    if let Some(model) = function.models().next() {
        paragraph(out, 4, &format!("modelled after {}", model.notes().source));
    }
    let says = match function.claims() {
        [] => "exercised by no claim that is known".into(),
        claims => {
            format!("exercised by {}: {}", plural(claims.len(), "claim"), by_subsystem(claims))
        }
    };
    paragraph(out, 4, &says);
    out.push('\n');
}

/// The functions that need nobody's attention, by file; then those of which nothing is known.
fn names(out: &mut String, report: &Report) {
    let of = |is: fn(&Status) -> bool| report.functions.iter().filter(move |f| is(&f.status));
    let mut files: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for function in of(|status| *status == Status::Same) {
        files.entry(function.was.as_deref().unwrap_or_default()).or_default().push(function.name);
    }
    for (file, names) in files {
        paragraph(out, 0, &format!("same, {file}: {}", names.join(", ")));
    }
    for (what, is) in [
        (
            "not defined, as recorded (of another release, or made by a macro)",
            (|status| *status == Status::Absent) as fn(&Status) -> bool,
        ),
        ("unknown, no fingerprint", |status| *status == Status::Unknown),
    ] {
        let names: Vec<&str> = of(is).map(|f| f.name).collect();
        if !names.is_empty() {
            paragraph(out, 0, &format!("{what}: {}", names.join(", ")));
        }
    }
    if !report.left_over.is_empty() {
        let names = report.left_over.join(", ");
        paragraph(out, 0, &format!("recorded, and no longer modelled: {names}"));
    }
}

fn counts(report: &Report) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for function in &report.functions {
        *counts.entry(function.status.name()).or_default() += 1;
    }
    counts
}

fn summary(out: &mut String, report: &Report) {
    const ORDER: &[&str] =
        &["same", "changed", "moved", "moved and changed", "gone", "come", "absent", "unknown"];
    let counts = counts(report);
    let known = ORDER.iter().filter_map(|name| Some(format!("{} {name}", counts.get(name)?)));
    let counts = known.collect::<Vec<_>>().join(", ");
    let _ = writeln!(out, "\n{}: {counts}.", plural(report.functions.len(), "modelled function"));
}

/// The report as one JSON object.
pub fn json(report: &Report) -> String {
    let functions: Vec<Value> = report.functions.iter().map(function_json).collect();
    let whole = json!({
        "schema": "selvedge-drift/1",
        "release": report.release.version,
        "against": report.against.as_ref().map(|against| &against.version),
        "counts": counts(report),
        "functions": functions,
        "left_over": report.left_over,
    });
    serde_json::to_string_pretty(&whole).expect("plain data") + "\n"
}

fn function_json(function: &Drift) -> Value {
    let models: Vec<Value> = (function.models())
        .map(|f| json!({ "file": f.file, "line": f.line, "rust": f.rust, "source": f.notes().source }))
        .collect();
    let claims: Vec<String> =
        function.claims().iter().map(|claim| claim.name(claim.engines[0])).collect();
    json!({
        "name": function.name,
        "status": function.status.name(),
        "file": function.was,
        "now_in": function.status.elsewhere(),
        "models": models,
        "claims": claims,
    })
}
