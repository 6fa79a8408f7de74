//! Fingerprints of what the command was compiled from.

use std::sync::LazyLock;
use std::{env, fs};

use include_dir::Dir;

/// The crates on whose sources verdicts depend: those of which a change may change any verdict,
/// then those of which it depends on the change (`cache/items.rs`).
pub static WHOLE: [&Dir<'_>; 5] = [
    &selvedge_trace::SOURCES,
    &dpor::SOURCES,
    &selvedge_explore::SOURCES,
    &selvedge_kernel::SOURCES,
    &selvedge_monitors::SOURCES,
];

/// See [`WHOLE`].
pub static BY_ITEM: [&Dir<'_>; 2] = [&selvedge_models::SOURCES, &selvedge_proofs::SOURCES];

/// A hash of some text, for names of files and for comparisons: 128 bits in hexadecimal. Nothing in
/// it keeps somebody from making another text of the same hash on purpose.
pub fn hash(text: &str) -> String {
    format!("{:032x}", twox_hash::XxHash3_128::oneshot(text.as_bytes()))
}

/// The sources of the crates that a verdict may depend on. The same wherever they are compiled.
pub fn build() -> &'static str {
    static BUILD: LazyLock<String> = LazyLock::new(|| {
        let mut text = String::new();
        for (path, source) in WHOLE.iter().chain(&BY_ITEM).flat_map(|dir| files(dir)) {
            text += &format!("{path}\n{}\n{source}", source.len());
        }
        hash(&text)
    });
    &BUILD
}

/// The files of a directory and of those below it, in the order of their names.
pub fn files<'a>(dir: &'a Dir<'a>) -> Vec<(String, &'a str)> {
    let mut found: Vec<(String, &str)> = dir
        .files()
        .map(|file| {
            let text = file.contents_utf8().expect("the compiler has read it");
            (file.path().display().to_string(), text)
        })
        .collect();
    found.extend(dir.dirs().flat_map(files));
    found.sort();
    found
}

/// The compiler, its settings, and the libraries.
///
/// Of a command that was compiled where the versions of the libraries are not known, by
/// `cargo install`, it is the command itself.
///
/// # Errors
///
/// If that cannot be read.
pub fn environment() -> Result<String, String> {
    const LIBRARIES: &str = include_str!(concat!(env!("OUT_DIR"), "/libraries.txt"));
    let toolchain = env!("SELVEDGE_TOOLCHAIN");
    if !LIBRARIES.is_empty() {
        return Ok(hash(&format!("{toolchain}\n{LIBRARIES}")));
    }
    let unreadable =
        |error| format!("cannot read this command itself, for its fingerprint: {error}");
    let me = env::current_exe().and_then(fs::read).map_err(unreadable)?;
    Ok(format!("{:032x}", twox_hash::XxHash3_128::oneshot(&me)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_a_crate_is_there() {
        let names: Vec<String> =
            files(&selvedge_models::SOURCES).into_iter().map(|(path, _)| path).collect();
        for name in ["lib.rs", "mm/swap/drain.rs", "trees/releases.rs"] {
            assert!(names.iter().any(|known| known == name), "{name}: {names:?}");
        }
        assert_eq!(build().len(), 32);
    }
}
