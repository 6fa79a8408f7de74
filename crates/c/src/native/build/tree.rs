//! A kernel tree of the user's.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A tree that can be compiled out of place.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Where it is.
    pub dir: PathBuf,
    /// `6.12.117`, as its Makefile says.
    pub version: String,
}

/// The releases that this was run on. Another may do, and its user is told that nobody knows.
const TRIED: [&str; 2] = ["6.1", "6.12"];

/// Files that every tree has; without one of them it is no kernel, or not all of one.
const PARTS: [&str; 5] =
    ["Kbuild", "scripts/Makefile.build", "scripts/kconfig/Makefile", "mm/swap.c", "fs/buffer.c"];

/// What a build inside the tree leaves behind; kbuild refuses then to build outside of it.
const LEFT_BEHIND: [&str; 3] = [".config", "include/config", "arch/x86/include/generated"];

/// Directories with files that somebody could want to compile besides.
const WHERE_TO_LOOK: [&str; 8] =
    ["mm", "fs", "lib", "kernel", "kernel/sched", "kernel/locking", "kernel/rcu", "block"];

/// Does the line begin the definition of a global function or variable of this name, in the
/// kernel's style?
fn is_definition(line: &str, name: &str) -> bool {
    let begins = line.starts_with(|c: char| c.is_ascii_alphabetic());
    let Some(at) = line.find(name).filter(|_| begins) else { return false };
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (before, behind) = (&line[..at], &line[at + name.len()..]);
    let is_whole = !before.ends_with(is_part) && !behind.starts_with(is_part);
    let is_declared = ["extern ", "static ", "EXPORT_"].iter().any(|word| before.starts_with(word));
    let is_call =
        before.is_empty() || before.contains(['(', '=']) || behind.trim_end().ends_with(';');
    let is_data = !behind.starts_with('(');
    is_whole && !is_declared && (is_data && !before.is_empty() || !is_call)
}

impl Tree {
    /// The tree in this directory.
    pub fn open(dir: &Path) -> Result<Tree> {
        let is = |text: String| Err(Error::new(format!("{} {text}", dir.display())));
        let makefile = match fs::read_to_string(dir.join("Makefile")) {
            Ok(text) => text,
            Err(error) => {
                return is(format!("is no kernel tree: its Makefile cannot be read ({error})"));
            }
        };
        let Some(version) = version(&makefile) else {
            return is("is no kernel tree: its Makefile does not say VERSION and PATCHLEVEL".into());
        };
        if let Some(part) = PARTS.iter().find(|part| !dir.join(part).is_file()) {
            return is(format!("is not the whole tree of a kernel ({version}): it has no {part}"));
        }
        if let Some(left) = LEFT_BEHIND.iter().find(|left| dir.join(left).exists()) {
            return is(format!(
                "has been built in place (there is {left}), and a kernel is then not built elsewhere: give a \
                 clean one, as `git clone --shared` makes, or run `make mrproper` in it"
            ));
        }
        let dir = dir.canonicalize().map_err(|error| Error::io("open", dir, &error))?;
        Ok(Tree { dir, version })
    }

    /// What to tell who asks about a release that nobody has tried.
    pub fn remark(&self) -> Option<String> {
        let mut parts = self.version.split('.');
        let release = format!("{}.{}", parts.next()?, parts.next()?);
        (!TRIED.contains(&release.as_str())).then(|| {
            let tried = TRIED.join(" and ");
            format!("{} was never tried, only {tried}: it may not compile", self.version)
        })
    }

