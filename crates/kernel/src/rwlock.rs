//! `rwlock_t`: one writer, or several readers, that spin.
//!
//! Each is one step on `lock->cnts`, whose layout is ours: a bit for the writer, a count of those
//! writers that wait, and a bit for each task that reads.
//!
//! **A writer does not starve, but for interrupts**: as long as one waits, a reader waits behind
//! it, so that a task that reads, and reads once more, hangs if a writer comes between. A reader in
//! an interrupt waits for nobody but a writer that has the lock: it may interrupt a reader.
//! Who is next among those that wait is left to the order of steps.
//!
//! Source: kernel/locking/qrwlock.c `queued_read_lock_slowpath()`, `queued_write_lock_slowpath()`,
//! include/asm-generic/qrwlock.h, include/linux/rwlock_api_smp.h, 6.12. Orderings as there: taking
//! is an acquire, giving back a release, a try that fails orders nothing. Left out: PREEMPT_RT's
//! own form, which sleeps and has no interrupts to keep out.

use selvedge_explore::{Access, If, Own, Rmw, Role, Word, enter, me, unable};
use selvedge_trace::{Class, Name, Order};

use crate::{
    Cpus, LOCKS_ARE_UNLOCKED_BY_THEIR_HOLDER, fail, in_interrupt, local_bh_disable,
    local_bh_enable, local_irq_disable, local_irq_enable, local_irq_restore, local_irq_save,
    might_sleep, preempt_disable, preempt_enable,
};

/// A writer has it.
const WRITER: u64 = 1;
/// One writer that waits.
const WAITS: u64 = 2;
/// The writers that wait: 127 at most.
const ALL_WAIT: u64 = 0xfe;
/// The bit of the first reader. There are bits for [`READERS`] tasks, main included.
const FIRST_READER: u32 = 8;
const ALL_READERS: u64 = !0 << FIRST_READER;
const READERS: usize = 56;

/// `rwlock_t`.
#[derive(Debug)]
pub struct RwLock {
    cnts: Word,
    /// Those who read it, as often as they do, and who writes.
    mine: Own<Vec<Has>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Has {
    Read,
    Write,
}

impl RwLock {
    /// `DEFINE_RWLOCK`. To be made while the scenario is set up.
    pub fn new(name: Name) -> RwLock {
        RwLock { cnts: Word::of_class(name, 0, Class::RwLock), mine: Own::default() }
    }

    /// Its number in events.
    pub fn object(&self) -> u32 {
        self.cnts.object()
    }

    /// The bit of the task that runs, and what a step of a reader looks at.
    fn reader(&self) -> (u64, u64) {
        let me = me();
        if me >= READERS {
            unable(format!("{} has room for {READERS} tasks", self.cnts.name()));
        }
        let bit = 1 << (FIRST_READER + me as u32);
        let keeps_out = if in_interrupt() { WRITER } else { WRITER | ALL_WAIT };
        (bit, keeps_out)
    }

    fn took(&self, has: Has) {
        self.mine.open(|all| all.push(has));
    }

    /// The task that runs gives back what it has of it: how often it has it still.
    fn gives_back(&self, has: Has, primitive: &str) -> usize {
        let left = self.mine.open(|all| {
            let at = all.iter().rposition(|one| *one == has)?;
            all.remove(at);
            Some(all.iter().filter(|one| **one == has).count())
        });
        left.unwrap_or_else(|| {
            let message =
                format!("{primitive}({}) by a task that does not hold it", self.cnts.name());
            fail(LOCKS_ARE_UNLOCKED_BY_THEIR_HOLDER, message)
        })
    }

    fn read_lock(&self, primitive: &'static str) {
        let (bit, keeps_out) = self.reader();
        let role = Role::Locks { shared: true };
        let access = taking(primitive, role).bits(bit | keeps_out);
        self.cnts.update_when(If::Clear(keeps_out), Rmw::Or(bit), access);
        self.took(Has::Read);
    }

    fn read_unlock(&self, primitive: &'static str) {
        let left = self.gives_back(Has::Read, primitive);
        let (bit, _) = self.reader();
        let access = giving_back(primitive, Role::Unlocks { shared: true }).bits(bit);
        // Of several times that a task reads the last that ends gives it back.
        let change = if left == 0 { Rmw::And(!bit) } else { Rmw::Or(bit) };
        self.cnts.update_void(change, access);
    }

    fn write_lock(&self, primitive: &'static str) {
        let access = taking(primitive, Role::Locks { shared: false });
        let tries = taking(primitive, Role::TriesLock { shared: false });
        if self.cnts.update_if(If::Equals(0), Rmw::Or(WRITER), tries).is_err() {
            let _in = enter("queued_write_lock_slowpath");
            let waits = Access::relaxed("atomic_or").bits(ALL_WAIT);
            self.cnts.update_void(Rmw::Add(WAITS), waits);
            // It waits no longer, and is the writer.
            let change = Rmw::Add(WRITER.wrapping_sub(WAITS));
            self.cnts.update_when(If::Clear(WRITER | ALL_READERS), change, access);
        }
        self.took(Has::Write);
    }

