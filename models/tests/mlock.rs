//! A mutant differs from its base in one place.

use std::sync::Arc;

use selvedge_explore::{Bounds, Engine, Verdict, explore};
use selvedge_kernel::{join, kernel_assert};
use selvedge_models::mm::mlock::mlock_folio;
use selvedge_models::mm::swap::lru_add_drain_all;
use selvedge_models::{Kernel, Machine, Tree, trees};

/// In every tree that has an mlock batch, whatever is wrong with mm/mlock.c: the look at other
/// CPUs' batches sees that of mlock. (One mutant of mm/swap.c does without work items.)
#[test]
fn lru_add_drain_all_drains_the_mlock_batch_of_another_cpu() {
    let drains = |tree: &&&Tree| tree.mlock.has_batch() && tree.name != trees::DRAINS_REMOTELY.name;
    let with_batch: Vec<_> = trees::ALL.iter().filter(drains).collect();
    let is_of_mlock = |tree: &&&&Tree| tree.name.contains("-mlock-");
    assert_eq!(with_batch.iter().filter(is_of_mlock).count(), 5);
    for tree in with_batch {
        let body = move || {
            let machine = Machine::TINY.listed().mlock();
            let kernel = Kernel::new(tree, machine);
            join(kernel.task(0, "user", |k| mlock_folio(k, &k.folios[0])));
            join(kernel.task(1, "drainer", lru_add_drain_all));
            let left = kernel.mlock_fbatch.of(0).entries();
            kernel_assert(left.is_empty(), "the mlock batch is not empty");
        };
        let seen = explore(Engine::Dpor, &Bounds::PROOF, Vec::new(), Arc::new(body));
        assert_eq!(seen.verdict, Verdict::Holds, "{}: {:?}", tree.name, seen.counterexample);
    }
}