    /// A C file that defines a function or variable of this name, if one is where files are that
    /// can be compiled besides.
    pub fn file_that_defines(&self, name: &str) -> Option<String> {
        WHERE_TO_LOOK.iter().find_map(|dir| {
            let mut files: Vec<PathBuf> = fs::read_dir(self.dir.join(dir))
                .ok()?
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| path.extension().is_some_and(|end| end == "c"))
                .collect();
            files.sort();
            let defines = |path: &PathBuf| {
                let bytes = fs::read(path).unwrap_or_default();
                String::from_utf8_lossy(&bytes).lines().any(|line| is_definition(line, name))
            };
            let found = files.into_iter().find(defines)?;
            Some(format!("{dir}/{}", found.file_name()?.to_string_lossy()))
        })
    }

    /// Is there such a file?
    pub fn has(&self, file: &str) -> bool {
        self.dir.join(file).is_file()
    }
}

/// `6.12.117-rc1` of the first lines of a kernel's Makefile.
fn version(makefile: &str) -> Option<String> {
    let value = |name: &str| {
        let of = |line: &str| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == name).then(|| value.trim().to_string())
        };
        makefile.lines().take(30).find_map(of)
    };
    let (version, patchlevel) = (value("VERSION")?, value("PATCHLEVEL")?);
    let is_number = |text: &String| text.parse::<u32>().is_ok();
    if !is_number(&version) || !is_number(&patchlevel) {
        return None;
    }
    let sublevel = value("SUBLEVEL").filter(is_number).map_or(String::new(), |s| format!(".{s}"));
    let extra = value("EXTRAVERSION").unwrap_or_default();
    Some(format!("{version}.{patchlevel}{sublevel}{extra}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_makefile_says_its_version() {
        let text = "# SPDX\nVERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 117\nEXTRAVERSION =\n";
        assert_eq!(version(text).as_deref(), Some("6.12.117"));
        assert_eq!(version("all:\n\techo VERSION = 6\n"), None);
        assert_eq!(
            version("VERSION = 7\nPATCHLEVEL = 0\nEXTRAVERSION = -rc2\n").unwrap(),
            "7.0-rc2"
        );
    }

    #[test]
    fn what_is_no_kernel_is_refused() {
        let dir = std::env::temp_dir().join(format!("selvedge-c-tree-{}", std::process::id()));
        let why = |dir: &Path| Tree::open(dir).expect_err("refused").to_string();
        assert!(why(&dir).contains("its Makefile cannot be read"));
        fs::create_dir_all(&dir).expect("made");
        fs::write(dir.join("Makefile"), "all:\n").expect("written");
        assert!(why(&dir).contains("does not say VERSION"));
        fs::write(dir.join("Makefile"), "VERSION = 6\nPATCHLEVEL = 12\n").expect("written");
        assert!(why(&dir).contains("it has no Kbuild"));
        for part in PARTS {
            fs::create_dir_all(dir.join(part).parent().expect("a directory")).expect("made");
            fs::write(dir.join(part), "").expect("written");
        }
        assert_eq!(Tree::open(&dir).expect("whole").version, "6.12");
        fs::write(dir.join(".config"), "").expect("written");
        assert!(why(&dir).contains("built in place (there is .config)"));
        fs::remove_dir_all(&dir).expect("removed");
    }

    #[test]
    fn a_definition_is_told_from_a_call_and_a_declaration() {
        for line in
            ["void lru_add_drain(void)", "int truncate_it(struct folio *a,", "bool x_y(a) {"]
        {
            let name = line.split(['(', ' ']).nth(1).expect("a name");
            assert!(is_definition(line, name), "{line}");
        }
        assert!(is_definition("unsigned int total_pages;", "total_pages"));
        for line in [
            "extern void drain(void);",
            "void drain(void);",
            "static void drain(void)",
            "EXPORT_SYMBOL(drain);",
            "void drain_all(void)",
            "\tdrain();",
            " * drain() is",
        ] {
            assert!(!is_definition(line, "drain"), "{line}");
        }
    }

    #[test]
    fn a_release_that_nobody_tried_is_remarked_on() {
        let of = |version: &str| Tree { dir: PathBuf::new(), version: version.into() }.remark();
        assert_eq!(of("6.12.117"), None);
        assert!(of("6.17").is_some_and(|remark| remark.contains("never tried")));
    }
}
