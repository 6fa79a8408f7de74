//! The scenarios on the kernel's own C (docs/c.md), in a tree that is there or that Debian has.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::args::Args;
use crate::succeed;

/// Where Debian's package puts the source.
const ARCHIVE: &str = "/usr/src/linux-source-6.12.tar.xz";
/// The package, and what it takes to compile a few of its files.
const PACKAGES: [&str; 7] = ["linux-source-6.12", "gcc", "make", "flex", "bison", "bc", "xz-utils"];
/// A network that hangs is given up, and not waited for.
const OPTIONS: [&str; 4] =
    ["--option=Acquire::http::Timeout=20", "--option=Acquire::Retries=1", "--yes", "--quiet"];

/// Runs them: on the trees that SELVEDGE_KERNEL names, else on Debian's source, which is unpacked
/// beside the artefacts and, if apt is there, installed.
pub fn run(args: &Args) -> Result<(), String> {
    let named = std::env::var("SELVEDGE_KERNEL").unwrap_or_default();
    let trees =
        if named.is_empty() { unpacked(&args.artefacts)?.display().to_string() } else { named };
    let mut test = Command::new("cargo");
    test.args(["test", "--package", "selvedge-c", "--test", "kernel", "--", "--nocapture"]);
    test.env("SELVEDGE_KERNEL", trees);
    succeed(test)
}

fn unpacked(artefacts: &Path) -> Result<PathBuf, String> {
    if !Path::new(ARCHIVE).is_file() {
        let mut apt = Command::new("apt-get");
        apt.args(OPTIONS).args(["install", "--no-install-recommends"]).args(PACKAGES);
        succeed(apt).map_err(|why| {
            format!(
                "no kernel to run on: name one in SELVEDGE_KERNEL, or install {ARCHIVE} ({why})"
            )
        })?;
    }
    let above = artefacts.parent().filter(|dir| !dir.as_os_str().is_empty());
    let above = above.unwrap_or(Path::new("."));
    let dir = above.join("linux-source-6.12");
    if !dir.is_dir() {
        // Half a tree has not this name.
        let partial = above.join("linux-source-6.12.partial");
        let failure = |error: std::io::Error| format!("{}: {error}", partial.display());
        std::fs::create_dir_all(&partial).map_err(failure)?;
        let mut tar = Command::new("tar");
        tar.args(["--extract", "--strip-components=1", "--file", ARCHIVE, "--directory"]);
        tar.arg(&partial);
        succeed(tar)?;
        std::fs::rename(&partial, &dir).map_err(failure)?;
    }
    dir.canonicalize().map_err(|error| format!("{}: {error}", dir.display()))
}
