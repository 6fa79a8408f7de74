//! `check --cache DIR`: rows that were decided before, and of which nothing has changed.
//!
//! A file for each row, with the key that it was decided under ([`key`]), and a checksum. What has
//! another key is checked again and replaced; what is damaged too, and it is said. Files are
//! replaced as a whole, so that several checks may use a directory at the same time. Kept is what
//! would come out again: nothing that is undecided, and with a limit of time, which may have cut
//! the search for a counterexample that is easier to read, nothing that is violated.

mod items;
mod key;
mod mentions;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use selvedge_explore::{Bounds, Verdict};
use selvedge_proofs::Row;

use crate::error::Failure;
use crate::fingerprint::hash;
use crate::format::row_json;
use crate::output;
use crate::select::Selected;
use crate::stored::Stored;

use key::Keys;

/// The first line of a file is this, the key, and the checksum of the second.
const SCHEMA: &str = "selvedge-cache/1";

/// A directory of rows.
pub struct Cache {
    dir: PathBuf,
    keys: Keys,
    /// No limit of time is set.
    keeps_violations: bool,
}

/// What there is of a row.
enum Known {
    Row(Box<Row>),
    /// Nothing, or another key's.
    Nothing,
    /// This is wrong with it.
    Damaged(String),
}

impl Cache {
    /// The cache in this directory, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// If it cannot be written, or it cannot be told what verdicts depend on.
    pub fn open(dir: &Path, is_timed: bool) -> Result<Cache, Failure> {
        output::prepare_dir(dir)?;
        let keys = Keys::new().map_err(Failure::new)?;
        Ok(Cache { dir: dir.into(), keys, keeps_violations: !is_timed })
    }

    /// The row as it is known, and true; or as `check` finds it, which is then kept.
    pub fn row_or(
        &self,
        selected: Selected,
        bounds: &Bounds,
        check: impl FnOnce() -> Row,
    ) -> (Row, bool) {
        let key = self.keys.of(selected, bounds);
        let file = self.file(selected);
        match read(&file, &key, selected) {
            Known::Row(row) => return (*row, true),
            Known::Nothing => {}
            Known::Damaged(why) => {
                let file = file.display();
                output::tell(&format!("selvedge: {file} is damaged ({why}): checked again"));
            }
        }
        let row = check();
        if self.is_kept(&row, bounds)
            && let Err(failure) = output::write_file(&file, &entry(&key, &row_json(&row)))
        {
            output::tell(&format!("selvedge: {failure}: the row is not kept"));
        }
        (row, false)
    }

    fn file(&self, (claim, engine): Selected) -> PathBuf {
        self.dir.join(format!("{}.row", claim.name(engine).replace("::", ".")))
    }

    fn is_kept(&self, row: &Row, bounds: &Bounds) -> bool {
        let stopped = bounds.interrupted.as_ref();
        let is_stopped =
            stopped.is_some_and(|flag| flag.load(std::sync::atomic::Ordering::Relaxed));
        match row.exploration.verdict {
            _ if is_stopped => false,
            Verdict::Undecided(_) => false,
            Verdict::Violated => self.keeps_violations,
            Verdict::Holds | Verdict::HoldsWithin(_) => true,
        }
    }
}

/// The text of a file.
fn entry(key: &str, row: &str) -> String {
    format!("{SCHEMA} {key} {}\n{row}\n", hash(row))
}

/// What a file knows of a row that has this key.
fn read(file: &Path, key: &str, selected: Selected) -> Known {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Known::Nothing,
        Err(error) => return Known::Damaged(error.to_string()),
    };
    let Some((head, row)) = text.strip_suffix('\n').and_then(|text| text.split_once('\n')) else {
        return Known::Damaged("it is cut off".into());
    };
    let words: Vec<&str> = head.split(' ').collect();
    let &[SCHEMA, known, checksum] = words.as_slice() else {
        return Known::Damaged(format!("it does not begin with {SCHEMA}"));
    };
    if hash(row) != checksum {
        return Known::Damaged("its checksum is another one".into());
    }
    if known != key {
        return Known::Nothing;
    }
    match read_row(row, selected) {
        Ok(row) => Known::Row(Box::new(row)),
        Err(why) => Known::Damaged(why),
    }
}

fn read_row(row: &str, selected: Selected) -> Result<Row, String> {
    let stored: Stored = serde_json::from_str(row).map_err(|error| error.to_string())?;
    let name = selected.0.name(selected.1);
    if stored.name != name {
        return Err(format!("it is of {}", stored.name));
    }
    let row = stored.row(selected)?;
    match row.exploration.verdict {
        Verdict::Undecided(_) => Err("it is undecided".into()),
        _ => Ok(row),
    }
}

#[cfg(test)]
mod tests;
