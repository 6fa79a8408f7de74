//! Drivers: the kernel's, each in a directory named after the kernel's, and here beside them
//! drivers of movable pages that are in no kernel: yours. `selvedge new --driver NAME` writes a
//! file here and adds its line below; `selvedge check --tree NAME` runs every rule against it.

use crate::mm::movable::{Driver, Movable};
use crate::{Tree, trees};

pub mod block {
    //! drivers/block/
    pub mod r#loop;
}

/// Declares the module of each driver, and collects what they define.
macro_rules! drivers {
    ($($name:ident,)+) => {
        $(pub mod $name;)+

        /// How many there are.
        pub const COUNT: usize = [$(stringify!($name)),+].len();

        /// A tree for each driver: Linux 6.12.117 with it, under its name.
        pub static TREES: [Tree; COUNT] = [$(with(&$name::DRIVER)),+];
    };
}

drivers! {
    minimal,
}

/// The source of the driver that does it right: what a new one begins as.
pub const MINIMAL: &str = include_str!("minimal.rs");

/// The drivers of the repository.
const OURS: &[&str] = &["minimal"];

/// Is it the tree of a driver of yours?
pub(crate) fn is_yours(tree: &Tree) -> bool {
    TREES.iter().any(|known| known.name == tree.name) && !OURS.contains(&tree.name)
}

const fn with(driver: &'static Driver) -> Tree {
    Tree {
        name: driver.name,
        about: "Linux 6.12.117 with this driver of movable pages (models/src/drivers)",
        movable: Movable { module: driver, ..trees::V6_12_117.movable },
        ..trees::V6_12_117.patched(&[])
    }
}
