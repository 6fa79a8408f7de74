//! Writes the register of modelled functions (`src/functions.rs`) from the model sources, so that
//! it is never out of date.

#[path = "build/scan.rs"]
mod scan;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-changed=build");
    let src = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo says so")).join("src");
    let mut sources = Vec::new();
    collect(&src, &src, &mut sources)?;
    sources.sort();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo says so")).join("functions.rs");
    let mut everything = Vec::new();
    collect_all(&src, &src, &mut everything)?;
    everything.sort();
    fs::write(out, rust(&scan::scan(&sources)) + &texts(&scan::texts(&everything)))
}

/// Every file: steps are taken in mutants and drivers too.
fn collect_all(src: &Path, dir: &Path, sources: &mut Vec<(String, String)>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            collect_all(src, &path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let within = path.strip_prefix(src).expect("it is below");
            sources.push((within.display().to_string(), fs::read_to_string(&path)?));
        }
    }
    Ok(())
}

fn texts(hashes: &BTreeMap<String, u64>) -> String {
    let mut out = String::from("static TEXTS: &[(&str, u64)] = &[\n");
    for (name, hash) in hashes {
        let _ = writeln!(out, "({name:?}, {hash:#x}),");
    }
    out + "];\n"
}

/// Every file in a directory that is named after one of the kernel's. Beside those of `drivers/`
/// are drivers that are in no kernel.
fn collect(src: &Path, dir: &Path, sources: &mut Vec<(String, String)>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() {
            if name != "trees" && name != "mutants" {
                collect(src, &path, sources)?;
            }
        } else if dir != src
            && dir != src.join("drivers")
            && path.extension().is_some_and(|extension| extension == "rs")
        {
            let within = path.strip_prefix(src).expect("it is below");
            sources.push((within.display().to_string(), fs::read_to_string(&path)?));
        }
    }
    Ok(())
}

fn rust((notes, functions): &(Vec<scan::Notes>, Vec<scan::Function>)) -> String {
    let mut out = String::from("/// Every file of models.\npub static FILES: &[Notes] = &[\n");
    // Writing to a string cannot fail; so below.
    for n in notes {
        let _ = writeln!(
            out,
            "Notes {{ file: {:?}, source: {:?}, left_out: {:?}, scaled: {:?}, c_file: {:?}, \
             c_files: &{:?} }},",
            n.file, n.source, n.left_out, n.scaled, n.c_file, n.c_files
        );
    }
    out.push_str("];\n/// Every function of C that is modelled or spoken of, by name.\n");
    out.push_str("pub static FUNCTIONS: &[Function] = &[\n");
    for f in functions {
        let _ = writeln!(
            out,
            "Function {{ name: {:?}, how: How::{:?}, rust: {:?}, file: {:?}, line: {}, says: {:?}, \
             left_out: {:?}, entered: &{:?}, by_callers: {} }},",
            f.name, f.how, f.rust, f.file, f.line, f.says, f.left_out, f.entered, f.by_callers
        );
    }
    out.push_str("];\n");
    out
}
