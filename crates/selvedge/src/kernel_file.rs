//! Which kernel file a modelled function is of.

use selvedge_models::functions::FUNCTIONS;

/// The file of the innermost of these functions (outermost first) that is known.
pub fn of_path(path: &[String]) -> Option<&'static str> {
    path.iter().rev().find_map(|function| of(function))
}

/// By the name that steps are recorded under: of the function itself, where it is modelled as one,
/// rather than of a caller.
fn of(name: &str) -> Option<&'static str> {
    let entered = |own: bool| {
        let has_name = move |f: &&selvedge_models::functions::Function| {
            f.is_modelled() && f.entered.contains(&name) && (f.name == name || !own)
        };
        FUNCTIONS.iter().find(has_name)
    };
    entered(true).or_else(|| entered(false)).map(|function| function.notes().c_file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_in_the_kernels_files() {
        assert_eq!(of("lru_add_drain_cpu"), Some("mm/swap.c"));
        assert_eq!(of("folio_wait_writeback"), Some("mm/page-writeback.c"));
        assert_eq!(of("bh_lru_install"), Some("fs/buffer.c"));
        assert_eq!(of("wake_up_bit"), Some("kernel/sched/wait_bit.c"));
        assert_eq!(of("loop_process_work"), Some("drivers/block/loop.c"));
        let path = ["migrate_pages", "no_such_function"].map(String::from);
        assert_eq!(of_path(&path), Some("mm/migrate.c"));
        assert_eq!(of_path(&[]), None);
    }
}
