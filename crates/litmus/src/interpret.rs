//! Runs a test on the primitives of `selvedge_kernel`, under an engine, and collects final states.
//!
//! Process `i` is a task on CPU `i`. Every data location is an `atomic_t`, whose counter plain and
//! `READ_ONCE` accesses go to; a spinlock is a spinlock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use selvedge_explore::{Bounds, Engine, Verdict, explore};
use selvedge_kernel::{
    Atomic, Cpus, Name, Order, READ_ONCE, Rmw, Rule, SpinLock, WRITE_ONCE, atomic_add,
    atomic_add_unless, atomic_cmpxchg_ordered, atomic_fetch_ordered, atomic_read, atomic_set,
    atomic_sub_and_test, fail, join, plain_read, plain_write, rcu_assign_pointer, rcu_dereference,
    rcu_read_lock, rcu_read_unlock, smp_load_acquire, smp_mb, smp_mb__after_atomic,
    smp_mb__after_spinlock, smp_mb__after_unlock_lock, smp_mb__before_atomic, smp_rmb,
    smp_store_release, smp_wmb, spawn_task, spin_is_locked, spin_lock, spin_unlock,
    synchronize_rcu, synchronize_rcu_expedited,
};

use crate::ast::{Condition, Expr, Kind, Operand, Process, Statement, Test, Value};
use crate::lex::{Place, SyntaxError};

/// A pointer is this plus the number of its location.
const ADDRESSES: i64 = 1 << 40;

const POINTERS_POINT: Rule = Rule("a pointer that is followed points to a location");

/// A final state: what the condition asks for, by name (`1:r0`, `x`).
pub(crate) type State = BTreeMap<String, i64>;

/// What an engine reached.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The final states that satisfy the filter.
    pub(crate) states: BTreeSet<State>,
    /// The addresses of locations, to compare pointers with.
    pub(crate) addresses: BTreeMap<String, i64>,
    /// How the search ended; `Violated` is a deadlock.
    pub verdict: Verdict,
    /// How many executions it took.
    pub executions: u64,
}

/// Runs the test. An unsupported construct is named before anything is run.
pub fn observe(test: &Test, engine: Engine, bounds: &Bounds) -> Result<Observed, SyntaxError> {
    let plan = Plan::new(test)?;
    let addresses = plan.addresses();
    let seen: Arc<Mutex<BTreeSet<State>>> = Arc::default();
    let (all, plan) = (seen.clone(), Arc::new(plan));
    let body = Arc::new(move || {
        let state = plan.run();
        all.lock().expect("not poisoned").insert(state);
    });
    let exploration = explore(engine, bounds, Vec::new(), body);
    let states = std::mem::take(&mut *seen.lock().expect("not poisoned"));
    Ok(Observed {
        states,
        addresses,
        verdict: exploration.verdict,
        executions: exploration.executions,
    })
}

/// A test whose names are resolved.
struct Plan {
    locations: Vec<(String, Kind, i64)>,
    processes: Vec<Process>,
    /// What the registers of each process hold at first.
    first: Vec<Registers>,
    /// Does a process ask whether a lock is held?
    asks_locks: bool,
    /// What final states are made of.
    registers: BTreeSet<(usize, String)>,
    words: BTreeSet<String>,
}

impl Plan {
    fn new(test: &Test) -> Result<Plan, SyntaxError> {
        let mut locations: Vec<(String, Kind, i64)> = Vec::new();
        let parameters = test.processes.iter().flat_map(|process| &process.parameters);
        for (kind, name) in parameters {
            match locations.iter_mut().find(|(known, ..)| known == name) {
                Some((_, known, _)) if *known == Kind::Plain => *known = *kind,
                Some(_) => {}
                None => locations.push((name.clone(), *kind, 0)),
            }
        }
        let mut plan = Plan {
            locations,
            processes: test.processes.clone(),
            first: vec![Registers::new(); test.processes.len()],
            asks_locks: test.processes.iter().any(|p| calls(&p.body, "spin_is_locked")),
            registers: BTreeSet::new(),
            words: BTreeSet::new(),
        };
        let conditions = test.filter.iter().chain([&test.condition]);
        conditions.for_each(|condition| plan.asked_for(condition));
        for name in plan.words.clone() {
            plan.location(&name);
        }
        for (process, register, value) in &test.registers {
            let value = plan.initial(value);
            if let Some(first) = plan.first.get_mut(*process) {
                first.insert(register.clone(), value);
            }
        }
        for (name, value) in &test.initial {
            let value = plan.initial(value);
            let at = plan.location(name);
            plan.locations[at].2 = value;
        }
        for (process, first) in test.processes.iter().zip(&plan.first) {
            let parameters = process.parameters.iter().map(|(_, name)| name.clone());
            let names = parameters.chain(first.keys().cloned()).collect();
            check_block(&process.body, &mut { names })?;
        }
        Ok(plan)
    }

