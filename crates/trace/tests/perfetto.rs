//! What Perfetto and about:tracing are given is what they ask for. The rules are those of the Trace
//! Event Format (its authors' document of that name, "the format" below), and of what Perfetto says
//! and does beyond it (docs/getting-started/other-formats.md and
//! src/trace_processor/importers/json/json_trace_parser_impl.cc of its repository).

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use selvedge_trace::{Counterexample, views};
use serde_json::{Value, json};

use crate::views::reviewed;

/// The number of slices and of arrows; `Err`: the first event that breaks a rule, and which.
fn read(text: &str) -> Result<(usize, usize), String> {
    let trace: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    // The format, "JSON Object Format": the events are an array of this name.
    let events = trace["traceEvents"].as_array().ok_or("no traceEvents")?;
    let mut reader = Reader::default();
    for event in events {
        reader.event(event).map_err(|why| format!("{why}: {event}"))?;
    }
    reader.end()?;
    Ok((reader.slices, reader.flows.len()))
}

#[derive(Default)]
struct Reader {
    /// The time of the last event.
    now: u64,
    processes: BTreeSet<u64>,
    /// Threads that have a name, with the process of each.
    threads: BTreeMap<u64, u64>,
    /// What is open on each thread: name, and when it ends if that is known.
    open: BTreeMap<u64, Vec<(Value, Option<u64>)>>,
    slices: usize,
    /// By category, name and number: where an arrow is.
    flows: BTreeMap<(String, String, u64), &'static str>,
}

impl Reader {
    fn event(&mut self, event: &Value) -> Result<(), String> {
        let number = |field: &str| event[field].as_u64().ok_or(format!("no number `{field}`"));
        let (pid, tid) = (number("pid")?, number("tid")?);
        // The format, "Event Descriptions": these fields are in every event.
        let phase = event["ph"].as_str().ok_or("no phase")?;
        let name = event["name"].as_str().ok_or("no name")?;
        // Perfetto: 0 is the idle task, and a process is a thread of its number too.
        if pid == 0 || tid == 0 || pid == tid {
            return Err("a number that Perfetto takes for another thread".into());
        }
        if phase == "M" {
            return self.metadata(event, (pid, tid));
        }
        // Perfetto names threads by number alone: each is in one process, and has a name before it
        // does anything.
        if self.threads.get(&tid) != Some(&pid) || !self.processes.contains(&pid) {
            return Err("a thread or process without a name".into());
        }
        let ts = number("ts")?;
        if ts < self.now {
            return Err("time goes back".into());
        }
        self.now = ts;
        let open = self.open.entry(tid).or_default();
        // The format, "Complete Events": such a slice ends by itself.
        while open.last().is_some_and(|(_, end)| end.is_some_and(|end| end <= ts)) {
            open.pop();
        }
        match phase {
            "B" => open.push((event["name"].clone(), None)),
            "X" => {
                let end = ts + number("dur")?;
                // Perfetto: what overlaps, and does not nest, is laid out on another track.
                if open.iter().any(|(_, outer)| outer.is_some_and(|outer| outer < end)) {
                    return Err("it ends after what is around it".into());
                }
                open.push((event["name"].clone(), Some(end)));
                self.slices += usize::from(event["cat"] != "function");
            }
            // The format, "Duration Events": an end is of what began last on the thread.
            "E" => match open.pop() {
                Some((began, None)) if began == event["name"] => {}
                other => return Err(format!("an end of {other:?}")),
            },
            "s" | "f" => {
                // The format, "Flow Events": an arrow binds to the slice that is around it, its end
                // only with `bp`.
                if open.is_empty() || (phase == "f" && event["bp"] != "e") {
                    return Err("an arrow that binds to no slice".into());
                }
                let category = event["cat"].as_str().ok_or("no category")?;
                let flow = (category.to_string(), name.to_string(), number("id")?);
                let before = self.flows.insert(flow, if phase == "s" { "begun" } else { "ended" });
                let wanted = if phase == "s" { None } else { Some("begun") };
                if before != wanted {
                    return Err(format!("an arrow that was {before:?}"));
                }
            }
            other => return Err(format!("the phase {other}")),
        }
        Ok(())
    }

    /// The format, "Metadata Events".
    fn metadata(&mut self, event: &Value, (pid, tid): (u64, u64)) -> Result<(), String> {
        if event["args"]["name"].as_str().is_none() {
            return Err("a name that is none".into());
        }
        let is_new = match event["name"].as_str() {
            Some("process_name") => self.processes.insert(pid),
            Some("thread_name") => self.threads.insert(tid, pid).is_none(),
            _ => return Err("metadata of another kind".into()),
        };
        if is_new { Ok(()) } else { Err("a second name".into()) }
    }

