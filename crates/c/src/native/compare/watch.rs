//! Looks at executions, of the models or of C, and keeps what each call of each function did.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

use selvedge_trace::{Action, End, Event, Execution, Finding, Monitor, Name, PathId, Paths};

use super::OURS;
use super::item::{Id, Item, Kind};
use super::words::{Side, Words};

/// What a function did in a call.
pub type Behaviour = Vec<Item>;

/// What was seen of one side in all executions of a scenario.
#[derive(Default)]
pub struct Seen {
    /// By function: what calls of it did.
    pub functions: BTreeMap<&'static str, HashSet<Behaviour>>,
    /// By function: which declared omissions its calls needed.
    pub left_out: BTreeMap<&'static str, BTreeSet<usize>>,
    /// All functions that events happened in.
    pub names: BTreeSet<&'static str>,
    /// The executions, by what each of their tasks did.
    pub traces: HashSet<u64>,
    /// How many there were.
    pub executions: u64,
    /// Names of words, bits and functions, by number.
    pub words: Words,
    /// The names of words on stacks. A search numbers words as the one before did that began so.
    pub on_stacks: HashMap<u32, Name>,
}

/// Nests of functions by the numbers that one part of a search gives them.
type Nests = HashMap<u32, Arc<[&'static str]>>;

/// The functions that are compared by themselves.
pub type Compared = Arc<BTreeSet<&'static str>>;

/// A monitor that keeps it.
pub struct Watch {
    side: Side,
    compared: Compared,
    seen: Arc<Mutex<Seen>>,
    nests: Nests,
}

impl Watch {
    /// Of this side.
    pub fn new(side: Side, compared: Compared, seen: Arc<Mutex<Seen>>) -> Watch {
        Watch { side, compared, seen, nests: Nests::new() }
    }
}

impl Monitor for Watch {
    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        let mut seen = self.seen.lock().expect("nobody panics with it");
        seen.execution(&self.side, &self.compared, &mut self.nests, execution);
        None
    }

    fn another(&self) -> Box<dyn Monitor> {
        let Watch { side, compared, seen, .. } = self;
        Box::new(Watch::new(side.clone(), compared.clone(), seen.clone()))
    }
}

