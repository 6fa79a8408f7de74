//! `check --parts DIR`: what came of the parts of large searches, in files.
//!
//! Jobs that name the same directory search a row together: what one has found in a part the others
//! take from its file. A check that was stopped goes on with what there is. A directory for each
//! row, and for each key: of the sources and libraries of the command, the row and its bounds. So
//! nobody takes what was found by another build, or within other bounds. Files are written whole,
//! have a checksum, and are never changed: any program that copies files between machines will do,
//! and one that is damaged is searched again.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use selvedge_explore::{Bounds, Exchange};

use crate::error::Failure;
use crate::fingerprint::{self, hash};
use crate::output;
use crate::select::Selected;
use crate::shard::Shard;

/// The first line of a file is this, the key, the checksum of the rest, and which job wrote it.
const SCHEMA: &str = "selvedge-parts/1";

/// A directory of parts.
pub struct Parts {
    dir: PathBuf,
    environment: String,
    shard: Shard,
}

impl Parts {
    /// Those in this directory, which is made if it is not there; for this job.
    ///
    /// # Errors
    ///
    /// If it cannot be written, or it cannot be told what the command was compiled from.
    pub fn open(dir: &Path, shard: Option<Shard>) -> Result<Parts, Failure> {
        output::prepare_dir(dir)?;
        let environment = fingerprint::environment().map_err(Failure::new)?;
        let shard = shard.unwrap_or(Shard { number: 1, of: 1 });
        Ok(Parts { dir: dir.into(), environment, shard })
    }

    /// Those of a row within these bounds.
    pub fn of(&self, (claim, engine): Selected, bounds: &Bounds) -> Arc<dyn Exchange> {
        // Neither a limit of time nor the number of threads changes what is found in a part.
        let bounds = Bounds { workers: 1, time_max: None, ..bounds.clone() };
        let (name, build) = (claim.name(engine), fingerprint::build());
        let environment = &self.environment;
        let key = hash(&format!("{SCHEMA} {environment} {build}\n{name}\n{bounds:?}"));
        let dir = self.dir.join(format!("{}.{key}", name.replace("::", ".")));
        Arc::new(OfRow { dir, key, shard: self.shard })
    }
}

struct OfRow {
    dir: PathBuf,
    key: String,
    shard: Shard,
}

impl Exchange for OfRow {
    fn is_mine(&self, part: usize) -> bool {
        part % self.shard.of + 1 == self.shard.number
    }

    fn get(&self, name: &str) -> Option<String> {
        let file = self.dir.join(name);
        let found = match fs::read_to_string(&file) {
            Ok(text) => self.content(&text),
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => Err(error.to_string()),
        };
        found.map_or_else(
            |why| {
                let file = file.display();
                output::tell(&format!("selvedge: {file} is damaged ({why}): searched again"));
                None
            },
            Some,
        )
    }

    fn put(&self, name: &str, text: &str) {
        let file = self.dir.join(name);
        let text = format!("{SCHEMA} {} {} {}\n{text}\n", self.key, hash(text), self.shard);
        let made = fs::create_dir_all(&self.dir);
        let made = made.map_err(|error| Failure::io("write to the directory", &self.dir, &error));
        if let Err(failure) = made.and_then(|()| output::write_file(&file, &text)) {
            output::tell(&format!("selvedge: {failure}: others will have to search this part"));
        }
    }
}

impl OfRow {
    fn content(&self, text: &str) -> Result<String, String> {
        let whole = text.strip_suffix('\n').and_then(|text| text.split_once('\n'));
        let (head, content) = whole.ok_or("it is cut off")?;
        let words: Vec<&str> = head.split(' ').collect();
        match words.as_slice() {
            [SCHEMA, key, ..] if *key != self.key => Err("its key is another one".into()),
            [SCHEMA, _, checksum, _] if *checksum == hash(content) => Ok(content.into()),
            [SCHEMA, ..] => Err("its checksum is another one".into()),
            _ => Err(format!("it does not begin with {SCHEMA}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use selvedge_proofs::rows;

    use super::*;

    #[test]
    fn what_was_put_is_there_for_the_same_row_within_the_same_bounds_unless_it_is_damaged() {
        let dir = std::env::temp_dir().join(format!("selvedge-parts-{}", std::process::id()));
        let parts = Parts::open(&dir, Some(Shard { number: 2, of: 3 })).expect("a directory");
        let (first, second) = (rows().next().expect("a row"), rows().nth(1).expect("another"));
        let of = parts.of(first, &Bounds::PROOF);
        assert_eq!([0, 1, 2, 3, 4].map(|part| of.is_mine(part)), [false, true, false, false, true]);
        assert_eq!(of.get("first-2-1"), None);
        of.put("first-2-1", "found\n\nthis");
        assert_eq!(of.get("first-2-1").as_deref(), Some("found\n\nthis"));
        let threads = Bounds { workers: 7, time_max: Some(Default::default()), ..Bounds::PROOF };
        assert!(parts.of(first, &threads).get("first-2-1").is_some());
        let bounds = Bounds { executions_max: 7, ..Bounds::PROOF };
        for other in [parts.of(second, &Bounds::PROOF), parts.of(first, &bounds)] {
            assert_eq!(other.get("first-2-1"), None);
        }
        let found = fs::read_dir(&dir).expect("made").flatten().next().expect("of the row").path();
        let file = found.join("first-2-1");
        let text = fs::read_to_string(&file).expect("written");
        let damaged = [
            String::new(),
            text[..text.len() - 3].into(),
            text.replace("found", "f0und"),
            text.replacen("parts/1", "parts/0", 1),
            text.replacen("parts/1 ", "parts/1 0", 1),
        ];
        for text in damaged {
            fs::write(&file, &text).expect("written");
            assert_eq!(of.get("first-2-1"), None, "{text}");
        }
        let _ = fs::remove_dir_all(dir);
    }

    #[test]
    fn of_a_damaged_part_nothing_is_believed() {
        use crate::damaged::damaged;
        use proptest::prelude::*;
        let dir = std::env::temp_dir().join(format!("selvedge-parts-any-{}", std::process::id()));
        let parts = Parts::open(&dir, None).expect("a directory");
        let of = parts.of(rows().next().expect("a row"), &Bounds::PROOF);
        let content = "{\"executions\": 12}\n0 1 0 2\n";
        of.put("a-1-1", content);
        let file = fs::read_dir(&dir).expect("made").flatten().next().expect("of the row").path();
        let file = file.join("a-1-1");
        let whole = fs::read_to_string(&file).expect("written");
        let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
        proptest!(config, |(bytes in damaged(&whole))| {
            fs::write(&file, &bytes).expect("written");
            let found = of.get("a-1-1");
            prop_assert!(found.is_none() || found.as_deref() == Some(content), "{found:?}");
        });
        let _ = fs::remove_dir_all(dir);
    }
}
