//! Tests of traces and their views, in one program: linking takes longer than most.

#[path = "common/json_schema.rs"]
mod json_schema;
mod perfetto;
mod schema;
mod table;
mod views;
