//! Tests of traces and their views, in one program: linking one for each file takes longer than running most.

#[path = "common/json_schema.rs"]
mod json_schema;
mod schema;
mod table;
mod views;
