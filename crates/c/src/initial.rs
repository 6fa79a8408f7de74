//! How a scenario's machine is set up on C: the one place that says how each part of a model's
//! initial state is made of the kernel's own structures, and which cannot be.
//!
//! | of the machine            | on C                                                    |
//! |---------------------------|---------------------------------------------------------|
//! | `cpus`                    | all possible, online and active                         |
//! | `folios`                  | one page each, a reference of the page cache, unmapped  |
//! | `buffer_heads`            | a reference of their user each                          |
//! | `listed`                  | on the inactive list of anonymous folios, PG_lru set    |
//! | `batch`, `bh_lru`         | the kernel's own `PAGEVEC_SIZE`, `BH_LRU_SIZE`          |
//! | `sleepers`                | any task may sleep                                      |
//! | `operations`, `mlock`, …  | all there, always                                       |

use selvedge_models::Machine;

/// A call of a function of `gate/world.c` that makes something so.
pub struct SetUp {
    /// The function.
    pub function: &'static str,
    /// Of which folio.
    pub folio: usize,
}

/// What is to be called when the kernel has booted.
pub fn set_up(machine: &Machine) -> Vec<SetUp> {
    let folios = 0..machine.sizes.folios;
    if !machine.initial.listed {
        return Vec::new();
    }
    folios.map(|folio| SetUp { function: "sv_list_folio", folio }).collect()
}

/// What of a machine cannot be set up on C.
pub fn lacks(machine: &Machine) -> Option<&'static str> {
    let initial = &machine.initial;
    let parts = [
        (initial.mapped, "mapped folios"),
        (initial.large, "large folios"),
        (initial.private, "private data"),
        (initial.anon, "anonymous folios"),
        (initial.spares, "spare folios"),
        (initial.driver.is_some(), "a driver"),
        (!initial.aops.is_empty(), "address space operations"),
        (initial.absent > 0, "absent pages"),
    ];
    parts.iter().find(|(is_asked, _)| *is_asked).map(|&(_, what)| what)
}
