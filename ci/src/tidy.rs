//! What rustfmt and clippy do not see: long files, functions, lines and lists of parameters,
//! unfinished places, and who may name what. CONTRIBUTING.md names these budgets.

use std::fs;
use std::path::{Path, PathBuf};

/// A file longer than this has two subjects.
const FILE_LINES_MAX: usize = 600;
/// A function longer than this hides something.
const FUNCTION_LINES_MAX: usize = 70;

/// A function with more parameters than this lacks a type.
const PARAMETERS_MAX: usize = 7;
/// rustfmt keeps code to this, but neither comments nor texts.
const COLUMNS_MAX: usize = 100;

/// How many places are over a budget that did not hold from the beginning. The number may only
/// fall.
struct Ratchet {
    what: &'static str,
    most: usize,
}

const LONG_LINES: Ratchet = Ratchet { what: "lines of more than 100 columns", most: 51 };
const MANY_PARAMETERS: Ratchet = Ratchet { what: "functions with more than 5 parameters", most: 6 };

/// Looks at every Rust file of the workspace, and for the marks of an unfinished merge in its
/// texts.
pub fn run() -> Result<(), String> {
    let mut files = Vec::new();
    for top in ["crates", "models", "proofs", "examples", "ci"] {
        collect(Path::new(top), &[".rs"], &mut files)?;
    }
    let mut complaints = unmerged()?;
    complaints.extend(never_run(&files));
    complaints.extend(not_compiled(&files));
    complaints.extend(not_members()?);
    let (mut long, mut many) = (Vec::new(), Vec::new());
    for file in &files {
        let name = file.display().to_string();
        let Ok(text) = fs::read_to_string(file) else {
            complaints.push(format!("{name}: not readable"));
            continue;
        };
        let lines: Vec<&str> = text.lines().collect();
        complaints.extend(look(&name, &lines));
        let at = |index: &usize| format!("{name}:{}", index + 1);
        // The rows of a table in a comment cannot be broken.
        let is_row = |index: usize| lines[index].trim_start().starts_with("//! |");
        let is_long = |&index: &usize| lines[index].chars().count() > COLUMNS_MAX && !is_row(index);
        long.extend((0..lines.len()).filter(is_long).map(|index| at(&index)));
        let starts = functions(&lines).into_iter().map(|(start, _)| start);
        many.extend(starts.filter(|start| parameters(&lines[*start..]) > 5).map(|s| at(&s)));
    }
    complaints.extend(LONG_LINES.check(&long));
    complaints.extend(MANY_PARAMETERS.check(&many));
    if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n")) }
}

impl Ratchet {
    fn check(&self, places: &[String]) -> Option<String> {
        let (count, most) = (places.len(), self.most);
        (count > most).then(|| {
            format!("{count} {}, at most {most} are left over:\n{}", self.what, places.join("\n"))
        })
    }
}

/// Files of tests that neither the `main.rs` beside them nor a `Cargo.toml` names, the crate's or
/// that of its tests: with `autotests` off, cargo would leave them out without a word.
fn never_run(files: &[PathBuf]) -> Vec<String> {
    let text = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
    let is_left_out = |file: &&PathBuf| {
        let (Some(tests), Some(name)) = (file.parent(), file.file_stem()) else { return false };
        let main = text(tests.join("main.rs"));
        let name = name.to_string_lossy();
        let is_module = main.lines().any(|line| line == format!("mod {name};"));
        let manifests = text(tests.join("../Cargo.toml")) + &text(tests.join("Cargo.toml"));
        let is_target = manifests.lines().any(|line| line == format!("name = \"{name}\""));
        tests.ends_with("tests") && !main.is_empty() && name != "main" && !is_module && !is_target
    };
    let complain = |file: &PathBuf| format!("{}: named by no main.rs, never run", file.display());
    files.iter().filter(is_left_out).map(complain).collect()
}

/// Packages of tests that a plain `cargo test` leaves out.
fn not_members() -> Result<Vec<String>, String> {
    let mut manifests = Vec::new();
    for top in ["crates", "models", "proofs"] {
        collect(Path::new(top), &["tests/Cargo.toml"], &mut manifests)?;
    }
    let workspace = fs::read_to_string("Cargo.toml").unwrap_or_default();
    let is_left_out = |dir: &&Path| {
        let line = format!("\"{}\",", dir.display());
        workspace.lines().filter(|known| known.trim() == line).count() < 2
    };
    let dirs = manifests.iter().filter_map(|manifest| manifest.parent());
    let complain = |dir: &Path| format!("{}: no default member of the workspace", dir.display());
    Ok(dirs.filter(is_left_out).map(complain).collect())
}

