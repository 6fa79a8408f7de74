//! Makes what a copied function names reachable from a tree's file: finds the path, and makes items
//! `pub(crate)` on the way that are visible to their neighbours only.

use std::collections::BTreeSet;

use super::checkout::Checkout;
use super::source::{imports, is_word, items, without_visibility, words};

/// Where models are.
pub const MODELS: &str = "models/src";

/// The module of a file of models: `mm`, `swap`, `drain`.
pub fn module_of(file: &str) -> Vec<String> {
    let within = file.strip_prefix(MODELS).unwrap_or(file).trim_start_matches('/');
    let within = within.trim_end_matches(".rs").trim_end_matches("/mod");
    within.split('/').map(|part| part.trim_start_matches("r#").to_string()).collect()
}

/// The file of a module.
fn file_of(checkout: &Checkout, module: &[String]) -> Option<String> {
    let stem = format!("{MODELS}/{}", module.join("/"));
    [format!("{stem}.rs"), format!("{stem}/mod.rs")].into_iter().find(|file| checkout.has(file))
}

/// A path by which the whole crate can name this one. What else it is that must be done by hand, if
/// it cannot be done.
pub fn reach(checkout: &mut Checkout, path: &str) -> Result<String, String> {
    let Some(within) = path.strip_prefix("crate::") else { return Ok(path.into()) };
    let parts: Vec<String> = within.split("::").map(String::from).collect();
    let Some((item, module)) = parts.split_last() else { return Ok(path.into()) };
    if module.is_empty() {
        return Ok(path.into());
    }
    let Some(file) = file_of(checkout, module) else {
        // `crate::mm::Enum::Variant`: what is to be reached is the type.
        let outer = reach(checkout, &format!("crate::{}", module.join("::")))?;
        return Ok(format!("{outer}::{item}"));
    };
    let text = checkout.read(&file).map_err(|failure| failure.to_string())?;
    let name = item.split(" as ").next().unwrap_or(item);
    if let Some(&line) = items(&text).get(name) {
        publish(checkout, &file, line)?;
        let mut whole = reach_module(checkout, module)?;
        whole.push(item.clone());
        // The one name of a file that is a word of Rust.
        return Ok(format!("crate::{}", whole.join("::")).replace("::loop::", "::r#loop::"));
    }
    if let Some(found) = imports(&text, module).get(name).filter(|found| *found != path) {
        let found = found.clone();
        return reach(checkout, &found);
    }
    for child in items_of_kind(&text, "mod ") {
        let inner = [module, &[child]].concat();
        let is_there = file_of(checkout, &inner)
            .and_then(|file| checkout.read(&file).ok())
            .is_some_and(|text| items(&text).contains_key(name));
        if is_there && text.contains(&format!("use {}::*;", inner[inner.len() - 1])) {
            return reach(checkout, &format!("crate::{}::{item}", inner.join("::")));
        }
    }
    // Within a macro, as the decisions of a file are: those are public.
    Ok(path.into())
}

fn items_of_kind(text: &str, kind: &str) -> Vec<String> {
    let names = text.lines().filter_map(|line| without_visibility(line).1.strip_prefix(kind));
    names.map(|rest| rest.trim_end_matches(';').trim_start_matches("r#").to_string()).collect()
}

/// The path of a module; a module that its parent hides is left out, if the parent passes on all
/// that is in it, else shown.
fn reach_module(checkout: &mut Checkout, module: &[String]) -> Result<Vec<String>, String> {
    // Those of the crate's root, and the files in them, are public.
    let mut whole: Vec<String> = module.iter().take(2).cloned().collect();
    for depth in 2..module.len() {
        let name = &module[depth];
        let Some(parent) = file_of(checkout, &module[..depth]) else {
            // It is in no file of its own, and shows what is in it.
            whole.push(name.clone());
            continue;
        };
        let text = checkout.read(&parent).map_err(|failure| failure.to_string())?;
        let declared = text.lines().position(|line| {
            without_visibility(line).1.trim_end_matches(';') == format!("mod {name}")
        });
        let is_shown = |at: usize| {
            let visibility = text.lines().nth(at).map(|line| without_visibility(line).0);
            matches!(visibility, Some("pub " | "pub(crate) "))
        };
        match declared {
            Some(at) if !is_shown(at) => {
                if text.contains(&format!("pub use {name}::*;")) {
                    continue;
                }
                publish(checkout, &parent, at)?;
            }
            _ => {}
        }
        whole.push(name.clone());
    }
    Ok(whole)
}

