//! What the explorer knows of the image while a search runs: which word, lock or sleeper has which
//! number and name, where each task is, which access has been announced and not yet settled.
//!
//! One thread explores (an image has one address), and all tasks are coroutines of it, so that this
//! is a thread-local. It is borrowed for an instant only, never across a step or a failure: who
//! leaves an execution does not come back to give it up.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Mutex};

use selvedge_explore::{Begun, Enter, ForeignWord, Lock, Token, me};
use selvedge_kernel::Cpus;
use selvedge_trace::Name;

use crate::native::fault::Missing;
use crate::native::image::{Image, Range, Written};
use crate::native::primitive::Primitive;
use crate::native::sharing::{Place, Sharing, Touch};

/// Addresses are spread well enough by a multiplication.
#[derive(Default, Clone, Copy)]
pub struct Fast(u64);

impl Hasher for Fast {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(u64::from(byte)));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

type Map<V> = HashMap<u64, V, BuildHasherDefault<Fast>>;

/// An access that has been announced, and that the C code makes before its task's next step.
pub struct Pending {
    pub begun: Begun,
    pub at: u64,
    pub size: u64,
}

/// What was announced last comes with a volatile access of its own, which is the same access: at
/// this address, not far from there in the code.
#[derive(Clone, Copy)]
pub struct Repeats {
    pub at: u64,
    pub size: u64,
    pub from: u64,
}

/// How far behind its announcement a primitive's own volatile access may be, in bytes of code.
const REPEATS_WITHIN: u64 = 128;

impl Repeats {
    /// atomic_read() is announced as itself and, within, as the volatile read that it is; so are
    /// atomic_set(), and the first look of atomic_add_unless() and its like. What comes in between
    /// has none of its own to come.
    pub fn is_at(self, at: u64, size: u64, from: u64) -> bool {
        (self.at, self.size) == (at, size) && from.wrapping_sub(self.from) < REPEATS_WITHIN
    }
}

