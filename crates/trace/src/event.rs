//! One event: who did what, on which CPU, in which kernel function, to which object.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{PathId, Rule};

/// On whose behalf a CPU executes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Context {
    /// A task, in process context.
    Task,
    /// A work item, in a kworker of the CPU.
    Kworker,
    /// A soft interrupt.
    Softirq,
    /// A hard interrupt or an inter-processor interrupt.
    Irq,
}

/// What a shared object is called in the kernel. `Copy`, so that recording allocates nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Name {
    /// The kernel's name of the variable or field: `folio->flags`, `bh_lrus.bhs`.
    pub text: &'static str,
    /// The CPU whose per-CPU copy this is.
    pub cpu: Option<u8>,
    /// Which of several: a slot of an array, or the number of the folio.
    pub index: Option<u8>,
}

impl Name {
    /// A name without CPU or index.
    #[inline]
    pub const fn new(text: &'static str) -> Name {
        Name { text, cpu: None, index: None }
    }

    /// The same name, as the copy of one CPU.
    ///
    /// # Panics
    /// If the number is 256 or more: two copies would have one name.
    #[inline]
    pub const fn on(self, cpu: usize) -> Name {
        Name { cpu: Some(byte(cpu)), ..self }
    }

    /// The same name, as one of several.
    ///
    /// # Panics
    /// If the index is 256 or more.
    #[inline]
    pub const fn nth(self, index: usize) -> Name {
        Name { index: Some(byte(index)), ..self }
    }
}

#[inline]
const fn byte(number: usize) -> u8 {
    assert!(number <= u8::MAX as usize, "CPUs and indices of names are below 256");
    number as u8
}

/// What kind of thing an object is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Class {
    /// No object: a barrier, the start or the end of a task, a choice, a remark.
    None,
    /// A word of shared memory.
    Word,
    /// A lock, which tasks on any CPU wait for.
    Lock,
    /// "Preemption is off on this CPU": no lock, since whoever could want it does not run.
    Preempt,
    /// "Interrupts are off on this CPU": likewise.
    Irq,
    /// A flag that a task waits for.
    Token,
    /// A lock that one task has to itself, or several share (`rw_semaphore`).
    RwSem,
    /// The same of those that spin (`rwlock_t`).
    RwLock,
    /// A `struct completion`: who waits for it goes on when somebody has completed it.
    Completion,
}

impl Class {
    /// Does it keep others off one CPU, instead of making them wait?
    pub const fn is_exclusion(self) -> bool {
        matches!(self, Class::Preempt | Class::Irq)
    }
}

/// The name of a [`Class::Preempt`] object; [`Name::cpu`] says of which CPU.
pub const PREEMPT: Name = Name::new("cpu.preempt");
/// The name of a [`Class::Irq`] object.
pub const IRQ: Name = Name::new("cpu.irq");

/// `cpu0:bhs[1]`; an index goes before the first `->`, as in `folio1->flags`.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(cpu) = self.cpu {
            write!(f, "cpu{cpu}:")?;
        }
        match (self.index, self.text.split_once("->")) {
            (None, _) => f.write_str(self.text),
            (Some(index), Some((of, field))) => write!(f, "{of}{index}->{field}"),
            (Some(index), None) => write!(f, "{}[{index}]", self.text),
        }
    }
}

/// The ordering that a step carries, in the words of the kernel's memory model.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Orders nothing.
    Relaxed,
    /// Later accesses stay later.
    Acquire,
    /// Earlier accesses stay earlier.
    Release,
    /// Full barrier on both sides.
    Full,
}

impl Order {
    /// Its name: `none`, `acquire`, `release`, `full`.
    pub const fn name(self) -> &'static str {
        match self {
            Order::Relaxed => "none",
            Order::Acquire => "acquire",
            Order::Release => "release",
            Order::Full => "full",
        }
    }

    /// What is written behind a step that has it.
    pub const fn mark(self) -> &'static str {
        match self {
            Order::Relaxed => "",
            Order::Acquire => " [acquire]",
            Order::Release => " [release]",
            Order::Full => " [full barrier]",
        }
    }
}

