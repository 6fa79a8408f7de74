//! A thread whose line breaks became blanks: all of it is one line.
//!
//! Where it is quoted, the marks still stand at what were the starts of lines. A run of k marks in
//! a diff that is quoted d times is k/d starts of lines: all but the last one are empty lines. d is
//! known in a diff, because `--- FILE`, `+++ FILE` and `@@` follow each other with no line between.
//! Where it is not quoted, only the headers can be found again.

use crate::quote::Source;

/// A mark that was at the start of a line, and what follows it.
struct Piece<'a> {
    marks: usize,
    text: &'a str,
}

/// The lines that the one line was.
pub(crate) fn split(number: usize, line: &str) -> Vec<Source> {
    let mut depth = 0;
    let mut all = Vec::new();
    let pieces = pieces(line);
    for (at, piece) in pieces.iter().enumerate() {
        let next_marks = pieces.get(at + 1).map(|next| next.marks);
        let text = piece.text;
        if text.starts_with("--- ")
            && pieces.get(at + 1).is_some_and(|n| n.text.starts_with("+++ "))
        {
            depth = next_marks.unwrap_or(depth);
        } else if text.starts_with("diff --git ") {
            // The `index` line comes next.
            depth = next_marks.unwrap_or(depth);
        }
        let (own, empty) = match depth {
            0 => (piece.marks, 0),
            d if piece.marks < d => (piece.marks, 0),
            d => (d, piece.marks / d - 1),
        };
        let source = |depth, text: &str| Source {
            number,
            depth,
            text: text.into(),
            breaks_lost: depth == 0,
        };
        all.extend((0..empty).map(|_| source(own, "")));
        // What is not quoted comes after a quoted line as if it were a part of it.
        let parts = at_headers(text).into_iter().enumerate();
        all.extend(parts.map(|(at, part)| source(if at == 0 { own } else { 0 }, part)));
    }
    all
}

/// The line, cut at its quote marks.
fn pieces(line: &str) -> Vec<Piece<'_>> {
    let mut all = Vec::new();
    let (mut marks, mut start) = (0, 0);
    let mut at = 0;
    for word in line.split(' ') {
        let begins = at;
        at += word.len() + 1;
        if !word.is_empty() && word.bytes().all(|b| b == b'>') {
            let text = line.get(start..begins).unwrap_or_default().trim_end_matches(' ');
            if text.is_empty() && start != 0 {
                marks += word.len();
            } else {
                all.push(Piece { marks, text });
                marks = word.len();
            }
            start = at;
        }
    }
    all.push(Piece { marks, text: line.get(start..).unwrap_or_default().trim_end_matches(' ') });
    all
}

/// Cut before what begins a file or a hunk: in a text that is not quoted nothing else is left.
fn at_headers(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = next_header(rest) {
        let (part, later) = rest.split_at(at);
        parts.push(part.trim_end_matches(' '));
        rest = later.trim_start_matches(' ');
    }
    parts.push(rest);
    parts
}

/// Where the next header begins, with the blank before it; not at the start.
fn next_header(text: &str) -> Option<usize> {
    let headers = [" diff --git a/", " --- a/", " +++ b/", " @@ -"];
    headers.iter().filter_map(|header| text.find(header)).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> Vec<(usize, String)> {
        split(1, line).into_iter().map(|s| (s.depth, s.text)).collect()
    }

    #[test]
    fn marks_are_line_starts_and_a_double_run_is_an_empty_line() {
        let line = "Hi. > > --- a/mm/x.c > > +++ b/mm/x.c > > @@ -1,3 +1,3 @@ int f(void) > > a; > > \
                    > > +b; Why? > I see.";
        let expected = [
            (0, "Hi."),
            (2, "--- a/mm/x.c"),
            (2, "+++ b/mm/x.c"),
            (2, "@@ -1,3 +1,3 @@ int f(void)"),
            (2, "a;"),
            (2, ""),
            (2, "+b; Why?"),
            (1, "I see."),
        ];
        assert_eq!(shown(line), expected.map(|(depth, text)| (depth, text.to_string())));
    }

    #[test]
    fn of_a_line_that_is_not_quoted_the_headers_are_left() {
        let line =
            "x diff --git a/mm/x.c b/mm/x.c --- a/mm/x.c +++ b/mm/x.c @@ -1,3 +1,3 @@ f() a;";
        let expected = [
            "x",
            "diff --git a/mm/x.c b/mm/x.c",
            "--- a/mm/x.c",
            "+++ b/mm/x.c",
            "@@ -1,3 +1,3 @@ f() a;",
        ];
        assert_eq!(shown(line), expected.map(|text| (0, text.to_string())));
    }
}
