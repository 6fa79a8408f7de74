//! The CPU0/CPU1 table of kernel changelogs (Documentation/process/maintainer-tip.rst): one column
//! for each CPU, or task of it, time goes down, calls are indented, at most 75 columns. `[name]`
//! says that another task, a work item or an interrupt goes on in the column.
//!
//! What needs more than three columns is a list of who does what. There `... f()` says that a task
//! goes on where it was, in `f()`.

use std::collections::BTreeMap;

use crate::because;
use crate::text::{self, WIDTH};
use crate::{ActionKind, Blocked, Context, Counterexample, Record};

/// The remark (`ActionKind::Mark`) before the steps that are repeated for ever.
pub const AGAIN: &str = "from here on the same again and again, for ever";
/// The line below the first of these steps.
const REPEATED: &str = "^^^^ from here on again and again";
/// The line below the fatal step.
const FATAL: &str = "^^^^ broken here";
/// Below one that breaks nothing yet: what it leaves is never undone, and that is what is wrong.
const LASTS: &str = "^^^^ it stays so";
/// The line below the step that decides.
const DECISIVE: &str = "^^^^ decided here";
/// Below one that is both.
const DECISIVE_AND_FATAL: &str = "^^^^ decided and broken here";
/// In place of steps that are not shown.
const FOLDED: &str = "…";
/// Between two columns.
const GAP: usize = 2;
/// Narrower columns cannot be read.
const COLUMN_MIN: usize = 23;
/// In a list, who is longer than this has a line of its own.
const WHO_MAX: usize = 22;

/// The counterexample as a table, and below it what is wrong.
///
/// The scenario's own steps (starting tasks and waiting for them) are not shown. Notes (references,
/// states) are in the list of steps ([`crate::steps`]).
pub fn table(cx: &Counterexample) -> String {
    table_as(cx, &Look { width: WIDTH, all: true })
}

/// How a table looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Look {
    /// How wide it may be, in columns of a terminal: at least 40.
    pub width: usize,
    /// Shows every step. If not, those whose place does not matter are folded: as the explanation
    /// says, or else those that no other task can see.
    pub all: bool,
}

impl Default for Look {
    fn default() -> Look {
        Look { width: WIDTH, all: false }
    }
}

/// The same, as wide as asked, and with only the steps that matter if so asked.
pub fn table_as(cx: &Counterexample, look: &Look) -> String {
    let cx = &text::printable(cx);
    let (rows, hidden) = rows(cx, look);
    let mut out = rows;
    out.push('\n');
    out.push_str(&verdict(cx, look.width));
    if hidden > 0 {
        let which = match &cx.explanation {
            Some(why) if why.sufficient && why.from.is_none() => {
                "whose place among the others does not matter"
            }
            _ => "that no other task can see",
        };
        let note = format!("{FOLDED} {hidden} steps {which} are left out; --all shows them.");
        out.push_str(&text::lines(&note, look.width));
    }
    out
}

/// The rows alone, and how many steps were left out.
pub(crate) fn rows(cx: &Counterexample, look: &Look) -> (String, usize) {
    let shown = shown(cx, look.all);
    let columns = columns(cx, &shown, look.width);
    let rows = match Table::new(&columns, look.width) {
        Some(table) => side_by_side(cx, &columns, table, &shown),
        None => one_below_the_other(cx, look.width, &shown),
    };
    let is_row = |task: u8| cx.tasks.get(usize::from(task)).is_some_and(|task| task.cpu.is_some());
    let hidden = cx.steps.iter().zip(&shown).filter(|(step, shown)| {
        **shown == Shown::Folded && !step.action.is_note() && is_row(step.task)
    });
    let hidden = hidden.count();
    (rows, hidden)
}

/// What becomes of a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shown {
    Plain,
    /// With a line below it.
    Marked(&'static str),
    Folded,
}

impl Shown {
    fn mark(self) -> Option<&'static str> {
        match self {
            Shown::Marked(mark) => Some(mark),
            Shown::Plain | Shown::Folded => None,
        }
    }
}

