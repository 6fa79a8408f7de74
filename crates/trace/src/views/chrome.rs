//! The trace-event format of Chrome, which Perfetto and about:tracing open: a process for each CPU,
//! a thread for each task, nested slices for functions and steps, arrows for starts, wake-ups and
//! locks that change hands.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::held::Later;
use crate::text;
use crate::{ActionKind, Counterexample, Record};

/// How long a step is drawn, in microseconds; what happened in between took no time.
const STEP_US: usize = 10;
/// The category of steps, and of the arrows between them.
const CATEGORY: &str = "step";
/// The process of CPU0. Perfetto takes a process for a thread of the same number too, and 0 for the
/// idle task, so that no number of a process is that of a thread, which are 1 to 256.
const CPU0: usize = 1_000;
/// The process of tasks that no CPU executes.
const NO_CPU: usize = 999;

/// The events as one JSON object, ready to be opened.
pub fn chrome(cx: &Counterexample) -> String {
    let cx = &text::printable(cx);
    let mut chrome = Chrome { cx, events: Vec::new(), open: BTreeMap::new() };
    chrome.names();
    for (at, step) in cx.steps.iter().enumerate().filter(|(_, step)| !step.action.is_note()) {
        chrome.step(at, step);
    }
    chrome.close_all();
    chrome.flows();
    // Stable, so that what begins at the same time stays in the order of the nest.
    chrome.events.sort_by_key(|event| event["ts"].as_u64());
    let all = json!({
        "displayTimeUnit": "ms",
        "otherData": { "claim": cx.claim, "rule": cx.rule, "message": cx.message },
        "traceEvents": chrome.events,
    });
    format!("{all}\n")
}

struct Chrome<'a> {
    cx: &'a Counterexample,
    events: Vec<Value>,
    /// The functions that each task is in, and the event of each.
    open: BTreeMap<u8, Vec<(String, usize)>>,
}

impl Chrome<'_> {
    fn pid(&self, task: u8) -> usize {
        let task = self.cx.tasks.get(usize::from(task));
        task.and_then(|task| task.cpu).map_or(NO_CPU, |cpu| CPU0 + usize::from(cpu))
    }

    fn tid(task: u8) -> usize {
        usize::from(task) + 1
    }

    fn names(&mut self) {
        let mut named = Vec::new();
        for (number, task) in self.cx.tasks.iter().enumerate() {
            let (pid, tid) = (self.pid(number as u8), Self::tid(number as u8));
            if !named.contains(&pid) {
                named.push(pid);
                let name = task.cpu.map_or("scenario".into(), |cpu| format!("CPU{cpu}"));
                self.events.push(json!({
                    "ph": "M", "name": "process_name", "pid": pid, "tid": tid,
                    "args": { "name": name },
                }));
            }
            self.events.push(json!({
                "ph": "M", "name": "thread_name", "pid": pid, "tid": tid,
                "args": { "name": task.name },
            }));
        }
    }

    fn step(&mut self, at: usize, step: &Record) {
        let (pid, tid, ts) = (self.pid(step.task), Self::tid(step.task), at * STEP_US);
        let open = self.open.entry(step.task).or_default();
        let shared = open.iter().zip(&step.path).take_while(|((a, _), b)| a == *b).count();
        let left = open.split_off(shared);
        left.iter().for_each(|&(_, event)| end(&mut self.events[event], ts));
        for name in &step.path[shared..] {
            open.push((name.clone(), self.events.len()));
            let name = format!("{name}()");
            self.events.push(json!({
                "ph": "X", "name": name, "cat": "function", "pid": pid, "tid": tid, "ts": ts,
            }));
        }
        let mut args = json!({
            "step": at, "action": step.action, "object": step.object, "old": step.old,
            "new": step.new, "order": step.order, "stale": step.stale,
        });
        if self.cx.fatal == Some(at) {
            args["fatal"] = json!(self.cx.rule);
        }
        self.events.push(json!({
            "ph": "X", "name": text::step(self.cx, step), "cat": CATEGORY,
            "pid": pid, "tid": tid, "ts": ts, "dur": STEP_US - 1, "args": args,
        }));
    }

    fn close_all(&mut self) {
        let ts = self.cx.steps.len() * STEP_US;
        for (_, event) in std::mem::take(&mut self.open).into_values().flatten() {
            end(&mut self.events[event], ts);
        }
    }

    /// An arrow from one step to another. Chrome's DevTools look for the slice of an arrow's end by
    /// when it begins and by its category; others, for what is open then, or goes on.
    fn flow(&mut self, name: &str, from: usize, to: usize) {
        let (from_task, to_task) = (self.cx.steps[from].task, self.cx.steps[to].task);
        let id = self.events.len();
        for (phase, task, at) in [("s", from_task, from), ("f", to_task, to)] {
            let mut event = json!({
                "ph": phase, "id": id, "name": name, "cat": CATEGORY, "pid": self.pid(task),
                "tid": Self::tid(task), "ts": at * STEP_US,
            });
            if phase == "f" {
                event["bp"] = json!("e");
            }
            self.events.push(event);
        }
    }

    fn flows(&mut self) {
        let mut given: BTreeMap<&str, usize> = BTreeMap::new();
        let cx = self.cx;
        let later = Later::new(cx);
        for (at, step) in cx.steps.iter().enumerate() {
            match step.action {
                ActionKind::Spawn => {
                    let task = u8::try_from(step.new).ok();
                    if let Some(first) = task.and_then(|task| later.next_of(task, at)) {
                        self.flow("starts", at, first);
                    }
                }
                ActionKind::Wake => {
                    if let Some(next) = later.woken(at).and_then(|task| later.next_of(task, at)) {
                        self.flow("wakes", at, next);
                    }
                }
                ActionKind::Unlock | ActionKind::UnlockShared => {
                    given.insert(&step.object, at);
                }
                ActionKind::Lock
                | ActionKind::TryLock
                | ActionKind::LockShared
                | ActionKind::TryLockShared => {
                    let from = given.remove(step.object.as_str());
                    if let Some(from) = from.filter(|&from| cx.steps[from].task != step.task) {
                        self.flow("hands over", from, at);
                    }
                }
                _ => {}
            }
        }
    }
}

/// A function is left, at this time. It is one event, and not one of its begin and one of its end:
/// DevTools take two ends at one time for each other's.
fn end(event: &mut Value, ts: usize) {
    event["dur"] = json!(ts as u64 - event["ts"].as_u64().unwrap_or(0));
}
