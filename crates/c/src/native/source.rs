//! Where functions and variables of an image are in the source: lines, and the names of fields.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use gimli::{Attribute, AttributeValue, DebuggingInformationEntry, EndianArcSlice, LittleEndian};
use gimli::{Reader as _, Unit, UnitOffset};
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _};

type Reader = EndianArcSlice<LittleEndian>;

/// The debug information of an image. Without any, nothing has a line or fields.
pub struct Source {
    lines: Option<Mutex<addr2line::Context<Reader>>>,
    /// The units, with the types in them.
    units: Vec<Unit<Reader>>,
    /// By address: the unit and the type of the variable there.
    variables: HashMap<u64, (usize, UnitOffset)>,
    dwarf: Arc<gimli::Dwarf<Reader>>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("variables", &self.variables.len()).finish_non_exhaustive()
    }
}

impl Source {
    /// Of this image.
    pub fn of(file: &ElfFile64) -> Source {
        let load = |id: gimli::SectionId| {
            let section = file.section_by_name(id.name());
            let data = section.and_then(|section| section.uncompressed_data().ok());
            let data: Cow<'_, [u8]> = data.unwrap_or_default();
            Ok::<_, gimli::Error>(EndianArcSlice::new(Arc::from(&*data), LittleEndian))
        };
        let dwarf = Arc::new(gimli::Dwarf::load(load).expect("loading cannot fail"));
        let lines = addr2line::Context::from_arc_dwarf(dwarf.clone()).ok().map(Mutex::new);
        let mut source = Source { lines, units: Vec::new(), variables: HashMap::new(), dwarf };
        // What cannot be read has no names: the image runs as well without.
        let _ = source.read_units();
        source
    }

    fn read_units(&mut self) -> gimli::Result<()> {
        let mut headers = self.dwarf.units();
        while let Some(header) = headers.next()? {
            let unit = self.dwarf.unit(header)?;
            let number = self.units.len();
            let mut entries = unit.entries();
            while let Some((_, entry)) = entries.next_dfs()? {
                if entry.tag() != gimli::DW_TAG_variable {
                    continue;
                }
                let Some(at) = address(&unit, entry) else { continue };
                if let Some(of) = self.type_of(&unit, entry) {
                    self.variables.entry(at).or_insert((number, of));
                }
            }
            self.units.push(unit);
        }
        Ok(())
    }

    /// The type of a variable; one that is declared elsewhere says it there.
    fn type_of(
        &self,
        unit: &Unit<Reader>,
        entry: &DebuggingInformationEntry<'_, '_, Reader, usize>,
    ) -> Option<UnitOffset> {
        if let Some(of) = reference(entry.attr(gimli::DW_AT_type).ok()?) {
            return Some(of);
        }
        let declared = reference(entry.attr(gimli::DW_AT_specification).ok()?)?;
        let declared = unit.entry(declared).ok()?;
        reference(declared.attr(gimli::DW_AT_type).ok()?)
    }

    /// The file and line of an address: where the function itself is, if others are inlined there.
    pub fn line(&self, at: u64) -> Option<(String, u32)> {
        let lines = self.lines.as_ref()?.lock().ok()?;
        let mut frames = lines.find_frames(at).skip_all_loads().ok()?;
        let mut found = None;
        while let Ok(Some(frame)) = frames.next() {
            let Some(location) = frame.location else { continue };
            let (Some(file), Some(line)) = (location.file, location.line) else { continue };
            found = Some((file.to_string(), line));
            // An inline function of a header tells less than the line that calls it.
            if file.ends_with(".c") {
                break;
            }
        }
        found
    }

    /// The functions that are inlined at an address, and the one that they are inlined in.
    pub fn functions(&self, at: u64) -> Vec<String> {
        let Some(Ok(lines)) = self.lines.as_ref().map(|lines| lines.lock()) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        if let Ok(mut frames) = lines.find_frames(at).skip_all_loads() {
            while let Ok(Some(frame)) = frames.next() {
                let name = frame.function.and_then(|f| f.raw_name().ok().map(|n| n.into_owned()));
                found.extend(name);
            }
        }
        found
    }

    /// The path of the field at this offset of the variable at that address: `.bhs[3]`. Of the
    /// members of a union the first one names it.
    pub fn field(&self, variable: u64, offset: u64) -> Option<String> {
        let &(unit, of) = self.variables.get(&variable)?;
        let mut path = String::new();
        self.walk(&self.units[unit], of, offset, &mut path)?;
        Some(path)
    }

    fn walk(
        &self,
        unit: &Unit<Reader>,
        of: UnitOffset,
        offset: u64,
        path: &mut String,
    ) -> Option<()> {
        let entry = unit.entry(of).ok()?;
        let inner = || reference(entry.attr(gimli::DW_AT_type).ok()?);
        match entry.tag() {
            gimli::DW_TAG_typedef
            | gimli::DW_TAG_const_type
            | gimli::DW_TAG_volatile_type
            | gimli::DW_TAG_atomic_type => self.walk(unit, inner()?, offset, path),
            gimli::DW_TAG_array_type => {
                let of = inner()?;
                let size = self.size(unit, of)?.max(1);
                path.push_str(&format!("[{}]", offset / size));
                self.walk(unit, of, offset % size, path)
            }
            gimli::DW_TAG_structure_type | gimli::DW_TAG_union_type => {
                let (name, of, start) = self.member(unit, entry.offset(), offset)?;
                if !NAMELESS.contains(&name.as_str()) {
                    path.push('.');
                    path.push_str(&name);
                }
                self.walk(unit, of, offset - start, path)
            }
            _ => Some(()),
        }
    }

