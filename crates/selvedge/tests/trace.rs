//! A counterexample from its file: run again, explained, shown.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::readers::{read_dot, read_ftrace, read_mermaid};
use selvedge_explore::Engine;
use serde_json::{Value, json};

const NAME: &str = "migrate_pending.install_vs_prep.rfc-migrate-pending.dpor.json";

pub fn selvedge(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_selvedge")).args(args).output().expect("the command runs")
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn refused(args: &[&str], saying: &str) {
    let output = selvedge(args);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
    assert!(error.contains(saying), "{args:?}: {error}");
    assert!(output.stdout.is_empty(), "{args:?} printed something");
    assert!(!error.contains("panicked"), "{error}");
}

/// A directory of this test's own, empty.
pub fn scratch(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("a directory");
    dir
}

pub fn reviewed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proofs/counterexamples").join(name)
}

pub fn of(path: &Path) -> &str {
    path.to_str().expect("a name in UTF-8")
}

/// A counterexample of these models, with a change, as a file.
fn changed(dir: &Path, change: impl Fn(&mut Value)) -> PathBuf {
    let row = "migrate_pending::bh-stays::install_vs_prep::rfc-migrate-pending::dpor";
    assert!(selvedge(&["check", row, "--out", of(dir)]).status.success());
    let found = dir.join(format!("{}.json", row.replace("::", ".")));
    let text = fs::read_to_string(found).expect("readable");
    let mut value: Value = serde_json::from_str(&text).expect("JSON");
    change(&mut value);
    let file = dir.join("changed.json");
    fs::write(&file, value.to_string()).expect("written");
    file
}

/// Also those of loom, whose whole search is run again.
#[test]
fn every_reviewed_counterexample_goes_and_ends_as_its_file_says() {
    let mut count = 0;
    for entry in fs::read_dir(reviewed("")).expect("there are counterexamples") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let output = selvedge(&["replay", of(&path)]);
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(0), "{error}{}", stdout(&output));
            assert!(stdout(&output).contains(" steps as in the file"), "{}", stdout(&output));
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}

#[test]
fn a_file_of_other_models_is_refused_with_what_differs() {
    let dir = scratch("replay-of-other-models");
    let other_text = changed(&dir, |cx| {
        cx["model"]["functions"]["bh_lru_install"] = json!("0000000000000000");
    });
    refused(
        &["replay", of(&other_text)],
        "another version of the models: changed since: bh_lru_install(); run all the same, it goes \
         and ends as the file says",
    );
    let other_step = changed(&dir, |cx| {
        cx["model"]["functions"]["migrate_prep"] = json!("0000000000000000");
        cx["steps"][4]["old"] = json!(7);
    });
    refused(&["replay", of(&other_step)], "step 4 was installer's atomic_read");
    // As the reviewed ones: the steps tell.
    let no_model = changed(&dir, |cx| drop(cx.as_object_mut().expect("one").remove("model")));
    assert_eq!(selvedge(&["replay", of(&no_model)]).status.code(), Some(0));
    let older = changed(&dir, |cx| cx["model"]["version"] = json!("0.0.9"));
    let output = selvedge(&["replay", of(&older)]);
    assert_eq!(output.status.code(), Some(0), "the functions are the same");
}