    fn write_unlock(&self, primitive: &'static str) {
        self.gives_back(Has::Write, primitive);
        let access = giving_back(primitive, Role::Unlocks { shared: false }).bits(WRITER);
        self.cnts.update_void(Rmw::And(!WRITER), access);
    }
}

fn taking(primitive: &'static str, role: Role) -> Access {
    Access::relaxed(primitive).order(Order::Acquire).role(role)
}

fn giving_back(primitive: &'static str, role: Role) -> Access {
    Access::relaxed(primitive).order(Order::Release).role(role)
}

/// It sleeps with PREEMPT_RT, and leaves preemption, softirqs and interrupts as they are.
fn spins(cpus: &Cpus, primitive: &'static str) -> bool {
    if cpus.is_preempt_rt() {
        might_sleep(cpus, primitive);
    }
    !cpus.is_preempt_rt()
}

/// One form of each of the four: what keeps others of this CPU out, and what lets them in again.
macro_rules! forms {
    ($($(#[$doc:meta])* $name:ident = $does:ident, $before:ident / $after:ident;)*) => { $(
        $(#[$doc])*
        pub fn $name(cpus: &Cpus, lock: &RwLock) {
            forms!(@ $does, cpus, lock, stringify!($name), $before, $after);
        }
    )* };
    (@ read_lock, $cpus:ident, $lock:ident, $primitive:expr, $before:ident, $after:ident) => {
        if spins($cpus, $primitive) { $before($cpus); }
        $lock.read_lock($primitive);
    };
    (@ write_lock, $cpus:ident, $lock:ident, $primitive:expr, $before:ident, $after:ident) => {
        if spins($cpus, $primitive) { $before($cpus); }
        $lock.write_lock($primitive);
    };
    (@ read_unlock, $cpus:ident, $lock:ident, $primitive:expr, $before:ident, $after:ident) => {
        $lock.read_unlock($primitive);
        if !$cpus.is_preempt_rt() { $after($cpus); }
    };
    (@ write_unlock, $cpus:ident, $lock:ident, $primitive:expr, $before:ident, $after:ident) => {
        $lock.write_unlock($primitive);
        if !$cpus.is_preempt_rt() { $after($cpus); }
    };
}

forms! {
    /// `read_lock(lock)`: acquire; preemption is off as long as it is held.
    read_lock = read_lock, preempt_disable / preempt_enable;
    /// `read_unlock(lock)`: release.
    read_unlock = read_unlock, preempt_disable / preempt_enable;
    /// `write_lock(lock)`: acquire; preemption is off as long as it is held.
    write_lock = write_lock, preempt_disable / preempt_enable;
    /// `write_unlock(lock)`: release.
    write_unlock = write_unlock, preempt_disable / preempt_enable;
    /// `read_lock_bh(lock)`: softirqs of this CPU are off as long as it is held.
    read_lock_bh = read_lock, local_bh_disable / local_bh_enable;
    /// `read_unlock_bh(lock)`
    read_unlock_bh = read_unlock, local_bh_disable / local_bh_enable;
    /// `write_lock_bh(lock)`: softirqs of this CPU are off as long as it is held.
    write_lock_bh = write_lock, local_bh_disable / local_bh_enable;
    /// `write_unlock_bh(lock)`
    write_unlock_bh = write_unlock, local_bh_disable / local_bh_enable;
    /// `read_lock_irq(lock)`
    read_lock_irq = read_lock, local_irq_disable / local_irq_enable;
    /// `read_unlock_irq(lock)`: interrupts are on when it returns, see [`local_irq_enable`].
    read_unlock_irq = read_unlock, local_irq_disable / local_irq_enable;
    /// `write_lock_irq(lock)`
    write_lock_irq = write_lock, local_irq_disable / local_irq_enable;
    /// `write_unlock_irq(lock)`: interrupts are on when it returns, see [`local_irq_enable`].
    write_unlock_irq = write_unlock, local_irq_disable / local_irq_enable;
    /// `read_lock_irqsave(lock, flags)`
    read_lock_irqsave = read_lock, local_irq_save / local_irq_restore;
    /// `read_unlock_irqrestore(lock, flags)`
    read_unlock_irqrestore = read_unlock, local_irq_save / local_irq_restore;
    /// `write_lock_irqsave(lock, flags)`
    write_lock_irqsave = write_lock, local_irq_save / local_irq_restore;
    /// `write_unlock_irqrestore(lock, flags)`
    write_unlock_irqrestore = write_unlock, local_irq_save / local_irq_restore;
}

/// `read_trylock(lock)`: true, and an acquire, if no writer has it or waits; preemption stays off
/// then.
pub fn read_trylock(cpus: &Cpus, lock: &RwLock) -> bool {
    let (bit, _) = lock.reader();
    let role = Role::TriesLock { shared: true };
    let keeps_out = WRITER | ALL_WAIT;
    let access = taking("read_trylock", role).bits(bit | keeps_out);
    tries(cpus, lock, Has::Read, || {
        lock.cnts.update_if(If::Clear(keeps_out), Rmw::Or(bit), access).is_ok()
    })
}

/// `write_trylock(lock)`: true, and an acquire, if nobody has it or waits; preemption stays off
/// then.
pub fn write_trylock(cpus: &Cpus, lock: &RwLock) -> bool {
    let access = taking("write_trylock", Role::TriesLock { shared: false });
    tries(cpus, lock, Has::Write, || {
        lock.cnts.update_if(If::Equals(0), Rmw::Or(WRITER), access).is_ok()
    })
}

fn tries(cpus: &Cpus, lock: &RwLock, has: Has, takes: impl FnOnce() -> bool) -> bool {
    if !cpus.is_preempt_rt() {
        preempt_disable(cpus);
    }
    let taken = takes();
    if taken {
        lock.took(has);
    } else if !cpus.is_preempt_rt() {
        preempt_enable(cpus);
    }
    taken
}
