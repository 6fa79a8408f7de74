//! What a C file defines, and a fingerprint of each definition.

mod lex;

use std::collections::BTreeMap;

use crate::functions::name_of_definition;
use lex::{Token, tokens};

/// A function or a macro that a C file defines; all of its definitions, if each configuration has
/// one of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Definition {
    /// Its name; `sys_move_pages` for `SYSCALL_DEFINE6(move_pages, …)`.
    pub name: String,
    /// The line in which it begins, from 1; the first, if there are several.
    pub line: usize,
    /// Of its tokens, so that neither white space nor comments matter. It is the same wherever the
    /// definition stands.
    pub fingerprint: u64,
}

/// What the text of a C file defines, by name.
///
/// ```
/// use selvedge_patch::definitions;
///
/// let [a, b] = ["int f(void)\n{\n\treturn 1;\n}\n", "int f(void) { return 1; /* why */ }"];
/// assert_eq!(definitions(a)[0].fingerprint, definitions(b)[0].fingerprint);
/// ```
pub fn definitions(text: &str) -> Vec<Definition> {
    let tokens = tokens(text);
    let mut found: BTreeMap<String, Definition> = BTreeMap::new();
    let mut add = |name: String, tokens: &[Token<'_>]| {
        let line = tokens.first().map_or(1, |token| token.line);
        let new = || Definition { name: name.clone(), line, fingerprint: FNV_OFFSET };
        let known = found.entry(name.clone()).or_insert_with(new);
        known.fingerprint = tokens.iter().fold(known.fingerprint, hashed);
    };
    let (mut at, mut begins) = (0, 0);
    while let Some(token) = tokens.get(at) {
        if token.directive.is_some() {
            let end = end_of_directive(&tokens, at);
            if let Some(name) = macro_of(&tokens[at..end]) {
                add(name, &tokens[at..end]);
            }
            // One in the middle of a declaration belongs to it.
            if begins == at {
                begins = end;
            }
            at = end;
        } else if token.text == "{" {
            let end = end_of_block(&tokens, at);
            begins += uses_of_macros(&tokens[begins..at]);
            let name = function_of(&tokens[begins..at]);
            // What is neither a function nor followed by the rest of a declaration is a macro's
            // use.
            let is_over = name.is_some() || tokens.get(end).is_none_or(|next| next.at_margin);
            if let Some(name) = name {
                add(name, &tokens[begins..end]);
            }
            if is_over {
                begins = end;
            }
            at = end;
        } else {
            at += 1;
            if token.text == ";" {
                begins = at;
            }
        }
    }
    found.into_values().collect()
}

