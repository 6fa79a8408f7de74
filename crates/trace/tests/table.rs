//! The table is readable: it fits, no word is cut, and what needs many columns is a list.

use selvedge_trace::{Column, Context, Counterexample, Order, Record, SCHEMA, steps, table};

/// Longer than a third of 75 columns.
const LONG: &str = "xor_unlock_is_negative_byte_and_look";

fn step(task: u8, path: &[&str], primitive: &str) -> Record {
    Record {
        task,
        cpu: task - 1,
        context: Context::Task,
        path: path.iter().map(|function| function.to_string()).collect(),
        action: selvedge_trace::ActionKind::Update,
        primitive: primitive.into(),
        object: "folio0->flags".into(),
        bit: None,
        order: Order::Relaxed,
        old: 0,
        new: 1,
        stale: false,
        at: String::new(),
        detail: String::new(),
    }
}

/// `count` tasks, each on a CPU of its own: each takes two steps in turn, the last of them fatal.
fn tasks_in_turn(count: u8) -> Counterexample {
    let column = |name: String, cpu| Column { name, cpu, context: Context::Task };
    let mut tasks = vec![column("main".into(), None)];
    tasks.extend((0..count).map(|cpu| column(format!("a_task_with_a_name_{cpu}"), Some(cpu))));
    let once = |round: usize| {
        (1..=count).map(move |task| {
            let path = ["folio_unlock", "folio_wake_bit"];
            step(task, &path[..=round], if round == 0 { LONG } else { "test_bit" })
        })
    };
    let steps: Vec<Record> = once(0).chain(once(1)).collect();
    Counterexample {
        schema: SCHEMA.into(),
        claim: String::new(),
        tree: "v6.1".into(),
        scenario: "in_turn".into(),
        rule: "nothing is wrong".into(),
        message: "something is".into(),
        engine: "dpor".into(),
        memory_model: "sc".into(),
        fatal: Some(steps.len() - 1),
        tasks,
        steps,
        blocked: Vec::new(),
        holders: Vec::new(),
        schedule: Vec::new(),
        model: None,
        explanation: None,
    }
}

fn heads(table: &str) -> &str {
    table.lines().next().expect("a line")
}

#[test]
fn no_table_is_wider_than_a_changelog_and_none_cuts_a_word() {
    for count in 1..=60 {
        let table = table(&tasks_in_turn(count));
        assert!(table.lines().all(|line| line.chars().count() <= 75), "{count} tasks:\n{table}");
        let words = table.matches(LONG).count();
        assert_eq!(words, usize::from(count), "{count} tasks:\n{table}");
        assert_eq!(table.matches("^^^^ broken here").count(), 1, "{count} tasks:\n{table}");
        for task in 0..count {
            let name = format!("a_task_with_a_name_{task}");
            assert!(table.contains(&name), "{name} is not in\n{table}");
        }
    }
}

#[test]
fn up_to_three_tasks_stand_side_by_side_and_more_are_a_list() {
    let mut cx = tasks_in_turn(3);
    for task in &mut cx.tasks {
        task.name.truncate(8);
    }
    assert_eq!(heads(&table(&cx)).matches("CPU").count(), 3);
    let four = table(&tasks_in_turn(4));
    assert_eq!(heads(&four).matches("CPU").count(), 1, "{four}");
}

#[test]
fn in_a_list_a_task_that_goes_on_says_where() {
    let table = table(&tasks_in_turn(4));
    assert_eq!(table.matches("... folio_unlock()").count(), 4, "{table}");
}

#[test]
fn what_a_file_says_cannot_steer_the_terminal_or_forge_lines() {
    let mut cx = tasks_in_turn(2);
    cx.tasks[1].name = "a\u{1b}]0;title\u{7}".into();
    cx.steps[0].path = vec!["f\nCPU1".into()];
    cx.steps[1].object = "\u{202e}x".into();
    cx.message = "\u{9b}2J".into();
    for shown in [table(&cx), steps(&cx)] {
        let steers = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!shown.contains(steers), "{shown:?}");
        assert!(!shown.lines().any(|line| line.starts_with("CPU1()")), "{shown}");
    }
}

#[test]
fn a_stale_read_names_the_store_that_it_does_not_see() {
    let mut cx = tasks_in_turn(2);
    cx.steps[2] = Record {
        action: selvedge_trace::ActionKind::Read,
        primitive: "READ_ONCE".into(),
        stale: true,
        new: 0,
        ..cx.steps[2].clone()
    };
    let shown = table(&cx).split_whitespace().collect::<Vec<_>>().join(" ");
    // The last step on the word before it is the second task's.
    let named = "CPU0 a_task_with_a_name_0 does not see \
                 xor_unlock_is_negative_byte_and_look(folio0->flags): 0 -> 1, by CPU1 \
                 a_task_with_a_name_1 in folio_unlock().";
    assert!(shown.contains(named), "{shown}");
    cx.steps[2].stale = false;
    assert!(!table(&cx).contains("does not see"));
}
