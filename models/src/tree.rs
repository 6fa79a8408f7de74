//! What a tree is: the kernel's functions, and the named decisions inside long ones, as a release
//! or a patch has them.

use selvedge_kernel::edits::Edit;

use crate::commits::COMMITS;
use crate::fs::buffer::{Buffer, BufferChange};
use crate::fs::fuse::{Fuse, FuseChange};
use crate::fs::iomap::{Iomap, IomapChange};
use crate::mm::filemap::{Filemap, FilemapChange};
use crate::mm::gup::{Gup, GupChange};
use crate::mm::memory::{Memory, MemoryChange};
use crate::mm::memory_hotplug::{MemoryHotplug, MemoryHotplugChange};
use crate::mm::migrate::{Migrate, MigrateChange};
use crate::mm::mlock::Mlock;
use crate::mm::movable::{Movable, MovableChange};
use crate::mm::page_writeback::{PageWriteback, PageWritebackChange};
use crate::mm::rmap::{Rmap, RmapChange};
use crate::mm::swap::{Swap, SwapChange};
use crate::mm::vmscan::{Vmscan, VmscanChange};
use crate::replaced::{Replaced, ReplacedChange};
use crate::{Commit, Decision, Version, trees};

/// What a tree stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A release: the commits that it has.
    Release,
    /// A release as it can be configured: a `CONFIG_` or a sysctl.
    Setting,
    /// A patch as somebody posted it, or one of ours, on top of a release.
    Patch,
    /// A deliberate mistake of ours, to see that some claim notices.
    Mutant,
}

impl Kind {
    /// Its name in lists.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Release => "release",
            Kind::Setting => "setting",
            Kind::Patch => "patch",
            Kind::Mutant => "mutant",
        }
    }
}

kernel_files! {
    /// A state of the modelled kernel. A release is folded from [`crate::commits`]; another tree is
    /// written as "this release, but that", by [`Tree::patched`] or [`Tree::with`].
    pub struct Tree {
        /// Its name on the command line.
        pub name: &'static str,
        /// Other names that it is known by: former ones, and those of parts of a history.
        pub aliases: &'static [&'static str],
        /// What it stands for.
        pub kind: Kind,
        /// The tree that it was derived from; a release names itself.
        pub base: &'static str,
        /// What it is, in a line: title, author, date, commit.
        pub about: &'static str,
        /// The commits that it has on top of its base. None of a release.
        pub patches: &'static [&'static Commit],
        /// What becomes of steps that its functions take. Only a mutant has any.
        pub edits: &'static [Edit],
    }
    files {
        /// fs/buffer.c
        buffer: Buffer, set by BufferChange;
        /// fs/fuse/file.c
        fuse: Fuse, set by FuseChange;
        /// fs/iomap/buffered-io.c
        iomap: Iomap, set by IomapChange;
        /// mm/swap.c
        swap: Swap, set by SwapChange;
        /// mm/vmscan.c
        vmscan: Vmscan, set by VmscanChange;
        /// mm/gup.c
        gup: Gup, set by GupChange;
        /// mm/migrate.c
        migrate: Migrate, set by MigrateChange;
        /// mm/memory.c
        memory: Memory, set by MemoryChange;
        /// mm/rmap.c
        rmap: Rmap, set by RmapChange;
        /// mm/filemap.c
        filemap: Filemap, set by FilemapChange;
        /// mm/page-writeback.c
        page_writeback: PageWriteback, set by PageWritebackChange;
        /// mm/memory_hotplug.c
        memory_hotplug: MemoryHotplug, set by MemoryHotplugChange;
        /// Pages that drivers have made movable.
        movable: Movable, set by MovableChange;
        /// What is called in place of functions that all other trees share.
        replaced: Replaced, set by ReplacedChange;
    }
    alone {
        /// mm/mlock.c
        mlock: Mlock, in "mm/mlock.c";
        /// What the counter of pending migrations is called.
        pending_name: &'static str, in "mm/swap.c";
        /// `CONFIG_PREEMPT_RT`: spinlocks and local locks sleep, interrupts run in threads.
        preempt_rt: bool, in "Kconfig";
    }
}

