//! Others that do the same search, in processes of their own.

use serde::{Deserialize, Serialize};

use crate::Counts;
use crate::tree::{Found, Part};

/// Others that search the same program, at the same time or before, each in a process of its own.
///
/// The parts of a round are the same in all of them, and so is what is found in a part, whoever
/// searches it. So what came of a part can be taken from somebody else: the search comes to what
/// it comes to alone. Nobody depends on anybody: what is not there after a while is searched here.
pub trait Others<F>: Send {
    /// Should this process search the part of a round, if all take part?
    fn is_mine(&self, part: usize) -> bool;

    /// What came of a part in a round, from 1, if somebody has searched it.
    fn get(&mut self, round: u64, part: usize) -> Option<(Searched, F)>;

    /// This came of a part, and was found here. It may be kept, unless it depends on where or when
    /// it was found.
    fn put(&mut self, round: u64, part: usize, searched: &Searched, findings: &F);

    /// Is there no time to wait for what others find? The search ends if so.
    fn is_over(&mut self) -> bool;
}

/// What the search of a part has shown of the tree. To be written down, and read again by a process
/// of the same build; what it consists of is nobody else's business.
#[derive(Serialize, Deserialize)]
pub struct Searched {
    pub(crate) part: Part,
    pub(crate) found: Found,
    pub(crate) counted: PartCounts,
}

/// What a worker counted in a part.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct PartCounts {
    pub(crate) counts: Counts,
    pub(crate) traces: Vec<u64>,
    /// The worker has seen enough.
    pub(crate) stopped: bool,
}
