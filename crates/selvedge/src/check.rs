//! `selvedge check`: runs the rows on all cores and prints what came of them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use selvedge_explore::Bounds;
use selvedge_proofs::{Outcome as Judged, Row, check};
use selvedge_trace::{table, to_json};

use crate::args::{CheckArgs, Format};
use crate::error::Failure;
use crate::progress::Meter;
use crate::select::{Selected, select};
use crate::{Outcome, Status, matrix, output, report, threads};

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

/// How a check of these rows ended.
pub fn status(rows: &[Row]) -> Status {
    let any = |is: fn(&Judged) -> bool| rows.iter().any(|row| is(&row.outcome));
    if any(|outcome| matches!(outcome, Judged::Unexpected(_))) {
        Status::Unexpected
    } else if any(|outcome| matches!(outcome, Judged::Undecided(_))) {
        Status::Undecided
    } else {
        Status::AsExpected
    }
}

/// Checks the rows, as many at a time as there are workers; the result is in their order.
///
/// Each row may have all workers besides, since the last row that is left is often a long one. That
/// they are more than the cores then for a while costs next to nothing.
pub fn check_all(selected: &[Selected], args: &CheckArgs) -> Result<Vec<Row>, Failure> {
    let interrupted = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGINT, interrupted.clone())
        .map_err(|error| Failure::new(format!("cannot catch Ctrl-C: {error}")))?;
    let meter = Meter::new(selected.len());
    let workers = args.workers.map_or_else(threads::cores, usize::from);
    let rows = threads::on_each(selected, workers, |&(claim, engine)| {
        let bounds = Bounds {
            executions_max: args.max_executions.unwrap_or(Bounds::PROOF.executions_max),
            time_max: args.max_seconds.map(Duration::from_secs),
            keep_going: args.keep_going,
            workers,
            interrupted: Some(interrupted.clone()),
            progress: Some(meter.of_row(&claim.name(engine))),
            ..Bounds::PROOF
        };
        let row = check(claim, engine, &bounds);
        meter.row_done();
        row
    });
    meter.finish();
    Ok(rows)
}
