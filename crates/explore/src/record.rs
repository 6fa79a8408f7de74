//! What is recorded of the execution that runs on this thread: its tasks, its events, what is
//! wrong.
//!
//! All engines run the tasks of a scenario as coroutines of one operating-system thread, so that a
//! thread-local is shared by all tasks and by nobody else. It is borrowed for an instant only,
//! never across a step.
//!
//! Which task may go on, and who holds which lock, is the machine's business and not known here.

mod asked;
mod counts;
mod events;
mod past;
mod rounds;
mod set_up;
mod tasks;

use std::cell::RefCell;
use std::hash::{Hash, Hasher};

use selvedge_trace::{
    Action, Context, End, Event, Execution, Finding, Name, Paths, Rule, Spin, TaskInfo, spin,
};
use tracing::level_filters::LevelFilter;

use crate::edits;
use crate::machine::{self, By, Machine};
use crate::private;
use crate::state::Shared;
use crate::step::{Does, Intent, Role, Step, Took};
use crate::task::Stop;
use crate::{Bounds, Engine, Place};

pub(crate) use asked::{Asked, Hashes, Key, Order, hash_of, tasks_of};
use events::Events;
pub(crate) use past::{Past, Pasts};
use rounds::Rounds;
use set_up::SetUp;
use tasks::{Pending, TaskRecord};
pub(crate) use tasks::{TASKS_MAX, Within};

/// Whether the edits of the execution still have a say about a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Edits {
    AreAsked,
    AreDone,
}

/// How an execution ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    /// Every task returned, or the scenario stopped it with a finding.
    Complete,
    Deadlock,
    /// It was given up somewhere: the end of it is not that of the scenario.
    Cut,
    /// Who could have gone on stands still (`rounds.rs`): likewise.
    Unfair,
}

pub(crate) struct Record {
    pub(crate) machine: &'static dyn Machine,
    pub(crate) tasks: Vec<TaskRecord>,
    current: usize,
    objects: u32,
    calls: u32,
    pub(crate) edits: edits::State,
    events: Events,
    paths: Paths,
    /// The states that the execution has reached.
    reached: Vec<&'static str>,
    finding: Option<Finding>,
    /// Who stands still at the end and would wake whom ([`Record::settle`]).
    pub(crate) wakes_on: Option<String>,
    steps: usize,
    steps_max: usize,
    keeps_going: bool,
    /// The one rule that is looked for, if not all are.
    wanted: Option<Rule>,
    stopped: Option<Stop>,
    /// What has been put off and must be done before the execution ends, by object.
    put_off: Vec<(u32, String)>,
    /// Kept only for a search that compares states.
    pub(crate) shared: Option<Shared>,
    /// Kept only for a search in which loops are bounded.
    rounds: Option<Rounds>,
    /// Set only for a search that asks for orders of steps.
    asked: Option<Asked>,
    /// Is somebody told of each step: one of the last three, or who reads along?
    is_watched: bool,
    /// The tasks, by number, and after them those of earlier executions: names are not made anew.
    infos: Vec<TaskInfo>,
    /// What the scenario has built, to be used again.
    set_up: Option<SetUp>,
    reuses_set_ups: bool,
}

impl Record {
    fn new(engine: Engine) -> Record {
        Record {
            machine: machine::of(engine),
            tasks: Vec::new(),
            current: 0,
            objects: 0,
            calls: 0,
            edits: edits::State::default(),
            events: Events::default(),
            paths: Paths::default(),
            reached: Vec::new(),
            finding: None,
            wakes_on: None,
            steps: 0,
            steps_max: 0,
            keeps_going: false,
            wanted: None,
            stopped: None,
            put_off: Vec::new(),
            shared: None,
            rounds: None,
            asked: None,
            is_watched: false,
            infos: Vec::new(),
            set_up: None,
            reuses_set_ups: false,
        }
    }
}

thread_local! {
    static RECORD: RefCell<Record> = RefCell::new(Record::new(Engine::Dpor));
}

pub(crate) fn with<R>(f: impl FnOnce(&mut Record) -> R) -> R {
    RECORD.with_borrow_mut(f)
}

/// Begins a search on this thread.
pub(crate) fn begin_search(engine: Engine, bounds: &Bounds) {
    let new = Record {
        steps_max: bounds.steps_max,
        keeps_going: bounds.keep_going,
        wanted: bounds.rule.filter(|_| engine != Engine::Loom),
        shared: bounds.compares_states(engine).then(Shared::default),
        rounds: bounds.loops.clone().map(Rounds::of),
        ..Record::new(engine)
    };
    // What the last search has kept is dropped when the record is not borrowed any more.
    let last = with(|record| std::mem::replace(record, new));
    drop(last);
}

