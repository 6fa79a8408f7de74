//! Which kernel file a modelled function is of.

/// Function and file, sorted by function; see build.rs.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/kernel_files.rs"));

/// The file of the innermost of these functions (outermost first) that is known.
pub fn of_path(path: &[String]) -> Option<&'static str> {
    path.iter().rev().find_map(|function| of(function))
}

fn of(function: &str) -> Option<&'static str> {
    let at = FILES.binary_search_by_key(&function, |(name, _)| name).ok()?;
    Some(FILES[at].1)
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
        let path = ["migrate_pages", "no_such_function"].map(String::from);
        assert_eq!(of_path(&path), Some("mm/migrate.c"));
        assert_eq!(of_path(&[]), None);
    }
}
