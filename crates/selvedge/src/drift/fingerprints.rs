//! `models/fingerprints.tsv`: for each recorded release, where each modelled function is defined,
//! and a fingerprint of its text. Of a function that is not defined there, a line that says so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use selvedge_models::functions::FINGERPRINTS;

use crate::error::Failure;
use crate::output;

use super::kernel_tree::{Place, Release};

/// Where the file is, from the root of a checkout.
const FILE: &str = "models/fingerprints.tsv";
const HEADING: &str = "release\tkernel file\tfunction\tfingerprint";
/// In place of a file and a fingerprint.
const NOWHERE: &str = "-";

/// What is recorded.
pub struct Fingerprints {
    /// Where it is written to, if it can be.
    file: Option<PathBuf>,
    /// By release and function; none if it is not defined there.
    places: BTreeMap<(Release, String), Option<Place>>,
}

impl Fingerprints {
    /// Of this file; without one, of the checkout that the command runs in, else those built in.
    /// One that is to be recorded in may not be there yet.
    pub fn read(file: Option<&Path>, to_record: bool) -> Result<Fingerprints, Failure> {
        let file = file.map(Path::to_path_buf).or_else(of_checkout);
        let (text, name) = match &file {
            Some(path) if to_record && !path.exists() => {
                return Ok(Fingerprints { file, places: BTreeMap::new() });
            }
            Some(path) => {
                let text = output::read_text(path, "fingerprints")?;
                (text, path.display().to_string())
            }
            None => (FINGERPRINTS.to_string(), format!("{FILE}, built in")),
        };
        let places = parse(&text).map_err(|why| Failure::new(format!("{name}: {why}")))?;
        Ok(Fingerprints { file, places })
    }

    fn releases(&self) -> BTreeSet<&Release> {
        self.places.keys().map(|(release, _)| release).collect()
    }

    /// The recorded release of this line.
    pub fn of_line(&self, line: &str) -> Option<Release> {
        self.releases().into_iter().find(|release| release.line == line).cloned()
    }

    /// The recorded release that is called so, by its version or its line.
    pub fn named(&self, wanted: &str) -> Result<Release, Failure> {
        let wanted = wanted.trim_start_matches('v');
        let all = self.releases();
        let is_it = |release: &&&Release| release.version == wanted || release.line == wanted;
        all.iter().find(is_it).map(|release| (*release).clone()).ok_or_else(|| {
            let known: Vec<String> = all.iter().map(ToString::to_string).collect();
            let known = if known.is_empty() { "none".into() } else { known.join(", ") };
            Failure::new(format!("no fingerprints of `{wanted}`: there are those of {known}"))
        })
    }

    /// What is recorded of a function in a release: nothing, that it is not defined, or where.
    pub fn of(&self, release: &Release, function: &str) -> Option<Option<&Place>> {
        self.places.get(&(release.clone(), function.into())).map(Option::as_ref)
    }

    /// The functions that something is recorded of.
    pub fn functions(&self, release: &Release) -> impl Iterator<Item = &str> {
        self.places.keys().filter(move |(r, _)| r == release).map(|(_, function)| function.as_str())
    }

    /// Puts what a tree has in place of what was recorded of its line.
    pub fn replace(
        &mut self,
        release: &Release,
        names: &BTreeSet<&'static str>,
        found: &BTreeMap<&'static str, Place>,
    ) {
        self.places.retain(|(known, _), _| known.line != release.line);
        let line = |name: &&str| ((release.clone(), name.to_string()), found.get(*name).cloned());
        self.places.extend(names.iter().map(line));
    }

    /// Writes the file, and says which it is.
    pub fn write(&self) -> Result<&Path, Failure> {
        let file = self.file.as_deref().ok_or_else(|| {
            let says = "no checkout of selvedge around the current directory to record in: name a \
                file \
                        with `--fingerprints FILE`";
            Failure::new(says)
        })?;
        output::write_file(file, &print(&self.places))?;
        Ok(file)
    }
}

/// The file of the checkout around the current directory.
fn of_checkout() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    let found = here.ancestors().find(|dir| dir.join("models/src/functions.rs").is_file());
    found.map(|root| root.join(FILE))
}

