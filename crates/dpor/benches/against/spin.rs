//! The workloads under SPIN, where it is installed, with a C compiler: `programs.pml`.
//!
//! SPIN keeps the states that it has met, and goes on from each once: its figures are beside those
//! of the search over states. What it takes to make and compile its verifier is not counted.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const PROGRAMS: &str = include_str!("programs.pml");

/// The workload's definitions, by its name in the other engines' rows.
fn definitions(work: &str) -> Option<&'static [&'static str]> {
    Some(match work {
        "W1 n=2" => &["-DW=1", "-DN=2"],
        "W1 n=3" => &["-DW=1", "-DN=3"],
        "W1 n=4" => &["-DW=1", "-DN=4"],
        "W2 n=4 ring" => &["-DW=2", "-DN=4"],
        "W2 n=4 ordered" => &["-DW=2", "-DN=4", "-DORDERED"],
        "W3 n=3" => &["-DW=3", "-DN=3"],
        "W3 n=4" => &["-DW=3", "-DN=4"],
        "W3 n=3, by hand" => &["-DW=3", "-DN=3", "-DHAND"],
        "W3 n=4, by hand" => &["-DW=3", "-DN=4", "-DHAND"],
        "W4 n=3" => &["-DW=4", "-DN=3"],
        "W4 n=4" => &["-DW=4", "-DN=4"],
        "W5 n=2" => &["-DW=5", "-DN=2"],
        "W5 n=3" => &["-DW=5", "-DN=3"],
        "W5 n=4" => &["-DW=5", "-DN=4"],
        _ => return None,
    })
}

pub fn is_installed() -> bool {
    ["spin", "cc"].iter().all(|tool| Command::new(tool).arg("--version").output().is_ok())
}

/// What a search found: states, whether it met a deadlock, and how long it took.
pub struct Searched {
    pub states: u64,
    pub deadlock: bool,
    pub took: Duration,
}

/// Explores a workload.
pub fn explore(work: &str) -> Searched {
    let folder: PathBuf =
        std::env::temp_dir().join(format!("selvedge-spin-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the verifier");
    let run = |tool: &str, args: &[&str]| -> Output {
        let output = Command::new(tool).args(args).current_dir(&folder).output();
        let output = output.expect("the tool starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    };
    std::fs::write(folder.join("programs.pml"), PROGRAMS).expect("the programs are written");
    let defined = definitions(work).expect("a workload that SPIN has");
    run("spin", &[&["-a"], defined, &["programs.pml"]].concat());
    run("cc", &["-O2", "-w", "-DSAFETY", "-o", "pan", "pan.c"]);
    let started = Instant::now();
    // To the end, past a deadlock.
    let output = run(&folder.join("pan").to_string_lossy(), &["-m1000000", "-c0"]);
    let took = started.elapsed();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let states = said.lines().find_map(|line| line.trim().strip_suffix("states, stored"));
    let states = states.and_then(|count| count.trim().parse().ok()).expect("SPIN counts states");
    std::fs::remove_dir_all(&folder).expect("the folder is ours");
    let is_deadlock = |line: &str| line.starts_with("pan:") && line.contains("invalid end state");
    Searched { states, deadlock: said.lines().any(is_deadlock), took }
}
