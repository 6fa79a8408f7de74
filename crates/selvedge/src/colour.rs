//! Colour on a terminal: what a reader looks for first. Nothing is said by colour alone.

use std::fmt::Write;
use std::io::{IsTerminal, Stdout};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const OPEN: Style = AnsiColor::Yellow.on_default().bold();

/// Words that are marked wherever they stand.
const ANYWHERE: &[(&str, Style)] = &[
    ("^^^^ broken here", BAD),
    ("^^^^ it stays so", BAD),
    ("^^^^ decided here", OPEN),
    ("^^^^ decided and broken here", BAD),
    ("<==", BAD),
    ("UNEXPECTED", BAD),
    ("UNDECIDED", OPEN),
    ("MENDED", GOOD),
];

/// Words that begin a line.
const FIRST: &[(&str, Style)] =
    &[("Broken:", BAD), ("Unexpected:", BAD), ("Undecided:", OPEN), ("Mended:", GOOD)];

/// Verdicts, where they stand in a column of their own.
const IN_COLUMNS: &[(&str, Style)] = &[
    ("  holds  ", GOOD),
    ("  holds within bounds  ", OPEN),
    ("  violated  ", BAD),
    ("  undecided  ", OPEN),
    ("  real  ", BAD),
    ("  possible  ", OPEN),
    ("  refuted  ", GOOD),
];

/// Whether what is printed there may be in colour: a terminal, unless `NO_COLOR`, `CLICOLOR=0` or
/// `TERM=dumb` says no. Never a pipe, whatever is said: what is piped may be JSON.
pub fn is_wanted(stdout: &Stdout) -> bool {
    stdout.is_terminal() && !matches!(AutoStream::choice(stdout), ColorChoice::Never)
}

/// The text with what matters marked. Without its escape sequences it is the same text.
pub fn coloured(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 16);
    for line in text.split_inclusive('\n') {
        match FIRST.iter().find(|(word, _)| line.starts_with(word)) {
            Some((word, style)) => {
                mark(&mut out, word, *style);
                out.push_str(&line[word.len()..]);
            }
            None => within(&mut out, line),
        }
    }
    out
}

fn within(out: &mut String, mut line: &str) {
    let next = |line: &str| {
        let found = ANYWHERE.iter().chain(IN_COLUMNS);
        found
            .filter_map(|(word, style)| Some((line.find(word)?, *word, *style)))
            .min_by_key(|f| f.0)
    };
    while let Some((at, word, style)) = next(line) {
        out.push_str(&line[..at]);
        mark(out, word, style);
        line = &line[at + word.len()..];
    }
    out.push_str(line);
}

fn mark(out: &mut String, word: &str, style: Style) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{style}{word}{style:#}");
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
  v6.1         dpor  sc  violated             382 executions  x  UNEXPECTED: holds
  v6.1-fixed   dpor  sc  holds                 12 executions  whoever holds it
                  folio_unlock()
                  ^^^^ broken here

Broken: no task holds a lock.
";

    #[test]
    fn what_matters_is_marked_and_nothing_is_lost() {
        let coloured = coloured(TEXT);
        let bad = |word: &str| format!("{BAD}{word}{BAD:#}");
        for word in ["  violated  ", "UNEXPECTED", "^^^^ broken here", "Broken:"] {
            assert!(coloured.contains(&bad(word)), "{word} is not marked: {coloured}");
        }
        assert!(coloured.contains("whoever holds it\n"), "a word of a sentence is no verdict");
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), TEXT);
    }
}