fn print(places: &BTreeMap<(Release, String), Option<Place>>) -> String {
    let mut lines: Vec<(&Release, &str, &str, String)> = (places.iter())
        .map(|((release, function), place)| match place {
            Some(Place { file, fingerprint }) => {
                (release, file.as_str(), function.as_str(), format!("{fingerprint:016x}"))
            }
            None => (release, NOWHERE, function.as_str(), NOWHERE.into()),
        })
        .collect();
    lines.sort();
    let mut out = format!("{HEADING}\n");
    for (release, file, function, fingerprint) in lines {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{release}\t{file}\t{function}\t{fingerprint}");
    }
    out
}

fn parse(text: &str) -> Result<BTreeMap<(Release, String), Option<Place>>, String> {
    let mut lines = text.lines();
    if lines.next() != Some(HEADING) {
        return Err(format!("line 1: expected {HEADING:?}"));
    }
    let mut places = BTreeMap::new();
    let mut lines_of: BTreeMap<String, Release> = BTreeMap::new();
    for (at, line) in lines.enumerate() {
        let wrong = |what: &str| Err(format!("line {}: {what}: {line:?}", at + 2));
        let fields: Vec<&str> = line.split('\t').collect();
        let &[release, file, function, fingerprint] = fields.as_slice() else {
            return wrong("expected a release, a file, a function and a fingerprint, with tabs");
        };
        let Some(release) = Release::parse(release) else { return wrong("not a release") };
        if lines_of.entry(release.line.clone()).or_insert_with(|| release.clone()) != &release {
            return wrong("a second release of its line");
        }
        let place = match (file, fingerprint) {
            (NOWHERE, NOWHERE) => None,
            _ => match u64::from_str_radix(fingerprint, 16) {
                Ok(number) if fingerprint == format!("{number:016x}") => {
                    Some(Place { file: file.into(), fingerprint: number })
                }
                _ => return wrong("not a fingerprint of 16 hexadecimal digits"),
            },
        };
        if places.insert((release, function.to_string()), place).is_some() {
            return wrong("the function is recorded twice");
        }
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_in_is_as_it_is_written() {
        assert_eq!(print(&parse(FINGERPRINTS).expect("it can be read")), FINGERPRINTS);
    }

    #[test]
    fn what_is_corrupt_is_named_by_its_line() {
        let good = "6.1\tmm/a.c\tf\t0123456789abcdef";
        assert!(parse(&format!("{HEADING}\n{good}\n6.1\t-\tg\t-\n")).is_ok());
        for (bad, says) in [
            ("6.1\tmm/a.c\tf", "line 3: expected a release"),
            ("6\tmm/a.c\tg\t0123456789abcdef", "line 3: not a release"),
            ("6.1\tmm/a.c\tg\t0123", "line 3: not a fingerprint"),
            ("6.1\t-\tg\t+123456789abcdef", "line 3: not a fingerprint"),
            ("6.1\tmm/b.c\tf\t0123456789abcdef", "line 3: the function is recorded twice"),
            ("6.1.2\tmm/a.c\tf\t0123456789abcdef", "line 3: a second release"),
            ("<<<<<<< HEAD", "line 3: expected a release"),
        ] {
            let why = parse(&format!("{HEADING}\n{good}\n{bad}\n")).expect_err(bad);
            assert!(why.starts_with(says), "{why}");
        }
        assert!(parse("").expect_err("no heading").starts_with("line 1"));
    }

    /// What is read of a damaged file is written as it was read.
    #[test]
    fn what_is_damaged_is_read_or_named_by_its_line() {
        use crate::damaged::damaged;
        use proptest::prelude::*;
        let whole: String = FINGERPRINTS.lines().take(40).map(|line| format!("{line}\n")).collect();
        let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
        proptest!(config, |(bytes in damaged(&whole))| {
            let text = String::from_utf8_lossy(&bytes);
            match parse(&text) {
                Ok(places) => prop_assert_eq!(parse(&print(&places)), Ok(places)),
                Err(why) => prop_assert!(why.starts_with("line "), "{why}"),
            }
        });
    }
}
