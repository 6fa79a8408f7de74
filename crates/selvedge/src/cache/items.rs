//! The items of sources in Rust, functions above all, and where a change of one can be felt.
//!
//! What may run when a function runs is found by names ([`super::mentions`]): an item leads to
//! every item that a name in it may mean, by the language's rules as far as they are simple. That
//! is more than the compiler would find, and never less, if what names do not show is counted
//! besides:
//! - an implementation of a trait runs without its name: it answers to its type;
//! - what an item-level macro makes answers to names that only the macro knows: macros, and where
//!   items are made by them, belong to every item;
//! - which of two items of one name is meant is said by the `use` lines: those, and all else in a
//!   file that is no item, belong to every item of the file;
//! - a name that is imported under another one leads from that to the item.
//!
//! Comments and tests never run, and belong to nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{ImplItem, Item as Syntax, UseTree, Visibility};

use super::mentions::{Mention, in_tokens, printed};
use crate::fingerprint::hash;

/// An item.
struct Item {
    /// The names that it answers to.
    names: BTreeSet<String>,
    /// Of a function of an `impl` or a trait: the type or the trait.
    owner: Option<String>,
    /// Which of the files it is in.
    file: usize,
    /// From where it can be named: this module, and those in it.
    scope: String,
    /// Its tokens.
    text: String,
    /// A hash of them, and of the path of the file.
    digest: String,
    /// What is named in it.
    mentions: BTreeSet<Mention>,
    /// Is it a static or a constant?
    is_value: bool,
    /// Is it a type? Then it has fields, and touches none.
    is_type: bool,
}

/// A file.
struct File {
    path: String,
    /// The module that it is: `models::mm::swap`.
    module: String,
    /// What is no item.
    rest: String,
    /// There are modules within it.
    is_nested: bool,
}

impl Item {
    /// The names of fields that it touches, among other names.
    fn touches(&self) -> BTreeSet<&String> {
        // In a pattern or an initializer a field may have the name of what it is given.
        let names = self.mentions.iter().filter_map(|mention| match mention {
            Mention::Field(name) | Mention::Free(name) => Some(name),
            Mention::Within(_) | Mention::Method(_) | Mention::Of(..) => None,
        });
        if self.is_type { BTreeSet::new() } else { names.collect() }
    }
}

/// The items of some sources.
#[derive(Default)]
pub struct Items {
    all: Vec<Item>,
    files: Vec<File>,
    by_name: BTreeMap<String, Vec<usize>>,
    /// For each item, those that a name in it leads to.
    leads: Vec<Vec<usize>>,
    /// By the names of fields, the items that touch them, among other names.
    touching: HashMap<String, Vec<usize>>,
    /// What belongs to every item.
    common: String,
    common_mentions: BTreeSet<Mention>,
    common_leads: Vec<usize>,
    /// Names that types of these sources have, and no traits, aliases or parameters.
    types: BTreeSet<String>,
    others: BTreeSet<String>,
}

