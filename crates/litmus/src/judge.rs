//! What was observed, in herd's words, and whether it agrees with the file's `Result:`.

use std::fmt;

use selvedge_explore::Verdict;

use crate::ast::{Condition, Operand, Quantifier, Test};
use crate::interpret::{Observed, State};

/// A judged test.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judged {
    /// `Never`, `Sometimes`, `Always`, or `DEADLOCK`.
    pub observation: &'static str,
    /// How many final states satisfy the condition.
    pub positive: usize,
    /// How many do not.
    pub negative: usize,
    /// Compared with the file.
    pub agreement: Agreement,
}

/// How an observation compares with what LKMM says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Agreement {
    /// The same.
    Agrees,
    /// Observed, though LKMM forbids it: a defect of ours or of the engine.
    FalseAlarm,
    /// Not observed, though LKMM allows it: the engine cannot see it.
    Blind,
    /// The search was cut short.
    Undecided(String),
    /// The file does not say.
    NothingExpected,
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Agreement::Agrees => f.write_str("agrees"),
            Agreement::FalseAlarm => f.write_str("FALSE ALARM"),
            Agreement::Blind => f.write_str("blind"),
            Agreement::Undecided(why) => write!(f, "undecided: {why}"),
            Agreement::NothingExpected => f.write_str("nothing expected"),
        }
    }
}

/// Judges what an engine observed.
pub fn judge(test: &Test, observed: &Observed) -> Judged {
    let is_kept = |state: &&State| test.filter.as_ref().is_none_or(|f| holds(f, state, observed));
    let kept: Vec<&State> = observed.states.iter().filter(is_kept).collect();
    let positive = kept.iter().filter(|state| holds(&test.condition, state, observed)).count();
    let negative = kept.len() - positive;
    let observation = match (positive, negative) {
        _ if observed.verdict == Verdict::Violated => "DEADLOCK",
        (0, _) => "Never",
        (_, 0) => "Always",
        _ => "Sometimes",
    };
    let agreement = agreement(test, observed, observation);
    Judged { observation, positive, negative, agreement }
}

fn agreement(test: &Test, observed: &Observed, found: &str) -> Agreement {
    let Some(expected) = test.result.as_deref() else { return Agreement::NothingExpected };
    // "Never" of `~exists` and "Always" of `forall` say that the bad state is not reached.
    let is_forall = test.quantifier == Quantifier::Forall;
    let is_bad = |word: &str| match word {
        "Sometimes" => true,
        "Always" => !is_forall,
        "Never" => is_forall,
        _ => false,
    };
    let is_deadlock = |word: &str| word.eq_ignore_ascii_case("deadlock");
    if is_deadlock(expected) || is_deadlock(found) {
        return match (is_deadlock(expected), is_deadlock(found)) {
            (true, true) => Agreement::Agrees,
            (true, false) => Agreement::Blind,
            _ => Agreement::FalseAlarm,
        };
    }
    match (is_bad(expected), is_bad(found), &observed.verdict) {
        (false, true, _) => Agreement::FalseAlarm,
        (true, true, _) => Agreement::Agrees,
        // What was not found may be beyond the cut.
        (_, false, Verdict::Undecided(why)) => Agreement::Undecided(why.clone()),
        (true, false, _) => Agreement::Blind,
        (false, false, _) => Agreement::Agrees,
    }
}

fn holds(condition: &Condition, state: &State, observed: &Observed) -> bool {
    let equals = |name: &str, operand: &Operand| {
        let wanted = match operand {
            Operand::Number(number) => Some(*number),
            Operand::Address(of) => observed.addresses.get(of).copied(),
        };
        state.get(name).copied() == wanted
    };
    match condition {
        Condition::Register(process, register, operand) => {
            equals(&format!("{process}:{register}"), operand)
        }
        Condition::Location(name, operand) => equals(name, operand),
        Condition::Not(inner) => !holds(inner, state, observed),
        Condition::And(a, b) => holds(a, state, observed) && holds(b, state, observed),
        Condition::Or(a, b) => holds(a, state, observed) || holds(b, state, observed),
        Condition::True => true,
    }
}