fn shown(cx: &Counterexample, all: bool) -> Vec<Shown> {
    let mut folded = match &cx.explanation {
        _ if all => vec![false; cx.steps.len()],
        None => because::unseen(cx),
        Some(why) => {
            let mut folded = vec![false; cx.steps.len()];
            why.unneeded.iter().for_each(|&step| folded[step] = true);
            folded
        }
    };
    not_alone(cx, &mut folded);
    let decisive = cx.explanation.as_ref().and_then(|why| why.decisive);
    let again = cx.steps.iter().position(|s| s.action == ActionKind::Mark && s.detail == AGAIN);
    let round = again.and_then(|again| {
        let steps = cx.steps.iter().enumerate().skip(again);
        steps.filter(|(_, step)| !step.action.is_note()).map(|(at, _)| at).next()
    });
    let lasts = because::lasts(cx);
    let shown = |(at, folded): (usize, bool)| match folded {
        _ if round.is_some_and(|round| round == at) => Shown::Marked(REPEATED),
        _ if round.is_some_and(|round| round < at) => Shown::Plain,
        _ if cx.fatal == Some(at) && decisive == Some(at) => Shown::Marked(DECISIVE_AND_FATAL),
        _ if cx.fatal == Some(at) && lasts => Shown::Marked(LASTS),
        _ if cx.fatal == Some(at) => Shown::Marked(FATAL),
        _ if decisive == Some(at) => Shown::Marked(DECISIVE),
        true => Shown::Folded,
        false => Shown::Plain,
    };
    folded.into_iter().enumerate().map(shown).collect()
}

/// One step takes no more room than the sign that it is folded, but is worth more.
fn not_alone(cx: &Counterexample, folded: &mut [bool]) {
    let mut of_tasks: BTreeMap<u8, Vec<usize>> = BTreeMap::new();
    for (at, step) in cx.steps.iter().enumerate().filter(|(_, step)| !step.action.is_note()) {
        of_tasks.entry(step.task).or_default().push(at);
    }
    for steps in of_tasks.values() {
        let alone: Vec<usize> = (steps.chunk_by(|&a, &b| folded[a] == folded[b]))
            .filter_map(|run| if let [alone] = run { Some(*alone) } else { None })
            .collect();
        alone.into_iter().for_each(|at| folded[at] = false);
    }
}

fn side_by_side(
    cx: &Counterexample,
    columns: &[Column],
    mut table: Table,
    shown: &[Shown],
) -> String {
    for (step, &shown) in cx.steps.iter().zip(shown) {
        if let Some(at) = columns.iter().position(|column| column.tasks.contains(&step.task)) {
            if step.action.is_note() {
                continue;
            }
            match shown {
                Shown::Folded => table.fold(at, step),
                _ => table.add(cx, at, step, shown.mark()),
            }
        }
    }
    table.finish()
}

