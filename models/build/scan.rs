//! What the model sources say of themselves: which function of the kernel's C each function models,
//! and what each file was modelled on and leaves out.
//!
//! It reads the layout that rustfmt gives them, and these conventions:
//!
//! - the doc comment of a function begins with the names that it has in C: "`folio_activate()`;
//!   `activate_page()` until 5.16.";
//! - `enter("NAME")` is what its steps are recorded under;
//! - a comment `// NAME()` or `// NAME(): …` in a body: from here NAME is modelled in place;
//! - a file begins with paragraphs `Left out: …`, `Scaled: …`, `Source: …`; a file without them is
//!   part of the one that it is a module of.

use std::collections::{BTreeMap, BTreeSet};

/// A file of models.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Notes {
    /// `models/src/mm/gup.rs`
    pub file: String,
    /// What it was modelled on: files, releases, commits.
    pub source: String,
    /// What it says it leaves out.
    pub left_out: String,
    /// What it says it scales down.
    pub scaled: String,
    /// The C file that it is named after.
    pub c_file: String,
    /// The C files that it is about.
    pub c_files: Vec<String>,
}

/// How a function of C is modelled.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum How {
    /// By a function.
    Function,
    /// As a part of a function that models its caller.
    InPlace,
    /// The file says that it was modelled on it, among others.
    Source,
    /// Not at all: a comment speaks of it.
    Mentioned,
}

/// A function of C that the models have or speak of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Function {
    /// Its name in C.
    pub name: String,
    /// How it is modelled.
    pub how: How,
    /// The function in Rust that models it, or a part of which does.
    pub rust: String,
    /// The file that has it.
    pub file: String,
    /// The line in that file.
    pub line: usize,
    /// What the comment there says: its first sentence.
    pub says: String,
    /// What it says is left out, besides what the file says of all of its functions.
    pub left_out: String,
    /// The names that its steps are recorded under.
    pub entered: Vec<String>,
    /// It has no such name of its own: those are of the functions that call it, or with
    /// [`How::Source`] of all functions of the file.
    pub by_callers: bool,
}

/// A function in Rust.
struct Item<'a> {
    file: &'a str,
    name: &'a str,
    line: usize,
    doc: String,
    body: Vec<(usize, &'a str)>,
}

/// What the sources say. Each is its path from `src`, and its text.
pub fn scan(sources: &[(String, String)]) -> (Vec<Notes>, Vec<Function>) {
    let notes = notes(sources);
    let items: Vec<Item> = sources.iter().flat_map(|(path, text)| items(path, text)).collect();
    let entered = entered(&items);
    let mut functions: Vec<Function> = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let (own, names) = (enters(item), c_names(&item.doc));
        let all: BTreeSet<String> = names.into_iter().chain(own.iter().cloned()).collect();
        let function = |name: String, how, line| Function {
            name,
            how,
            rust: item.name.into(),
            file: format!("models/src/{}", item.file),
            line,
            says: sentence(&item.doc),
            left_out: paragraph(&item.doc, "Left out:"),
            entered: entered[at].iter().cloned().collect(),
            by_callers: own.is_empty(),
        };
        functions.extend(all.into_iter().map(|name| function(name, How::Function, item.line)));
        let in_place = item.body.iter().filter_map(|(line, text)| Some((*line, in_place(text)?)));
        functions.extend(in_place.map(|(line, name)| Function {
            // The steps are those of the function around it.
            says: format!("in place, in {}()", item.name),
            ..function(name, How::InPlace, line)
        }));
    }
    functions.extend(sources.iter().flat_map(|(path, text)| mentions(path, text)));
    // Of each name in each file only the best: what is modelled there is not only mentioned. And a
    // mention is of interest only if the function is modelled nowhere.
    let mut best: BTreeMap<(String, String), How> = BTreeMap::new();
    for f in &functions {
        let how = best.entry((f.name.clone(), f.file.clone())).or_insert(f.how);
        *how = f.how.min(*how);
    }
    let modelled: BTreeSet<String> =
        (functions.iter()).filter(|f| f.how != How::Mentioned).map(|f| f.name.clone()).collect();
    functions.retain(|f| {
        let is_best = best[&(f.name.clone(), f.file.clone())] == f.how;
        is_best && (f.how != How::Mentioned || !modelled.contains(&f.name))
    });
    // What a whole file was modelled on is recorded under any of its names.
    let mut of_file: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (item, names) in items.iter().zip(&entered) {
        let file = format!("models/src/{}", item.file);
        of_file.entry(file).or_default().extend(names.iter().cloned());
    }
    for f in functions.iter_mut().filter(|f| f.how == How::Source) {
        f.entered = of_file.get(&f.file).into_iter().flatten().cloned().collect();
        f.by_callers = true;
    }
    functions.sort_by(|a, b| (&a.name, &a.file, a.line).cmp(&(&b.name, &b.file, b.line)));
    functions.dedup_by(|a, b| (&a.name, &a.file, &a.rust) == (&b.name, &b.file, &b.rust));
    (notes, functions)
}

