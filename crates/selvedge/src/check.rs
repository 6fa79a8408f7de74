//! `selvedge check`: runs the rows on all cores and prints what came of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use selvedge_explore::{Bounds, Verdict};
use selvedge_proofs::{Outcome as Judged, Row, check, one_tree_after_another};
use selvedge_trace::to_json;
use selvedge_trace::views::html;

use crate::args::{CheckArgs, Printed};
use crate::cache::Cache;
use crate::error::Failure;
use crate::format::{About, Beside, CheckFormat, Totals, evidence, index, step_summary};
use crate::interrupt::Interrupt;
use crate::parts::Parts;
use crate::progress::Meter;
use crate::select::{Selected, select};
use crate::shard::{Work, work_of};
use crate::{Outcome, Status, locks, mutate, output, threads};

/// Rows that were checked.
pub struct Checked {
    /// In their order.
    pub rows: Vec<Row>,
    /// Whether the counterexamples could be written.
    pub written: Result<(), Failure>,
    /// What there is to say of them besides.
    pub about: About,
}

/// Checks what the arguments name.
pub fn run(args: &CheckArgs) -> Outcome {
    let selected = select(args)?;
    let Some(shard) = args.shard else {
        prepare(&args.printed)?;
        return report(check_all(&selected, args)?, &args.printed);
    };
    let Work { mine, large, part } = work_of(selected, shard)?;
    prepare(&args.printed)?;
    let large = if args.parts.is_some() { large } else { Vec::new() };
    let mut checked = check_with(&large, &mine, args)?;
    checked.about.part = Some(part);
    report(checked, &args.printed)
}

/// Makes sure, before anything is computed, that what is asked for can be written.
pub fn prepare(printed: &Printed) -> Result<(), Failure> {
    if let Some(dir) = &printed.out {
        output::prepare_dir(dir)?;
        beside(dir, printed)?;
    }
    printed.reports.iter().try_for_each(|report| output::prepare_file(&report.file))
}

/// Prints and writes what was found.
pub fn report(checked: Checked, printed: &Printed) -> Outcome {
    let Checked { rows, written, about } = checked;
    // What was found is printed even if it cannot be written.
    let written = written.and_then(|()| write_reports(&rows, &about, printed));
    output::print(&printed.format.render_about(&rows, &about))?;
    written?;
    Ok(status(&rows))
}

fn write_reports(rows: &[Row], about: &About, printed: &Printed) -> Result<(), Failure> {
    for report in &printed.reports {
        output::write_file(&report.file, &report.format.render_about(rows, about))?;
    }
    if let Some(dir) = &printed.out {
        output::write_file(&dir.join("index.html"), &index(rows, &beside(dir, printed)?))?;
    }
    // GitHub names the file of the step's summary.
    let summary = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|name| !name.is_empty());
    if let (CheckFormat::Github, Some(file)) = (printed.format, summary) {
        let file = Path::new(&file);
        let already = fs::metadata(file).map_or(0, |known| known.len() as usize);
        output::append(file, &step_summary(rows, about, already))?;
    }
    Ok(())
}

/// What `selvedge mutate` has written, and what `selvedge locks --out DIR` has left in the
/// directory.
fn beside(dir: &Path, printed: &Printed) -> Result<Beside, Failure> {
    let in_dir = || Some(dir.join("mutants.json")).filter(|file| file.exists());
    let file = printed.mutants.clone().or_else(in_dir).or_else(mutate::page_of_checkout);
    let kills = file.map(|file| mutate::kills_in(&file)).transpose()?;
    Ok(Beside { kills, has_locks: dir.join(locks::PAGE).exists() })
}

/// How a check of these rows ended.
pub fn status(rows: &[Row]) -> Status {
    let totals = Totals::of(rows);
    match (totals.unexpected, totals.undecided) {
        (0, 0) => Status::AsExpected,
        (0, _) => Status::Undecided,
        (_, _) => Status::Unexpected,
    }
}

/// Checks the rows, as many at a time as there are workers.
///
/// Each row may have all workers besides, since the last row that is left is often a long one. That
/// they are more than the cores then for a while costs next to nothing.
pub fn check_all(selected: &[Selected], args: &CheckArgs) -> Result<Checked, Failure> {
    check_with(&[], selected, args)
}

