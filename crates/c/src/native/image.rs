//! The linked files, mapped where they were linked to. One image at a time.
#![allow(unsafe_code, reason = "memory at fixed addresses, filled and restored: see each place")]

use std::collections::HashMap;
use std::fs;
use std::sync::{Mutex, OnceLock};

use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSegment as _, ObjectSymbol as _, SymbolKind};

use crate::error::{Error, Result};
use crate::native::build::link::{BASE, Linked, TRAPS, TRAPS_MAX};
use crate::native::exchange;
use crate::native::models;
use crate::native::source::Source;

/// Pages are of this size.
const PAGE: u64 = 4096;

/// A function or variable of the image.
#[derive(Clone, Debug)]
pub struct Symbol {
    /// Its address.
    pub at: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Its name.
    pub name: String,
    /// Whether it is a function.
    pub is_function: bool,
}

/// A range of addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Range {
    /// The first.
    pub from: u64,
    /// The first that no longer belongs to it.
    pub to: u64,
}

impl Range {
    /// Are these bytes all in it?
    pub fn has(&self, at: u64, size: u64) -> bool {
        self.from <= at && at.checked_add(size).is_some_and(|end| end <= self.to)
    }
}

/// The data of an image at some time.
#[derive(Clone, Debug)]
pub struct Snapshot(Vec<u8>);

/// Which pages of an image's data have been written: a bit for each.
#[derive(Clone, Debug, Default)]
pub struct Written(Vec<u64>);

impl Written {
    /// So many bytes behind the beginning of the data somebody writes. A word is in one page.
    pub fn note(&mut self, offset: u64) {
        let page = (offset / PAGE) as usize;
        if self.0.len() <= page / 64 {
            self.0.resize(page / 64 + 1, 0);
        }
        self.0[page / 64] |= 1 << (page % 64);
    }

    fn pages(&self) -> impl Iterator<Item = usize> {
        let is_in = |page: &usize| self.0[page / 64] & 1 << (page % 64) != 0;
        (0..self.0.len() * 64).filter(is_in)
    }
}

/// A loaded image.
#[derive(Debug)]
pub struct Image {
    at: HashMap<String, u64>,
    sorted: Vec<Symbol>,
    /// Names that nobody models, with who uses each.
    linked: Linked,
    /// All of it.
    pub all: Range,
    /// What executions change.
    pub data: Range,
    /// The per-CPU data of the image itself; a copy for each CPU comes right behind.
    pub percpu: Range,
    /// Where its functions and variables are in the source.
    pub source: Source,
    /// See [`exchange::ranges`]; found when somebody asks.
    exchanges: OnceLock<Vec<Range>>,
}

impl Image {
    /// Maps it and fills in the addresses of the models.
    pub fn load(linked: &Linked) -> Result<Image> {
        let path = &linked.path;
        let bytes = fs::read(path).map_err(|error| Error::io("read", path, &error))?;
        let refused = |why: String| Error::new(format!("{}: {why}", path.display()));
        let file: ElfFile64 = ElfFile64::parse(&*bytes).map_err(|e| refused(e.to_string()))?;
        let ends = file.segments().map(|segment| segment.address() + segment.size());
        let end = ends.max().ok_or_else(|| refused("an image without contents".into()))?;
        let all = Range { from: BASE, to: end.next_multiple_of(PAGE) };
        if file.segments().any(|segment| segment.address() < BASE) || all.to > TRAPS {
            return Err(refused(format!("it does not lie between {BASE:#x} and {TRAPS:#x}")));
        }
        let mut mapped =
            MAPPED.lock().map_err(|_| refused("another image failed to load".into()))?;
        match mapped.take() {
            Some(last) => unmap(last),
            None => {
                map(Range { from: TRAPS, to: TRAPS + PAGE * TRAPS_MAX as u64 }, libc::PROT_NONE)?
            }
        }
        map(all, libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC)?;
        *mapped = Some(all);
        drop(mapped);
        for segment in file.segments() {
            let data = segment.data().unwrap_or_default();
            // SAFETY: `map` has just made this memory, for nobody else, and the segment is within.
            unsafe {
                std::ptr::copy_nonoverlapping(
                    data.as_ptr(),
                    segment.address() as *mut u8,
                    data.len(),
                );
            }
        }
        let (at, sorted) = symbols(&file);
        let symbol = |name: &str| at.get(name).copied().unwrap_or(BASE);
        let data = Range { from: symbol("__sv_data"), to: symbol("__sv_end") };
        let percpu = Range { from: symbol("__sv_percpu"), to: symbol("__sv_percpu_end") };
        let source = Source::of(&file);
        let linked = linked.clone();
        let exchanges = OnceLock::new();
        let image = Image { at, sorted, linked, all, data, percpu, source, exchanges };
        image.connect();
        Ok(image)
    }

    /// Fills the table of models, and replaces functions that are about more than is explored.
    fn connect(&self) {
        let mut models = models::table();
        for (name, at) in &self.at {
            let model = name.strip_prefix("__sv_slot_").and_then(|model| models.remove(model));
            if let Some(model) = model {
                // SAFETY: a slot is eight bytes of the image's data.
                unsafe { *(*at as *mut u64) = model };
            }
        }
        for (name, model) in models::overrides() {
            let Some(at) = self.at.get(name) else { continue };
            // movabs $model,%rax; jmp *%rax
            let mut code = vec![0x48, 0xb8];
            code.extend(model.to_le_bytes());
            code.extend([0xff, 0xe0]);
            // SAFETY: a function of the image is longer than twelve bytes, since it is
            // instrumented, and nobody executes it yet.
            unsafe { std::ptr::copy_nonoverlapping(code.as_ptr(), *at as *mut u8, code.len()) };
        }
    }

