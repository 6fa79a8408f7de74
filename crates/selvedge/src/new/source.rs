//! Rust text of the models, as far as copying a function out of it needs: which functions it has,
//! what it imports, what it defines. It reads the layout that rustfmt gives.

use std::collections::{BTreeMap, BTreeSet};

/// A function that is not a method.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Function {
    /// From `fn` (what may be before it is left out) to its last `}`.
    pub text: String,
    /// The number of the line that its `{` ends, from 0.
    pub opens: usize,
    /// Its lifetimes, as `<'k>`; or nothing.
    pub lifetimes: String,
    /// The names and types of its parameters.
    pub parameters: Vec<(String, String)>,
    /// `-> T`, or nothing.
    pub returns: String,
}

/// The function of this name, if it is one that can be called with what a tree knows: a free
/// function with plain parameters. Else why not.
pub fn function(text: &str, name: &str) -> Result<Function, String> {
    let lines: Vec<&str> = text.lines().collect();
    let start = lines.iter().position(|line| {
        let bare = without_visibility(line).1;
        let bare = bare.strip_prefix("const ").unwrap_or(bare);
        bare.strip_prefix("fn ")
            .and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with(['(', '<']))
    });
    let Some(start) = start else { return Err("it is a method, or a part of a macro".into()) };
    let opens = (start..lines.len()).find(|&at| lines[at].ends_with('{'));
    let opens = opens.filter(|_| !lines[start].ends_with('}')).ok_or("it does nothing")?;
    let closes = (opens..lines.len()).find(|&at| lines[at] == "}").ok_or("its end is not found")?;
    let head = lines[start..=opens].join(" ");
    let head = without_visibility(&head).1.trim_end_matches('{').trim().to_string();
    let mut whole = vec![without_visibility(lines[start]).1];
    whole.extend(&lines[start + 1..=closes]);
    let (lifetimes, parameters, returns) = signature(&head)?;
    Ok(Function { text: whole.join("\n") + "\n", opens, lifetimes, parameters, returns })
}

/// What is in a function's first lines.
type Signature = (String, Vec<(String, String)>, String);

fn signature(head: &str) -> Result<Signature, String> {
    let open = head.find('(').ok_or("it has no parameters")?;
    let lifetimes = head[..open].find('<').map_or("", |at| &head[at..open]);
    let plain = |c: char| c.is_ascii_lowercase() || matches!(c, '\'' | ',' | ' ' | '<' | '>' | '_');
    let is_lifetimes =
        lifetimes.split(',').all(|part| part.trim_start_matches(['<', ' ']).starts_with('\''));
    if !lifetimes.is_empty() && (!lifetimes.chars().all(plain) || !is_lifetimes) {
        return Err("it has parameters for types".into());
    }
    let close = closing(head, open).ok_or("its parameters do not end")?;
    if head[open..].contains("impl ") {
        return Err("it has parameters for types".into());
    }
    let returns = head[close + 1..].trim().to_string();
    let mut parameters = Vec::new();
    for parameter in split_at_commas(&head[open + 1..close]) {
        let (name, kind) = parameter.split_once(':').ok_or("it is a method")?;
        let name = name.trim().trim_start_matches("mut ");
        if name == "_" || !name.chars().all(is_word) {
            return Err(format!("its parameter `{name}` has no name of its own"));
        }
        parameters.push((name.to_string(), kind.trim().to_string()));
    }
    Ok((lifetimes.to_string(), parameters, returns))
}

fn closing(text: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    text.char_indices().skip_while(|&(at, _)| at < open).find_map(|(at, c)| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at)
    })
}

fn split_at_commas(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_i32, 0, Vec::new());
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '<' => depth += 1,
            '>' if before == '-' => {}
            ')' | ']' | '>' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
        before = c;
    }
    parts.push(text[start..].trim());
    parts.into_iter().filter(|part| !part.is_empty()).collect()
}

