//! All executions of a small program, by brute force: every way to read from and every order of
//! writes, judged by the axioms of the model as relations between all events. Nothing here is
//! incremental, and nothing is shared with the engine.

use std::collections::BTreeSet;

use graph::{Fence, Load, Model, Rmw, Store};

use super::relation::Relation;
use super::{Access, Change, Instr, Key, LOCKS, Program, WORDS};

/// What an event is, beside reading or writing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Tag {
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
enum Must {
    Anything,
    Be(u64),
    NotBe(u64),
}

#[derive(Clone, Copy, Debug)]
struct Event {
    /// `usize::MAX`: the initial write.
    task: usize,
    reads: bool,
    writes: bool,
    word: usize,
    tag: Tag,
    is_plain: bool,
    /// Of a write: what it writes, or what the update makes of what it reads.
    change: Change,
    must: Must,
    /// It is the write half of an update, whose read half is the event before.
    is_write_half: bool,
    /// Not an event of the program: the end of a section that its task never ends.
    is_virtual: bool,
}

/// A program in which it has been decided which conditional updates and tries happen, and which
/// tasks are stuck where.
struct Candidate {
    tasks: usize,
    events: Vec<Event>,
    /// Stuck tasks: the word, and the values on which they stay stuck.
    stuck: Vec<(usize, Must)>,
}

/// All executions that are consistent and have no cycle of program order and reads-from.
pub fn enumerate(program: &Program, model: Model) -> BTreeSet<Key> {
    let mut found = BTreeSet::new();
    for_each_candidate(program, &mut |candidate| {
        candidate.for_each_graph(&mut |graph| {
            if graph.is_consistent(model) {
                found.insert(graph.key());
            }
        });
    });
    found
}

/// Does each initial write, task and decision; calls `each` for all combinations.
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
        is_virtual: false,
    };
    let events = (0..WORDS + LOCKS).map(|word| Event { word, ..blank }).collect();
    decide(program, 0, 0, 0, Candidate { tasks: program.len(), events, stuck: Vec::new() }, each);
}