/// The notes of each file; those of the file that it is a module of, if it has none.
fn notes(sources: &[(String, String)]) -> Vec<Notes> {
    let own: BTreeMap<&str, Notes> =
        sources.iter().map(|(path, text)| (path.as_str(), own_notes(path, text))).collect();
    own.iter()
        .map(|(path, notes)| {
            let parent = parents(path).into_iter().find_map(|parent| own.get(parent.as_str()));
            match parent {
                Some(parent) if notes.source.is_empty() => {
                    Notes { file: notes.file.clone(), ..parent.clone() }
                }
                _ => notes.clone(),
            }
        })
        .collect()
}

/// The files that `mm/filemap/wait.rs` may be a module of.
fn parents(path: &str) -> Vec<String> {
    match path.rsplit_once('/') {
        Some((dir, name)) if name != "mod.rs" && dir.contains('/') => {
            vec![format!("{dir}.rs"), format!("{dir}/mod.rs")]
        }
        _ => Vec::new(),
    }
}

fn own_notes(path: &str, text: &str) -> Notes {
    let lines = text.lines().take_while(|line| line.starts_with("//!"));
    let doc = lines.map(|line| line[3..].trim()).collect::<Vec<_>>().join(" ");
    let source = paragraph(&doc, "Source:");
    let c_file = c_file_of(path);
    let mut c_files: BTreeSet<String> = c_files(&source).into_iter().collect();
    c_files.insert(c_file.clone());
    Notes {
        file: format!("models/src/{path}"),
        left_out: paragraph(&doc, "Left out:"),
        scaled: paragraph(&doc, "Scaled:"),
        source,
        c_file,
        c_files: c_files.into_iter().collect(),
    }
}

/// The kernel's file that a file of models is named after.
fn c_file_of(path: &str) -> String {
    let parts: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
    let kept = match parts.as_slice() {
        ["drivers", ..] => parts.join("/"),
        [dir, file, ..] => format!("{dir}/{file}"),
        _ => parts.join("/"),
    };
    match kept.as_str() {
        "mm/page_writeback" => "mm/page-writeback.c".into(),
        _ if kept.starts_with("sched/") => format!("kernel/{kept}.c"),
        _ => format!("{kept}.c"),
    }
}

/// What follows a heading in a comment, up to the next heading.
fn paragraph(doc: &str, heading: &str) -> String {
    const HEADINGS: &[&str] = &["Kept:", "Left out:", "Scaled:", "Source:"];
    let Some((_, after)) = doc.split_once(heading) else { return String::new() };
    let end = HEADINGS.iter().filter_map(|next| after.find(next)).min().unwrap_or(after.len());
    after[..end].replace("\\[", "[").replace("\\]", "]").trim().into()
}

/// The files of the kernel that a text names.
fn c_files(text: &str) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '.');
    let words = text.split(|c: char| !is_part(c)).map(|word| word.trim_end_matches('.'));
    words
        .filter(|word| word.contains('/') && (word.ends_with(".c") || word.ends_with(".h")))
        .map(String::from)
        .collect()
}