    fn initial(&mut self, value: &Value) -> i64 {
        match value {
            Value::Number(number) => *number,
            Value::Address(of) => ADDRESSES + self.location(of) as i64,
        }
    }

    /// The number of the location of this name; a new one is plain and 0.
    fn location(&mut self, name: &str) -> usize {
        let known = self.locations.iter().position(|(known, ..)| known == name);
        known.unwrap_or_else(|| {
            self.locations.push((name.into(), Kind::Plain, 0));
            self.locations.len() - 1
        })
    }

    fn asked_for(&mut self, condition: &Condition) {
        match condition {
            Condition::Register(process, register, operand) => {
                self.registers.insert((*process, register.clone()));
                self.operand(operand);
            }
            Condition::Location(name, operand) => {
                self.words.insert(name.clone());
                self.operand(operand);
            }
            Condition::Not(inner) => self.asked_for(inner),
            Condition::And(a, b) | Condition::Or(a, b) => {
                self.asked_for(a);
                self.asked_for(b);
            }
            Condition::True => {}
        }
    }

    fn operand(&mut self, operand: &Operand) {
        if let Operand::Address(name) = operand {
            self.location(name);
        }
    }

    fn addresses(&self) -> BTreeMap<String, i64> {
        let names = self.locations.iter().enumerate();
        names.map(|(at, (name, ..))| (name.clone(), ADDRESSES + at as i64)).collect()
    }

    /// A lock of its own word only where a process asks `spin_is_locked()`.
    fn spinlock(&self, at: usize) -> SpinLock {
        let name = Name::new("spinlock").nth(at);
        if self.asks_locks { SpinLock::observable(name) } else { SpinLock::new(name) }
    }

    /// One execution: the final state.
    fn run(self: &Arc<Plan>) -> State {
        let machine = Arc::new(Machine::new(self));
        let finals: Arc<Mutex<Vec<BTreeMap<String, i64>>>> =
            Arc::new(Mutex::new(vec![BTreeMap::new(); self.processes.len()]));
        let tasks: Vec<usize> = (0..self.processes.len())
            .map(|cpu| {
                let (plan, machine, finals) = (self.clone(), machine.clone(), finals.clone());
                let cpus = machine.clone();
                spawn_task(&cpus.cpus, cpu, &format!("P{cpu}"), move || {
                    let mut registers = plan.first[cpu].clone();
                    machine.block(&plan.processes[cpu].body, &mut registers);
                    finals.lock().expect("not poisoned")[cpu] = registers;
                })
            })
            .collect();
        tasks.into_iter().for_each(join);
        let finals = finals.lock().expect("not poisoned");
        let registers = self.registers.iter().map(|(process, register)| {
            let value = finals.get(*process).and_then(|f| f.get(register)).copied();
            (format!("{process}:{register}"), value.unwrap_or(0))
        });
        let words = self.words.iter().map(|name| {
            let at = machine.names[name];
            // Read by an access of the engine's: under loom the last store that was executed need
            // not be the last in the order of modification.
            (name.clone(), machine.data.get(&at).map_or(0, |v| READ_ONCE(v.counter()) as i64))
        });
        registers.chain(words).collect()
    }
}

/// Names that registers and parameters have; unsupported calls are refused.
fn check_block(block: &[Statement], names: &mut BTreeSet<String>) -> Result<(), SyntaxError> {
    for statement in block {
        match statement {
            Statement::Declare(name, value) => {
                value.iter().try_for_each(|value| check_expr(value, names))?;
                names.insert(name.clone());
            }
            Statement::Set(name, value) => {
                check_expr(value, names)?;
                names.insert(name.clone());
            }
            Statement::Store(pointer, value) => {
                check_expr(pointer, names)?;
                check_expr(value, names)?;
            }
            Statement::Evaluate(expr) => check_expr(expr, names)?,
            Statement::If(condition, then, otherwise) => {
                check_expr(condition, names)?;
                check_block(then, names)?;
                check_block(otherwise, names)?;
            }
        }
    }
    Ok(())
}

