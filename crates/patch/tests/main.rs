//! Tests of the reader of patches, in one program: linking takes longer than most.

mod any_text;
mod mails;
mod threads;
