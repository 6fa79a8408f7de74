//! Functions of fs/buffer.c with a mistake.

use selvedge_kernel::{enter, plain_read, plain_write, reached};

use crate::fs::buffer::{bh_lru_lock, bh_lru_unlock, check_irqs_on, pointer_to};
use crate::{BufferHead, Kernel};

/// `bh_lru_install()` of 6.1 whose slot owns no reference.
pub fn installs_without_reference(k: &Kernel, bh: &BufferHead) {
    let _in = enter("bh_lru_install");
    check_irqs_on(k);
    bh_lru_lock(k);
    if (k.tree.swap.lru_cache_disabled())(k) {
        reached("bh_lru_install() found caching disabled");
        bh_lru_unlock(k);
        return;
    }
    let mut evictee = pointer_to(bh);
    for slot in k.bh_lrus.this() {
        let next = plain_read(slot);
        plain_write(slot, evictee);
        evictee = next;
        if evictee == pointer_to(bh) {
            bh_lru_unlock(k);
            return;
        }
    }
    reached("a bh was installed");
    bh_lru_unlock(k);
}

/// `__invalidate_bh_lrus()` where slots own no reference.
pub fn forgets_the_slots(k: &Kernel) {
    for slot in k.bh_lrus.this() {
        plain_read(slot);
        plain_write(slot, 0);
    }
}