#[test]
fn an_execution_that_goes_otherwise_is_unexpected() {
    let dir = scratch("replay-otherwise");
    let other = changed(&dir, |cx| cx["steps"][6]["object"] = json!("cpu0:bhs[1]"));
    let output = selvedge(&["replay", of(&other)]);
    assert_eq!(output.status.code(), Some(1));
    let said = "step 6 was installer's read(cpu0:bhs[1]) in bh_lru_install(), 0 -> 0, and is \
                installer's read(cpu0:bhs[0])";
    assert!(stdout(&output).contains(said), "{}", stdout(&output));
    let other = changed(&dir, |cx| cx["message"] = json!("something else"));
    assert_eq!(selvedge(&["replay", of(&other)]).status.code(), Some(1));
    let other = changed(&dir, |cx| {
        let schedule = cx["schedule"].as_array_mut().expect("a schedule");
        schedule.truncate(3);
    });
    let output = selvedge(&["replay", of(&other)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("of the schedule cannot be followed"), "{}", stdout(&output));
}

#[test]
fn a_file_without_a_row_or_a_schedule_says_so() {
    let dir = scratch("replay-without");
    let no_row = changed(&dir, |cx| cx["claim"] = json!("a::b::c::mine::dpor"));
    refused(&["replay", of(&no_row)], "it is of the row `a::b::c::mine::dpor`, and there is none");
    refused(&["explain", of(&no_row)], "`selvedge c` runs");
    let two_lines = changed(&dir, |cx| cx["claim"] = json!("a\n\u{1b}[2Jb"));
    refused(&["replay", of(&two_lines)], "it is of the row `a\\u{a}\\u{1b}[2Jb`, and");
    let no_schedule = changed(&dir, |cx| cx["schedule"] = json!([]));
    refused(&["replay", of(&no_schedule)], "it has no schedule to follow");
    refused(&["replay", "no-such-file.json"], "cannot read no-such-file.json");
}

#[test]
fn an_explanation_is_said_and_can_be_written_and_shown() {
    let dir = scratch("explain");
    let (file, out) = (reviewed(NAME), dir.join("explained.json"));
    let output = selvedge(&["explain", of(&file), "-o", of(&out)]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    for part in [
        "It fails exactly when CPU0 installer's",
        "It takes 1 preemption",
        "^^^^ decided here",
        "…",
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    assert_eq!(stdout(&selvedge(&["explain", of(&out)])), text, "what is explained stays so");
    let shown = stdout(&selvedge(&["show", of(&out)]));
    assert!(text.starts_with(&shown), "{shown}");
    assert_eq!(selvedge(&["replay", of(&out)]).status.code(), Some(0));
    let all = stdout(&selvedge(&["show", of(&out), "--all"]));
    assert!(!all.contains('…') && all.lines().count() > shown.lines().count(), "{all}");
}

#[test]
fn a_limit_that_was_hit_is_named_and_is_undecided() {
    let output = selvedge(&["explain", of(&reviewed(NAME)), "--max-executions", "1"]);
    assert_eq!(output.status.code(), Some(3));
    let text = stdout(&output);
    assert!(text.contains("Not decided: ") && text.contains("the limit of 1 executions"), "{text}");
}

/// What loom or graph has found cannot be compared, and it is said what to do instead: to explain
/// the same of dpor; or, if it takes weak memory, to look at what is not seen.
#[test]
fn what_only_loom_or_graph_has_found_is_refused_with_what_to_do() {
    let of_graph = "migrate_pending.add_vs_prep.rfc-migrate-pending.graph.json";
    let weak = "it takes weak memory, since under sequential consistency the rule holds";
    refused(&["explain", of(&reviewed(of_graph))], weak);
    let dir = scratch("explain-of-graph");
    for engine in ["loom", "graph"] {
        let row =
            format!("migrate_pending::bh-stays::install_vs_prep::rfc-migrate-pending::{engine}");
        assert!(selvedge(&["check", &row, "--out", of(&dir)]).status.success(), "{row}");
        let file = dir.join(format!("{}.json", row.replace("::", ".")));
        let advice = "`selvedge check \
                      migrate_pending::bh-stays::install_vs_prep::rfc-migrate-pending::dpor --out \
                      DIR`, then `selvedge explain \
                      DIR/migrate_pending.bh-stays.install_vs_prep.rfc-migrate-pending.dpor.json`";
        refused(&["explain", of(&file)], advice);
    }
}

/// An engine that is new finds counterexamples of which the format and each view must know.
#[test]
fn what_each_engine_finds_is_said_to_be_under_its_memory_model() {
    let schema = reviewed("../../docs/schemas/selvedge-trace-1.schema.json");
    let schema = fs::read_to_string(schema).expect("the schema");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let known = schema["properties"]["memory_model"]["enum"].as_array().expect("a list");
    let dir = scratch("each-engine");
    for engine in Engine::ALL {
        let model = engine.memory_model().name();
        assert!(known.contains(&json!(model)), "the schema does not know {model} of {engine}");
        let file = changed(&dir, |cx| {
            (cx["engine"], cx["memory_model"]) = (json!(engine.name()), json!(model));
        });
        let paragraph = stdout(&selvedge(&["show", of(&file), "--as", "changelog"]));
        let words: Vec<&str> = paragraph.split_whitespace().collect();
        let said = match model {
            "sc" => "under sequential consistency",
            "c11" => "under weak memory",
            "lkmm" => "under the kernel's memory model",
            other => panic!("what is said of {other}?"),
        };
        assert!(words.join(" ").contains(&format!("{said} ({engine})")), "{paragraph}");
    }
}

#[test]
fn every_view_can_be_shown_and_written() {
    let dir = scratch("views");
    let file = reviewed(NAME);
    let views = [
        ("table", "CPU0 installer"),
        ("steps", "<== fatal"),
        ("refs", "bh0->b_count is 2"),
        ("refs-dot", "digraph references"),
        ("splat", "Call Trace of installer/1 (CPU0):"),
        ("changelog", "Link: <of "),
        ("html", "<!DOCTYPE html>"),
        ("mermaid", "sequenceDiagram"),
        ("perfetto", "\"traceEvents\""),
        ("ftrace", "# tracer: function"),
        ("dot", "digraph"),
        ("json", "selvedge-trace/1"),
    ];
    for (view, part) in views {
        let output = selvedge(&["show", of(&file), "--as", view]);
        assert_eq!(output.status.code(), Some(0), "{view}");
        assert!(stdout(&output).contains(part), "{view}: {}", stdout(&output));
        let out = dir.join(view);
        assert_eq!(
            selvedge(&["show", of(&file), "--as", view, "-o", of(&out)]).status.code(),
            Some(0)
        );
        assert_eq!(fs::read_to_string(&out).expect("written"), stdout(&output), "{view}");
    }
    refused(&["show", of(&file), "--width", "10"], "60..=200");
    refused(&["show", of(&file), "-o", of(&dir)], "cannot write");
}

/// Nobody is at the other end.
#[test]
fn a_pipe_is_not_waited_for_without_end() {
    let pipe = scratch("pipe").join("pipe");
    if !Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
        eprintln!("no mkfifo here: not tested");
        return;
    }
    let said = "it is a pipe, and nobody has opened its other end";
    let file = reviewed(NAME);
    // Each waits for some seconds: for them all at once.
    std::thread::scope(|scope| {
        let pipe = of(&pipe);
        scope.spawn(|| refused(&["show", of(&file), "-o", pipe], said));
        scope.spawn(|| refused(&["explain", of(&file), "-o", pipe], said));
    });
    refused(&["show", of(&pipe)], said);
    let (file, to) = (reviewed(NAME), pipe.clone());
    let writer = std::thread::spawn(move || fs::copy(file, to).is_ok());
    assert_eq!(
        stdout(&selvedge(&["show", of(&pipe)])),
        stdout(&selvedge(&["show", of(&reviewed(NAME))]))
    );
    assert!(writer.join().expect("no panic"));
}

/// A device on which nothing can be written.
#[test]
fn a_full_disk_is_said() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        eprintln!("no /dev/full here: not tested");
        return;
    }
    let file = reviewed(NAME);
    refused(&["show", of(&file), "--as", "html", "-o", of(full)], "cannot write /dev/full");
    refused(&["explain", of(&file), "-o", of(full)], "cannot write /dev/full");
    let dir = scratch("full");
    let row = "migrate_pending::bh-stays::install_vs_prep::rfc-migrate-pending::dpor";
    // What was found is printed all the same.
    let output = selvedge(&["check", row, "--report", "json=/dev/full"]);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.starts_with("selvedge: cannot write /dev/full: "), "{error}");
    assert!(stdout(&output).contains("1 as expected"), "{}", stdout(&output));
    refused(&["check", row, "--out", "/dev/full/x"], "cannot write to the directory /dev/full/x");
    for args in [
        vec!["show", of(&file)],
        vec!["show", of(&file), "--as", "html"],
        vec!["replay", of(&file)],
        vec!["explain", of(&file)],
        vec!["check", row, "--out", of(&dir)],
    ] {
        let stdout = fs::OpenOptions::new().write(true).open(full).expect("it is there");
        let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
        let output = command.args(&args).stdout(stdout).output().expect("the command runs");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
        assert!(error.starts_with("selvedge: cannot write to stdout: "), "{args:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{args:?}: {error}");
    }
}

