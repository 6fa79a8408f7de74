//! What is named in some tokens of Rust.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};

/// A name, and what it can mean where it stands.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Mention {
    /// `name`: anything but what belongs to a type.
    Free(String),
    /// `module::name`: the same, of whatever module.
    Within(String),
    /// `.name()`: of whatever type.
    Method(String),
    /// `Type::name`
    Of(String, String),
    /// `.name`, `name: …`: a field, which is no item.
    Field(String),
}

impl Mention {
    /// Does it name a type, by its looks? `LruClaim`, not `lru_claim` or `LRU_CLAIM`.
    pub fn is_of_type(&self) -> bool {
        matches!(self, Mention::Free(name) | Mention::Within(name) if is_type(name))
    }
}

fn is_type(name: &str) -> bool {
    name.starts_with(char::is_uppercase) && name.contains(char::is_lowercase)
}

/// The tokens as text, without the comments that are part of them.
pub fn printed(tokens: TokenStream) -> String {
    without_docs(tokens).to_string()
}

/// What is named in the tokens. `Self` is this type.
pub fn in_tokens(tokens: TokenStream, own: Option<&str>) -> BTreeSet<Mention> {
    let mut found = BTreeSet::new();
    collect(&without_docs(tokens).into_iter().collect::<Vec<_>>(), own, &mut found);
    found
}

fn without_docs(tokens: TokenStream) -> TokenStream {
    let all: Vec<TokenTree> = tokens.into_iter().collect();
    let mut kept: Vec<TokenTree> = Vec::new();
    let mut at = 0;
    while at < all.len() {
        if let Some(length) = doc_at(&all[at..]) {
            at += length;
            continue;
        }
        kept.push(match &all[at] {
            TokenTree::Group(group) => {
                let inner = without_docs(group.stream());
                TokenTree::Group(proc_macro2::Group::new(group.delimiter(), inner))
            }
            token => token.clone(),
        });
        at += 1;
    }
    kept.into_iter().collect()
}

/// How many tokens `#[doc = "…"]` or `#![doc = "…"]` is, if it begins here.
fn doc_at(tokens: &[TokenTree]) -> Option<usize> {
    if !is_punct(tokens.first(), '#') {
        return None;
    }
    let at = 1 + usize::from(is_punct(tokens.get(1), '!'));
    let TokenTree::Group(group) = tokens.get(at)? else { return None };
    let first = group.stream().into_iter().next();
    first.is_some_and(|token| token.to_string() == "doc").then_some(at + 1)
}

fn is_punct(token: Option<&TokenTree>, c: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == c)
}

fn collect(tokens: &[TokenTree], own: Option<&str>, found: &mut BTreeSet<Mention>) {
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => {
                collect(&group.stream().into_iter().collect::<Vec<_>>(), own, found);
            }
            TokenTree::Ident(name) => found.extend(at_name(tokens, at, &name.to_string(), own)),
            // `"{NAME}"` in a text that is formatted.
            TokenTree::Literal(literal) => {
                found.extend(captured(&literal.to_string()).into_iter().map(Mention::Free));
            }
            TokenTree::Punct(_) => {}
        }
    }
}

/// What the name at this place can mean; nothing, if it only leads to another.
fn at_name(tokens: &[TokenTree], at: usize, name: &str, own: Option<&str>) -> Vec<Mention> {
    let next = |ahead: usize, c| is_punct(tokens.get(at + ahead), c);
    let before =
        |back: usize, c| at.checked_sub(back).is_some_and(|at| is_punct(tokens.get(at), c));
    let name = name.trim_start_matches("r#").to_string();
    let is_path = next(1, ':') && next(2, ':');
    if next(1, ':') && !is_path {
        // `name: value`, `name: Type`
        return vec![Mention::Field(name)];
    }
    if before(1, '.') && !before(2, '.') {
        // `a.name` is a field, unless it is called. A decision of a tree is asked for by a call
        // without arguments, and is a field too.
        let arguments = match tokens.get(at + 1) {
            Some(TokenTree::Group(arguments)) => Some(arguments.stream()),
            _ => None,
        };
        let may_be_decision = arguments.as_ref().is_none_or(TokenStream::is_empty);
        let is_method = arguments.is_some() || is_path;
        let mut found = Vec::new();
        found.extend(is_method.then(|| Mention::Method(name.clone())));
        found.extend((may_be_decision && !is_path).then_some(Mention::Field(name)));
        return found;
    }
    if before(1, ':') && before(2, ':') {
        let qualifier = at.checked_sub(3).and_then(|at| tokens.get(at));
        return match qualifier {
            Some(TokenTree::Ident(of)) if *of == "Self" => match own {
                Some(own) => vec![Mention::Of(own.into(), name)],
                None => vec![Mention::Method(name)],
            },
            Some(TokenTree::Ident(of)) if is_one(&of.to_string()) => {
                vec![Mention::Of(of.to_string(), name.clone()), Mention::Free(name)]
            }
            Some(TokenTree::Ident(_)) => vec![Mention::Within(name)],
            // `<T as Trait>::name`, `::name`
            _ => vec![Mention::Method(name.clone()), Mention::Free(name)],
        };
    }
    if is_path && !is_one(&name) && !next(3, '<') {
        // A module.
        return Vec::new();
    }
    vec![Mention::Free(name)]
}

/// Can it be a type or a parameter, by its looks?
fn is_one(name: &str) -> bool {
    name.starts_with(char::is_uppercase)
}

/// The names that a text may capture when it is formatted.
fn captured(text: &str) -> Vec<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let names = text.split('{').skip(1).map(|part| part.split(|c| !is_word(c)).next());
    names.flatten().filter(|name| !name.is_empty()).map(String::from).collect()
}
