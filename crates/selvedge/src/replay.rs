//! `selvedge replay`: the execution of a file again, step for step.

use std::fmt::Write;
use std::path::PathBuf;

use selvedge_explore::{Bounds, Engine};
use selvedge_proofs::{Claim, check, model_of, replay};
use selvedge_trace::{Counterexample, Record};

use crate::error::Failure;
use crate::trace_file::{read, row_of};
use crate::{Outcome, Status, output, threads};

/// `selvedge replay`
#[derive(clap::Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct ReplayArgs {
    /// A counterexample: a file `*.json` that `check --out` wrote.
    pub file: PathBuf,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  it went and ended as the file says
  1  it did not
  2  the file is unreadable, or is of another version of the models";

/// What happened when it was run again.
struct Again {
    /// As far as it came.
    execution: Counterexample,
    /// Why it did not come to an end.
    stopped: Option<String>,
    /// How it was run.
    how: String,
}

/// Runs the execution of the file again, and compares.
pub fn run(args: &ReplayArgs) -> Outcome {
    let file = args.file.display();
    let cx = read(&args.file)?;
    let (claim, engine) = row_of(&args.file, &cx)?;
    let again = again(claim, engine, &cx)?;
    let difference = difference(&cx, &again);
    if let Some(changed) = changed(&cx) {
        let now = match difference {
            Some(what) => format!("run all the same, {what}"),
            None => "run all the same, it goes and ends as the file says".into(),
        };
        return Err(Failure::new(format!(
            "{file}: it is of another version of the models: {changed}; {now}; make it again with \
             `selvedge check {} --out DIR`",
            cx.claim
        )));
    }
    let steps = cx.steps.len();
    if let Some(difference) = difference {
        output::print(&output::printable(&format!("{file}: not as in the file: {difference}\n")))?;
        return Ok(Status::Unexpected);
    }
    let mut text = format!("{}: {steps} steps as in the file ({})\n", cx.claim, again.how);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "Broken: {}.\n{}.", cx.rule, cx.message.trim_end_matches('.'));
    output::print(&output::printable(&text))?;
    Ok(Status::AsExpected)
}

fn again(claim: &'static Claim, engine: Engine, cx: &Counterexample) -> Result<Again, Failure> {
    if !engine.takes_schedules() {
        // But its search is the same every time.
        let row = check(claim, engine, &Bounds { workers: threads::cores(), ..Bounds::PROOF });
        let how = format!("{engine} takes no schedule: its whole search again");
        let stopped = match &row.exploration.counterexample {
            Some(_) => None,
            None => Some(format!("the search ends as {}", row.exploration.verdict)),
        };
        let execution = row.exploration.counterexample.unwrap_or_else(|| empty(cx));
        return Ok(Again { execution, stopped, how });
    }
    if cx.schedule.is_empty() {
        return Err(Failure::new(format!("{}: it has no schedule to follow", cx.claim)));
    }
    let replayed = replay(claim, &cx.schedule);
    let how = String::from("along its schedule");
    Ok(Again { execution: replayed.execution, stopped: replayed.stopped, how })
}

fn empty(cx: &Counterexample) -> Counterexample {
    Counterexample { steps: Vec::new(), rule: String::new(), ..cx.clone() }
}

/// What of the models is not as the file says; `None`: nothing, or it says nothing of them, as the
/// reviewed files: then the steps tell.
fn changed(cx: &Counterexample) -> Option<String> {
    let then = cx.model.as_ref()?;
    let now = model_of(cx);
    let names = then.differs(&now);
    if names.is_empty() {
        return None;
    }
    let shown: Vec<String> = names.iter().take(6).map(|name| format!("{name}()")).collect();
    let more = names.len() - shown.len();
    let more = if more > 0 { format!(" and {more} others") } else { String::new() };
    let version = match then.version == now.version {
        true => String::new(),
        false => format!("made with selvedge {}, this is {}; ", then.version, now.version),
    };
    Some(format!("{version}changed since: {}{more}", shown.join(", ")))
}

/// The first thing that is not as the file says.
fn difference(cx: &Counterexample, again: &Again) -> Option<String> {
    let now = &again.execution;
    let pairs = cx.steps.iter().zip(&now.steps);
    if let Some(at) = pairs.clone().position(|(then, now)| then != now) {
        let said = |steps: &[Record]| steps.get(at).map_or_else(String::new, |s| said(cx, s));
        let (then, now) = (said(&cx.steps), said(&now.steps));
        return Some(format!("step {at} was {then}, and is {now}"));
    }
    if cx.steps.len() != now.steps.len() {
        let why = again.stopped.as_ref().map_or(String::new(), |why| format!(": {why}"));
        return Some(format!("it has {} steps, not {}{why}", now.steps.len(), cx.steps.len()));
    }
    let differs = |what: &str, then: &str, now: &str| {
        (then != now).then(|| format!("{what} was \"{then}\", and is \"{now}\""))
    };
    let end = differs("the broken rule", &cx.rule, &now.rule)
        .or_else(|| differs("what was seen", &cx.message, &now.message));
    let others = (cx.fatal != now.fatal || cx.blocked != now.blocked || cx.holders != now.holders)
        .then(|| "it ends in another state".into());
    end.or(others).or_else(|| again.stopped.clone())
}

/// `CPU0 installer: atomic_read(migrate_pending_count), 0 -> 0`
fn said(cx: &Counterexample, step: &Record) -> String {
    let task = cx.tasks.get(usize::from(step.task)).map_or("", |task| task.name.as_str());
    let function = step.path.last().map_or(String::new(), |name| format!(" in {name}()"));
    let Record { primitive, object, old, new, .. } = step;
    format!("{task}'s {primitive}({object}){function}, {old} -> {new}")
}
