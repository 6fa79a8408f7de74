//! One execution of a test: what statements and expressions do.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use selvedge_kernel::{
    Atomic, Cpus, Name, Order, Rmw, Rule, SpinLock, atomic_fetch_ordered, fail, plain_read,
    plain_write, smp_rmb, smp_wmb,
};

use crate::ast::{Expr, Kind, Statement};
use crate::gaps::Gap;
use crate::interpret::{ADDRESSES, Plan, Registers};
use crate::primitives::{self, Does, Meaning};

pub(crate) const POINTERS_POINT: Rule = Rule("a pointer that is followed points to a location");

/// The shared state of one execution.
pub(crate) struct Machine {
    pub(crate) cpus: Cpus,
    pub(crate) names: BTreeMap<String, usize>,
    pub(crate) data: BTreeMap<usize, Atomic>,
    locks: BTreeMap<usize, SpinLock>,
    /// In which respects statements are rendered stronger than LKMM has them.
    closed: Vec<Gap>,
}

/// A process in one execution.
pub(crate) struct Frame<'a> {
    pub(crate) registers: Registers,
    /// The registers that some expression of the process uses.
    used: &'a BTreeSet<String>,
    /// Has it read what something later may depend on?
    has_read: Cell<bool>,
}

impl Frame<'_> {
    pub(crate) fn new(registers: Registers, used: &BTreeSet<String>) -> Frame<'_> {
        Frame { registers, used, has_read: Cell::new(false) }
    }
}

impl Machine {
    pub(crate) fn new(plan: &Plan, closed: &[Gap]) -> Machine {
        let mut machine = Machine {
            closed: closed.to_vec(),
            cpus: Cpus::new(plan.processes.len(), false),
            names: BTreeMap::new(),
            data: BTreeMap::new(),
            locks: BTreeMap::new(),
        };
        for (at, (name, kind, value)) in plan.locations.iter().enumerate() {
            machine.names.insert(name.clone(), at);
            match kind {
                Kind::Spinlock => {
                    machine.locks.insert(at, plan.spinlock(at));
                }
                Kind::Plain | Kind::Atomic => {
                    let word = Atomic::new(Name::new("location").nth(at), *value);
                    machine.data.insert(at, word);
                }
            }
        }
        machine
    }

    fn closes(&self, gap: Gap) -> bool {
        self.closed.contains(&gap)
    }

    pub(crate) fn block(&self, block: &[Statement], frame: &mut Frame<'_>) {
        for statement in block {
            match statement {
                // What the initial state says of the register stays.
                Statement::Declare(name, None) => {
                    frame.registers.entry(name.clone()).or_insert(0);
                }
                Statement::Declare(name, Some(value)) | Statement::Set(name, value) => {
                    let is_used = frame.used.contains(name);
                    let value = self.value_of(value, frame, is_used);
                    frame.registers.insert(name.clone(), value);
                }
                Statement::Store(pointer, value) => {
                    let value = self.value(value, frame);
                    let word = self.at(self.value(pointer, frame));
                    self.before(Does::Stores, frame);
                    plain_write(word.counter(), value as u64);
                }
                Statement::Evaluate(expr) => {
                    self.value_of(expr, frame, false);
                }
                Statement::If(condition, then, otherwise) => {
                    let is_true = self.value(condition, frame) != 0;
                    self.block(if is_true { then } else { otherwise }, frame);
                }
            }
        }
    }

    fn value(&self, expr: &Expr, frame: &Frame<'_>) -> i64 {
        self.value_of(expr, frame, true)
    }

    /// The value of an expression; whether anything depends on it.
    fn value_of(&self, expr: &Expr, frame: &Frame<'_>, is_used: bool) -> i64 {
        match expr {
            Expr::Number(number) => *number,
            Expr::Name(name) => match frame.registers.get(name) {
                Some(value) => *value,
                None => ADDRESSES + self.names[name] as i64,
            },
            Expr::Load(pointer) => {
                let value = plain_read(self.at(self.value(pointer, frame)).counter());
                self.was_read(frame, is_used);
                value as i64
            }
            Expr::Not(inner) => i64::from(self.value_of(inner, frame, is_used) == 0),
            Expr::Complement(inner) => !self.value_of(inner, frame, is_used),
            Expr::Negate(inner) => self.value_of(inner, frame, is_used).wrapping_neg(),
            Expr::Choice(condition, then, otherwise) => {
                let is_true = self.value(condition, frame) != 0;
                self.value_of(if is_true { then } else { otherwise }, frame, is_used)
            }
            Expr::Binary(operator, a, b) => {
                let a = self.value_of(a, frame, is_used);
                match *operator {
                    "&&" => i64::from(a != 0 && self.value(b, frame) != 0),
                    "||" => i64::from(a != 0 || self.value(b, frame) != 0),
                    operator => binary(operator, a, self.value_of(b, frame, is_used)),
                }
            }
            Expr::Call(name, arguments, _) => self.call(name, arguments, frame, is_used),
        }
    }

