//! One execution of a test: what statements and expressions do.

use std::collections::BTreeMap;

use selvedge_kernel::{Atomic, Cpus, Name, Rule, SpinLock, fail, plain_read, plain_write};

use crate::ast::{Expr, Kind, Statement};
use crate::interpret::{ADDRESSES, Plan, Registers};
use crate::primitives::{self, Meaning};

const POINTERS_POINT: Rule = Rule("a pointer that is followed points to a location");

/// The shared state of one execution.
pub(crate) struct Machine {
    pub(crate) cpus: Cpus,
    pub(crate) names: BTreeMap<String, usize>,
    pub(crate) data: BTreeMap<usize, Atomic>,
    locks: BTreeMap<usize, SpinLock>,
}

impl Machine {
    pub(crate) fn new(plan: &Plan) -> Machine {
        let mut machine = Machine {
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

    pub(crate) fn block(&self, block: &[Statement], registers: &mut Registers) {
        for statement in block {
            match statement {
                // What the initial state says of the register stays.
                Statement::Declare(name, None) => {
                    registers.entry(name.clone()).or_insert(0);
                }
                Statement::Declare(name, Some(value)) | Statement::Set(name, value) => {
                    let value = self.value(value, registers);
                    registers.insert(name.clone(), value);
                }
                Statement::Store(pointer, value) => {
                    let value = self.value(value, registers);
                    plain_write(self.at(self.value(pointer, registers)).counter(), value as u64);
                }
                Statement::Evaluate(expr) => {
                    self.value(expr, registers);
                }
                Statement::If(condition, then, otherwise) => {
                    let is_true = self.value(condition, registers) != 0;
                    self.block(if is_true { then } else { otherwise }, registers);
                }
            }
        }
    }

    fn value(&self, expr: &Expr, registers: &Registers) -> i64 {
        match expr {
            Expr::Number(number) => *number,
            Expr::Name(name) => match registers.get(name) {
                Some(value) => *value,
                None => ADDRESSES + self.names[name] as i64,
            },
            Expr::Load(pointer) => {
                plain_read(self.at(self.value(pointer, registers)).counter()) as i64
            }
            Expr::Not(inner) => i64::from(self.value(inner, registers) == 0),
            Expr::Negate(inner) => self.value(inner, registers).wrapping_neg(),
            Expr::Binary(operator, a, b) => self.binary(operator, a, b, registers),
            Expr::Call(name, arguments, _) => self.call(name, arguments, registers),
        }
    }

    fn binary(&self, operator: &str, a: &Expr, b: &Expr, registers: &Registers) -> i64 {
        let a = self.value(a, registers);
        match operator {
            "&&" => return i64::from(a != 0 && self.value(b, registers) != 0),
            "||" => return i64::from(a != 0 || self.value(b, registers) != 0),
            _ => {}
        }
        let b = self.value(b, registers);
        match operator {
            "+" => a.wrapping_add(b),
            "-" => a.wrapping_sub(b),
            "*" => a.wrapping_mul(b),
            "/" => a.checked_div(b).unwrap_or(0),
            "%" => a.checked_rem(b).unwrap_or(0),
            "&" => a & b,
            "|" => a | b,
            "^" => a ^ b,
            "==" => i64::from(a == b),
            "!=" => i64::from(a != b),
            "<" => i64::from(a < b),
            ">" => i64::from(a > b),
            "<=" => i64::from(a <= b),
            ">=" => i64::from(a >= b),
            other => unreachable!("the parser knows no operator `{other}`"),
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

    fn call(&self, name: &str, arguments: &[Expr], registers: &Registers) -> i64 {
        // `READ_ONCE(*x)` and `smp_load_acquire(x)` name the same location.
        let word = |at: usize| {
            self.at(match &arguments[at] {
                Expr::Load(inner) => self.value(inner, registers),
                other => self.value(other, registers),
            })
        };
        let value = |at: usize| self.value(&arguments[at], registers);
        let (meaning, order) = primitives::find(name).expect("checked before anything is run");
        match meaning {
            Meaning::Nothing(run) => run(&self.cpus),
            Meaning::Lock(run) => return run(&self.cpus, self.lock(value(0))),
            Meaning::Word(run) => return run(word(0), order),
            Meaning::WordValue(run) => return run(word(0), value(1), order),
            Meaning::ValueWord(run) => return run(word(1), value(0), order),
            Meaning::WordTwoValues(run) => return run(word(0), [value(1), value(2)], order),
        }
        0
    }
}