/// Where a task is.
#[derive(Default)]
pub struct Frame {
    /// The address on its stack at which C begins; 0 if it has not begun.
    pub entry: u64,
    /// The functions that it is in.
    pub path: Vec<(&'static str, Enter)>,
    /// How many `data_race()` it is in.
    pub racy: u32,
    /// The order that its next marked access carries.
    pub next_order: Option<Primitive>,
    /// How often it has preemption off.
    pub preempt: i32,
    /// How many RCU read-side sections it is in.
    pub rcu: u32,
    /// The spin locks that it took with interrupts off, which stands for preemption off.
    pub irq_locks: Vec<u64>,
}

/// See the module.
#[derive(Default)]
pub struct World {
    pub image: Option<Arc<Image>>,
    /// Does a scenario run? Before and after it accesses are no steps.
    pub live: bool,
    pub cpus: Option<Arc<Cpus>>,
    pub tasks: Vec<Frame>,
    pub pending: Option<Pending>,
    pub repeats: Option<Repeats>,
    /// The task that executes each queued work item, by the item's address.
    pub workers: Map<usize>,
    /// Data that the boot has set and nobody changes.
    constant: Vec<Range>,
    /// Which accesses are steps.
    pub sharing: Sharing,
    /// What of the image's data executions have changed.
    pub written: Written,
    /// By number: where each task's is.
    pub task_structs: Vec<u64>,
    addresses: Map<u64>,
    numbers: Map<(u32, Name)>,
    /// What each address of the image is, to who asks again.
    words: Map<ForeignWord>,
    names: Map<Name>,
    /// Names on stacks: by key, which, and within which function of the task's nest.
    on_stacks: Map<(Name, usize, &'static str)>,
    functions: Map<&'static str>,
    lines: Map<&'static str>,
    /// The addresses that lines were asked of, by where the lines' texts are.
    places: Map<u64>,
    inlined: Map<Arc<[&'static str]>>,
    pub primitives: Map<Primitive>,
    bits: HashMap<&'static str, HashMap<u64, &'static str>>,
    /// The same, by where the word's name is and the number.
    bit_names: Map<&'static str>,
    /// What source files' names begin with.
    pub prefixes: Vec<String>,
    /// What was needed and nobody has.
    pub missing: Option<Missing>,
    /// How many accesses were announced.
    pub steps: u64,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}

/// Borrows the world for an instant.
pub fn with<R>(f: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with_borrow_mut(f)
}

/// The loaded image.
pub fn image() -> Arc<Image> {
    with(|world| world.image.clone()).expect("an image is loaded while C runs")
}

/// The CPUs of the execution.
pub fn cpus() -> Arc<Cpus> {
    with(|world| world.cpus.clone()).expect("an execution has CPUs")
}

/// Is what happens now no step of the scenario's: its set-up, its check at the end?
pub fn is_idle() -> bool {
    !with(|world| world.live) || me() == 0
}

/// A text that lives as long as the process. There are as many as the image has names and lines.
pub fn intern(text: &str) -> &'static str {
    static TEXTS: Mutex<Option<std::collections::HashSet<&'static str>>> = Mutex::new(None);
    let mut texts = TEXTS.lock().expect("nobody panics with it");
    let texts = texts.get_or_insert_default();
    if let Some(known) = texts.get(text) {
        return known;
    }
    let kept: &'static str = Box::leak(text.to_string().into_boxed_str());
    texts.insert(kept);
    kept
}

/// How much of a stack C may use: explore's stacks are that large.
const STACK: u64 = 0x2_0000;

/// How addresses on stacks are shown: this, the task's number, and how deep.
const ON_STACK: u64 = 0x5_7000_0000_0000;

/// The task on whose stack an address is that is shown so.
pub fn task_of_stack(shown: u64) -> Option<u64> {
    let is_one = shown & !0xfff_ffff_ffff == ON_STACK & !0xfff_ffff_ffff;
    is_one.then_some((shown ^ ON_STACK) >> 32)
}

/// The words that a range is in, and of each the part.
fn words(at: u64, size: u64) -> impl Iterator<Item = (u64, u64)> {
    let end = at + size;
    let first = (at, end.min((at & !7) + 8) - at);
    std::iter::successors(Some(first), move |&(at, size)| {
        let next = at + size;
        (next < end).then(|| (next, (end - next).min(8)))
    })
}

/// The bits of its word that these bytes are.
pub fn mask(at: u64, size: u64) -> u64 {
    if size >= 8 { !0 } else { ((1_u64 << (size * 8)) - 1) << ((at & 7) * 8) }
}

/// What comes of an access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Judged {
    /// It is nothing that tasks could do to each other.
    NoStep,
    /// It is a step.
    Step,
    /// There is nothing there, or nothing that may be written.
    Bad,
    /// It comes between the announcement of an atomic access and the access, and another task could
    /// see it.
    Torn,
    /// The task goes round and round, alone.
    Endless,
}

/// What an address is as an object: memory, the lock that lies there, whoever sleeps there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum As {
    /// Eight bytes of memory.
    Word = 0,
    /// A lock.
    Lock = 1,
    /// The lock of a work item's pool.
    Pool = 2,
    /// What wakes a task.
    Token = 3,
    /// The RCU read-side section of a task.
    Reader = 4,
}

impl World {
    /// The task in whose stack the address is, and how far below its beginning.
    pub fn on_stack(&self, at: u64) -> Option<(usize, u64)> {
        let holds = |frame: &Frame| at < frame.entry && frame.entry - at < STACK;
        let task = self.tasks.iter().rposition(holds)?;
        Some((task, self.tasks[task].entry - at))
    }

    /// What identifies an address in every execution: of stacks, the task and how deep.
    fn key(&self, at: u64) -> u64 {
        match self.on_stack(at) {
            Some((task, depth)) => 1 << 63 | (task as u64) << 32 | depth,
            None => at,
        }
    }

    /// A value as it is shown: an address on a stack is a task and a depth, as in every execution.
    pub fn shown(&self, value: u64) -> u64 {
        match self.on_stack(value) {
            Some((task, depth)) => ON_STACK | (task as u64) << 32 | depth,
            None => value,
        }
    }

