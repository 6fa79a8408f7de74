//! What a tree is: the functions, and the named decisions inside long ones, in which releases and
//! patches differ.

use crate::Kernel;
use crate::fs::buffer::Buffer;
use crate::mm::compaction::Compaction;
use crate::mm::filemap::Filemap;
use crate::mm::gup::Gup;
use crate::mm::memory_hotplug::MemoryHotplug;
use crate::mm::migrate::Migrate;
use crate::mm::mlock::Mlock;
use crate::mm::swap::Swap;
use crate::mm::vmscan::Vmscan;

/// What a tree stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A release.
    Release,
    /// A patch as somebody posted it, on top of a release.
    Patch,
    /// A deliberate fault of ours, to see that some claim notices.
    Mutant,
}

/// A state of the modelled kernel. A patch is written as "this other tree, but these functions".
#[derive(Clone, Copy, Debug)]
pub struct Tree {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it stands for.
    pub kind: Kind,
    /// The tree that it was derived from; a release names itself.
    pub base: &'static str,
    /// What it is, in a line: title, author, date, commit.
    pub about: &'static str,
    /// What the counter of pending migrations is called in it.
    pub pending_name: &'static str,
    /// fs/buffer.c
    pub buffer: Buffer,
    /// mm/filemap.c
    pub filemap: Filemap,
    /// mm/swap.c
    pub swap: Swap,
    /// mm/mlock.c
    pub mlock: Mlock,
    /// mm/vmscan.c
    pub vmscan: Vmscan,
    /// mm/gup.c
    pub gup: Gup,
    /// mm/migrate.c
    pub migrate: Migrate,
    /// mm/compaction.c
    pub compaction: Compaction,
    /// `CONFIG_PREEMPT_RT`: spinlocks and local locks sleep, interrupts run in threads.
    pub preempt_rt: bool,
    /// mm/memory_hotplug.c
    pub memory_hotplug: MemoryHotplug,
}

/// A function or a named decision that trees may differ in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    /// The kernel's file: `mm/swap.c`.
    pub file: &'static str,
    /// The function, or what is decided: `lru_cache_disable`, `lru_claim`.
    pub name: String,
    /// Which function, or which way: `AtDrain`.
    pub value: String,
}

impl Tree {
    /// Everything in which it may differ from another tree, in a fixed order.
    pub fn decisions(&self) -> Vec<Decision> {
        let one =
            |file, name: &str, value: String| vec![Decision { file, name: name.into(), value }];
        [
            fields("fs/buffer.c", &format!("{:?}", self.buffer)),
            fields("mm/swap.c", &format!("{:?}", self.swap)),
            functions(&self.swap),
            one("mm/mlock.c", "mlock", format!("{:?}", self.mlock)),
            fields("mm/vmscan.c", &format!("{:?}", self.vmscan)),
            fields("mm/gup.c", &format!("{:?}", self.gup)),
            fields("mm/migrate.c", &format!("{:?}", self.migrate)),
            fields("mm/compaction.c", &format!("{:?}", self.compaction)),
            fields("mm/filemap.c", &format!("{:?}", self.filemap)),
            fields("mm/memory_hotplug.c", &format!("{:?}", self.memory_hotplug)),
            one("Kconfig", "PREEMPT_RT", self.preempt_rt.to_string()),
        ]
        .concat()
    }
}

type KernelFn = fn(&Kernel);

