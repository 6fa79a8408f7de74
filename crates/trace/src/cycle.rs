//! A deadlock in brief: of each bit that is still set at the end and that more than one task
//! wanted, who set it; and who sleeps on which. What was taken and given back before is in the
//! whole table.

use std::collections::BTreeMap;

use crate::text::{self, WIDTH};
use crate::{ActionKind, Counterexample, Record};

/// Between two columns.
const GAP: usize = 2;
/// More columns than these cannot be read.
const COLUMNS_MAX: usize = 5;
/// How many functions of a nest are named, from the innermost.
const FUNCTIONS: usize = 2;

/// The deadlock as a table of few rows, and below it who waits for whom. `None` if nobody sleeps on
/// a bit that another of those who cannot go on has set, or if too many do.
pub fn cycle(cx: &Counterexample) -> Option<String> {
    let cx = &text::printable(cx);
    let sleeps: Vec<(u8, &Record)> = (cx.blocked.iter())
        .filter_map(|blocked| Some((blocked.task, last_wait(cx, blocked.task)?)))
        .collect();
    let set = still_set(cx);
    let is_wanted = |(object, bit): &(&str, &str)| {
        sleeps.iter().any(|(_, wait)| wait.object == *object && wait.detail == *bit)
    };
    let wanted: Vec<(&(&str, &str), &Setter)> =
        set.iter().filter(|(bit, _)| is_wanted(bit)).collect();
    let is_blocked = |task: u8| sleeps.iter().any(|(sleeper, _)| *sleeper == task);
    if sleeps.len() < 2 || !wanted.iter().all(|(_, setter)| is_blocked(setter.owner)) {
        return None;
    }
    let columns: Vec<u8> = columns(cx, &sleeps, &wanted);
    if columns.len() > COLUMNS_MAX {
        return None;
    }
    let mut rows = Rows::new(cx, &columns);
    let mut lines: Vec<(usize, u8, &[String], String)> = (wanted.iter())
        .map(|((object, bit), setter)| {
            let step = &cx.steps[setter.step];
            (
                setter.step,
                step.task,
                step.path.as_slice(),
                format!("takes {bit} of {}", short(object)),
            )
        })
        .collect();
    for (number, (task, wait)) in sleeps.iter().enumerate() {
        let text = format!("sleeps on {} of {}", wait.detail, short(&wait.object));
        lines.push((cx.steps.len() + number, *task, outer(wait), text));
    }
    lines.sort_by_key(|line| line.0);
    for (_, task, path, text) in lines {
        rows.add(task, path, &text);
    }
    let mut out = rows.out;
    out.push('\n');
    out.push_str(&text::paragraph(&format!("Broken: {}.", cx.rule)));
    for wait in cx.message.split("; ") {
        out.push_str(&text::paragraph(&format!("{}.", text::sentence(wait))));
    }
    Some(out)
}

/// Who set a bit, at which step, and whose it is by now.
struct Setter {
    step: usize,
    owner: u8,
}

/// Where the task says that it waits for a bit: the last time.
fn last_wait(cx: &Counterexample, task: u8) -> Option<&Record> {
    cx.steps.iter().rfind(|step| step.task == task && step.action == ActionKind::Awaits)
}

/// The bits that are set at the end, by object and name.
fn still_set(cx: &Counterexample) -> BTreeMap<(&str, &str), Setter> {
    let mut names: BTreeMap<u32, &str> = BTreeMap::new();
    let mut set: BTreeMap<(&str, &str), Setter> = BTreeMap::new();
    for (at, step) in cx.steps.iter().enumerate() {
        if let Some(bit) = &step.bit {
            names.insert(bit.nr, &bit.name);
        }
        if step.action == ActionKind::Owns {
            let mask = u64::from_str_radix(step.detail.trim_start_matches("0x"), 16).unwrap_or(0);
            for (nr, name) in &names {
                if let Some(setter) = set.get_mut(&(step.object.as_str(), *name))
                    && mask & (1 << nr) != 0
                {
                    setter.owner = step.task;
                }
            }
        }
        let is_flags = step.object.ends_with("flags") || step.object.ends_with("b_state");
        if !is_flags || !matches!(step.action, ActionKind::Update | ActionKind::Write) {
            continue;
        }
        for (nr, name) in &names {
            let of = |word: u64| word >> nr & 1 == 1;
            let key = (step.object.as_str(), *name);
            match (of(step.old), of(step.new)) {
                (false, true) => _ = set.insert(key, Setter { step: at, owner: step.task }),
                (true, false) => _ = set.remove(&key),
                _ => {}
            }
        }
    }
    set
}

/// The functions that the task is in, without those that only sleep.
fn outer(wait: &Record) -> &[String] {
    let sleeps = |function: &String| function.contains("wait") || function.contains("schedule");
    let from = wait.path.iter().rposition(|function| !sleeps(function)).map_or(0, |at| at + 1);
    &wait.path[..from]
}

/// `folio1` of `folio1->flags`
fn short(object: &str) -> &str {
    object.split_once("->").map_or(object, |(of, _)| of)
}

fn columns(
    cx: &Counterexample,
    sleeps: &[(u8, &Record)],
    wanted: &[(&(&str, &str), &Setter)],
) -> Vec<u8> {
    let setters = wanted.iter().map(|(_, setter)| cx.steps[setter.step].task);
    let mut columns: Vec<u8> = sleeps.iter().map(|(task, _)| *task).chain(setters).collect();
    columns.sort_by_key(|&task| (cx.tasks[usize::from(task)].cpu, task));
    columns.dedup();
    columns
}

struct Rows<'a> {
    columns: &'a [u8],
    width: usize,
    /// The function that each column is in.
    inside: Vec<Vec<String>>,
    out: String,
}

impl<'a> Rows<'a> {
    fn new(cx: &Counterexample, columns: &'a [u8]) -> Rows<'a> {
        let width = (WIDTH + GAP) / columns.len().max(1) - GAP;
        let mut out = String::new();
        for (at, &task) in columns.iter().enumerate() {
            let head = text::shortened(text::who(cx, task), width);
            out = text::padded(&out, (width + GAP) * at) + &head;
        }
        out = out.trim_end().to_string() + "\n";
        Rows { columns, width, inside: vec![Vec::new(); columns.len()], out }
    }

    fn add(&mut self, task: u8, path: &[String], text: &str) {
        let Some(at) = self.columns.iter().position(|&column| column == task) else { return };
        let path = &path[path.len().saturating_sub(FUNCTIONS)..];
        let known = self.inside[at].iter().zip(path).take_while(|(a, b)| a == b).count();
        for (depth, function) in path.iter().enumerate().skip(known) {
            self.line(at, depth, &format!("{function}()"));
        }
        self.line(at, path.len(), text);
        self.inside[at] = path.to_vec();
    }

    fn line(&mut self, at: usize, depth: usize, text: &str) {
        let left = (self.width + GAP) * at + depth;
        for (number, part) in
            text::wrap(text, self.width - depth, self.width - depth - 1).iter().enumerate()
        {
            let left = left + usize::from(number > 0);
            let part = text::shortened(part.clone(), WIDTH - left);
            self.out.push_str(&format!("{:left$}{part}\n", ""));
        }
    }
}