/// Functions that have another name in the models.
fn spelled(function: &'static str) -> &'static str {
    match function {
        "io_schedule" => "schedule",
        "send_sig" => "send_sigkill",
        "mlock_page_drain_local" => "mlock_drain_local",
        "mlock_pagevec" => "mlock_folio_batch",
        "__mlock_page" => "__mlock_folio",
        "__mlock_new_page" => "__mlock_new_folio",
        "__munlock_page" => "__munlock_folio",
        "mlock_new_page" => "mlock_new_folio",
        "munlock_page" => "munlock_folio",
        other => other,
    }
}

/// A call that has begun.
struct Frame {
    function: &'static str,
    call: u32,
    items: Behaviour,
}

/// What a task has done so far.
#[derive(Default)]
struct TaskSeen {
    frames: Vec<Frame>,
    all: DefaultHasher,
    last: Option<Kind>,
}

impl Seen {
    /// Nothing yet; names have these numbers, and words on stacks these names.
    pub fn new(words: Words, on_stacks: HashMap<u32, Name>) -> Seen {
        Seen { words, on_stacks, ..Seen::default() }
    }

    fn execution(
        &mut self,
        side: &Side,
        compared: &Compared,
        nests: &mut Nests,
        execution: &Execution<'_>,
    ) {
        self.executions += 1;
        self.words.begin_execution();
        self.learn_names(execution.events);
        let mut tasks: Vec<TaskSeen> =
            execution.tasks.iter().map(|_| TaskSeen::default()).collect();
        let is_step = |event: &&Event| event.task != 0 && !event.action.is_note();
        let events = execution.events.iter().filter(is_step);
        let named = |event: &Event| self.named(*event, &nest(nests, execution.paths, event.path));
        let events: Vec<Event> = events.map(named).collect();
        for (at, event) in events.iter().enumerate() {
            let mut nexts = events[at + 1..].iter().filter(|next| next.task == event.task);
            let next = match event.action {
                Action::Fence => nexts.find(|next| next.action != Action::Fence),
                _ => nexts.next(),
            };
            let nest = nest(nests, execution.paths, event.path);
            self.names.extend(nest.iter());
            let task = &mut tasks[usize::from(event.task)];
            let chain: Vec<&'static str> =
                nest.iter().copied().filter(|name| compared.contains(name)).collect();
            // What a task of the scenario does outside of any function that is compared.
            if chain.is_empty() {
                continue;
            }
            let is_ours = chain.iter().any(|name| OURS.contains(name));
            if is_ours {
                // That it is called is all that is told.
                let outside = chain.iter().take_while(|name| !OURS.contains(name)).count();
                let is_innermost = nest.last() == chain.get(outside);
                self.enter(task, &chain[..=outside], is_innermost.then_some(event.call));
                continue;
            }
            let (item, left_out) = self.words.item(side, event, next, &nest, task.last);
            for (function, nth) in chain.iter().flat_map(|name| left_out.map(|nth| (name, nth))) {
                self.left_out.entry(function).or_default().insert(nth);
            }
            let Some(item) = item else { continue };
            task.last = Some(item.kind);
            let is_innermost = nest.last() == chain.last();
            self.enter(task, &chain, is_innermost.then_some(event.call));
            item.hash(&mut task.all);
            if let Some(frame) = task.frames.last_mut() {
                frame.items.push(item);
            }
        }
        if let End::Deadlock(waiting) = execution.end {
            waiting.iter().for_each(|one| self.sleeps(&mut tasks[usize::from(one.task)]));
        }
        let is_complete = *execution.end == End::Complete;
        let mut whole = DefaultHasher::new();
        is_complete.hash(&mut whole);
        for task in &mut tasks {
            while let Some(frame) = task.frames.last_mut() {
                if !is_complete {
                    frame.items.push(Item::of(Kind::Unfinished, 0));
                }
                self.leave(task);
            }
            task.all.finish().hash(&mut whole);
        }
        self.traces.insert(whole.finish());
    }

    /// Who sleeps for ever is in `schedule()`, be it that it has looked at its state there or not:
    /// the models need not, under dpor.
    fn sleeps(&mut self, task: &mut TaskSeen) {
        let mut chain: Vec<&'static str> = task.frames.iter().map(|frame| frame.function).collect();
        if chain.last().is_some_and(|last| !OURS.contains(last)) {
            chain.push("schedule");
            self.enter(task, &chain, None);
        }
    }

    /// What lies on a stack is called by its name from when the task says so: the names are kept.
    fn learn_names(&mut self, events: &[Event]) {
        let on_stacks = events.iter().filter(|event| event.name.text.starts_with("wait->"));
        self.on_stacks.extend(on_stacks.map(|event| (event.object, event.name)));
    }

    /// What the task itself has there when it is not in that function is something else.
    fn named(&self, event: Event, nest: &[&'static str]) -> Event {
        let is_it = |name: &Name| {
            let is_own = name.index == Some(event.task);
            !is_own || nest.contains(&"folio_wait_bit_common")
        };
        match self.on_stacks.get(&event.object).filter(|name| is_it(name)) {
            Some(&name) if event.name.text.starts_with("stack-") => Event { name, ..event },
            _ => event,
        }
    }

    /// The task is in these functions now; the innermost call has this number.
    fn enter(&mut self, task: &mut TaskSeen, chain: &[&'static str], call: Option<u32>) {
        let same =
            task.frames.iter().zip(chain).take_while(|(frame, name)| frame.function == **name);
        let mut same = same.count();
        if same == chain.len()
            && let (Some(call), Some(frame)) = (call, task.frames.get(same.wrapping_sub(1)))
            && frame.call != 0
            && frame.call != call
        {
            same -= 1;
        }
        while task.frames.len() > same {
            self.leave(task);
        }
        for function in &chain[same..] {
            let name: Id = self.words.id(function);
            let item = Item::of(Kind::Call, name);
            item.hash(&mut task.all);
            if let Some(frame) = task.frames.last_mut() {
                frame.items.push(item);
            }
            task.frames.push(Frame { function, call: 0, items: Vec::new() });
        }
        if let (Some(call), Some(frame)) = (call, task.frames.last_mut()) {
            frame.call = call;
        }
    }

    fn leave(&mut self, task: &mut TaskSeen) {
        if let Some(Frame { function, items, .. }) = task.frames.pop()
            && !OURS.contains(&function)
        {
            self.functions.entry(function).or_default().insert(items);
        }
    }
}

/// The nest of functions, by the names that both sides have.
fn nest(nests: &mut Nests, paths: &Paths, path: PathId) -> Arc<[&'static str]> {
    let known = nests.entry(path.0).or_insert_with(|| {
        let mut nest = Vec::new();
        for function in paths.functions(path) {
            let name = spelled(function.strip_prefix("sv_").unwrap_or(function));
            if nest.last() != Some(&name) {
                nest.push(name);
            }
        }
        nest.into()
    });
    known.clone()
}
