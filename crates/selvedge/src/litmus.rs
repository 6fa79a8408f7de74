//! `selvedge litmus`: runs litmus tests, and compares what an engine observes with what the files
//! say.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use selvedge_explore::{Bounds, Engine};
use selvedge_litmus::{Agreement, Judged, SyntaxError, parse, run as run_test};

use crate::args::{LitmusArgs, LitmusFormat};
use crate::error::Failure;
use crate::interrupt::Interrupt;
use crate::select::engine;
use crate::{Outcome, Status, output, threads};

/// What became of one file.
struct Line {
    file: String,
    name: String,
    expected: String,
    /// By engine, in their order; or why it was not run.
    results: Result<Vec<(Engine, Judged)>, SyntaxError>,
}

/// Runs the files. A file that cannot be run does not keep the others from it.
pub fn run(args: &LitmusArgs) -> Outcome {
    let engines = args.engines.iter().map(|name| engine(name));
    let mut engines = engines.collect::<Result<Vec<Engine>, Failure>>()?;
    if engines.is_empty() {
        engines = vec![Engine::Loom, Engine::Dpor, Engine::Graph];
    }
    let (mut texts, mut unread) = (Vec::new(), Vec::new());
    for file in &args.files {
        match output::read_text(file, "a litmus test") {
            Ok(text) => texts.push((file.as_path(), text)),
            Err(failure) => unread.push(failure),
        }
    }
    let interrupt = Interrupt::catch()?;
    let bounds = Bounds { interrupted: Some(interrupt.flag()), ..bounds(args) };
    let lines = run_all(&texts, &engines, &bounds);
    let text = match args.format {
        LitmusFormat::Herd => herd(&lines),
        LitmusFormat::Card => card(&lines, &engines),
    };
    output::print(&output::printable(&text))?;
    for line in &lines {
        if let Err(error) = &line.results {
            output::tell(&format!("selvedge: {}:{error}", line.file));
        }
    }
    unread.iter().for_each(|failure| output::tell(&format!("selvedge: {failure}")));
    Ok(if unread.is_empty() { status(&lines) } else { Status::BadInput })
}

fn status(lines: &[Line]) -> Status {
    let judged = || lines.iter().filter_map(|line| line.results.as_ref().ok()).flatten();
    let any = |is: fn(&Agreement) -> bool| judged().any(|(_, judged)| is(&judged.agreement));
    if lines.iter().any(|line| line.results.is_err())
        || any(|agreement| matches!(agreement, Agreement::Fault(_)))
    {
        Status::BadInput
    } else if any(|a| matches!(a, Agreement::FalseAlarm | Agreement::Deadlock)) {
        Status::Unexpected
    } else if any(|a| matches!(a, Agreement::Undecided(_) | Agreement::Within(_))) {
        Status::Undecided
    } else {
        Status::AsExpected
    }
}

fn bounds(args: &LitmusArgs) -> Bounds {
    let time_max = args.max_seconds.map(Duration::from_secs);
    Bounds { executions_max: args.max_executions, time_max, ..Bounds::PROOF }
}

fn run_all(texts: &[(&Path, String)], engines: &[Engine], bounds: &Bounds) -> Vec<Line> {
    // loom maps and unmaps a stack for every task of every execution. Two threads that do so make
    // the kernel interrupt both CPUs each time: together they are slower than one after the other.
    let workers = if engines.contains(&Engine::Loom) { 1 } else { threads::cores() };
    threads::on_each(texts, workers, |(file, text)| run_one(file, text, engines, bounds))
}

fn run_one(file: &Path, text: &str, engines: &[Engine], bounds: &Bounds) -> Line {
    let file = file.display().to_string();
    let parsed = parse(text);
    let (name, expected) = match &parsed {
        Ok(test) => (test.name.clone(), test.result.clone().unwrap_or_else(|| "-".into())),
        Err(_) => (file.clone(), "-".into()),
    };
    let results = parsed.and_then(|test| {
        let under = |engine| Ok((engine, run_test(&test, engine, bounds)?));
        let results = engines.iter().map(|&engine| under(engine));
        results.collect()
    });
    Line { file, name, expected, results }
}

/// Writing to a string cannot fail, here and below.
fn herd(lines: &[Line]) -> String {
    let mut out = String::new();
    for line in lines {
        let Ok(results) = &line.results else { continue };
        for (engine, judged) in results {
            let Judged { observation, positive, negative, agreement } = judged;
            let (name, expected) = (&line.name, &line.expected);
            let _ = writeln!(
                out,
                "Observation {name} {observation} {positive} {negative}  \
                 ({engine}; expected {expected}: {agreement})"
            );
        }
    }
    out
}

fn card(lines: &[Line], engines: &[Engine]) -> String {
    let names: Vec<String> = engines.iter().map(ToString::to_string).collect();
    let mut out = format!("| test | LKMM | {} |\n", names.join(" | "));
    let _ = writeln!(out, "|---|---|{}", "---|".repeat(engines.len()));
    for line in lines {
        let cells: Vec<String> = match &line.results {
            Ok(results) => results.iter().map(|(_, judged)| judged.agreement.to_string()).collect(),
            Err(error) => vec![why_not(error); engines.len()],
        };
        let (name, expected) = (&line.name, &line.expected);
        let _ = writeln!(out, "| {name} | {expected} | {} |", cells.join(" | "));
    }
    for (at, engine) in engines.iter().enumerate() {
        let cell = |line: &Line| line.results.as_ref().ok().map(|r| r[at].1.agreement.clone());
        let count = |is: fn(&Agreement) -> bool| lines.iter().filter_map(cell).filter(&is).count();
        let _ = writeln!(
            out,
            "\n{engine}: {} agree, {} agree within a bound, {} blind, {} false alarms, \
             {} undecided, {} deadlocks, {} faults, {} unsupported.",
            count(|a| *a == Agreement::Agrees),
            count(|a| matches!(a, Agreement::Within(_))),
            count(|a| *a == Agreement::Blind),
            count(|a| *a == Agreement::FalseAlarm),
            count(|a| matches!(a, Agreement::Undecided(_))),
            count(|a| *a == Agreement::Deadlock),
            count(|a| matches!(a, Agreement::Fault(_))),
            lines.iter().filter(|line| line.results.is_err()).count(),
        );
    }
    out
}

fn why_not(error: &SyntaxError) -> String {
    match &error.unsupported {
        Some(construct) => format!("unsupported: `{construct}`"),
        None => "not parsed".into(),
    }
}
