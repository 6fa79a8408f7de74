//! C as tokens, so that neither white space nor comments matter.

/// A token of C.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Token<'a> {
    /// As it is written; of a string or a character with its quotes.
    pub text: &'a str,
    /// The line that it is in, from 1.
    pub line: usize,
    /// It begins in the first column.
    pub at_margin: bool,
    /// The directive that it is a part of, by its number in the text, from 1.
    pub directive: Option<usize>,
}

/// Operators of more than one character, the long ones first.
const OPERATORS: &[&str] = &[
    "<<=", ">>=", "...", "->", "++", "--", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "+=",
    "-=", "*=", "/=", "%=", "&=", "|=", "^=", "##",
];

/// The tokens of a text. What is not C is tokens too: nothing is refused.
pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut lexer =
        Lexer { text, at: 0, line: 1, line_start: 0, directives: 0, directive: None, fresh: true };
    let mut all = Vec::with_capacity(text.len() / 4);
    while let Some(token) = lexer.next() {
        all.push(token);
    }
    all
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    line_start: usize,
    /// How many directives there were.
    directives: usize,
    /// The one that goes on.
    directive: Option<usize>,
    /// No token of this line yet.
    fresh: bool,
}

impl<'a> Lexer<'a> {
    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_blanks();
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        if rest.starts_with('#') && self.fresh {
            self.directives += 1;
            self.directive = Some(self.directives);
        }
        let length = length_of_token(rest);
        let (text, line, at_margin) = (&rest[..length], self.line, self.at == self.line_start);
        // A string may go on in the next line, after a backslash.
        for (offset, _) in text.match_indices('\n') {
            (self.line, self.line_start) = (self.line + 1, self.at + offset + 1);
        }
        self.at += length;
        self.fresh = false;
        Some(Token { text, line, at_margin, directive: self.directive })
    }

    /// Up to the next token. The end of a line ends a directive, unless a backslash is before it.
    fn skip_blanks(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            let rest = &bytes[self.at..];
            let length = match byte {
                b'\n' => {
                    (self.directive, self.fresh) = (None, true);
                    1
                }
                b' ' | b'\t' | b'\r' | b'\x0b' | b'\x0c' => 1,
                b'\\' if rest.starts_with(b"\\\n") => 2,
                b'\\' if rest.starts_with(b"\\\r\n") => 3,
                b'/' if rest.starts_with(b"/*") => length_of_comment(rest),
                b'/' if rest.starts_with(b"//") => {
                    rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len())
                }
                _ => return,
            };
            for (offset, _) in rest[..length].iter().enumerate().filter(|(_, b)| **b == b'\n') {
                (self.line, self.line_start) = (self.line + 1, self.at + offset + 1);
            }
            self.at += length;
        }
    }
}

fn length_of_comment(rest: &[u8]) -> usize {
    rest[2..].windows(2).position(|pair| pair == b"*/").map_or(rest.len(), |end| end + 4)
}

/// How long the token is that this text begins with; the text is not empty.
fn length_of_token(rest: &str) -> usize {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let first = rest.chars().next().unwrap_or_default();
    if is_word(first) {
        return rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    }
    if first == '"' || first == '\'' {
        return length_of_quoted(rest, first);
    }
    let operator = OPERATORS.iter().find(|operator| rest.starts_with(**operator));
    operator.map_or(first.len_utf8(), |operator| operator.len())
}

/// To the closing quote; to the end of the line if there is none, as in the text of `#error don't`.
fn length_of_quoted(rest: &str, quote: char) -> usize {
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '\n' => return at,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        tokens(text).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn blanks_and_comments_are_no_tokens() {
        let spread = "a /* one\n * two */ =\n\tb->c; // three\n";
        assert_eq!(texts(spread), ["a", "=", "b", "->", "c", ";"]);
        assert_eq!(texts(spread), texts("a=b->c;"));
        assert_eq!(texts("x /* never closed"), ["x"]);
        assert_eq!(texts("/*/ x */ y"), ["y"]);
    }

    #[test]
    fn operators_are_not_taken_apart() {
        assert_eq!(texts("a++ + b"), ["a", "++", "+", "b"]);
        assert_eq!(texts("a + ++b"), ["a", "+", "++", "b"]);
        assert_eq!(texts("x >>= 1, y..."), ["x", ">>=", "1", ",", "y", "..."]);
    }

    #[test]
    fn what_is_quoted_is_one_token() {
        assert_eq!(texts(r#"f("a /* b */ \" c", '\'', "")"#).len(), 8);
        assert_eq!(texts("#error don't\nx"), ["#", "error", "don", "'t", "x"]);
        assert_eq!(texts("\"never closed"), ["\"never closed"]);
    }

    #[test]
    fn a_directive_ends_with_its_line() {
        let of_directive = |text, nr| -> Vec<&str> {
            let all = tokens(text).into_iter();
            all.filter(|t| t.directive == Some(nr)).map(|t| t.text).collect()
        };
        assert_eq!(of_directive("#define A \\\n\tb\nc", 1), ["#", "define", "A", "b"]);
        assert_eq!(of_directive("  # if X /* a\n b */ Y\nc # d", 1), ["#", "if", "X", "Y"]);
        assert_eq!(of_directive("#if A # B\n#else\n#endif", 1), ["#", "if", "A", "#", "B"]);
        assert_eq!(of_directive("#if A\n#else\n#endif", 2), ["#", "else"]);
    }

    #[test]
    fn lines_and_margins_are_told() {
        let all = tokens("a\n\tb /*\n*/c\n}");
        let told: Vec<_> = all.iter().map(|t| (t.text, t.line, t.at_margin)).collect();
        assert_eq!(told, [("a", 1, true), ("b", 2, false), ("c", 3, false), ("}", 4, true)]);
    }

    #[test]
    fn any_text_is_tokens() {
        for text in ["", "\\", "\u{1f9f5} é", "'", "\"\\", "##", "/", "#", "\u{0}"] {
            assert!(texts(text).iter().all(|token| !token.is_empty()), "{text:?}");
        }
    }
}