    /// What comes of an access of these bytes? Of less than all bits of one word, which.
    pub fn judge(&mut self, (at, size): (u64, u64), bits: Option<u64>, touch: Touch) -> Judged {
        let is_idle = !self.live || touch.task == 0;
        let Some(image) = &self.image else { return Judged::Bad };
        let data = image.data;
        let is_data = data.has(at, size);
        if is_data && touch.writes {
            self.written.note(at - data.from);
            self.written.note(at + size - 1 - data.from);
        }
        if is_idle {
            return Judged::NoStep;
        }
        let on_stack = if is_data {
            None
        } else if image.all.has(at, size) {
            // Code and constants.
            return if touch.writes { Judged::Bad } else { Judged::NoStep };
        } else {
            let Some((owner, _)) = self.on_stack(at) else { return Judged::Bad };
            Some((owner, self.tasks[owner].entry))
        };
        let mut judged = Judged::NoStep;
        for (at, size) in words(at, size) {
            let place = match on_stack {
                None => Place::Data(((at - data.from) / 8) as usize),
                Some((owner, entry)) if at < entry => {
                    Place::Stack(owner, ((entry - (at & !7)) / 8) as usize)
                }
                Some(_) => continue,
            };
            let bits = bits.unwrap_or_else(|| mask(at, size));
            if self.is_step(place, at, Touch { bits, ..touch }) {
                judged = match self.is_within_exchange(touch.from) {
                    true if self.sharing.is_of_exchange(place, touch.task) => continue,
                    false if !self.sharing.is_torn(place, touch.task) => Judged::Step,
                    _ => return Judged::Torn,
                };
            }
        }
        if judged == Judged::NoStep && self.sharing.is_endless() {
            return Judged::Endless;
        }
        judged
    }

    /// The address of a function of ours. Who asks for it once asks for it again.
    pub fn address(&mut self, name: &'static str) -> Option<u64> {
        let key = name.as_ptr() as u64 | (name.len() as u64) << 56;
        if let Some(&known) = self.addresses.get(&key) {
            return Some(known);
        }
        let at = self.image.as_ref()?.at(name)?;
        self.addresses.insert(key, at);
        Some(at)
    }

    /// Bytes of the image's data have changed, and nobody has announced that.
    pub fn has_written(&mut self, at: u64, size: u64) {
        let Some(image) = &self.image else { return };
        for at in [at, at + size] {
            if image.data.has(at, 1) {
                self.written.note(at - image.data.from);
            }
        }
    }

    fn is_step(&mut self, place: Place, at: u64, touch: Touch) -> bool {
        let is_step = self.sharing.is_step(place, touch).unwrap_or_else(|| {
            // Bytes of a word may have names of their own.
            let names = [at & !7, at & !7 | 4, at].map(|at| self.name(at).text);
            self.sharing.is_step_of_new(place, touch, &names)
        });
        is_step && !self.constant.iter().any(|range| range.has(at, 1))
    }

    fn is_within_exchange(&self, from: u64) -> bool {
        self.image.as_ref().is_some_and(|image| image.is_within_exchange(from))
    }

    /// The word that these bytes are in, if the image's data has it and it is known.
    pub fn known_word(&self, at: u64) -> Option<ForeignWord> {
        self.words.get(&at).copied()
    }

    fn number(&mut self, at: u64, kind: As) -> (u32, Name) {
        let key = self.key(at) | (kind as u64) << 56;
        if let Some(&known) = self.numbers.get(&key) {
            return known;
        }
        let name = if kind == As::Word { Name::new("") } else { self.name(at) };
        let number = self.numbers.len() as u32;
        self.numbers.insert(key, (number, name));
        (number, name)
    }

    /// What lies at the address is called this.
    pub fn name(&mut self, at: u64) -> Name {
        let key = self.key(at);
        if let Some(&(name, depth, function)) = self.on_stacks.get(&key)
            && let Some((task, _)) = self.on_stack(at)
            && self.tasks[task].path.get(depth).is_some_and(|(name, _)| *name == function)
        {
            return name;
        }
        if let Some(&known) = self.names.get(&key) {
            return known;
        }
        let name = match self.on_stack(at) {
            Some((task, depth)) => Name::new(intern(&format!("stack-{depth:#x}"))).nth(task),
            None => self.image.as_ref().map_or(Name::new("?"), |image| global(image, at)),
        };
        self.names.insert(key, name);
        name
    }

    /// What lies at this address of the current task's stack is called so in the function that it
    /// is in.
    pub fn name_on_stack(&mut self, at: u64, text: &'static str) {
        let key = self.key(at);
        let Some((task, _)) = self.on_stack(at) else { return };
        let path = &self.tasks[task].path;
        let Some((function, _)) = path.last() else { return };
        self.on_stacks.insert(key, (Name::new(text).nth(task), path.len() - 1, function));
    }

