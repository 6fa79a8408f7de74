//! Runs a test on the primitives of `selvedge_kernel`, under an engine, and collects final states.
//!
//! Process `i` is a task on CPU `i`. Every data location is an `atomic_t`, whose counter plain and
//! `READ_ONCE` accesses go to; a lock is a lock (`objects.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, Weak};

use selvedge_explore::{Bounds, Engine, Verdict, WorkItems, abilities, explore, unable};
use selvedge_kernel::edits::{self, Edit};
use selvedge_kernel::{
    LOCKS_ARE_UNLOCKED_BY_THEIR_HOLDER, NOBODY_SLEEPS_IN_ATOMIC_CONTEXT, READ_ONCE, Rule, fail,
    join, join_all, spawn_task,
};
use selvedge_trace::Monitor;

use crate::ast::{Condition, Kind, Operand, Process, Test, Value};
use crate::check::{calls, check_block, sets};
use crate::functions::{self, Function};
use crate::gaps::Gap;
use crate::judge::Wanted;
use crate::lex::{Place, SyntaxError};
use crate::machine::{Frame, Machine, POINTERS_POINT};
use crate::objects::Making;

/// A pointer is this plus the number of its location.
pub(crate) const ADDRESSES: i64 = 1 << 40;

pub(crate) type Registers = BTreeMap<String, i64>;

/// A final state: what the condition asks for, by name (`1:r0`, `x`).
pub(crate) type State = BTreeMap<String, i64>;

/// What an engine reached.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The final states that satisfy the filter.
    pub(crate) states: BTreeSet<State>,
    /// The addresses of locations, to compare pointers with.
    pub(crate) addresses: BTreeMap<String, i64>,
    /// How the search ended; `Violated` is a deadlock or a fault.
    pub verdict: Verdict,
    /// What a process did that none may do. Not a deadlock.
    pub fault: Option<Fault>,
    /// How many executions it took.
    pub executions: u64,
}

impl Observed {
    /// The final states that satisfy the filter.
    pub fn states(&self) -> &BTreeSet<BTreeMap<String, i64>> {
        &self.states
    }
}

/// What no process may do, and what came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It followed a pointer that points to no location, or not to one of the kind that it takes.
    WildPointer(String),
    /// It unlocked what it does not hold.
    NotHeld(String),
    /// It waited for a grace period where nobody may sleep: in a read-side critical section, which
    /// the grace period waits for, or with a spinlock held.
    Sleeps(String),
    /// Something else: a primitive says what.
    Other(String),
}

impl Fault {
    fn of(rule: &str, message: &str) -> Fault {
        let what = format!("{rule}: {message}");
        if rule == POINTERS_POINT.0 {
            Fault::WildPointer(what)
        } else if rule == LOCKS_ARE_UNLOCKED_BY_THEIR_HOLDER.0 {
            Fault::NotHeld(what)
        } else if rule == NOBODY_SLEEPS_IN_ATOMIC_CONTEXT.0 {
            Fault::Sleeps(what)
        } else {
            Fault::Other(what)
        }
    }

    /// The word that is printed for it where herd prints `Never` or `Sometimes`.
    pub fn word(&self) -> &'static str {
        match self {
            Fault::WildPointer(_) => "WildPointer",
            Fault::NotHeld(_) => "UnlockNotHeld",
            Fault::Sleeps(_) => "SleepsInAtomic",
            Fault::Other(_) => "Fault",
        }
    }

    /// What was broken, in words.
    pub fn what(&self) -> &str {
        match self {
            Fault::WildPointer(what)
            | Fault::NotHeld(what)
            | Fault::Sleeps(what)
            | Fault::Other(what) => what,
        }
    }
}

/// On what kind of machine a test is run, and with which faults: what the file does not say.
#[derive(Clone, Copy, Default, Debug)]
pub struct Setting {
    /// With CONFIG_PREEMPT_RCU: a reader may be preempted.
    pub preempt_rcu: bool,
    /// All processes are tasks of CPU 0.
    pub one_cpu: bool,
    /// Faults of primitives.
    pub edits: &'static [Edit],
}

/// Runs the test. An unsupported construct is named before anything is run.
pub fn observe(test: &Test, engine: Engine, bounds: &Bounds) -> Result<Observed, SyntaxError> {
    observe_in(&Setting::default(), test, (engine, bounds), Vec::new())
}

/// The same in another setting, with somebody who looks on.
pub fn observe_in(
    setting: &Setting,
    test: &Test,
    (engine, bounds): (Engine, &Bounds),
    monitors: Vec<Box<dyn Monitor>>,
) -> Result<Observed, SyntaxError> {
    let plan = Arc::new(Plan::new(test)?);
    let addresses = plan.addresses();
    let seen: Arc<Mutex<BTreeSet<State>>> = Arc::default();
    let (all, setting) = (seen.clone(), *setting);
    let body = Arc::new(move || {
        let state = plan.run(&setting, &[]);
        all.lock().expect("not poisoned").insert(state);
    });
    let exploration = explore(engine, bounds, monitors, body);
    let at_fault = exploration.counterexample.filter(|cx| cx.blocked.is_empty());
    let states = std::mem::take(&mut *seen.lock().expect("not poisoned"));
    Ok(Observed {
        states,
        addresses,
        verdict: exploration.verdict,
        fault: at_fault.map(|cx| Fault::of(&cx.rule, &cx.message)),
        executions: exploration.executions,
    })
}

const STATE_IS_NOT_REACHED: Rule = Rule("the state that is looked for is not reached");

