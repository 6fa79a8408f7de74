//! The lock order that the kernel documents, and what is known besides: a tree that breaks it is
//! told so, even if no deadlock follows.

use std::collections::BTreeSet;

use selvedge_models::{Kind, Tree, Version};

use super::{Explored, Step};

/// Locks in the order in which they are taken, the outermost first. A task that holds one waits for
/// none before it.
#[derive(Debug)]
pub struct Order {
    /// The classes, as the graph names them.
    pub classes: &'static [&'static str],
    /// Where it is written, or the argument.
    pub source: &'static str,
    /// The release since which the source says so.
    since: Version,
}

/// The orders, as far as the models have the locks. They are about what one task takes: who ends an
/// I/O for another may lock what is below (a loop worker, the folios of the backing file).
pub const ORDERS: &[Order] = &[
    Order {
        classes: &["PG_locked", "ptl", "i_private_lock", "i_pages lock", "lruvec->lru_lock"],
        source: "mm/rmap.c:20-46, \"Lock ordering in mm\"",
        since: Version::parse("2.6"),
    },
    Order {
        classes: &["ptl", "i_private_lock", "i_pages lock"],
        source: "mm/filemap.c:78-124, \"Lock ordering\"",
        since: Version::parse("2.6"),
    },
    Order {
        classes: &["PG_locked", "pool->lock", "class->lock", "zspage->lock"],
        source: "mm/zsmalloc.c:35-39, \"lock ordering\" (pool->migrate_lock)",
        since: Version::parse("5.17"),
    },
    Order {
        classes: &["PG_locked", "BH_Lock", "i_private_lock", "i_pages lock"],
        source: "not documented: fs/buffer.c __block_write_full_folio(), mm/migrate.c \
                 __buffer_migrate_folio()",
        since: Version::parse("2.6"),
    },
    Order {
        classes: &["ptl", "q->lock"],
        source: "not documented: mm/filemap.c migration_entry_wait_on_locked()",
        since: Version::parse("5.16"),
    },
    Order {
        classes: &["PG_locked", "q->lock"],
        source: "not documented: mm/filemap.c, the queue's lock is the innermost",
        since: Version::parse("2.6"),
    },
];

/// An order that a tree breaks.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Broken {
    /// What is held, and what is waited for, though it comes before.
    pub step: Step,
    /// The scenario that shows it.
    pub scenario: &'static str,
    /// Who says in which order they are taken.
    pub source: &'static str,
}

/// What the tree breaks of the orders: each pair of classes by each function once.
pub fn broken(tree: &'static Tree, explored: &[Explored]) -> Vec<Broken> {
    let mut found: Vec<Broken> = Vec::new();
    let mut known: BTreeSet<(String, String, String)> = BTreeSet::new();
    for one in explored {
        for (&(from, to), uses) in &one.graph.edges {
            let class = |id| one.graph.resources.get(&id).map_or("", |r| r.class.as_str());
            let Some(order) = order_broken(tree, class(from), class(to)) else { continue };
            for used in uses.iter().filter(|used| used.took && !used.tries) {
                let step = Step::new(&one.graph, (from, to), used);
                let key = (class(from).into(), class(to).into(), step.waits_in.clone());
                if known.insert(key) {
                    found.push(Broken { step, scenario: one.name, source: order.source });
                }
            }
        }
    }
    found
}

fn order_broken(tree: &'static Tree, held: &str, waited_for: &str) -> Option<&'static Order> {
    let place = |order: &Order, class: &str| order.classes.iter().position(|c| *c == class);
    let is_said = |order: &&Order| release(tree).is_none_or(|release| order.since.is_in(release));
    ORDERS.iter().filter(is_said).find(|order| {
        match (place(order, held), place(order, waited_for)) {
            (Some(held), Some(waited_for)) => waited_for < held,
            _ => false,
        }
    })
}

/// The release that the tree is, or is on top of.
fn release(tree: &'static Tree) -> Option<Version> {
    let chain = std::iter::once(tree).chain(tree.bases());
    let release = chain.into_iter().find(|tree| tree.kind == Kind::Release)?;
    Some(Version::parse(release.name))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use selvedge_explore::Bounds;
    use selvedge_kernel::{join, spin_lock, spin_unlock};
    use selvedge_models::mm::filemap::{folio_lock, folio_unlock};
    use selvedge_models::trees::{V5_16, V6_12_117};
    use selvedge_models::{Kernel, Machine};

    use super::*;
    use crate::lock_order::explore_body;

    /// What one task, alone, breaks of the documented order: no deadlock follows from it.
    fn breaks(tree: &'static Tree, task: fn(&Kernel)) -> Vec<(String, String)> {
        let program = move || {
            let kernel = Kernel::new(tree, Machine::TINY.sleepers(1));
            join(kernel.task(0, "task", task));
        };
        let explored = [explore_body(Arc::new(program), &Bounds::PROOF)];
        assert_eq!(explored[0].cycles, []);
        let found = broken(tree, &explored).into_iter();
        found.map(|broken| (broken.step.from, broken.step.to)).collect()
    }

    #[test]
    fn an_order_that_is_broken_is_told_though_no_deadlock_follows() {
        let inverted = |k: &Kernel| {
            spin_lock(&k.cpus, &k.lru_lock);
            spin_lock(&k.cpus, &k.i_pages_lock);
            spin_unlock(&k.cpus, &k.i_pages_lock);
            spin_unlock(&k.cpus, &k.lru_lock);
        };
        let told = [("lruvec->lru_lock".into(), "i_pages lock".into())];
        assert_eq!(breaks(&V6_12_117, inverted), told);
        let documented = |k: &Kernel| {
            folio_lock(k, &k.folios[0]);
            spin_lock(&k.cpus, &k.ptl);
            spin_lock(&k.cpus, &k.i_pages_lock);
            spin_lock(&k.cpus, &k.lru_lock);
            spin_unlock(&k.cpus, &k.lru_lock);
            spin_unlock(&k.cpus, &k.i_pages_lock);
            spin_unlock(&k.cpus, &k.ptl);
            folio_unlock(k, &k.folios[0]);
        };
        assert_eq!(breaks(&V6_12_117, documented), []);
    }

    #[test]
    fn an_order_binds_from_the_release_that_documents_it() {
        let is_bound = |tree| order_broken(tree, "zspage->lock", "class->lock").is_some();
        assert_eq!((is_bound(&V6_12_117), is_bound(&V5_16)), (true, false));
    }
}