    /// The first member at this offset: its name, its type, and where it begins.
    fn member(
        &self,
        unit: &Unit<Reader>,
        of: UnitOffset,
        offset: u64,
    ) -> Option<(String, UnitOffset, u64)> {
        let mut tree = unit.entries_tree(Some(of)).ok()?;
        let mut children = tree.root().ok()?.children();
        while let Ok(Some(child)) = children.next() {
            let entry = child.entry();
            if entry.tag() != gimli::DW_TAG_member {
                continue;
            }
            let number = |name| entry.attr_value(name).ok().flatten().and_then(|v| v.udata_value());
            let start = number(gimli::DW_AT_data_member_location).unwrap_or(0);
            let Some(of) = entry.attr(gimli::DW_AT_type).ok().and_then(reference) else { continue };
            let size = self.size(unit, of).unwrap_or(0);
            if entry.attr(gimli::DW_AT_data_bit_offset).ok().flatten().is_some()
                || offset < start
                || offset >= start + size
            {
                continue;
            }
            let name = entry.attr_value(gimli::DW_AT_name).ok().flatten();
            let name = name.and_then(|name| self.dwarf.attr_string(unit, name).ok());
            let name = name.map(spell).unwrap_or_default();
            return Some((name, of, start));
        }
        None
    }

    fn size(&self, unit: &Unit<Reader>, of: UnitOffset) -> Option<u64> {
        let entry = unit.entry(of).ok()?;
        if let Some(size) =
            entry.attr_value(gimli::DW_AT_byte_size).ok()?.and_then(|v| v.udata_value())
        {
            return Some(size);
        }
        let inner = reference(entry.attr(gimli::DW_AT_type).ok()?);
        match entry.tag() {
            gimli::DW_TAG_pointer_type => Some(8),
            gimli::DW_TAG_array_type => {
                let mut count = 1;
                let mut tree = unit.entries_tree(Some(of)).ok()?;
                let mut children = tree.root().ok()?.children();
                while let Ok(Some(child)) = children.next() {
                    let of = |name| child.entry().attr_value(name).ok().flatten();
                    let number = |name| of(name).and_then(|value| value.udata_value());
                    let last = number(gimli::DW_AT_upper_bound).map(|last| last.wrapping_add(1));
                    count *= number(gimli::DW_AT_count).or(last).unwrap_or(0);
                }
                Some(count * self.size(unit, inner?)?)
            }
            _ => self.size(unit, inner?),
        }
    }

    /// The names of an enumeration's values: `enum pageflags`.
    pub fn enumeration(&self, name: &str) -> Vec<(u64, String)> {
        let mut found = Vec::new();
        for unit in &self.units {
            let mut entries = unit.entries();
            while let Ok(Some((_, entry))) = entries.next_dfs() {
                if entry.tag() != gimli::DW_TAG_enumeration_type || self.name(unit, entry) != name {
                    continue;
                }
                let Ok(mut tree) = unit.entries_tree(Some(entry.offset())) else { continue };
                let Ok(root) = tree.root() else { continue };
                let mut children = root.children();
                while let Ok(Some(child)) = children.next() {
                    let value = child.entry().attr_value(gimli::DW_AT_const_value).ok().flatten();
                    if let Some(value) = value.and_then(|value| value.udata_value()) {
                        found.push((value, self.name(unit, child.entry())));
                    }
                }
                return found;
            }
        }
        found
    }

    fn name(
        &self,
        unit: &Unit<Reader>,
        entry: &DebuggingInformationEntry<'_, '_, Reader, usize>,
    ) -> String {
        let name = entry.attr_value(gimli::DW_AT_name).ok().flatten();
        let name = name.and_then(|name| self.dwarf.attr_string(unit, name).ok());
        name.map(spell).unwrap_or_default()
    }
}

/// Members whose names say nothing: wrappers around one word.
const NAMELESS: [&str; 6] = ["", "counter", "rlock", "raw_lock", "val", "page"];

/// The address of a variable that has a fixed one.
fn address(
    unit: &Unit<Reader>,
    entry: &DebuggingInformationEntry<'_, '_, Reader, usize>,
) -> Option<u64> {
    let AttributeValue::Exprloc(expression) = entry.attr_value(gimli::DW_AT_location).ok()?? else {
        return None;
    };
    let mut operations = expression.operations(unit.encoding());
    match operations.next().ok()?? {
        gimli::Operation::Address { address } => Some(address),
        _ => None,
    }
}

fn spell(text: Reader) -> String {
    text.to_string_lossy().map(Cow::into_owned).unwrap_or_default()
}

fn reference(attribute: Option<Attribute<Reader>>) -> Option<UnitOffset> {
    match attribute?.value() {
        AttributeValue::UnitRef(offset) => Some(offset),
        _ => None,
    }
}