/// Is a state that answers the test's question reached if these gaps are closed? `Err`: what cut
/// the search short.
pub(crate) fn reaches(
    test: &Test,
    engine: Engine,
    bounds: &Bounds,
    closed: &[Gap],
) -> Result<bool, String> {
    let plan = Arc::new(Plan::new(test).expect("it has been run before"));
    let (addresses, wanted, closed) = (plan.addresses(), Wanted::of(test), closed.to_vec());
    let body = Arc::new(move || {
        if wanted.is_met(&plan.run(&Setting::default(), &closed), &addresses) {
            fail(STATE_IS_NOT_REACHED, "");
        }
    });
    let exploration = explore(engine, bounds, Vec::new(), body);
    match (exploration.counterexample, exploration.verdict) {
        (Some(cx), _) if cx.rule == STATE_IS_NOT_REACHED.0 => Ok(true),
        (Some(cx), _) => Err(cx.rule),
        (None, Verdict::Undecided(why)) => Err(why),
        (None, _) => Ok(false),
    }
}

fn any_calls(test: &Test, is_one: fn(&str) -> bool) -> bool {
    test.processes.iter().any(|process| calls(&process.body, is_one))
}

fn has_signals(name: &str) -> bool {
    name.ends_with("_killable") || name == "send_sigkill" || name == "send_sig"
}

fn sleeps_or_wakes(name: &str) -> bool {
    ["set_current_state", "__set_current_state", "schedule", "wake_up_process"].contains(&name)
}

/// What the registers of each process hold in the end.
type Finals = Arc<Mutex<Vec<Registers>>>;

/// A test whose names are resolved.
pub(crate) struct Plan {
    pub(crate) locations: Vec<(String, Kind, i64)>,
    pub(crate) processes: Vec<Process>,
    /// The registers that each process uses.
    used: Vec<BTreeSet<String>>,
    /// What the registers of each process hold at first.
    first: Vec<Registers>,
    pub(crate) making: Making,
    /// The processes that nobody runs until a call names them.
    functions: BTreeSet<usize>,
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
            used: test.processes.iter().map(Process::used).collect(),
            first: vec![Registers::new(); test.processes.len()],
            making: Making {
                asks_locks: any_calls(test, |name| name == "spin_is_locked"),
                has_signals: any_calls(test, has_signals),
                has_tasks: any_calls(test, |name| has_signals(name) || sleeps_or_wakes(name)),
                has_rcu_barrier: any_calls(test, |name| name == "rcu_barrier"),
                has_cancellation: any_calls(test, |name| name == "cancel_work_sync"),
            },
            functions: functions::named(&test.processes),
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
        plan.check_registers()?;
        Ok(plan)
    }

    /// A register that is misspelt would be 0 for ever, and the verdict about something else.
    fn check_registers(&self) -> Result<(), SyntaxError> {
        for (process, register) in &self.registers {
            let is_set = self.processes.get(*process).is_some_and(|p| sets(&p.body, register))
                || self.first.get(*process).is_some_and(|first| first.contains_key(register));
            if !is_set {
                let message = format!("no process sets `{process}:{register}`");
                return Err(SyntaxError::new(Place::default(), message));
            }
        }
        Ok(())
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
        match operand {
            Operand::Number(_) => {}
            Operand::Address(name) => {
                self.location(name);
            }
            Operand::Register(process, register) => {
                self.registers.insert((*process, register.clone()));
            }
        }
    }

    fn addresses(&self) -> BTreeMap<String, i64> {
        let names = self.locations.iter().enumerate();
        names.map(|(at, (name, ..))| (name.clone(), ADDRESSES + at as i64)).collect()
    }

    /// One execution, with these gaps closed: the final state.
    fn run(self: &Arc<Plan>, setting: &Setting, closed: &[Gap]) -> State {
        if !self.functions.is_empty() && abilities().work == WorkItems::AtFlush {
            unable("functions that others run later, and this engine has no tasks for them");
        }
        edits::install(setting.edits);
        let finals: Finals = Arc::new(Mutex::new(self.first.clone()));
        let machine = Arc::new_cyclic(|machine: &Weak<Machine>| {
            let function = |&process: &usize| {
                let (plan, finals, machine) = (self.clone(), finals.clone(), machine.clone());
                let run = move || {
                    let machine = machine.upgrade().expect("it is there as long as tasks run");
                    plan.process(process, &machine, &finals);
                };
                let is_cancelled = self.making.has_cancellation;
                (process, Function::new(process, is_cancelled, Arc::new(run)))
            };
            let functions = self.functions.iter().map(function).collect();
            Machine::new(self, setting, closed, functions)
        });
        let is_task = |process: &usize| !self.functions.contains(process);
        let tasks: Vec<usize> = (0..self.processes.len())
            .filter(is_task)
            .map(|process| {
                let (plan, machine, finals) = (self.clone(), machine.clone(), finals.clone());
                let (cpus, cpu) = (machine.cpus.clone(), if setting.one_cpu { 0 } else { process });
                spawn_task(&cpus, cpu, &format!("P{process}"), move || {
                    plan.process(process, &machine, &finals);
                })
            })
            .collect();
        tasks.into_iter().for_each(join);
        if !self.functions.is_empty() {
            join_all();
        }
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

    /// What a process does, by a task.
    fn process(&self, process: usize, machine: &Machine, finals: &Finals) {
        let first = self.first[process].clone();
        let mut frame = Frame::new(process, first, &self.used[process]);
        machine.block(&self.processes[process].body, &mut frame);
        finals.lock().expect("not poisoned")[process] = frame.registers;
    }
}