/// What a file imports: by name, the whole path; `super` and `self` are resolved.
pub fn imports(text: &str, module: &[String]) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut rest = text;
    while let Some(at) = next_use(rest) {
        let from = &rest[at..];
        let end = from.find(';').unwrap_or(from.len());
        let tree = without_visibility(&from[..end]).1;
        let tree = tree.trim_start_matches("use ").split_whitespace().collect::<Vec<_>>().join(" ");
        leaves(&tree, "", module, &mut all);
        rest = &from[end..];
    }
    all
}

/// Where the next import at the top level begins.
fn next_use(text: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if without_visibility(line).1.starts_with("use ") {
            return Some(at);
        }
        at += line.len();
    }
    None
}

fn leaves(tree: &str, prefix: &str, module: &[String], all: &mut BTreeMap<String, String>) {
    let tree = tree.trim();
    if let Some((path, list)) = tree.split_once('{') {
        let list = list.trim_end().trim_end_matches('}');
        for part in split_lists(list) {
            leaves(part, &format!("{prefix}{path}"), module, all);
        }
        return;
    }
    let whole = resolved(&format!("{prefix}{tree}"), module);
    let (path, name) = match whole.split_once(" as ") {
        Some((_, name)) => (whole.as_str(), name),
        None => (whole.as_str(), whole.rsplit("::").next().unwrap_or(&whole)),
    };
    match name {
        "*" => {}
        "self" => {
            let path = path.trim_end_matches("::self");
            let name = path.rsplit("::").next().unwrap_or(path);
            all.insert(name.into(), path.into());
        }
        _ => drop(all.insert(name.into(), path.into())),
    }
}

fn split_lists(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_i32, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(list[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(list[start..].trim());
    parts.into_iter().filter(|part| !part.is_empty()).collect()
}

fn resolved(path: &str, module: &[String]) -> String {
    let whole = |module: &[String], rest: &str| format!("crate::{}::{rest}", module.join("::"));
    match (path.strip_prefix("super::"), path.strip_prefix("self::")) {
        (Some(rest), _) => whole(&module[..module.len().saturating_sub(1)], rest),
        (_, Some(rest)) => whole(module, rest),
        // A module of this one.
        _ if !CRATES.iter().any(|known| path.split("::").next() == Some(known)) => {
            whole(module, path)
        }
        _ => path.into(),
    }
}

/// What a path may begin with that is no module of the file that has it.
const CRATES: &[&str] = &["alloc", "core", "crate", "selvedge_kernel", "std"];

/// What a file defines at its top level: by name, the number of its line.
pub fn items(text: &str) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for (at, line) in text.lines().enumerate() {
        if line.starts_with("#[cfg(test)]") {
            break;
        }
        let bare = without_visibility(line).1;
        let bare = bare.strip_prefix("const fn ").map_or(bare, |_| &bare["const ".len()..]);
        let kinds = ["fn ", "struct ", "enum ", "const ", "static ", "type ", "trait ", "mod "];
        let Some(rest) = kinds.iter().find_map(|kind| bare.strip_prefix(kind)) else { continue };
        let name: String = rest.chars().take_while(|c| is_word(*c)).collect();
        all.entry(name).or_insert(at);
    }
    all
}

/// The line's `pub(super) ` or the like, and the rest. A line that is indented has its blanks in
/// the first.
pub fn without_visibility(line: &str) -> (&str, &str) {
    let bare = line.trim_start();
    let mut at = line.len() - bare.len();
    if let Some(rest) = bare.strip_prefix("pub") {
        at += match rest.split_once(") ") {
            Some((inside, _)) if rest.starts_with('(') && !inside.contains(' ') => {
                "pub".len() + inside.len() + ") ".len()
            }
            _ if rest.starts_with(' ') => "pub ".len(),
            _ => 0,
        };
    }
    // What is indented is not at the top level.
    if line.starts_with(' ') { (line, "") } else { line.split_at(at) }
}

/// The words of code, without comments and strings: those that stand alone or begin a path, and
/// those that follow a `.` or a `::`.
pub fn words(code: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut roots, mut members) = (BTreeSet::new(), BTreeSet::new());
    for line in code.lines() {
        let line = line.split("//").next().unwrap_or_default();
        let outside = line.split('"').step_by(2);
        for part in outside {
            let mut rest = part;
            while let Some(at) = rest.find(is_word) {
                let word: String = rest[at..].chars().take_while(|c| is_word(*c)).collect();
                let before = rest[..at].trim_end();
                let is_member =
                    before.ends_with("::") || before.ends_with('.') && !before.ends_with("..");
                let set = if is_member { &mut members } else { &mut roots };
                rest = &rest[at + word.len()..];
                set.insert(word);
            }
        }
        // A call that goes on in the next line: `.method()`.
    }
    (roots, members)
}