/// What an event is. All but the notes ([`Action::is_note`]) are steps that other CPUs can see.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// A marked load: `READ_ONCE`, `atomic_read`, `test_bit`.
    Read,
    /// A marked store: `WRITE_ONCE`, `atomic_set`.
    Write,
    /// A read-modify-write.
    Update,
    /// A conditional read-modify-write that did not happen: it only read.
    UpdateFailed,
    /// A plain load.
    PlainRead,
    /// A plain store.
    PlainWrite,
    /// A memory barrier.
    Fence,
    /// A lock was taken; its holder waited for it if it had to.
    Lock,
    /// A lock was taken without waiting.
    TryLock,
    /// A try-lock found the lock held.
    TryLockFailed,
    /// A lock was given back.
    Unlock,
    /// A lock was taken that others who share it may have too; the task waited if it had to.
    LockShared,
    /// The same, without waiting. One that failed is a `TryLockFailed`.
    TryLockShared,
    /// A lock was given back that was shared.
    UnlockShared,
    /// Who had the lock to itself now shares it, and never let go of it.
    Downgrade,
    /// The task sleeps, or waits for completion, and has now been let go.
    Wait,
    /// A sleeper is let go, or something completes.
    Wake,
    /// A task starts another (`Event::new` is its number).
    Spawn,
    /// A task has waited for the end of another (`Event::new` is its number).
    Join,
    /// One of several things that may happen did (`Event::new` says which).
    Choice,
    /// Note: a counted reference to the object now belongs to the holder.
    Get(Name),
    /// Note: the holder gives up its counted reference to the object.
    Put(Name),
    /// Note: a counted reference passes from the first holder to the second.
    Hand(Name, Name),
    /// Note: a state that a claim wants to have been reached.
    Mark(&'static str),
    /// Note: the task queues itself to sleep until this bit of the object is clear.
    Awaits(BitWait),
    /// Note: the bits of this mask are now the task's, whoever set them: a lock was handed over.
    Owns(u64),
}

/// What a task that sleeps on a bit waits for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BitWait {
    /// The bit, as a mask of its word.
    pub mask: u64,
    /// The kernel's name of it: `PG_locked`.
    pub bit: &'static str,
    /// The objects by which it is told: its wait entry, and what a wake-up of the task sets.
    pub told_by: [u32; 2],
    /// The rule that is broken if it sleeps for ever although the bit is clear.
    pub if_forgotten: Rule,
}

/// An [`Action`] without what it carries: how it is stored in a counterexample.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "those of `Action`")]
pub enum ActionKind {
    Read,
    Write,
    Update,
    UpdateFailed,
    PlainRead,
    PlainWrite,
    Fence,
    Lock,
    #[serde(rename = "trylock")]
    TryLock,
    #[serde(rename = "trylock-failed")]
    TryLockFailed,
    Unlock,
    LockShared,
    #[serde(rename = "trylock-shared")]
    TryLockShared,
    UnlockShared,
    Downgrade,
    Wait,
    Wake,
    Spawn,
    Join,
    Choice,
    Get,
    Put,
    Hand,
    Mark,
    Awaits,
    Owns,
}

impl ActionKind {
    /// Is this a remark, and no step?
    pub fn is_note(self) -> bool {
        use ActionKind::{Awaits, Get, Hand, Mark, Owns, Put};
        matches!(self, Get | Put | Hand | Mark | Awaits | Owns)
    }

    /// Whether it reads and writes a word, a lock or a token. `None`: it is no access.
    pub fn accesses(self) -> Option<Accesses> {
        use ActionKind::{
            Lock, LockShared, PlainRead, PlainWrite, Read, TryLock, TryLockFailed, TryLockShared,
            Unlock, UnlockShared, Update, UpdateFailed, Wait, Wake, Write,
        };
        let (reads, writes) = match self {
            Read | PlainRead | UpdateFailed | TryLockFailed | Wait => (true, false),
            Write | PlainWrite | Unlock | Wake => (false, true),
            Update | Lock | TryLock | LockShared | TryLockShared | UnlockShared => (true, true),
            _ => return None,
        };
        Some(Accesses { reads, writes })
    }
}

/// What a step does to its object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[allow(missing_docs, reason = "their names say it")]
pub struct Accesses {
    pub reads: bool,
    pub writes: bool,
}

impl Action {
    /// Is this a remark, and no step?
    #[inline]
    pub fn is_note(&self) -> bool {
        use Action::{Awaits, Get, Hand, Mark, Owns, Put};
        matches!(self, Get(_) | Put(_) | Hand(..) | Mark(_) | Awaits(_) | Owns(_))
    }