    /// The address of a global function or variable.
    pub fn at(&self, name: &str) -> Option<u64> {
        self.at.get(name).copied()
    }

    /// What is in the data now.
    pub fn snapshot(&self) -> Snapshot {
        let (from, to) = (self.data.from, self.data.to);
        // SAFETY: the data of a loaded image is mapped, and nothing runs in it now.
        let bytes = unsafe { std::slice::from_raw_parts(from as *const u8, (to - from) as usize) };
        Snapshot(bytes.to_vec())
    }

    /// Puts back what was there then.
    pub fn restore(&self, snapshot: &Snapshot) {
        let length = snapshot.0.len().min((self.data.to - self.data.from) as usize);
        // SAFETY: as above.
        unsafe {
            std::ptr::copy_nonoverlapping(snapshot.0.as_ptr(), self.data.from as *mut u8, length);
        }
    }

    /// The same, of what has been written since.
    pub fn restore_written(&self, snapshot: &Snapshot, written: &mut Written) {
        for page in written.pages() {
            let at = page * PAGE as usize;
            let length = snapshot.0.len().saturating_sub(at).min(PAGE as usize);
            // SAFETY: as above; the snapshot is of the whole data.
            unsafe {
                let from = snapshot.0.as_ptr().add(at);
                let to = (self.data.from as usize + at) as *mut u8;
                std::ptr::copy_nonoverlapping(from, to, length);
            }
        }
        written.0.fill(0);
    }

    /// Is it what was there then?
    pub fn is_as(&self, snapshot: &Snapshot) -> bool {
        self.snapshot().0 == snapshot.0
    }

    /// Gives each of so many CPUs its copy of the per-CPU data.
    pub fn copy_percpu(&self, cpus: usize) {
        let size = self.percpu.to - self.percpu.from;
        for cpu in 1..=cpus as u64 {
            // SAFETY: the linker script has left room for eight copies, and there are no more CPUs.
            unsafe {
                let (from, to) = (self.percpu.from, self.percpu.from + cpu * size);
                std::ptr::copy_nonoverlapping(from as *const u8, to as *mut u8, size as usize);
            }
        }
    }

    /// The address in the image's own per-CPU data, if it is in the copy of a CPU, and which.
    pub fn without_cpu(&self, at: u64) -> (u64, Option<usize>) {
        let size = self.percpu.to - self.percpu.from;
        let copies = Range { from: self.percpu.to, to: self.percpu.to + 8 * size };
        match at.checked_sub(copies.from) {
            Some(behind) if size > 0 && copies.has(at, 1) => {
                (self.percpu.from + behind % size, Some((behind / size) as usize))
            }
            _ => (at, None),
        }
    }

    /// The function or variable that the address is in, and how far.
    pub fn symbol(&self, at: u64) -> Option<(&Symbol, u64)> {
        let last = self.sorted.partition_point(|symbol| symbol.at <= at).checked_sub(1)?;
        let symbol = &self.sorted[last];
        (at < symbol.at + symbol.size.max(1)).then_some((symbol, at - symbol.at))
    }

    /// All functions.
    pub fn functions(&self) -> impl Iterator<Item = &Symbol> {
        self.sorted.iter().filter(|symbol| symbol.is_function)
    }

    /// Does the announcement that returns there come between that of an atomic access and the
    /// access?
    pub fn is_within_exchange(&self, from: u64) -> bool {
        let ranges = self.exchanges.get_or_init(|| exchange::ranges(self));
        let last = ranges.partition_point(|range| range.from < from).checked_sub(1);
        last.is_some_and(|last| from <= ranges[last].to)
    }

    /// The name that is not modelled whose address this is.
    pub fn trap(&self, at: u64) -> Option<(&str, u64)> {
        let offset = at.checked_sub(TRAPS)?;
        let trap = self.linked.traps.get((offset / PAGE) as usize)?;
        Some((&trap.name, offset % PAGE))
    }
}

/// What is mapped of the last image. It is not given back when the image is dropped: tasks of an
/// execution that was given up keep hold of it for ever, and never run again.
static MAPPED: Mutex<Option<Range>> = Mutex::new(None);

fn map(range: Range, protection: i32) -> Result<()> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
    // SAFETY: MAP_FIXED_NOREPLACE: memory that anybody uses is not touched.
    let got = unsafe {
        let length = (range.to - range.from) as usize;
        libc::mmap(range.from as *mut _, length, protection, flags, -1, 0)
    };
    if got as u64 == range.from {
        return Ok(());
    }
    let error = std::io::Error::last_os_error();
    Err(Error::new(format!(
        "cannot map memory at {:#x} for the kernel's code: {error}",
        range.from
    )))
}

fn unmap(range: Range) {
    // SAFETY: `map` has made this memory, and the image that lay there is gone.
    unsafe { libc::munmap(range.from as *mut _, (range.to - range.from) as usize) };
}

fn symbols(file: &ElfFile64) -> (HashMap<String, u64>, Vec<Symbol>) {
    let (mut at, mut sorted) = (HashMap::new(), Vec::new());
    for symbol in file.symbols().filter(|symbol| symbol.is_definition() || symbol.address() != 0) {
        let name = symbol.name().unwrap_or_default().to_string();
        let is_function = symbol.kind() == SymbolKind::Text && symbol.size() > 0;
        let is_variable = symbol.kind() == SymbolKind::Data;
        if name.is_empty() {
            continue;
        }
        if is_function || is_variable {
            let (at, size) = (symbol.address(), symbol.size());
            sorted.push(Symbol { at, size, name: name.clone(), is_function });
        }
        if symbol.is_global() || !at.contains_key(&name) {
            at.insert(name, symbol.address());
        }
    }
    sorted.sort_by_key(|symbol| symbol.at);
    (at, sorted)
}
