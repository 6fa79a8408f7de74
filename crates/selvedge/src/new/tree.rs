//! `selvedge new NAME --base TREE`: a tree of yours, with copies of what a patch touches.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::process::{Command, Stdio};

use selvedge_models::functions::Function;
use selvedge_models::{Tree, drivers, trees};
use selvedge_patch::How;
use selvedge_proofs::Claim;

use super::checkout::{Checkout, module_name, register};
use super::copy::{Copied, Copies, NotCopied, REPLACED, set_by};
use crate::args::NewArgs;
use crate::error::Failure;
use crate::patch::reach::{self, Reach};
use crate::patch::survey::{FunctionSurvey, survey};
use crate::patch::{contents, expect_kernel_tree};
use crate::select::tree;
use crate::{Outcome, Status, output};

/// Where trees are.
const TREES: &str = "models/src/trees";
/// How the command is called in a checkout.
const RUN: &str = "cargo run --release -q --";
/// The list of yours in `mod.rs`.
const REGISTER: &str = "yours! {";

/// Writes the tree's file, its line in `mod.rs`, and what copies of functions need; or nothing.
pub fn run(name: &str, base: &str, args: &NewArgs) -> Outcome {
    let mut checkout = Checkout::find()?;
    let module = module_name(name, "tree")?;
    let base = tree(base)?;
    if trees::by_name(name).is_some() {
        return Err(Failure::new(format!("there is a tree `{name}` already: take another name")));
    }
    let (file, list) = (format!("{TREES}/{module}.rs"), format!("{TREES}/mod.rs"));
    if checkout.has(&file) {
        let file = checkout.path(&file);
        return Err(Failure::new(format!("there is {} already", file.display())));
    }
    let path = path_of(&checkout, base)?;
    let touched = match &args.from {
        Some(_) => touched(args)?,
        None => Vec::new(),
    };
    let mut copies = Copies::default();
    for function in touched.iter().filter(|function| !function.models.is_empty()) {
        copies.add(&mut checkout, (base, &module), &function.name, &function.models);
    }
    let listed = checkout.read(&list)?;
    checkout.set(&list, register(&listed, REGISTER, &format!("{module},"), &list)?);
    checkout.set(&file, text(name, base, &path, &copies));
    checkout.write()?;
    format(&checkout);
    output::print(&output::printable(&report(&Said {
        checkout,
        name,
        base,
        file,
        copies,
        touched,
        is_of_patch: args.from.is_some(),
    })))?;
    Ok(Status::AsExpected)
}

/// The functions that the patch touches, each once.
fn touched(args: &NewArgs) -> Result<Vec<FunctionSurvey>, Failure> {
    let Some(file) = &args.from else { return Ok(Vec::new()) };
    args.kernel.as_deref().map_or(Ok(()), expect_kernel_tree)?;
    let name = file.display().to_string();
    let input = selvedge_patch::read(&contents(file)?)
        .map_err(|none| Failure::new(crate::patch::view::clean(&format!("{name}: {none}"))))?;
    let mut all: Vec<FunctionSurvey> = Vec::new();
    for patch in &input.patches {
        for file in survey(&name, patch, args.kernel.as_deref()).files {
            for function in file.functions {
                let is_known = all.iter().any(|known| known.name == function.name);
                if function.how != How::Comments && !is_known {
                    all.push(function);
                }
            }
        }
    }
    Ok(all)
}

/// How the base is named in Rust: by the static whose `name:` it is.
fn path_of(checkout: &Checkout, base: &'static Tree) -> Result<String, Failure> {
    if drivers::TREES.iter().any(|tree| tree.name == base.name) {
        let says = format!("`{}` is the tree of a driver: change the driver instead", base.name);
        return Err(Failure::new(says));
    }
    let dir = checkout.path(TREES);
    let entries = fs::read_dir(&dir).map_err(|error| Failure::io("read", &dir, &error))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    for path in files {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        if let Some(name) = static_of(&text, base.name) {
            // Yours are all called so, each in a module of its own.
            let module = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            return Ok(if name == "TREE" { format!("{module}::TREE") } else { name });
        }
    }
    let (name, dir) = (base.name, dir.display());
    Err(Failure::new(format!("no file of {dir} has the tree `{name}`: is this another checkout?")))
}