fn end_of_directive(tokens: &[Token<'_>], start: usize) -> usize {
    let goes_on = |token: &&Token<'_>| token.directive == tokens[start].directive;
    start + tokens[start..].iter().take_while(goes_on).count()
}

/// After the `}` of the `{` at `start`. One in the first column ends a block whatever is open: the
/// branches of an `#if` may each open one that is closed once.
fn end_of_block(tokens: &[Token<'_>], start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(start) {
        match (token.directive, token.text) {
            (None, "{") => depth += 1,
            (None, "}") if depth <= 1 || token.at_margin => return at + 1,
            (None, "}") => depth -= 1,
            _ => {}
        }
    }
    tokens.len()
}

/// The macro that a directive defines.
fn macro_of(directive: &[Token<'_>]) -> Option<String> {
    match directive {
        [_, define, name, ..] if define.text == "define" => Some(name.text.into()),
        _ => None,
    }
}

/// How many tokens are uses of macros in lines of their own, without a `;`, as `PAGEFLAG(…)` is.
fn uses_of_macros(tokens: &[Token<'_>]) -> usize {
    let mut end = 0;
    while let [name, open, ..] = &tokens[end..] {
        let is_macro = name.text.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
            && !name.text.contains(|c: char| c.is_ascii_lowercase());
        if name.directive.is_some() {
            end += 1;
            continue;
        }
        if !is_macro || open.text != "(" {
            break;
        }
        let mut depth = 0_usize;
        let close = tokens[end..].iter().position(|token| {
            match token.text {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                _ => {}
            }
            token.text == ")" && depth == 0
        });
        // What follows begins a line, or it is the use that the `{` belongs to.
        let Some(next) = close.map(|close| end + close + 1) else { break };
        if !tokens.get(next).is_some_and(|token| token.at_margin) {
            break;
        }
        end = next;
    }
    end
}

/// The function whose `{` follows these tokens.
fn function_of(tokens: &[Token<'_>]) -> Option<String> {
    let code: Vec<&str> =
        tokens.iter().filter(|token| token.directive.is_none()).map(|token| token.text).collect();
    name_of_definition(&code.join(" "))
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// FNV-1a of one more token, and of what parts it from the next. It is the same on every machine.
fn hashed(hash: u64, token: &Token<'_>) -> u64 {
    let bytes = token.text.bytes().chain([0]);
    bytes.fold(hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        definitions(text).into_iter().map(|definition| definition.name).collect()
    }

    fn fingerprint(text: &str) -> u64 {
        let all = definitions(text);
        assert_eq!(all.len(), 1, "{all:?}");
        all[0].fingerprint
    }

    #[test]
    fn functions_and_macros_are_found() {
        let text = "#define TWICE(x) \\\n\t((x) * 2)\n#ifdef CONFIG_A\n\
                    struct a { int x; } one = { 1 };\n\
                    #endif\nstatic inline struct a *find(int (*how)(int)) \
                    __must_hold(lock)\n{\n\tif (x) \
                    {\n\t}\n\treturn y;\n}\nint declared(void);\nSYSCALL_DEFINE1(move, int, \
                    x)\n{\n}\n\
                    DEFINE_TIMER(t, find);\nPAGEFLAG(A, a, (B))\n__CLEAR(A, a)\n\
                    static int third(int x)\n{\n}\nBPF_CALL_1(bpf, int, x)\n{\n}\nvoid last(void) \
                    { }\n";
        assert_eq!(names(text), ["TWICE", "find", "last", "sys_move", "third"]);
    }

    #[test]
    fn comments_and_blanks_do_not_count_and_tokens_do() {
        let plain = "int f(int a)\n{\n\treturn a->b;\n}\n";
        for same in [
            "/* why */ int\nf(int a) { return a -> b; // how\n}",
            "\n\nint f(int a)\n{\n\n\treturn\n\t\ta->b;\n}\n",
        ] {
            assert_eq!(fingerprint(plain), fingerprint(same), "{same}");
        }
        for other in [
            "int f(int a)\n{\n\treturn a->c;\n}\n",
            "static int f(int a)\n{\n\treturn a->b;\n}\n",
            "int f(int a)\n{\n\treturn a->b\n}\n",
            "int f(int a)\n{\n#if 1\n\treturn a->b;\n#endif\n}\n",
        ] {
            assert_ne!(fingerprint(plain), fingerprint(other), "{other}");
        }
        assert_ne!(fingerprint("#define A ab"), fingerprint("#define A a b"));
        assert_ne!(fingerprint("#define A \"a\""), fingerprint("#define A \"a \""));
    }

    #[test]
    fn all_definitions_of_a_name_count() {
        let both =
            "#ifdef A\nint f(void)\n{\n\treturn 1;\n}\n#else\nint f(void) { return 0; }\n#endif\n";
        let changed = both.replace("return 0", "return 2");
        assert_eq!(names(both), ["f"]);
        assert_ne!(fingerprint(both), fingerprint(&changed));
        assert_eq!(definitions(both)[0].line, 2);
    }

    #[test]
    fn branches_that_open_a_block_twice_do_not_hide_what_follows() {
        let text = "void f(void)\n{\n#ifdef A\n\tif (x) {\n#else\n\tif (y) {\n#endif\n\t}\n}\n\
                    void g(void)\n{\n}\n";
        assert_eq!(names(text), ["f", "g"]);
    }

    #[test]
    fn any_text_has_definitions_or_none() {
        for text in
            ["", "{", "}", "}}}{{{", "#", "#define", "f(", "f() {", "\u{1f9f5}({", "a(b) c(d) {"]
        {
            definitions(text);
        }
    }
}