/// The functions of a file, with their comments and bodies.
fn items<'a>(file: &'a str, text: &'a str) -> Vec<Item<'a>> {
    let lines: Vec<&str> = text.lines().collect();
    let (mut all, mut doc) = (Vec::new(), String::new());
    for (at, line) in lines.iter().enumerate() {
        let bare = line.trim_start();
        if bare.starts_with("#[cfg(test)]") {
            break;
        } else if let Some(says) = bare.strip_prefix("///") {
            doc.push_str(says.trim());
            doc.push(' ');
        } else if let Some(name) = function_name(bare) {
            let indent = &line[..line.len() - bare.len()];
            let closing = format!("{indent}}}");
            let is_over = |line: &&str| **line == closing;
            let length = match line.ends_with('}') {
                true => 1,
                false => lines[at..].iter().position(is_over).map_or(1, |length| length + 1),
            };
            let body = (at..at + length).map(|at| (at + 1, lines[at])).collect();
            all.push(Item { file, name, line: at + 1, doc: std::mem::take(&mut doc), body });
        } else if !bare.starts_with("#[") {
            doc.clear();
        }
    }
    all
}

fn function_name(line: &str) -> Option<&str> {
    let words = ["pub ", "pub(crate) ", "pub(super) ", "const ", "unsafe "];
    let bare = words.iter().fold(line, |line, word| line.strip_prefix(word).unwrap_or(line));
    let name = bare.strip_prefix("fn ")?;
    name.split(|c: char| !is_word(c)).next().filter(|name| !name.is_empty())
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// For each name that steps are recorded under, a hash of the text of the functions that record
/// them: without comments and white space. It is the same on every machine (FNV-1a).
pub fn texts(sources: &[(String, String)]) -> BTreeMap<String, u64> {
    let mut items: Vec<Item> = sources.iter().flat_map(|(path, text)| items(path, text)).collect();
    items.sort_by_key(|item| (item.file, item.name, item.line));
    let mut hashes: BTreeMap<String, u64> = BTreeMap::new();
    for (item, names) in items.iter().zip(entered(&items)) {
        for name in names {
            let hash = hashes.entry(name).or_insert(0xcbf2_9ce4_8422_2325);
            for (_, line) in &item.body {
                *hash = with_line(*hash, line);
            }
        }
    }
    hashes
}

fn with_line(hash: u64, line: &str) -> u64 {
    let code = line.trim_start();
    let code = if code.starts_with("//") { "" } else { code };
    // No kernel name and no message of ours has `//` in it.
    let code = code.split_once(" // ").map_or(code, |(code, _)| code);
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    code.bytes().filter(|byte| !byte.is_ascii_whitespace()).fold(hash, step)
}

/// The names that steps in this function are recorded under.
fn enters(item: &Item) -> Vec<String> {
    let literal = |line: &str| {
        let (_, after) =
            line.split_once("enter(\"").or_else(|| line.split_once("enter_waker(\""))?;
        Some(after.split_once('"')?.0.to_string())
    };
    item.body.iter().filter_map(|(_, line)| literal(line)).collect()
}

/// For each function, the names that its steps are recorded under: its own, else those of its
/// callers, whoever they are.
fn entered(items: &[Item]) -> Vec<BTreeSet<String>> {
    let mut entered: Vec<BTreeSet<String>> =
        items.iter().map(|item| enters(item).into_iter().collect()).collect();
    let is_own: Vec<bool> = entered.iter().map(|names| !names.is_empty()).collect();
    let words: Vec<BTreeSet<&str>> = items.iter().map(|item| words_of_body(item)).collect();
    loop {
        let mut grew = false;
        for at in 0..items.len() {
            if is_own[at] {
                continue;
            }
            let callers = (0..items.len())
                .filter(|&other| other != at && words[other].contains(items[at].name));
            let theirs: Vec<String> =
                callers.flat_map(|other| entered[other].iter().cloned()).collect();
            for name in theirs {
                grew |= entered[at].insert(name);
            }
        }
        if !grew {
            return entered;
        }
    }
}

fn words_of_body<'a>(item: &Item<'a>) -> BTreeSet<&'a str> {
    let lines = item.body.iter().skip(1).map(|&(_, line)| line);
    let code = lines.filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split(|c: char| !is_word(c))).collect()
}