impl Items {
    /// Of these files. One that cannot be read, which the compiler has read, is an error of ours.
    pub fn of<'a>(files: impl IntoIterator<Item = (String, &'a str)>) -> Result<Items, String> {
        let mut items = Items::default();
        for (path, text) in files {
            let parsed = syn::parse_file(text).map_err(|error| format!("{path}: {error}"))?;
            let attributes = parsed.attrs.iter();
            let rest = attributes.map(|attribute| printed(attribute.to_token_stream())).collect();
            let (file, module) = (items.files.len(), module(&path));
            items.files.push(File { path, module, rest, is_nested: false });
            parsed.items.into_iter().for_each(|item| items.add(file, item));
        }
        items.connect();
        Ok(items)
    }

    fn add(&mut self, file: usize, syntax: Syntax) {
        let tokens = syntax.to_token_stream();
        if let Syntax::Trait(of) = &syntax {
            self.others.insert(of.ident.to_string());
        }
        let named = |name: &syn::Ident| BTreeSet::from([name.to_string()]);
        let plain = |names| self.item(file, names, &tokens);
        let item = match &syntax {
            item if attributes(item).is_some_and(is_test) => return,
            Syntax::Fn(function) if asks(&function.sig) => return,
            Syntax::Fn(function) => plain(named(&function.sig.ident)),
            Syntax::Static(value) => Item { is_value: true, ..plain(named(&value.ident)) },
            Syntax::Const(value) if value.ident != "_" => {
                Item { is_value: true, ..plain(named(&value.ident)) }
            }
            Syntax::Struct(of) => Item { is_type: true, ..plain(named(&of.ident)) },
            Syntax::Union(of) => Item { is_type: true, ..plain(named(&of.ident)) },
            Syntax::Type(of) => Item { is_type: true, ..plain(named(&of.ident)) },
            Syntax::Enum(of) => {
                let mut names = named(&of.ident);
                names.extend(of.variants.iter().map(|variant| variant.ident.to_string()));
                Item { is_type: true, ..plain(names) }
            }
            Syntax::Trait(of) => {
                let methods = self.methods_of_trait(file, of);
                self.all.push(methods);
                self.item(file, named(&of.ident), &tokens)
            }
            Syntax::Mod(module) => {
                let attributes = module.attrs.iter().map(ToTokens::to_token_stream);
                let attributes: String = attributes.map(printed).collect();
                self.files[file].rest += &format!(" {attributes} mod {} ", module.ident);
                self.files[file].is_nested |= module.content.is_some();
                let inner: Vec<Syntax> =
                    module.content.iter().flat_map(|(_, items)| items.clone()).collect();
                return inner.into_iter().for_each(|item| self.add(file, item));
            }
            Syntax::Use(uses) => return self.add_imports(file, &uses.tree, &tokens),
            Syntax::Impl(block) => match (&block.trait_, type_name(&block.self_ty)) {
                (None, of) => return self.add_methods(file, block, of),
                (Some(_), Some(name)) if !is_generic(block, &name) => plain(BTreeSet::from([name])),
                _ => return self.add_common(plain(BTreeSet::new())),
            },
            Syntax::Macro(made) if is_data(made) => {
                let mut item = plain(BTreeSet::new());
                item.mentions.retain(|mention| mention.is_of_type());
                return self.add_common(item);
            }
            // Macros, what they make, and whatever else there may be.
            _ => return self.add_common(plain(BTreeSet::new())),
        };
        match &syntax {
            Syntax::Struct(_) | Syntax::Enum(_) => self.types.extend(item.names.iter().cloned()),
            Syntax::Type(_) => self.others.extend(item.names.iter().cloned()),
            _ => {}
        }
        let scope = visibility(&syntax).map_or(String::new(), |v| self.scope(file, v));
        self.all.push(Item { scope, ..item });
    }

    fn item(&self, file: usize, names: BTreeSet<String>, tokens: &TokenStream) -> Item {
        Item {
            names,
            owner: None,
            file,
            scope: String::new(),
            text: printed(tokens.clone()),
            digest: String::new(),
            mentions: in_tokens(tokens.clone(), None),
            is_value: false,
            is_type: false,
        }
    }

    /// A trait, as what its functions lead to.
    fn methods_of_trait(&self, file: usize, of: &syn::ItemTrait) -> Item {
        let names = of.items.iter().filter_map(|item| match item {
            syn::TraitItem::Fn(method) => Some(method.sig.ident.to_string()),
            syn::TraitItem::Const(value) => Some(value.ident.to_string()),
            _ => None,
        });
        let mut item = self.item(file, names.collect(), &of.to_token_stream());
        item.owner = Some(of.ident.to_string());
        item.mentions.insert(Mention::Free(of.ident.to_string()));
        item
    }

    /// `use` lines, and names that they give.
    fn add_imports(&mut self, file: usize, tree: &UseTree, tokens: &TokenStream) {
        self.files[file].rest += &printed(tokens.clone());
        for (name, alias) in renames(tree) {
            self.others.insert(alias.clone());
            let mentions = BTreeSet::from([Mention::Free(name)]);
            let item = self.item(file, BTreeSet::from([alias]), tokens);
            self.all.push(Item { mentions, ..item });
        }
    }

    /// The module from which, and from within which, what is visible so can be named.
    fn scope(&self, file: usize, visibility: &Visibility) -> String {
        let module = &self.files[file].module;
        match visibility {
            Visibility::Inherited => module.clone(),
            Visibility::Restricted(to) if to.path.is_ident("super") => {
                module.rsplit_once("::").map_or(String::new(), |(parent, _)| parent.into())
            }
            Visibility::Restricted(_) | Visibility::Public(_) => String::new(),
        }
    }

    /// The items of an `impl` without a trait.
    fn add_methods(&mut self, file: usize, block: &syn::ItemImpl, of: Option<String>) {
        let mut head = block.clone();
        head.items.clear();
        let head = printed(head.to_token_stream());
        for item in &block.items {
            let (name, attributes, visibility) = match item {
                ImplItem::Fn(method) => (&method.sig.ident, &method.attrs, &method.vis),
                ImplItem::Const(value) => (&value.ident, &value.attrs, &value.vis),
                ImplItem::Type(of) => (&of.ident, &of.attrs, &of.vis),
                _ => {
                    let other = self.item(file, BTreeSet::new(), &item.to_token_stream());
                    self.add_common(other);
                    continue;
                }
            };
            if is_test(attributes) {
                continue;
            }
            let tokens = item.to_token_stream();
            let method = self.item(file, BTreeSet::from([name.to_string()]), &tokens);
            self.all.push(Item {
                owner: Some(of.clone().unwrap_or_default()),
                scope: self.scope(file, visibility),
                text: format!("{head} {}", method.text),
                mentions: in_tokens(tokens, of.as_deref()),
                ..method
            });
        }
    }

    fn add_common(&mut self, item: Item) {
        self.common += &item.text;
        self.common_mentions.extend(item.mentions);
    }

    fn connect(&mut self) {
        // Where in its file an item is does not matter to a hash of some of them.
        let files = &self.files;
        self.all
            .sort_by(|a, b| (&files[a.file].path, &a.text).cmp(&(&files[b.file].path, &b.text)));
        for item in &mut self.all {
            item.digest = hash(&format!("{} {}", files[item.file].path, item.text));
        }
        for (at, item) in self.all.iter().enumerate() {
            for name in &item.names {
                self.by_name.entry(name.clone()).or_default().push(at);
            }
            for name in item.touches() {
                self.touching.entry(name.clone()).or_default().push(at);
            }
        }
        self.leads = self.all.iter().map(|item| self.meant(&item.mentions, Some(item))).collect();
        self.common_leads = self.meant(&self.common_mentions, None);
    }

    /// The items that may be meant, in this item if it is known.
    fn meant(&self, mentions: &BTreeSet<Mention>, by: Option<&Item>) -> Vec<usize> {
        let found: BTreeSet<usize> =
            mentions.iter().flat_map(|mention| self.one_meant(mention, by)).collect();
        found.into_iter().collect()
    }

    fn one_meant(&self, mention: &Mention, by: Option<&Item>) -> Vec<usize> {
        let (Mention::Free(name)
        | Mention::Within(name)
        | Mention::Method(name)
        | Mention::Of(_, name)
        | Mention::Field(name)) = mention;
        let of_name = self.by_name.get(name).into_iter().flatten().copied();
        let seen = of_name.filter(|&at| by.is_none_or(|by| self.sees(by, at)));
        let is_free = |at: &usize| self.all[*at].owner.is_none();
        match mention {
            Mention::Free(_) => {
                let all: Vec<usize> = seen.filter(is_free).collect();
                let own: Vec<usize> = all
                    .iter()
                    .copied()
                    .filter(|&at| by.is_some_and(|by| self.hides(by, at)))
                    .collect();
                if own.is_empty() { all } else { own }
            }
            Mention::Within(_) => seen.filter(is_free).collect(),
            Mention::Field(_) => Vec::new(),
            Mention::Method(_) => seen.filter(|at| !is_free(at)).collect(),
            Mention::Of(owner, _) => {
                // A parameter, an alias or a trait may stand for any type.
                let is_known = self.types.contains(owner) && !self.others.contains(owner);
                let may_be = |at: &usize| {
                    let of = self.all[*at].owner.as_ref();
                    !is_known || of.is_some_and(|of| of == owner || self.others.contains(of))
                };
                seen.filter(|at| !is_free(at)).filter(may_be).collect()
            }
        }
    }

    /// Does the item hide, in this one, what is imported under its name? What a module itself has
    /// does, unless it is imported in a function.
    fn hides(&self, by: &Item, at: usize) -> bool {
        let is_own = self.all[at].file == by.file && !self.files[by.file].is_nested;
        is_own && !by.text.contains("use ")
    }

    /// Can the item be named in this one?
    fn sees(&self, by: &Item, at: usize) -> bool {
        let (item, from) = (&self.all[at], self.files[by.file].module.as_str());
        // The models do not know the proofs.
        let is_above = self.files[item.file].module.starts_with("proofs");
        if is_above && !from.starts_with("proofs") {
            return false;
        }
        let scope = item.scope.as_str();
        scope.is_empty() || from == scope || from.starts_with(&format!("{scope}::"))
    }

    /// The items that may run, or be read, when these do; with those that belong to every one. Of
    /// all items, or of those in files whose path has one of these beginnings.
    pub fn reached(&self, items: &[usize], within: Option<&[&str]>) -> Vec<usize> {
        let is_within = |at: usize| {
            let path = &self.files[self.all[at].file].path;
            within.is_none_or(|within| within.iter().any(|part| path.starts_with(part)))
        };
        let mut open = items.to_vec();
        if within.is_none() {
            open.extend(&self.common_leads);
        }
        let mut is_reached = vec![false; self.all.len()];
        while let Some(at) = open.pop() {
            if is_within(at) && !std::mem::replace(&mut is_reached[at], true) {
                open.extend(&self.leads[at]);
            }
        }
        (0..self.all.len()).filter(|&at| is_reached[at]).collect()
    }

    /// Does one of these items, which are in their order, touch a field of this name?
    pub fn touch(&self, items: &[usize], field: &str) -> bool {
        let mut touching = self.touching.get(field).into_iter().flatten();
        touching.any(|at| items.binary_search(at).is_ok())
    }

    /// What a name means in these items; in any, if none of them has it.
    pub fn named(&self, name: &str, by: &[usize]) -> Vec<usize> {
        let mentions = [Mention::Free(name.into()), Mention::Within(name.into())];
        let of_item = |&at: &usize| {
            let item = &self.all[at];
            let made = mentions.iter().filter(|mention| item.mentions.contains(mention));
            made.map(move |mention| (mention, item)).collect::<Vec<_>>()
        };
        let made: Vec<(&Mention, &Item)> = by.iter().flat_map(of_item).collect();
        match made.is_empty() {
            true => self.one_meant(&mentions[0], None),
            false => made.iter().flat_map(|(m, item)| self.one_meant(m, Some(item))).collect(),
        }
    }

    /// A hash of these items, which are in their order, and of what belongs to them and to those;
    /// of those no more.
    pub fn hash_of(&self, items: &[usize], those: &[usize]) -> String {
        let files: BTreeSet<usize> =
            items.iter().chain(those).map(|&at| self.all[at].file).collect();
        let rests: BTreeSet<(&str, &str)> =
            files.into_iter().map(|file| &self.files[file]).map(|f| (&*f.path, &*f.rest)).collect();
        let rests = rests.iter().map(|(path, rest)| format!("{path} {} {rest}\n", rest.len()));
        let mut all: String = rests.collect();
        all.extend(items.iter().map(|&at| self.all[at].digest.as_str()));
        hash(&(all + &self.common))
    }

    /// The items of files whose path has this beginning.
    pub fn in_files(&self, path: &str) -> Vec<usize> {
        self.all_where(|item| self.files[item.file].path.starts_with(path))
    }

    /// Statics and constants in which this type is named.
    pub fn values_of(&self, of: &str) -> Vec<usize> {
        let of = [Mention::Free(of.into()), Mention::Within(of.into())];
        let names = |item: &Item| of.iter().any(|mention| item.mentions.contains(mention));
        self.all_where(|item| item.is_value && names(item))
    }

    /// Those of the items in which there is this literal text.
    pub fn with_text<'a>(&'a self, items: &'a [usize], text: &str) -> impl Iterator<Item = usize> {
        let literal = format!("{text:?}");
        items.iter().copied().filter(move |&at| self.all[at].text.contains(&literal))
    }

    fn all_where(&self, is: impl Fn(&Item) -> bool) -> Vec<usize> {
        (0..self.all.len()).filter(|&at| is(&self.all[at])).collect()
    }
}