/// Forgets the last execution. To be called on the main task before the scenario.
pub(crate) fn begin_execution() {
    private::begin_execution();
    let machine = with(|record| {
        record.events.begin(record.machine.steps_in_common());
        record.tasks.clear();
        record.reached.clear();
        record.finding = None;
        record.wakes_on = None;
        record.stopped = None;
        record.put_off.clear();
        record.steps = 0;
        record.objects = 0;
        record.calls = 0;
        record.edits = edits::State::default();
        record.current = 0;
        if let Some(shared) = &mut record.shared {
            shared.forget();
        }
        if let Some(rounds) = &mut record.rounds {
            rounds.forget();
        }
        if let Some(asked) = &mut record.asked {
            asked.forget();
        }
        record.is_watched = record.shared.is_some()
            || record.rounds.is_some()
            || record.asked.is_some()
            || LevelFilter::current() >= LevelFilter::TRACE;
        let place = Place { cpu: None, context: Context::Task, passes: [None, None] };
        record.add_task("main", place, 0);
        record.machine
    });
    machine.begin_execution();
}

impl Record {
    pub(crate) fn new_object(&mut self) -> u32 {
        self.objects += 1;
        self.objects - 1
    }

    /// How many objects were made.
    pub(crate) fn objects(&self) -> u32 {
        self.objects
    }

    /// The number of the task that runs.
    pub(crate) fn current(&self) -> usize {
        self.current
    }

    pub(crate) fn me(&self) -> &TaskRecord {
        &self.tasks[self.current]
    }

    pub(crate) fn me_mut(&mut self) -> &mut TaskRecord {
        &mut self.tasks[self.current]
    }

    /// From now on this task runs.
    pub(crate) fn resume(&mut self, task: usize) {
        self.current = task;
    }

    /// From now on asks for orders of steps, in this search.
    pub(crate) fn ask(&mut self, asked: Asked) {
        self.asked = Some(asked);
        self.is_watched = true;
    }

    /// Does the execution not keep what is asked of it?
    pub(crate) fn is_astray(&self) -> bool {
        self.asked.as_ref().is_some_and(Asked::is_astray)
    }

    /// Has the execution more steps than allowed? A scenario that spins never ends by itself.
    pub(crate) fn is_too_long(&self) -> bool {
        self.steps > self.steps_max
    }

    /// A step that an edit has left out counts, lest who spins on it spin for ever.
    pub(crate) fn left_out(&mut self) {
        self.steps += 1;
    }

    /// Takes a step of the current task that an execution before has taken and recorded here, if
    /// the task goes on at once: then says what came of it (`took`). `false`: it is to be
    /// announced, and is not taken.
    #[inline(always)]
    pub(crate) fn take_again(&mut self, step: &Step, took: &mut Took) -> bool {
        if self.is_watched || self.is_too_long() || self.edits.is_some() {
            return false;
        }
        let task = self.current;
        let me = &self.tasks[task];
        let is_known = self.events.known().is_some_and(|event| me.is_at(task, step, event));
        if !is_known || !self.machine.take_again(task, &me.passes, step, took) {
            return false;
        }
        self.steps += 1;
        if !self.events.repeat(|event| took.is_as(event.old, event.new, step)) {
            self.add_step(task, step, took);
        }
        true
    }

