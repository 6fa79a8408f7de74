//! One page that needs nothing else and no network: lanes of CPUs, a step at a time, the state of
//! words, locks and references at each, and beside it how it could have gone.

use serde_json::{Value, json};

use crate::because;
use crate::text::{self, under};
use crate::{ActionKind, Column, Counterexample, Record};

/// The page; what is shown is put in as data.
const PAGE: &str = include_str!("page.html");

/// The page as a file.
pub fn html(cx: &Counterexample) -> String {
    let cx = &text::printable(cx);
    let data = within_script(&data(cx).to_string());
    let (before, after) = PAGE.split_once("@DATA@").expect("the page has a place for its data");
    format!("{before}{data}{after}")
}

/// JSON in which nothing ends a script or begins a comment of HTML.
fn within_script(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

fn data(cx: &Counterexample) -> Value {
    let why = cx.explanation.as_ref();
    let unneeded = match why {
        Some(why) => {
            let mut unneeded = vec![false; cx.steps.len()];
            why.unneeded.iter().for_each(|&step| unneeded[step] = true);
            unneeded
        }
        None => because::unseen(cx),
    };
    let steps: Vec<Value> =
        cx.steps.iter().zip(unneeded).map(|(one, unneeded)| step(cx, one, unneeded)).collect();
    let passing = why.and_then(|why| why.passing.as_ref()).map(|passing| {
        let of = Counterexample { tasks: passing.tasks.clone(), ..cx.clone() };
        let steps: Vec<Value> = passing.steps.iter().map(|one| step(&of, one, false)).collect();
        json!({ "tasks": tasks(&passing.tasks), "steps": steps })
    });
    json!({
        "rule": cx.rule,
        "message": cx.message,
        "why": said(cx),
        "where": format!("{} · {} · found by {} {}", cx.claim, cx.tree, cx.engine, under(cx)),
        "scenario": cx.scenario,
        "tree": cx.tree,
        "tasks": tasks(&cx.tasks),
        "steps": steps,
        "fatal": cx.fatal,
        "lasts": because::lasts(cx),
        "decisive": why.and_then(|why| why.decisive),
        "passing": passing,
        "blocked": cx.blocked.iter()
            .map(|b| json!({ "task": b.task, "object": b.object }))
            .collect::<Vec<_>>(),
    })
}

fn said(cx: &Counterexample) -> String {
    let sentence = |text: &str| match text {
        "" => String::new(),
        text => format!("It {text}."),
    };
    cx.explanation.as_ref().map_or_else(String::new, |why| sentence(&why.sentence))
}

fn tasks(tasks: &[Column]) -> Vec<Value> {
    let who = |task: &Column| match task.cpu {
        Some(cpu) => format!("CPU{cpu} {}", task.name),
        None => task.name.clone(),
    };
    tasks.iter().map(|task| json!({ "cpu": task.cpu, "who": who(task) })).collect()
}

fn step(cx: &Counterexample, step: &Record, unneeded: bool) -> Value {
    use ActionKind::{PlainRead, PlainWrite, Read, Update, UpdateFailed, Write};
    let is_word =
        matches!(step.action, Read | Write | Update | UpdateFailed | PlainRead | PlainWrite);
    // A number of JavaScript has 53 bits.
    json!({
        "task": step.task,
        "text": text::step(cx, step),
        "path": step.path,
        "action": step.action,
        "object": step.object,
        "bit": step.bit.as_ref().map(|bit| json!([bit.nr, bit.name])),
        "old": text::value(step.old),
        "new": text::value(step.new),
        "detail": step.detail,
        "note": step.action.is_note(),
        "word": is_word,
        "writes": matches!(step.action, Write | Update | PlainWrite),
        "unneeded": unneeded,
    })
}
