//! One execution of a test: what statements and expressions do.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use selvedge_kernel::{
    Atomic, Cpus, Name, Order, Rmw, Rule, Task, atomic_fetch_ordered, fail, plain_read,
    plain_write, smp_load_acquire, smp_mb, smp_rmb, smp_wmb,
};

use crate::ast::{Expr, Statement};
use crate::functions::Function;
use crate::gaps::Gap;
use crate::interpret::{ADDRESSES, Plan, Registers, Setting};
use crate::objects::{Here, Object, On};
use crate::primitives::{self, Does, Meaning};

pub(crate) const POINTERS_POINT: Rule = Rule("a pointer that is followed points to a location");

type Read = fn(&Atomic, Order) -> i64;

/// The shared state of one execution.
pub(crate) struct Machine {
    pub(crate) cpus: Arc<Cpus>,
    pub(crate) names: BTreeMap<String, usize>,
    pub(crate) data: BTreeMap<usize, Atomic>,
    objects: BTreeMap<usize, Object>,
    /// By process, if the test asks for their state.
    tasks: Vec<Task>,
    /// By process, those that are functions.
    functions: BTreeMap<usize, Function>,
    /// In which respects statements are rendered stronger than LKMM has them.
    closed: Vec<Gap>,
}

/// A process in one execution.
pub(crate) struct Frame<'a> {
    pub(crate) registers: Registers,
    process: usize,
    /// The registers that some expression of the process uses.
    used: &'a BTreeSet<String>,
    /// Has it read what something later may depend on?
    has_read: Cell<bool>,
}

impl Frame<'_> {
    pub(crate) fn new(process: usize, registers: Registers, used: &BTreeSet<String>) -> Frame<'_> {
        Frame { process, registers, used, has_read: Cell::new(false) }
    }
}

impl Machine {
    pub(crate) fn new(
        plan: &Plan,
        setting: &Setting,
        closed: &[Gap],
        functions: BTreeMap<usize, Function>,
    ) -> Machine {
        let processes = plan.processes.len();
        let tasks = if plan.making.has_tasks { processes } else { 0 };
        let mut cpus = Cpus::new(processes, false);
        if setting.preempt_rcu {
            // A function may be run more often than once.
            cpus = cpus.with_preempt_rcu(3 * processes);
        }
        if plan.making.has_rcu_barrier {
            cpus = cpus.with_rcu_barrier();
        }
        let mut machine = Machine {
            closed: closed.to_vec(),
            cpus: Arc::new(cpus),
            functions,
            names: BTreeMap::new(),
            data: BTreeMap::new(),
            objects: BTreeMap::new(),
            tasks: (0..tasks).map(Task::new).collect(),
        };
        for (at, (name, kind, value)) in plan.locations.iter().enumerate() {
            machine.names.insert(name.clone(), at);
            match Object::new(*kind, (at, *value), plan.making, &machine.cpus) {
                Some(object) => {
                    machine.objects.insert(at, object);
                }
                None => {
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
                let word = self.at(self.value(pointer, frame));
                let read = |word: &Atomic, _| plain_read(word.counter()) as i64;
                let value = self.load(word, read, Order::Relaxed, is_used);
                self.was_read(Does::Loads, frame, is_used);
                value
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
        let location = number(pointer).and_then(|at| self.data.get(&at));
        location.unwrap_or_else(|| fail(POINTERS_POINT, format!("{pointer} is no address")))
    }

    fn object(&self, pointer: i64, on: On) -> &Object {
        let object = number(pointer).and_then(|at| self.objects.get(&at));
        object.unwrap_or_else(|| is_no(pointer, on))
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
            Meaning::Object(on) | Meaning::ObjectValue(on) => {
                let pointer = value(0);
                let second = if primitive.meaning.arguments() == 2 { value(1) } else { 0 };
                let object = self.object(pointer, on);
                self.before(does, frame);
                let here = self.here(frame, second);
                on.run(&here, object).unwrap_or_else(|| is_no(pointer, on))
            }
            Meaning::Task(run) => run(&self.cpus, of_process(value(0), |at| self.tasks.get(at))),
            Meaning::Current(count, run) => {
                let value = if count == 0 { 0 } else { value(0) };
                self.before(does, frame);
                run(&self.here(frame, value));
                0
            }
            Meaning::Function(run) => {
                let function = of_process(value(0), |at| self.functions.get(&at));
                self.before(does, frame);
                run(&self.cpus, function)
            }
            Meaning::Word(run) => {
                let word = word(0);
                self.before(does, frame);
                let is_load = does == Does::Loads && is_used;
                self.load(word, run, order, is_load)
            }
            Meaning::WordValue(run) => {
                let (word, new) = (word(0), value(1));
                self.before(does, frame);
                match does {
                    Does::Stores | Does::StoresRelease if self.closes(Gap::Stores) => {
                        exchange(word, new, does)
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
            self.was_read(does, frame, is_used);
        }
        result
    }

    fn here(&self, frame: &Frame<'_>, value: i64) -> Here<'_> {
        Here { cpus: &self.cpus, task: self.tasks.get(frame.process), value }
    }

    /// Reads a word, by an acquire load if that closes the gap and something may depend on it.
    fn load(&self, word: &Atomic, read: Read, order: Order, is_used: bool) -> i64 {
        if is_used && self.closes(Gap::Dependencies) {
            return smp_load_acquire(word.counter()) as i64;
        }
        read(word, order)
    }

    /// What comes before a step, where a gap is closed.
    fn before(&self, does: Does, frame: &Frame<'_>) {
        if does.releases() && self.closes(Gap::Releases) {
            smp_rmb();
        }
        if does.stores() && frame.has_read.get() && self.closes(Gap::DependenciesOfC11) {
            smp_wmb();
        }
    }

    /// Something may depend on what was just read.
    fn was_read(&self, does: Does, frame: &Frame<'_>, is_used: bool) {
        if is_used && self.closes(Gap::DependenciesOfC11) {
            frame.has_read.set(true);
            smp_rmb();
        }
        if is_used && does != Does::Loads && self.closes(Gap::Dependencies) {
            smp_mb();
        }
    }
}

/// The number of the location that it points to.
fn number(pointer: i64) -> Option<usize> {
    pointer.checked_sub(ADDRESSES).and_then(|at| usize::try_from(at).ok())
}

/// What there is of the process of this number.
fn of_process<'a, T>(number: i64, of: impl FnOnce(usize) -> Option<&'a T>) -> &'a T {
    let found = usize::try_from(number).ok().and_then(of);
    found.unwrap_or_else(|| fail(POINTERS_POINT, format!("there is no process {number}")))
}

/// A store as an update, which knows its place in the order of the word's stores.
fn exchange(word: &Atomic, new: i64, does: Does) -> i64 {
    let order = if does == Does::Stores { Order::Relaxed } else { Order::Release };
    atomic_fetch_ordered(word, Rmw::Swap(new as u64), order, "WRITE_ONCE");
    0
}

fn is_no(pointer: i64, on: On) -> ! {
    fail(POINTERS_POINT, format!("{pointer} is no {}", on.what()))
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
