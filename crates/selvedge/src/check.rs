//! `selvedge check`: runs the rows on all cores and prints what came of them.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use selvedge_explore::Bounds;
use selvedge_proofs::{Outcome as Judged, Row, check};
use selvedge_trace::{table, to_json};

use crate::args::{CheckArgs, Format};
use crate::error::Failure;
use crate::progress::Meter;
use crate::select::{Selected, select};
use crate::{Outcome, Status, matrix, output, report};

/// Checks what the arguments name.
pub fn run(args: &CheckArgs) -> Outcome {
    let selected = select(args)?;
    if let Some(dir) = &args.out {
        output::prepare_dir(dir)?;
    }
    let rows = check_all(&selected, args)?;
    if let Some(dir) = &args.out {
        for row in &rows {
            if let Some(cx) = &row.exploration.counterexample {
                let stem = row.name().replace("::", ".");
                output::write_file(&dir.join(format!("{stem}.json")), &to_json(cx))?;
                output::write_file(&dir.join(format!("{stem}.txt")), &table(cx))?;
            }
        }
    }
    let text = match args.format {
        Format::Text => matrix::text(&rows),
        Format::Json => report::json(&rows),
    };
    output::print(&text)?;
    Ok(status(&rows))
}

fn status(rows: &[Row]) -> Status {
    let any = |is: fn(&Judged) -> bool| rows.iter().any(|row| is(&row.outcome));
    if any(|outcome| matches!(outcome, Judged::Unexpected(_))) {
        Status::Unexpected
    } else if any(|outcome| matches!(outcome, Judged::Undecided(_))) {
        Status::Undecided
    } else {
        Status::AsExpected
    }
}

/// Checks the rows, as many at a time as there are cores; the result is in their order.
fn check_all(selected: &[Selected], args: &CheckArgs) -> Result<Vec<Row>, Failure> {
    let interrupted = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGINT, interrupted.clone())
        .map_err(|error| Failure::new(format!("cannot catch Ctrl-C: {error}")))?;
    let meter = Meter::new(selected.len());
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Row)>> = Mutex::new(Vec::new());
    let work = || {
        while let Some((at, &(claim, engine))) = take(&next, selected) {
            let bounds = Bounds {
                executions_max: args.max_executions.unwrap_or(Bounds::PROOF.executions_max),
                time_max: args.max_seconds.map(Duration::from_secs).or(Bounds::PROOF.time_max),
                keep_going: args.keep_going,
                interrupted: Some(interrupted.clone()),
                progress: Some(meter.of_row(&claim.name(engine))),
                ..Bounds::PROOF
            };
            let row = check(claim, engine, &bounds);
            done.lock().expect("not poisoned").push((at, row));
            meter.row_done();
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores.min(selected.len()) {
            scope.spawn(work);
        }
    });
    meter.finish();
    let mut done = done.into_inner().expect("not poisoned");
    done.sort_by_key(|(at, _)| *at);
    Ok(done.into_iter().map(|(_, row)| row).collect())
}

fn take<'a>(next: &AtomicUsize, selected: &'a [Selected]) -> Option<(usize, &'a Selected)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    selected.get(at).map(|row| (at, row))
}
