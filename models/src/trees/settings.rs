//! Releases as they can be configured.

use crate::Tree;
use crate::mm::filemap::Filemap;
use crate::trees::{V6_1, V6_12_117};

/// 6.1 with PREEMPT_RT.
pub static V6_1_RT: Tree = Tree {
    name: "v6.1-rt",
    about: "Linux 6.1 with PREEMPT_RT: local locks and spinlocks sleep",
    ..V6_1.configured(&[set!(preempt_rt = true)])
};

/// 6.12.117 with PREEMPT_RT.
pub static V6_12_117_RT: Tree = Tree {
    name: "v6.12.117-rt",
    about: "Linux 6.12.117 with PREEMPT_RT: local locks and spinlocks sleep",
    ..V6_12_117.configured(&[set!(preempt_rt = true)])
};

/// The folio lock is handed over at once, as in 5.9-rc1.
pub static V6_1_UNFAIRNESS_0: Tree = Tree {
    name: "v6.1-unfairness-0",
    aliases: &["L2-unfairness-0"],
    about: "6.1 with sysctl_page_lock_unfairness = 0: the folio lock is always handed over",
    ..V6_1.configured(&[set!(filemap.unfairness = 0)])
};

/// A number that nobody counts up to.
pub static V6_1_UNFAIRNESS_INF: Tree = Tree {
    name: "v6.1-unfairness-inf",
    aliases: &["L2-unfairness-inf"],
    about: "6.1 with sysctl_page_lock_unfairness = INT_MAX: the folio lock is never handed over",
    ..V6_1.configured(&[set!(filemap.unfairness = Filemap::UNLIMITED)])
};