/// The module that a file is: `models::mm::swap` of `models/mm/swap/mod.rs`.
fn module(path: &str) -> String {
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let path = path.strip_suffix("/mod").or(path.strip_suffix("/lib")).unwrap_or(path);
    path.replace('/', "::")
}

fn attributes(item: &Syntax) -> Option<&[syn::Attribute]> {
    Some(match item {
        Syntax::Const(item) => &item.attrs,
        Syntax::Enum(item) => &item.attrs,
        Syntax::Fn(item) => &item.attrs,
        Syntax::Impl(item) => &item.attrs,
        Syntax::Mod(item) => &item.attrs,
        Syntax::Static(item) => &item.attrs,
        Syntax::Struct(item) => &item.attrs,
        Syntax::Trait(item) => &item.attrs,
        Syntax::Type(item) => &item.attrs,
        Syntax::Use(item) => &item.attrs,
        _ => return None,
    })
}

fn visibility(item: &Syntax) -> Option<&Visibility> {
    Some(match item {
        Syntax::Const(item) => &item.vis,
        Syntax::Enum(item) => &item.vis,
        Syntax::Fn(item) => &item.vis,
        Syntax::Static(item) => &item.vis,
        Syntax::Struct(item) => &item.vis,
        Syntax::Trait(item) => &item.vis,
        Syntax::Type(item) => &item.vis,
        _ => return None,
    })
}