/// Makes the item in this line visible in the crate; and the types that a function's first lines
/// name, since they would be hidden otherwise.
fn publish(checkout: &mut Checkout, file: &str, at: usize) -> Result<(), String> {
    let text = checkout.read(file).map_err(|failure| failure.to_string())?;
    let mut lines: Vec<String> = text.lines().map(String::from).collect();
    let (visibility, rest) = without_visibility(&lines[at]);
    if matches!(visibility, "pub " | "pub(crate) ") {
        return Ok(());
    }
    let is_function = rest.contains("fn ");
    lines[at] = format!("pub(crate) {rest}");
    let head: Vec<&str> = lines[at..].iter().map(String::as_str).collect();
    let end = head.iter().position(|line| line.ends_with(['{', '}', ';'])).unwrap_or(0);
    let head = head[..=end].join("\n");
    checkout.set(file, lines.join("\n") + "\n");
    if is_function {
        publish_types(checkout, file, &head)?;
    }
    Ok(())
}

fn publish_types(checkout: &mut Checkout, file: &str, head: &str) -> Result<(), String> {
    for word in words(head).0.iter().filter(|word| is_type(word)) {
        let text = checkout.read(file).map_err(|failure| failure.to_string())?;
        if let Some(&line) = items(&text).get(word) {
            publish(checkout, file, line)?;
        } else if let Some(path) = imports(&text, &module_of(file)).get(word) {
            reach(checkout, path)?;
        }
    }
    Ok(())
}

/// Does it look like the name of a type?
pub fn is_type(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase())
}

/// What a text names of the members of types.
pub struct Members {
    /// Fields and methods, by name.
    pub names: BTreeSet<String>,
    /// Types of which it makes values, so that it names all fields.
    pub made: BTreeSet<String>,
}

/// Makes the members visible in the crate, as far as they are visible to the function in `file`
/// only because that is their neighbour; and the types that they are of.
pub fn publish_members(
    checkout: &mut Checkout,
    file: &str,
    members: &Members,
) -> Result<(), String> {
    let module = module_of(file);
    let top = module[..module.len().min(2)].join("/");
    for near in neighbours(checkout, &format!("{MODELS}/{top}")) {
        let text = checkout.read(&near).map_err(|failure| failure.to_string())?;
        // What is private is visible in its module, and in those inside of that.
        let sees_all = module.starts_with(&module_of(&near));
        let mut within = Within::Other;
        let mut heads = String::new();
        let mut lines: Vec<String> = Vec::new();
        for line in text.lines() {
            if !line.starts_with(' ') && line.ends_with('{') {
                within = Within::of(without_visibility(line).1, members);
            }
            match shown(line, &within, sees_all, members) {
                Some(shown) => {
                    heads.push_str(&format!("{shown}\n"));
                    lines.push(shown);
                }
                None => lines.push(line.into()),
            }
        }
        if !heads.is_empty() {
            checkout.set(&near, lines.join("\n") + "\n");
            publish_types(checkout, &near, &heads)?;
        }
    }
    Ok(())
}

/// What a line is inside of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    /// A struct; are all of its fields meant?
    Struct {
        all: bool,
    },
    /// Methods, which are not a trait's: those have no visibility of their own.
    Methods,
    Other,
}

impl Within {
    /// By the line that opens it.
    fn of(line: &str, members: &Members) -> Within {
        let name = |rest: &str| -> String { rest.chars().take_while(|c| is_word(*c)).collect() };
        match (line.strip_prefix("struct "), line.strip_prefix("impl")) {
            (Some(rest), _) => Within::Struct { all: members.made.contains(&name(rest)) },
            (_, Some(rest)) if !rest.contains(" for ") => Within::Methods,
            _ => Within::Other,
        }
    }
}

/// The line of a member that is meant, made visible; if it is one, and is not.
fn shown(line: &str, within: &Within, sees_all: bool, members: &Members) -> Option<String> {
    let bare = line.trim_start();
    if line.len() - bare.len() != 4 || bare.starts_with("//") {
        return None;
    }
    let (is_hidden, rest) = match bare.strip_prefix("pub(super) ") {
        Some(rest) => (true, rest),
        None => (sees_all && !bare.starts_with("pub"), bare),
    };
    let after_const = rest.strip_prefix("const ").unwrap_or(rest);
    let after_fn = after_const.strip_prefix("fn ");
    let name: String =
        after_fn.unwrap_or(after_const).chars().take_while(|c| is_word(*c)).collect();
    let is_named = members.names.contains(&name);
    let is_meant = match within {
        Within::Struct { all } => after_fn.is_none() && rest.contains(": ") && (is_named || *all),
        Within::Methods => (after_fn.is_some() || after_const != rest) && is_named,
        Within::Other => false,
    };
    (is_hidden && is_meant).then(|| format!("    pub(crate) {rest}"))
}

/// The files of a module and of those in it.
fn neighbours(checkout: &Checkout, stem: &str) -> Vec<String> {
    let mut files: Vec<String> = vec![format!("{stem}.rs")];
    let dir = checkout.path(stem);
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    files.extend(names.filter(|name| name.ends_with(".rs")).map(|name| format!("{stem}/{name}")));
    files.sort();
    files.retain(|file| checkout.has(file));
    files
}
