//! May this graph be revisited? Only if what is lost comes again by itself.

use super::Engine;
use crate::bits::Bits;
use crate::event::{Event, NONE};

impl<const W: usize> Engine<'_, W> {
    /// The events before number `n` that were added after `read`, and are not in `prefix`, are
    /// about to be deleted: they, and `read`, must be what is added when everybody takes the
    /// newest. (With anything else, the graph after the revisit is reached from another one.)
    pub(super) fn is_newest_after(&self, read: usize, prefix: &Bits<W>, n: usize) -> bool {
        let graph = self.seen();
        let kept = Bits::below(read + 1).or(prefix);
        let deleted = Bits::below(n).minus(&kept);
        let touched = deleted.with(read);
        touched.minus(&graph.newest).is_empty()
            && !graph.revisitors.meets(&deleted)
            && (0..graph.of_word.len()).all(|word| self.is_last(word, &touched, &kept, n))
    }

    /// Is none of the touched events of this word overwritten by a write that is kept?
    fn is_last(&self, word: usize, touched: &Bits<W>, kept: &Bits<W>, n: usize) -> bool {
        let graph = self.seen();
        let mut left = graph.of_word[word].and(touched);
        if left.is_empty() {
            return true;
        }
        for &write in graph.shape.words[word].writes.iter().rev() {
            let write = usize::from(write);
            // (The write on whose account we ask may be in the graph.)
            if write >= n {
                continue;
            }
            left = left.minus(&graph.links[write].readers);
            if kept.has(write) {
                return left.is_empty();
            }
            left.clear(write);
        }
        left.minus(&graph.initial_readers[word]).is_empty()
    }

    /// May an acquisition that reads like `owner` go before it?
    pub(super) fn can_steal(&self, read: &Event, owner: usize) -> bool {
        let prefix = self.prefix_with(read);
        !prefix.has(owner) && self.is_newest_after(owner, &prefix, self.seen().len())
    }

    /// What is before a read that is not in the graph yet.
    pub(super) fn prefix_with(&self, read: &Event) -> Bits<W> {
        let graph = self.seen();
        let mut prefix = graph.prefix_of_next(usize::from(read.task));
        if read.from != NONE {
            let from = usize::from(read.from);
            prefix.add(&graph.links[from].prefix);
            prefix.set(from);
        }
        prefix
    }
}
