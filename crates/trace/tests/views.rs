//! Every view of every reviewed counterexample is what its format asks for, and no name in a file
//! gets out of it.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use selvedge_trace::views::{self, Tags};
use selvedge_trace::{
    ActionKind, Column, Context, Counterexample, Explanation, Look, Passing, Record, because,
    cycle, from_json, refs, refs_dot, steps, table, table_as, to_json, why,
};
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

pub fn reviewed() -> Vec<(String, Counterexample)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../proofs/counterexamples");
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).expect("there are counterexamples") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = fs::read_to_string(&path).expect("readable");
            let name = path.display().to_string();
            all.push((name.clone(), from_json(&name, &text).expect("a counterexample")));
        }
    }
    assert!(all.len() > 20);
    all
}

/// As if the failing execution were its own explanation.
fn explained(cx: &Counterexample) -> Counterexample {
    let passing = Passing { tasks: cx.tasks.clone(), steps: cx.steps.clone() };
    let mut why =
        Explanation { decisive: Some(0), passing: Some(passing), ..Explanation::default() };
    why.unneeded = because::unneeded(cx, &why);
    Counterexample { explanation: Some(why), ..cx.clone() }
}

/// All views, by name.
fn all(cx: &Counterexample) -> Vec<(&'static str, String)> {
    let tags = Tags { base: cx.tree.clone(), ..Tags::default() };
    vec![
        ("table", table(cx)),
        ("folded", table_as(cx, &Look::default())),
        ("wide", table_as(cx, &Look { width: 200, all: true })),
        ("narrow", table_as(cx, &Look { width: 60, all: false })),
        ("why", why(cx)),
        ("in brief", cycle(cx).unwrap_or_else(|| table(cx))),
        ("refs", refs(cx)),
        ("refs-dot", refs_dot(cx)),
        ("steps", steps(cx)),
        ("splat", views::splat(cx)),
        ("changelog", views::changelog(cx, &tags)),
        ("mermaid", views::mermaid(cx)),
        ("ftrace", views::ftrace(cx)),
        ("dot", views::dot(cx)),
        ("html", views::html(cx)),
        ("chrome", views::chrome(cx)),
        ("json", to_json(cx)),
    ]
}

fn view(cx: &Counterexample, name: &str) -> String {
    let found = all(cx).into_iter().find(|(view, _)| *view == name);
    found.unwrap_or_else(|| panic!("no view {name}")).1
}

/// What the page is given as data.
fn data(html: &str) -> Value {
    let (_, after) = html.split_once("id=\"data\">").expect("a page has data");
    let (data, _) = after.split_once("</script>").expect("its end");
    serde_json::from_str(data).expect("it is JSON")
}

#[test]
fn every_reviewed_counterexample_is_shown_in_all_views() {
    for (name, cx) in reviewed() {
        for cx in [&cx, &explained(&cx)] {
            for (view, text) in all(cx) {
                assert!(!text.trim().is_empty(), "{name} as {view}");
                let is_bad = |c: char| c.is_control() && c != '\n';
                assert!(!text.contains(is_bad), "{name} as {view}");
            }
        }
    }
}

#[test]
fn a_table_keeps_to_its_width() {
    for (name, cx) in reviewed() {
        for cx in [&cx, &explained(&cx)] {
            for (width, all) in [(60, true), (60, false), (75, false), (120, true), (200, false)] {
                let table = table_as(cx, &Look { width, all });
                let widest = table.lines().map(UnicodeWidthStr::width).max();
                assert!(widest <= Some(width), "{name}, {width}: {widest:?}\n{table}");
                assert_eq!(broken_here(&table), usize::from(cx.fatal.is_some()), "{name}");
            }
        }
    }
}

