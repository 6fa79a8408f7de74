//! The lines of a mail, and how deeply each is quoted.

use crate::one_line;

/// A line without its quote marks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Source {
    /// Its number in the input, from 1.
    pub number: usize,
    /// How often it is quoted: the number of `>` before it.
    pub depth: usize,
    /// The rest.
    pub text: String,
    /// It has swallowed the lines after it: their breaks are lost, and no mark tells where they
    /// were.
    pub breaks_lost: bool,
}

/// A line of a mail that is longer than this and has a hunk in it has lost its line breaks.
const LONG: usize = 400;

/// The lines of the text.
pub(crate) fn lines(text: &str) -> Vec<Source> {
    let mut all = Vec::new();
    for (at, line) in text.split('\n').enumerate() {
        let (number, line) = (at + 1, line.trim_end_matches('\r'));
        if line.len() > LONG && line.contains("@@ -") {
            all.extend(one_line::split(number, line));
        } else {
            let (depth, text) = unquote(line);
            all.push(Source { number, depth, text: text.into(), breaks_lost: false });
        }
    }
    all
}

/// How often a line is quoted, and the line itself: `> >+x`, `>> +x`, `> > +x`.
fn unquote(line: &str) -> (usize, &str) {
    let (mut depth, mut rest) = (0, line);
    loop {
        // Between two marks there may be a blank; before the first one none.
        let next = if depth == 0 { rest } else { rest.strip_prefix(' ').unwrap_or(rest) };
        match next.strip_prefix('>') {
            Some(after) => (depth, rest) = (depth + 1, after),
            None if depth == 0 => return (0, line),
            None => return (depth, next),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_line_keeps_its_own_blanks() {
        assert_eq!(unquote("> > +\tif (x)"), (2, "+\tif (x)"));
        assert_eq!(unquote(">> +x"), (2, "+x"));
        assert_eq!(unquote(">>+x"), (2, "+x"));
        assert_eq!(unquote(">  \tkept"), (1, " \tkept"));
        assert_eq!(unquote(">"), (1, ""));
        assert_eq!(unquote("+a > b"), (0, "+a > b"));
        assert_eq!(unquote(" > kept"), (0, " > kept"));
    }
}