    fn at(&self, pointer: i64) -> &Atomic {
        let location = usize::try_from(pointer - ADDRESSES).ok().and_then(|at| self.data.get(&at));
        location.unwrap_or_else(|| fail(POINTERS_POINT, format!("{pointer} is no address")))
    }

    fn lock(&self, pointer: i64) -> &SpinLock {
        let lock = usize::try_from(pointer - ADDRESSES).ok().and_then(|at| self.locks.get(&at));
        lock.unwrap_or_else(|| fail(POINTERS_POINT, format!("{pointer} is no spinlock")))
    }

    fn call(&self, name: &str, arguments: &[Expr], frame: &Frame<'_>, is_used: bool) -> i64 {
        // `READ_ONCE(*x)` and `smp_load_acquire(x)` name the same location.
        let word = |at: usize| {
            self.at(match &arguments[at] {
                Expr::Load(inner) => self.value(inner, frame),
                other => self.value(other, frame),
            })
        };
        let value = |at: usize| self.value(&arguments[at], frame);
        let primitive = primitives::find(name).expect("checked before anything is run");
        let (does, order) = (primitive.does, primitive.order);
        let result = match primitive.meaning {
            Meaning::Nothing(run) => {
                self.before(does, frame);
                run(&self.cpus);
                0
            }
            Meaning::Lock(run) => {
                let lock = self.lock(value(0));
                self.before(does, frame);
                run(&self.cpus, lock)
            }
            Meaning::Word(run) => {
                let word = word(0);
                self.before(does, frame);
                run(word, order)
            }
            Meaning::WordValue(run) => {
                let (word, new) = (word(0), value(1));
                self.before(does, frame);
                match does {
                    // An update knows its place in the order of the word's stores.
                    Does::Stores | Does::StoresRelease if self.closes(Gap::Stores) => {
                        let order =
                            if does == Does::Stores { Order::Relaxed } else { Order::Release };
                        atomic_fetch_ordered(word, Rmw::Swap(new as u64), order, "WRITE_ONCE");
                        0
                    }
                    _ => run(word, new, order),
                }
            }
            Meaning::ValueWord(run) => {
                let (by, word) = (value(0), word(1));
                self.before(does, frame);
                run(word, by, order)
            }
            Meaning::WordTwoValues(run) => {
                let (word, values) = (word(0), [value(1), value(2)]);
                self.before(does, frame);
                run(word, values, order)
            }
        };
        if does.loads() {
            self.was_read(frame, is_used);
        }
        result
    }

    /// What comes before a step, where a gap is closed.
    fn before(&self, does: Does, frame: &Frame<'_>) {
        if does.releases() && self.closes(Gap::Releases) {
            smp_rmb();
        }
        if does.stores() && frame.has_read.get() && self.closes(Gap::Dependencies) {
            smp_wmb();
        }
    }

    /// Something may depend on what was just read.
    fn was_read(&self, frame: &Frame<'_>, is_used: bool) {
        if is_used && self.closes(Gap::Dependencies) {
            frame.has_read.set(true);
            smp_rmb();
        }
    }
}

fn binary(operator: &str, a: i64, b: i64) -> i64 {
    match operator {
        "+" => a.wrapping_add(b),
        "-" => a.wrapping_sub(b),
        "*" => a.wrapping_mul(b),
        "/" => a.checked_div(b).unwrap_or(0),
        "%" => a.checked_rem(b).unwrap_or(0),
        "&" => a & b,
        "|" => a | b,
        "^" => a ^ b,
        "<<" => a.wrapping_shl(b as u32),
        ">>" => a.wrapping_shr(b as u32),
        "==" => i64::from(a == b),
        "!=" => i64::from(a != b),
        "<" => i64::from(a < b),
        ">" => i64::from(a > b),
        "<=" => i64::from(a <= b),
        ">=" => i64::from(a >= b),
        other => unreachable!("the parser knows no operator `{other}`"),
    }
}
