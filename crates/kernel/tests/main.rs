//! Tests of the kernel's primitives, in one program: linking takes longer than most.

mod abilities;
mod common;
mod completion;
mod counters;
mod hotplug;
mod ipis;
mod irqs_off;
mod killable;
mod left_out;
mod local_lock;
mod moves;
mod rcu;
mod rwlock;
mod rwsem;
mod sleeping;
mod spin;
mod trylocks;
mod work;
