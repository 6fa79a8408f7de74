//! The look at the outcome of a scenario, on C: by functions of the image that take no step.

use selvedge_explore::fail;
use selvedge_proofs::look::{Look, Place};
use selvedge_trace::Rule;

use crate::native::models::call;

/// Looks at the image that is loaded. A scenario has so many CPUs and folios.
pub struct OfImage {
    /// CPUs.
    pub cpus: usize,
    /// Folios.
    pub folios: usize,
}

fn folio(index: usize) -> u64 {
    call("sv_folio", &[index as u64])
}

/// What C returned as an `int`.
fn int(returned: u64) -> i64 {
    i64::from(returned as i32)
}

impl Look for OfImage {
    fn cpus(&self) -> usize {
        self.cpus
    }

    fn folios(&self) -> usize {
        self.folios
    }

    fn bh_lru_size(&self) -> usize {
        call("sv_bh_lru_size", &[]) as usize
    }

    fn counts_mlocks(&self) -> bool {
        true
    }

    fn value(&self, place: Place) -> i64 {
        match place {
            Place::BhLruSlot { cpu, slot } => {
                let bh = call("sv_bh_lru_slot", &[cpu as u64, slot as u64]);
                let is_it = |index: &u64| call("sv_bh", &[*index]) == bh;
                (0..call("sv_bh_number", &[])).find(is_it).map_or(0, |index| index as i64 + 1)
            }
            Place::BhCount(bh) => int(call("sv_bh_count", &[call("sv_bh", &[bh as u64])])),
            Place::InBatch { cpu, batch, folio: index } => {
                let (cpu, batch) = (cpu as u64, batch as u64);
                let entries = int(call("sv_batch_nr", &[cpu, batch]));
                let entry = |nth: &i64| call("sv_batch_entry", &[cpu, batch, *nth as u64]);
                (0..entries).filter(|nth| entry(nth) == folio(index)).count() as i64
            }
            Place::BatchNr { cpu, batch } => int(call("sv_batch_nr", &[cpu as u64, batch as u64])),
            Place::RefCount(index) => int(call("sv_folio_refs", &[folio(index)])),
            Place::Flag(index, bit) => {
                let nr = flag(bit.name);
                int(call("sv_folio_flag", &[folio(index), nr]))
            }
            Place::List(index) => int(call("sv_folio_list", &[folio(index)])),
            Place::MlockCount(index) => int(call("sv_folio_mlock_count", &[folio(index)])),
            Place::Freed(index) => i64::from(self.value(Place::RefCount(index)) == 0),
        }
    }

    fn fail(&self, rule: Rule, message: String, _about: Place) -> ! {
        fail(rule, message)
    }
}

/// The number that a flag has in this kernel.
fn flag(name: &str) -> u64 {
    crate::native::world::with(|world| world.number_of_flag(name))
        .unwrap_or_else(|| panic!("no {name} in enum pageflags"))
}
