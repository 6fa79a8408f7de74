//! What herd7 reads is read: the lines that diy writes, comments anywhere, titles, filters.

use selvedge_explore::{Bounds, Engine};
use selvedge_litmus::{Judged, judge, observe, parse};

const BODY: &str = "{ 1:r3=5; }\nP0(int *x) { WRITE_ONCE(*x, 1); }\n\
     P1(int *x) { int r0; int r3; r0 = READ_ONCE(*x); }\n";

fn judged(text: &str) -> Judged {
    let test = parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    judge(&test, &observe(&test, Engine::Dpor, &Bounds::PROOF).expect("supported"))
}

/// The header, and what stands behind the processes; what is observed of it.
fn observation(header: &str, end: &str) -> &'static str {
    judged(&format!("{header}\n{BODY}{end}\n")).observation
}

const EXISTS: &str = "exists (1:r0=1)";

#[test]
fn headers_of_all_kinds_are_read() {
    let headers = [
        "C name",
        "C",
        "\n\n  C name with blanks",
        "C \"a quoted name\"",
        "(* a comment *)\n\nC name",
        "// one line\n/* another */\nC name",
        "C name\n\"A title { of it\"",
        "C 2+2w-name.x\n\nCycle=Rfe PodRR Fre PodWW\nRelax=[Rfe,PodRR]\n\
         Generator=diyone7 (version 7.56)\n\
         Prefetch=0:x=F,1:x=T\nCom=Rf Fr\nOrig=PodWW Rfe",
        "C name\n(*a comment that begins at once, with a { in it*)",
    ];
    for header in headers {
        assert_eq!(observation(header, EXISTS), "Sometimes", "{header}");
    }
}

#[test]
fn a_comment_before_the_initial_state_says_what_is_expected() {
    let text = format!("(* Result: Never *)\nC name\n{BODY}{EXISTS}\n");
    assert_eq!(parse(&text).expect("parses").result.as_deref(), Some("Never"));
    let text = format!("C name\n{BODY}{EXISTS}\n(*Result: sometimes. And more of it*)");
    assert_eq!(parse(&text).expect("parses").result.as_deref(), Some("Sometimes"));
}

#[test]
fn conditions_of_all_kinds_are_read() {
    let ends = [
        (EXISTS, "Sometimes"),
        ("exists (P1:r0=1)", "Sometimes"),
        ("exists ((((1:r0=1))))", "Sometimes"),
        ("exists (1:r0=1:r3)", "Never"),
        ("exists (1:r3=1:r3)", "Always"),
        ("exists (1:r3=5 /\\ not (1:r0=0))", "Sometimes"),
        ("locations [x; 1:r0]\nfilter (1:r0=1)\nexists (x=1)", "Always"),
        ("filter (1:r0=1) locations [x;] exists (1:r0=0)", "Never"),
        ("exists (false)", "Never"),
        ("exists (1:r0=1);", "Sometimes"),
        ("exists (1:r0=1)\n(*and why*)\n", "Sometimes"),
        // Nothing is asked.
        ("", "Always"),
    ];
    for (end, observation) in ends {
        assert_eq!(self::observation("C name", end), observation, "{end}");
    }
}

#[test]
fn a_pointer_behind_a_parenthesis_is_no_comment_in_a_body() {
    let text = "C name\n{}\nP0(int *x) { int r0; r0 = (*x) + 1; }\nexists (0:r0=1)\n";
    assert_eq!(judged(text).observation, "Always");
}

#[test]
fn expressions_and_types_of_all_kinds_are_read() {
    let value = |expr: &str, expected: &str| {
        let text = format!(
            "C n\n{{ int 0:r1 = x; int *0:r2; int x = 6; int *p = &x; }}\n\
             P0(int *x, int **p) {{ int r0; r0 = {expr}; }}\nexists (0:r0={expected})\n"
        );
        assert_eq!(judged(&text).observation, "Always", "{expr}");
    };
    value("1 << 3 | 5 & ~4", "9");
    value("r2 ? 1 : 7 >> 1", "3");
    value("READ_ONCE(*x) == 6 ? r1 : 0", "x");
    value("(int)rcu_dereference(*(void **)p)", "x");
    value("*(intptr_t *)r1", "6");
}

/// Why a text is refused, by the parser or before it is run.
fn refusal(text: &str) -> String {
    match parse(text) {
        Err(error) => error.to_string(),
        Ok(test) => observe(&test, Engine::Dpor, &Bounds::PROOF).expect_err(text).to_string(),
    }
}