fn check_expr(expr: &Expr, names: &BTreeSet<String>) -> Result<(), SyntaxError> {
    match expr {
        Expr::Number(_) => Ok(()),
        Expr::Name(name) if names.contains(name) => Ok(()),
        Expr::Name(name) => {
            let message = format!("`{name}` is neither a register nor a parameter");
            Err(SyntaxError::new(Place::default(), message))
        }
        Expr::Load(inner) | Expr::Not(inner) | Expr::Negate(inner) => check_expr(inner, names),
        Expr::Binary(_, a, b) => check_expr(a, names).and_then(|()| check_expr(b, names)),
        Expr::Call(name, arguments, place) => {
            let count = arguments.len();
            match arity(name) {
                None => return Err(SyntaxError::unsupported(*place, name)),
                Some(wanted) if wanted != count => {
                    let message = format!("{name}() has {wanted} arguments, found {count}");
                    return Err(SyntaxError::new(*place, message));
                }
                Some(_) => {}
            }
            arguments.iter().try_for_each(|argument| check_expr(argument, names))
        }
    }
}

/// Does a statement call it?
fn calls(block: &[Statement], name: &str) -> bool {
    block.iter().any(|statement| match statement {
        Statement::Declare(_, value) => value.as_ref().is_some_and(|v| expr_calls(v, name)),
        Statement::Set(_, value) | Statement::Evaluate(value) => expr_calls(value, name),
        Statement::Store(pointer, value) => expr_calls(pointer, name) || expr_calls(value, name),
        Statement::If(condition, then, otherwise) => {
            expr_calls(condition, name) || calls(then, name) || calls(otherwise, name)
        }
    })
}

fn expr_calls(expr: &Expr, name: &str) -> bool {
    match expr {
        Expr::Number(_) | Expr::Name(_) => false,
        Expr::Load(inner) | Expr::Not(inner) | Expr::Negate(inner) => expr_calls(inner, name),
        Expr::Binary(_, a, b) => expr_calls(a, name) || expr_calls(b, name),
        Expr::Call(called, arguments, _) => {
            called == name || arguments.iter().any(|argument| expr_calls(argument, name))
        }
    }
}

/// How many arguments a supported primitive has.
fn arity(name: &str) -> Option<usize> {
    Some(match stem(name).0 {
        "smp_mb"
        | "smp_rmb"
        | "smp_wmb"
        | "smp_mb__before_atomic"
        | "smp_mb__after_atomic"
        | "smp_mb__after_spinlock"
        | "smp_mb__after_unlock_lock"
        | "rcu_read_lock"
        | "rcu_read_unlock"
        | "synchronize_rcu"
        | "synchronize_rcu_expedited" => 0,
        "READ_ONCE"
        | "rcu_dereference"
        | "atomic_read"
        | "spin_lock"
        | "spin_unlock"
        | "spin_is_locked"
        | "smp_load"
        | "atomic_inc"
        | "atomic_dec"
        | "atomic_inc_return"
        | "atomic_dec_return"
        | "atomic_dec_and_test"
        | "atomic_inc_and_test"
        | "atomic_fetch_inc"
        | "atomic_fetch_dec" => 1,
        "WRITE_ONCE"
        | "rcu_assign_pointer"
        | "atomic_set"
        | "smp_store"
        | "xchg"
        | "atomic_xchg"
        | "atomic_add"
        | "atomic_sub"
        | "atomic_add_return"
        | "atomic_sub_return"
        | "atomic_fetch_add"
        | "atomic_fetch_sub"
        | "atomic_sub_and_test" => 2,
        "cmpxchg" | "atomic_cmpxchg" | "atomic_add_unless" => 3,
        _ => return None,
    })
}

/// The name without its ordering, and the ordering: none means full for what returns a value.
fn stem(name: &str) -> (&str, Order) {
    let suffixes =
        [("_relaxed", Order::Relaxed), ("_acquire", Order::Acquire), ("_release", Order::Release)];
    let found =
        suffixes.into_iter().find_map(|(suffix, order)| Some((name.strip_suffix(suffix)?, order)));
    found.unwrap_or((name, Order::Full))
}

/// The shared state of one execution.
struct Machine {
    cpus: Cpus,
    names: BTreeMap<String, usize>,
    data: BTreeMap<usize, Atomic>,
    locks: BTreeMap<usize, SpinLock>,
}

type Registers = BTreeMap<String, i64>;

