//! What keeps a check of C from being made: each is one text that says what to do.

use std::fmt;
use std::path::Path;

/// Why nothing was checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error(String);

impl Error {
    /// With this text.
    pub fn new(text: impl Into<String>) -> Error {
        Error(text.into())
    }

    /// A file or directory that cannot be used.
    pub fn io(doing: &str, path: &Path, error: &std::io::Error) -> Error {
        Error(format!("cannot {doing} {}: {error}", path.display()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// What every part returns.
pub type Result<T> = std::result::Result<T, Error>;