/// The same, and first of all these large ones, together with other shards, which may be the ones
/// to report them.
fn check_with(
    large: &[Selected],
    selected: &[Selected],
    args: &CheckArgs,
) -> Result<Checked, Failure> {
    let name = |(claim, engine): &Selected| claim.name(*engine);
    let large_names: BTreeSet<String> = large.iter().map(name).collect();
    let others = selected.iter().filter(|row| !large_names.contains(&name(row)));
    let mut others: Vec<Selected> = others.copied().collect();
    one_tree_after_another(&mut others);
    let all: Vec<Selected> = large.iter().copied().chain(others).collect();
    let mine: BTreeMap<String, usize> =
        selected.iter().enumerate().map(|(at, row)| (name(row), at)).collect();
    let is_mine = |row: &Row| mine.contains_key(&row.name());
    let interrupt = Interrupt::catch()?;
    let meter = Meter::new(all.len());
    let workers = args.workers.map_or_else(threads::cores, usize::from);
    let limits = Limits::from_now(args);
    let is_timed = args.max_seconds.or(args.max_time).is_some();
    let cache = args.cache.as_deref().map(|dir| Cache::open(dir, is_timed)).transpose()?;
    let parts = args.parts.as_deref().map(|dir| Parts::open(dir, args.shard)).transpose()?;
    let mut checked = threads::on_each(&all, workers, |&(claim, engine)| {
        let bounds = Bounds {
            executions_max: args.max_executions.unwrap_or(Bounds::PROOF.executions_max),
            keep_going: args.keep_going,
            stateful: args.stateful,
            workers,
            interrupted: Some(interrupt.flag()),
            progress: Some(meter.of_row(&claim.name(engine))),
            ..Bounds::PROOF
        };
        let exchange = parts.as_ref().map(|parts| parts.of((claim, engine), &bounds));
        let bounds = Bounds { exchange, ..bounds };
        let (row, is_cached) = match &cache {
            _ if interrupt.is_set() => {
                (not_begun((claim, engine), &bounds, "an interrupt from outside"), false)
            }
            None => (limits.check((claim, engine), &bounds), false),
            Some(cache) => {
                cache.row_or((claim, engine), &bounds, || limits.check((claim, engine), &bounds))
            }
        };
        meter.row_done();
        let written = match &args.printed.out {
            Some(dir) if is_mine(&row) => write_counterexample(dir, &row),
            _ => Ok(()),
        };
        (row, is_cached, written)
    });
    meter.finish();
    checked.retain(|(row, ..)| is_mine(row));
    checked.sort_by_key(|(row, ..)| mine.get(&row.name()).copied());
    let names =
        || checked.iter().filter(|(_, is_cached, _)| *is_cached).map(|(row, ..)| row.name());
    let cached = cache.is_some().then(|| names().collect());
    let (mut rows, mut written) = (Vec::new(), Ok(()));
    for (row, _, was_written) in checked {
        rows.push(row);
        written = written.and(was_written);
    }
    Ok(Checked { rows, written, about: About { part: None, cached } })
}

/// How long a row may take, and all of them together.
struct Limits {
    row: Option<Duration>,
    all: Option<Duration>,
    started: Instant,
}

impl Limits {
    fn from_now(args: &CheckArgs) -> Limits {
        Limits {
            row: args.max_seconds.map(Duration::from_secs),
            all: args.max_time.map(Duration::from_secs),
            started: Instant::now(),
        }
    }

    /// Checks the row in the time that is left for it.
    fn check(&self, (claim, engine): Selected, bounds: &Bounds) -> Row {
        let Some(all) = self.all else {
            return check(claim, engine, &Bounds { time_max: self.row, ..bounds.clone() });
        };
        let left = all.saturating_sub(self.started.elapsed());
        let limit = format!("the limit of {} s for all rows", all.as_secs());
        if left.is_zero() {
            return not_begun((claim, engine), bounds, &limit);
        }
        if self.row.is_some_and(|row| row <= left) {
            return check(claim, engine, &Bounds { time_max: self.row, ..bounds.clone() });
        }
        let row = check(claim, engine, &Bounds { time_max: Some(left), ..bounds.clone() });
        // The engine says how long *it* had.
        let said = format!("the limit of {} s", left.as_secs());
        if row.exploration.verdict.bound() == Some(&said) { undecided(row, &limit) } else { row }
    }
}

/// The row as one execution leaves it, undecided for this reason.
fn not_begun((claim, engine): Selected, bounds: &Bounds, why: &str) -> Row {
    let bounds = Bounds { executions_max: 0, interrupted: None, progress: None, ..bounds.clone() };
    let row = check(claim, engine, &bounds);
    if matches!(row.outcome, Judged::Undecided(_)) { undecided(row, why) } else { row }
}

fn undecided(mut row: Row, why: &str) -> Row {
    row.exploration.verdict = Verdict::Undecided(why.into());
    row.outcome = Judged::Undecided(why.into());
    row
}

/// Writes what shows that the row is violated; if nothing does, what an earlier check wrote is
/// removed.
pub fn write_counterexample(dir: &Path, row: &Row) -> Result<(), Failure> {
    let stem = row.name().replace("::", ".");
    let file = |kind: &str| dir.join(format!("{stem}.{kind}"));
    let (json, text, page) = (file("json"), file("txt"), file("html"));
    match &row.exploration.counterexample {
        Some(cx) => {
            output::write_file(&json, &to_json(cx))?;
            output::write_file(&page, &html(cx))?;
        }
        None => {
            output::remove_file(&json)?;
            output::remove_file(&page)?;
        }
    }
    match evidence(row) {
        Some(evidence) => output::write_file(&text, &evidence),
        None => output::remove_file(&text),
    }
}
