//! Tests of the kernel's primitives, in one program: linking one for each file takes longer than running most.

mod abilities;
mod common;
mod completion;
mod counters;
mod irqs_off;
mod left_out;
mod rcu;
mod rwsem;
mod sleeping;
mod spin;
mod trylocks;
mod work;
