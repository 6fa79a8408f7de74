//! Execution graphs as an engine: our crate `graph`, under the kernel's own memory model, or under
//! sequential consistency.
//!
//! Each step is one operation of that crate, a barrier excepted, which is none; what was read comes
//! back as the reply. The tasks run again from the start for each graph, in the best order that the
//! execution has, and the record is of that order. Where that cannot be, the record is put into it
//! when the execution is over (`arrange.rs`).
//!
//! What excludes others on one CPU (preemption or interrupts off) is taken like a lock, as under
//! loom, but does not order what third parties see. Steps outside of such a region are not kept
//! from running beside it: that adds executions that a CPU does not have, and takes none away.
//! Between tasks of one CPU a context switch orders as much as this does. Interrupts are in
//! `exclusion.rs`.
//!
//! A word is a word: that two steps are about different bits of it does not make them independent,
//! nor do updates of which nobody sees the result commute.

mod arrange;
mod exclusion;
mod search;

use std::cell::RefCell;
use std::sync::{Arc, OnceLock};

use graph::Fence;
use selvedge_trace::{Name, Order};

use crate::MemoryModel;
use crate::machine::{Abilities, By, Interrupts, Machine, New, Passes, Start, WorkItems, run_task};
use crate::record::{self, TASKS_MAX};
use crate::step::{Does, If, Intent, Rmw, Step, Took, With};

use exclusion::Exclusions;
pub(crate) use search::explore;

/// The machine of the engines `graph` and `graph-sc`.
pub(crate) struct Graph(MemoryModel);

/// The kernel's memory model.
pub(crate) static GRAPH: Graph = Graph(MemoryModel::Lkmm);
/// Sequential consistency.
pub(crate) static GRAPH_SC: Graph = Graph(MemoryModel::Sc);

/// The objects and tasks of the execution that runs on this thread.
#[derive(Default)]
struct State {
    objects: Vec<Object>,
    /// What an execution begins with, if its set-up is known.
    set_up: Vec<Object>,
    /// Of each task, the one of the graph that it is.
    tasks: Vec<graph::Task>,
    /// How many events there were when the scenario first gave up.
    given_up: Option<usize>,
    exclusions: Exclusions,
}

#[derive(Clone, Copy)]
enum Object {
    /// `newest`: what was written last in the order in which the tasks run.
    Word {
        word: graph::Word,
        newest: u64,
    },
    Lock {
        lock: graph::Lock,
        holder: Option<usize>,
    },
    Token(graph::Word),
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// The message of a failure that is ours: what is wrong is recorded.
const GIVEN_UP: &str = "the scenario has given up";

fn with<R>(f: impl FnOnce(&mut State) -> R) -> R {
    STATE.with_borrow_mut(f)
}

fn object(number: u32) -> Object {
    with(|state| state.objects[number as usize])
}

fn word(number: u32) -> graph::Word {
    match object(number) {
        Object::Word { word, .. } => word,
        Object::Lock { .. } | Object::Token(_) => unreachable!("object {number} is a word"),
    }
}

fn lock(number: u32) -> graph::Lock {
    match object(number) {
        Object::Lock { lock, .. } => lock,
        Object::Word { .. } | Object::Token(_) => unreachable!("object {number} is a lock"),
    }
}

fn token(number: u32) -> graph::Word {
    match object(number) {
        Object::Token(word) => word,
        Object::Word { .. } | Object::Lock { .. } => unreachable!("object {number} is a token"),
    }
}

impl Object {
    fn of(new: New) -> Object {
        match new {
            New::Word(value) => Object::Word { word: graph::Word::new(value), newest: value },
            New::Lock => Object::Lock { lock: graph::Lock::new(), holder: None },
            New::Token => Object::Token(graph::Word::new(0)),
        }
    }
}

impl Machine for Graph {
    fn abilities(&self) -> Abilities {
        Abilities {
            memory: self.0,
            steps_pass_locks: false,
            interrupts: Interrupts::AtAnyStep,
            work: WorkItems::AsTasks,
            updates_if_in_one_step: true,
            locks_are_words: true,
            tries_locks: true,
            waits_for_values: true,
            foreign: false,
            waits_first: false,
            tasks_max: TASKS_MAX,
        }
    }