fn decide(
    program: &Program,
    task: usize,
    at: usize,
    failed_tries: u32,
    candidate: Candidate,
    each: &mut dyn FnMut(Candidate),
) {
    let Some(instrs) = program.get(task) else { return each(candidate) };
    let Candidate { tasks, events, stuck } = candidate;
    let Some(&instr) = instrs.get(at) else {
        let candidate = Candidate { tasks, events: with_sections_ended(events, task), stuck };
        return decide(program, task + 1, 0, 0, candidate, each);
    };
    for (more, failed_tries) in outcomes(instr, failed_tries) {
        let events = events.iter().copied();
        let events = events.chain(more.into_iter().map(|event| Event { task, ..event })).collect();
        let candidate = Candidate { tasks, events, stuck: stuck.clone() };
        decide(program, task, at + 1, failed_tries, candidate, each);
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
        decide(program, task + 1, 0, 0, candidate, each);
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
            (vec![read(w, Tag::None, Must::NotBe(old))], failed_tries),
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
    tasks: usize,
    events: &'a [Event],
    /// For each event the write that it reads from.
    from: Vec<Option<usize>>,
    values: Vec<u64>,
    /// For each word the order of its writes, the initial one first.
    orders: Vec<Vec<usize>>,
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
            let is_coherent = rest.iter().enumerate().all(|(i, &a)| {
                rest[i + 1..].iter().all(|&b| !is_before(&self.events, b, a))
            });
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
fn is_before(events: &[Event], a: usize, b: usize) -> bool {
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

    fn is_consistent(&self, model: Model) -> bool {
        let relations = Relations::new(self);
        relations.is_coherent()
            && (model == Model::Kernel || (&relations.po | &relations.com()).is_acyclic())
            && relations.kernel_holds()
    }
}

/// The relations of the kernel's model.
struct Relations<'a> {
    events: &'a [Event],
    n: usize,
    po: Relation,
    rf: Relation,
    co: Relation,
    fr: Relation,
    int: Relation,
    rmw: Relation,
}

impl<'a> Relations<'a> {
    fn new(graph: &Graph<'a>) -> Relations<'a> {
        let events = graph.events;
        let n = events.len();
        let mut co = Relation::empty(n);
        for order in &graph.orders {
            for (i, &a) in order.iter().enumerate() {
                order[i + 1..].iter().for_each(|&b| co.add(a, b));
            }
        }
        let rf = Relation::of(n, |a, b| graph.from[b] == Some(a));
        let same_task = |a: usize, b: usize| {
            a == b || events[a].task == events[b].task && events[a].task != usize::MAX
        };
        Relations {
            events,
            n,
            po: Relation::of(n, |a, b| is_before(events, a, b)),
            fr: rf.inverse().then(&co),
            rf,
            co,
            int: Relation::of(n, same_task),
            rmw: Relation::of(n, |a, b| b == a + 1 && events[b].is_write_half),
        }
    }

    /// `[set]`
    fn on(&self, holds: impl Fn(&Event) -> bool) -> Relation {
        Relation::on(self.n, |e| holds(&self.events[e]))
    }

    fn tag(&self, tag: Tag) -> Relation {
        self.on(|event| event.tag == tag)
    }

    fn accesses(&self) -> Relation {
        self.on(|event| event.reads || event.writes)
    }

    fn com(&self) -> Relation {
        &(&self.rf | &self.co) | &self.fr
    }

    /// `a ; b ; c`, and so on.
    fn chain(&self, parts: &[&Relation]) -> Relation {
        let identity = Relation::on(self.n, |_| true);
        parts.iter().fold(identity, |chain, part| chain.then(part))
    }

    fn ext(&self, relation: &Relation) -> Relation {
        relation - &self.int
    }

    /// Coherence of each word, and atomicity of updates.
    fn is_coherent(&self) -> bool {
        let same_word = Relation::of(self.n, |a, b| {
            let (a, b) = (self.events[a], self.events[b]);
            a.word == b.word && a.word != usize::MAX
        });
        let is_coherent = (&(&self.po & &same_word) | &self.com()).is_acyclic();
        let between = self.ext(&self.fr).then(&self.ext(&self.co));
        // A lock is taken right after it was given back (or made), by whomever.
        is_coherent && (&self.rmw & &between).is_empty()
    }

    /// An event of this barrier between two.
    fn fenced(&self, fence: Fence) -> Relation {
        self.chain(&[&self.po, &self.tag(Tag::Fence(fence)), &self.po])
    }

    fn po_unlock_lock_po(&self) -> Relation {
        let between = &self.po | &self.rf;
        self.chain(&[&self.po, &self.tag(Tag::Unlock), &between, &self.tag(Tag::LockRead), &self.po])
    }

    fn strong_fence(&self) -> Relation {
        let (m, po) = (self.accesses(), &self.po);
        let half = &self.on_updates();
        let maybe_po = po.maybe();
        let full = self.chain(&[&m, &self.fenced(Fence::Full), &m]);
        let before_atomic =
            self.chain(&[&m, &self.fenced(Fence::BeforeAtomic), half, &maybe_po, &m]);
        let after_atomic = self.chain(&[&m, &maybe_po, half, &self.fenced(Fence::AfterAtomic), &m]);
        let lock = self.tag(Tag::LockWrite);
        let after_lock = self.chain(&[&m, &maybe_po, &lock, &self.fenced(Fence::AfterLock), &m]);
        let after = self.tag(Tag::Fence(Fence::AfterUnlockLock));
        let handed_over = self.chain(&[&m, &self.po_unlock_lock_po(), &after, po, &m]);
        let grace_period = self.chain(&[po, &self.tag(Tag::GracePeriod), &maybe_po]);
        [before_atomic, after_atomic, after_lock, handed_over, grace_period]
            .iter()
            .fold(full, |all, more| &all | more)
    }

    /// `[RMW]`: both halves of updates that happened; taking a lock is none.
    fn on_updates(&self) -> Relation {
        let is_half = |e: usize| {
            self.events[e].word < WORDS
                && (0..self.n).any(|x| self.rmw.has(x, e) || self.rmw.has(e, x))
        };
        Relation::on(self.n, is_half)
    }

    /// The axioms beyond coherence.
    fn kernel_holds(&self) -> bool {
        let po = &self.po;
        let m = self.accesses();
        let w = self.on(|event| event.writes);
        let ordered_reads = self.on(|event| event.reads && event.tag != Tag::NoReturn);
        let releases =
            self.on(|event| event.tag == Tag::Release || event.tag == Tag::Unlock);
        let acquires =
            self.on(|event| event.tag == Tag::Acquire || event.tag == Tag::LockRead);
        let acq_po = self.chain(&[&acquires, po, &m]);
        let po_rel = self.chain(&[&m, po, &releases]);
        let rmb = self.chain(&[&ordered_reads, &self.fenced(Fence::Read), &ordered_reads]);
        let wmb = self.chain(&[&w, &self.fenced(Fence::Write), &w]);
        let strong = self.strong_fence();
        let fence = &(&(&(&strong | &po_rel) | &acq_po) | &wmb) | &rmb;
        let handed_over = self.po_unlock_lock_po();
        let (rfe, rfi) = (self.ext(&self.rf), &self.rf & &self.int);

        let computes = |event: &Event| {
            event.is_write_half && matches!(event.change, Change::Add(_) | Change::AddVoid(_))
        };
        let data = self.rmw.then(&self.on(computes));
        let control = self.chain(&[&ordered_reads, &self.fenced(Fence::Control), &w]);
        let overwrite = &self.co | &self.fr;
        let to_r = data.then(&rfi);
        let to_w = &(&data | &control) | &(&overwrite & &self.int);
        let ppo = &(&to_r | &to_w) | &(&(&fence | &handed_over) & &self.int);

        let cumulative = rfe.maybe().then(&(&strong | &po_rel));
        let rmw_sequence = self.rf.then(&self.rmw).star();
        let cumul_fence = (&(&cumulative | &wmb) | &handed_over).then(&rmw_sequence);
        let prop = self.chain(&[
            &self.ext(&overwrite).maybe(),
            &cumul_fence.star(),
            &rfe.maybe(),
        ]);
        let identity = Relation::on(self.n, |_| true);
        let hb = &(&ppo | &rfe) | &(&(&prop - &identity) & &self.int);
        let pb = self.chain(&[&prop, &strong, &hb.star()]);
        hb.is_acyclic() && pb.is_acyclic() && self.grace_periods_wait(&hb, &pb, &prop)
    }

    /// The axiom of RCU.
    fn grace_periods_wait(&self, hb: &Relation, pb: &Relation, prop: &Relation) -> bool {
        let po = &self.po;
        let gp = self.tag(Tag::GracePeriod);
        let section = self.sections().inverse();
        let link = self.chain(&[&po.maybe(), &hb.star(), &pb.star(), prop, po]);
        let mut order = gp.clone();
        loop {
            let around = [
                self.chain(&[&gp, &link, &section]),
                self.chain(&[&section, &link, &gp]),
                self.chain(&[&gp, &link, &order, &link, &section]),
                self.chain(&[&section, &link, &order, &link, &gp]),
                self.chain(&[&order, &link, &order]),
            ];
            let more = around.iter().fold(order.clone(), |all, more| &all | more);
            if more == order {
                break;
            }
            order = more;
        }
        let rcu_fence = self.chain(&[po, &order, &po.maybe()]);
        self.chain(&[prop, &rcu_fence, &hb.star(), &pb.star()]).is_irreflexive()
    }

    /// Matching beginnings and ends of sections.
    fn sections(&self) -> Relation {
        let mut sections = Relation::empty(self.n);
        let mut begun: Vec<usize> = Vec::new();
        for (e, event) in self.events.iter().enumerate() {
            begun.retain(|&b| self.events[b].task == event.task);
            match event.tag {
                Tag::SectionBegins => begun.push(e),
                Tag::SectionEnds => {
                    if let Some(b) = begun.pop() {
                        sections.add(b, e);
                    }
                }
                _ => {}
            }
        }
        sections
    }
}
