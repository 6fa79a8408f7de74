//! The trace for Chrome and Perfetto, read by another's program: the importer of the Performance
//! panel of Chromium's DevTools, in a real Chromium, which is told what to do over its debugging
//! pipe.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use selvedge_trace::{ActionKind, Counterexample, from_json};
use serde_json::{Value, json};

use crate::trace::{chromium, of, reviewed, scratch, selvedge, stdout};

/// So often it is looked whether the page is there, ten times a second.
const LOOKS_MAX: usize = 300;

/// A page of Chromium, and what is said to it.
struct Page {
    browser: Child,
    commands: File,
    answers: BufReader<File>,
    session: Option<String>,
    said: u64,
}

impl Page {
    /// Opens the page; `None`, and a word about it, if there is no Chromium.
    fn open(dir: &Path, url: &str) -> Option<Page> {
        let browser = chromium()?;
        let pipes = ["commands", "answers"].map(|name| dir.join(name));
        let made = Command::new("mkfifo").args(&pipes).status().expect("mkfifo runs");
        assert!(made.success(), "{pipes:?} cannot be made");
        // Chromium reads commands from 3 and answers to 4.
        let [commands, answers] = &pipes;
        let browser = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<\"$COMMANDS\" 4>\"$ANSWERS\"", browser])
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", dir.join("profile").display()))
            .env("COMMANDS", commands)
            .env("ANSWERS", answers)
            .stderr(Stdio::null())
            .spawn()
            .expect("the browser runs");
        let commands = OpenOptions::new().write(true).open(commands).expect("a pipe");
        let answers = BufReader::new(File::open(answers).expect("a pipe"));
        let mut page = Page { browser, commands, answers, session: None, said: 0 };
        let target = page.say("Target.createTarget", json!({ "url": url }));
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let session = page.say("Target.attachToTarget", target);
        page.session = session["sessionId"].as_str().map(String::from);
        // Until then it is another page, which may not import what this one may.
        let is_there = format!("location.href === {} && document.readyState", json!(url));
        for _ in 0..LOOKS_MAX {
            if page.value_of(&is_there) == "complete" {
                return Some(page);
            }
            sleep(Duration::from_millis(100));
        }
        panic!("{url} is not loaded");
    }

    /// Messages end with a zero.
    fn say(&mut self, method: &str, params: Value) -> Value {
        self.said += 1;
        let mut message = json!({ "id": self.said, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.commands.write_all(format!("{message}\0").as_bytes()).expect("it listens");
        loop {
            let mut answer = Vec::new();
            self.answers.read_until(0, &mut answer).expect("it answers");
            assert_eq!(answer.pop(), Some(0), "the browser has ended");
            let mut answer: Value = serde_json::from_slice(&answer).expect("JSON");
            if answer["id"] == self.said {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].take();
            }
        }
    }

    /// The value of the promise.
    fn value_of(&mut self, script: &str) -> Value {
        let asked = json!({ "expression": script, "awaitPromise": true, "returnByValue": true });
        let mut result = self.say("Runtime.evaluate", asked);
        assert!(result["exceptionDetails"].is_null(), "{result}");
        result["result"]["value"].take()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // It may have ended.
        drop(self.browser.kill());
        drop(self.browser.wait());
    }
}

/// Reads the trace as the panel does, and tells what is in it then: of each process its name, of
/// each thread its name, and each slice with those around it; which steps arrows go from and to.
const READ: &str = r#"(async () => {
  const { TraceModel } = await import("devtools://devtools/bundled/models/trace/trace.js");
  if (!TraceModel?.Model?.createWithAllHandlers) { return null; }
  const model = TraceModel.Model.createWithAllHandlers();
  await model.parse(TRACE.traceEvents, {});
  const { Meta, Renderer, Flows } = model.parsedTrace(0).data;
  const around = node => node ? [...around(node.parent), node.entry.name] : [];
  const nest = node => [node, ...node.children.flatMap(nest)];
  const slices = thread => [...thread.tree.roots].flatMap(nest).map(node => (
    { name: node.entry.name, step: node.entry.args?.step, around: around(node.parent) }));
  return {
    generic: Meta.traceIsGeneric,
    processes: [...Renderer.processes].map(([pid, process]) => ({
      name: Meta.processNames.get(pid)?.args.name,
      threads: [...process.threads.values()].map(thread => (
        { name: thread.name, slices: slices(thread) })),
    })),
    arrows: Flows.flows.map(flow => flow.map(event => event.args?.step)),
  };
})()"#;

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().expect("a list").iter().filter_map(Value::as_str).collect()
}

