//! Texts that are kept until the process ends.

use std::collections::BTreeSet;
use std::sync::Mutex;

/// The text, kept until the process ends, once however often it is asked for: for names of states,
/// rules and objects that were read from a file. There have to be few.
///
/// # Panics
/// If a thread has panicked in here.
pub fn interned(text: String) -> &'static str {
    static KEPT: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    let mut kept = KEPT.lock().expect("not poisoned");
    match kept.get(text.as_str()) {
        Some(known) => known,
        None => {
            let text: &'static str = text.leak();
            kept.insert(text);
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_once() {
        let first = interned("caching is disabled".into());
        assert!(std::ptr::eq(first, interned("caching is disabled".into())));
        assert_eq!(interned("another".into()), "another");
    }
}
