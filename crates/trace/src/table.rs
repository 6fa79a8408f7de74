//! The CPU0/CPU1 table of kernel changelogs (Documentation/process/maintainer-tip.rst): one column
//! for each CPU, or task of it, time goes down, calls are indented, at most 75 columns. `[name]`
//! says that another task, a work item or an interrupt goes on in the column.
//!
//! What needs more than three columns is a list of who does what. There `... f()` says that a task
//! goes on where it was, in `f()`.

use crate::text::{self, WIDTH};
use crate::{Context, Counterexample, Record};

/// The mark behind the fatal step.
const MARK: &str = " <==";
/// Between two columns.
const GAP: usize = 2;
/// More columns than this are too narrow to read.
const COLUMNS_MAX: usize = 3;
/// In a list, who is longer than this has a line of its own.
const WHO_MAX: usize = 22;

/// The counterexample as a table, and below it what is wrong.
///
/// The scenario's own steps (starting tasks and waiting for them) are not shown. Notes (references,
/// states) are in the list of steps ([`crate::steps`]).
pub fn table(cx: &Counterexample) -> String {
    let cx = &text::printable(cx);
    let columns = columns(cx);
    let mut out = match Table::new(&columns) {
        Some(table) => side_by_side(cx, &columns, table),
        None => one_below_the_other(cx),
    };
    out.push('\n');
    out.push_str(&verdict(cx));
    out
}

fn side_by_side(cx: &Counterexample, columns: &[Column], mut table: Table) -> String {
    for (index, step) in cx.steps.iter().enumerate() {
        if let Some(at) = columns.iter().position(|column| column.tasks.contains(&step.task)) {
            if step.action.is_note() {
                continue;
            }
            table.add(cx, at, step, cx.fatal == Some(index));
        }
    }
    table.finish()
}

fn one_below_the_other(cx: &Counterexample) -> String {
    let mut list = List::new(cx);
    for (index, step) in cx.steps.iter().enumerate() {
        let has_cpu = cx.tasks.get(usize::from(step.task)).is_some_and(|task| task.cpu.is_some());
        if has_cpu && !step.action.is_note() {
            list.add(cx, step, cx.fatal == Some(index));
        }
    }
    list.lines.join("\n") + "\n"
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
    /// The lines of each head.
    heads: Vec<Vec<String>>,
    /// The nest of functions that each column is in, and for which task it was printed.
    nests: Vec<(u8, Vec<String>)>,
}

impl Table {
    /// `None` if the columns or what stands above them do not fit.
    fn new(columns: &[Column]) -> Option<Table> {
        let count = columns.len().max(1);
        if count > COLUMNS_MAX {
            return None;
        }
        let width = (WIDTH - GAP * (count - 1)) / count;
        let heads: Vec<Vec<String>> =
            columns.iter().map(|column| text::wrap(&column.head, width, width)).collect();
        let nests = columns.iter().map(|column| (column.tasks[0], Vec::new())).collect();
        let step = if count > 2 { 1 } else { 2 };
        let fits = heads.iter().flatten().all(|part| part.chars().count() <= width);
        fits.then_some(Table { lines: Vec::new(), width, step, heads, nests })
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

    /// One cell; a text that does not fit goes on in the next line, indented. A word that does not
    /// fit in any line stands out to the right, where nothing else is, or to the left.
    fn cell(&mut self, at: usize, depth: usize, text: &str, is_fatal: bool) {
        let indent = (self.step * depth).min(self.width / 3);
        let room = self.width - indent - if is_fatal { MARK.len() } else { 0 };
        for (hang, part) in parts(text, room, is_fatal) {
            let left = (self.width + GAP) * at + indent + hang;
            let left = left.min(WIDTH.saturating_sub(part.chars().count()));
            self.lines.push(format!("{:left$}{part}", ""));
        }
    }

    fn finish(self) -> String {
        let mut lines = Vec::new();
        for row in 0..self.heads.iter().map(Vec::len).max().unwrap_or(0) {
            let mut head = String::new();
            for (at, parts) in self.heads.iter().enumerate() {
                let part = parts.get(row).map_or("", String::as_str);
                head = format!("{head:at$}{part}", at = (self.width + GAP) * at);
            }
            lines.push(head);
        }
        lines.extend(self.lines);
        lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
    }
}

/// The lines of a text, each with how far it hangs; behind the last one the mark.
fn parts(text: &str, room: usize, is_fatal: bool) -> Vec<(usize, String)> {
    let parts = text::wrap(text, room, room.saturating_sub(2));
    let last = parts.len() - 1;
    let marked = |(number, part): (usize, String)| {
        let mark = if is_fatal && number == last { MARK } else { "" };
        (if number == 0 { 0 } else { 2 }, format!("{part}{mark}"))
    };
    parts.into_iter().enumerate().map(marked).collect()
}

/// For more tasks than columns fit: who does what.
struct List {
    lines: Vec<String>,
    /// How wide the column of who is.
    who: usize,
    /// Whose line was the last.
    last: Option<u8>,
    /// The nest of functions that each task is in.
    nests: Vec<Vec<String>>,
}

impl List {
    fn new(cx: &Counterexample) -> List {
        let tasks = 0..cx.tasks.len();
        let length = |task: usize| text::who(cx, task as u8).chars().count();
        let shown = tasks.filter(|&task| cx.tasks[task].cpu.is_some()).map(length);
        let who = shown.filter(|&length| length <= WHO_MAX).max().unwrap_or(0);
        List { lines: Vec::new(), who, last: None, nests: vec![Vec::new(); cx.tasks.len()] }
    }

    fn add(&mut self, cx: &Counterexample, step: &Record, is_fatal: bool) {
        let nest = std::mem::take(&mut self.nests[usize::from(step.task)]);
        let shared = nest.iter().zip(&step.path).take_while(|(a, b)| a == b).count();
        let mut who = String::new();
        if self.last != Some(step.task) {
            who = text::who(cx, step.task);
            if let Some(function) = shared.checked_sub(1).and_then(|at| step.path.get(at)) {
                self.line(&mut who, shared - 1, &format!("... {function}()"), false);
            }
            self.last = Some(step.task);
        }
        for (depth, function) in step.path.iter().enumerate().skip(shared) {
            self.line(&mut who, depth, &format!("{function}()"), false);
        }
        self.line(&mut who, step.path.len(), &text::step(cx, step), is_fatal);
        self.nests[usize::from(step.task)] = step.path.clone();
    }

    /// `who` is taken by the line that shows it.
    fn line(&mut self, who: &mut String, depth: usize, text: &str, is_fatal: bool) {
        if who.chars().count() > self.who {
            self.lines.push(std::mem::take(who));
        }
        let width = WIDTH - self.who - GAP;
        let indent = (2 * depth).min(width / 3);
        let room = width - indent - if is_fatal { MARK.len() } else { 0 };
        for (hang, part) in parts(text, room, is_fatal) {
            let left = (indent + hang).min(width.saturating_sub(part.chars().count()));
            let who = std::mem::take(who);
            self.lines.push(format!("{who:gap$}{:left$}{part}", "", gap = self.who + GAP));
        }
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