/// Tests in the sources of a crate whose `Cargo.toml` says that there are none, so that it is not
/// compiled a second time for nothing; unless the package of its tests compiles them.
fn not_compiled(files: &[PathBuf]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files {
        let has_sources = |dir: &&Path| dir.ends_with("src");
        let Some(sources) = file.ancestors().find(has_sources) else { continue };
        let manifest =
            |name: &str| fs::read_to_string(sources.with_file_name(name)).unwrap_or_default();
        let (manifest, of_tests) = (manifest("Cargo.toml"), manifest("tests/Cargo.toml"));
        let text = fs::read_to_string(file).unwrap_or_default();
        let lines = || text.lines().map(str::trim);
        let fences =
            lines().filter(|line| line.starts_with("//! ```") || line.starts_with("/// ```"));
        let is_code = |opens: &str| opens.ends_with("```") || opens.ends_with("rust");
        let is_compiled = of_tests.lines().any(|line| line == "path = \"../src/lib.rs\"");
        let has_tests = !is_compiled && lines().any(|line| line == "#[test]");
        let has_examples = fences.step_by(2).any(is_code);
        let says = |setting: &str| manifest.lines().any(|line| line == setting);
        for (setting, has) in [("test = false", has_tests), ("doctest = false", has_examples)] {
            if has && says(setting) {
                complaints
                    .push(format!("{}: a test, but its crate says {setting}", file.display()));
            }
        }
    }
    complaints
}

/// Places where a merge left both sides in a file.
fn unmerged() -> Result<Vec<String>, String> {
    let mut files = Vec::new();
    for top in ["crates", "models", "proofs", "examples", "ci", "docs"] {
        collect(Path::new(top), &[".rs", ".md", ".toml", ".tsv", ".litmus"], &mut files)?;
    }
    files.extend(["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Cargo.toml"].map(PathBuf::from));
    let mut complaints = Vec::new();
    for file in &files {
        let bytes = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let text = String::from_utf8_lossy(&bytes);
        let marked = text.lines().enumerate().filter(|(_, line)| is_merge_mark(line));
        let complaint = |number: usize| format!("{}:{number}: a merge's mark", file.display());
        complaints.extend(marked.map(|(index, _)| complaint(index + 1)));
    }
    Ok(complaints)
}

/// The middle mark alone could underline a heading.
fn is_merge_mark(line: &str) -> bool {
    line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ")
}

fn collect(dir: &Path, endings: &[&str], files: &mut Vec<PathBuf>) -> Result<(), String> {
    let entries = fs::read_dir(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    for entry in entries {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_dir() {
            collect(&path, endings, files)?;
        } else if endings.iter().any(|ending| path.to_string_lossy().ends_with(ending)) {
            files.push(path);
        }
    }
    Ok(())
}

fn look(name: &str, lines: &[&str]) -> Vec<String> {
    let mut complaints = Vec::new();
    if lines.len() > FILE_LINES_MAX {
        complaints.push(format!("{name}: {} lines, at most {FILE_LINES_MAX}", lines.len()));
    }
    for (start, length) in functions(lines) {
        let at = start + 1;
        let count = parameters(&lines[start..]);
        if count > PARAMETERS_MAX {
            complaints.push(format!("{name}:{at}: {count} parameters, at most {PARAMETERS_MAX}"));
        }
        if length > FUNCTION_LINES_MAX {
            complaints.push(format!("{name}:{at}: {length} lines, at most {FUNCTION_LINES_MAX}"));
        }
    }
    for (number, line) in lines.iter().enumerate() {
        if let Some(word) = unwanted(name, line) {
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
        let line = line.strip_prefix("pub(crate) ").unwrap_or(line);
        let line = line.strip_prefix("pub(super) ").unwrap_or(line);
        let line = line.strip_prefix("pub ").unwrap_or(line);
        line.strip_prefix("const ").unwrap_or(line).starts_with("fn ")
    };
    let starts = lines.iter().enumerate().filter(|(_, line)| begins(line));
    starts
        .filter_map(|(start, line)| {
            let closes = |l: &&str| l.trim_end() == format!("{}}}", " ".repeat(indent(line)));
            lines[start..].iter().position(closes).map(|length| (start, length + 1))
        })
        .collect()
}

/// How many parameters the function that begins here has, `self` included.
fn parameters(lines: &[&str]) -> usize {
    let text = lines.join(" ");
    let (mut depth, mut count, mut is_empty, mut previous) = (0usize, 0, true, ' ');
    let Some(open) = list_of_parameters(&text) else { return 0 };
    for c in text[open..].chars() {
        match c {
            ')' if depth == 0 => break,
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '>' if previous != '-' && previous != '=' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                count += 1;
                is_empty = true;
            }
            _ => {}
        }
        is_empty &= c.is_whitespace() || (c == ',' && depth == 0);
        previous = c;
    }
    count + usize::from(!is_empty)
}

/// Behind the parenthesis that opens the list: that of `fn f(`, not one within `<F: Fn(u8)>`.
fn list_of_parameters(text: &str) -> Option<usize> {
    let (mut depth, mut previous) = (0usize, ' ');
    for (at, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if previous != '-' => depth = depth.saturating_sub(1),
            '(' if depth == 0 && !text[..at].ends_with("pub") => return Some(at + 1),
            _ => {}
        }
        previous = c;
    }
    None
}