impl Tree {
    /// This tree with these commits on top: a patch, which wants a name.
    ///
    /// ```
    /// use selvedge_models::mm::swap::LruClaim;
    /// use selvedge_models::{Commit, Tree, set, trees::V6_17};
    ///
    /// static CLAIMS_AT_ADD: Commit = Commit::posted(
    ///     "[PATCH] mm: clear PG_lru for a batch (me, 2026-01-01)",
    ///     &[set!(swap.lru_claim = LruClaim::AtAdd)],
    /// );
    /// pub static MINE: Tree = Tree {
    ///     name: "claims-at-add",
    ///     about: CLAIMS_AT_ADD.title,
    ///     ..V6_17.patched(&[&CLAIMS_AT_ADD])
    /// };
    /// assert_eq!(MINE.base, "v6.17");
    /// ```
    pub const fn patched(&self, patches: &'static [&'static Commit]) -> Tree {
        let mut tree = self.derived(Kind::Patch);
        tree.patches = patches;
        let mut at = 0;
        while at < patches.len() {
            tree = tree.with(patches[at].sets);
            at += 1;
        }
        tree
    }

    /// This tree as it can be configured. It wants a name.
    pub const fn configured(&self, settings: &[Change]) -> Tree {
        self.derived(Kind::Setting).with(settings)
    }

    /// The base of a mutant, which says its name and its mistake: steps that are edited
    /// ([`Tree::edited`]), or a function of ours,
    /// `Tree { name, about, swap: Swap { lru_add: func!(adds_nothing), ..V6_1.swap },
    /// ..V6_1.mutant() }`.
    pub const fn mutant(&self) -> Tree {
        self.derived(Kind::Mutant)
    }

    /// Everything in which it may differ from another tree, in a fixed order: decisions and
    /// functions by kernel file, and the edits as one more.
    pub fn decisions(&self) -> Vec<Decision> {
        let mut all = self.decisions_of_files();
        let edits: Vec<_> = self.edits.iter().map(Edit::to_string).collect();
        let value = if edits.is_empty() { "none".into() } else { edits.join("; ") };
        all.push(Decision { file: "steps", name: "edits", value });
        all
    }

    /// A mutant of this tree: these steps are edited.
    pub const fn edited(
        &self,
        name: &'static str,
        about: &'static str,
        edits: &'static [Edit],
    ) -> Tree {
        Tree { name, about, edits, ..self.mutant() }
    }

    /// A tree based on this one, the same in all but name and kind.
    const fn derived(&self, kind: Kind) -> Tree {
        Tree { name: "", aliases: &[], kind, base: self.name, about: "", patches: &[], ..*self }
    }

    /// The tree that it was derived from, the one that this was derived from, and so on to a
    /// release.
    pub fn bases(&self) -> impl Iterator<Item = &'static Tree> {
        let base_of = |tree: &Tree| match tree.kind {
            Kind::Release => None,
            _ => Some(trees::by_name(tree.base).expect("a tree has a base")),
        };
        std::iter::successors(base_of(self), move |tree| base_of(tree))
    }

    /// Its name, then its aliases.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// The commits that it has, in the order in which they were merged or put on top. What all
    /// modelled releases have is not in it.
    pub fn commits(&self) -> Vec<&'static Commit> {
        if self.kind == Kind::Release {
            let release = Version::parse(self.name);
            return COMMITS.iter().filter(|commit| commit.is_in(release)).collect();
        }
        let base = trees::by_name(self.base).expect("a tree has a base");
        let mut commits = base.commits();
        commits.extend(self.patches);
        commits
    }
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
        let lru_claim = Decision { file: "mm/swap.c", name: "lru_claim", value: "AtAdd".into() };
        assert_eq!(changed, [lru_claim]);
    }

    fn value_in(tree: &Tree, name: &str) -> String {
        let decisions = tree.decisions();
        decisions.iter().find(|d| d.name == name).map(|d| d.value.clone()).expect("a decision")
    }

    /// The two have equal bodies but for a call that is inlined: a linker may merge what is left.
    #[test]
    fn functions_are_told_apart_by_name() {
        let disable = |tree| value_in(tree, "lru_cache_disable");
        assert_eq!(disable(&trees::V5_13), "lru_cache_disable_by_work");
        assert_eq!(disable(&trees::V5_18), "lru_cache_disable_by_rcu");
        assert_eq!(disable(&trees::V5_18_NO_SYNCHRONIZE_RCU), "lru_cache_disable_without_rcu");
        assert_eq!(value_in(&trees::V5_11, "lru_cache_enable"), "no_migrate_finish");
        assert_eq!(value_in(&trees::V5_11, "lru_cache_disabled"), "never_pending");
    }

    /// kernel-migrate 0: 5.9 rewrote the wait.
    #[test]
    fn up_to_5_8_a_waiter_retries() {
        assert_eq!(value_in(&trees::V5_6, "folio_wait_bit_common"), "wait_and_retry");
        assert_eq!(value_in(&trees::V5_11, "folio_wait_bit_common"), "folio_wait_bit_common");
    }

    /// A kind is not inherited by whoever says `..BASE`.
    #[test]
    fn a_release_is_called_so_and_is_configured_as_usual() {
        for tree in trees::ALL.iter().filter(|tree| tree.kind == Kind::Release) {
            assert_eq!(tree.filemap.unfairness, Filemap::SCALED, "{}", tree.name);
            assert!(!tree.preempt_rt, "{}", tree.name);
        }
    }

    #[test]
    fn no_two_trees_are_the_same_but_by_intent() {
        // 4.8, of which movable pages are modelled, is 4.13 in all else; and 5.3, likewise, 5.6.
        let twins = [("v4.8", "v4.13"), ("v5.3", "v5.6")];
        let mut same = Vec::new();
        for (at, a) in trees::ALL.iter().enumerate() {
            for b in &trees::ALL[at + 1..] {
                if a.decisions() == b.decisions() {
                    same.push((a.name, b.name));
                }
            }
        }
        assert_eq!(same, twins);
    }
}