/// Macros of the models that make types, trees, and lists of what trees decide. What of it is a
/// tree's is part of a key by its value; of what they name only types can matter besides.
const DATA: [&str; 9] = [
    "decisions",
    "drivers",
    "func",
    "kernel_files",
    "part",
    "releases",
    "replaced",
    "set",
    "yours",
];

/// Is it one of those macros, or made by one?
fn is_data(made: &syn::ItemMacro) -> bool {
    let of = made.mac.path.get_ident().map(ToString::to_string);
    let defined = made.ident.as_ref().map(ToString::to_string);
    of.is_some_and(|of| DATA.contains(&defined.unwrap_or(of).as_str()))
}

/// Does the function say what is asked of trees? No execution calls it.
fn asks(signature: &syn::Signature) -> bool {
    let returned = in_tokens(signature.output.to_token_stream(), None);
    ["Answers", "Question"].iter().any(|name| returned.contains(&Mention::Free((*name).into())))
}

/// `#[cfg(test)]` or `#[test]`
fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let text = attribute.to_token_stream().to_string().replace(' ', "");
        text == "#[cfg(test)]" || text == "#[test]"
    })
}

fn type_name(of: &syn::Type) -> Option<String> {
    match of {
        syn::Type::Path(path) => path.path.segments.last().map(|part| part.ident.to_string()),
        _ => None,
    }
}

fn is_generic(block: &syn::ItemImpl, name: &str) -> bool {
    block.generics.type_params().any(|parameter| parameter.ident == name)
}

/// `use a::b as c`: from b to c.
fn renames(tree: &UseTree) -> Vec<(String, String)> {
    match tree {
        UseTree::Rename(rename) => vec![(rename.ident.to_string(), rename.rename.to_string())],
        UseTree::Path(path) => {
            // `use a::b::{self as c}` is about b.
            let mut inner = renames(&path.tree);
            for (name, _) in inner.iter_mut().filter(|(name, _)| name == "self") {
                *name = path.ident.to_string();
            }
            inner
        }
        UseTree::Group(group) => group.items.iter().flat_map(renames).collect(),
        UseTree::Name(_) | UseTree::Glob(_) => Vec::new(),
    }
}