/// Words that a file must not have. Spelled in two parts, so that this file may be looked at too.
fn unwanted(file: &str, line: &str) -> Option<String> {
    let unfinished = [
        ("TO", "DO"),
        ("FIX", "ME"),
        ("#[ign", "ore"),
        ("unimple", "mented!("),
        ("#[should", "_panic]"),
    ];
    let found = unfinished.iter().find(|(a, b)| line.contains(&format!("{a}{b}")));
    if let Some((a, b)) = found {
        return Some(format!("{a}{b}: finish it, or say what is left out"));
    }
    // One file says for which question an address is an answer.
    let may_compare = file == "proofs/src/same_code.rs";
    let compares_addresses = line.contains(concat!("fn_addr", "_eq"));
    if compares_addresses && !may_compare {
        return Some("functions have no identity: compare an enum or a name".into());
    }
    let names_engine = line.contains("loom::") || line.contains("shuttle::");
    let may = ["crates/explore/", "crates/dpor/", "ci/"].iter().any(|dir| file.starts_with(dir));
    (names_engine && !may).then(|| "only explore and dpor name an engine".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_counted_as_a_reader_would() {
        let counts = [
            ("fn f() {}", 0),
            ("pub(crate) fn f(&self) {}", 1),
            ("fn f<F: Fn(u8, u8) -> u8>(f: F, x: (u8, u8)) -> u8 {", 2),
            ("const fn f(a: [u8; 2], b: Map<u8, Vec<u8>>, c: fn(u8, u8) -> u8) {", 3),
            ("fn f(\n    a: u8,\n    b: u8,\n) {", 2),
        ];
        for (text, count) in counts {
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(parameters(&lines), count, "{text}");
        }
    }

    #[test]
    fn a_function_ends_at_its_own_indentation() {
        let text = "impl A {\n    pub const fn f() {\n        if true {\n        }\n    }\n}\n\n\
                    fn g() {\n}";
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(functions(&lines), [(1, 4), (7, 2)]);
    }

    #[test]
    fn what_is_over_a_budget_is_named() {
        let long: Vec<String> = (0..71).map(|_| "    x();".to_string()).collect();
        let text = format!(
            "fn f(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) {{\n{}\n}}",
            long.join("\n")
        );
        let lines: Vec<&str> = text.lines().collect();
        let complaints = look("a.rs", &lines);
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        assert!(look("a.rs", &["// nothing to complain about"]).is_empty());
        assert_eq!(look("a.rs", &[&["// TO", "DO"].concat()]).len(), 1);
        assert_eq!(look("models/a.rs", &[&["use lo", "om::thread;"].concat()]).len(), 1);
        assert!(is_merge_mark(&["<<<<", "<<< HEAD"].concat()));
        assert!(!is_merge_mark("=======") && !is_merge_mark("a << b"));
        let one = Ratchet { what: "places", most: 1 };
        assert!(one.check(&["a:1".into()]).is_none());
        assert!(one.check(&["a:1".into(), "a:2".into()]).is_some());
    }
}
