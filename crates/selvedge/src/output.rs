//! Printing and writing files.

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use selvedge_trace::views::spelled_out;

use crate::colour;
use crate::error::Failure;

/// Prints to stdout; to a terminal nothing that it takes for a command, but for our colours. A
/// reader who has seen enough (`| head`) is no error.
pub fn print(text: &str) -> Result<(), Failure> {
    let stdout = io::stdout();
    let is_terminal = stdout.is_terminal();
    let text = if is_terminal { Cow::from(printable(text)) } else { Cow::from(text) };
    let text = if colour::is_wanted(&stdout) { Cow::from(colour::coloured(&text)) } else { text };
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("cannot write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}

/// Says something on stderr. That nobody can hear it does not change what is found.
pub fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{}", printable(line));
}

/// The text without what a terminal takes for a command, or what changes the order in which it is
/// read: these characters are spelled out.
pub fn printable(text: &str) -> String {
    spelled_out(text, &['\n', '\t'])
}

/// How wide a table is: as a changelog allows; on a terminal that is narrower, as that, but not
/// below what a table can be read in.
pub fn table_width() -> usize {
    const WIDTHS: std::ops::RangeInclusive<usize> = 60..=75;
    let terminal = console::Term::stdout().size_checked();
    let width = terminal.map_or(*WIDTHS.end(), |(_, columns)| usize::from(columns));
    width.clamp(*WIDTHS.start(), *WIDTHS.end())
}

/// The most that is read of a file that should be what we write.
pub const READ_MAX: u64 = 64 << 20;

/// Reads a file that may be anything, and of any size: text, in which there should be `what`.
pub fn read_text(path: &Path, what: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let opened = open(path, OpenOptions::new().read(true));
    opened
        .and_then(|file| file.take(READ_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| Failure::io("read", path, &error))?;
    let name = path.display();
    if bytes.len() as u64 > READ_MAX {
        let most = READ_MAX >> 20;
        return Err(Failure::new(format!("{name}: more than {most} MiB, expected {what}")));
    }
    String::from_utf8(bytes)
        .map_err(|_| Failure::new(format!("{name}: not text (UTF-8), expected {what}")))
}

/// Writes a file whole or not at all. A device or a pipe is written to as it is.
pub fn write_file(path: &Path, text: &str) -> Result<(), Failure> {
    let failure = |error| Failure::io("write", path, &error);
    // What a link names is replaced, and not the link.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.into());
    if is_device(path) {
        let opened = open(path, OpenOptions::new().write(true));
        return opened.and_then(|mut file| file.write_all(text.as_bytes())).map_err(failure);
    }
    let partial = beside(path);
    fs::write(&partial, text).and_then(|()| fs::rename(&partial, path)).map_err(|error| {
        // If it was never made there is nothing to remove.
        let _ = fs::remove_file(&partial);
        failure(error)
    })
}

/// Removes a file, if there is one.
pub fn remove_file(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Failure::io("remove", path, &error))
        }
        _ => Ok(()),
    }
}

/// Adds the text at the end of a file, which others write to as well.
pub fn append(path: &Path, text: &str) -> Result<(), Failure> {
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Failure::io("write", path, &error))
}

/// Makes sure that the directory exists and can be written, before anything is computed for it.
pub fn prepare_dir(dir: &Path) -> Result<(), Failure> {
    let failure = |error| Failure::io("write to the directory", dir, &error);
    fs::create_dir_all(dir).map_err(failure)?;
    let probe = dir.join(format!(".selvedge.{}", std::process::id()));
    fs::write(&probe, "").and_then(|()| fs::remove_file(&probe)).map_err(failure)
}

/// Makes sure that the file can be written, before anything is computed for it.
pub fn prepare_file(path: &Path) -> Result<(), Failure> {
    let failure = |error| Failure::io("write", path, &error);
    if path.is_dir() {
        return Err(failure(ErrorKind::IsADirectory.into()));
    }
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.into());
    if is_device(path) {
        return open(path, OpenOptions::new().append(true)).map(drop).map_err(failure);
    }
    let partial = beside(path);
    fs::write(&partial, "").and_then(|()| fs::remove_file(&partial)).map_err(failure)
}

/// Opens a file. A pipe has to be open at its other end, and that is not waited for without end.
fn open(path: &Path, how: &OpenOptions) -> io::Result<File> {
    const WAIT: Duration = Duration::from_secs(5);
    if !path.metadata().is_ok_and(|known| known.file_type().is_fifo()) {
        return how.open(path);
    }
    let (sender, opened) = mpsc::channel();
    let (path, how) = (path.to_path_buf(), how.clone());
    // If nobody ever comes, it ends with the process.
    thread::spawn(move || sender.send(how.open(path)));
    opened.recv_timeout(WAIT).unwrap_or_else(|_| {
        let nobody = "it is a pipe, and nobody has opened its other end within 5 seconds";
        Err(io::Error::new(ErrorKind::TimedOut, nobody))
    })
}

/// Exists, and is neither a file nor a directory.
fn is_device(path: &Path) -> bool {
    path.metadata().is_ok_and(|known| !known.is_file() && !known.is_dir())
}

/// A name in the same directory, of this process's own.
fn beside(path: &Path) -> PathBuf {
    let mut partial = path.as_os_str().to_owned();
    partial.push(format!(".{}.partial", std::process::id()));
    partial.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_not_commanded() {
        assert_eq!(printable("a\u{1b}[2J\tb\n\u{202e}c"), "a\\u{1b}[2J\tb\n\\u{202e}c");
    }
}
