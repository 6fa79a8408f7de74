//! Printing and writing files.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::error::Failure;

/// Prints to stdout. A reader who has seen enough (`| head`) is no error.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("cannot write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes a file whole or not at all.
pub fn write_file(path: &Path, text: &str) -> Result<(), Failure> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(format!(".{}.partial", std::process::id()));
    let partial = Path::new(&partial);
    let done = fs::write(partial, text).and_then(|()| fs::rename(partial, path));
    done.map_err(|error| {
        // If it was never made there is nothing to remove.
        let _ = fs::remove_file(partial);
        Failure::io("write", path, &error)
    })
}

/// Makes sure that the directory exists and can be written, before anything is computed for it.
pub fn prepare_dir(dir: &Path) -> Result<(), Failure> {
    let failure = |error| Failure::io("write to the directory", dir, &error);
    fs::create_dir_all(dir).map_err(failure)?;
    let probe = dir.join(format!(".selvedge.{}", std::process::id()));
    fs::write(&probe, "").and_then(|()| fs::remove_file(&probe)).map_err(failure)
}