/// The functions of mm/swap.c: a pointer's `Debug` is an address.
fn functions(swap: &Swap) -> Vec<Decision> {
    let disable = [
        (crate::mm::migrate::migrate_prep as KernelFn, "migrate_prep() of 5.11"),
        (crate::mm::migrate::migrate_prep_rfc, "migrate_prep() of 2021-02-11"),
        (crate::mm::migrate::migrate_prep_bool, "migrate_prep() with a bool"),
        (crate::mm::migrate::migrate_prep_2021_02_16, "migrate_prep() of 2021-02-16"),
        (crate::mm::swap::lru_cache_disable_by_work, "work on every CPU"),
        (crate::mm::swap::lru_cache_disable_by_rcu, "synchronize_rcu()"),
        (crate::mm::swap::lru_cache_disable_by_rcu_expedited, "synchronize_rcu_expedited()"),
        (crate::mm::swap::lru_cache_disable_without_rcu, "nothing orders the counter"),
    ];
    let enable = [
        (crate::mm::migrate::no_migrate_finish as KernelFn, "none"),
        (crate::mm::migrate::migrate_finish_rfc, "migrate_finish() of 2021-02-11"),
        (crate::mm::migrate::migrate_finish_bool, "migrate_finish() with a bool"),
        (crate::mm::migrate::migrate_finish_2021_02_16, "migrate_finish() of 2021-02-16"),
        (crate::mm::swap::lru_cache_enable, "atomic_dec()"),
    ];
    let disabled = [
        (crate::mm::migrate::never_pending as fn(&Kernel) -> bool, "never"),
        (crate::mm::migrate::migrate_pending_rfc, "migrate_pending()"),
        (crate::mm::migrate::migrate_pending_plain, "a plain variable"),
        (crate::mm::swap::lru_cache_disabled, "atomic_read()"),
    ];
    let name_of = |function: KernelFn, all: &[(KernelFn, &'static str)]| {
        let known = all.iter().find(|(known, _)| std::ptr::fn_addr_eq(*known, function));
        known.map_or("another function", |(_, name)| name).to_string()
    };
    let is_disabled = disabled
        .iter()
        .find(|(known, _)| std::ptr::fn_addr_eq(*known, swap.lru_cache_disabled))
        .map_or("another function", |(_, name)| name);
    let one = |name: &str, value: String| Decision { file: "mm/swap.c", name: name.into(), value };
    vec![
        one("lru_cache_disable()", name_of(swap.lru_cache_disable, &disable)),
        one("lru_cache_enable()", name_of(swap.lru_cache_enable, &enable)),
        one("lru_cache_disabled()", is_disabled.into()),
    ]
}

/// The fields of a struct from its `Debug` text, function pointers left out: what is at the top
/// level between the braces.
fn fields(file: &'static str, debug: &str) -> Vec<Decision> {
    let Some((_, inner)) = debug.split_once(" { ") else { return Vec::new() };
    let inner = inner.strip_suffix(" }").unwrap_or(inner);
    let (mut depth, mut start, mut parts) = (0_i32, 0, Vec::new());
    for (at, c) in inner.char_indices() {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    let decision = |part: &str| {
        let (name, value) = part.trim().split_once(": ")?;
        let is_address = value.starts_with("0x");
        (!is_address).then(|| Decision { file, name: name.into(), value: value.into() })
    };
    parts.into_iter().filter_map(decision).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trees;

    #[test]
    fn a_patch_differs_in_what_it_changes_and_in_nothing_else() {
        let (base, patch) = (trees::V6_10.decisions(), trees::SEED_002_V4.decisions());
        let changed: Vec<_> =
            base.iter().zip(&patch).filter(|(a, b)| a != b).map(|(_, b)| b.clone()).collect();
        let lru_claim =
            Decision { file: "mm/swap.c", name: "lru_claim".into(), value: "AtAdd".into() };
        assert_eq!(changed, [lru_claim]);
    }

    #[test]
    fn every_function_of_every_tree_has_a_name() {
        for tree in trees::ALL {
            assert!(
                tree.decisions().iter().all(|d| d.value != "another function"),
                "{}",
                tree.name
            );
        }
    }

    #[test]
    fn no_two_releases_or_patches_are_the_same_but_by_intent() {
        // seed-002-v4 was merged in 6.11, which also moved the copy. L2 and M0, M5 to M7 are what
        // the fact sheets call a part of a release. Two mutants are the sysctl set to 0.
        let twins = [
            ("v6.11", "M6"),
            ("v6.12.117", "M6s"),
            ("v6.17", "M7"),
            ("v6.1", "L2"),
            ("v6.1", "M0"),
            ("M0", "L2"),
            ("v6.10", "M5"),
            ("L2-unfairness-0", "v6.1-unfairness-0"),
        ];
        for (at, a) in trees::ALL.iter().enumerate() {
            for b in &trees::ALL[at + 1..] {
                if a.decisions() == b.decisions() {
                    assert!(twins.contains(&(a.name, b.name)), "{} and {}", a.name, b.name);
                }
            }
        }
    }
}
