//! The register: which functions of the kernel's C are modelled, where, on what they were modelled,
//! and what is left out. It is made from the model sources when they are built (`build.rs`).

/// A file of models.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Notes {
    /// `models/src/mm/gup.rs`
    pub file: &'static str,
    /// What it was modelled on: files, releases, commits.
    pub source: &'static str,
    /// What it says it leaves out.
    pub left_out: &'static str,
    /// What it says it scales down.
    pub scaled: &'static str,
    /// The C file that it is named after.
    pub c_file: &'static str,
    /// The C files that it is about.
    pub c_files: &'static [&'static str],
}

/// How a function of C is modelled.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum How {
    /// By a function.
    Function,
    /// As a part of a function that models its caller.
    InPlace,
    /// The file says that it was modelled on it, among others.
    Source,
    /// Not at all: a comment speaks of it.
    Mentioned,
}

/// A function of C that the models have or speak of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Function {
    /// Its name in C.
    pub name: &'static str,
    /// How it is modelled.
    pub how: How,
    /// The function in Rust that models it, or a part of which does.
    pub rust: &'static str,
    /// The file that has it.
    pub file: &'static str,
    /// The line in that file.
    pub line: usize,
    /// What the comment there says: its first sentence.
    pub says: &'static str,
    /// What it says is left out, besides what the file says of all of its functions.
    pub left_out: &'static str,
    /// The names that its steps are recorded under.
    pub entered: &'static [&'static str],
    /// It has no such name of its own: those are of the functions that call it, or with
    /// [`How::Source`] of all functions of the file.
    pub by_callers: bool,
}

impl Function {
    /// The notes of its file.
    pub fn notes(&self) -> &'static Notes {
        // Every function comes from a file.
        FILES.iter().find(|notes| notes.file == self.file).expect("the file of a function")
    }

    /// Is it modelled, and not only spoken of?
    pub fn is_modelled(&self) -> bool {
        self.how != How::Mentioned
    }
}

/// What the models have of this function of C; a function that differs between trees may be there
/// several times.
pub fn by_name(name: &str) -> impl Iterator<Item = &'static Function> {
    FUNCTIONS.iter().filter(move |function| function.name == name)
}

/// `models/fingerprints.tsv`: what the functions were modelled on, for `selvedge drift`.
pub const FINGERPRINTS: &str = include_str!("../fingerprints.tsv");

/// A hash of the text that models the function which steps are recorded under: it changes when that
/// does, but for comments and white space. `None`: no step is.
pub fn text_hash(entered: &str) -> Option<u64> {
    let found = TEXTS.binary_search_by(|(name, _)| (*name).cmp(entered));
    found.ok().map(|at| TEXTS[at].1)
}

include!(concat!(env!("OUT_DIR"), "/functions.rs"));
