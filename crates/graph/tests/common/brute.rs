//! All executions of a small program, by brute force: every way to read from and every order of
//! writes, judged by the axioms of the model as relations between all events. Nothing here is
//! incremental, and nothing is shared with the engine.

use std::collections::BTreeSet;

use graph::{Fence, Load, Model, Rmw, Store};

use super::model::Relations;
use super::relation::Relation;
use super::{Access, Change, Instr, Key, LOCKS, Program, WORDS};

/// What an event is, beside reading or writing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tag {
    None,
    Acquire,
    Release,
    NoReturn,
    Fence(Fence),
    LockRead,
    LockWrite,
    Unlock,
    SectionBegins,
    SectionEnds,
    GracePeriod,
}

/// What must hold of the value that is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Must {
    Anything,
    Be(u64),
    NotBe(u64),
}

#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// `usize::MAX`: the initial write.
    pub task: usize,
    pub reads: bool,
    pub writes: bool,
    pub word: usize,
    pub tag: Tag,
    pub is_plain: bool,
    /// Of a write: what it writes, or what the update makes of what it reads.
    pub change: Change,
    pub must: Must,
    /// It is the write half of an update, whose read half is the event before.
    pub is_write_half: bool,
    /// An update that does not happen.
    pub is_failed_update: bool,
    /// Not an event of the program: the end of a section that its task never ends.
    pub is_virtual: bool,
}

/// A program in which it has been decided which conditional updates and tries happen, and which
/// tasks are stuck where.
struct Candidate {
    tasks: usize,
    events: Vec<Event>,
    /// Stuck tasks: the word, and the values on which they stay stuck.
    stuck: Vec<(usize, Must)>,
}

/// What there is to be found.
#[derive(Default)]
pub struct Enumerated {
    pub executions: BTreeSet<Key>,
    /// Is there a data race in one of them?
    pub is_racy: bool,
}

/// All executions that are consistent and have no cycle of program order and reads-from.
pub fn enumerate(program: &Program, model: Model) -> Enumerated {
    let mut found = Enumerated::default();
    for_each_candidate(program, &mut |candidate| {
        candidate.for_each_graph(&mut |graph| {
            let relations = Relations::new(graph);
            if relations.is_coherent() && (model == Model::Kernel || relations.is_total()) {
                let kernel = relations.kernel();
                if kernel.holds() {
                    found.executions.insert(graph.key());
                    found.is_racy |= kernel.is_racy();
                }
            }
        });
    });
    found
}

/// Calls `each` for all combinations of what conditional updates, tries and waits come to.
fn for_each_candidate(program: &Program, each: &mut dyn FnMut(Candidate)) {
    let blank = Event {
        task: usize::MAX,
        reads: false,
        writes: true,
        word: 0,
        tag: Tag::None,
        is_plain: false,
        change: Change::Swap(0),
        must: Must::Anything,
        is_write_half: false,
        is_failed_update: false,
        is_virtual: false,
    };
    let events = (0..WORDS + LOCKS).map(|word| Event { word, ..blank }).collect();
    decide(
        program,
        Place::default(),
        Candidate { tasks: program.len(), events, stuck: Vec::new() },
        each,
    );
}

/// An instruction of a program, and which tries of its task have failed before.
#[derive(Clone, Copy, Default)]
struct Place {
    task: usize,
    at: usize,
    failed_tries: u32,
}

fn decide(program: &Program, place: Place, candidate: Candidate, each: &mut dyn FnMut(Candidate)) {
    let Place { task, at, failed_tries } = place;
    let next_task = Place { task: task + 1, ..Place::default() };
    let Some(instrs) = program.get(task) else { return each(candidate) };
    let Candidate { tasks, events, stuck } = candidate;
    let Some(&instr) = instrs.get(at) else {
        let candidate = Candidate { tasks, events: with_sections_ended(events, task), stuck };
        return decide(program, next_task, candidate, each);
    };
    for (more, failed_tries) in outcomes(instr, failed_tries) {
        let events = events.iter().copied();
        let events = events.chain(more.into_iter().map(|event| Event { task, ..event })).collect();
        let candidate = Candidate { tasks, events, stuck: stuck.clone() };
        decide(program, Place { task, at: at + 1, failed_tries }, candidate, each);
    }
    let stuck_on = match instr {
        Instr::Lock(l) => Some((WORDS + l, Must::NotBe(0))),
        Instr::Wait(w, value, _) => Some((w, Must::NotBe(value))),
        Instr::WaitUpdate(w, ..) => Some((w, Must::NotBe(0))),
        _ => None,
    };
    if let Some(on) = stuck_on {
        let stuck = stuck.into_iter().chain([on]).collect();
        let candidate = Candidate { tasks, events: with_sections_ended(events, task), stuck };
        decide(program, next_task, candidate, each);
    }
}