    fn begin_execution(&self) {
        with(|state| {
            state.objects.clear();
            state.tasks.clear();
            state.given_up = None;
            state.exclusions.begin_execution(state.exclusions.are_there);
        });
    }

    fn steps_in_common(&self) -> usize {
        graph::steps_in_common()
    }

    fn steps_taken(&self) -> usize {
        graph::steps_taken()
    }

    fn make(&self, _object: u32, _name: Name, new: New) {
        with(|state| state.objects.push(Object::of(new)));
    }

    fn keep_made(&self) -> bool {
        with(|state| state.set_up.clone_from(&state.objects));
        true
    }

    /// Each is one word of the graph.
    fn make_again(&self) {
        with(|state| state.objects.extend_from_slice(&state.set_up));
        graph::Word::make_again(with(|state| state.set_up.len()));
    }

    /// Where there are interrupts, a step may be more than one operation.
    fn take_again(&self, task: usize, _: &Passes, step: &Step, took: &mut Took) -> bool {
        if with(|state| state.exclusions.are_there) {
            return false;
        }
        if let Does::Fence(with) = step.does {
            *took = barrier(task, step.order, with);
            return true;
        }
        let again = operation_again(task, step);
        if let Some(again) = again {
            *took = Took { stale: graph::is_stale(), ..again };
        }
        again.is_some()
    }

    fn take(&self, by: &By, step: &Step) -> Took {
        exclusion::within(by, step, || {
            let took = operation(by, step);
            let is_operation = !matches!(step.does, Does::Fence(_));
            Took { stale: is_operation && graph::is_stale(), ..took }
        })
    }

    fn start(&self, by: &By, task: Start<'_>) -> Took {
        let Start { name, place, body } = task;
        if exclusion::is_unknown(&place) {
            self.give_up();
        }
        with(|state| state.exclusions.count(by.task, false));
        // Its number is known when this step has been taken, which is before the body runs.
        let number: Arc<OnceLock<usize>> = Arc::default();
        let known = number.clone();
        let spawned = graph::spawn(move || {
            let task = *known.get().expect("a task begins after the step that starts it");
            exclusion::run_handler(task, place, || run_task(task, body));
        });
        let task = record::with(|record| record.add_task(name, place, by.task));
        number.get_or_init(|| task);
        with(|state| {
            // Main, which nobody starts, is number 0 in both.
            state.tasks.resize(task, graph::Task::MAIN);
            state.tasks.push(spawned);
        });
        Took::gave(task as u64)
    }

    fn only_read(&self, _bits: u64) {
        unreachable!("there is no foreign memory here: see abilities()");
    }

    fn newest(&self, number: u32) -> u64 {
        match object(number) {
            Object::Word { newest, .. } if graph::keeps_coherence() => newest,
            _ => word(number).peek(),
        }
    }

    fn holder(&self, number: u32) -> Option<usize> {
        match object(number) {
            Object::Lock { holder, .. } => holder,
            Object::Word { .. } | Object::Token(_) => unreachable!("object {number} is a lock"),
        }
    }

    /// The others go on in any case: whether an execution is one is known at its end.
    fn stand_still(&self) -> ! {
        self.give_up()
    }