/// The same execution on so many CPUs: each task again on each of them, a few steps in turn.
fn on_cpus(cx: &Counterexample, cpus: u8) -> Counterexample {
    let mut tasks: Vec<Column> = cx.tasks.iter().filter(|t| t.cpu.is_none()).cloned().collect();
    let mut numbers = Vec::new();
    for copy in 0..cpus {
        for (number, task) in cx.tasks.iter().enumerate() {
            let Some(cpu) = task.cpu else { continue };
            numbers.push(((number as u8, copy), tasks.len() as u8));
            let name = format!("{}{copy}", task.name);
            tasks.push(Column { name, cpu: Some((cpu + copy) % cpus), ..task.clone() });
        }
    }
    let number = |task: u8, copy: u8| {
        let known = numbers.iter().find(|(known, _)| *known == (task, copy));
        known.map_or(0, |(_, number)| *number)
    };
    let turns = cx.steps.chunks(4).flat_map(|few| (0..cpus).map(move |copy| (few, copy)));
    let steps: Vec<Record> = turns
        .flat_map(|(few, copy)| few.iter().map(move |step| (step, copy)))
        .map(|(step, copy)| Record { task: number(step.task, copy), ..step.clone() })
        .collect();
    let is_shown = |step: &Record| !step.action.is_note() && step.task != 0;
    let fatal = steps.iter().rposition(is_shown);
    let blocked = cx.blocked.iter().cloned();
    let blocked = blocked.map(|mut waits| {
        waits.task = number(waits.task, 0);
        waits
    });
    let blocked = blocked.collect();
    Counterexample { tasks, steps, fatal, blocked, holders: Vec::new(), ..cx.clone() }
}

#[test]
fn a_table_of_two_to_six_cpus_keeps_to_widths_from_60_to_200() {
    for (name, cx) in reviewed_once() {
        for cpus in 2..=6 {
            let cx = on_cpus(cx, cpus);
            for width in [60, 75, 100, 200] {
                for all in [true, false] {
                    let table = table_as(&cx, &Look { width, all });
                    let widest = table.lines().map(UnicodeWidthStr::width).max();
                    assert!(
                        widest <= Some(width),
                        "{name}, {cpus} in {width}: {widest:?}\n{table}"
                    );
                    assert_eq!(broken_here(&table), 1, "{name}, {cpus} in {width}");
                    let is_named = |cpu| table.contains(&format!("CPU{cpu} "));
                    assert!(!all || (0..cpus).all(is_named), "{name}, {cpus} in {width}\n{table}");
                }
            }
        }
    }
}

/// Of a name that is wider than the table both ends are left, and the marks stay.
#[test]
fn names_that_are_too_long_are_shortened_in_the_middle() {
    let long = |begin: &str| format!("{begin}_{}_end", "x".repeat(300));
    let (_, mut cx) = reviewed_once()[0].clone();
    cx.tasks.iter_mut().for_each(|task| task.name = long("task"));
    for step in &mut cx.steps {
        step.path = vec![long("f"), long("g")];
        (step.primitive, step.object) = (long("primitive"), long("object"));
    }
    (cx.rule, cx.message) = (long("rule"), long("message"));
    for cpus in 2..=6 {
        let cx = on_cpus(&cx, cpus);
        for width in [60, 75, 100, 200] {
            let table = table_as(&cx, &Look { width, all: true });
            assert!(table.lines().all(|line| line.width() <= width), "{table}");
            let function = |line: &str| line.contains("f_x") && line.ends_with("x_end()");
            assert!(table.lines().any(function), "{table}");
            assert_eq!(broken_here(&table), 1, "{table}");
        }
    }
}

/// How many steps are marked as the one that breaks the rule. In a narrow column the mark is two
/// lines.
fn broken_here(table: &str) -> usize {
    let words: Vec<&str> = table.split_whitespace().collect();
    let marks = words.windows(3).filter(|words| words[0] == "^^^^");
    let plain = |words: &&[&str]| matches!(words[1..], ["broken", "here"] | ["it", "stays"]);
    marks.clone().filter(plain).count()
        + marks.filter(|words| words[1..] == ["decided", "and"]).count()
}

