//! The lock order that the kernel documents, and what is known besides: a tree that breaks it is
//! told so, even if no deadlock follows.

use std::collections::BTreeSet;

use selvedge_models::mm::migrate::Aops;
use selvedge_models::{Kind, Tree, Version};
use selvedge_monitors::lock_graph::{Id, Use};

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

/// The orders. Line numbers are those of 6.12. Most of the outer locks are in no model yet: who
/// writes one under the kernel's name is held to the order.
///
/// They are about what one task takes: who ends an I/O for another may lock what is below (a loop
/// worker, the folios of the backing file). In hugetlbfs `i_mmap_rwsem` has a lock class of its
/// own, and comes before the folio lock; that `huge_pmd_share()` takes it under a folio lock, as
/// the general order has it, is in no model.
pub const ORDERS: &[Order] = &[
    Order {
        classes: &[
            "i_rwsem",
            "mmap_lock",
            "invalidate_lock",
            "PG_locked",
            "i_mmap_rwsem",
            "anon_vma->rwsem",
            "ptl",
            "i_private_lock",
            "i_pages lock",
            "lruvec->lru_lock",
        ],
        source: "mm/rmap.c:21-45, \"Lock ordering in mm\"",
        since: Version::parse("2.6"),
    },
    Order {
        classes: &["hugetlbfs_i_mmap_rwsem_key", "PG_locked"],
        source: "mm/rmap.c:49-53, \"hugetlbfs PageHuge() take locks in this order\"",
        since: Version::parse("5.7"),
    },
    Order {
        classes: &["ptl", "swap_lock", "i_pages lock"],
        source: "mm/filemap.c:79-112, \"Lock ordering\"",
        since: Version::parse("2.6"),
    },
    Order {
        classes: &["ptl", "i_private_lock", "i_pages lock"],
        source: "mm/filemap.c:79-126, \"Lock ordering\"",
        since: Version::parse("2.6"),
    },
    Order {
        classes: &["ptl", "wb->list_lock", "sb_lock"],
        source: "mm/filemap.c:102-122, \"Lock ordering\"",
        since: Version::parse("2.6"),
    },
    Order {
        classes: &["ptl", "wb->list_lock", "i_pages lock"],
        source: "mm/filemap.c:102-122, \"Lock ordering\"",
        since: Version::parse("2.6"),
    },
    Order {
        classes: &["ptl", "inode->i_lock"],
        source: "mm/filemap.c:120, \"Lock ordering\"",
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

/// Who says that the folios of one file are locked in the order of their index, and that those
/// which a task has under writeback, in a bio that it has not submitted, count as held.
pub const BY_INDEX: &str = "include/linux/pagemap.h:1148-1152, folio_lock(), and \
                            mm/page-writeback.c:2592-2600, writeback_iter(): ascending index";

/// When the second of [`BY_INDEX`] came to be written (64081362e8ff); `folio_lock()` says so since
/// 5.16.
const BY_INDEX_SINCE: Version = Version::parse("4.20");

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
            let of_classes = order_broken(tree, class(from), class(to)).map(|order| order.source);
            let of_folios = || is_against_index(tree, one, from, to).then_some(BY_INDEX);
            let Some(source) = of_classes.or_else(of_folios) else { continue };
            // What a scenario locks by itself, in no function of the tree, is not the tree's.
            let is_the_tree_s = |used: &&Use| of_classes.is_some() || used.waits_in.len() > 1;
            let waits = uses.iter().filter(|used| used.took && !used.tries);
            for used in waits.filter(is_the_tree_s) {
                let step = Step::new(&one.graph, (from, to), used);
                let key = (class(from).into(), class(to).into(), step.waits_in.clone());
                if known.insert(key) {
                    found.push(Broken { step, scenario: one.name, source });
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

/// Is a folio of the one file waited for while one that comes after it is locked, or under
/// writeback in a bio of the task?
///
/// Anonymous folios are of no file, and targets of a migration are in none yet. Folios with other
/// `a_ops` are of another file: of a block device, for one.
fn is_against_index(tree: &'static Tree, one: &Explored, held: Id, waited_for: Id) -> bool {
    let machine = &one.scenario.machine;
    let folio = |id: Id, bits: &[&str]| {
        let resource = one.graph.resources.get(&id)?;
        let is_such = bits.contains(&resource.class.as_str());
        let number: usize = resource.name.rsplit_once("folio")?.1.parse().ok()?;
        (is_such && number < machine.sizes.folios).then_some(number)
    };
    let aops = |folio: usize| machine.initial.aops.get(folio).unwrap_or(&Aops::Plain);
    let is_said = release(tree).is_none_or(|release| BY_INDEX_SINCE.is_in(release));
    match (folio(held, &["PG_locked", "PG_writeback"]), folio(waited_for, &["PG_locked"])) {
        (Some(held), Some(waited_for)) => {
            let is_one_file = !machine.initial.anon && aops(held) == aops(waited_for);
            is_said && is_one_file && waited_for < held
        }
        _ => false,
    }
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
    use selvedge_kernel::{enter, join, spin_lock, spin_unlock};
    use selvedge_models::mm::filemap::{folio_lock, folio_unlock};
    use selvedge_models::mm::hugetlb::{Hole, hugetlbfs_punch_hole, migrate_hugetlbs};
    use selvedge_models::mm::migrate::{ISOLATION, Migrator};
    use selvedge_models::mm::page_writeback::{folio_end_writeback, folio_start_writeback};
    use selvedge_models::mm::swap::folio_get;
    use selvedge_models::trees::{V5_16, V6_12_117, V6_18};
    use selvedge_models::{Kernel, Machine};

    use super::*;
    use crate::Scenario;
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

    /// b7880cb166ab is what puts them right.
    #[test]
    fn hugetlbfs_has_an_order_of_its_own() {
        let breaks = |tree: &'static Tree, task: fn(&Kernel)| {
            let program = move || {
                let machine = Machine::TINY.mapped().hugetlb().sleepers(1).passes(1);
                let kernel = Kernel::new(tree, machine);
                folio_get(&kernel.folios[0], ISOLATION);
                join(kernel.task(0, "task", task));
            };
            let explored = [explore_body(Arc::new(program), &Bounds::PROOF)];
            let found = broken(tree, &explored).into_iter();
            found.map(|broken| broken.step.waits_in).collect::<Vec<_>>()
        };
        let hole: fn(&Kernel) = |k| {
            hugetlbfs_punch_hole(k, Hole::Part(0));
        };
        let migration: fn(&Kernel) = |k| {
            migrate_hugetlbs(k, &k.folios[0], Migrator::SYNC);
        };
        for tree in [&V6_12_117, &V6_18] {
            assert_eq!(breaks(tree, hole), [""; 0]);
        }
        assert_eq!(breaks(&V6_12_117, migration), [""; 0]);
        let [waits_in] = breaks(&V6_18, migration).try_into().expect("one place");
        assert!(waits_in.contains("i_mmap_lock_read"), "{waits_in}");
    }

    static TWO_FOLIOS: Scenario =
        Scenario { machine: Machine::TINY.folios(2).sleepers(1).writeback(), ..Scenario::EMPTY };

    /// What one task, alone, breaks of the order of folios in a file.
    fn breaks_by_index(scenario: &'static Scenario, task: fn(&Kernel)) -> Vec<(String, String)> {
        let program = move || {
            let kernel = Kernel::new(&V6_12_117, scenario.machine);
            join(kernel.task(0, "task", task));
        };
        let explored = [Explored { scenario, ..explore_body(Arc::new(program), &Bounds::PROOF) }];
        let found = broken(&V6_12_117, &explored).into_iter();
        found
            .inspect(|broken| assert_eq!(broken.source, BY_INDEX))
            .map(|broken| (broken.step.from, broken.step.to))
            .collect()
    }

    #[test]
    fn folios_of_a_file_are_locked_by_ascending_index() {
        fn both(k: &Kernel, [first, second]: [usize; 2]) {
            let _in = enter("lock_both");
            folio_lock(k, &k.folios[first]);
            folio_lock(k, &k.folios[second]);
            folio_unlock(k, &k.folios[second]);
            folio_unlock(k, &k.folios[first]);
        }
        let descending: fn(&Kernel) = |k| both(k, [1, 0]);
        let told = [("PG_locked of folio1".into(), "PG_locked of folio0".into())];
        assert_eq!(breaks_by_index(&TWO_FOLIOS, descending), told);
        assert_eq!(breaks_by_index(&TWO_FOLIOS, |k| both(k, [0, 1])), []);
        // Of no file, and of two.
        static ANON: Scenario =
            Scenario { machine: TWO_FOLIOS.machine.mapped().anon(), ..Scenario::EMPTY };
        static TWO_FILES: Scenario = Scenario {
            machine: TWO_FOLIOS.machine.aops(&[Aops::BuffersNorefs]),
            ..Scenario::EMPTY
        };
        assert_eq!(breaks_by_index(&ANON, descending), []);
        assert_eq!(breaks_by_index(&TWO_FILES, descending), []);
        // A scenario that asks what comes of two orders is no tree that breaks one.
        let by_itself: fn(&Kernel) = |k| {
            folio_lock(k, &k.folios[1]);
            folio_lock(k, &k.folios[0]);
            folio_unlock(k, &k.folios[0]);
            folio_unlock(k, &k.folios[1]);
        };
        assert_eq!(breaks_by_index(&TWO_FOLIOS, by_itself), []);
    }

    /// A walk that wraps round: what it has added to its bio is under writeback until it ends.
    #[test]
    fn a_folio_in_a_bio_that_is_not_submitted_counts_as_held() {
        let wraps_round: fn(&Kernel) = |k| {
            let _in = enter("writeback_iter");
            folio_lock(k, &k.folios[1]);
            folio_start_writeback(k, &k.folios[1]);
            folio_unlock(k, &k.folios[1]);
            folio_lock(k, &k.folios[0]);
            folio_unlock(k, &k.folios[0]);
            folio_end_writeback(k, &k.folios[1]);
        };
        let told = [("PG_writeback of folio1".into(), "PG_locked of folio0".into())];
        assert_eq!(breaks_by_index(&TWO_FOLIOS, wraps_round), told);
        // Submitted first: the end of the I/O is another's.
        let submits: fn(&Kernel) = |k| {
            let _in = enter("writeback_iter");
            folio_lock(k, &k.folios[1]);
            folio_start_writeback(k, &k.folios[1]);
            folio_unlock(k, &k.folios[1]);
            let ends = k.task(1, "end of I/O", |k| folio_end_writeback(k, &k.folios[1]));
            folio_lock(k, &k.folios[0]);
            folio_unlock(k, &k.folios[0]);
            join(ends);
        };
        assert_eq!(breaks_by_index(&TWO_FOLIOS, submits), []);
    }

    #[test]
    fn an_order_binds_from_the_release_that_documents_it() {
        let is_bound = |tree| order_broken(tree, "zspage->lock", "class->lock").is_some();
        assert_eq!((is_bound(&V6_12_117), is_bound(&V5_16)), (true, false));
    }
}
