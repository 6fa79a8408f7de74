//! The names and values that words have in the models and in C, brought to what both have in
//! common. What a model file declares as left out is dropped here, and noted.

use std::collections::HashMap;
use std::sync::Arc;

use selvedge_explore::Commutes;
use selvedge_models::left_out::{self, LeftOut};
use selvedge_models::{PG_LOCKED, PG_WAITERS};
use selvedge_trace::{Action, Class, Event, Name, Order};

use super::item::{Id, Item, Kind};
use crate::native::primitive::Primitive;
use crate::native::world::{intern, task_of_stack, with};

/// Whose events they are.
#[derive(Clone, Debug)]
pub enum Side {
    /// The models'. The tasks that the sleepers are, by the sleepers' numbers.
    Model(Arc<[usize]>),
    /// C's.
    C(Arc<Pointers>),
}

/// Where the structures of the image lie that pointers lead to.
#[derive(Clone, Copy, Debug)]
pub struct Pointers {
    /// The first folio, and the distance from one to the next.
    pub folios: (u64, u64),
    /// Likewise.
    pub bhs: (u64, u64),
    /// PG_locked and PG_waiters, as bits of `folio->flags`.
    pub lock_bits: [u64; 2],
}

/// How a word's values are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Values {
    Numbers,
    /// A pointer to a folio: its index.
    Folio,
    /// A pointer to a buffer head: its index plus 1.
    Bh,
    /// The link of a queue's entry: is it on the queue? C's entry points at itself if it is not.
    Queued,
    /// `folio->flags`, where no single bit is meant: PG_locked and PG_waiters.
    Flags,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    name: Id,
    values: Values,
}

/// What is known of the words of one side.
#[derive(Default)]
pub struct Words {
    /// By number.
    pub names: Vec<String>,
    numbers: HashMap<String, Id>,
    places: HashMap<(u32, Name), Place>,
    omissions: HashMap<(u32, Name, &'static str), Arc<[usize]>>,
    /// Which entries are on a queue.
    queued: HashMap<u32, bool>,
}

/// What C calls a word, and what it is called in common.
const RENAMED: [(&str, &str); 17] = [
    ("contig_page_data.__lruvec.lru_lock", "lruvec->lru_lock"),
    ("lock.owner", "lru_add_drain_all lock"),
    ("cpu_fbatches.lru_add.nr", "lru_add.nr"),
    ("cpu_fbatches.lru_move_tail.nr", "lru_rotate.nr"),
    ("lru_rotate.fbatch.nr", "lru_rotate.nr"),
    ("cpu_fbatches.lru_deactivate_file.nr", "lru_deactivate_file.nr"),
    ("cpu_fbatches.lru_deactivate.nr", "lru_deactivate.nr"),
    ("cpu_fbatches.lru_lazyfree.nr", "lru_lazyfree.nr"),
    ("cpu_fbatches.lru_activate.nr", "lru_activate.nr"),
    ("cpu_fbatches.activate.nr", "lru_activate.nr"),
    ("mlock_fbatch.fbatch.nr", "mlock_fbatch.nr"),
    ("mlock_pvec.vec.nr", "mlock_fbatch.nr"),
    ("wait->entry.next", "wait->entry"),
    ("wait.flags", "wait->flags"),
    ("wait.entry", "wait->entry"),
    ("wait.folio", "wait->folio"),
    ("task->thread_info.flags", "task->sigpending"),
];

/// All declared omissions, with the files that declare them.
pub fn omissions() -> impl Iterator<Item = (&'static str, &'static LeftOut)> {
    left_out::ALL.iter().flat_map(|(file, all)| all.iter().map(move |one| (*file, one)))
}

impl Words {
    /// Those of another side, whose names keep their numbers.
    pub fn after(names: Vec<String>) -> Words {
        let numbers = names.iter().zip(0..).map(|(name, id)| (name.clone(), id)).collect();
        let mut words = Words { names, numbers, ..Words::default() };
        // 0 is no name.
        words.id("");
        words
    }

    /// The number of a name.
    pub fn id(&mut self, name: &str) -> Id {
        if let Some(&known) = self.numbers.get(name) {
            return known;
        }
        let id = self.names.len() as Id;
        self.names.push(name.to_string());
        self.numbers.insert(name.to_string(), id);
        id
    }

    /// What was so in the last execution means nothing now.
    pub fn begin_execution(&mut self) {
        self.queued.clear();
    }

