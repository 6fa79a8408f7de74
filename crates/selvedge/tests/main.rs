//! Tests of the command, in one program: linking one for each file takes longer than running most.

mod c;
mod cli;
mod drift;
mod gate;
mod locks;
mod new_driver;
mod new_tree;
mod patch;
mod readers;
mod trace;
