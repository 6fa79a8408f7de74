//! `selvedge new --driver NAME`: a driver of movable pages to fill in, registered in the checkout
//! that the command is run in.

use std::fs;
use std::path::{Path, PathBuf};

use crate::args::NewArgs;
use crate::error::Failure;
use crate::{Outcome, Status, output};

/// The driver that does it right: what a new one begins as.
const TEMPLATE: &str = include_str!("../../../models/src/drivers/minimal.rs");
/// The name of the template, where it is a driver's name.
const TEMPLATE_NAME: &str = "name: \"minimal\"";
/// Where drivers are, from the root of a checkout.
const DRIVERS: &str = "models/src/drivers";
/// After which line in `mod.rs` drivers are registered.
const REGISTER: &str = "drivers! {\n";

/// Words that are no name of a module.
const RESERVED: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
    "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
    "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield", "with",
];

/// Writes the driver's file, then its line in `mod.rs`; or neither.
pub fn run(args: &NewArgs) -> Outcome {
    let name = checked(&args.driver)?;
    let drivers = find_drivers()?;
    let (file, list) = (drivers.join(format!("{name}.rs")), drivers.join("mod.rs"));
    let listed = fs::read_to_string(&list).map_err(|e| Failure::io("read", &list, &e))?;
    let registered = register(&listed, name, &list)?;
    if file.exists()
        || file.with_extension("").exists()
        || listed.contains(&format!("    {name},\n"))
    {
        let place = file.with_extension("");
        let place = place.display();
        return Err(Failure::new(format!("there is `{name}` already: {place}")));
    }
    if selvedge_models::trees::by_name(name).is_some() {
        return Err(Failure::new(format!("there is a tree `{name}` already: take another name")));
    }
    output::write_file(&file, &driver(name))?;
    output::write_file(&list, &registered).inspect_err(|_| {
        // Neither: nothing refers to the file.
        let _ = fs::remove_file(&file);
    })?;
    output::print(&format!(
        "wrote {}, and its line in {}\nfill it in, then: cargo run --release -q -- check --tree {name}\n",
        file.display(),
        list.display()
    ))?;
    Ok(Status::AsExpected)
}

/// The name, if it can be that of a module and of a tree.
fn checked(name: &str) -> Result<&str, Failure> {
    let begins_well = name.starts_with(|c: char| c.is_ascii_lowercase());
    let is_plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !begins_well || !is_plain || name.len() > 40 {
        let message = "must be lower-case letters, digits and `_`, begin with a letter, and have at \
                       most 40 characters";
        return Err(Failure::new(format!("the driver's name `{name}` {message}")));
    }
    if RESERVED.contains(&name) {
        return Err(Failure::new(format!("the driver's name `{name}` is a word of Rust")));
    }
    Ok(name)
}

/// `models/src/drivers` of the checkout: here, or in a directory above.
fn find_drivers() -> Result<PathBuf, Failure> {
    let here = std::env::current_dir()
        .map_err(|error| Failure::io("find", Path::new("the current directory"), &error))?;
    let found = here.ancestors().map(|dir| dir.join(DRIVERS)).find(|d| d.join("mod.rs").is_file());
    found.ok_or_else(|| {
        let here = here.display();
        Failure::new(format!("{here} is in no checkout of selvedge: no {DRIVERS}/mod.rs above it"))
    })
}

/// The list of drivers with one more.
fn register(listed: &str, name: &str, list: &Path) -> Result<String, Failure> {
    let Some((before, after)) = listed.split_once(REGISTER) else {
        let list = list.display();
        return Err(Failure::new(format!("{list} has no `drivers! {{` to add a line to")));
    };
    Ok(format!("{before}{REGISTER}    {name},\n{after}"))
}

/// The template under its new name, with what there is to do said first.
fn driver(name: &str) -> String {
    let (_, code) = TEMPLATE.split_once("\n\nuse ").expect("the template's own text");
    let code = code.replace(TEMPLATE_NAME, &format!("name: \"{name}\""));
    format!(
        "//! The driver `{name}`: make each function do what yours does, under your locks. As it is, it \
         keeps one\n//! thing in one page, and every rule (docs/movable-driver.md).\n//!\n\
         //! The page lock is taken by the core around each of the three callbacks.\n\nuse {code}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_a_module() {
        assert!(checked("my_gpu2").is_ok());
        for bad in ["", "My", "2x", "_x", "a-b", "../x", "fn", "a b", "ä", &"x".repeat(41)] {
            assert!(checked(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_template_is_named_once() {
        assert_eq!(TEMPLATE.matches(TEMPLATE_NAME).count(), 1);
        assert_eq!(driver("gpu").matches("name: \"gpu\"").count(), 1);
    }

    #[test]
    fn a_driver_has_one_line() {
        let list = include_str!("../../../models/src/drivers/mod.rs");
        let added = register(list, "gpu", Path::new("mod.rs")).expect("it has a list");
        assert_eq!(added.lines().count(), list.lines().count() + 1);
        assert!(added.contains("drivers! {\n    gpu,\n"));
    }
}