/// A section that its task never ends reaches to the end of the task.
fn with_sections_ended(mut events: Vec<Event>, task: usize) -> Vec<Event> {
    let of_task = events.iter().filter(|event| event.task == task);
    let (mut begun, mut ended) = (0, 0);
    for event in of_task {
        begun += usize::from(event.tag == Tag::SectionBegins);
        ended += usize::from(event.tag == Tag::SectionEnds);
    }
    for _ in ended..begun {
        events.push(Event { task, is_virtual: true, ..other(Tag::SectionEnds) });
    }
    events
}

fn other(tag: Tag) -> Event {
    Event {
        task: 0,
        reads: false,
        writes: false,
        word: usize::MAX,
        tag,
        is_plain: false,
        change: Change::Swap(0),
        must: Must::Anything,
        is_write_half: false,
        is_failed_update: false,
        is_virtual: false,
    }
}

fn read(word: usize, tag: Tag, must: Must) -> Event {
    Event { reads: true, word, must, ..other(tag) }
}

fn write(word: usize, tag: Tag, change: Change) -> Event {
    Event { writes: true, word, change, ..other(tag) }
}

/// The events of an update that happens.
fn update(word: usize, change: Change, strength: Rmw, must: Must) -> Vec<Event> {
    let read_tag = match (strength, change) {
        (Rmw::Acquire, _) => Tag::Acquire,
        (_, Change::AddVoid(_)) => Tag::NoReturn,
        _ => Tag::None,
    };
    let write_tag = if strength == Rmw::Release { Tag::Release } else { Tag::None };
    let halves = vec![
        read(word, read_tag, must),
        Event { is_write_half: true, ..write(word, write_tag, change) },
    ];
    if strength != Rmw::Full {
        return halves;
    }
    let barrier = || vec![other(Tag::Fence(Fence::Full))];
    [barrier(), halves, barrier()].concat()
}

fn failed_update(word: usize, old: u64) -> Event {
    Event { is_failed_update: true, ..read(word, Tag::None, Must::NotBe(old)) }
}

fn take(lock: usize) -> Vec<Event> {
    let word = WORDS + lock;
    let half = Event { is_write_half: true, ..write(word, Tag::LockWrite, Change::Swap(1)) };
    vec![read(word, Tag::LockRead, Must::Be(0)), half]
}

/// All that an instruction may come to, as events; and which tries have failed then.
fn outcomes(instr: Instr, failed_tries: u32) -> Vec<(Vec<Event>, u32)> {
    let load_tag = |load| if load == Load::Acquire { Tag::Acquire } else { Tag::None };
    let one = |event: Event| vec![(vec![event], failed_tries)];
    match instr {
        Instr::Read(w, load) => {
            let event = read(w, load_tag(load), Must::Anything);
            one(Event { is_plain: load == Load::Plain, ..event })
        }
        Instr::Wait(w, value, load) => one(read(w, load_tag(load), Must::Be(value))),
        Instr::Write(w, value, store) => {
            let tag = if store == Store::Release { Tag::Release } else { Tag::None };
            let event = write(w, tag, Change::Swap(value));
            one(Event { is_plain: store == Store::Plain, ..event })
        }
        Instr::Update(w, change @ Change::CompareExchange(old, new), strength) => vec![
            (update(w, Change::Swap(new), strength, Must::Be(old)), failed_tries),
            (vec![failed_update(w, old)], failed_tries),
        ]
        .into_iter()
        .filter(|_| change.of(old).is_some())
        .collect(),
        Instr::Update(w, change, strength) => {
            vec![(update(w, change, strength, Must::Anything), failed_tries)]
        }
        Instr::WaitUpdate(w, value, strength) => {
            vec![(update(w, Change::Add(value), strength, Must::Be(0)), failed_tries)]
        }
        Instr::Barrier(fence) => one(other(Tag::Fence(fence))),
        Instr::Lock(l) => vec![(take(l), failed_tries)],
        Instr::TryLock(l) => vec![
            (take(l), failed_tries & !(1 << l)),
            (vec![read(WORDS + l, Tag::None, Must::NotBe(0))], failed_tries | 1 << l),
        ],
        Instr::Unlock(l) if failed_tries >> l & 1 == 1 => {
            vec![(Vec::new(), failed_tries & !(1 << l))]
        }
        Instr::Unlock(l) => one(write(WORDS + l, Tag::Unlock, Change::Swap(0))),
        Instr::IsLocked(l) => one(read(WORDS + l, Tag::None, Must::Anything)),
        Instr::SectionBegins => one(other(Tag::SectionBegins)),
        Instr::SectionEnds => one(other(Tag::SectionEnds)),
        Instr::GracePeriod => one(other(Tag::GracePeriod)),
    }
}

impl Must {
    fn allows(self, value: u64) -> bool {
        match self {
            Must::Anything => true,
            Must::Be(other) => value == other,
            Must::NotBe(other) => value != other,
        }
    }
}

/// A candidate with reads-from, values and coherence order.
pub struct Graph<'a> {
    pub tasks: usize,
    pub events: &'a [Event],
    /// For each event the write that it reads from.
    pub from: Vec<Option<usize>>,
    pub values: Vec<u64>,
    /// For each word the order of its writes, the initial one first.
    pub orders: Vec<Vec<usize>>,
}

