//! loom reaches some states that LKMM forbids, and graph those that a dependency forbids. None of
//! them is said to be an alarm, and none to be allowed: the question is undecided, and what it
//! relies on is named. What LKMM does allow is still found, next to each.
//!
//! Each pair is a test that LKMM forbids, by the part of its definition (tools/memory-model,
//! linux-kernel.cat) that is named, and the same with one thing less, which LKMM allows.

use selvedge_explore::{Bounds, Engine};
use selvedge_litmus::{Agreement, Judged, parse, run};

fn judged(engine: Engine, result: &str, text: &str) -> Judged {
    let text = format!("C test\n(* {result} *)\n{{}}\n{text}");
    let test = parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    run(&test, engine, &Bounds::PROOF).expect("supported")
}

/// LKMM forbids `text`, and allows it with the first of `weaker` replaced by the second.
fn pair(relies_on: &str, text: &str, weaker: (&str, &str)) {
    pair_of(Engine::Loom, relies_on, text, weaker);
    // The only thing that LKMM orders and graph does not.
    if relies_on == "a dependency" {
        pair_of(Engine::Graph, relies_on, text, weaker);
    }
}

fn pair_of(engine: Engine, relies_on: &str, text: &str, weaker: (&str, &str)) {
    for result in ["", "Result: Never"] {
        let found = judged(engine, result, text);
        assert_eq!(found.observation, "Undecided", "{result} {found:?}\n{text}");
        let Agreement::Undecided(why) = &found.agreement else { panic!("{found:?}\n{text}") };
        let (_, what) = why.split_once("relies on ").expect("a reason");
        let (what, engine_of) = what.split_once(", which ").expect("of an engine");
        assert_eq!(engine_of, format!("{engine} does not have"));
        assert!(what.split(" or ").any(|one| one == relies_on), "{why}\n{text}");
        let found = judged(Engine::Dpor, result, text);
        assert_eq!(found.observation, "Never", "{found:?}\n{text}");
    }
    let allowed = text.replace(weaker.0, weaker.1);
    assert_ne!(allowed, text, "it is another test");
    let found = judged(engine, "", &allowed);
    assert_eq!(found.observation, "Sometimes", "{found:?}\n{allowed}");
    assert_eq!(found.agreement, Agreement::NothingExpected);
    let found = judged(engine, "Result: Sometimes", &allowed);
    assert_eq!(found.agreement, Agreement::Agrees, "{allowed}");
    // A file that is wrong is told so.
    let found = judged(engine, "Result: Never", &allowed);
    assert_eq!(found.agreement, Agreement::FalseAlarm, "{allowed}");
}

/// `po-unlock-lock-po` in `to-r`. The other orders nothing between the reads.
#[test]
fn an_unlock_and_a_lock_of_one_process_order_its_reads() {
    pair(
        "a release that covers an earlier read",
        "P0(int *data, int *flag) { WRITE_ONCE(*data, 7); smp_mb(); WRITE_ONCE(*flag, 1); }
         P1(int *data, int *flag, spinlock_t *l, spinlock_t *m) {
             int a; int b;
             spin_lock(l); a = READ_ONCE(*flag); spin_unlock(l);
             spin_lock(m); b = READ_ONCE(*data); spin_unlock(m);
         }
         exists (1:a=1 /\\ 1:b=0)",
        (
            "a = READ_ONCE(*flag); spin_unlock(l);\n             spin_lock(m);",
            "spin_unlock(l);\n             spin_lock(m); a = READ_ONCE(*flag);",
        ),
    );
}

/// An unlock is a release: `A-cumul(po-rel)`, to the next lock. In the other that is another lock.
#[test]
fn what_is_seen_in_a_critical_section_is_seen_in_the_next_one() {
    pair(
        "a release that covers an earlier read",
        "P0(int *a, int *x) { WRITE_ONCE(*a, 1); smp_wmb(); WRITE_ONCE(*x, 1); }
         P1(int *x, int *w, spinlock_t *l) {
             int r0;
             spin_lock(l); r0 = READ_ONCE(*x); WRITE_ONCE(*w, 1); spin_unlock(l);
         }
         P2(int *a, int *w, spinlock_t *l, spinlock_t *m) {
             int r0; int r1;
             spin_lock(l); r0 = READ_ONCE(*w); r1 = READ_ONCE(*a); spin_unlock(l);
         }
         exists (1:r0=1 /\\ 2:r0=1 /\\ 2:r1=0)",
        (
            "spin_lock(l); r0 = READ_ONCE(*w); r1 = READ_ONCE(*a); spin_unlock(l);",
            "spin_lock(m); r0 = READ_ONCE(*w); r1 = READ_ONCE(*a); spin_unlock(m);",
        ),
    );
}

/// `strong-fence` on both sides of a coherence edge. The other has no barrier at the end.
#[test]
fn full_barriers_order_across_two_stores_of_one_word() {
    pair(
        "the order of stores to one word",
        "P0(int *a, int *b) { WRITE_ONCE(*a, 1); smp_mb(); WRITE_ONCE(*b, 1); }
         P1(int *b, int *c) { int r0; r0 = smp_load_acquire(b); WRITE_ONCE(*c, 1); }
         P2(int *a, int *c) { int r0; WRITE_ONCE(*c, 2); smp_mb(); r0 = READ_ONCE(*a); }
         exists (1:r0=1 /\\ 2:r0=0 /\\ c=2)",
        ("WRITE_ONCE(*c, 2); smp_mb();", "WRITE_ONCE(*c, 2);"),
    );
}

