//! A step as a model and C have it in common: what is done, to which word, with which value.

use selvedge_trace::Order;

/// A number that stands for a name.
pub type Id = u16;

/// What is done.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// A load; plain or marked.
    Read {
        /// Plain.
        plain: bool,
    },
    /// A store.
    Write {
        /// Plain.
        plain: bool,
    },
    /// A read-modify-write of which the task learns what was there.
    Update,
    /// One of which it does not: `set_bit()`, `atomic_inc()`.
    Void,
    /// `set_current_state()`: a store and a full barrier.
    StoreAndBarrier,
    /// A lock is taken.
    Lock,
    /// A lock is given back.
    Unlock,
    /// Interrupts, or preemption, are turned off on this CPU.
    Off,
    /// And on.
    On,
    /// A barrier.
    Barrier,
    /// The task sleeps.
    Sleep,
    /// A task is let go.
    Wake,
    /// Another function is called that is compared by itself.
    Call,
    /// The execution ended before the function did.
    Unfinished,
}

/// A step.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Item {
    /// What.
    pub kind: Kind,
    /// To which word, or which function is called.
    pub name: Id,
    /// Which bit of it; 0 is none.
    pub bit: Id,
    /// What was read.
    pub old: u64,
    /// What was left.
    pub new: u64,
    /// The ordering that it carries.
    pub order: Order,
}

impl Item {
    /// A step without values.
    pub fn of(kind: Kind, name: Id) -> Item {
        Item { kind, name, bit: 0, old: 0, new: 0, order: Order::Relaxed }
    }

    /// As a reader sees it.
    pub fn show(&self, names: &[String]) -> String {
        let name = names[usize::from(self.name)].as_str();
        let word = match self.bit {
            0 => name.to_string(),
            bit => format!("{}, {name}", names[usize::from(bit)]),
        };
        let order = self.order.mark();
        let plain = |plain| if plain { ", plain" } else { "" };
        match self.kind {
            Kind::Read { plain: p } => format!("read({word}{}) -> {}{order}", plain(p), self.old),
            Kind::Write { plain: p } => format!("write({word}{}, {}){order}", plain(p), self.new),
            Kind::Update => format!("update({word}): {} -> {}{order}", self.old, self.new),
            Kind::Void => format!("change({word}){order}"),
            Kind::StoreAndBarrier => format!("store and barrier({word}, {})", self.new),
            Kind::Lock => format!("lock({name})"),
            Kind::Unlock => format!("unlock({name})"),
            Kind::Off => format!("{name} off"),
            Kind::On => format!("{name} on"),
            Kind::Barrier => format!("barrier{order}"),
            Kind::Sleep => format!("sleep({name})"),
            Kind::Wake => format!("wake({name})"),
            Kind::Call => format!("{name}()"),
            Kind::Unfinished => "(is not finished)".to_string(),
        }
    }
}