/// The name of Chromium; `None`, and a word about it, if there is none.
pub fn chromium() -> Option<&'static str> {
    let browser = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| {
        Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success())
    });
    if browser.is_none() {
        eprintln!("no chromium here: nothing is opened");
    }
    browser
}

/// The page as Chromium has it when its script has run, if there is a Chromium.
fn dom(dir: &Path, page: &str) -> Option<String> {
    let browser = chromium()?;
    let profile = format!("--user-data-dir={}", dir.join("profile").display());
    let args = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000"];
    let url = format!("file://{page}");
    let opened = Command::new(browser).args(args).args([&profile, "--dump-dom", &url]).output();
    Some(stdout(&opened.expect("the browser runs")))
}

/// Chromium draws the page, runs its script, and finds the step that was asked for.
#[test]
fn a_browser_opens_the_page() {
    let dir = scratch("browser");
    let (explained, page) = (dir.join("explained.json"), dir.join("page.html"));
    selvedge(&["explain", of(&reviewed(NAME)), "-o", of(&explained)]);
    selvedge(&["show", of(&explained), "--as", "html", "-o", of(&page)]);
    let Some(dom) = dom(&dir, &format!("{}#step=20", page.display())) else { return };
    assert!(dom.contains("data-ready=\"yes\""), "the script has not come to its end: {dom}");
    assert!(dom.contains("step 20 of"), "{dom}");
    // Both runs are drawn; where they part is marked in both.
    for row in ["class=\"step decisive differs now\"", "class=\"step differs now\""] {
        assert_eq!(dom.matches(row).count(), 1, "{row}: {dom}");
    }
}

