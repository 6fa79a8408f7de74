//! Reads patches as they come in mails, and names the C functions that they touch.
//!
//! ```text
//! bytes -> decode.rs -> quote.rs, one_line.rs -> diff.rs -> touched.rs
//!          encodings    lines with their depth   hunks      functions
//! ```
//!
//! [`read`] takes `git format-patch`, a plain unified diff, an mbox of several patches, a mail that
//! quotes a diff or has it indented, and archives of mails that have lost the blanks at the start
//! of each line, or all line breaks. [`touched`] says which functions a hunk touches: from the text
//! of the file if there is one, else from the hunk's header and lines. [`definitions`] says what a
//! C file defines, with a fingerprint of each.
//!
//! **Invariant:** nothing here knows of models, reads a file, or panics, whatever the input.

mod c;
mod decode;
mod diff;
mod functions;
mod one_line;
mod quote;
mod subject;
mod touched;

pub use c::{Definition, definitions};
pub use diff::read;
pub use touched::{Found, How, Touch, Touched, touched};

/// What a text has in the way of patches.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Input {
    /// The patches that have at least one hunk, in their order.
    pub patches: Vec<Patch>,
    /// What could not be read as the rest, to be told to whoever reads the result.
    pub remarks: Vec<Remark>,
}

/// One patch: what follows a subject.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Patch {
    /// The subject, if there is one.
    pub subject: Option<String>,
    /// The line of the input in which its first diff begins, from 1.
    pub line: usize,
    /// The files that it changes.
    pub files: Vec<FileDiff>,
}

/// The changes of one file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileDiff {
    /// Its path in the kernel tree, `mm/swap.c`: the new one, or the old one if it is removed.
    pub path: String,
    /// Where it was, if that is not [`FileDiff::path`].
    pub renamed_from: Option<String>,
    /// The hunks, in their order.
    pub hunks: Vec<Hunk>,
}

/// One hunk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hunk {
    /// The line of the input that has its header, from 1.
    pub line: usize,
    /// The first line of the old file that it shows, from 1; 0 if there is no old file.
    pub old_start: usize,
    /// What follows the second `@@`: the line that `diff -p` takes for the function's first.
    pub heading: String,
    /// Its lines.
    pub lines: Vec<Line>,
    /// What has become of them on their way.
    pub form: Form,
}

/// What a hunk has gone through.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Form {
    /// As `diff` wrote it.
    Whole,
    /// The blanks at the start of its lines are lost, so that nothing is known of their
    /// indentation.
    Flattened,
    /// The line breaks are lost, and only the header is left.
    HeaderOnly,
}

/// One line of a hunk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// In which of the two files it is.
    pub mark: Mark,
    /// The line, without the mark.
    pub text: String,
}

/// The first column of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mark {
    /// In both files.
    Kept,
    /// In the old one: `-`.
    Removed,
    /// In the new one: `+`.
    Added,
}

/// Something that could not be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remark {
    /// The line of the input.
    pub line: usize,
    /// What about it.
    pub text: String,
}

/// There is no patch in a text: what there is instead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoPatch {
    /// What was found.
    pub found: String,
    /// The first subject in it: a patch that the text is about.
    pub subject: Option<String>,
}

impl std::fmt::Display for NoPatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let found = &self.found;
        write!(
            f,
            "no patch: found {found}; expected a unified diff (lines `--- a/FILE`, `+++ b/FILE`, \
             `@@ -1,2 +3,4 @@`), as it is or in a mail"
        )
    }
}

impl std::error::Error for NoPatch {}