/// Without a barrier or an update nothing is closed that would forbid what LKMM allows: stores of
/// two words in opposite orders, with write barriers or releases between.
#[test]
fn what_lkmm_allows_of_stores_is_sometimes() {
    for between in ["", "smp_wmb();"] {
        let text = format!(
            "P0(int *x, int *y) {{ WRITE_ONCE(*x, 1); {between} WRITE_ONCE(*y, 2); }}
             P1(int *x, int *y) {{ WRITE_ONCE(*y, 1); {between} WRITE_ONCE(*x, 2); }}
             exists (x=1 /\\ y=1)"
        );
        assert_eq!(judged(Engine::Loom, "", &text).observation, "Sometimes", "{text}");
    }
}

/// `A-cumul(po-rel)`. The other has no release.
#[test]
fn a_release_covers_what_was_read_before_it() {
    pair(
        "a release that covers an earlier read",
        "P0(int *x, int *y) { WRITE_ONCE(*x, 1); smp_wmb(); WRITE_ONCE(*y, 1); }
         P1(int *y, int *z) { int r0; r0 = READ_ONCE(*y); smp_store_release(z, 1); }
         P2(int *x, int *z) { int r0; int r1; r0 = smp_load_acquire(z); r1 = READ_ONCE(*x); }
         exists (1:r0=1 /\\ 2:r0=1 /\\ 2:r1=0)",
        ("smp_store_release(z, 1)", "WRITE_ONCE(*z, 1)"),
    );
}

/// `pb` with a data dependency in its `hb`. In the other nothing is passed on.
#[test]
fn a_data_dependency_orders_behind_a_full_barrier() {
    pair(
        "a dependency",
        "P0(int *x, int *y) { WRITE_ONCE(*x, 1); smp_mb(); WRITE_ONCE(*y, 1); }
         P1(int *y, int *z) { int r0; r0 = READ_ONCE(*y); WRITE_ONCE(*z, r0); }
         P2(int *x, int *z) { int r0; int r1; r0 = smp_load_acquire(z); r1 = READ_ONCE(*x); }
         exists (1:r0=1 /\\ 2:r0=1 /\\ 2:r1=0)",
        ("WRITE_ONCE(*z, r0)", "WRITE_ONCE(*z, 1)"),
    );
}

/// `pb` with a control dependency in its `hb`, and a full barrier that is an update. In the other
/// the store is outside of the branch.
#[test]
fn a_control_dependency_orders_a_store_behind_a_full_update() {
    pair(
        "a dependency",
        "P0(int *x, atomic_t *y) { int r0; WRITE_ONCE(*x, 1); r0 = atomic_add_unless(y, 1, 5); }
         P1(atomic_t *y, int *z) { int r0; r0 = atomic_read(y); if (r0) { WRITE_ONCE(*z, 1); } }
         P2(int *x, int *z) { int r0; int r1; r0 = smp_load_acquire(z); r1 = READ_ONCE(*x); }
         exists (1:r0=1 /\\ 2:r0=1 /\\ 2:r1=0)",
        ("if (r0) { WRITE_ONCE(*z, 1); }", "WRITE_ONCE(*z, 1);"),
    );
}

/// `pb` with an address dependency in its `hb`. The other does not follow the pointer.
#[test]
fn an_address_dependency_orders_a_store_behind_a_full_barrier() {
    pair(
        "a dependency",
        "P0(int *x, int *z, int **p) { WRITE_ONCE(*x, 1); smp_mb(); WRITE_ONCE(*p, z); }
         P1(int **p, int *w, int *z) { int *r0; int *r1; r1 = w; r0 = READ_ONCE(*p);
             if (r0 == z) r1 = r0; WRITE_ONCE(*r1, 1); }
         P2(int *x, int *z) { int r0; int r1; r0 = smp_load_acquire(z); r1 = READ_ONCE(*x); }
         exists (2:r0=1 /\\ 2:r1=0)",
        ("if (r0 == z) r1 = r0; WRITE_ONCE(*r1, 1);", "WRITE_ONCE(*z, 1);"),
    );
}

/// A control dependency from a read to a store: no pair of reads and no pair of stores. (loom does
/// not know the order of the stores to x either.)
#[test]
fn a_control_dependency_orders_a_store_against_a_store_of_another() {
    pair_of(
        Engine::Graph,
        "a dependency",
        "P0(int *x, int *y) { WRITE_ONCE(*x, 1); smp_mb(); WRITE_ONCE(*y, 1); }
         P1(int *x, int *y) { int r0; r0 = READ_ONCE(*y); if (r0) { WRITE_ONCE(*x, 2); } }
         exists (1:r0=1 /\\ x=1)",
        ("if (r0) { WRITE_ONCE(*x, 2); }", "WRITE_ONCE(*x, 2);"),
    );
}

#[test]
fn a_search_that_is_cut_short_never_says_never() {
    let text = "C test\n{}\nP0(int *x, int *y) { WRITE_ONCE(*x, 1); WRITE_ONCE(*y, 1); }
         P1(int *x, int *y) { int r0; int r1; r0 = READ_ONCE(*y); r1 = READ_ONCE(*x); }
         exists (1:r0=1 /\\ 1:r1=0)";
    let test = parse(text).expect("parses");
    let within = |executions_max| {
        let bounds = Bounds { executions_max, ..Bounds::PROOF };
        run(&test, Engine::Loom, &bounds).expect("supported").observation
    };
    assert_eq!(within(1), "Undecided");
    assert_eq!(within(Bounds::PROOF.executions_max), "Sometimes");
    for executions_max in 1..20 {
        assert!(["Undecided", "Sometimes"].contains(&within(executions_max)), "{executions_max}");
    }
}
