//! Views of a counterexample for other programs and for other readers than a changelog's. Each
//! spells out control characters and escapes what its format takes for syntax, since names may come
//! from a file of anybody's.

mod changelog;
mod chrome;
mod dot;
mod escape;
mod ftrace;
mod graph;
mod held;
mod html;
mod mermaid;
mod splat;

pub use changelog::{Tags, changelog};
pub use chrome::chrome;
pub use dot::dot;
pub(crate) use escape::quoted;
pub use escape::{escaped, spelled_out, steers};
pub use ftrace::ftrace;
pub use graph::{graph, graph_svg};
pub use html::html;
pub use mermaid::mermaid;
pub use splat::splat;
