//! Tells the command by what it was compiled: the compiler and its settings, and the versions of
//! all libraries. Verdicts that a cache keeps are those of one build environment.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CARGO_ENCODED_RUSTFLAGS");
    let of = |name: &str| env::var(name).unwrap_or_default();
    let rustc = Command::new(of("RUSTC")).arg("-Vv").output().expect("cargo names the compiler");
    let said = String::from_utf8_lossy(&rustc.stdout).replace('\n', ", ");
    let settings = ["TARGET", "PROFILE", "OPT_LEVEL", "DEBUG", "CARGO_ENCODED_RUSTFLAGS"];
    let settings: Vec<String> =
        settings.iter().map(|name| format!("{name}={}", of(name).replace('\x1f', " "))).collect();
    println!("cargo::rustc-env=SELVEDGE_TOOLCHAIN={said}{}", settings.join(", "));
    // Without a lock file beside the sources nobody knows here which libraries cargo takes.
    let lock = lock_file().unwrap_or_default();
    let text = fs::read_to_string(&lock).unwrap_or_default();
    let out = PathBuf::from(of("OUT_DIR")).join("libraries.txt");
    fs::write(out, text).expect("cargo's own directory can be written");
    if lock.is_file() {
        println!("cargo::rerun-if-changed={}", lock.display());
    }
}

/// The workspace's, of which this crate is `crates/selvedge`.
fn lock_file() -> Option<PathBuf> {
    let crate_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?);
    let root = crate_dir.ancestors().nth(2)?;
    let is_member = root.join("crates/selvedge").canonicalize().ok()? == canonical(&crate_dir)?;
    let lock = root.join("Cargo.lock");
    (is_member && lock.is_file()).then_some(lock)
}

fn canonical(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok()
}
