//! `selvedge new`: files of yours to begin with, registered in the checkout that the command is run
//! in.

mod checkout;
mod copy;
mod driver;
mod reach;
mod source;
mod tree;

use crate::Outcome;
use crate::args::NewArgs;

/// Writes what is asked for.
pub fn run(args: &NewArgs) -> Outcome {
    match (&args.driver, &args.name, &args.base) {
        (None, Some(name), Some(base)) => tree::run(name, base, args),
        // The command line has one of the two.
        (driver, ..) => driver::run(driver.as_deref().unwrap_or_default()),
    }
}