    fn end(&self) -> Result<(), String> {
        let is_open = |(_, end): &(Value, Option<u64>)| end.is_none();
        if let Some(open) = self.open.values().flatten().find(|open| is_open(open)) {
            return Err(format!("{} has no end", open.0));
        }
        match self.flows.iter().find(|(_, at)| **at != "ended") {
            Some((flow, _)) => Err(format!("the arrow {flow:?} has no end")),
            None => Ok(()),
        }
    }
}

fn steps(cx: &Counterexample) -> usize {
    cx.steps.iter().filter(|step| !step.action.is_note()).count()
}

#[test]
fn every_reviewed_counterexample_is_a_trace_that_perfetto_reads() {
    let mut arrows = 0;
    for (name, cx) in reviewed() {
        let (slices, flows) =
            read(&views::chrome(&cx)).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert_eq!(slices, steps(&cx), "{name}");
        arrows += flows;
    }
    assert!(arrows > 50, "only {arrows} arrows in all of them");
}

#[test]
fn the_reader_refuses_what_perfetto_would_draw_wrong() {
    let name = |name: &str, pid: u64, tid: u64| {
        let args = json!({ "name": "a" });
        json!({ "ph": "M", "name": name, "pid": pid, "tid": tid, "args": args })
    };
    let event = |ph: &str, ts: u64, more: Value| {
        let mut event = json!({ "ph": ph, "name": "f", "pid": 9, "tid": 1, "ts": ts, "cat": "c" });
        for (field, value) in more.as_object().into_iter().flatten() {
            event[field] = value.clone();
        }
        event
    };
    let none = || json!({});
    let read = |events: Vec<Value>| {
        let names = [name("process_name", 9, 1), name("thread_name", 9, 1)];
        let all: Vec<Value> = names.into_iter().chain(events).collect();
        read(&json!({ "traceEvents": all }).to_string())
    };
    let (begin, end) = (event("B", 0, none()), event("E", 20, none()));
    let step = |ts, dur| event("X", ts, json!({ "dur": dur }));
    let arrow = |ph, ts| event(ph, ts, json!({ "id": 3, "bp": "e" }));
    let whole =
        vec![begin.clone(), step(1, 9), arrow("s", 5), step(11, 5), arrow("f", 12), end.clone()];
    assert_eq!(read(whole.clone()), Ok((2, 1)));
    let without = |at: usize| {
        let mut events = whole.clone();
        events.remove(at);
        read(events)
    };
    assert!([0, 2, 4, 5].into_iter().all(|at| without(at).is_err()));
    for wrong in [
        vec![step(0, 9), step(5, 9)],
        vec![step(5, 1), step(0, 1)],
        vec![arrow("s", 0), step(1, 9), arrow("f", 5)],
        vec![begin.clone(), event("E", 2, json!({ "name": "g" }))],
        vec![begin.clone(), event("E", 2, json!({ "pid": 8 }))],
        vec![event("X", 0, none())],
        vec![name("thread_name", 8, 1)],
        vec![name("process_name", 1, 1)],
    ] {
        assert!(read(wrong.clone()).is_err(), "{wrong:?}");
    }
}

/// Perfetto's own reader, where it is installed.
#[test]
fn perfetto_itself_reads_it_without_an_error() {
    const PROGRAM: &str = "trace_processor_shell";
    if Command::new(PROGRAM).arg("--version").output().is_err() {
        eprintln!("no {PROGRAM} here: Perfetto itself is not asked");
        return;
    }
    let dir = std::env::temp_dir().join(format!("selvedge-perfetto-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory");
    let (query, file) = (dir.join("query.sql"), dir.join("trace.json"));
    let asked = "select 'slices', count(*) from slice where category != ''; \
                 select 'errors', ifnull(sum(value), 0) from stats where severity = 'error';";
    std::fs::write(&query, asked).expect("written");
    for (name, cx) in reviewed() {
        std::fs::write(&file, views::chrome(&cx)).expect("written");
        let output = Command::new(PROGRAM).arg("-q").args([&query, &file]).output().expect("runs");
        let said = String::from_utf8_lossy(&output.stdout).replace('"', "");
        let slices = format!("slices,{}", steps(&cx));
        assert!(said.contains(&slices) && said.contains("errors,0"), "{name}: {said}");
    }
    std::fs::remove_dir_all(&dir).expect("removed");
}