/// The static in this text whose tree has this name.
fn static_of(text: &str, tree: &str) -> Option<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if let Some(at) = text.find(&format!(" = \"{tree}\"")) {
        let before = &text[..at];
        let name = before.rsplit(|c| !is_word(c)).next()?;
        return name.starts_with(|c: char| c.is_ascii_uppercase()).then(|| name.into());
    }
    let at = text.find(&format!("\"{tree}\""))?;
    let (_, declared) = text[..at].rsplit_once("pub static ")?;
    Some(declared.chars().take_while(|c| is_word(*c)).collect())
}

/// The tree's file.
fn text(name: &str, base: &Tree, path: &str, copies: &Copies) -> String {
    let base = base.name;
    let mut out = [
        format!("//! `{name}`: what it does, in a line. On top of {base}."),
        "//!".into(),
        "//! A commit sets functions and decisions: `set!(swap.lru_claim = LruClaim::AtAdd)`."
            .into(),
        "//! Which there are, and what they mean, is in the `decisions!` of each file in".into(),
        "//! `models/src/`; `selvedge diff` names them.".into(),
        format!("//! `selvedge check --tree {name}` asks what is asked of {base}."),
        "\n".into(),
    ]
    .join("\n");
    let mut imports = copies.imports.clone();
    // What is copied, the copies call.
    imports.retain(|path| {
        copies.copied.iter().all(|copied| !path.ends_with(&format!("::{}", copied.name)))
    });
    imports.insert(format!("crate::trees::{path}"));
    imports.insert("crate::Commit".into());
    imports.insert("crate::Tree".into());
    // What is imported by its last part would hide the base.
    let path = path.replace("::TREE", "::TREE as BASE");
    imports.retain(|import| !import.ends_with("::TREE"));
    if path.ends_with("as BASE") {
        imports.insert(format!("crate::trees::{path}"));
    }
    let path = path.rsplit(' ').next().unwrap_or(&path);
    // Writing to a string cannot fail; so below.
    for (parent, names) in by_parent(&imports) {
        let _ = match names.as_slice() {
            [name] => writeln!(out, "use {parent}::{name};"),
            names => writeln!(out, "use {parent}::{{{}}};", names.join(", ")),
        };
    }
    let _ = writeln!(out, "\nstatic PATCH: Commit = Commit::posted(\n    \"{name}\",\n    &[");
    for copied in &copies.copied {
        let _ = writeln!(out, "        set!({} = func!({})),", copied.set, copied.name);
    }
    let _ = writeln!(out, "    ],\n);\n");
    let _ = writeln!(
        out,
        "/// {base} with it.\npub static TREE: Tree =\n    Tree {{ name: \"{name}\", about: \
            PATCH.title, \
         ..{path}.patched(&[&PATCH]) }};"
    );
    for copied in &copies.copied {
        let Copied { names, text, from, .. } = copied;
        let names: Vec<String> = names.iter().map(|name| format!("`{name}()`")).collect();
        let (names, file) = (names.join(", "), from.file);
        let allow = match copied.name.contains(|c: char| c.is_ascii_uppercase()) {
            true => "#[allow(non_snake_case, reason = \"the kernel's name\")]\n",
            false => "",
        };
        let _ = write!(
            out,
            "\n/// {names} as in {base}, from {file}: change it as your patch does.\n{allow}{text}"
        );
    }
    out
}

/// The imports, in the order in which rustfmt has them: those that have more parts first.
fn by_parent(imports: &BTreeSet<String>) -> Vec<(&str, Vec<&str>)> {
    let mut parents: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for import in imports {
        let (parent, name) = import.rsplit_once("::").unwrap_or((import, "self"));
        parents.entry(parent).or_default().push(name);
    }
    let (root, mut rest): (Vec<_>, Vec<_>) =
        parents.into_iter().partition(|(parent, _)| *parent == "crate");
    let at = rest.iter().position(|(parent, _)| !parent.starts_with("crate")).unwrap_or(rest.len());
    rest.splice(at..at, root);
    rest
}

/// As rustfmt has it, if there is one: the files are right without.
fn format(checkout: &Checkout) {
    let mut command = Command::new("rustfmt");
    command.args(["--edition", "2024"]);
    command.args(checkout.changes().map(|file| checkout.path(file)));
    let _ = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
}

/// What is said of what was written.
struct Said<'a> {
    checkout: Checkout,
    name: &'a str,
    base: &'static Tree,
    file: String,
    copies: Copies,
    touched: Vec<FunctionSurvey>,
    is_of_patch: bool,
}