    /// The step that an event is, if it is one that both sides have; and the omission that it was
    /// dropped for. `next` is the task's next event that is no barrier, `last` its last step.
    pub fn item(
        &mut self,
        side: &Side,
        event: &Event,
        next: Option<&Event>,
        nest: &[&'static str],
        last: Option<Kind>,
    ) -> (Option<Item>, Option<usize>) {
        let dropped = self.dropped(side, event, nest);
        if dropped.is_some() {
            return (None, dropped);
        }
        (self.step(side, event, next, last), dropped)
    }

    fn dropped(&mut self, side: &Side, event: &Event, nest: &[&'static str]) -> Option<usize> {
        let bit = event.bit.map_or("", |bit| bit.name);
        let text = event.name.text;
        let key = (event.object, event.name, bit);
        let is_of_model = matches!(side, Side::Model(_));
        let about = self.omissions.entry(key).or_insert_with(|| {
            let is_it = |(_, (_, one)): &(usize, (&str, &LeftOut))| {
                one.of_model == is_of_model && one.is_about(text, bit)
            };
            omissions().enumerate().filter(is_it).map(|(nth, _)| nth).collect()
        });
        if about.is_empty() || event.class == Class::None {
            return None;
        }
        let inlined =
            if is_of_model { Arc::default() } else { with(|world| world.inlined(event.at)) };
        let is_look = matches!(event.action, Action::Read | Action::PlainRead);
        let all: Vec<&LeftOut> = omissions().map(|(_, one)| one).collect();
        let is_here = |nth: &usize| {
            let LeftOut { functions, looks, .. } = all[*nth];
            let is_in = |name| nest.last() == Some(name) || inlined.contains(name);
            (is_look || !looks) && (functions.is_empty() || functions.iter().any(is_in))
        };
        about.iter().copied().find(is_here)
    }

    fn step(
        &mut self,
        side: &Side,
        event: &Event,
        next: Option<&Event>,
        last: Option<Kind>,
    ) -> Option<Item> {
        if event.class.is_exclusion() {
            let name = if event.class == Class::Irq { "interrupts" } else { "preemption" };
            let kind = if event.action == Action::Unlock { Kind::On } else { Kind::Off };
            return Some(Item::of(kind, self.id(name)));
        }
        if event.action == Action::Fence {
            return self.barrier(side, event, next, last);
        }
        // `x |= y` and `x++` in plain C: what is written tells what was read.
        let is_same = |next: &Event| (next.object, next.name) == (event.object, event.name);
        let writes = |next: &Event| next.action == Action::PlainWrite && is_same(next);
        if event.action == Action::PlainRead && next.is_some_and(writes) {
            return None;
        }
        let kind = kind_of(side, event, next)?;
        let place = self.place(side, event);
        let mut item = Item { order: event.order, ..Item::of(kind, place.name) };
        if matches!(kind, Kind::Lock | Kind::Unlock | Kind::Sleep | Kind::Wake) {
            item.order = Order::Relaxed;
            return Some(item);
        }
        // A flag of C's is the whole word of the model's.
        if let Some(bit) = event.bit.filter(|_| event.name.text != "task->thread_info.flags") {
            let name = if bit.name.is_empty() { "?" } else { bit.name };
            item.bit = self.id(name);
        }
        let value = |value: u64| value_of(side, place.values, event, value);
        if place.values == Values::Queued {
            return self.queued(side, event, item);
        }
        match kind {
            Kind::Read { .. } => item.old = value(event.old),
            Kind::Write { .. } => item.new = value(event.new),
            Kind::StoreAndBarrier => {
                item.new = value(event.new);
                item.order = Order::Relaxed;
            }
            Kind::Update => (item.old, item.new) = (value(event.old), value(event.new)),
            _ => {}
        }
        Some(item)
    }

    /// KCSAN announces the barrier that is part of an atomic before it; so it does that of
    /// `set_current_state()`.
    fn barrier(
        &mut self,
        side: &Side,
        event: &Event,
        next: Option<&Event>,
        last: Option<Kind>,
    ) -> Option<Item> {
        let is_of_atomic = matches!(side, Side::C(_))
            && next.is_some_and(|next| {
                next.order == Order::Full
                    && matches!(next.action, Action::Update | Action::UpdateFailed)
            });
        // The end of Selvedge's own wait for readers.
        if is_of_atomic
            || event.primitive == "synchronize_rcu"
            || last == Some(Kind::StoreAndBarrier)
        {
            return None;
        }
        Some(Item { order: event.order, ..Item::of(Kind::Barrier, 0) })
    }

    /// Of the link of a queue's entry only what changes, and the look without the lock.
    fn queued(&mut self, side: &Side, event: &Event, item: Item) -> Option<Item> {
        let is_on = |value| is_on_a_queue(side, event, value);
        if !matches!(item.kind, Kind::Write { .. }) {
            let looks = event.order == Order::Acquire;
            let kind = Kind::Read { plain: false };
            return looks.then_some(Item { kind, old: u64::from(is_on(event.old)), ..item });
        }
        let is = is_on(event.new);
        let was = self.queued.insert(event.object, is).unwrap_or(false);
        let kind = Kind::Write { plain: false };
        (is != was).then_some(Item { kind, new: u64::from(is), ..item })
    }

    fn place(&mut self, side: &Side, event: &Event) -> Place {
        let key = (event.object, event.name);
        if let Some(&known) = self.places.get(&key) {
            return known;
        }
        let name = in_common(side, event.name);
        let text = name.text;
        let values = match text {
            "wait->folio" => Values::Folio,
            "wait->entry" => Values::Queued,
            "folio->flags" => Values::Flags,
            _ if text.starts_with("bhs") => Values::Bh,
            _ => Values::Numbers,
        };
        let place = Place { name: self.id(&name.to_string()), values };
        self.places.insert(key, place);
        place
    }
}

/// What the link of an entry says. In C an entry that is on no queue points at itself: at the stack
/// of the task that it is for.
fn is_on_a_queue(side: &Side, event: &Event, value: u64) -> bool {
    match side {
        Side::Model(_) => value != 0,
        Side::C(_) => task_of_stack(value) != event.name.index.map(u64::from),
    }
}

/// What an event is. `None`: nothing that is compared.
fn kind_of(side: &Side, event: &Event, next: Option<&Event>) -> Option<Kind> {
    let is_state = event.name.text == "task->__state";
    Some(match event.action {
        Action::Read => Kind::Read { plain: false },
        Action::PlainRead => Kind::Read { plain: !event.racy },
        Action::PlainWrite => Kind::Write { plain: true },
        Action::Write if is_state && is_barrier_next(side, event, next) => Kind::StoreAndBarrier,
        Action::Write => Kind::Write { plain: false },
        Action::Update if is_state && event.primitive == "xchg" => Kind::StoreAndBarrier,
        Action::UpdateFailed if is_state && event.primitive == "xchg" => Kind::StoreAndBarrier,
        Action::Update | Action::UpdateFailed => {
            let is_void = Primitive::named(event.primitive).commutes != Commutes::No;
            if is_void { Kind::Void } else { Kind::Update }
        }
        Action::Lock | Action::TryLock | Action::TryLockFailed => Kind::Lock,
        Action::Unlock => Kind::Unlock,
        Action::Wait => Kind::Sleep,
        Action::Wake => Kind::Wake,
        _ => return None,
    })
}

/// In a model `set_current_state()` is two steps.
fn is_barrier_next(side: &Side, _: &Event, next: Option<&Event>) -> bool {
    let is_full = |next: &Event| next.action == Action::Fence && next.order == Order::Full;
    matches!(side, Side::Model(_)) && next.is_some_and(is_full)
}

/// The name that a word has on both sides.
fn in_common(side: &Side, name: Name) -> Name {
    let renamed = RENAMED.iter().find(|(of_c, _)| *of_c == name.text).map(|&(_, common)| common);
    let is_queue = name.text.starts_with("folio_wait_table[") && name.text.ends_with("].lock");
    let text = match renamed {
        Some(common) => common,
        None if is_queue => "q->lock",
        None => name.text.strip_prefix("bh_lrus.").unwrap_or(name.text),
    };
    let index = match (side, name.index) {
        (Side::Model(tasks), Some(sleeper))
            if text.starts_with("wait->") || text.starts_with("task") =>
        {
            tasks.get(usize::from(sleeper)).map(|&task| task as u8)
        }
        (_, index) => index,
    };
    let name = Name { text, index, ..name };
    // An index may be part of C's name.
    match (index, text.strip_suffix(']').and_then(|text| text.split_once('['))) {
        (None, Some((array, nth))) if array == "bhs" => match nth.parse() {
            Ok(nth) => Name { text: intern(array), index: Some(nth), ..name },
            Err(_) => name,
        },
        _ => name,
    }
}

fn value_of(side: &Side, values: Values, event: &Event, value: u64) -> u64 {
    if let Some(bit) = event.bit {
        return value >> bit.nr & 1;
    }
    let index = |(first, stride): (u64, u64)| match value.checked_sub(first) {
        Some(offset) if value != 0 && stride != 0 => offset / stride,
        _ => u64::MAX,
    };
    match (values, side) {
        (Values::Folio, Side::C(pointers)) => index(pointers.folios),
        (Values::Bh, Side::C(pointers)) => index(pointers.bhs).wrapping_add(1),
        (Values::Flags, Side::C(pointers)) => lock_bits(pointers.lock_bits, value),
        (Values::Flags, Side::Model(_)) => {
            lock_bits([u64::from(PG_LOCKED.nr), u64::from(PG_WAITERS.nr)], value)
        }
        _ => value,
    }
}

fn lock_bits([locked, waiters]: [u64; 2], value: u64) -> u64 {
    value >> locked & 1 | (value >> waiters & 1) << 1
}
