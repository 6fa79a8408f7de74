//! The same programs under this crate, loom, shuttle's depth-first search and, where it is
//! installed, SPIN: how many executions each takes, how fast, and with how much memory.
//! `cargo bench -p dpor`; `-- --instructions` counts those of the short rows too, if there is
//! valgrind.
//!
//! Every row is a process of its own, so that its peak memory is its own and it can be killed when
//! its time is up. They do not explore the same thing: loom explores weak memory, its search and
//! shuttle's end at the first deadlock, and SPIN goes on from each state once.

#[path = "against/others.rs"]
mod others;
#[path = "against/spin.rs"]
mod spin;
#[path = "../examples/workloads.rs"]
#[allow(dead_code, reason = "its main is not run here")]
mod workloads;

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use workloads::programs::{self, Program};

/// What a row may take.
const TIME_MAX: Duration = Duration::from_secs(10);
/// What making and compiling SPIN's verifier, which is not counted, may take before that.
const MAKING_MAX: Duration = Duration::from_secs(60);
/// A row says how far it is after so many executions: a row that is killed shows that.
const SAY_EVERY: u64 = 1_024;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Engine {
    Dpor,
    DporTwins,
    States,
    StatesTwins,
    Loom,
    Shuttle,
    Spin,
}

impl Engine {
    const ALL: [Engine; 7] = [
        Engine::Dpor,
        Engine::DporTwins,
        Engine::States,
        Engine::StatesTwins,
        Engine::Loom,
        Engine::Shuttle,
        Engine::Spin,
    ];

    fn name(self) -> &'static str {
        match self {
            Engine::Dpor => "dpor",
            Engine::DporTwins => "dpor-twins",
            Engine::States => "stateful",
            Engine::StatesTwins => "stateful-twins",
            Engine::Loom => "loom",
            Engine::Shuttle => "shuttle-dfs",
            Engine::Spin => "spin",
        }
    }

    /// Those that it can do something for: that tasks do the same helps only where they do.
    fn programs(self) -> Vec<(&'static str, Program)> {
        match self {
            // What SPIN runs is another text of them.
            Engine::Spin if !spin::is_installed() => Vec::new(),
            Engine::Dpor | Engine::States | Engine::Spin => programs::all::<workloads::Announced>(),
            Engine::DporTwins | Engine::StatesTwins => {
                programs::of_tasks_alike::<workloads::AnnouncedTwins>()
            }
            Engine::Loom => programs::all::<others::Loom>(),
            Engine::Shuttle => programs::all::<others::Shuttle>(),
        }
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [row, engine, work] = &args[..]
        && row == "--row"
    {
        return run_row(engine, work);
    }
    // `cargo test --all-targets` runs benches too, without this argument.
    if !args.iter().any(|arg| arg == "--bench") {
        return;
    }
    let counts = args.iter().any(|arg| arg == "--instructions");
    println!(
        "{:15} {:14} {:>12} {:>12} {:>9} {:>8} {:>12}  end",
        "", "engine", "executions", "per second", "seconds", "MiB", "instructions"
    );
    if !spin::is_installed() {
        println!("(spin or cc is not installed: no rows of it)");
    }
    for (work, _) in programs::all::<workloads::Announced>() {
        let runs = |engine: &Engine| engine.programs().iter().any(|(name, _)| *name == work);
        for engine in Engine::ALL.into_iter().filter(runs) {
            println!("{work:15} {:14} {}", engine.name(), measure(engine, work, counts));
        }
    }
}

