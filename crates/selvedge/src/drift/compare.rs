//! What became of each modelled function.

use std::collections::{BTreeMap, BTreeSet};

use selvedge_models::functions::{FILES, Function, by_name};
use selvedge_proofs::Claim;

use super::fingerprints::Fingerprints;
use super::kernel_tree::{KernelTree, Place, Release};

/// A modelled function, and what became of it.
pub struct Drift {
    /// Its name in C.
    pub name: &'static str,
    /// Where it was defined when it was recorded.
    pub was: Option<String>,
    /// What became of it.
    pub status: Status,
    /// If it has drifted: the claims that exercise it.
    pub claims: Vec<&'static Claim>,
}

/// What became of a function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Status {
    /// It is as it was.
    Same,
    /// It is in the same file, and differs.
    Changed,
    /// It is in another file.
    Moved {
        /// Which one.
        to: String,
        /// It differs besides.
        changed: bool,
    },
    /// It is not defined any more where it, or a function like it, could be.
    Gone,
    /// It was not defined, and is now.
    Come {
        /// Where.
        file: String,
    },
    /// It is not defined, as it was not when it was recorded.
    Absent,
    /// Nothing is recorded of it.
    Unknown,
}

impl Status {
    /// Its name in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Status::Same => "same",
            Status::Changed => "changed",
            Status::Moved { changed: false, .. } => "moved",
            Status::Moved { changed: true, .. } => "moved and changed",
            Status::Gone => "gone",
            Status::Come { .. } => "come",
            Status::Absent => "absent",
            Status::Unknown => "unknown",
        }
    }

    /// Has somebody to look at the model again?
    pub fn is_drift(&self) -> bool {
        !matches!(self, Status::Same | Status::Absent | Status::Unknown)
    }

    /// Where it is now, if that is elsewhere than it was.
    pub fn elsewhere(&self) -> Option<&str> {
        match self {
            Status::Moved { to, .. } => Some(to),
            Status::Come { file } => Some(file),
            _ => None,
        }
    }
}

impl Drift {
    /// The models that there are of it.
    pub fn models(&self) -> impl Iterator<Item = &'static Function> {
        models(self.name)
    }
}

fn models(name: &str) -> impl Iterator<Item = &'static Function> {
    by_name(name).filter(|function| function.is_modelled())
}

/// What became of each of these functions since the release was recorded.
pub fn compare(
    tree: &KernelTree,
    known: &Fingerprints,
    against: Option<&Release>,
    names: &BTreeSet<&'static str>,
) -> Vec<Drift> {
    let found = tree.places(names);
    let drift = |&name: &&'static str| {
        let places = found.get(name).map_or(&[][..], Vec::as_slice);
        let recorded = against.and_then(|release| known.of(release, name));
        let was = recorded.flatten();
        let status = match recorded {
            None => Status::Unknown,
            Some(None) => match home(name, places) {
                Some(place) => Status::Come { file: place.file.clone() },
                None => Status::Absent,
            },
            Some(Some(was)) => since(name, was, places),
        };
        Drift { name, was: was.map(|was| was.file.clone()), status, claims: Vec::new() }
    };
    names.iter().map(drift).collect()
}

/// What became of a function that was here.
fn since(name: &str, was: &Place, places: &[Place]) -> Status {
    if let Some(now) = places.iter().find(|place| place.file == was.file) {
        return if now == was { Status::Same } else { Status::Changed };
    }
    // Another function of its name, in a far part of the kernel, is not the same one.
    let same = places.iter().find(|place| place.fingerprint == was.fingerprint);
    match same.or_else(|| home(name, places)) {
        Some(now) => {
            let changed = now.fingerprint != was.fingerprint;
            Status::Moved { to: now.file.clone(), changed }
        }
        None => Status::Gone,
    }
}

/// Where each of these functions is defined, of those that are.
pub fn defined(tree: &KernelTree, names: &BTreeSet<&'static str>) -> BTreeMap<&'static str, Place> {
    let places = tree.places(names).into_iter();
    places.filter_map(|(name, places)| Some((name, home(name, &places)?.clone()))).collect()
}

/// Of the places where a function of this name is defined, the one that the models are about: a
/// file that its models name; else a file of the same directory, a header, or a file that other
/// models are about, if it is the only one of these.
fn home<'a>(name: &str, places: &'a [Place]) -> Option<&'a Place> {
    let mut named: Vec<&str> = models(name).map(|model| model.notes().c_file).collect();
    named.extend(models(name).flat_map(|model| model.notes().c_files).copied());
    let of_file = |file: &&str| places.iter().find(|place| place.file == **file);
    if let Some(place) = named.iter().find_map(of_file) {
        return Some(place);
    }
    let dir = |file: &str| file.rsplit_once('/').map(|(dir, _)| dir.to_string());
    let is_near = |place: &&Place| named.iter().any(|file| dir(file) == dir(&place.file));
    let is_header = |place: &&Place| place.file.ends_with(".h");
    let is_modelled =
        |place: &&Place| FILES.iter().any(|notes| notes.c_files.contains(&&*place.file));
    let only = |is: &dyn Fn(&&Place) -> bool| only(places.iter().filter(is));
    only(&is_near).or_else(|| only(&is_header)).or_else(|| only(&is_modelled))
}

fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next();
    if items.next().is_none() { first } else { None }
}