    /// The function at an address of the code.
    pub fn function(&mut self, at: u64) -> &'static str {
        let World { functions, image, .. } = self;
        functions.entry(at).or_insert_with(|| {
            let symbol = image.as_ref().and_then(|image| image.symbol(at));
            // `.constprop.0`, `.isra.0`: a copy that the compiler made.
            let name = symbol.map_or("?", |(symbol, _)| symbol.name.as_str());
            intern(name.split('.').next().unwrap_or(name))
        })
    }

    /// The line of the source at an address of the code, `mm/swap.c:214`; empty if that is not
    /// known.
    pub fn line(&mut self, at: u64) -> &'static str {
        if let Some(known) = self.lines.get(&at) {
            return known;
        }
        let found = self.image.as_ref().and_then(|image| image.source.line(at.saturating_sub(1)));
        let line = found.map(|(file, line)| format!("{}:{line}", self.short(&file)));
        // Each place has a text of its own, by which it is known what is inlined there.
        let line: &'static str = Box::leak(line.unwrap_or_default().into_boxed_str());
        self.lines.insert(at, line);
        self.places.insert(line.as_ptr() as u64, at);
        line
    }

    /// The functions that are inlined where this line is, and the one that they are inlined in.
    pub fn inlined(&mut self, line: &'static str) -> Arc<[&'static str]> {
        let key = line.as_ptr() as u64;
        let Some(&at) = self.places.get(&key).filter(|_| !line.is_empty()) else {
            return Arc::default();
        };
        if let Some(known) = self.inlined.get(&key) {
            return known.clone();
        }
        let source = self.image.as_ref().map(|image| &image.source);
        let names = source.map(|source| source.functions(at.saturating_sub(1)));
        let names: Arc<[_]> = names.unwrap_or_default().iter().map(|name| intern(name)).collect();
        self.inlined.insert(key, names.clone());
        names
    }

    /// The name of a file in the tree.
    pub fn short<'a>(&self, file: &'a str) -> &'a str {
        let mut prefixes = self.prefixes.iter();
        let rest = prefixes.find_map(|prefix| file.strip_prefix(prefix.as_str()));
        rest.map_or(file, |rest| rest.trim_start_matches('/'))
    }

    /// The kernel's name of a bit of a word.
    pub fn bit(&mut self, word: &'static str, nr: u64) -> &'static str {
        let key = (word.as_ptr() as u64) << 6 | nr;
        if let Some(known) = self.bit_names.get(&key) {
            return known;
        }
        let name = self.look_bit_up(word, nr);
        self.bit_names.insert(key, name);
        name
    }

    fn look_bit_up(&mut self, word: &'static str, nr: u64) -> &'static str {
        let World { bits, image, .. } = self;
        let enumeration = match word {
            "folio->flags" => "pageflags",
            "bh->b_state" => "bh_state_bits",
            _ => "",
        };
        let names = bits.entry(enumeration).or_insert_with(|| {
            let mut names = HashMap::new();
            let values = image.as_ref().map(|image| image.source.enumeration(enumeration));
            for (value, name) in values.unwrap_or_default() {
                names.entry(value).or_insert(intern(&name));
            }
            names
        });
        names.get(&nr).copied().unwrap_or_else(|| intern(&format!("bit {nr}")))
    }

    /// The number of a page flag of this name.
    pub fn number_of_flag(&mut self, name: &str) -> Option<u64> {
        self.bit("folio->flags", 0);
        let names = self.bits.get("pageflags")?;
        names.iter().find(|(_, known)| **known == name).map(|(&nr, _)| nr)
    }

    /// The task that runs.
    pub fn frame(&mut self) -> &mut Frame {
        let me = me();
        while self.tasks.len() <= me {
            self.tasks.push(Frame::default());
        }
        &mut self.tasks[me]
    }

    /// A new execution begins.
    pub fn begin_execution(&mut self, cpus: Cpus) {
        self.forget_tasks();
        self.workers.clear();
        self.pending = None;
        self.repeats = None;
        self.sharing.begin_execution();
        self.cpus = Some(Arc::new(cpus));
        self.live = true;
        self.tasks.push(Frame::default());
    }

    /// Guards of an execution that was given up would leave functions of another one, or of none.
    fn forget_tasks(&mut self) {
        for frame in self.tasks.drain(..) {
            frame.path.into_iter().for_each(|(_, entered)| std::mem::forget(entered));
        }
    }

    /// Nothing runs any more.
    pub fn end_search(&mut self) {
        self.forget_tasks();
        *self = World::default();
    }

    /// Another search: what was numbered for the last one means nothing.
    pub fn begin_search(&mut self, image: &Arc<Image>, prefixes: &[String], sharing: Sharing) {
        self.forget_tasks();
        let (image, prefixes) = (Some(image.clone()), prefixes.to_vec());
        *self = World { image, prefixes, sharing, ..World::default() };
        self.constant = constant(self.image.as_ref());
    }
}

/// Data that the boot has set and that nobody changes: that is not looked at step by step.
fn constant(image: Option<&Arc<Image>>) -> Vec<Range> {
    const NAMES: [&str; 9] = [
        "__per_cpu_offset",
        "nr_cpu_ids",
        "__cpu_possible_mask",
        "__cpu_online_mask",
        "__cpu_present_mask",
        "mm_percpu_wq",
        "page_offset_base",
        "vmemmap_base",
        "sysctl_page_lock_unfairness",
    ];
    let range = |name: &&str| {
        let image = image?;
        let (symbol, _) = image.symbol(image.at(name)?)?;
        Some(Range { from: symbol.at, to: symbol.at + symbol.size })
    };
    NAMES.iter().filter_map(range).collect()
}

/// A variable or field of the image, with its CPU and index.
fn global(image: &Image, at: u64) -> Name {
    let (at, cpu) = image.without_cpu(at);
    let Some((symbol, offset)) = image.symbol(at) else {
        return Name::new(intern(&format!("{at:#x}")));
    };
    let field = image.source.field(symbol.at, offset);
    let base = symbol.name.split('.').next().unwrap_or(&symbol.name);
    let name = match (&field, offset) {
        (Some(field), _) => format!("{base}{field}"),
        (None, 0) => base.to_string(),
        (None, offset) => format!("{base}+{offset:#x}"),
    };
    // Ours: the first dimension is the number of the folio, bh or task.
    for (prefix, kind) in [("sv_folios[", "folio"), ("sv_bhs[", "bh"), ("sv_tasks[", "task")] {
        let Some((index, field)) = name.strip_prefix(prefix).and_then(|rest| rest.split_once(']'))
        else {
            continue;
        };
        let field = field.trim_start_matches('.');
        let text = if field.is_empty() { kind.to_string() } else { format!("{kind}->{field}") };
        return Name::new(intern(&text)).nth(index.parse().unwrap_or(255));
    }
    let name = Name::new(intern(&name));
    cpu.map_or(name, |cpu| name.on(cpu))
}

/// The word that these bytes are in.
pub fn word(at: u64) -> (u32, Name) {
    with(|world| {
        let (number, _) = world.number(at & !7, As::Word);
        // The name is that of the variable, which shares the word with others.
        (number, world.name(at))
    })
}

/// The same as a handle.
pub fn foreign_word(at: u64) -> ForeignWord {
    if let Some(known) = with(|world| world.known_word(at)) {
        return known;
    }
    let (number, name) = word(at);
    let word = ForeignWord::new(number, name);
    with(|world| {
        // What lies on a stack changes its name.
        if world.image.as_ref().is_some_and(|image| image.data.has(at, 1)) {
            world.words.insert(at, word);
        }
    });
    word
}

/// The lock at an address.
pub fn lock(at: u64, kind: As) -> Lock {
    let (number, name) = with(|world| world.number(at, kind));
    let name = match kind {
        As::Pool => Name { text: "pool->lock", ..name },
        As::Reader => Name { text: "rcu_read_lock of task", ..name },
        As::Word | As::Lock | As::Token => name,
    };
    Lock::foreign(number, name)
}

/// What wakes the task whose `task_struct` is at the address.
pub fn token(at: u64) -> Token {
    let (number, name) = with(|world| world.number(at, As::Token));
    Token::foreign(number, Name { text: "task", ..name })
}
