//! An image of our own, compiled by the system's gcc: loaded, audited, explored. No kernel is
//! needed; without gcc these tests say so and pass.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};

use selvedge_explore::{Bounds, Exploration, Verdict, fail};
use selvedge_models::Machine;
use selvedge_proofs::calls::{Call, call};
use selvedge_proofs::functions::on_c_only;
use selvedge_proofs::{Expected, Source, Task, calls as on_cpu};
use selvedge_trace::Rule;

use super::audit::{Audit, audit};
use super::build::link::{Linked, link_files};
use super::image::Image;
use super::models::call as call_in_image;
use super::run;
use crate::scenario::Scenario;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/image.c");
const NOTHING_IS_LOST: Rule = Rule("no addition is lost");

/// There is one image at a time in a process.
static ONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The linked image. `None`, with a notice, without a compiler.
fn linked(name: &str, roots: &[&str], flags: &[&str]) -> Option<Linked> {
    if Command::new("gcc").arg("--version").output().is_err() {
        eprintln!("skipped: no gcc here");
        return None;
    }
    let dir = std::env::temp_dir().join(format!("selvedge-c-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("made");
    let object = dir.join("image.o");
    let mut gcc = Command::new("gcc");
    gcc.args(["-O2", "-g", "-c", "-ffreestanding", "-fno-pic", "-fno-stack-protector", "-mno-sse"]);
    gcc.args([
        "-fsanitize=thread",
        "--param",
        "tsan-distinguish-volatile=1",
        "-fcf-protection=none",
    ]);
    gcc.args(["-ffunction-sections", "-fdata-sections", "-fno-asynchronous-unwind-tables"]);
    gcc.args(["-fno-delete-null-pointer-checks", "-fno-optimize-sibling-calls", "-fno-inline"]);
    let done = gcc.args(flags).arg(SOURCE).arg("-o").arg(&object).output().expect("gcc runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let objects: Vec<PathBuf> = vec![object];
    Some(link_files("gcc", &objects, &dir, roots).expect("links"))
}

fn audited(roots: &[&str]) -> Option<Audit> {
    let _alone = alone();
    let linked = linked("audit", roots, &["-DUNGATED"])?;
    Some(audit(&Image::load(&linked).expect("loads")))
}

/// Explores tasks that each make one of these calls, on a CPU of their own.
fn explored(name: &str, calls: &'static [&'static [Call]]) -> Option<Exploration> {
    let [seen, every] = explored_both(name, calls)?;
    // What is no step makes no difference.
    assert_eq!((&seen.verdict, seen.executions), (&every.verdict, every.executions), "{name}");
    Some(seen)
}

/// The same, and again with each access a step.
fn explored_both(name: &str, calls: &'static [&'static [Call]]) -> Option<[Exploration; 2]> {
    let _alone = alone();
    let roots: Vec<&str> = calls.iter().flat_map(|calls| *calls).map(|c| c.function.name).collect();
    let linked = linked(name, &roots, &[])?;
    assert_eq!(audit(&Image::load(&linked).expect("loads")).faults, Vec::<String>::new());
    let image = Arc::new(Image::load(&linked).expect("loads"));
    let fresh = image.snapshot();
    let tasks: Vec<Task> =
        calls.iter().enumerate().map(|(n, calls)| on_cpu(n, "task", calls)).collect();
    let mut machine = Machine::TINY;
    machine.sizes.cpus = calls.len();
    let of = Box::leak(Box::new(selvedge_proofs::Scenario {
        name: "test",
        machine,
        tasks: tasks.leak(),
        look: |_| {
            assert_eq!(call_in_image("sv_untouched", &[]) as i32, 7);
            let counter = call_in_image("sv_counter", &[]) as i32;
            if counter == 1 {
                fail(NOTHING_IS_LOST, "the counter is 1");
            }
        },
        ..selvedge_proofs::Scenario::EMPTY
    }));
    let scenario = Scenario {
        name: "test",
        of,
        subsystem: "test",
        rule: NOTHING_IS_LOST,
        expected: (Expected::Holds, Source::analysis("by hand")),
        unfairness: 0,
        reached: Vec::new(),
    };
    let watched = |every_access| {
        let (bounds, monitors) = (&Bounds::PROOF, Vec::new());
        run::Watched { bounds, monitors, every_access }
    };
    let run = |every| run::run(&image, &fresh, &[], &scenario, watched(every)).exploration;
    Some([run(false), run(true)])
}

/// A call of a function of the image's.
const fn of(name: &'static str) -> Call {
    call(on_c_only(name), &[])
}

const PLAIN: &[Call] = &[of("add_plainly")];
const LOCKED: &[Call] = &[of("add_locked")];

const STORES: &[Call] = &[of("store_two")];

#[test]
fn additions_are_lost_without_a_lock_and_not_with_one() {
    let Some(seen) = explored("plain", &[PLAIN, PLAIN]) else { return };
    assert_eq!(seen.verdict, Verdict::Violated);
    let found = seen.counterexample.expect("shown");
    assert_eq!(found.rule, NOTHING_IS_LOST.0);
    let add = found.steps.iter().find(|step| step.object == "counter").expect("a step");
    assert_eq!(add.path, ["add_plainly"]);
    assert!(add.at.contains("image.c:"), "{}", add.at);
    let seen = explored("locked", &[LOCKED, LOCKED]).expect("gcc is there");
    // Who is first: two executions, and what the counter was before is put back each time.
    assert_eq!((seen.verdict, seen.executions), (Verdict::Holds, 2));
}

/// A store that leaves what is there is a read: reads are in no order.
#[test]
fn a_store_of_the_same_conflicts_with_no_read() {
    const SAME: &[Call] = &[of("store_the_same")];
    let Some(seen) = explored("same", &[SAME, SAME]) else { return };
    assert_eq!((seen.verdict, seen.executions), (Verdict::Holds, 1));
}

/// What an atomic operation does within is no step of its own, and changes what it says it changes.
#[test]
fn an_update_with_a_look_is_one_step() {
    const ADD: &[Call] = &[of("add_by_exchange")];
    let Some(seen) = explored("exchange", &[ADD, ADD]) else { return };
    assert_eq!((seen.verdict, seen.executions), (Verdict::Holds, 2));
}

/// Before, between and after.
#[test]
fn two_looks_are_two_steps() {
    const LOOKS: &[Call] = &[of("look_twice")];
    let Some(seen) = explored("looks", &[LOOKS, STORES]) else { return };
    assert_eq!((seen.verdict, seen.executions), (Verdict::Holds, 3));
}

/// What an exchange expects is a part of it, and no step, as long as it is the task's own.
#[test]
fn what_an_exchange_expects_is_read_within_it() {
    const TRIES: &[Call] = &[of("add_by_try")];
    let Some(seen) = explored("tries", &[TRIES, STORES]) else { return };
    // The store comes first, between the look and the exchange (which then fails), or last.
    assert_eq!((seen.verdict, seen.executions), (Verdict::Holds, 3));
    const SHOWS: &[Call] = &[of("add_by_try_and_show")];
    const LOOKS: &[Call] = &[of("look_at_shown")];
    for seen in explored_both("shows", &[SHOWS, LOOKS]).expect("gcc is there") {
        let Verdict::Undecided(why) = seen.verdict else { panic!("{}", seen.verdict) };
        assert!(why.contains("which another task accesses too"), "{why}");
    }
}

#[test]
fn a_lock_that_is_never_given_back_is_waited_for() {
    const KEEPS: &[Call] = &[of("forget_to_unlock")];
    let Some(seen) = explored("keeps", &[KEEPS, LOCKED]) else { return };
    assert_eq!(seen.verdict, Verdict::Violated);
    let found = seen.counterexample.expect("shown");
    assert!(found.message.contains("waits for lock, held by"), "{}", found.message);
}

#[test]
fn bad_pointers_are_violations_that_name_their_line() {
    const CASES: [(&str, &[&[Call]], &str); 3] = [
        ("null", &[&[of("follow_null")]], "follow_null() at"),
        ("call", &[&[of("call_null")]], "call_null() at"),
        ("code", &[&[of("write_to_code")]], "write_to_code() at"),
    ];
    for (name, calls, place) in CASES {
        let Some(seen) = explored(name, calls) else { return };
        assert_eq!(seen.verdict, Verdict::Violated, "{name}");
        let found = seen.counterexample.expect("shown");
        assert_eq!(found.rule, super::fault::ACCESSES_ARE_TO_MEMORY.0);
        assert!(found.message.starts_with(place), "{}", found.message);
        assert!(found.message.contains("image.c:"), "{}", found.message);
    }
}

#[test]
fn what_is_not_modelled_is_undecided_by_name() {
    const CALLS: &[&[Call]] = &[&[of("call_what_nobody_models")]];
    const READS: &[&[Call]] = &[&[of("read_what_is_nowhere")]];
    let why = |seen: Exploration| match seen.verdict {
        Verdict::Undecided(why) => why,
        other => panic!("{other}"),
    };
    let Some(seen) = explored("unmodelled", CALLS) else { return };
    let text = why(seen);
    assert!(text.starts_with("call_what_nobody_models() at"), "{text}");
    let what = "calls nobody_models_this(), which is neither compiled nor modelled";
    assert!(text.contains(what), "{text}");
    let text = why(explored("nowhere", READS).expect("gcc is there"));
    assert!(text.contains("accesses data_that_is_nowhere+0x0, data that is not there"), "{text}");
}

#[test]
fn what_is_not_at_the_gate_is_found() {
    let Some(clean) = audited(&["add_locked"]) else { return };
    assert_eq!(clean.faults, Vec::<String>::new());
    assert!(clean.functions > 0);
    for (root, what) in [
        ("not_instrumented", "not_instrumented() is not instrumented"),
        ("locked_without_a_gate", "a locked instruction without a gate before it"),
        ("read_of_another", "a locked instruction without a gate before it"),
        ("read_of_no_stack", "a locked instruction without a gate before it"),
        ("of_a_kernel", "an instruction that only a kernel can execute"),
    ] {
        let faults = audited(&[root]).expect("gcc is there").faults;
        assert!(faults.iter().any(|fault| fault.contains(what)), "{root}: {faults:?}");
    }
}