/// Characters that take two columns, and such as take none.
#[test]
fn wide_and_combining_characters_keep_to_widths_from_60_to_200() {
    let names = [
        "页面回收与迁移内存管理子系统",
        "e\u{301}e\u{301}e\u{301}",
        "❤\u{fe0f}👩\u{200d}👧",
        "ｆｏｌｉｏ",
    ];
    let (_, mut cx) = reviewed_once()[0].clone();
    for (at, step) in cx.steps.iter_mut().enumerate() {
        let name = names[at % names.len()];
        step.path = vec![name.repeat(1 + at % 3), format!("{name}_f")];
        (step.primitive, step.object) = (name.repeat(at % 9 + 1), name.repeat(at % 13));
    }
    cx.tasks.iter_mut().zip(names.iter().cycle()).for_each(|(task, name)| {
        task.name = name.to_string();
    });
    (cx.rule, cx.message) = (names[0].repeat(20), names.join(" ").repeat(9));
    for cpus in 2..=6 {
        let cx = on_cpus(&cx, cpus);
        for width in 60..=200 {
            let table = table_as(&cx, &Look { width, all: true });
            let too_wide = table.lines().find(|line| line.width() > width);
            assert_eq!(too_wide, None, "{cpus} in {width}:\n{table}");
            // What combines with a character is not on another line than that.
            assert!(!table.contains("\n\u{301}") && !table.contains(" \u{301}"), "{table}");
        }
    }
}

/// What is folded is counted; what is not is as it was.
#[test]
fn folding_leaves_out_whole_steps_and_says_how_many() {
    for (name, cx) in reviewed() {
        let (folded, whole) = (table_as(&cx, &Look::default()), table(&cx));
        assert!(folded.lines().count() <= whole.lines().count() + 2, "{name}\n{folded}");
        assert_eq!(folded.contains('…'), folded.contains("are left out"), "{name}\n{folded}");
    }
}

/// A bit that is a lock is held until it is cleared; and each task that waits has its trace once.
#[test]
fn a_splat_names_the_bits_that_are_locks_and_each_task_once() {
    let name = "migrate_batches.jbd2_writes_to_loop_sync_light_ba.v6.3-rc1.dpor.json";
    let (_, cx) = reviewed_once().iter().find(|(file, _)| file.ends_with(name)).expect("it");
    let splat = view(cx, "splat");
    for held in ["(BH_Lock of bh0->b_state)", "(PG_locked of folio1->flags)"] {
        assert_eq!(splat.matches(held).count(), 1, "{held}: {splat}");
    }
    assert_eq!(splat.matches("Call Trace of").count(), 2, "{splat}");
    // jbd2 took the buffer's lock, and its I/O, which the loop worker does, is to end it.
    assert!(splat.contains("(BH_Lock of bh0->b_state) by loop worker/3 (CPU2)"), "{splat}");
}

#[test]
fn ftrace_has_a_line_for_each_step_in_order() {
    for (name, cx) in reviewed() {
        let text = view(&cx, "ftrace");
        let lines = || text.lines().filter(|line| !line.starts_with('#'));
        let times: Vec<&str> = lines().filter_map(|line| line.split_whitespace().nth(3)).collect();
        assert!(times.is_sorted(), "{name}");
        let steps = lines().filter(|line| !line.contains(" <-")).count();
        assert_eq!(steps, cx.steps.iter().filter(|s| !s.action.is_note()).count(), "{name}");
        let count = format!("# entries-in-buffer/entries-written: {0}/{0} ", lines().count());
        assert!(text.contains(&count), "{name}: {count}");
        // As the kernel writes them: an event that it has is the first word.
        let events =
            |event: &str| lines().filter(|line| line.contains(&format!(": {event}: "))).count();
        let of = |kinds: &[ActionKind]| {
            let is_lock = |step: &&Record| {
                kinds.contains(&step.action)
                    && !step.object.ends_with(":cpu.irq")
                    && !step.object.ends_with(":cpu.preempt")
            };
            cx.steps.iter().filter(is_lock).count()
        };
        use ActionKind::{Lock, LockShared, TryLock, TryLockShared, Unlock, UnlockShared};
        assert_eq!(
            events("lock_acquire"),
            of(&[Lock, TryLock, LockShared, TryLockShared]),
            "{name}"
        );
        assert_eq!(events("lock_release"), of(&[Unlock, UnlockShared]), "{name}");
    }
}

