//! What the compiled files define, what calls what, and what that leaves undefined.
//!
//! Functions and data have sections of their own (`-ffunction-sections`), so that a section is a
//! node and a relocation an edge. What the linker keeps is what can be reached from the roots.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, SectionKind};

use crate::error::{Error, Result};

/// A section of an object file.
#[derive(Clone, Debug)]
struct Section {
    /// The function or variable that it holds; the section's name if it holds several, or none.
    name: String,
    /// The file that it was compiled from, `mm/swap.o`.
    object: usize,
    to: Vec<To>,
    /// What it is made of, so that a patched one can be compared.
    digest: u64,
    is_static: bool,
}

/// Where a relocation leads.
#[derive(Clone, PartialEq, Eq, Debug)]
enum To {
    Section(usize),
    Name(String),
}

/// All sections of the files of an image.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    sections: Vec<Section>,
    /// Global names, by what defines them.
    defined: HashMap<String, usize>,
}

/// A name that nothing defines, and what uses it first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Undefined {
    /// The name.
    pub name: String,
    /// A function or variable that refers to it.
    pub by: String,
}

impl Objects {
    /// Reads the files.
    pub fn read(paths: &[PathBuf]) -> Result<Objects> {
        let mut objects = Objects::default();
        for (number, path) in paths.iter().enumerate() {
            let bytes = fs::read(path).map_err(|error| Error::io("read", path, &error))?;
            objects.add(number, path, &bytes)?;
        }
        Ok(objects)
    }

    fn add(&mut self, number: usize, path: &Path, bytes: &[u8]) -> Result<()> {
        let file: ElfFile64 = ElfFile64::parse(bytes)
            .map_err(|error| Error::new(format!("{}: no object file: {error}", path.display())))?;
        let mut numbers = HashMap::new();
        for section in file.sections() {
            let is_kept = matches!(
                section.kind(),
                SectionKind::Text
                    | SectionKind::Data
                    | SectionKind::ReadOnlyData
                    | SectionKind::ReadOnlyString
                    | SectionKind::UninitializedData
                    | SectionKind::Elf(_)
                    | SectionKind::Common
            );
            if is_kept {
                numbers.insert(section.index(), self.sections.len());
                let name = section.name().unwrap_or_default().to_string();
                let data = section.data().unwrap_or_default();
                let digest =
                    data.iter().fold(section.size(), |hash, byte| mix(hash, u64::from(*byte)));
                let section =
                    Section { name, object: number, to: Vec::new(), digest, is_static: true };
                self.sections.push(section);
            }
        }
        for symbol in file.symbols() {
            let Some(at) = symbol.section_index().and_then(|index| numbers.get(&index)) else {
                continue;
            };
            let Ok(name) = symbol.name() else { continue };
            if name.is_empty() || symbol.kind() == object::SymbolKind::Section {
                continue;
            }
            let section = &mut self.sections[*at];
            if section.name.starts_with('.') && !name.starts_with('.') {
                section.name = name.to_string();
                section.is_static = !symbol.is_global();
            }
            if symbol.is_global() && (!symbol.is_weak() || !self.defined.contains_key(name)) {
                self.defined.insert(name.to_string(), *at);
            }
        }
        self.add_edges(&file, &numbers);
        Ok(())
    }

    fn add_edges(&mut self, file: &ElfFile64, numbers: &HashMap<object::SectionIndex, usize>) {
        for section in file.sections() {
            let Some(&from) = numbers.get(&section.index()) else { continue };
            for (offset, relocation) in section.relocations() {
                let RelocationTarget::Symbol(index) = relocation.target() else { continue };
                let Ok(symbol) = file.symbol_by_index(index) else { continue };
                let name = symbol.name().unwrap_or_default();
                let own = symbol.section_index().and_then(|index| numbers.get(&index)).copied();
                let to = match own {
                    Some(to) if !symbol.is_weak() => To::Section(to),
                    _ => To::Name(name.to_string()),
                };
                let target = match &to {
                    To::Section(to) => self.sections[*to].name.clone(),
                    To::Name(name) => name.clone(),
                };
                let section = &mut self.sections[from];
                let part = super::cache::hash(&[&target]) ^ relocation.addend() as u64;
                section.digest = mix(mix(section.digest, offset), part);
                section.to.push(to);
            }
        }
    }

    /// All global names, in their order.
    pub fn functions(&self) -> Vec<String> {
        let mut names: Vec<String> = self.defined.keys().cloned().collect();
        names.sort();
        names
    }

    /// Is there such a global function or variable?
    pub fn defines(&self, name: &str) -> bool {
        self.defined.contains_key(name)
    }

    /// The global names of these files that begin so.
    pub fn names_with(&self, prefix: &str) -> BTreeSet<&str> {
        self.defined.keys().map(String::as_str).filter(|name| name.starts_with(prefix)).collect()
    }

    /// All that can be reached from these roots: the names of functions and variables.
    pub fn reached<'r>(&self, roots: impl IntoIterator<Item = &'r str>) -> Reached {
        let mut reached = Reached::default();
        let mut seen = vec![false; self.sections.len()];
        let mut todo: Vec<usize> =
            roots.into_iter().filter_map(|root| self.defined.get(root).copied()).collect();
        while let Some(at) = todo.pop() {
            if std::mem::replace(&mut seen[at], true) {
                continue;
            }
            let section = &self.sections[at];
            reached.names.insert((section.object, section.name.clone()));
            for to in &section.to {
                match to {
                    To::Section(to) => todo.push(*to),
                    To::Name(name) => match self.defined.get(name) {
                        Some(to) => todo.push(*to),
                        None => reached.note(name, &section.name),
                    },
                }
            }
        }
        reached
    }

    /// The functions and variables that are not made of the same as in `other`, by file and name.
    /// The files of both are in the same order.
    pub fn differ(&self, other: &Objects) -> BTreeSet<(usize, String)> {
        let digests = |of: &Objects| {
            let mut all: BTreeMap<(usize, String), Vec<u64>> = BTreeMap::new();
            for section in &of.sections {
                all.entry((section.object, section.name.clone())).or_default().push(section.digest);
            }
            all
        };
        let (mine, others) = (digests(self), digests(other));
        let both = mine.keys().chain(others.keys());
        // Strings without a name of their own are numbered by the compiler.
        let is_named =
            |key: &&(usize, String)| !key.1.starts_with('.') && !key.1.starts_with("__func__.");
        both.filter(is_named).filter(|key| mine.get(key) != others.get(key)).cloned().collect()
    }
}

/// What can be reached from roots.
#[derive(Clone, Debug, Default)]
pub struct Reached {
    /// Functions and variables, by file and name.
    pub names: BTreeSet<(usize, String)>,
    /// Names that nothing defines, each with one of those that use it.
    pub undefined: Vec<Undefined>,
}

impl Reached {
    fn note(&mut self, name: &str, by: &str) {
        if !name.is_empty() && !self.undefined.iter().any(|known| known.name == name) {
            self.undefined.push(Undefined { name: name.into(), by: by.into() });
        }
    }
}

fn mix(hash: u64, value: u64) -> u64 {
    (hash.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95)
}
