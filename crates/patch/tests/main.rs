//! Tests of the reader of patches, in one program: linking one for each file takes longer than running most.

mod any_text;
mod mails;
mod threads;