    fn give_up(&self) -> ! {
        let events = record::with(|record| record.events().len());
        with(|state| state.given_up.get_or_insert(events).to_owned());
        graph::fail(GIVEN_UP)
    }
}

/// The operation that a step is. A barrier is none.
fn operation(by: &By, step: &Step) -> Took {
    match step.does {
        Does::Load => Took::read(any_word(step.object).load(load_strength(step))),
        Does::Store(value) => {
            word(step.object).store(value, store_strength(step));
            stored(step.object, value)
        }
        Does::Update { change, looks } => update(step, change, looks),
        Does::UpdateIf { condition, change } => update_if(step, condition, change),
        Does::Await { until, change } => wait_for(step, until, change),
        Does::Foreign(_) => unreachable!("there is no foreign memory here: see abilities()"),
        Does::Fence(with) => barrier(by.task, step.order, with),
        Does::Lock { orders_others } => {
            let lock = lock(step.object);
            if orders_others {
                lock.lock()
            } else {
                lock.enter()
            }
            hold(step.object, Some(by.task))
        }
        Does::TryLock { .. } => {
            let taken = lock(step.object).try_lock();
            tried(step.object, taken, by.task)
        }
        Does::Unlock { orders_others } => {
            let lock = lock(step.object);
            if orders_others {
                lock.unlock()
            } else {
                lock.leave()
            }
            hold(step.object, None)
        }
        Does::Wait { consume: true } => {
            token(step.object).wait_update(graph::Rmw::Acquire, |set| (set != 0).then_some(0));
            Took::default()
        }
        Does::Wait { consume: false } => {
            token(step.object).wait(graph::Load::Acquire, |set| set != 0);
            Took::default()
        }
        // An exchange, so that who waits is ordered after all wake-ups before the last one.
        Does::Wake => {
            token(step.object).swap(1, graph::Rmw::Release);
            Took::default()
        }
        Does::Spawn => unreachable!("a task is started with a body"),
        Does::Join(task) => {
            with(|state| state.tasks[task]).join();
            Took::gave(task as u64)
        }
        Does::Choose(alternatives) => Took::gave(u64::from(graph::choose(alternatives))),
    }
}

/// The same, of those that are most frequent, if it is known that this happens next. `None`:
/// nothing has happened.
fn operation_again(task: usize, step: &Step) -> Option<Took> {
    let took = match step.does {
        Does::Load => Took::read(any_word(step.object).read_again()?),
        Does::Store(value) => {
            word(step.object).write_again(value).then(|| stored(step.object, value))?
        }
        Does::Update { change, .. } => {
            let old = word(step.object).update_again()?;
            updated(step.object, change, old.unwrap_or_else(|old| old))
        }
        Does::UpdateIf { change, .. } => {
            updated_if(step.object, change, word(step.object).update_again()?)
        }
        Does::Lock { .. } | Does::TryLock { .. } => {
            let taken = lock(step.object).word().update_again()?.is_ok();
            tried(step.object, taken, task)
        }
        Does::Unlock { .. } => {
            let word = lock(step.object).word();
            word.write_again(0).then(|| hold(step.object, None))?
        }
        _ => return None,
    };
    Some(took)
}

/// What a read may be of.
fn any_word(number: u32) -> graph::Word {
    match object(number) {
        Object::Lock { lock, .. } => lock.word(),
        Object::Word { word, .. } | Object::Token(word) => word,
    }
}

/// The word holds this now.
fn stored(number: u32, value: u64) -> Took {
    let before = put(number, value);
    Took::wrote(graph::replaced().unwrap_or(before), value)
}

/// It held `old`, and holds now what the change makes of that.
fn updated(number: u32, change: Rmw, old: u64) -> Took {
    put(number, change.apply(old));
    Took::wrote(old, change.apply(old))
}

/// The same, if the update has happened.
fn updated_if(number: u32, change: Rmw, outcome: Result<u64, u64>) -> Took {
    match outcome {
        Ok(old) => updated(number, change, old),
        Err(old) => Took { failed: true, ..Took::read(old) },
    }
}

/// A task has tried to take a lock.
fn tried(number: u32, taken: bool, task: usize) -> Took {
    if taken {
        hold(number, Some(task));
    }
    Took { failed: !taken, ..Took::default() }
}

/// Notes what a word holds now; returns what it held before.
fn put(number: u32, value: u64) -> u64 {
    with(|state| match &mut state.objects[number as usize] {
        Object::Word { newest, .. } => std::mem::replace(newest, value),
        Object::Lock { .. } | Object::Token(_) => unreachable!("object {number} is a word"),
    })
}

fn hold(number: u32, by: Option<usize>) -> Took {
    with(|state| {
        if let Object::Lock { holder, .. } = &mut state.objects[number as usize] {
            *holder = by;
        }
    });
    Took::default()
}

/// An access that is meant to race is marked here: it takes part in no race that is reported.
fn load_strength(step: &Step) -> graph::Load {
    match (step.intent, step.order) {
        (Intent::Plain, _) => graph::Load::Plain,
        (_, Order::Relaxed | Order::Release) => graph::Load::Relaxed,
        (_, Order::Acquire | Order::Full) => graph::Load::Acquire,
    }
}

fn store_strength(step: &Step) -> graph::Store {
    match (step.intent, step.order) {
        (Intent::Plain, _) => graph::Store::Plain,
        (_, Order::Relaxed | Order::Acquire) => graph::Store::Relaxed,
        (_, Order::Release | Order::Full) => graph::Store::Release,
    }
}

fn strength(order: Order) -> graph::Rmw {
    match order {
        Order::Relaxed => graph::Rmw::Relaxed,
        Order::Acquire => graph::Rmw::Acquire,
        Order::Release => graph::Rmw::Release,
        Order::Full => graph::Rmw::Full,
    }
}

fn update(step: &Step, change: Rmw, looks: bool) -> Took {
    let (word, strength) = (word(step.object), strength(step.order));
    let old = match change {
        _ if !looks => word.update_void(strength, move |old| change.apply(old)),
        Rmw::Add(value) => word.fetch_add(value, strength),
        Rmw::Swap(value) => word.swap(value, strength),
        Rmw::Or(_) | Rmw::And(_) | Rmw::Xor(_) => word
            .update(strength, move |old| Some(change.apply(old)))
            .expect("such an update always happens"),
    };
    updated(step.object, change, old)
}

/// Waits until the word has such a value, and changes it if that is asked.
fn wait_for(step: &Step, until: If, change: Option<Rmw>) -> Took {
    let word = word(step.object);
    let Some(change) = change else {
        return Took::read(word.wait(load_strength(step), move |seen| until.is_met(seen)));
    };
    let to = move |seen| until.is_met(seen).then(|| change.apply(seen));
    let old = word.wait_update(strength(step.order), to);
    updated(step.object, change, old)
}

fn update_if(step: &Step, condition: If, change: Rmw) -> Took {
    let (word, strength) = (word(step.object), strength(step.order));
    let outcome = match (condition, change) {
        (If::Equals(old), Rmw::Swap(new)) => word.compare_exchange(old, new, strength),
        _ => word.update(strength, move |old| condition.is_met(old).then(|| change.apply(old))),
    };
    updated_if(step.object, change, outcome)
}

fn barrier(task: usize, order: Order, with: With) -> Took {
    let fence = match (order, with) {
        (Order::Relaxed, With::Branch) => Fence::Control,
        (Order::Relaxed, With::Address) if exclusion::keep_address(task) => return Took::default(),
        (Order::Relaxed, With::Address) => Fence::Address,
        (Order::Relaxed, _) => return Took::default(),
        (Order::Acquire, _) => Fence::Read,
        (Order::Release, _) => Fence::Write,
        (Order::Full, With::Nothing | With::Branch | With::Address) => Fence::Full,
        (Order::Full, With::NextUpdate) => Fence::BeforeAtomic,
        (Order::Full, With::LastUpdate) => Fence::AfterAtomic,
        (Order::Full, With::LastLock) => Fence::AfterLock,
        (Order::Full, With::UnlockAndLock) => Fence::AfterUnlockLock,
    };
    graph::fence(fence);
    Took::default()
}
