//! The CPU0/CPU1 table of kernel changelogs (Documentation/process/maintainer-tip.rst): one column
//! for each CPU, or task of it, time goes down, calls are indented, at most 75 columns. `[name]`
//! says that another task, a work item or an interrupt goes on in the column.

use crate::text::{self, WIDTH};
use crate::{Context, Counterexample, Record};

/// The mark behind the fatal step.
const MARK: &str = " <==";
/// Between two columns.
const GAP: usize = 2;
/// More columns than this are too narrow to read.
const COLUMNS_MAX: usize = 3;

/// The counterexample as a table, and below it what is wrong.
///
/// The scenario's own steps (starting tasks and waiting for them) are not shown. Notes (references,
/// states) are in the list of steps ([`crate::steps`]).
pub fn table(cx: &Counterexample) -> String {
    let columns = columns(cx);
    let mut table = Table::new(&columns);
    for (index, step) in cx.steps.iter().enumerate() {
        if let Some(at) = columns.iter().position(|column| column.tasks.contains(&step.task)) {
            if step.action.is_note() {
                continue;
            }
            table.add(cx, at, step, cx.fatal == Some(index));
        }
    }
    let mut out = table.finish();
    out.push('\n');
    out.push_str(&verdict(cx));
    out
}

struct Column {
    head: String,
    tasks: Vec<u8>,
}

/// A column for each task that takes steps on a CPU. Work items and interrupts share the first
/// column of their CPU; if there are more than three, so do its other tasks.
fn columns(cx: &Counterexample) -> Vec<Column> {
    let acts = |task: usize| {
        cx.steps.iter().any(|step| usize::from(step.task) == task && !step.action.is_note())
    };
    let tasks = || cx.tasks.iter().enumerate().filter(|&(number, _)| acts(number));
    let own = |context| context == Context::Task;
    let is_crowded =
        tasks().filter(|(_, task)| task.cpu.is_some() && own(task.context)).count() > COLUMNS_MAX;
    let mut found: Vec<(u8, Column)> = Vec::new();
    for guests in [false, true] {
        for (number, task) in tasks().filter(|(_, task)| own(task.context) != guests) {
            let Some(cpu) = task.cpu else { continue };
            match found.iter_mut().find(|(other, _)| (guests || is_crowded) && *other == cpu) {
                Some((_, column)) => column.tasks.push(number as u8),
                None => {
                    let head = format!("CPU{cpu} {}", task.name);
                    found.push((cpu, Column { head, tasks: vec![number as u8] }));
                }
            }
        }
    }
    found.sort_by_key(|(cpu, column)| (*cpu, column.tasks[0]));
    found.into_iter().map(|(_, column)| column).collect()
}

struct Table {
    lines: Vec<String>,
    width: usize,
    /// How far a call is indented.
    step: usize,
    heads: Vec<String>,
    /// The nest of functions that each column is in, and for which task it was printed.
    nests: Vec<(u8, Vec<String>)>,
}

impl Table {
    fn new(columns: &[Column]) -> Table {
        let count = columns.len().max(1);
        let width = (WIDTH - GAP * (count - 1)) / count;
        let heads: Vec<String> = columns.iter().map(|column| column.head.clone()).collect();
        let nests = columns.iter().map(|column| (column.tasks[0], Vec::new())).collect();
        let step = if count > 2 { 1 } else { 2 };
        Table { lines: Vec::new(), width, step, heads, nests }
    }

    fn add(&mut self, cx: &Counterexample, at: usize, step: &Record, is_fatal: bool) {
        let (task, nest) = std::mem::take(&mut self.nests[at]);
        let is_other_task = task != step.task;
        if is_other_task {
            let name = cx.tasks.get(usize::from(step.task)).map_or("", |task| task.name.as_str());
            self.cell(at, 0, &format!("[{name}]"), false);
        }
        let shared = if is_other_task {
            0
        } else {
            nest.iter().zip(&step.path).take_while(|(a, b)| a == b).count()
        };
        for (depth, function) in step.path.iter().enumerate().skip(shared) {
            self.cell(at, depth, &format!("{function}()"), false);
        }
        self.cell(at, step.path.len(), &text::step(cx, step), is_fatal);
        self.nests[at] = (step.task, step.path.clone());
    }

    /// One cell; a text that does not fit goes on in the next line, indented.
    fn cell(&mut self, at: usize, depth: usize, text: &str, is_fatal: bool) {
        let indent = (self.step * depth).min(self.width / 3);
        let room = self.width - indent - if is_fatal { MARK.len() } else { 0 };
        let parts = text::wrap(text, room, room.saturating_sub(2));
        for (number, part) in parts.iter().enumerate() {
            let hang = if number == 0 { 0 } else { 2 };
            let mark = if is_fatal && number + 1 == parts.len() { MARK } else { "" };
            let left = (self.width + GAP) * at + indent + hang;
            self.lines.push(format!("{:left$}{part}{mark}", ""));
        }
    }

    fn finish(self) -> String {
        let mut head = String::new();
        for (at, text) in self.heads.iter().enumerate() {
            let text: String = text.chars().take(self.width).collect();
            head = format!("{head:at$}{text}", at = (self.width + GAP) * at);
        }
        let mut out = head.trim_end().to_string();
        for line in &self.lines {
            out.push('\n');
            out.push_str(line.trim_end());
        }
        out.push('\n');
        out
    }
}

fn verdict(cx: &Counterexample) -> String {
    let mut out = text::paragraph(&format!("Broken: {}.", cx.rule));
    out.push_str(&text::paragraph(&format!("{}.", text::sentence(&cx.message))));
    if let Some(references) = text::references(cx) {
        out.push_str(&text::paragraph(&references));
    }
    for blocked in &cx.blocked {
        let who = text::who(cx, blocked.task);
        let function = blocked.path.last().map(|f| format!(" in {f}()")).unwrap_or_default();
        let what = text::blocked(cx, blocked);
        out.push_str(&text::paragraph(&format!("{who} waits{function}: {what}.")));
    }
    if cx.steps.iter().any(|step| step.stale) {
        let note = "(stale): the CPU did not see the newest value; nothing ordered it to \
                    (store buffering or reordering).";
        out.push_str(&text::paragraph(note));
    }
    out
}