#[test]
fn the_page_names_nothing_outside_of_itself() {
    for (name, cx) in reviewed() {
        let html = view(&explained(&cx), "html");
        for outside in ["http://", "https://", "src=", "<link", "@import", "url(", "innerHTML"] {
            assert!(!html.contains(outside), "{name}: {outside}");
        }
        assert!(html.contains("default-src 'none'"), "{name}");
        assert_eq!(data(&html)["steps"].as_array().map(Vec::len), Some(cx.steps.len()), "{name}");
    }
}

/// Names that some format takes for syntax.
const HOSTILE: &[&str] = &[
    "</script><script>alert(1)</script>",
    "\"];",
    "a\"b\\",
    "\\",
    "end",
    "x; y",
    "#35;",
    "<!--",
    "\u{1b}[2J",
    "a\nb\r\nc",
    "\u{202e}evil",
    "%s%n",
    "'; DROP TABLE",
    "-->",
    "\u{0}",
    "${x}",
    "",
    "@DATA@",
    "内存页",
    "e\u{301}",
    "1\u{fe0f}\u{20e3}",
];

fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(HOSTILE).prop_map(String::from),
        any::<String>(),
        "[a-z_]{1,40}",
    ]
}

fn action() -> impl Strategy<Value = ActionKind> {
    use ActionKind::*;
    let all = [
        Read,
        Write,
        Update,
        UpdateFailed,
        PlainRead,
        PlainWrite,
        Fence,
        Lock,
        TryLock,
        TryLockFailed,
        Unlock,
        Wait,
        Wake,
        Spawn,
        Join,
        Choice,
        Get,
        Put,
        Hand,
        Mark,
        Awaits,
        Owns,
    ];
    prop::sample::select(all.to_vec())
}

/// A counterexample that no engine would make, but that a file may hold.
fn any_counterexample() -> impl Strategy<Value = Counterexample> {
    let step =
        (any::<u8>(), action(), prop::collection::vec(hostile(), 0..4), hostile(), hostile());
    let tasks = prop::collection::vec((hostile(), any::<Option<u8>>()), 1..6);
    let steps = prop::collection::vec(step, 0..20);
    let numbers = (any::<u64>(), any::<u64>(), any::<usize>(), any::<u8>());
    (tasks, steps, hostile(), hostile(), numbers).prop_map(
        |(tasks, steps, rule, message, numbers)| {
            let (old, new, at, nr) = numbers;
            let (_, template) = &reviewed_once()[0];
            let count = tasks.len() as u8;
            let record = template.steps[0].clone();
            let steps: Vec<_> = (steps.into_iter())
                .map(|(task, action, path, object, detail)| Record {
                    task: task % count,
                    action,
                    path,
                    primitive: detail.clone(),
                    object,
                    bit: (nr % 3 == 0).then(|| selvedge_trace::BitOf {
                        nr: u32::from(nr % 64),
                        name: detail.clone(),
                    }),
                    old,
                    new,
                    detail,
                    ..record.clone()
                })
                .collect();
            let column = |(name, cpu)| Column { name, cpu, context: Context::Task };
            Counterexample {
                fatal: (!steps.is_empty()).then(|| at % steps.len()),
                tasks: tasks.into_iter().map(column).collect(),
                steps,
                blocked: Vec::new(),
                holders: Vec::new(),
                rule,
                message,
                ..template.clone()
            }
        },
    )
}