/// A letter, a digit or `_`.
pub fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "//! A file.\n\nuse super::{Batch, wait::Entry};\nuse selvedge_kernel::{\n \
           \
                        enter, smp_mb,\n};\nuse crate::mm::movable::{self, Owner as Who};\npub use \
                        add::*;\n\nuse add::one;\nmod add;\n\n/// `put()`.\npub(super) fn \
                        put<'k>(\n    k: &'k \
                        Kernel,\n    how: &dyn Fn(usize, bool) -> bool,\n) -> Option<&'k Folio> \
                        {\n    \
                        let _in = enter(\"put\");\n    // not(here)\n    take(k.all.count(), \
                        Batch::new(..SIZE))\n}\n\nfn take(_: &Kernel) {}\n\nfn any<T>(k: &Kernel, \
                        t: \
                        T) {\n    t\n}\n\nimpl Batch {\n    fn count(&self) -> usize {\n        \
                        1\n    \
                        }\n}\n";

    fn module() -> Vec<String> {
        ["mm", "swap", "drain"].map(String::from).to_vec()
    }

    #[test]
    fn a_function_is_read_with_its_signature() {
        let put = function(FILE, "put").expect("it can be copied");
        assert!(put.text.starts_with("fn put<'k>(\n") && put.text.ends_with("\n}\n"));
        assert_eq!(put.lifetimes, "<'k>");
        let kinds: Vec<_> = put.parameters.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
        let expected = [("k", "&'k Kernel"), ("how", "&dyn Fn(usize, bool) -> bool")];
        assert_eq!(kinds, expected);
        assert_eq!(put.returns, "-> Option<&'k Folio>");
        assert!(FILE.lines().nth(put.opens).expect("a line").ends_with('{'));
        for (name, why) in [("take", "nothing"), ("any", "types"), ("count", "method")] {
            assert!(function(FILE, name).expect_err(name).contains(why), "{name}");
        }
    }

    #[test]
    fn imports_are_whole_paths() {
        let all = imports(FILE, &module());
        assert_eq!(all["Batch"], "crate::mm::swap::Batch");
        assert_eq!(all["Entry"], "crate::mm::swap::wait::Entry");
        assert_eq!(all["smp_mb"], "selvedge_kernel::smp_mb");
        assert_eq!(all["movable"], "crate::mm::movable");
        assert_eq!(all["Who"], "crate::mm::movable::Owner as Who");
        assert_eq!(all["one"], "crate::mm::swap::drain::add::one");
        assert_eq!(all.len(), 7);
    }

    #[test]
    fn words_are_told_apart_by_what_is_before_them() {
        let put = function(FILE, "put").expect("it can be copied");
        let (roots, members) = words(&put.text);
        assert!(["enter", "take", "Batch", "SIZE", "Folio"].iter().all(|w| roots.contains(*w)));
        assert!(["count", "new", "all"].iter().all(|w| members.contains(*w)));
        assert!(!roots.contains("not") && !roots.contains("count"));
        assert_eq!(items(FILE).keys().collect::<Vec<_>>(), ["add", "any", "put", "take"]);
    }
}