impl Machine {
    fn new(plan: &Plan) -> Machine {
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

    fn block(&self, block: &[Statement], registers: &mut Registers) {
        for statement in block {
            match statement {
                Statement::Declare(name, value) => {
                    let value = value.as_ref().map_or(0, |value| self.value(value, registers));
                    registers.insert(name.clone(), value);
                }
                Statement::Set(name, value) => {
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
            _ => i64::from(a >= b),
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
        let pointer = |at: usize| match &arguments[at] {
            Expr::Load(inner) => self.value(inner, registers),
            other => self.value(other, registers),
        };
        let value = |at: usize| self.value(&arguments[at], registers);
        match (arguments.len(), name) {
            (0, _) => self.barrier(name),
            (_, "spin_lock") => spin_lock(&self.cpus, self.lock(value(0))),
            (_, "spin_unlock") => spin_unlock(&self.cpus, self.lock(value(0))),
            (_, "spin_is_locked") => return i64::from(spin_is_locked(self.lock(value(0)))),
            (1, _) => return self.unary(name, self.at(pointer(0))),
            (2, _) => return self.with_value(name, self.at(pointer(0)), value(1)),
            (_, "atomic_add_unless") => {
                return i64::from(atomic_add_unless(self.at(pointer(0)), value(1), value(2)));
            }
            _ => {
                let order = stem(name).1;
                let v = self.at(pointer(0));
                return atomic_cmpxchg_ordered(v, value(1), value(2), order, "cmpxchg");
            }
        }
        0
    }

    fn barrier(&self, name: &str) {
        match name {
            "smp_mb" => smp_mb(),
            "smp_rmb" => smp_rmb(),
            "smp_wmb" => smp_wmb(),
            "smp_mb__before_atomic" => smp_mb__before_atomic(),
            "smp_mb__after_atomic" => smp_mb__after_atomic(),
            "smp_mb__after_spinlock" => smp_mb__after_spinlock(),
            "smp_mb__after_unlock_lock" => smp_mb__after_unlock_lock(),
            "rcu_read_lock" => rcu_read_lock(&self.cpus),
            "rcu_read_unlock" => rcu_read_unlock(&self.cpus),
            "synchronize_rcu" => synchronize_rcu(&self.cpus),
            _ => synchronize_rcu_expedited(&self.cpus),
        }
    }

    fn unary(&self, name: &str, v: &Atomic) -> i64 {
        let (bare, order) = stem(name);
        let add = |n: i64| atomic_fetch_ordered(v, Rmw::Add(n as u64), order, "atomic_fetch_add");
        match bare {
            "READ_ONCE" => READ_ONCE(v.counter()) as i64,
            "rcu_dereference" => rcu_dereference(v.counter()) as i64,
            "smp_load" => smp_load_acquire(v.counter()) as i64,
            "atomic_read" if order == Order::Acquire => smp_load_acquire(v.counter()) as i64,
            "atomic_read" => atomic_read(v),
            "atomic_inc" => self.void(|| atomic_add(1, v)),
            "atomic_dec" => self.void(|| atomic_add(-1, v)),
            "atomic_inc_return" => add(1) + 1,
            "atomic_dec_return" => add(-1) - 1,
            "atomic_fetch_inc" => add(1),
            "atomic_fetch_dec" => add(-1),
            "atomic_inc_and_test" => i64::from(atomic_sub_and_test(-1, v)),
            _ => i64::from(atomic_sub_and_test(1, v)),
        }
    }

    fn with_value(&self, name: &str, v: &Atomic, value: i64) -> i64 {
        let (bare, order) = stem(name);
        let add = |n: i64| atomic_fetch_ordered(v, Rmw::Add(n as u64), order, "atomic_fetch_add");
        match bare {
            "WRITE_ONCE" => self.void(|| WRITE_ONCE(v.counter(), value as u64)),
            "rcu_assign_pointer" => self.void(|| rcu_assign_pointer(v.counter(), value as u64)),
            "smp_store" => self.void(|| smp_store_release(v.counter(), value as u64)),
            "atomic_set" if order == Order::Release => {
                self.void(|| smp_store_release(v.counter(), value as u64))
            }
            "atomic_set" => self.void(|| atomic_set(v, value)),
            "atomic_add" => self.void(|| atomic_add(value, v)),
            "atomic_sub" => self.void(|| atomic_add(-value, v)),
            "atomic_add_return" => add(value) + value,
            "atomic_sub_return" => add(-value) - value,
            "atomic_fetch_add" => add(value),
            "atomic_fetch_sub" => add(-value),
            "atomic_sub_and_test" => i64::from(atomic_sub_and_test(value, v)),
            _ => atomic_fetch_ordered(v, Rmw::Swap(value as u64), order, "xchg"),
        }
    }

    fn void(&self, f: impl FnOnce()) -> i64 {
        f();
        0
    }
}