fn reviewed_once() -> &'static [(String, Counterexample)] {
    static ALL: std::sync::OnceLock<Vec<(String, Counterexample)>> = std::sync::OnceLock::new();
    ALL.get_or_init(reviewed)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 100, failure_persistence: None, ..Default::default()
    })]

    /// No view panics, none sends what a terminal takes for a command, and what other programs read
    /// stays what they can read.
    #[test]
    fn names_of_a_file_stay_text_in_every_view(cx in any_counterexample()) {
        let explained = if cx.steps.is_empty() { cx.clone() } else { explained(&cx) };
        for (view, text) in all(&explained) {
            let steers = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
            prop_assert!(view == "json" || !text.contains(steers), "{view}: {text:?}");
            let most = match view {
                "narrow" => 60,
                "table" | "folded" | "why" | "in brief" => 75,
                "wide" => 200,
                _ => usize::MAX,
            };
            prop_assert!(text.lines().all(|line| line.width() <= most), "{view}: {text}");
        }
        let html = view(&explained, "html");
        prop_assert_eq!(html.matches("<script").count(), 2);
        prop_assert_eq!(html.matches("</script>").count(), 2);
        data(&html);
        let chrome: Result<Value, _> = serde_json::from_str(&view(&cx, "chrome"));
        prop_assert!(chrome.is_ok());
        for line in view(&cx, "mermaid").lines().skip(1) {
            prop_assert!(line.starts_with("    Note over T") || line.starts_with("    T")
                || line.starts_with("    participant T"), "{line}");
            prop_assert!(!line.contains(['<', '"']) , "{line}");
        }
        let dots = view(&explained, "dot") + &view(&explained, "refs-dot");
        // All quotes are closed in the line in which they are opened.
        for line in dots.lines() {
            let quotes = line.replace("\\\\", "").replace("\\\"", "").matches('"').count();
            prop_assert_eq!(quotes % 2, 0, "{}", line);
        }
        prop_assert_eq!(from_json("f", &to_json(&explained)), Ok(explained));
    }

    /// What is cut, changed or foreign is refused or read, and says which file.
    #[test]
    fn the_reader_takes_any_text(
        cut in any::<prop::sample::Index>(), put in hostile(), only in any::<String>()
    ) {
        let text = to_json(&reviewed_once()[0].1);
        let mut at = cut.index(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let changed = format!("{}{put}{}", &text[..at], &text[at..]);
        for text in [&text[..at], changed.as_str(), only.as_str()] {
            match from_json("f.json", text) {
                Ok(cx) => drop(all(&cx)),
                Err(error) => prop_assert!(error.to_string().starts_with("f.json: ")),
            }
        }
    }
}

#[test]
fn a_file_that_is_nested_a_thousand_deep_is_refused() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(from_json("f", &deep).is_err());
    let text = to_json(&reviewed_once()[0].1);
    let field = format!("{{\n  \"more\": {}1{},", "[".repeat(1_000), "]".repeat(1_000));
    assert!(from_json("f", &text.replacen('{', &field, 1)).is_err());
}

/// A search that does not end is cut long before, but a file may say so.
#[test]
fn a_hundred_thousand_steps_are_shown() {
    let (_, mut cx) = reviewed_once()[0].clone();
    let shown = cx.steps.iter().position(|step| step.task != 0).expect("a step of a task");
    let step = cx.steps[shown].clone();
    cx.steps = vec![step; 100_000];
    cx.fatal = Some(99_999);
    for (name, text) in all(&explained(&cx)) {
        assert!(
            name == "changelog"
                || name == "why"
                || name == "folded"
                || name == "narrow"
                || text.len() > 1_000_000
                || ["splat", "dot", "refs", "refs-dot"].contains(&name),
            "{name}"
        );
    }
}
