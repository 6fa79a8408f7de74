//! From a kernel tree to an image: configured and compiled out of the tree by its own kbuild, with
//! our headers in front, patched in copies, linked with what Selvedge models.
//!
//! ```text
//! tree.rs -> kbuild.rs -> overlay.rs -> objects.rs -> link.rs
//! a tree     objects      patched       what calls    an image
//!                         objects       what
//! ```
//!
//! **Invariant:** nothing is ever written to the user's tree. All that is made lies in one
//! directory of the cache, which may be deleted at any time.

pub mod apply;
pub mod cache;
pub mod kbuild;
pub mod link;
pub mod objects;
pub mod overlay;
pub mod tree;