/// The row's process: runs the search to its end and says how it went, last line last.
fn run_row(engine: &str, work: &str) {
    let engine = Engine::ALL.into_iter().find(|e| e.name() == engine).expect("an engine");
    let programs = engine.programs();
    if engine == Engine::Spin {
        let spin::Searched { states, deadlock, took } = spin::explore(work);
        let deadlock = if deadlock { ", the deadlock found" } else { "" };
        println!("took {}", took.as_secs_f64());
        return println!("{states} complete, states{deadlock}");
    }
    let (_, program) = programs.into_iter().find(|(name, _)| *name == work).expect("a workload");
    std::panic::set_hook(Box::new(|_| {}));
    let executions = Arc::new(AtomicU64::new(0));
    let counted: Program = {
        let executions = executions.clone();
        Arc::new(move || {
            let before = executions.fetch_add(1, Relaxed);
            if before > 0 && before.is_multiple_of(SAY_EVERY) {
                println!("{before} unfinished");
            }
            program();
        })
    };
    let search = move || match engine {
        Engine::Dpor | Engine::DporTwins => {
            let (results, deadlocks) = workloads::explore(&counted, u64::MAX);
            assert!(results.complete(), "cut short");
            match deadlocks {
                0 => "complete".into(),
                n => format!("complete, deadlocks: {n}"),
            }
        }
        Engine::States | Engine::StatesTwins => {
            let (states, deadlocks) = workloads::explore_states(&counted);
            assert!(states.complete(), "cut short");
            let deadlocks = if deadlocks > 0 { ", the deadlock found" } else { "" };
            format!("complete, states: {}{deadlocks}", states.states())
        }
        Engine::Loom => others::explore_with_loom(counted),
        Engine::Shuttle => others::explore_with_shuttle(counted),
        Engine::Spin => unreachable!("has returned"),
    };
    let end = search();
    println!("{} {end}", executions.load(Relaxed));
    let memory = peak_memory("self").map_or("-".into(), |kib| kib.to_string());
    println!("memory {memory}");
}

/// Runs a row in a process of its own and formats what it said.
fn measure(engine: Engine, work: &str, counts: bool) -> String {
    let program = std::env::current_exe().expect("the path of this program");
    let mut row = Command::new(program);
    row.args(["--row", engine.name(), work]).stdout(Stdio::piped()).stderr(Stdio::null());
    let started = Instant::now();
    let mut child = row.spawn().expect("the row starts");
    let making_max = if engine == Engine::Spin { MAKING_MAX } else { Duration::ZERO };
    let killed_with = wait(&mut child, started, making_max + TIME_MAX);
    let mut seconds = started.elapsed().as_secs_f64();
    let mut said = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut said).expect("the row speaks UTF-8");
    let mut memory = killed_with.flatten();
    let (mut executions, mut end) = (0, String::from("failed"));
    for line in said.lines() {
        match line.split_once(' ') {
            Some(("memory", kib)) => memory = kib.parse().ok(),
            Some(("took", of_it)) => seconds = of_it.parse().unwrap_or(seconds),
            Some((count, how)) => {
                (executions, end) = (count.parse().unwrap_or(0), how.into());
            }
            None => {}
        }
    }
    if killed_with.is_some() {
        end = format!("time-out after {} s", (making_max + TIME_MAX).as_secs());
    }
    let more = if killed_with.is_some() { ">" } else { "" };
    let rate = executions as f64 / seconds;
    let memory = memory.map_or("-".into(), |kib: u64| format!("{:.1}", kib as f64 / 1024.0));
    let is_short = counts && engine != Engine::Spin && seconds < COUNTED_MAX.as_secs_f64();
    let instructions = is_short.then(|| instructions(engine, work)).flatten();
    let instructions =
        instructions.map_or("-".into(), |all| format!("{}", all / executions.max(1)));
    format!(
        "{:>12} {rate:>12.0} {seconds:>9.3} {memory:>8} {instructions:>12}  {end}",
        format!("{more}{executions}")
    )
}

/// Rows that take no longer are run again to count their instructions, which is fifty times slower.
const COUNTED_MAX: Duration = Duration::from_millis(200);

/// How many instructions the row takes, its start included; `None` without valgrind.
fn instructions(engine: Engine, work: &str) -> Option<u64> {
    let mut row = Command::new("valgrind");
    row.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    row.arg(std::env::current_exe().ok()?).args(["--row", engine.name(), work]);
    let said = row.output().ok()?.stderr;
    let said = String::from_utf8_lossy(&said).into_owned();
    let counted = said.lines().find_map(|line| line.split_once("Collected : "))?.1;
    counted.trim().parse().ok()
}

/// Waits for the row. `Some`: its time was up, and this was its peak memory in KiB.
fn wait(child: &mut Child, started: Instant, time_max: Duration) -> Option<Option<u64>> {
    while started.elapsed() < time_max {
        if child.try_wait().expect("the row can be waited for").is_some() {
            return None;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    let memory = peak_memory(&child.id().to_string());
    // It may have ended this very moment.
    let _ = child.kill();
    child.wait().expect("the row ends when it is killed");
    Some(memory)
}

/// The peak resident memory of a process in KiB; `None` elsewhere than on Linux.
fn peak_memory(process: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}