impl Candidate {
    fn for_each_graph(&self, each: &mut dyn FnMut(&Graph<'_>)) {
        self.read_from(&mut vec![None; self.events.len()], 0, each);
    }

    fn read_from(
        &self,
        from: &mut Vec<Option<usize>>,
        at: usize,
        each: &mut dyn FnMut(&Graph<'_>),
    ) {
        let events = &self.events;
        if at == events.len() {
            let Some(values) = self.values(from) else { return };
            return self.order(from, &values, &mut Vec::new(), each);
        }
        if !events[at].reads {
            return self.read_from(from, at + 1, each);
        }
        for (w, write) in events.iter().enumerate() {
            let is_own_half = w == at + 1 && write.is_write_half;
            if write.writes && write.word == events[at].word && !is_own_half {
                from[at] = Some(w);
                self.read_from(from, at + 1, each);
            }
        }
        from[at] = None;
    }

    /// The values of all events; `None` if there is a cycle of program order and reads-from, or a
    /// read reads what it must not.
    fn values(&self, from: &[Option<usize>]) -> Option<Vec<u64>> {
        let events = &self.events;
        let n = events.len();
        let porf = Relation::of(n, |a, b| is_before(events, a, b) || from[b] == Some(a));
        if !porf.is_acyclic() {
            return None;
        }
        let mut values: Vec<Option<u64>> = vec![None; n];
        // In each round at least one more is known, since there is no cycle.
        for _ in 0..n {
            for e in 0..n {
                values[e] = match events[e] {
                    Event { reads: true, .. } => from[e].and_then(|w| values[w]),
                    Event { is_write_half: true, change, .. } => {
                        values[e - 1].and_then(|seen| change.of(seen))
                    }
                    Event { change, .. } => change.of(0),
                };
            }
        }
        let values: Vec<u64> = values.into_iter().collect::<Option<_>>()?;
        let fits = events.iter().zip(&values).all(|(event, &value)| event.must.allows(value));
        fits.then_some(values)
    }

    /// All coherence orders: of each word, all orders of its writes.
    fn order(
        &self,
        from: &[Option<usize>],
        values: &[u64],
        orders: &mut Vec<Vec<usize>>,
        each: &mut dyn FnMut(&Graph<'_>),
    ) {
        let word = orders.len();
        if word == WORDS + LOCKS {
            let is_stuck = |&(word, must): &(usize, Must)| {
                let last: &Vec<usize> = &orders[word];
                must.allows(values[*last.last().expect("there is an initial write")])
            };
            if self.stuck.iter().all(is_stuck) {
                each(&Graph {
                    tasks: self.tasks,
                    events: &self.events,
                    from: from.to_vec(),
                    values: values.to_vec(),
                    orders: orders.clone(),
                });
            }
            return;
        }
        let is_of_word = |&e: &usize| self.events[e].writes && self.events[e].word == word;
        let writes: Vec<usize> = (0..self.events.len()).filter(is_of_word).collect();
        let (first, rest) = writes.split_first().expect("there is an initial write");
        let mut rest = rest.to_vec();
        permute(&mut rest, 0, &mut |rest| {
            let is_coherent = rest
                .iter()
                .enumerate()
                .all(|(i, &a)| rest[i + 1..].iter().all(|&b| !is_before(&self.events, b, a)));
            if is_coherent {
                orders.push([&[*first], rest].concat());
                self.order(from, values, orders, each);
                orders.pop();
            }
        });
    }
}

fn permute(items: &mut Vec<usize>, at: usize, each: &mut dyn FnMut(&[usize])) {
    if at == items.len() {
        return each(items);
    }
    for i in at..items.len() {
        items.swap(at, i);
        permute(items, at + 1, each);
        items.swap(at, i);
    }
}

/// Program order. Initial writes come before no event by it.
pub fn is_before(events: &[Event], a: usize, b: usize) -> bool {
    a < b && events[a].task == events[b].task && events[a].task != usize::MAX
}

impl Graph<'_> {
    fn key(&self) -> Key {
        let is_shown = |e: &usize| {
            let event = self.events[*e];
            event.task != usize::MAX && (event.reads || event.writes)
        };
        let name = |e: usize| {
            let task = self.events[e].task;
            let before = (0..e).filter(is_shown).filter(|&x| self.events[x].task == task);
            (task, before.count())
        };
        let mut key = Key { tasks: vec![Vec::new(); self.tasks], writes: Vec::new() };
        for e in (0..self.events.len()).filter(is_shown) {
            let Event { task, word, .. } = self.events[e];
            let value = self.values[e];
            let is_initial = |&w: &usize| self.events[w].task != usize::MAX;
            key.tasks[task].push(match self.from[e] {
                Some(from) => {
                    Access::Read { word, value, from: Some(from).filter(is_initial).map(name) }
                }
                None => Access::Write { word, value },
            });
        }
        key.writes = (self.orders.iter())
            .map(|order| order[1..].iter().map(|&w| name(w)).collect())
            .collect();
        key
    }
}