#[test]
fn what_would_be_misunderstood_is_refused() {
    let with = |end: &str| refusal(&format!("C name\n{BODY}{end}\n"));
    assert!(with("exists (1:rO=0)").contains("no process sets `1:rO`"));
    assert!(with("exists (7:r0=0)").contains("no process sets `7:r0`"));
    assert!(
        with("exists (1:r0=0)\n(* Result: Nevr *)").contains("`Result: Nevr` is none of Never")
    );
    assert!(with("exists (1:r0=0) exists (1:r0=1)").contains("expected the end of the file"));
    assert!(refusal(&format!("LISA name\n{BODY}{EXISTS}")).contains("`LISA` is not supported"));
    assert!(refusal(&format!("name\n{BODY}{EXISTS}")).contains("expected `C name`"));
    assert!(refusal(&format!("C a\u{1b}[2J\n{BODY}{EXISTS}")).contains("a control character"));
    let of_struct = refusal("C n\n{}\nP0(struct srcu_struct *s) {}\nexists (true)\n");
    assert!(of_struct.contains("3:4: `struct srcu_struct` is not supported"), "{of_struct}");
    let unset = refusal("C n\n{}\nP0(int *x) { WRITE_ONCE(*x, r4); }\nexists (x=0)\n");
    assert_eq!(unset, "`r4` is neither a register that is set nor a parameter");
    let called = |call: &str| {
        refusal(&format!("C n\n{{}}\nP0(int *x, atomic_t *a) {{ {call}; }}\nexists (x=0)\n"))
    };
    assert!(called("smp_mb_relaxed()").contains("`smp_mb_relaxed` is not supported"));
    assert!(called("smp_load(x)").contains("`smp_load` is not supported"));
    assert!(called("atomic_add(a)").contains("atomic_add() has 2 arguments, found 1"));
}

#[test]
fn long_chains_are_refused_and_do_not_exhaust_the_stack() {
    let sum = |count: usize| {
        let chain = " + 1".repeat(count);
        format!("C n\n{{}}\nP0(int *x) {{ int r0; r0 = 1{chain}; }}\nexists (0:r0={})\n", count + 1)
    };
    assert_eq!(judged(&sum(200)).observation, "Always");
    assert!(refusal(&sum(201)).contains("more than 200 operators"));
    let chain = " /\\ 1:r0=1".repeat(200_000);
    let text = format!("C n\n{BODY}exists (1:r0=1{chain})\n");
    assert!(refusal(&text).contains("more than 200 operators"));
}

/// The forms that a public archive of some 900 tests has, each at its smallest, beside those above.
#[test]
fn each_form_of_an_archive_is_read_or_refused_by_its_name() {
    let never = [
        "C add-unless-as-a-statement\n{}\n\
         P0(atomic_t *x, int *y) { atomic_add_unless(x, 1, 5); WRITE_ONCE(*y, 1); }\n\
         P1(atomic_t *x, int *y) { int r0; int r1; r0 = READ_ONCE(*y); smp_rmb(); \
         r1 = atomic_read(x); }\nexists (1:r0=1 /\\ 1:r1=0)\n",
        "C trylock\n{}\n\
         P0(int *x, spinlock_t *l) { int r0; r0 = spin_trylock(l); if (r0) { spin_unlock(l); } }\n\
         exists (0:r0=0)\n",
        "C value-before-counter\n{}\n\
         P0(atomic_t *x) { atomic_add(3, x); }\nexists (x=0)\n",
        "C register-of-a-register\n{}\n\
         P0(int *x) { int r0; int r1; r0 = READ_ONCE(*x); r1 = r0; }\nexists (0:r1=1)\n",
        "C initial-register\n{ 0:r0=7; }\nP0(int *x) { int r0; WRITE_ONCE(*x, r0); }\n\
         exists (not (x=7))\n",
        "C 'c' \"quoted\"\n{}\nP0(int *x) { WRITE_ONCE(*x, 1); }\nexists (x=0)\n",
        "C returned\n{}\nP0(atomic_t *x) { int r0; r0 = atomic_add_return(1, x); }\n\
         exists (0:r0=0)\n",
        "C returned-and-dropped\n{}\nP0(atomic_t *x) { atomic_sub_return(1, x); }\n\
         exists (x=0)\n",
    ];
    for text in never {
        assert_eq!(judged(text).observation, "Never", "{text}");
    }
    let refused = [
        ("C n\n{ 10=0; }\nP0(int *x) { }\nexists (true)\n", "expected the name of a location"),
        ("C n\n{}\nP0(spinlock_t *l) { spin_unlock_wait(l); }\nexists (true)\n", "not supported"),
        ("C n\n{}\nP0(int *x) { smp_memb(); }\nexists (true)\n", "`smp_memb` is not supported"),
        ("PPC n\n{}\nP0 | P1 ;\nexists (true)\n", "`PPC` is not supported"),
        ("AArch64 n\n{}\nP0 | P1 ;\nexists (true)\n", "`AArch64` is not supported"),
    ];
    for (text, why) in refused {
        assert!(refusal(text).contains(why), "{text}: {}", refusal(text));
    }
}
