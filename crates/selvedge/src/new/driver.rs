//! `selvedge new --driver NAME`: a driver of movable pages to fill in, registered in the checkout
//! that the command is run in.

use selvedge_models::drivers::MINIMAL as TEMPLATE;

use super::checkout::{Checkout, module_name, register};
use crate::error::Failure;
use crate::{Outcome, Status, output};

/// The name of the template, where it is a driver's name.
const TEMPLATE_NAME: &str = "name: \"minimal\"";
/// Where drivers are, from the root of a checkout.
const DRIVERS: &str = "models/src/drivers";
/// The list of them in `mod.rs`.
const REGISTER: &str = "drivers! {";

/// Writes the driver's file, then its line in `mod.rs`; or neither.
pub fn run(name: &str) -> Outcome {
    let mut checkout = Checkout::find()?;
    let name = &module_name(name, "driver")?;
    let (file, list) = (format!("{DRIVERS}/{name}.rs"), format!("{DRIVERS}/mod.rs"));
    let listed = checkout.read(&list)?;
    let is_listed = listed.contains(&format!("    {name},\n"));
    let taken = [file.clone(), format!("{DRIVERS}/{name}")].into_iter().find(|it| checkout.has(it));
    if let Some(place) = taken.or_else(|| is_listed.then(|| list.clone())) {
        let place = checkout.path(&place);
        return Err(Failure::new(format!("there is `{name}` already: {}", place.display())));
    }
    if selvedge_models::trees::by_name(name).is_some() {
        return Err(Failure::new(format!("there is a tree `{name}` already: take another name")));
    }
    let registered = register(&listed, REGISTER, &format!("{name},"), &list)?;
    checkout.set(&list, registered);
    checkout.set(&file, driver(name));
    checkout.write()?;
    output::print(&format!(
        "wrote {}, and its line in {}\nfill it in, then: cargo run --release -q -- check --tree \
            {name}\n",
        checkout.path(&file).display(),
        checkout.path(&list).display()
    ))?;
    Ok(Status::AsExpected)
}

/// The template under its new name, with what there is to do said first.
fn driver(name: &str) -> String {
    let (_, code) = TEMPLATE.split_once("\n\nuse ").expect("the template's own text");
    let code = code.replace(TEMPLATE_NAME, &format!("name: \"{name}\""));
    format!(
        "//! The driver `{name}`.\n//!\n\
         //! Make each function do what yours does, under your locks. As it is, it keeps one thing \
         in one\n//! page, and every rule (docs/movable-driver.md). The page lock is taken by the \
         core around each\n//! of the three callbacks.\n\nuse {code}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_named_once() {
        assert_eq!(TEMPLATE.matches(TEMPLATE_NAME).count(), 1);
        assert_eq!(driver("gpu").matches("name: \"gpu\"").count(), 1);
        let longest = "a".repeat(40);
        assert!(driver(&longest).lines().all(|line| line.chars().count() <= 100));
    }

    #[test]
    fn a_driver_has_one_line() {
        let list = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/src/drivers/mod.rs");
        let list = std::fs::read_to_string(list).expect("text");
        let added = register(&list, REGISTER, "gpu,", "mod.rs").expect("it has a list");
        assert_eq!(added.lines().count(), list.lines().count() + 1);
        assert!(added.contains("drivers! {\n    gpu,\n"));
    }
}
