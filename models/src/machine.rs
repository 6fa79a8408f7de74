//! The machine of a scenario: how large it is, what is so when the scenario begins, and which parts
//! of the kernel's state are modelled at all.
//!
//! Each field of the three parts has a method of its name that gives the same machine but for it:
//! `Machine::TINY.cpus(3).mapped()`.

use crate::mm::migrate::Aops;
use crate::mm::movable::Role;

/// A machine: [`Machine::TINY`] with what a scenario needs besides. Scaled down where two of a
/// thing show what fifteen do: a batch needs one slot that waits and one that fills it, a bh_lru
/// one slot that stays and one that evicts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Machine {
    /// How large it is.
    pub sizes: Sizes,
    /// What is so when the scenario begins.
    pub initial: Initial,
    /// What is modelled.
    pub modelled: Modelled,
}

/// A part of the machine: its fields with their values in [`Machine::TINY`]; a flag is off there,
/// and its method turns it on.
macro_rules! part {
    (
        $(#[$doc:meta])*
        $part:ident: $Part:ident
        values { $( $(#[$about:meta])* $value:ident: $Type:ty = $tiny:expr, )* }
        flags { $( $(#[$flag_about:meta])* $flag:ident, )* }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub struct $Part {
            $( $(#[$about])* pub $value: $Type, )*
            $( $(#[$flag_about])* pub $flag: bool, )*
        }

        impl $Part {
            const TINY: $Part = $Part { $( $value: $tiny, )* $( $flag: false, )* };
        }

        impl Machine {
            $(
                $(#[$about])*
                #[must_use]
                pub const fn $value(mut self, $value: $Type) -> Machine {
                    self.$part.$value = $value;
                    self
                }
            )*
            $(
                $(#[$flag_about])*
                #[must_use]
                pub const fn $flag(mut self) -> Machine {
                    self.$part.$flag = true;
                    self
                }
            )*
        }
    };
}

part! {
    /// How large a machine is.
    sizes: Sizes
    values {
        /// CPUs, all online when the scenario begins.
        cpus: usize = 2,
        /// Folios, each with one reference of the page cache.
        folios: usize = 1,
        /// Buffer heads, each with one reference of its user.
        buffer_heads: usize = 1,
        /// `PAGEVEC_SIZE`: 15 up to 6.6, 31 later.
        batch: usize = 2,
        /// `BH_LRU_SIZE`: 16.
        bh_lru: usize = 1,
        /// Tasks that may sleep on a folio.
        sleepers: usize = 0,
        /// How many passes `migrate_pages()` makes.
        passes: usize = 2,
    }
    flags {}
}

part! {
    /// What is so when a scenario begins.
    initial: Initial
    values {
        /// The driver whose pages the scenario is about, if it is about any.
        driver: Option<Role> = None,
        /// How the folios migrate, by index; those that are not named, as [`Aops::Plain`]. Folios
        /// whose `a_ops` are about buffers have some.
        aops: &'static [Aops] = &[],
        /// How many buffers each folio has: folio n those from `ring * n` on.
        ring: usize = 1,
        /// The folios that are large for migration, and for which there is no target as large. The
        /// other folios' size is that of [`Initial::large`].
        without_target: &'static [usize] = &[],
        /// How many pages of the file, from the first, have no folio in the page cache: their
        /// folios are free. Not together with [`Initial::mapped`].
        absent: usize = 0,
    }
    flags {
        /// The folios are on an LRU list.
        listed,
        /// The folios are large: no batch keeps those.
        large,
        /// Each folio is mapped by the one process, which is a reference more, and has a spare one
        /// to be migrated to.
        mapped,
        /// Folios have spare ones to be migrated to although nobody maps them.
        spares,
        /// The folios are anonymous: not in the page cache. Only with [`Initial::mapped`].
        anon,
        /// The file is of a filesystem whose writeback user space ends
        /// (AS_WRITEBACK_INDETERMINATE).
        indeterminate,
        /// The folios have PG_private set, for which somebody has a reference.
        private,
    }
}

part! {
    /// What is modelled. Where it is not, each step that would touch it is left out: that is sound
    /// in a scenario that does not change it, in which every such step would read the same value.
    modelled: Modelled
    values {
        /// The reference that `folio_end_writeback()` takes for itself. To leave it out is sound
        /// only where somebody else keeps a reference to the folio until the scenario ends: then it
        /// is not freed, and its migration finds too many references with this one and without.
        writeback_pins: bool = true,
    }
    flags {
        /// Batches other than `lru_add` and `lru_rotate`; else drains do not look at their counts,
        /// which would be 0.
        operations,
        /// PG_unevictable and the mlock batch; else the scenario does not mlock.
        mlock,
        /// NR_MLOCK, the statistic, which nobody looks at elsewhere.
        nr_mlock,
        /// The size of the LRU lists, which nobody looks at elsewhere.
        lru_size,
        /// PG_uptodate of migrated folios.
        uptodate,
        /// The TLBs of the CPUs.
        tlb,
        /// Pages of the file that a process maps while it is truncated. Else a truncated page is
        /// mapped nowhere, and nobody asks its mapcount.
        maps,
        /// PG_dirty.
        dirty,
        /// What the disk has of a folio that a migration writes out.
        disk,
        /// PG_writeback of migrated folios.
        writeback,
        /// The marks of the page cache for writeback, and their lock: that of `i_pages`, taken by
        /// interrupts too.
        marks,
        /// `mapping->nrpages`, which nobody looks at elsewhere.
        nrpages,
        /// The lock of the mappings of the one file, which is of hugetlbfs.
        hugetlb,
        /// CPUs that go down, and come up. Else all are online, and nobody asks.
        hotplug,
        /// Softirqs.
        softirqs,
        /// A scheduler that moves tasks to other CPUs.
        moves,
        /// `free_page_is_bad()`: who drops the last reference of a folio checks it.
        free_checks,
        /// `zone->lock`, which orders whoever allocates a page after whoever freed it; else nobody
        /// takes a page that was freed meanwhile.
        zone_lock,
        /// The lives of folios and of waiters' stacks, where the folio lock touches them: a step
        /// more at each such place.
        lifetimes,
    }
}

impl Machine {
    /// Two CPUs, one folio, one buffer head, batches of two, a bh_lru of one.
    pub const TINY: Machine =
        Machine { sizes: Sizes::TINY, initial: Initial::TINY, modelled: Modelled::TINY };

    /// The same machine with folios that are on no LRU list.
    #[must_use]
    pub const fn unlisted(mut self) -> Machine {
        self.initial.listed = false;
        self
    }

    /// Why there cannot be such a machine, if so.
    pub const fn contradiction(&self) -> Option<&'static str> {
        let Sizes { cpus, folios, batch, bh_lru, buffer_heads, .. } = self.sizes;
        let Initial { absent, mapped, anon, ring, aops, .. } = self.initial;
        if cpus == 0 || folios == 0 || batch == 0 || bh_lru == 0 {
            Some("there is at least one CPU, one folio, and one slot in each cache")
        } else if absent > folios {
            Some("`absent`: there are not so many folios")
        } else if absent > 0 && mapped {
            Some("`absent` with `mapped`: a page without a folio cannot be mapped")
        } else if anon && !mapped {
            Some("`anon` without `mapped`: nobody has a reference to such a folio")
        } else if self.modelled.tlb && !mapped {
            Some("`tlb` without `mapped`: there is nothing to be in a TLB")
        } else if buffer_heads < ring * aops.len() {
            Some("`aops`: there are fewer buffer heads than folios have")
        } else {
            None
        }
    }
}

impl Initial {
    /// Whether any folio has private data.
    pub fn has_private(&self) -> bool {
        self.private || !self.aops.is_empty()
    }

    /// How the folio of this page of the file migrates.
    pub(crate) fn aops_of(&self, page: usize) -> Aops {
        self.aops.get(page).copied().unwrap_or(Aops::Plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_are_refused_by_name() {
        let tiny = Machine::TINY;
        assert_eq!(tiny.contradiction(), None);
        let impossible = [
            ("at least one CPU", tiny.cpus(0)),
            ("at least one CPU", tiny.folios(0)),
            ("`absent`: there", tiny.absent(2)),
            ("`absent` with `mapped`", tiny.absent(1).mapped()),
            ("`anon` without `mapped`", tiny.anon()),
            ("`tlb` without `mapped`", tiny.tlb()),
            ("`aops`", tiny.folios(2).aops(&[Aops::Buffers, Aops::Buffers])),
        ];
        for (named, machine) in impossible {
            let why = machine.contradiction().unwrap_or_else(|| panic!("accepted: {machine:?}"));
            assert!(why.starts_with(named) || why.contains(named), "{why}");
        }
    }
}
