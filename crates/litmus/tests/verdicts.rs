//! What is printed is what was found: a fault is no deadlock, and a search that was cut short is no
//! verdict.

use selvedge_explore::{Bounds, Engine};
use selvedge_litmus::{Agreement, Judged, judge, observe, parse};

fn judged(text: &str, engine: Engine, bounds: &Bounds) -> Judged {
    let test = parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    judge(&test, &observe(&test, engine, bounds).expect("supported"))
}

fn single(body: &str) -> Judged {
    let text = format!(
        "C n\n(* Result: DEADLOCK *)\n{{}}\nP0(int *x, spinlock_t *l) {{ {body} }}\nexists (x=0)\n"
    );
    judged(&text, Engine::Dpor, &Bounds::PROOF)
}

#[test]
fn what_a_process_must_not_do_is_a_fault_and_no_deadlock() {
    let faults = [
        ("READ_ONCE(12345);", "WildPointer", "12345 is no address"),
        ("int r0; r0 = READ_ONCE(*x); READ_ONCE(*r0);", "WildPointer", "0 is no address"),
        ("READ_ONCE(0 - 9223372036854775807 - 1);", "WildPointer", "is no address"),
        ("spin_lock(x);", "WildPointer", "is no spinlock"),
        ("mutex_lock(l);", "WildPointer", "is no mutex"),
        ("send_sigkill(1);", "WildPointer", "there is no process 1"),
        ("send_sigkill(-1);", "WildPointer", "there is no process -1"),
        ("spin_unlock(l);", "UnlockNotHeld", "by a task that does not hold it"),
        ("rcu_read_unlock();", "Fault", "preempt_enable() without preempt_disable()"),
    ];
    for (body, word, why) in faults {
        let judged = single(body);
        assert_eq!(judged.observation, word, "{body}");
        let Agreement::Fault(fault) = &judged.agreement else { panic!("{body}: {judged:?}") };
        assert!(fault.what().contains(why), "{body}: {fault:?}");
    }
    let deadlock = single("spin_lock(l); spin_lock(l);");
    assert_eq!((deadlock.observation, deadlock.agreement), ("DEADLOCK", Agreement::Agrees));
}

/// As the archive's authors have it: DEADLOCK.
#[test]
fn a_grace_period_within_a_read_side_section_is_what_a_file_may_call_a_deadlock() {
    let judged = single("rcu_read_lock(); synchronize_rcu(); rcu_read_unlock();");
    assert_eq!((judged.observation, judged.agreement), ("SleepsInAtomic", Agreement::Agrees));
    let text = "C n\n(* Result: Never *)\n{}\nP0(int *x) { rcu_read_lock(); synchronize_rcu(); }\n\
                exists (x=1)\n";
    let judged = self::judged(text, Engine::Dpor, &Bounds::PROOF);
    assert!(matches!(judged.agreement, Agreement::Fault(_)), "{judged:?}");
}

/// herd drops an execution in which a lock is never given back. Ours is no alarm: it is there.
#[test]
fn a_lock_that_is_never_given_back_is_a_deadlock_and_no_false_alarm() {
    for result in ["", "(* Result: Never *)", "(* Result: Sometimes *)"] {
        let text = format!(
            "C n\n{result}\n{{}}\nP0(int *x, spinlock_t *l) {{ spin_lock(l); }}\n\
             P1(int *x, spinlock_t *l) {{ spin_lock(l); WRITE_ONCE(*x, 1); spin_unlock(l); }}\n\
             exists (x=1)\n"
        );
        let judged = judged(&text, Engine::Dpor, &Bounds::PROOF);
        assert_eq!((judged.observation, judged.agreement), ("DEADLOCK", Agreement::Deadlock));
    }
}

/// Five processes that write, and a condition that some execution satisfies.
fn five(result: &str) -> String {
    let processes: String =
        (0..5).map(|i| format!("P{i}(int *x) {{ WRITE_ONCE(*x, {i}); }}\n")).collect();
    format!("C five\n{result}\n{{}}\n{processes}exists (x=9)\n")
}

#[test]
fn a_search_that_was_cut_short_is_undecided_whether_or_not_the_file_expects_something() {
    let few = Bounds { executions_max: 3, ..Bounds::PROOF };
    for result in ["", "(* Result: Never *)", "(* Result: Sometimes *)"] {
        let judged = judged(&five(result), Engine::Dpor, &few);
        assert_eq!(judged.observation, "Undecided", "{result}");
        assert!(matches!(judged.agreement, Agreement::Undecided(_)), "{result}: {judged:?}");
    }
    let all = judged(&five("(* Result: Never *)"), Engine::Dpor, &Bounds::PROOF);
    assert_eq!((all.observation, all.agreement), ("Never", Agreement::Agrees));
}

#[test]
fn what_a_sample_did_not_show_agrees_within_a_bound_only() {
    let sample = judged(&five("(* Result: Never *)"), Engine::Random, &Bounds::PROOF);
    assert!(matches!(sample.agreement, Agreement::Within(_)), "{sample:?}");
}
