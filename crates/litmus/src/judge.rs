//! What was observed, in herd's words, and whether it agrees with the file's `Result:`.

use std::collections::BTreeMap;
use std::fmt;

use selvedge_explore::Verdict;

use crate::ast::{Condition, Operand, Quantifier, Test};
use crate::interpret::{Fault, Observed, State};

/// A judged test.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judged {
    /// `Never`, `Sometimes`, `Always`, or `DEADLOCK`; the [`Fault::word`] of what a process did
    /// that none may do; and `Undecided` if the search was cut short before it showed anything, or
    /// what it showed may be the engine's.
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
    /// Some execution waits for ever, and the file does not say so. herd drops such executions
    /// (a lock that is never given back); here they end the search, so that nothing is known of the
    /// others.
    Deadlock,
    /// A process did what none may do: the test, or the interpreter, is wrong.
    Fault(Fault),
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
            Agreement::Deadlock => f.write_str("DEADLOCK, which the file does not expect"),
            Agreement::Fault(fault) => write!(f, "fault: {}", fault.what()),
            Agreement::NothingExpected => f.write_str("nothing expected"),
        }
    }
}

impl Judged {
    /// Was a state reached that answers the test's question?
    pub(crate) fn is_reached(&self, test: &Test) -> bool {
        match test.quantifier {
            Quantifier::Exists | Quantifier::NotExists => self.positive > 0,
            Quantifier::Forall => self.negative > 0,
        }
    }
}

/// The states that answer a test's question: that satisfy what is to exist, or break what all are
/// to satisfy.
pub(crate) struct Wanted {
    filter: Option<Condition>,
    condition: Condition,
    is_forall: bool,
}

impl Wanted {
    pub(crate) fn of(test: &Test) -> Wanted {
        Wanted {
            filter: test.filter.clone(),
            condition: test.condition.clone(),
            is_forall: test.quantifier == Quantifier::Forall,
        }
    }

    pub(crate) fn is_met(&self, state: &State, addresses: &Addresses) -> bool {
        self.filter.as_ref().is_none_or(|filter| holds(filter, state, addresses))
            && holds(&self.condition, state, addresses) != self.is_forall
    }
}

/// Judges what an engine observed.
pub fn judge(test: &Test, observed: &Observed) -> Judged {
    let is_so = |condition: &Condition, state: &State| holds(condition, state, &observed.addresses);
    let is_kept = |state: &&State| test.filter.as_ref().is_none_or(|filter| is_so(filter, state));
    let kept: Vec<&State> = observed.states.iter().filter(is_kept).collect();
    let positive = kept.iter().filter(|state| is_so(&test.condition, state)).count();
    let negative = kept.len() - positive;
    let found = match (positive, negative) {
        _ if observed.verdict == Verdict::Violated => "DEADLOCK",
        // Both kinds of states were seen: no more executions change that.
        (1.., 1..) => "Sometimes",
        _ if matches!(observed.verdict, Verdict::Undecided(_)) => "Undecided",
        (0, _) => "Never",
        (_, 0) => "Always",
    };
    let observation = observed.fault.as_ref().map_or(found, Fault::word);
    let agreement = agreement(test, observed, observation, positive);
    Judged { observation, positive, negative, agreement }
}

fn agreement(test: &Test, observed: &Observed, found: &str, positive: usize) -> Agreement {
    match &observed.fault {
        // A grace period that waits for its own task's section.
        Some(Fault::Sleeps(_)) if test.result.as_deref() == Some("DEADLOCK") => {
            return Agreement::Agrees;
        }
        Some(fault) => return Agreement::Fault(fault.clone()),
        None => {}
    }
    let cut = match &observed.verdict {
        Verdict::Undecided(why) => Some(Agreement::Undecided(why.clone())),
        Verdict::HoldsWithin(bound) => Some(Agreement::Within(bound.clone())),
        Verdict::Holds | Verdict::Violated => None,
    };
    if found == "DEADLOCK" {
        let is_expected = test.result.as_deref() == Some("DEADLOCK");
        return if is_expected { Agreement::Agrees } else { Agreement::Deadlock };
    }
    let Some(expected) = test.result.as_deref() else {
        let is_undecided = found == "Undecided";
        return cut.filter(|_| is_undecided).unwrap_or(Agreement::NothingExpected);
    };
    if expected == "DEADLOCK" {
        // What was not found may be beyond the cut.
        return cut.unwrap_or(Agreement::Blind);
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

/// Where locations are.
pub(crate) type Addresses = BTreeMap<String, i64>;

fn holds(condition: &Condition, state: &State, addresses: &Addresses) -> bool {
    let equals = |name: &str, operand: &Operand| {
        let wanted = match operand {
            Operand::Number(number) => Some(*number),
            Operand::Address(of) => addresses.get(of).copied(),
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
        Condition::Not(inner) => !holds(inner, state, addresses),
        Condition::And(a, b) => holds(a, state, addresses) && holds(b, state, addresses),
        Condition::Or(a, b) => holds(a, state, addresses) || holds(b, state, addresses),
        Condition::True => true,
    }
}
