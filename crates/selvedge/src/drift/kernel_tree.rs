//! A kernel tree: its release, and what its files define.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use selvedge_patch::definitions;

use crate::error::Failure;
use crate::threads;

/// Where functions are looked for: what the models are about is in these directories and below.
const SEARCHED: &[&str] =
    &["block", "drivers/block", "drivers/virtio", "fs", "include/linux", "kernel", "lib", "mm"];

/// A release, as the Makefile has it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Release {
    /// `6.12`
    pub line: String,
    /// `6.12.117`, `6.13-rc1`
    pub version: String,
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.version)
    }
}

impl Release {
    /// From its version, if that is one.
    pub fn parse(version: &str) -> Option<Release> {
        let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let mainline = version.split('-').next()?;
        let mut numbers = mainline.split('.');
        let major = numbers.next().filter(is_number)?;
        let minor = numbers.next().filter(is_number)?;
        let is_rest_plain = numbers.clone().count() <= 1 && numbers.all(|n| is_number(&n));
        let is_suffix_plain = version
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '_'));
        let line = format!("{major}.{minor}");
        (is_rest_plain && is_suffix_plain).then(|| Release { line, version: version.into() })
    }

    /// What the first lines of the Makefile say.
    fn of_makefile(text: &str) -> Option<Release> {
        let value = |name: &str| {
            let lines = text.lines().take(20).filter_map(|line| line.split_once('='));
            let (_, value) = lines.into_iter().find(|(known, _)| known.trim() == name)?;
            Some(value.trim().to_string())
        };
        let (major, minor) = (value("VERSION")?, value("PATCHLEVEL")?);
        let stable = value("SUBLEVEL").filter(|stable| !stable.is_empty() && stable != "0");
        let stable = stable.map(|stable| format!(".{stable}")).unwrap_or_default();
        let extra = value("EXTRAVERSION").unwrap_or_default();
        Release::parse(&format!("{major}.{minor}{stable}{extra}"))
    }
}

/// Where a function is defined, and the fingerprint of its definition.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// `mm/swap.c`
    pub file: String,
    /// Of its tokens.
    pub fingerprint: u64,
}

/// A kernel tree.
pub struct KernelTree {
    dir: PathBuf,
    release: Release,
}

impl KernelTree {
    /// The one in this directory.
    pub fn open(dir: &Path) -> Result<KernelTree, Failure> {
        let makefile = dir.join("Makefile");
        let bytes = fs::read(&makefile).map_err(|e| Failure::io("read", &makefile, &e))?;
        let release = Release::of_makefile(&String::from_utf8_lossy(&bytes)).ok_or_else(|| {
            let makefile = makefile.display();
            Failure::new(format!("{makefile}: not a kernel's: no VERSION and PATCHLEVEL in it"))
        })?;
        Ok(KernelTree { dir: dir.into(), release })
    }

    /// The release that it is of.
    pub fn release(&self) -> &Release {
        &self.release
    }

    /// Where the functions and macros of these names are defined, in the files of the tree or in
    /// all that it searches, in the order of their paths.
    pub fn places(&self, names: &BTreeSet<&'static str>) -> BTreeMap<&'static str, Vec<Place>> {
        let mut files = Vec::new();
        for dir in SEARCHED {
            collect(&self.dir.join(dir), &mut files);
        }
        files.sort();
        let found = threads::on_each(&files, threads::cores(), |file| self.defined(file, names));
        let mut places: BTreeMap<&'static str, Vec<Place>> = BTreeMap::new();
        for (name, place) in found.into_iter().flatten() {
            places.entry(name).or_default().push(place);
        }
        places
    }

    fn defined(&self, file: &Path, names: &BTreeSet<&'static str>) -> Vec<(&'static str, Place)> {
        // A file that cannot be read defines nothing that could be compared.
        let Ok(bytes) = fs::read(file) else { return Vec::new() };
        let path = file.strip_prefix(&self.dir).unwrap_or(file).display().to_string();
        let all = definitions(&String::from_utf8_lossy(&bytes));
        let wanted = all.into_iter().filter_map(|d| Some((*names.get(d.name.as_str())?, d)));
        wanted
            .map(|(name, d)| (name, Place { file: path.clone(), fingerprint: d.fingerprint }))
            .collect()
    }
}

/// The C files below a directory; none if it cannot be read. Links are not followed.
fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect(&path, files),
            Ok(kind) if kind.is_file() && is_c(&path) => files.push(path),
            _ => {}
        }
    }
}

fn is_c(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "c" || extension == "h")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_read_from_the_makefile() {
        let makefile = |sub: &str, extra: &str| {
            format!("# x\nVERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = {sub}\nEXTRAVERSION ={extra}\n")
        };
        let version = |sub, extra| Release::of_makefile(&makefile(sub, extra)).map(|r| r.version);
        assert_eq!(version("117", ""), Some("6.12.117".into()));
        assert_eq!(version("0", " -rc1"), Some("6.12-rc1".into()));
        assert_eq!(Release::of_makefile(&makefile("3", "")).expect("one").line, "6.12");
        assert_eq!(Release::of_makefile("VERSION = x\nPATCHLEVEL = 1\n"), None);
        assert_eq!(Release::of_makefile(""), None);
    }
}