    /// What it is, without what it carries.
    pub fn kind(self) -> ActionKind {
        match self {
            Action::Read => ActionKind::Read,
            Action::Write => ActionKind::Write,
            Action::Update => ActionKind::Update,
            Action::UpdateFailed => ActionKind::UpdateFailed,
            Action::PlainRead => ActionKind::PlainRead,
            Action::PlainWrite => ActionKind::PlainWrite,
            Action::Fence => ActionKind::Fence,
            Action::Lock => ActionKind::Lock,
            Action::TryLock => ActionKind::TryLock,
            Action::TryLockFailed => ActionKind::TryLockFailed,
            Action::Unlock => ActionKind::Unlock,
            Action::LockShared => ActionKind::LockShared,
            Action::TryLockShared => ActionKind::TryLockShared,
            Action::UnlockShared => ActionKind::UnlockShared,
            Action::Downgrade => ActionKind::Downgrade,
            Action::Wait => ActionKind::Wait,
            Action::Wake => ActionKind::Wake,
            Action::Spawn => ActionKind::Spawn,
            Action::Join => ActionKind::Join,
            Action::Choice => ActionKind::Choice,
            Action::Get(_) => ActionKind::Get,
            Action::Put(_) => ActionKind::Put,
            Action::Hand(..) => ActionKind::Hand,
            Action::Mark(_) => ActionKind::Mark,
            Action::Awaits(_) => ActionKind::Awaits,
            Action::Owns(_) => ActionKind::Owns,
        }
    }
}

/// A bit of a flags word: its number and the kernel's name of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Bit {
    /// Its number, 0 to 63.
    pub nr: u32,
    /// `PG_lru`, `BH_Lock`.
    pub name: &'static str,
}

impl Bit {
    /// The word with only this bit set.
    pub const fn mask(self) -> u64 {
        1 << self.nr
    }
}

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// The engine's number of the task, 0 for the scenario's main.
    pub task: u8,
    /// The CPU it ran on.
    pub cpu: u8,
    /// On whose behalf.
    pub context: Context,
    /// The nest of kernel functions it happened in.
    pub path: PathId,
    /// Which call of the innermost of these it was: a number of its own within the execution.
    pub call: u32,
    /// What it was.
    pub action: Action,
    /// The primitive as the kernel spells it: `atomic_inc`, `local_irq_disable`.
    pub primitive: &'static str,
    /// The number of the object, the same in every execution of the scenario.
    pub object: u32,
    /// What the object is called.
    pub name: Name,
    /// What kind of thing it is.
    pub class: Class,
    /// The one bit that the step is about, if it is.
    pub bit: Option<Bit>,
    /// The ordering that the step carries.
    pub order: Order,
    /// The value that the step read (0 if it read none).
    pub old: u64,
    /// The value that the step left (equal to `old` if it wrote none).
    pub new: u64,
    /// The step read a value that was no longer the newest: weak memory at work.
    pub stale: bool,
    /// The access is meant to race, and marked so: `data_race()`.
    pub racy: bool,
    /// The line of the source that the task executed, `mm/swap.c:214`; empty if nobody said.
    pub at: &'static str,
    /// The task is in a function that walks a wait queue and wakes who sleeps there.
    pub in_waker: bool,
    /// What it does to its object.
    pub touch: Touch,
}

impl Event {
    /// An event of which no more is known than who does what to which object, on the CPU of the
    /// task's number and outside of any function: the base of remarks, and of events in tests.
    #[inline]
    pub const fn of(task: u8, action: Action, object: u32) -> Event {
        Event {
            task,
            cpu: task,
            context: Context::Task,
            path: PathId::ROOT,
            call: 0,
            action,
            primitive: "",
            object,
            name: Name::new(""),
            class: Class::None,
            bit: None,
            order: Order::Relaxed,
            old: 0,
            new: 0,
            stale: false,
            racy: false,
            at: "",
            in_waker: false,
            touch: Touch { reads: 0, writes: 0, commutes: 0 },
        }
    }
}

/// Which bits of its object a step reads and may write. Of a lock, all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Touch {
    /// Bits whose value the step observes.
    pub reads: u64,
    /// Bits that the step may change.
    pub writes: u64,
    /// Writes of one kind, as additions whose results nobody looks at, come to the same in any
    /// order. 0: of no such kind.
    pub commutes: u8,
}

impl Touch {
    /// Takes or gives what excludes others.
    pub const ALL: Touch = Touch { reads: !0, writes: !0, commutes: 0 };

    /// Can the order of two such steps on one object be seen?
    pub fn depends_on(self, other: Touch) -> bool {
        let seen = (self.reads & other.writes) | (self.writes & other.reads) != 0;
        let is_like = self.commutes != 0 && self.commutes == other.commutes;
        seen || (self.writes & other.writes != 0 && !is_like)
    }
}

/// A task of a scenario.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskInfo {
    /// Its name: `migrator`, `kworker/0`.
    pub name: String,
    /// The CPU it belongs to; `None` for the scenario's main, which no CPU executes.
    pub cpu: Option<u8>,
    /// The context that it runs in.
    pub context: Context,
}
