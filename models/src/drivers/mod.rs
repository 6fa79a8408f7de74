//! drivers/

pub mod r#loop;
