//! Copies of model functions, for a tree's file: which model of a function the base calls, what its
//! text needs, and how the tree comes to call the copy.

use std::collections::{BTreeMap, BTreeSet};

use selvedge_models::functions::{Function, How};
use selvedge_models::{Decision, Tree};

use super::checkout::{Checkout, register};
use super::reach::{MODELS, Members, is_type, module_of, publish_members, reach};
use super::source::{Function as Text, function, imports, is_word, items, words};

/// Where functions are named that only trees of yours have otherwise.
pub const REPLACED: &str = "models/src/replaced.rs";
/// The list of them.
const LIST: &str = "replaced! {";

/// A function that was copied.
pub struct Copied {
    /// The names in C that the patch touches and that it models.
    pub names: Vec<String>,
    /// What the copy is called.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Where the original is.
    pub from: &'static Function,
    /// What a commit sets to it: `swap.lru_cache_disable`.
    pub set: String,
    /// The function looks first whether the tree has another: a line was added to it.
    pub is_hooked: bool,
}

/// The models of a function that the patch touches, and why none was copied.
pub struct NotCopied {
    /// Its name in C.
    pub name: String,
    /// Why.
    pub why: String,
    /// Its models.
    pub models: Vec<&'static Function>,
}

/// What a tree's file has of functions.
#[derive(Default)]
pub struct Copies {
    /// Those that were copied.
    pub copied: Vec<Copied>,
    /// Those that were not.
    pub not: Vec<NotCopied>,
    /// What the copies import: the paths.
    pub imports: BTreeSet<String>,
}

