//! A scenario of the user's own: a C file beside their patch, with functions of agreed names.
//!
//! | function               | what it is                                                       |
//! |------------------------|------------------------------------------------------------------|
//! | `void cpu1_waiter()`   | a task on CPU 1, called `waiter`                                 |
//! | `void setup()`         | what is so when the tasks begin: its accesses are no steps       |
//! | `int at_end()`         | looks at the outcome: anything but 0 breaks the rule             |
//!
//! Folios and the like are those of `gate/selvedge.h`.

mod text;

pub use text::look_over;

use std::path::Path;

use selvedge_kernel::KERNEL_ASSERTIONS_HOLD;
use selvedge_models::Machine;
use selvedge_proofs::calls::{Call, call};
use selvedge_proofs::functions::on_c_only;
use selvedge_proofs::look::Look;
use selvedge_proofs::{Expected, Source, Task, calls};

use crate::error::{Error, Result};
use crate::scenario::{Scenario, UNFAIRNESS};
use crate::states::ENDED;

/// At most so many CPUs.
const CPUS_MAX: usize = 8;

/// The CPU and the name of a task, if a function is one: `cpu1_waiter`.
fn task_of(function: &str) -> Option<(usize, &str)> {
    let (cpu, name) = function.strip_prefix("cpu")?.split_once('_')?;
    Some((cpu.parse().ok()?, name))
}

fn check_cpu(path: &Path, function: &str) -> Result<()> {
    match task_of(function) {
        Some((cpu, _)) if cpu >= CPUS_MAX => {
            let most = CPUS_MAX - 1;
            Err(Error::new(format!("{}: {function}(): CPUs are 0 to {most}", path.display())))
        }
        _ => Ok(()),
    }
}

fn no_task(path: &Path) -> Error {
    Error::new(format!(
        "{}: it has no task: a task is a function `void cpuN_NAME(void)`, which is not static",
        path.display()
    ))
}

/// The scenario of a file that defines these global functions. `at_end` looks at the outcome.
pub fn scenario(
    path: &Path,
    functions: &[String],
    at_end: fn(&(dyn Look + 'static)),
) -> Result<Scenario> {
    let leak = |text: &str| -> &'static str { Box::leak(text.to_string().into_boxed_str()) };
    let mut tasks: Vec<Task> = Vec::new();
    let mut cpus = 1;
    for function in functions {
        let Some((cpu, name)) = task_of(function) else { continue };
        check_cpu(path, function)?;
        cpus = cpus.max(cpu + 1);
        let only: &'static [Call] = vec![call(on_c_only(leak(function)), &[])].leak();
        tasks.push(calls(cpu, leak(name), only));
    }
    if tasks.is_empty() {
        return Err(no_task(path));
    }
    let has = |name: &str| functions.iter().any(|function| function == name);
    let begins: &'static [Call] = match has("setup") {
        true => vec![call(on_c_only("setup"), &[])].leak(),
        false => &[],
    };
    let stem = path.file_stem().map_or("init".into(), |stem| stem.to_string_lossy());
    let name = leak(&stem);
    let of = selvedge_proofs::Scenario {
        name,
        about: "A scenario of the user's own.",
        machine: Machine::TINY.cpus(cpus).folios(2),
        begins,
        tasks: tasks.leak(),
        look: if has("at_end") { at_end } else { |_| {} },
        ..selvedge_proofs::Scenario::EMPTY
    };
    Ok(Scenario {
        name,
        of: Box::leak(Box::new(of)),
        subsystem: "own",
        rule: KERNEL_ASSERTIONS_HOLD,
        expected: (Expected::Holds, Source::analysis("the file is to show that nothing is broken")),
        unfairness: UNFAIRNESS,
        reached: vec![ENDED],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_known_by_their_names() {
        let of = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            scenario(Path::new("my.c"), &names, |_| {})
        };
        let two = of(&["cpu0_holder", "cpu3_waiter", "setup", "helper"]).expect("a scenario");
        assert_eq!((two.name, two.of.tasks.len(), two.of.machine.sizes.cpus), ("my", 2, 4));
        assert_eq!(two.of.begins.len(), 1);
        let why = of(&["helper"]).expect_err("no task").to_string();
        assert!(why.contains("my.c: it has no task"), "{why}");
        let why = of(&["cpu8_far"]).expect_err("no such CPU").to_string();
        assert!(why.contains("CPUs are 0 to 7"), "{why}");
    }
}