    /// Notes what the current task is about to do, and says who that is (`by`) and what takes the
    /// step. `None`: there are too many steps, the task stands still, the execution does not keep
    /// what is asked of it, or edits must be asked first.
    #[inline(always)]
    pub(crate) fn announce(
        &mut self,
        step: &Step,
        edits: Edits,
        by: &mut By,
    ) -> Option<&'static dyn Machine> {
        if self.is_too_long()
            || self.is_astray()
            || (edits == Edits::AreAsked && self.edits.is_some())
        {
            return None;
        }
        let me = &mut self.tasks[self.current];
        *by = By { task: self.current, passes: me.passes };
        me.pending = Some(Pending {
            primitive: step.primitive,
            object: step.object,
            name: step.name,
            end_of: match step.does {
                Does::Join(other) => Some(other as u8),
                _ => None,
            },
            spins: step.role == Role::Spins,
        });
        if self.rounds.is_some() && self.stands_still_before(step) {
            return None;
        }
        Some(self.machine)
    }

    /// The task has taken its step, and goes on.
    #[inline(always)]
    pub(crate) fn took(&mut self, task: usize, step: &Step, took: &Took) {
        self.current = task;
        if let Does::Join(other) = step.does {
            self.tasks[task].ended |= 1 << other | self.tasks[other].ended;
        }
        self.steps += 1;
        if self.is_watched {
            self.tell_of(task, step, took);
        }
        let me = &self.tasks[task];
        let is_it = |e: &Event| me.is_at(task, step, e) && took.is_as(e.old, e.new, step);
        if !self.events.repeat(is_it) {
            self.add_step(task, step, took);
        }
        if self.is_watched {
            self.tell_of_last();
        }
    }

    /// Tells who is told of each step, before it is recorded.
    #[cold]
    fn tell_of(&mut self, task: usize, step: &Step, took: &Took) {
        if let Some(rounds) = &mut self.rounds {
            rounds.took(task, step, self.events.happened().len());
        }
        if let Some(shared) = &mut self.shared {
            shared.took(step.object, step.action(took));
        }
    }

    /// The same when it has been recorded.
    #[cold]
    fn tell_of_last(&mut self) {
        if let (Some(asked), Some(event)) = (&mut self.asked, self.events.happened().last()) {
            asked.took(event, &self.paths, &self.infos[..self.tasks.len()]);
        }
        if LevelFilter::current() >= LevelFilter::TRACE {
            self.trace();
        }
    }

    /// Records a step that no execution before this one has taken here.
    #[inline(never)]
    fn add_step(&mut self, task: usize, step: &Step, took: &Took) {
        self.events.count_steps(self.machine.steps_taken());
        // What is not only copied comes first.
        let (action, touch) = (step.action(took), step.touch(took));
        let name = match step.does {
            Does::Spawn => Name::new("task").nth(took.new as usize),
            Does::Join(other) => Name::new("task").nth(other),
            _ => step.name,
        };
        let me = &self.tasks[task];
        self.events.push(Event {
            task: task as u8,
            cpu: me.cpu,
            context: me.context,
            path: me.path,
            call: me.call,
            action,
            primitive: step.primitive,
            object: step.object,
            name,
            class: step.class,
            bit: step.bit,
            order: step.order,
            old: took.old,
            new: took.new,
            stale: took.stale,
            racy: step.intent == Intent::Racy,
            at: me.at,
            in_waker: me.in_waker,
            touch,
        });
    }

    /// What the step that was taken last found. Returns the place of its event.
    pub(crate) fn looked(&mut self, old: u64) -> usize {
        let last = self.events.happened().len() - 1;
        let event = self.events.complete(last);
        (event.old, event.new) = (old, old);
        last
    }

    /// What it left. An update that left what was there did not happen.
    pub(crate) fn settled(&mut self, event: usize, new: u64, left_alone: bool) {
        let event = self.events.complete(event);
        event.new = new;
        if left_alone && event.action == Action::Update {
            event.action = Action::UpdateFailed;
        }
    }

    /// The events so far.
    pub(crate) fn events(&self) -> &[Event] {
        self.events.happened()
    }

    /// The last step of the task: `two: spin_lock(q->lock) in folio_wake_bit()`.
    pub(crate) fn last_step_of(&self, task: usize) -> Option<String> {
        let is_it = |event: &&Event| usize::from(event.task) == task && !event.action.is_note();
        let event = self.events().iter().rev().find(is_it)?;
        let within = self.paths.innermost(event.path).map(|function| format!(" in {function}()"));
        let (who, within) = (&self.infos[task].name, within.unwrap_or_default());
        Some(format!("{who}: {}({}){within}", event.primitive, event.name))
    }

    /// Shows the events, and the place among them of the one that broke a rule, to a machine that
    /// knows their order only when the execution is over, and arranges them.
    pub(crate) fn arrange(&mut self, by: impl FnOnce(&mut Vec<Event>, Option<&mut usize>)) {
        let fatal = self.finding.as_mut().and_then(|finding| finding.event.as_mut());
        self.events.arrange(|events| by(events, fatal));
    }

    /// Shows the last event to who reads along (`--log`).
    #[cold]
    fn trace(&self) {
        if !tracing::enabled!(target: "selvedge::gate", tracing::Level::TRACE) {
            return;
        }
        let Some(event) = self.events.happened().last() else { return };
        tracing::trace!(
            target: "selvedge::gate",
            task = event.task,
            cpu = event.cpu,
            function = self.paths.innermost(event.path),
            primitive = event.primitive,
            object = %event.name,
            old = event.old,
            new = event.new,
        );
    }

    /// Records a remark: no step.
    pub(crate) fn note(&mut self, action: Action, object: u32, name: Name) {
        if self.edits.is_some() && self.was_never_taken(action, object) {
            return;
        }
        if let Action::Mark(state) = action {
            self.reached.push(state);
        }
        if let Some(shared) = &mut self.shared {
            shared.book(self.current, object, action);
        }
        let me = &self.tasks[self.current];
        let is_it = |known: &Event| {
            known.task == self.current as u8
                && known.object == object
                && known.path == me.path
                && known.call == me.call
                && known.action == action
        };
        if self.events.repeat(is_it) {
            return;
        }
        self.events.count_steps(self.machine.steps_taken());
        let event = Event {
            cpu: me.cpu,
            context: me.context,
            path: me.path,
            call: me.call,
            name,
            at: me.at,
            in_waker: me.in_waker,
            ..Event::of(self.current as u8, action, object)
        };
        self.events.push(event);
    }

    /// Takes back the last remarks, if they say that references to the object were put: those that
    /// the step is for that the current task was about to take.
    pub(crate) fn take_back_puts(&mut self, object: u32) {
        let last = |events: &[Event]| match events.last() {
            Some(event) if event.object == object => match event.action {
                Action::Put(holder) => Some(holder),
                _ => None,
            },
            _ => None,
        };
        while let Some(holder) = last(self.events.happened()) {
            self.events.take_back();
            if let Some(shared) = &mut self.shared {
                shared.book(self.current, object, Action::Get(holder));
            }
        }
    }

    /// Says that a rule is broken, by the last event unless `object` says what is wrong: then by
    /// the event that changed it last.
    pub(crate) fn broke(&mut self, rule: Rule, message: String, object: Option<u32>) {
        use Action::{PlainWrite, Update, Write};
        let events = self.events.happened();
        let event = match object {
            None => events.len().checked_sub(1),
            Some(object) => events.iter().rposition(|e| {
                e.object == object
                    && matches!(e.action, Write | PlainWrite | Update)
                    && e.old != e.new
            }),
        };
        self.finding.get_or_insert(Finding { rule, message, event });
    }

    /// Something is put off that must be done before the execution ends; `why` says what it means
    /// if it is not.
    pub(crate) fn put_off(&mut self, object: u32, why: String) {
        self.put_off.retain(|(other, _)| *other != object);
        self.put_off.push((object, why));
    }

    /// It has been done.
    pub(crate) fn made_up(&mut self, object: u32) {
        self.put_off.retain(|(other, _)| *other != object);
    }

    /// Hashes what is still to be done.
    pub(crate) fn hash_put_off(&self, hash: &mut impl Hasher) {
        self.put_off.hash(hash);
    }

    /// The first of what has been put off and not been done.
    pub(crate) fn still_put_off(&self) -> Option<&str> {
        self.put_off.first().map(|(_, why)| why.as_str())
    }

    /// The current task ends the execution for this reason. True: it must not, but stand still, so
    /// that the search goes on after a violation.
    pub(crate) fn stops(&mut self, why: Stop) -> bool {
        let is_other = self
            .wanted
            .is_some_and(|wanted| self.finding.as_ref().is_some_and(|found| found.rule != wanted));
        let stands_still = (self.keeps_going || is_other) && why == Stop::Failed;
        if !stands_still {
            self.stopped = Some(why);
        }
        stands_still
    }

    /// The one rule that is looked for, if not all are.
    pub(crate) fn wanted(&self) -> Option<Rule> {
        self.wanted
    }

    /// What stopped the execution, if it stopped itself.
    pub(crate) fn take_stop(&mut self) -> Option<Stop> {
        self.stopped.take()
    }

    /// The states that the execution has reached.
    pub(crate) fn reached(&self) -> &[&'static str] {
        &self.reached
    }

    /// The loop that the execution goes round at its end, if it does.
    pub(crate) fn spins(&self) -> Option<Spin> {
        let tasks = &self.infos[..self.tasks.len()];
        spin(self.events.happened(), &self.paths, tasks, &self.waiting())
    }

    /// The execution is about to be shown to somebody whom the execution of this number was shown
    /// to last. Returns that of this one, and with how many events both begin.
    pub(crate) fn shows(&mut self, before: u64) -> (u64, usize) {
        let now = private::execution();
        (now, self.events.shown(now, before))
    }

    /// Shows the execution that runs.
    pub(crate) fn so_far(&self, look: impl FnOnce(&Execution<'_>)) {
        look(&Execution {
            events: self.events.happened(),
            paths: &self.paths,
            tasks: &self.infos[..self.tasks.len()],
            end: &End::Stopped,
        });
    }

    /// Shows the execution that has just ended, how many steps it had, and what the scenario itself
    /// found wrong with it.
    pub(crate) fn show<R>(
        &mut self,
        ended: Ended,
        look: impl FnOnce(&Execution<'_>, usize, Option<Finding>) -> R,
    ) -> R {
        let end = match () {
            () if self.finding.is_some() => End::Stopped,
            () if matches!(ended, Ended::Cut | Ended::Unfair) => End::Stopped,
            () if ended == Ended::Deadlock => End::Deadlock(self.waiting()),
            () => End::Complete,
        };
        let execution = Execution {
            events: self.events.happened(),
            paths: &self.paths,
            tasks: &self.infos[..self.tasks.len()],
            end: &end,
        };
        look(&execution, self.steps, self.finding.take())
    }
}