impl Copies {
    /// Copies what models the function of this name, if it can be done.
    pub fn add(
        &mut self,
        checkout: &mut Checkout,
        (base, module): (&'static Tree, &str),
        name: &str,
        models: &[&'static Function],
    ) {
        // In a checkout that is half changed nobody finds their way: what fails changes nothing.
        let before = checkout.clone();
        let is_of = |known: &&mut Copied| {
            models.iter().any(|m| (m.file, m.rust) == (known.from.file, known.from.rust))
        };
        if let Some(known) = self.copied.iter_mut().find(is_of) {
            known.names.push(name.into());
            return;
        }
        let why = match copy(checkout, (base, module), name, models) {
            Ok((copied, imports)) => match self.clash(&copied, &imports) {
                None => {
                    self.copied.push(copied);
                    self.imports.extend(imports);
                    return;
                }
                Some(clash) => format!("another copy means something else by `{clash}`"),
            },
            Err(why) => why,
        };
        *checkout = before;
        self.not.push(NotCopied { name: name.into(), why, models: models.to_vec() });
    }

    /// A name that means one thing in this copy, and another in those before it.
    fn clash(&self, copied: &Copied, imports: &BTreeSet<String>) -> Option<String> {
        let last = |path: &String| path.rsplit([':', ' ']).next().map(String::from);
        let is_other = |path: &&String| {
            self.imports.iter().any(|known| last(known) == last(path) && known != *path)
        };
        let of_imports = imports.iter().find(is_other).and_then(last);
        let is_taken = self.copied.iter().any(|known| known.name == copied.name);
        of_imports.or(is_taken.then(|| copied.name.clone()))
    }
}

/// The copy, and what it imports.
fn copy(
    checkout: &mut Checkout,
    (base, module): (&'static Tree, &str),
    name: &str,
    models: &[&'static Function],
) -> Result<(Copied, BTreeSet<String>), String> {
    let (from, decision) = model_of(base, models)?;
    let text = checkout.read(from.file).map_err(|failure| failure.to_string())?;
    let original = function(&text, from.rust)?;
    let (set, is_hooked) = match decision {
        Some(set) => (set, false),
        None => (hook(checkout, base, from, &original)?, true),
    };
    let text = with_whole_paths(checkout, from, &original.text)?;
    let mut imports = needs(checkout, from, &text)?;
    // A function that trees tell apart by its name has one of its own.
    let copy = if is_hooked || name != from.rust {
        name_of_copy(name, from)
    } else {
        format!("{name}_{module}")
    };
    imports.retain(|path| path.rsplit("::").next() != Some(copy.as_str()));
    let text = text.replacen(&format!("fn {}", from.rust), &format!("fn {copy}"), 1);
    let copied = Copied { names: vec![name.into()], name: copy, text, from, set, is_hooked };
    Ok((copied, imports))
}

/// The text, in which `super::NAME` is a path that is right elsewhere too.
fn with_whole_paths(
    checkout: &mut Checkout,
    from: &'static Function,
    text: &str,
) -> Result<String, String> {
    let module = module_of(from.file);
    let parent = format!("crate::{}", module[..module.len() - 1].join("::"));
    let mut whole = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("super::") {
        let name: String = after.chars().take_while(|c| is_word(*c)).collect();
        whole.push_str(before);
        whole.push_str(&reach(checkout, &format!("{parent}::{name}"))?);
        rest = &after[name.len()..];
    }
    whole.push_str(rest);
    Ok(whole)
}

/// The kernel's name for what models it alone; for a function that models it among others, that
/// one's.
fn name_of_copy(name: &str, from: &Function) -> String {
    if from.how == How::Function { name.into() } else { from.rust.into() }
}

/// The model that the base calls, and the decision by which it does; none if it is called directly.
fn model_of(
    base: &'static Tree,
    models: &[&'static Function],
) -> Result<(&'static Function, Option<String>), String> {
    let with_text = |model: &&&Function| matches!(model.how, How::Function | How::InPlace);
    let mut found: Vec<&'static Function> = models.iter().filter(with_text).copied().collect();
    found.dedup_by_key(|model| (model.file, model.rust));
    for &model in &found {
        if let Some(set) = set_by(base, model) {
            return Ok((model, Some(set)));
        }
    }
    match found.as_slice() {
        [one] => Ok((one, None)),
        [] => Err("the file says that it was modelled on it, but not in which function".into()),
        _ => {
            Err("it has several models, and which one runs is decided where they are called".into())
        }
    }
}

/// What a commit sets so that the tree calls this model, if it does: `swap.lru_cache_disable`.
pub fn set_by(tree: &Tree, model: &Function) -> Option<String> {
    let decisions = tree.decisions();
    let decision = decisions.iter().find(|decision| decision.value == model.rust)?;
    let file = decision.file.rsplit('/').next().unwrap_or(decision.file);
    Some(format!("{}.{}", file.trim_end_matches(".c"), decision.name))
}

/// Lets the function look first whether the tree has another one, and names what a commit sets.
fn hook(
    checkout: &mut Checkout,
    base: &'static Tree,
    from: &'static Function,
    original: &Text,
) -> Result<String, String> {
    let is_kernel =
        |kind: &str| kind.starts_with('&') && kind.ends_with(" Kernel") || kind == "&Kernel";
    let kernel = original.parameters.iter().find(|(_, kind)| is_kernel(kind));
    let (kernel, _) = kernel.ok_or("it does not know of which tree it is (no `&Kernel`)")?;
    let field = from.rust;
    let entry = format!("{field}()");
    let is_replaced = |d: &Decision| d.name == entry && d.value != "as modelled";
    if base.decisions().iter().any(is_replaced) {
        return Err(format!("{} has a copy of its own already, in its file", base.name));
    }
    let list = checkout.read(REPLACED).map_err(|failure| failure.to_string())?;
    let path = &from.notes().c_file;
    let kind = pointer(checkout, from, original)?;
    let line = format!("\"{path}\", {field}:\n        {kind};");
    let hook = format!(
        "    if let Some(replaced) = {kernel}.tree.replaced.{field} {{\n        return \
            replaced({});\n    }}\n",
        original.parameters.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
    );
    let text = checkout.read(from.file).map_err(|failure| failure.to_string())?;
    match (list.contains(&format!(", {field}:\n")), text.contains(&hook)) {
        (true, true) => {}
        (true, false) => return Err(format!("{REPLACED} has a function of its name already")),
        (false, _) => {
            let list = register(&list, LIST, &line, REPLACED).map_err(|why| why.to_string())?;
            checkout.set(REPLACED, list);
            let opens = function(&text, from.rust)?.opens;
            let mut lines: Vec<&str> = text.lines().collect();
            lines.insert(opens + 1, hook.trim_end_matches('\n'));
            checkout.set(from.file, lines.join("\n") + "\n");
        }
    }
    Ok(format!("replaced.{field}"))
}

/// The type of a pointer to the function, with whole paths.
fn pointer(
    checkout: &mut Checkout,
    from: &'static Function,
    original: &Text,
) -> Result<String, String> {
    let kinds = original.parameters.iter().map(|(_, kind)| kind.as_str()).collect::<Vec<_>>();
    let kind = format!("fn({}) {}", kinds.join(", "), original.returns);
    let paths = paths(checkout, from, words(&kind).0.iter().filter(|word| is_type(word)))?;
    let mut whole = String::new();
    let mut rest = kind.trim_end();
    while let Some(at) = rest.find(is_word) {
        let end = rest[at..].find(|c| !is_word(c)).map_or(rest.len(), |end| at + end);
        let word = &rest[at..end];
        whole.push_str(&rest[..at]);
        whole.push_str(paths.get(word).map_or(word, String::as_str));
        rest = &rest[end..];
    }
    whole.push_str(rest);
    let lifetimes = &original.lifetimes;
    Ok(if lifetimes.is_empty() { whole } else { format!("for{lifetimes} {whole}") })
}

/// The paths by which a tree's file can name these words, as far as they are of the file's own or
/// imported there.
fn paths<'a>(
    checkout: &mut Checkout,
    from: &'static Function,
    words: impl Iterator<Item = &'a String>,
) -> Result<BTreeMap<String, String>, String> {
    let module = module_of(from.file);
    let text = checkout.read(from.file).map_err(|failure| failure.to_string())?;
    let (imported, own) = (imports(&text, &module), items(&text));
    let mut all = BTreeMap::new();
    for word in words {
        let path = match (imported.get(word), own.contains_key(word)) {
            (Some(path), _) => path.clone(),
            (None, true) => format!("crate::{}::{word}", module.join("::")),
            (None, false) => match glob(&text, &module, word, checkout) {
                Some(path) => path,
                None => continue,
            },
        };
        all.insert(word.clone(), reach(checkout, &path)?);
    }
    Ok(all)
}

/// What the file has from `use child::*`, or from its own macros.
fn glob(text: &str, module: &[String], word: &str, checkout: &Checkout) -> Option<String> {
    let children = text.lines().filter_map(|line| line.trim_end().strip_suffix("::*;"));
    let children = children.filter_map(|line| line.split("use ").nth(1));
    for child in children {
        let path = [module, &[child.to_string()]].concat();
        let stem = format!("{MODELS}/{}", path.join("/"));
        let found = [format!("{stem}.rs"), format!("{stem}/mod.rs")]
            .into_iter()
            .filter_map(|file| checkout.read(&file).ok())
            .any(|text| items(&text).contains_key(word));
        if found {
            return Some(format!("crate::{}::{word}", path.join("::")));
        }
    }
    let declared = format!("pub struct {word} ");
    text.lines()
        .any(|line| line.trim_start().starts_with(&declared))
        .then(|| format!("crate::{}::{word}", module.join("::")))
}

/// The imports that a copy of this text needs. What it names and only neighbours see is made
/// visible.
fn needs(
    checkout: &mut Checkout,
    from: &'static Function,
    text: &str,
) -> Result<BTreeSet<String>, String> {
    let (roots, names) = words(text);
    let is_made = |word: &&String| is_type(word) && text.contains(&format!("{word} {{"));
    let made = roots.iter().filter(is_made).cloned().collect();
    publish_members(checkout, from.file, &Members { names, made })?;
    let parameters: BTreeSet<String> = local(text);
    let wanted = roots.iter().filter(|word| {
        *word != "self" && word.as_str() != from.rust && !parameters.contains(*word)
    });
    let mut all: BTreeSet<String> = paths(checkout, from, wanted)?.into_values().collect();
    all.retain(|path| path.contains("::"));
    // What is named by its module has to be visible too.
    let modules = all.clone();
    for (module, name) in members_of_modules(text) {
        if let Some(path) = modules.iter().find(|path| path.ends_with(&format!("::{module}"))) {
            reach(checkout, &format!("{path}::{name}"))?;
        }
    }
    Ok(all)
}

/// `batch::migrate_pages`: a module, and what is named in it.
fn members_of_modules(text: &str) -> Vec<(&str, String)> {
    let mut all = Vec::new();
    for (at, _) in text.match_indices("::") {
        let module = text[..at].rsplit(|c| !is_word(c)).next().unwrap_or_default();
        let name: String = text[at + 2..].chars().take_while(|c| is_word(*c)).collect();
        if !module.is_empty() && !is_type(module) && !name.is_empty() {
            all.push((module, name));
        }
    }
    all
}

/// Names that the function gives to values of its own.
fn local(text: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for line in text.lines() {
        let bare = line.trim_start();
        for start in ["let mut ", "let ", "for "] {
            if let Some(rest) = bare.strip_prefix(start) {
                all.insert(rest.chars().take_while(|c| is_word(*c)).collect());
                break;
            }
        }
    }
    all
}