/// Each key does what the page says: the step that it comes to, and whose state is shown.
#[test]
fn keys_move_through_the_page() {
    const KEYS: &str = "<script>
        const keys = \"Home ArrowRight d ArrowRight f p End p\".split(\" \");
        const seen = keys.map(key => {
          document.dispatchEvent(new KeyboardEvent(\"keydown\", { key }));
          return [byId(\"at\").value, runs.indexOf(watched)].join();
        });
        document.body.dataset.seen = seen.join(\" \");
        </script>";
    let dir = scratch("keys");
    let (explained, page) = (dir.join("explained.json"), dir.join("page.html"));
    selvedge(&["explain", of(&reviewed(NAME)), "-o", of(&explained)]);
    let text = stdout(&selvedge(&["show", of(&explained), "--as", "html"]));
    fs::write(&page, text + KEYS).expect("written");
    let cx = fs::read_to_string(&explained).expect("readable");
    let cx: Value = serde_json::from_str(&cx).expect("JSON");
    let (decisive, fatal) = (&cx["explanation"]["decisive"], &cx["fatal"]);
    let passing = cx["explanation"]["passing"]["steps"].as_array().expect("steps").len();
    let last = decisive.as_u64().expect("a step") as usize + passing - 1;
    let Some(dom) = dom(&dir, of(&page)) else { return };
    let (_, seen) = dom.split_once("data-seen=\"").expect("the script has come to its end");
    let seen: Vec<&str> = seen.split('"').next().unwrap_or_default().split(' ').collect();
    // The first step that is shown, and the next after the one that decides, of either run.
    let moved = |at: usize| seen[at].split(',').next().and_then(|step| step.parse::<u64>().ok());
    assert!(moved(1) > Some(0) && moved(3) > decisive.as_u64(), "{seen:?}");
    let said = [seen[0], seen[2], seen[4], seen[5], seen[6], seen[7]];
    let wanted = [
        "0,0".to_string(),
        format!("{decisive},0"),
        format!("{fatal},0"),
        format!("{fatal},1"),
        format!("{last},1"),
        format!("{last},0"),
    ];
    assert_eq!(said.map(String::from), wanted, "{seen:?}");
}

/// What some format takes for syntax, a terminal for a command, or a reader for a new line.
const HOSTILE: &str = "</script><script>document.title='owned'</script><img src=x \
                       onerror=\"document.title='owned'\">\"];-->\n\u{1b}[31m`|\u{202e}; end \
                       %s \\N ${x} ]]>";

/// Each text of it that is shown is this one.
fn make_hostile(cx: &mut Value) {
    const KEPT: [&str; 9] = [
        "schema",
        "engine",
        "memory_model",
        "context",
        "action",
        "order",
        "claim",
        "model",
        "schedule",
    ];
    match cx {
        Value::String(text) => *text = HOSTILE.into(),
        Value::Array(all) => all.iter_mut().for_each(make_hostile),
        Value::Object(fields) => {
            let shown = fields.iter_mut().filter(|(name, _)| !KEPT.contains(&name.as_str()));
            shown.for_each(|(_, value)| make_hostile(value));
        }
        _ => {}
    }
}

#[test]
fn the_readers_refuse_a_name_that_has_got_out() {
    assert_eq!(read_dot("digraph a {\n  \"x\" [label=\"y\"];\n}\n"), Ok((1, 0)));
    for out in ["\"x\"]; [label=\"y\"];", "\"x\" [label=\"a\"b\"];", "x -> \"y\" label;", "\"x"] {
        assert!(read_dot(&format!("digraph a {{\n  {out}\n}}\n")).is_err(), "{out}");
    }
    let diagram = |line: &str| read_mermaid(&format!("sequenceDiagram\n    {line}\n"));
    assert_eq!(diagram("participant T1 as CPU0 user"), Ok((1, 0)));
    for out in ["participant T1 as <b>", "Note over T1: x", "end", "participant T1 as \"x"] {
        assert!(diagram(out).is_err(), "{out}");
    }
    assert!(read_ftrace("            user-1       [000] ..... 0.000001: f: x").is_some());
    assert!(read_ftrace("a second line of a name").is_none());
}

/// A file whose every name is hostile, in every view, read by what reads the view.
#[test]
fn hostile_names_stay_names_in_every_view() {
    let dir = scratch("hostile");
    let explained = dir.join("explained.json");
    selvedge(&["explain", of(&reviewed(NAME)), "-o", of(&explained)]);
    let text = fs::read_to_string(&explained).expect("written");
    let mut cx: Value = serde_json::from_str(&text).expect("JSON");
    make_hostile(&mut cx);
    cx["holders"] = json!([{ "name": HOSTILE, "references": 2, "since": HOSTILE, "step": 6 }]);
    cx["blocked"] =
        json!([{ "task": 1, "primitive": HOSTILE, "object": HOSTILE, "path": [HOSTILE] }]);
    let steps = cx["steps"].as_array().expect("steps").len();
    let file = dir.join("hostile.json");
    fs::write(&file, cx.to_string()).expect("written");
    let shown = |view: &str| {
        let output = selvedge(&["show", of(&file), "--as", view]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{view}: {error}");
        let text = stdout(&output);
        let steers = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(view == "json" || !text.contains(steers), "{view}: {text:?}");
        text
    };
    // For people: each line is one of ours.
    for view in ["table", "splat", "changelog", "refs"] {
        let text = shown(view);
        assert!(!text.lines().any(|line| line.starts_with("\\u{1b}")), "{view}: {text}");
    }
    let list = shown("steps");
    let numbered = list.lines().take(steps).enumerate();
    numbered.for_each(|(at, line)| assert!(line.starts_with(&format!("{at:4} ")), "{line}"));
    // For programs.
    let again: Value = serde_json::from_str(&shown("json")).expect("JSON");
    assert_eq!(again["steps"], cx["steps"]);
    let chrome: Value = serde_json::from_str(&shown("perfetto")).expect("JSON");
    let events = chrome["traceEvents"].as_array().expect("events");
    assert!(events.iter().all(|event| event["ph"].is_string()), "{events:?}");
    let slices = events.iter().filter(|event| event["ph"] == "X");
    let name_is_whole = |event: &Value| event["name"].as_str().is_some_and(|n| n.contains("]]>"));
    assert!(slices.filter(|event| name_is_whole(event)).count() > 5);
    let trace = shown("ftrace");
    for line in trace.lines().filter(|line| !line.starts_with('#')) {
        let (_, _, cpu, _, _, what) = read_ftrace(line).unwrap_or_else(|| panic!("{line}"));
        assert!(cpu < 2 && !what.is_empty(), "{line}");
    }
    let diagram = shown("mermaid");
    let (participants, messages) = read_mermaid(&diagram).expect("a diagram");
    assert!(participants == 3 && messages > 20, "{participants} {messages}");
    mermaid(&dir, &diagram);
    for view in ["dot", "refs-dot"] {
        let graph = shown(view);
        let (nodes, edges) = read_dot(&graph).unwrap_or_else(|why| panic!("{why}: {graph}"));
        assert!(nodes > 0 && edges > 0, "{view}: {nodes} {edges}");
        graphviz(&dir, &graph);
    }
    let (html, page) = (shown("html"), dir.join("hostile.html"));
    assert_eq!(html.matches("<script").count(), 2, "{html}");
    fs::write(&page, html).expect("written");
    let Some(dom) = dom(&dir, of(&page)) else { return };
    assert!(dom.contains("data-ready=\"yes\""), "the script has not come to its end: {dom}");
    let ours = [("<script", 2), ("<img", 0), ("<title>owned", 0), ("&lt;img src=x", 1)];
    for (what, at_least) in ours {
        let count = dom.matches(what).count();
        let is_right = if at_least == 1 { count > 5 } else { count == at_least };
        assert!(is_right, "{what}: {count} in {dom}");
    }
}

/// Mermaid takes it, where `SELVEDGE_MERMAID` names its mermaid.min.js and there is a browser.
fn mermaid(dir: &Path, diagram: &str) {
    let Some(library) = std::env::var_os("SELVEDGE_MERMAID").filter(|name| !name.is_empty()) else {
        eprintln!("not run: SELVEDGE_MERMAID names nothing");
        return;
    };
    let page = dir.join("mermaid.html");
    let within_script = |text: &str| json!(text).to_string().replace('<', "\\u003c");
    let text = format!(
        "<body><script src=\"{}\"></script><script>mermaid.parse({}).then(\
         found => document.body.dataset.kind = found.diagramType,\
         error => document.body.dataset.error = error);</script></body>",
        Path::new(&library).display(),
        within_script(diagram)
    );
    fs::write(&page, text).expect("written");
    let Some(dom) = dom(dir, of(&page)) else { return };
    assert!(dom.contains("data-kind=\"sequence\""), "{dom}");
}

/// What draws it takes it, where there is one.
fn graphviz(dir: &Path, graph: &str) {
    let file = dir.join("graph.dot");
    fs::write(&file, graph).expect("written");
    match Command::new("dot").args(["-Tplain", of(&file)]).output() {
        Ok(output) => {
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success() && error.is_empty(), "{error}: {graph}");
        }
        Err(_) => eprintln!("no Graphviz here: the graph is not drawn"),
    }
}
