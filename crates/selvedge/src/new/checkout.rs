//! The checkout that the command is run in, and changes to it: all of them are written, or none.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Failure;
use crate::output;

/// What a checkout has.
const SIGN: &str = "models/src/drivers/mod.rs";

/// A checkout, with changes that are not written yet. Files are named from its root.
#[derive(Clone)]
pub struct Checkout {
    root: PathBuf,
    changed: BTreeMap<String, String>,
}

impl Checkout {
    /// The one here, or around this directory.
    pub fn find() -> Result<Checkout, Failure> {
        let here = std::env::current_dir()
            .map_err(|error| Failure::io("find", Path::new("the current directory"), &error))?;
        let root = here.ancestors().find(|dir| dir.join(SIGN).is_file()).ok_or_else(|| {
            let here = here.display();
            Failure::new(format!("{here} is in no checkout of selvedge: no {SIGN} above it"))
        })?;
        Ok(Checkout { root: root.into(), changed: BTreeMap::new() })
    }

    /// Where a file is.
    pub fn path(&self, file: &str) -> PathBuf {
        self.root.join(file)
    }

    /// Is there a file or directory of this name, now or by the changes?
    pub fn has(&self, file: &str) -> bool {
        self.changed.contains_key(file) || self.path(file).exists()
    }

    /// A file as it will be.
    pub fn read(&self, file: &str) -> Result<String, Failure> {
        if let Some(text) = self.changed.get(file) {
            return Ok(text.clone());
        }
        let path = self.path(file);
        fs::read_to_string(&path).map_err(|error| Failure::io("read", &path, &error))
    }

    /// A file is to have this text.
    pub fn set(&mut self, file: &str, text: String) {
        self.changed.insert(file.into(), text);
    }

    /// The files that are changed or new.
    pub fn changes(&self) -> impl Iterator<Item = &str> {
        self.changed.keys().map(String::as_str)
    }

    /// Makes the changes. If one cannot be made, those before it are taken back.
    pub fn write(&self) -> Result<(), Failure> {
        let mut done: Vec<(PathBuf, Option<String>)> = Vec::new();
        for (file, text) in &self.changed {
            let path = self.path(file);
            let before = fs::read_to_string(&path).ok();
            if let Err(failure) = output::write_file(&path, text) {
                for (path, before) in done {
                    // What cannot be taken back either is said by the failure of the first.
                    let _ = match before {
                        Some(before) => output::write_file(&path, &before),
                        None => output::remove_file(&path),
                    };
                }
                return Err(failure);
            }
            done.push((path, before));
        }
        Ok(())
    }
}

/// The text with one more line in the list that begins with `heading`, as `drivers! {`.
pub fn register(text: &str, heading: &str, line: &str, file: &str) -> Result<String, Failure> {
    let begin = format!("\n{heading}");
    let Some((before, after)) = text.split_once(&begin) else {
        return Err(Failure::new(format!("{file} has no `{heading}` to add a line to")));
    };
    // An empty list is all on one line.
    let after = after.strip_prefix('\n').unwrap_or(after);
    Ok(format!("{before}{begin}\n    {line}\n{after}"))
}

/// Words that are no name of a module.
const RESERVED: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
    "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
    "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield", "with",
];

/// The module of this name; `what` it is the name of. In the name of a tree `-` stands for `_`.
pub fn module_name(name: &str, what: &str) -> Result<String, Failure> {
    let (module, marks) = match what {
        "tree" => (name.replace('-', "_"), "`_` and `-`"),
        _ => (name.to_string(), "`_`"),
    };
    let begins_well = module.starts_with(|c: char| c.is_ascii_lowercase());
    let is_plain = module.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !begins_well || !is_plain || module.len() > 40 {
        return Err(Failure::new(format!(
            "the {what}'s name `{name}` must be of lower-case letters, digits, {marks}, begin with a \
             letter, and have at most 40 characters"
        )));
    }
    if RESERVED.contains(&module.as_str()) {
        return Err(Failure::new(format!("the {what}'s name `{name}` is a word of Rust")));
    }
    Ok(module)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_a_module() {
        assert!(module_name("my_gpu2", "driver").is_ok());
        for bad in ["", "My", "2x", "_x", "a-b", "../x", "fn", "a b", "ä", &"x".repeat(41)] {
            assert!(module_name(bad, "driver").is_err(), "{bad}");
        }
        assert_eq!(module_name("my-patch", "tree").ok().as_deref(), Some("my_patch"));
        assert!(module_name("my-Patch", "tree").is_err());
    }
}
