//! Tests of the command, in one program: linking takes longer than most.

mod c;
mod cli;
mod devtools;
mod drift;
mod gate;
mod locks;
mod new_driver;
mod new_tree;
mod orders;
mod patch;
mod readers;
mod stateful;
mod trace;
