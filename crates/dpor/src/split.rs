//! By which rules a search is cut into parts. None of them knows who searches.

/// How the work is cut. The parts do not depend on the number of workers; nor does anything that
/// the search finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Split {
    /// How many executions are run before there is anything to share, at least 1. A small search
    /// is done by the calling thread and starts no other.
    pub alone: u64,
    /// How many parts are searched before what was found is put together, at least 1.
    pub parts: usize,
    /// How many executions of a part are run at most before what is left of it becomes parts of
    /// their own, at least 1.
    pub executions: u64,
    /// Do rounds grow with what has been done? Else each is as the first.
    pub grows: bool,
}

impl Default for Split {
    fn default() -> Split {
        Split { alone: 4_096, parts: 32, executions: 512, grows: true }
    }
}

/// A search is long when it has run so many times the executions of its first round.
const LONG: u64 = 4;
/// How many parts a round of a long search has at most.
const PARTS_OF_LONG: usize = 256;
/// A part of a long search takes at most this part of the executions before.
const SHARE_OF_LONG: u64 = 64;

/// What a round consists of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Round {
    /// How many parts at most.
    pub(crate) parts: usize,
    /// How many executions of each at most.
    pub(crate) executions: u64,
    /// If there are more parts, those with the shortest beginnings are taken, of which most is to
    /// be expected; else the leftmost.
    pub(crate) takes_shortest: bool,
}

impl Split {
    /// The next round, after so many rounds of `done` executions together, when `left` more are
    /// allowed.
    ///
    /// A part whose beginning is long is soon searched. To share a long search by way of files
    /// there have to be few parts, and few rounds to wait for.
    pub(crate) fn round(&self, rounds: u64, done: u64, left: u64) -> Round {
        let is_long = self.grows && done >= LONG.saturating_mul(self.alone);
        let (mut parts, executions) = match (rounds, is_long) {
            (0, _) => (self.parts, self.alone),
            (_, false) => (self.parts, self.executions),
            (_, true) => (PARTS_OF_LONG, self.executions.max(done / SHARE_OF_LONG)),
        };
        let executions = executions.max(1);
        // The last executions that are allowed are those of one part after the other.
        if left < executions.saturating_mul(parts as u64) {
            parts = 1;
        }
        let executions = executions.min(left);
        Round { parts: parts.max(1), executions, takes_shortest: is_long && parts > 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(parts: usize, executions: u64, takes_shortest: bool) -> Round {
        Round { parts, executions, takes_shortest }
    }

    #[test]
    fn rounds_of_a_long_search_are_longer() {
        let split = Split::default();
        let far = u64::MAX;
        assert_eq!(split.round(0, 0, far), round(32, 4_096, false));
        assert_eq!(split.round(1, 4_096, far), round(32, 512, false));
        assert_eq!(split.round(12, 16_384, far), round(256, 512, true));
        assert_eq!(split.round(20, 1 << 20, far), round(256, 1 << 14, true));
        let same = Split { grows: false, ..split };
        assert_eq!(same.round(20, 1 << 20, far), round(32, 512, false));
    }

    #[test]
    fn no_more_is_run_than_is_left() {
        let split = Split::default();
        assert_eq!(split.round(0, 0, 5), round(1, 5, false));
        assert_eq!(split.round(1, 4_096, 7), round(1, 7, false));
        assert_eq!(split.round(9, 1 << 21, 1 << 20), round(1, 1 << 15, false));
    }
}