fn one_below_the_other(cx: &Counterexample, width: usize, shown: &[Shown]) -> String {
    let mut list = List::new(cx, width);
    for (step, &shown) in cx.steps.iter().zip(shown) {
        let has_cpu = cx.tasks.get(usize::from(step.task)).is_some_and(|task| task.cpu.is_some());
        if has_cpu && !step.action.is_note() && shown != Shown::Folded {
            list.add(cx, step, shown.mark());
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
fn columns(cx: &Counterexample, shown: &[Shown], width: usize) -> Vec<Column> {
    let acts: Vec<bool> = (0..cx.tasks.len())
        .map(|task| {
            let is_shown = |(step, shown): (&Record, &Shown)| {
                usize::from(step.task) == task && !step.action.is_note() && *shown != Shown::Folded
            };
            cx.steps.iter().zip(shown).any(is_shown)
        })
        .collect();
    let acts = |task: usize| acts[task];
    let columns_max = columns_max(width);
    let tasks = || cx.tasks.iter().enumerate().filter(|&(number, _)| acts(number));
    let own = |context| context == Context::Task;
    let is_crowded =
        tasks().filter(|(_, task)| task.cpu.is_some() && own(task.context)).count() > columns_max;
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

/// How many columns can be read side by side.
fn columns_max(width: usize) -> usize {
    ((width + GAP) / (COLUMN_MIN + GAP)).max(1)
}

struct Table {
    lines: Vec<String>,
    /// Of all columns.
    whole: usize,
    /// Of one.
    width: usize,
    /// How far a call is indented.
    step: usize,
    /// The lines of each head.
    heads: Vec<Vec<String>>,
    /// The nest of functions that each column is in, and for which task it was printed.
    nests: Vec<(u8, Vec<String>)>,
    /// The last thing in the column is the sign of steps that are folded.
    folded: Vec<bool>,
}

impl Table {
    /// `None` if the columns or what stands above them do not fit.
    fn new(columns: &[Column], whole: usize) -> Option<Table> {
        let count = columns.len().max(1);
        if count > columns_max(whole) {
            return None;
        }
        let width = (whole - GAP * (count - 1)) / count;
        let heads: Vec<Vec<String>> =
            columns.iter().map(|column| text::wrap(&column.head, width, width)).collect();
        let nests = columns.iter().map(|column| (column.tasks[0], Vec::new())).collect();
        let step = if width < 30 { 1 } else { 2 };
        let folded = vec![false; columns.len()];
        let fits = heads.iter().flatten().all(|part| text::width(part) <= width);
        fits.then_some(Table { lines: Vec::new(), whole, width, step, heads, nests, folded })
    }

    fn add(&mut self, cx: &Counterexample, at: usize, step: &Record, mark: Option<&str>) {
        self.folded[at] = false;
        let (task, nest) = std::mem::take(&mut self.nests[at]);
        let is_other_task = task != step.task;
        if is_other_task {
            let name = cx.tasks.get(usize::from(step.task)).map_or("", |task| task.name.as_str());
            self.cell(at, 0, &format!("[{name}]"));
        }
        let shared = if is_other_task {
            0
        } else {
            nest.iter().zip(&step.path).take_while(|(a, b)| a == b).count()
        };
        for (depth, function) in step.path.iter().enumerate().skip(shared) {
            self.cell(at, depth, &format!("{function}()"));
        }
        self.cell(at, step.path.len(), &text::step(cx, step));
        mark.into_iter().for_each(|mark| self.cell(at, step.path.len(), mark));
        self.nests[at] = (step.task, step.path.clone());
    }

    /// A step that is not shown.
    fn fold(&mut self, at: usize, step: &Record) {
        if !std::mem::replace(&mut self.folded[at], true) {
            let (task, nest) = &mut self.nests[at];
            let same = nest.iter().zip(&step.path).take_while(|(a, b)| a == b).count();
            let shared = if *task == step.task { same } else { 0 };
            nest.truncate(shared);
            self.cell(at, shared, FOLDED);
        }
    }

    /// One cell; a text that does not fit goes on in the next line, indented. A word that does not
    /// fit in any line stands out to the right, where nothing else is, or to the left; one that is
    /// wider than the whole table is shortened.
    fn cell(&mut self, at: usize, depth: usize, text: &str) {
        let indent = (self.step * depth).min(self.width / 3);
        for (hang, part) in parts(text, self.width - indent) {
            let part = text::shortened(part, self.whole);
            let left = (self.width + GAP) * at + indent + hang;
            let left = left.min(self.whole.saturating_sub(text::width(&part)));
            self.lines.push(format!("{:left$}{part}", ""));
        }
    }

    fn finish(self) -> String {
        let mut lines = Vec::new();
        for row in 0..self.heads.iter().map(Vec::len).max().unwrap_or(0) {
            let mut head = String::new();
            for (at, parts) in self.heads.iter().enumerate() {
                let part = parts.get(row).map_or("", String::as_str);
                head = text::padded(&head, (self.width + GAP) * at) + part;
            }
            lines.push(head);
        }
        lines.extend(self.lines);
        lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
    }
}

/// The lines of a text, each with how far it hangs.
fn parts(text: &str, room: usize) -> impl Iterator<Item = (usize, String)> {
    let parts = text::wrap(text, room, room.saturating_sub(2));
    parts.into_iter().enumerate().map(|(number, part)| (if number == 0 { 0 } else { 2 }, part))
}

/// For more tasks than columns fit: who does what.
struct List {
    lines: Vec<String>,
    /// How wide it may be.
    width: usize,
    /// How wide the column of who is.
    who: usize,
    /// Whose line was the last.
    last: Option<u8>,
    /// The nest of functions that each task is in.
    nests: Vec<Vec<String>>,
}

impl List {
    fn new(cx: &Counterexample, width: usize) -> List {
        let tasks = 0..cx.tasks.len();
        let length = |task: usize| text::width(&text::who(cx, task as u8));
        let shown = tasks.filter(|&task| cx.tasks[task].cpu.is_some()).map(length);
        let who = shown.filter(|&length| length <= WHO_MAX).max().unwrap_or(0);
        List { lines: Vec::new(), width, who, last: None, nests: vec![Vec::new(); cx.tasks.len()] }
    }

    fn add(&mut self, cx: &Counterexample, step: &Record, mark: Option<&str>) {
        let nest = std::mem::take(&mut self.nests[usize::from(step.task)]);
        let shared = nest.iter().zip(&step.path).take_while(|(a, b)| a == b).count();
        let mut who = String::new();
        if self.last != Some(step.task) {
            who = text::who(cx, step.task);
            if let Some(function) = shared.checked_sub(1).and_then(|at| step.path.get(at)) {
                self.line(&mut who, shared - 1, &format!("... {function}()"));
            }
            self.last = Some(step.task);
        }
        for (depth, function) in step.path.iter().enumerate().skip(shared) {
            self.line(&mut who, depth, &format!("{function}()"));
        }
        self.line(&mut who, step.path.len(), &text::step(cx, step));
        mark.into_iter().for_each(|mark| self.line(&mut who, step.path.len(), mark));
        self.nests[usize::from(step.task)] = step.path.clone();
    }

    /// `who` is taken by the line that shows it.
    fn line(&mut self, who: &mut String, depth: usize, text: &str) {
        if text::width(who) > self.who {
            self.lines.push(text::shortened(std::mem::take(who), self.width));
        }
        let width = self.width - self.who - GAP;
        let indent = (2 * depth).min(width / 3);
        for (hang, part) in parts(text, width - indent) {
            let part = text::shortened(part, width);
            let left = (indent + hang).min(width.saturating_sub(text::width(&part)));
            let who = text::padded(&std::mem::take(who), self.who + GAP);
            self.lines.push(format!("{who}{:left$}{part}", ""));
        }
    }
}

/// What is wrong, below the rows.
pub(crate) fn verdict(cx: &Counterexample, width: usize) -> String {
    let paragraph = |text: &str| text::lines(text, width);
    let mut out = paragraph(&format!("Broken: {}.", cx.rule));
    out.push_str(&paragraph(&format!("{}.", text::sentence(&cx.message))));
    if let Some(references) = text::references(cx) {
        out.push_str(&paragraph(&references));
    }
    // The scenario's own task waits for all others.
    let is_own = |waits: &&Blocked| text::has_cpu(cx, waits.task);
    let are_others = cx.blocked.iter().any(|waits| is_own(&waits));
    for blocked in cx.blocked.iter().filter(|waits| !are_others || is_own(waits)) {
        out.push_str(&paragraph(&format!("{}.", text::waits(cx, blocked))));
    }
    if cx.steps.iter().any(|step| step.stale) {
        let note = "(stale): the CPU did not see the newest value; nothing ordered it to \
                    (store buffering or reordering).";
        out.push_str(&paragraph(note));
    }
    for unseen in unseen(cx) {
        out.push_str(&paragraph(&unseen));
    }
    out
}

/// What the stale steps did not see: the last store to their object that is shown before them.
fn unseen(cx: &Counterexample) -> Vec<String> {
    use ActionKind::{PlainWrite, Update, Write};
    let mut unseen = Vec::new();
    for (at, step) in cx.steps.iter().enumerate().filter(|(_, step)| step.stale) {
        let store = cx.steps[..at].iter().rev().find(|store| {
            store.object == step.object && matches!(store.action, PlainWrite | Write | Update)
        });
        let Some(store) = store else { continue };
        let within = store.path.last().map(|f| format!(" in {f}()")).unwrap_or_default();
        let (who, by) = (text::who(cx, step.task), text::who(cx, store.task));
        let text = format!("{who} does not see {}, by {by}{within}.", text::step(cx, store));
        if !unseen.contains(&text) {
            unseen.push(text);
        }
    }
    unseen
}
