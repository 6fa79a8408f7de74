//! What rustfmt and clippy do not see: long files and functions, unfinished places, and who may
//! name what.

use std::fs;
use std::path::{Path, PathBuf};

/// A file longer than this has two subjects.
const FILE_LINES_MAX: usize = 600;
/// A function longer than this hides something.
const FUNCTION_LINES_MAX: usize = 70;

/// Looks at every Rust file of the workspace.
pub fn run() -> Result<(), String> {
    let mut files = Vec::new();
    for top in ["crates", "models", "proofs", "ci"] {
        collect(Path::new(top), &mut files)?;
    }
    let complaints: Vec<String> = files.iter().flat_map(|file| look(file)).collect();
    if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n")) }
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let entries = fs::read_dir(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    for entry in entries {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

fn look(file: &Path) -> Vec<String> {
    let Ok(text) = fs::read_to_string(file) else {
        return vec![format!("{}: not readable", file.display())];
    };
    let name = file.display().to_string();
    let mut complaints = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() > FILE_LINES_MAX {
        complaints.push(format!("{name}: {} lines, at most {FILE_LINES_MAX}", lines.len()));
    }
    for (start, length) in functions(&lines) {
        if length > FUNCTION_LINES_MAX {
            let at = start + 1;
            complaints.push(format!("{name}:{at}: {length} lines, at most {FUNCTION_LINES_MAX}"));
        }
    }
    for (number, line) in lines.iter().enumerate() {
        if let Some(word) = unwanted(&name, line) {
            complaints.push(format!("{name}:{}: {word}", number + 1));
        }
    }
    complaints
}

/// Where functions begin, and how long they are. rustfmt closes a function at its own indentation.
fn functions(lines: &[&str]) -> Vec<(usize, usize)> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let begins = |line: &str| {
        let line = line.trim_start();
        ["fn ", "pub fn ", "pub(crate) fn ", "pub(super) fn "].iter().any(|p| line.starts_with(p))
    };
    let starts = lines.iter().enumerate().filter(|(_, line)| begins(line));
    starts
        .filter_map(|(start, line)| {
            let closes = |l: &&str| l.trim_end() == format!("{}}}", " ".repeat(indent(line)));
            lines[start..].iter().position(closes).map(|length| (start, length + 1))
        })
        .collect()
}

/// Words that a file must not have. Spelled in two parts, so that this file may be looked at too.
fn unwanted(file: &str, line: &str) -> Option<String> {
    let unfinished = [("TO", "DO"), ("FIX", "ME"), ("#[ign", "ore"), ("unimple", "mented!(")];
    let found = unfinished.iter().find(|(a, b)| line.contains(&format!("{a}{b}")));
    if let Some((a, b)) = found {
        return Some(format!("{a}{b}: finish it, or say what is left out"));
    }
    let compares_addresses = line.contains(concat!("fn_addr", "_eq"));
    if compares_addresses {
        return Some("functions have no identity: compare an enum or a name".into());
    }
    let names_engine = line.contains("loom::") || line.contains("shuttle::");
    let may = ["crates/explore/", "crates/dpor/", "ci/"].iter().any(|dir| file.starts_with(dir));
    (names_engine && !may).then(|| "only explore and dpor name an engine".into())
}
