//! Our own litmus tests: for each primitive a strong twin and a weak one, with the verdict that
//! LKMM gives and why (in each file's comment). loom agrees with all; an SC engine raises no false
//! alarm.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use selvedge_explore::{Bounds, Engine};
use selvedge_litmus::{Agreement, Test, judge, observe, parse};

pub(crate) fn tests() -> Vec<(String, Test)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/litmus");
    let mut files: Vec<_> = fs::read_dir(dir)
        .expect("the directory")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(&file).expect("readable");
            let test = parse(&text).unwrap_or_else(|error| panic!("{}:{error}", file.display()));
            let stem = file.file_stem().expect("a name").to_string_lossy().into_owned();
            assert_eq!(stem, test.name, "a file is named after its test");
            (text, test)
        })
        .collect()
}

fn agreement(test: &Test, engine: Engine) -> Agreement {
    let observed = observe(test, engine, &Bounds::PROOF).expect("supported");
    judge(test, &observed).agreement
}

#[test]
fn loom_agrees_with_lkmm_about_every_primitive() {
    for (_, test) in tests().into_iter().filter(|(_, test)| !is_beyond_loom(&test.name)) {
        assert_eq!(agreement(&test, Engine::Loom), Agreement::Agrees, "{}", test.name);
    }
}

/// loom neither tries a lock nor waits for a value, nor starts a task in the middle, and signals
/// make more executions than it runs. It says so where it comes to that, and what it has reached
/// before is no alarm.
#[test]
fn loom_says_what_it_cannot_do() {
    let few = Bounds { executions_max: 2_000, ..Bounds::PROOF };
    let (mut undecided, mut agrees) = (0, 0);
    for (_, test) in tests().into_iter().filter(|(_, test)| is_beyond_loom(&test.name)) {
        let observed = observe(&test, Engine::Loom, &few).expect("supported");
        match judge(&test, &observed).agreement {
            Agreement::Undecided(_) => undecided += 1,
            Agreement::Agrees => agrees += 1,
            other => panic!("{}: {other}", test.name),
        }
    }
    assert!(undecided > agrees && agrees > 0, "{undecided} undecided, {agrees} agree");
}

fn is_beyond_loom(name: &str) -> bool {
    let waits = ["trylock", "rwsem", "rwlock", "seqcount", "complet", "kill", "cond-load"];
    let runs_later = ["-work", "call-rcu", "MP+rcu-barrier"];
    let mut beyond = waits.iter().chain(&runs_later);
    beyond.any(|part| name.contains(part))
}

/// None of our twins needs load buffering, all that the engine is blind to.
#[test]
fn graphs_agree_with_lkmm_about_every_primitive() {
    for (_, test) in tests() {
        assert_eq!(agreement(&test, Engine::Graph), Agreement::Agrees, "{}", test.name);
    }
}

/// By their final states, and not only in what the file asks for.
#[test]
fn sequentially_consistent_graphs_end_like_dpor() {
    for (_, test) in tests() {
        let states = |engine| {
            let observed = observe(&test, engine, &Bounds::PROOF).expect("supported");
            (observed.states().clone(), observed.verdict)
        };
        assert_eq!(states(Engine::GraphSc), states(Engine::Dpor), "{}", test.name);
    }
}

#[test]
fn an_sc_engine_sees_less_but_nothing_false() {
    let mut blind = 0;
    for (_, test) in tests() {
        match agreement(&test, Engine::Dpor) {
            Agreement::Agrees => {}
            Agreement::Blind => blind += 1,
            other => panic!("{}: {other}", test.name),
        }
    }
    assert!(blind > 0, "the weak twins are beyond sequential consistency");
}

#[test]
fn an_observation_that_contradicts_the_file_is_a_false_alarm() {
    let text = tests().into_iter().find(|(_, test)| test.name == "SB+nothing").expect("it").0;
    let test = parse(&text.replace("Result: Sometimes", "Result: Never")).expect("parses");
    assert_eq!(agreement(&test, Engine::Loom), Agreement::FalseAlarm);
}

const EXAMPLE: &str = "C example\n{ int x = 1; p=x; 0:r9=3; }\nP0(int *x, int **p)\n{\n\tint r0;\n\n\t\
     r0 = READ_ONCE(*x);\n\tif (r0 == 1 && r0 + 1 != r9)\n\t\tWRITE_ONCE(*x, r0);\n}\n\
     filter (true)\nlocations [x; 0:r0]\nforall (0:r0=1 \\/ ~(x=2))\n";

#[test]
fn an_error_names_line_column_and_construct() {
    assert!(parse(EXAMPLE).is_ok());
    let error = |from: &str, to: &str| {
        let test = parse(&EXAMPLE.replace(from, to));
        let error = match test {
            Ok(test) => observe(&test, Engine::Dpor, &Bounds::PROOF).expect_err("refused"),
            Err(error) => error,
        };
        (error.to_string(), error.unsupported)
    };
    let while_loop = ("8:2: `while` is not supported".to_string(), Some("while".to_string()));
    assert_eq!(error("if (", "while ("), while_loop);
    assert_eq!(error("READ_ONCE(*x)", "srcu_read_lock(x)").1, Some("srcu_read_lock".into()));
    assert_eq!(error("READ_ONCE(*x)", "x[1]").1, Some("[".into()));
    assert_eq!(
        error("forall", "sometimes").0,
        "13:1: expected `exists`, `~exists` or `forall`, found `sometimes`"
    );
    assert_eq!(error("READ_ONCE(*x);", "READ_ONCE(*x)").0, "8:2: expected `;`, found `if`");
    assert_eq!(
        error("READ_ONCE(*x)", "READ_ONCE(*x, 1)").0,
        "7:7: READ_ONCE() has 1 arguments, found 2"
    );
    assert_eq!(error("C example", "example").0, "1:1: expected `C name`, found `example`");
    assert_eq!(error("{ int", "(* { int").0, "2:1: a comment that is not closed");
    let deep = format!("{}x{}", "(".repeat(10_000), ")".repeat(10_000));
    assert_eq!(
        error("READ_ONCE(*x)", &deep).0.split(": ").nth(1),
        Some("nested more than 64 deep")
    );
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_soup_of_tokens_makes_the_parser_panic(
        soup in prop::collection::vec(
            prop_oneof![
                Just("P0"), Just("("), Just(")"), Just("{"), Just("}"), Just("int"), Just("*"),
                Just("x"),
                Just(";"), Just("="), Just("if"), Just("exists"), Just("0"), Just(":"), Just("/\\"),
                Just("~"), Just("READ_ONCE"), Just(","), Just("["), Just("filter"), Just("-"),
                Just("!"),
            ],
            0..60,
        )
    ) {
        let _ = parse(&format!("C soup\n{}", soup.join(" ")));
    }

    #[test]
    fn no_change_of_a_test_makes_the_parser_panic(
        at in 0..400usize, with in ".{0,3}", cut in 0..6usize
    ) {
        let chars: Vec<char> = EXAMPLE.chars().collect();
        let at = at.min(chars.len());
        let after = (at + cut).min(chars.len());
        let with: Vec<char> = with.chars().collect();
        let text: String = chars[..at].iter().chain(&with).chain(&chars[after..]).collect();
        if let Ok(test) = parse(&text) {
            let few = Bounds { executions_max: 20, ..Bounds::PROOF };
            let _ = observe(&test, Engine::Dpor, &few);
        }
    }
}
