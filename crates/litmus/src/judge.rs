//! What was observed, in herd's words, and whether it agrees with the file's `Result:`.

use std::fmt;

use selvedge_explore::Verdict;

use crate::ast::{Condition, Operand, Quantifier, Test};
use crate::interpret::{Observed, State};

/// A judged test.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judged {
    /// `Never`, `Sometimes`, `Always`, or `DEADLOCK`; `Fault` if a process did what none may do,
    /// and `Undecided` if the search was cut short before it showed anything.
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
    /// Not observed, as LKMM has it, but not all executions were run: within this bound.
    Within(String),
    /// The search was cut short.
    Undecided(String),
    /// A process did what none may do: the test, or the interpreter, is wrong.
    Fault(String),
    /// The file does not say.
    NothingExpected,
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Agreement::Agrees => f.write_str("agrees"),
            Agreement::FalseAlarm => f.write_str("FALSE ALARM"),
            Agreement::Blind => f.write_str("blind"),
            Agreement::Within(bound) => write!(f, "agrees within {bound}"),
            Agreement::Undecided(why) => write!(f, "undecided: {why}"),
            Agreement::Fault(what) => write!(f, "fault: {what}"),
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
        _ if observed.fault.is_some() => "Fault",
        _ if observed.verdict == Verdict::Violated => "DEADLOCK",
        // Both kinds of states were seen: no more executions change that.
        (1.., 1..) => "Sometimes",
        _ if matches!(observed.verdict, Verdict::Undecided(_)) => "Undecided",
        (0, _) => "Never",
        (_, 0) => "Always",
    };
    let agreement = agreement(test, observed, observation, positive);
    Judged { observation, positive, negative, agreement }
}

fn agreement(test: &Test, observed: &Observed, found: &str, positive: usize) -> Agreement {
    if let Some(fault) = &observed.fault {
        return Agreement::Fault(fault.clone());
    }
    let cut = match &observed.verdict {
        Verdict::Undecided(why) => Some(Agreement::Undecided(why.clone())),
        Verdict::HoldsWithin(bound) => Some(Agreement::Within(bound.clone())),
        Verdict::Holds | Verdict::Violated => None,
    };
    let Some(expected) = test.result.as_deref() else {
        let is_undecided = found == "Undecided";
        return cut.filter(|_| is_undecided).unwrap_or(Agreement::NothingExpected);
    };
    if expected == "DEADLOCK" || found == "DEADLOCK" {
        return match (expected, found) {
            ("DEADLOCK", "DEADLOCK") => Agreement::Agrees,
            // What was not found may be beyond the cut.
            ("DEADLOCK", _) => cut.unwrap_or(Agreement::Blind),
            _ => Agreement::FalseAlarm,
        };
    }
    // "Never" of `~exists` and "Always" of `forall` say that the bad state is not reached.
    let is_forall = test.quantifier == Quantifier::Forall;
    let is_expected = match expected {
        "Sometimes" => true,
        "Always" => !is_forall,
        _ => is_forall,
    };
    let is_found = match found {
        "Sometimes" => true,
        "Always" => !is_forall,
        "Never" => is_forall,
        _ => !is_forall && positive > 0,
    };
    match (is_expected, is_found) {
        (false, true) => Agreement::FalseAlarm,
        (true, true) => Agreement::Agrees,
        (true, false) => match cut {
            Some(Agreement::Undecided(why)) => Agreement::Undecided(why),
            _ => Agreement::Blind,
        },
        (false, false) => cut.unwrap_or(Agreement::Agrees),
    }
}

fn holds(condition: &Condition, state: &State, observed: &Observed) -> bool {
    let equals = |name: &str, operand: &Operand| {
        let wanted = match operand {
            Operand::Number(number) => Some(*number),
            Operand::Address(of) => observed.addresses.get(of).copied(),
            Operand::Register(process, register) => {
                state.get(&format!("{process}:{register}")).copied()
            }
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
