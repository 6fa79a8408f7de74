//! Steps that do less than they announced: whether two steps conflict depends on what came before.

use crate::common;

use common::Instr::{self, *};
use common::{Rule, dpor, plain_dfs, sleep_sets};

/// One more, if the word is 0 or 1.
const SMALL: Rule = Rule::IncrementBelow(2);

/// A task sets the high bit and then the low one, another adds to the word if it is small, a third
/// reads the low half; and two steps elsewhere, which makes twice as many traces.
///
/// If the update comes first, it writes, and the read comes before it, between it and the setting
/// of the low bit, or after that: 3. If it comes between the two bits or after them, it fails and
/// only reads, so that only the low bit and the read are in one order or the other: 2 and 2.
#[test]
fn an_update_that_fails_conflicts_with_fewer_steps_than_one_that_does_not() {
    let program: Vec<Vec<Instr>> = vec![
        vec![SetBit(1, true), SetBit(1, false)],
        vec![Update(1, SMALL)],
        vec![Read(0)],
        vec![ReadHalf(1, false), PassAndWrite(0, 0, 1)],
    ];
    let reduced = dpor(&program);
    let all = plain_dfs(&program, 20_000).expect("few");
    assert!(reduced.finals.keys().eq(all.finals.keys()));
    assert_eq!((reduced.executions, reduced.redundant.1), (14, 0));
}

/// What was planned for the one outcome of the update was once taken for a plan for the other. The
/// first program was found by counting traces, the others are random programs.
#[test]
fn plans_for_the_one_outcome_are_none_for_the_other() {
    let programs: [Vec<Vec<Instr>>; 4] = [
        // Nothing of it is about a part of a word. The final state that was missed: the update sees
        // 2, both readers see 1.
        vec![
            vec![Update(0, Rule::IncrementBelow(1))],
            vec![Read(0)],
            vec![Write(0, 1), Write(0, 2)],
            vec![Read(0)],
        ],
        vec![
            vec![WriteHalf(1, false, 2)],
            vec![Write(1, 2), Update(1, SMALL), SetBit(0, false)],
            vec![Add(0, 1), Read(1)],
            vec![Update(1, SMALL)],
        ],
        vec![
            vec![SetBit(1, false)],
            vec![ReadHalf(1, true)],
            vec![Write(1, 2), PassAndWrite(0, 1, 1)],
            vec![Update(1, SMALL)],
        ],
        vec![
            vec![ReadHalf(1, true)],
            vec![Write(1, 1), Update(1, SMALL)],
            vec![Add(1, 1), WriteHalf(1, false, 1)],
        ],
    ];
    for program in programs {
        let reduced = dpor(&program);
        let all = plain_dfs(&program, 100_000).expect("few");
        assert!(reduced.finals.keys().eq(all.finals.keys()), "{program:?}");
        assert_eq!(reduced.redundant.1, 0, "{program:?}");
        assert_eq!(reduced.executions, sleep_sets(&program).executions, "{program:?}");
    }
}