fn report(said: &Said<'_>) -> String {
    let Said { checkout, name, base, file, copies, touched, .. } = said;
    let base = base.name;
    let mut out =
        format!("wrote {}, and its line in {TREES}/mod.rs\n", checkout.path(file).display());
    let also: Vec<&str> =
        checkout.changes().filter(|f| *f != file && !f.ends_with("trees/mod.rs")).collect();
    if !also.is_empty() {
        let also = also.join(", ");
        let _ = writeln!(out, "changed besides, to call the copies and to let them see: {also}");
    }
    let judged = judged(said);
    for copied in &copies.copied {
        let Copied { names, name, from, set, is_hooked, .. } = copied;
        let names = names.join("(), ");
        let _ = writeln!(out, "  {names}(): copied as {name}(), set by {set}");
        let (file, line, rust) = (from.file, from.line, from.rust);
        let _ = match is_hooked {
            true => writeln!(
                out,
                "    {file}: {rust}() looks first whether the tree has another ({REPLACED})"
            ),
            false => writeln!(out, "    in place of {rust}() ({file}:{line})"),
        };
        let claims = judged(from);
        let _ = match claims.len() {
            0 => writeln!(
                out,
                "    no claim about {base} is known to exercise it: nothing judges it"
            ),
            1 => writeln!(out, "    1 claim about {base} exercises it"),
            count => writeln!(out, "    {count} claims about {base} exercise it"),
        };
    }
    for not in &copies.not {
        let added = touched.iter().any(|f| f.name == not.name && f.how == How::Added);
        out.push_str(&if added { to_write(not) } else { to_copy(not) });
    }
    for function in touched.iter().filter(|function| function.models.is_empty()) {
        let _ = writeln!(out, "  {}(): NOT MODELLED: nothing judges this change", function.name);
    }
    if said.is_of_patch && touched.is_empty() {
        out.push_str(
            "  the patch touches no function: nothing of it is copied, and nothing judges it \
             (`selvedge patch` says what it touches)\n",
        );
    }
    let _ = writeln!(
        out,
        "edit the file, then:\n  {RUN} check --tree {name}\n  {RUN} diff {base} {name}"
    );
    out
}

/// A function that cannot be copied.
fn to_copy(not: &NotCopied) -> String {
    let mut out = format!("  {}(): NOT copied: {}\n", not.name, not.why);
    for Function { file, line, says, .. } in &not.models {
        let _ = writeln!(out, "    edit a copy beside it by hand: {file}:{line}: {says}");
    }
    out
}

/// A function that the base does not have, and the patch adds: how other trees have one of its
/// name.
fn to_write(not: &NotCopied) -> String {
    let mut out = format!("  {}(): added by the patch: write it in the file\n", not.name);
    for model in &not.models {
        let set = trees::every().find_map(|tree| set_by(tree, model));
        let set = set.map_or(String::new(), |set| format!(", set by {set}"));
        let Function { file, line, rust, says, .. } = model;
        let _ = writeln!(out, "    as in another tree{set}: {rust}() ({file}:{line}): {says}");
    }
    out
}

/// For each model, the claims about the base, and about what that was derived from, that exercise
/// it.
fn judged(said: &Said<'_>) -> impl Fn(&Function) -> Vec<&'static Claim> {
    let trees: Vec<&str> =
        std::iter::once(said.base).chain(said.base.bases()).map(|tree| tree.name).collect();
    let reach = match said.copies.copied.is_empty() {
        true => None,
        false => Some(Reach::explore(|tree| trees.contains(&tree.name))),
    };
    move |model| reach.as_ref().map_or_else(Vec::new, |reach| reach::claims(reach, model.entered))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tree_is_found_by_its_name() {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/src/trees");
        let files = fs::read_dir(dir).expect("the directory").flatten();
        let texts: Vec<String> =
            files.map(|file| fs::read_to_string(file.path()).expect("text")).collect();
        for tree in trees::ALL {
            let found: Vec<String> =
                texts.iter().filter_map(|text| static_of(text, tree.name)).collect();
            assert_eq!(found.len(), 1, "{}: {found:?}", tree.name);
        }
        assert!(texts.iter().any(|text| static_of(text, "v6.12.117") == Some("V6_12_117".into())));
    }
}