/// What the file says of each process: its threads, by name, and how many steps each takes.
fn processes(cx: &Counterexample) -> BTreeMap<String, BTreeMap<String, usize>> {
    let mut processes: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for step in cx.steps.iter().filter(|step| !step.action.is_note()) {
        let task = &cx.tasks[usize::from(step.task)];
        let process = task.cpu.map_or("scenario".into(), |cpu| format!("CPU{cpu}"));
        let of_task = processes.entry(process).or_default().entry(task.name.clone());
        *of_task.or_default() += 1;
    }
    processes
}

/// Compares what the browser has read with the counterexample.
fn compare(cx: &Counterexample, read: &Value) {
    assert_eq!(read["generic"], true, "it is taken for a page's: {read}");
    let mut seen: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for process in read["processes"].as_array().expect("a list") {
        let of_process = seen.entry(process["name"].as_str().expect("a name").into()).or_default();
        for thread in process["threads"].as_array().expect("a list") {
            let slices = thread["slices"].as_array().expect("a list");
            let steps = slices.iter().filter(|slice| slice["step"].is_u64());
            let name = thread["name"].as_str().expect("a name");
            of_process.insert(name.into(), steps.clone().count());
            for slice in steps {
                let step = &cx.steps[slice["step"].as_u64().expect("a number") as usize];
                let around: Vec<_> = step.path.iter().map(|name| format!("{name}()")).collect();
                assert_eq!(strings(&slice["around"]), around, "{slice}");
                assert_eq!(cx.tasks[usize::from(step.task)].name, name, "{slice}");
            }
        }
    }
    assert_eq!(seen, processes(cx));
    compare_arrows(cx, &read["arrows"]);
}

/// An arrow goes from a start, a wake-up or an unlock to a step of another task that comes later.
fn compare_arrows(cx: &Counterexample, arrows: &Value) {
    use ActionKind::{Spawn, Unlock, UnlockShared, Wake};
    let arrows = arrows.as_array().expect("a list");
    let mut starts = BTreeSet::new();
    for arrow in arrows {
        let ends: Vec<usize> = arrow
            .as_array()
            .expect("a list")
            .iter()
            .flat_map(Value::as_u64)
            .map(|n| n as usize)
            .collect();
        let [from, to] = ends[..] else { panic!("no two steps: {arrow}") };
        let (one, other) = (&cx.steps[from], &cx.steps[to]);
        assert!(from < to && one.task != other.task, "{arrow}: {one:?} {other:?}");
        assert!(matches!(one.action, Spawn | Wake | Unlock | UnlockShared), "{arrow}: {one:?}");
        if one.action == Spawn {
            assert_eq!(one.new, u64::from(other.task), "{arrow}");
            starts.insert(other.task);
        }
    }
    let steps = cx.steps.iter().filter(|step| !step.action.is_note());
    let tasks: BTreeSet<u8> = steps.map(|step| step.task).filter(|&task| task > 0).collect();
    assert_eq!(starts, tasks, "each task that does something is started");
}

/// No network, and nothing that is not in Chromium.
#[test]
fn chromium_reads_the_trace_as_it_is_meant() {
    let dir = scratch("devtools");
    let url = "devtools://devtools/bundled/devtools_app.html";
    let Some(mut page) = Page::open(&dir, url) else { return };
    for name in [
        "folio_wait.killed_waiter_before_plain_waiter.v6.1.dpor.json",
        "migrate_pending.install_vs_prep.rfc-migrate-pending.dpor.json",
        "lru_flag.activate_then_mlock_and_drain.v6.11.dpor.json",
    ] {
        let file = reviewed(name);
        let text = fs::read_to_string(&file).expect("readable");
        let cx = from_json(name, &text).expect("a counterexample");
        let trace = stdout(&selvedge(&["show", of(&file), "--as", "perfetto"]));
        let read = page.value_of(&READ.replace("TRACE", trace.trim()));
        if read.is_null() {
            eprintln!("the DevTools of this Chromium are others: the trace is not opened");
            return;
        }
        compare(&cx, &read);
    }
}
