//! What the models leave out of the kernel's steps, in a form that a comparison with the kernel's
//! own C can hold them to (`selvedge c --compare`). Each model file declares its own, beside the
//! sentence that says why that is sound.

/// Steps of C that a model does not take; or steps of a model that C does not.
#[derive(Clone, Copy, Debug)]
pub struct LeftOut {
    /// In which functions, inlined or not, and not in those that they call; empty is any.
    pub functions: &'static [&'static str],
    /// Of which words: names as C has them, or for [`LeftOut::of_model`] as the model has them; `*`
    /// stands for anything, and a bit comes after a colon, `folio->flags:PG_uptodate`; `:-` is the
    /// word as a whole.
    pub words: &'static [&'static str],
    /// Why nobody misses them.
    pub why: &'static str,
    /// Are they steps of the model's, which stand for what C does elsewhere?
    pub of_model: bool,
    /// Are only looks left out?
    pub looks: bool,
}

impl LeftOut {
    /// Steps of C on these words.
    pub const fn of_c(words: &'static [&'static str], why: &'static str) -> LeftOut {
        LeftOut { functions: &[], words, why, of_model: false, looks: false }
    }

    /// Steps of a model on these words.
    pub const fn of_model(words: &'static [&'static str], why: &'static str) -> LeftOut {
        LeftOut { of_model: true, ..LeftOut::of_c(words, why) }
    }

    /// Looks of C at these words.
    pub const fn looks(words: &'static [&'static str], why: &'static str) -> LeftOut {
        LeftOut { looks: true, ..LeftOut::of_c(words, why) }
    }

    /// In these functions only.
    pub const fn within(self, functions: &'static [&'static str]) -> LeftOut {
        LeftOut { functions, ..self }
    }

    /// Is this word meant, with this bit of it?
    pub fn is_about(&self, word: &str, bit: &str) -> bool {
        self.words.iter().any(|known| {
            let (of_word, of_bit) = known.split_once(':').unwrap_or((known, ""));
            let is_bit = of_bit.is_empty() || of_bit == bit || (of_bit == "-" && bit.is_empty());
            matches(of_word, word) && is_bit
        })
    }
}

/// Does the word have these parts, with anything where there is a `*`?
fn matches(pattern: &str, word: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == word };
    let Some(left) = word.strip_prefix(start) else { return false };
    (0..=left.len()).any(|at| left.is_char_boundary(at) && matches(rest, &left[at..]))
}

/// What all model files declare, each after its file.
pub const ALL: &[(&str, &[LeftOut])] = &[
    ("models/src/mm/filemap.rs", crate::mm::filemap::LEFT_OUT),
    ("models/src/fs/buffer.rs", crate::fs::buffer::LEFT_OUT),
    ("models/src/mm/swap/mod.rs", crate::mm::swap::LEFT_OUT),
    ("models/src/mm/mlock.rs", crate::mm::mlock::LEFT_OUT),
    ("models/src/left_out.rs", CONFIGURATION),
];

/// Of no file: what comes from how C is configured and compiled to be compared.
const CONFIGURATION: &[LeftOut] = &[
    LeftOut::of_c(&["stack-*"], "what lies on the task's own stack and nobody else is told of"),
    LeftOut::of_c(
        &["task->pending.signal*", "task->thread_info.flags:bit 17"],
        "which signal is pending: SIGKILL alone; TIF_SIGPENDING, set after it, is compared",
    ),
    LeftOut::of_c(
        &["rcu_read_lock of task*"],
        "synchronize_rcu() waits for readers; no scenario has any but sections with preemption off",
    ),
    LeftOut::looks(
        &["folio->flags:PG_locked"],
        "VM_BUG_ON_FOLIO(), of CONFIG_DEBUG_VM, by whoever holds the lock",
    )
    .within(&["folio_unlock"]),
    LeftOut::looks(
        &["folio->_refcount"],
        "VM_BUG_ON_FOLIO(), of CONFIG_DEBUG_VM: whoever asks has a reference",
    )
    .within(&["folio_get", "folio_isolate_lru", "isolate_lru_page", "put_page_testzero"]),
    LeftOut::looks(
        &["folio->flags:PG_head", "folio->flags:PG_hwpoison", "folio->compound_head"],
        "whether the folio is large: none is",
    ),
    LeftOut::looks(&["folio->flags:-"], "the zone and node of a folio: there is one of each"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_named_whole_or_by_their_beginning() {
        let words = &["wait->entry.*", "table[*].head*", "folio->flags:PG_uptodate"];
        let some = LeftOut::of_c(words, "an example");
        assert!(some.is_about("table[7].head.next", "") && !some.is_about("table[7].lock", ""));
        assert!(some.is_about("wait->entry.prev", "") && !some.is_about("wait->flags", ""));
        assert!(some.is_about("folio->flags", "PG_uptodate"));
        assert!(!some.is_about("folio->flags", "PG_locked") && !some.is_about("folio->flags", ""));
    }
}
