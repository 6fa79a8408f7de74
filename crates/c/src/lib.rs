//! The kernel's own C under the explorer.
//!
//! Whole, unmodified files of a user's kernel tree are compiled by the tree's own kbuild with
//! KCSAN, whose hooks announce every access, with a few headers of ours in front for what only a
//! kernel can do (per-CPU data, `current`, interrupts, BUG). They are linked at a fixed address,
//! mapped into this process, and run on the explorer's coroutines, step by step through the same
//! gate as the Rust models. The scheduler, locks, RCU, work queues and interrupts are
//! `selvedge-kernel`'s.
//!
//! ```text
//! build/    a tree -> objects -> patched objects -> an image
//! audit.rs  is every access of the image announced? image.rs  loaded, and put back before each
//! execution;  source.rs  lines and fields gate.rs   hooks -> steps;  models/  what the image
//! calls;  fault.rs  what it must not do world.rs  numbers and names of words, locks, tasks run.rs
//!   a scenario (scenario.rs, scenarios.rs) under dpor;  check.rs  all of it, before and after a
//! patch
//! ```
//!
//! Only Linux on x86-64: the code is what this machine executes. Elsewhere [`check`] says so.
//!
//! **Invariant:** `unsafe` is allowed only in files that say why at their top.

mod error;
mod initial;
mod on_c_alone;
mod own;
mod request;
mod scenario;
mod scenarios;
mod states;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod native;

pub use error::{Error, Result};
pub use request::{
    Checked, Compared, Difference, FunctionCompared, Ran, Request, ScenarioCompared,
};
pub use scenario::Scenario;
pub use scenarios::of_release;

/// Builds, audits and explores. `say` is told what takes long.
///
/// # Errors
/// If the tree, a patch or this machine keep it from being done.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub fn check(request: &Request, say: &dyn Fn(&str)) -> Result<Checked> {
    native::check(request, say)
}

/// Holds the models beside the C of a tree.
///
/// # Errors
/// If the tree or this machine keep it from being done.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub fn compare(request: &Request, say: &dyn Fn(&str)) -> Result<Compared> {
    native::compare(request, say)
}

/// Says that this machine cannot.
///
/// # Errors
/// Always.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub fn compare(_: &Request, _: &dyn Fn(&str)) -> Result<Compared> {
    Err(Error::new("the kernel's C is run as it is compiled, which takes Linux on x86-64"))
}

/// Says that this machine cannot.
///
/// # Errors
/// Always.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub fn check(_: &Request, _: &dyn Fn(&str)) -> Result<Checked> {
    Err(Error::new("the kernel's C is run as it is compiled, which takes Linux on x86-64"))
}
