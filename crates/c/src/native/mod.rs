//! What executes C: Linux on x86-64 only.

mod audit;
mod build;
mod check;
mod compare;
mod exchange;
mod fault;
mod gate;
mod image;
mod look;
mod models;
mod primitive;
mod run;
mod sharing;
mod source;
#[cfg(test)]
mod tests;
mod world;

pub use check::check;
pub use compare::compare;