/// `// NAME()` or `// NAME(): …`
fn in_place(line: &str) -> Option<String> {
    let comment = line.trim_start().strip_prefix("// ")?;
    let (name, after) = comment.split_once("()")?;
    let is_name = !name.is_empty() && name.chars().all(is_word);
    (is_name && (after.is_empty() || after.starts_with(':'))).then(|| name.into())
}

/// The names in C that a comment begins with.
fn c_names(doc: &str) -> Vec<String> {
    let doc = doc.trim_start();
    let since = ["Up to ", "Since ", "Until "].iter().any(|word| doc.starts_with(word));
    let doc = match doc.split_once(": ") {
        Some((_, after)) if since => after,
        _ => doc,
    };
    if !doc.starts_with('`') {
        return Vec::new();
    }
    let mut head = doc;
    // What comes after these is somebody else's name.
    let ends = [
        ": ",
        ". ",
        " that ",
        " called by ",
        " as ",
        " for ",
        " without ",
        " under ",
        " which ",
        " before ",
        " after ",
        " in ",
    ];
    for end in ends {
        head = head.split_once(end).map_or(head, |(before, _)| before);
    }
    let mut names: Vec<String> = Vec::new();
    for quoted in head.split('`').skip(1).step_by(2) {
        let Some((name, parameters)) = quoted.split_once('(') else { continue };
        let is_plain = |c: char| c.is_ascii_lowercase() || matches!(c, '_' | ',' | ' ' | ')');
        if name.is_empty() || !parameters.chars().all(is_plain) {
            continue;
        }
        let whole = match (name.strip_prefix('…'), names.first()) {
            (Some(ending), Some(first)) => with_ending(first, ending),
            (Some(_), None) => continue,
            (None, _) => name.to_string(),
        };
        if whole.chars().all(is_word) {
            names.push(whole);
        }
    }
    names
}

/// `collect_folios` with `_pages` is `collect_pages`: as many words are replaced as are given.
fn with_ending(name: &str, ending: &str) -> String {
    let count = ending.matches('_').count();
    let kept = name.rmatch_indices('_').nth(count.saturating_sub(1));
    kept.map_or(name, |(at, _)| &name[..at]).to_string() + ending
}

/// The first sentence of a comment.
fn sentence(doc: &str) -> String {
    let doc = doc.trim();
    let end = doc.find(". ").map_or(doc.len(), |at| at + 1);
    doc[..end].replace("\\[", "[").replace("\\]", "]")
}

/// The functions of C that a file's comments speak of.
fn mentions(path: &str, text: &str) -> Vec<Function> {
    let mut all = Vec::new();
    let mut in_source = false;
    for (at, line) in text.lines().enumerate() {
        let bare = line.trim_start();
        let Some(comment) = bare.strip_prefix("//!").or_else(|| bare.strip_prefix("///")) else {
            in_source = false;
            continue;
        };
        let comment = comment.trim();
        let begins = |heading: &str| comment.starts_with(heading);
        in_source = begins("Source:") || in_source && !(begins("Kept:") || begins("Left out:"));
        for quoted in comment.split('`').skip(1).step_by(2) {
            let Some(name) = quoted.strip_suffix("()") else { continue };
            if name.is_empty() || !name.chars().all(is_word) {
                continue;
            }
            all.push(Function {
                name: name.into(),
                how: if in_source { How::Source } else { How::Mentioned },
                rust: String::new(),
                file: format!("models/src/{path}"),
                line: at + 1,
                says: comment.replace("\\[", "[").replace("\\]", "]"),
                left_out: String::new(),
                entered: Vec::new(),
                by_callers: false,
            });
        }
    }
    all
}
