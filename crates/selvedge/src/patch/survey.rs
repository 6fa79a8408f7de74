//! What a patch touches, held against the register of modelled functions.

use std::fs;
use std::path::{Component, Path};

use selvedge_models::functions::{Function, How as Modelled, by_name};
use selvedge_models::{Kind, Tree, trees};
use selvedge_patch::{FileDiff, Found, How, Patch, touched};

/// A patch.
pub struct PatchSurvey {
    /// Its subject.
    pub subject: Option<String>,
    /// The file that it is in, and the line there.
    pub at: (String, usize),
    /// The trees that are this patch, by its subject.
    pub trees: Vec<&'static Tree>,
    /// The files that it changes.
    pub files: Vec<FileSurvey>,
}

/// A file that a patch changes.
pub struct FileSurvey {
    /// Its path.
    pub path: String,
    /// The functions that are touched, each once.
    pub functions: Vec<FunctionSurvey>,
    /// Changed lines outside of functions.
    pub outside: Vec<String>,
    /// How many changed lines are in functions that nothing names.
    pub unknown: usize,
    /// Remarks on how the functions were found: with the worst of the hunks.
    pub found: Found,
}

/// A function that is touched.
pub struct FunctionSurvey {
    /// Its name in C.
    pub name: String,
    /// What becomes of it.
    pub how: How,
    /// The models that there are of it.
    pub models: Vec<&'static Function>,
    /// Comments in the models that speak of it, if it is not modelled.
    pub mentions: Vec<&'static Function>,
    /// Models of functions of the same name in another part of the kernel.
    pub namesakes: Vec<&'static Function>,
}

impl FunctionSurvey {
    /// The names under which steps in it are recorded.
    pub fn entered(&self) -> Vec<&'static str> {
        let mut names: Vec<&str> =
            self.models.iter().flat_map(|model| model.entered.iter().copied()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Looks at a patch.
pub fn survey(name: &str, patch: &Patch, kernel: Option<&Path>) -> PatchSurvey {
    let mut files: Vec<FileSurvey> = Vec::new();
    for diff in &patch.files {
        add(&mut files, diff, kernel);
    }
    PatchSurvey {
        subject: patch.subject.clone(),
        at: (name.into(), patch.line),
        trees: patch.subject.as_deref().map(trees_about).unwrap_or_default(),
        files,
    }
}

fn add(files: &mut Vec<FileSurvey>, diff: &FileDiff, kernel: Option<&Path>) {
    let known = files.iter().position(|file| file.path == diff.path);
    let at = known.unwrap_or_else(|| {
        files.push(FileSurvey {
            path: diff.path.clone(),
            functions: Vec::new(),
            outside: Vec::new(),
            unknown: 0,
            found: Found::File,
        });
        files.len() - 1
    });
    let file = &mut files[at];
    let old_path = diff.renamed_from.as_ref().unwrap_or(&diff.path);
    let text = kernel.and_then(|dir| c_text(dir, old_path).or_else(|| c_text(dir, &diff.path)));
    for hunk in &diff.hunks {
        let touch = touched(hunk, text.as_deref());
        file.found = file.found.max(touch.found);
        file.unknown += touch.unknown;
        file.outside.extend(touch.outside);
        for function in touch.functions {
            match file.functions.iter_mut().find(|known| known.name == function.name) {
                Some(known) => known.how = together(known.how, function.how),
                None => file.functions.push(look_up(function.name, function.how, &diff.path)),
            }
        }
    }
}

/// Two hunks of one function.
fn together(a: How, b: How) -> How {
    match (a, b) {
        (a, b) if a == b => a,
        (How::Comments, other) | (other, How::Comments) => other,
        _ => How::Changed,
    }
}

/// The text of a file of the tree; a path that leads out of it is none.
fn c_text(dir: &Path, path: &str) -> Option<String> {
    let path = Path::new(path);
    let stays = path.components().all(|part| matches!(part, Component::Normal(_)));
    let bytes = stays.then(|| fs::read(dir.join(path)).ok())??;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn look_up(name: String, how: How, path: &str) -> FunctionSurvey {
    let all: Vec<&Function> = by_name(&name).collect();
    let (modelled, mentions): (Vec<&Function>, Vec<_>) =
        all.into_iter().partition(|function| function.is_modelled());
    // One model that is of this place shows that it is the same function, wherever the others are.
    let is_same = modelled.iter().any(|function| is_of(function, path));
    let (models, namesakes) = if is_same { (modelled, Vec::new()) } else { (Vec::new(), modelled) };
    FunctionSurvey { name, how, models, mentions, namesakes }
}

/// Is the model of a function of this file? Functions move between the files of a directory, and
/// those of headers have no other namesakes.
fn is_of(function: &Function, path: &str) -> bool {
    let dir = |path: &str| path.rsplit_once('/').map(|(dir, _)| dir.to_string());
    let files = function.notes().c_files;
    path.ends_with(".h") || files.iter().any(|file| *file == path || dir(file) == dir(path))
}

/// A word or two are a part of many subjects.
const SUBJECT_MIN: usize = 16;

/// The trees whose description has this subject, or whose last commit is a posting of it.
pub fn trees_about(subject: &str) -> Vec<&'static Tree> {
    let subject = bare(subject).to_ascii_lowercase();
    let is_it = |tree: &&Tree| {
        let last = tree.commits().last().map_or("", |commit| commit.title);
        tree.kind == Kind::Patch
            && (tree.about.to_ascii_lowercase().contains(&subject)
                || bare(last).to_ascii_lowercase().starts_with(&subject))
    };
    match subject.len() >= SUBJECT_MIN {
        true => trees::every().filter(is_it).collect(),
        false => Vec::new(),
    }
}

/// The subject without "Re:" and "[PATCH ...]".
fn bare(subject: &str) -> &str {
    let mut subject = subject.trim();
    loop {
        let lower = subject.to_ascii_lowercase();
        let rest = match (lower.starts_with("re:"), subject.starts_with('[')) {
            (true, _) => &subject[3..],
            (_, true) => subject.split_once(']').map_or("", |(_, rest)| rest),
            _ => break,
        };
        subject = rest.trim_start();
    }
    subject
}

/// In words, how a function is modelled.
pub fn how_modelled(model: &Function) -> &'static str {
    match model.how {
        Modelled::Function => "modelled",
        Modelled::InPlace => "modelled as a part",
        Modelled::Source => "modelled with others",
        Modelled::Mentioned => "not modelled",
    }
}
