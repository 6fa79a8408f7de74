//! `rw_semaphore`: one writer, or several readers.
//!
//! Each is one step on `sem->count`, whose layout is ours: a bit for the writer, a count of the
//! writers in the queue, and a bit for each task that reads, where the kernel counts. So readers
//! come in any order without a difference, and who holds it is known.
//!
//! **A writer does not starve**: as long as one is in the queue, new readers wait behind it. A task
//! that reads, and reads once more, hangs if a writer comes between; so it does in the kernel.
//! What the kernel's queue decides besides is left to the order of steps, which is more than it
//! does:
//!
//! - Who is next among those in the queue: any writer. A reader that was there before a writer may
//!   get it first or last: the writer's step into the queue comes when it comes.
//! - Stealing. A task that finds the semaphore free takes it in the kernel though others are in the
//!   queue, unless the first of them has asked for the handoff (`RWSEM_FLAG_HANDOFF`). To take it
//!   so is the same as to take it before they were in the queue, which nobody can see but by a
//!   try: a try fails while a writer is in the queue, as the kernel's does.
//!
//! Sources: kernel/locking/rwsem.c `rwsem_down_read_slowpath()`, `rwsem_down_write_slowpath()`,
//! `rwsem_write_trylock()`, `__down_read_trylock()`, `__downgrade_write()`, 6.12. Orderings as
//! there: taking is an acquire, giving back and downgrading a release, a try that fails orders
//! nothing. The killable forms are in `killable.rs`, and here for a semaphore
//! that is made for them. Left out: optimistic spinning as a use of the CPU, PREEMPT_RT's own form
//! (`rwbase_rt.c`: the same exclusion, with priorities), and a reader's release by another task
//! (`up_read_non_owner()`).

use std::sync::Arc;

use selvedge_explore::{Access, Emptied, If, Own, Rmw, Role, Word, abilities, enter, me, unable};
use selvedge_trace::{Class, Name, Order};

use crate::{
    Cpus, Interrupted, LOCKS_ARE_UNLOCKED_BY_THEIR_HOLDER, TASK_KILLABLE, Task, Waiters, fail,
    might_sleep,
};

/// A writer has it.
const WRITER: u64 = 1;
/// One writer in the queue.
const QUEUED: u64 = 2;
/// The writers in the queue: 127 at most.
const ALL_QUEUED: u64 = 0xfe;
/// The bit of the first reader. There are bits for [`READERS`] tasks, main included.
const FIRST_READER: u32 = 8;
const ALL_READERS: u64 = !0 << FIRST_READER;
const READERS: usize = 56;

/// `struct rw_semaphore`.
#[derive(Debug)]
pub struct RwSem {
    count: Word,
    /// What each task holds of it, which is nobody else's business.
    mine: Own<Mine>,
    waiters: Option<Waiters>,
}

#[derive(Clone, Copy, Default, Hash, Debug)]
struct Mine {
    writes: bool,
    /// How often it reads.
    reads: u32,
}

impl Emptied for Mine {}

impl RwSem {
    /// `DECLARE_RWSEM`. To be made while the scenario is set up.
    pub fn new(name: Name) -> RwSem {
        let count = Word::of_class(name, 0, Class::RwSem);
        RwSem { count, mine: Own::default(), waiters: None }
    }

    /// The same, for one that somebody waits for by [`down_read_killable`] or
    /// [`down_write_killable`].
    pub fn killable(cpus: &Arc<Cpus>, name: Name) -> RwSem {
        let waiters = Waiters::new(cpus, Name::new("sem->wait_lock"));
        RwSem { waiters: Some(waiters), ..RwSem::new(name) }
    }

    /// Who waits for it killably looks again.
    fn wake(&self) {
        if let Some(waiters) = &self.waiters {
            waiters.wake();
        }
    }

    /// Its number in events.
    pub fn object(&self) -> u32 {
        self.count.object()
    }

    /// Does the current task have it, as a reader or to itself? No step.
    pub fn is_held_by_me(&self) -> bool {
        self.with_mine(|mine| mine.writes || mine.reads > 0)
    }

    fn waiters(&self) -> &Waiters {
        self.waiters.as_ref().expect("RwSem::killable()")
    }

    fn with_mine<R>(&self, f: impl FnOnce(&mut Mine) -> R) -> R {
        self.mine.open(f)
    }

    fn must_be(&self, is_so: impl FnOnce(&Mine) -> bool, primitive: &str) {
        if !self.with_mine(|mine| is_so(mine)) {
            let message =
                format!("{primitive}({}) by a task that does not hold it", self.count.name());
            fail(LOCKS_ARE_UNLOCKED_BY_THEIR_HOLDER, message);
        }
    }

    /// The bit of the task that runs, and what a step of a reader looks at.
    fn reader(&self) -> (u64, u64) {
        let me = me();
        if me >= READERS {
            unable(format!("{} has room for {READERS} tasks", self.count.name()));
        }
        let bit = 1 << (FIRST_READER + me as u32);
        (bit, bit | WRITER | ALL_QUEUED)
    }
}

/// What keeps a reader out.
const NO_WRITER: If = If::Clear(WRITER | ALL_QUEUED);

fn acquire(primitive: &'static str, role: Role) -> Access {
    Access::relaxed(primitive).order(Order::Acquire).role(role)
}

fn release(primitive: &'static str, role: Role) -> Access {
    Access::relaxed(primitive).order(Order::Release).role(role)
}

/// `down_read(sem)`: may sleep. Acquire.
pub fn down_read(cpus: &Cpus, sem: &RwSem) {
    might_sleep(cpus, "down_read");
    let (bit, looked_at) = sem.reader();
    // A task that reads already waits behind a writer in the queue like everybody else.
    let access = acquire("down_read", Role::Locks { shared: true }).bits(looked_at);
    sem.count.update_when(NO_WRITER, Rmw::Or(bit), access);
    sem.with_mine(|mine| mine.reads += 1);
}

/// `down_read_trylock(sem)`: true, and an acquire, if no writer has it or is in the queue.
pub fn down_read_trylock(sem: &RwSem) -> bool {
    let (bit, looked_at) = sem.reader();
    let access = acquire("down_read_trylock", Role::TriesLock { shared: true }).bits(looked_at);
    let taken = sem.count.update_if(NO_WRITER, Rmw::Or(bit), access).is_ok();
    sem.with_mine(|mine| mine.reads += u32::from(taken));
    taken
}

/// `up_read(sem)`: release.
pub fn up_read(sem: &RwSem) {
    sem.must_be(|mine| mine.reads > 0, "up_read");
    let (bit, _) = sem.reader();
    let left = sem.with_mine(|mine| {
        mine.reads -= 1;
        mine.reads
    });
    let access = release("up_read", Role::Unlocks { shared: true }).bits(bit);
    // Of several times that a task reads the last that ends gives it back.
    let change = if left == 0 { Rmw::And(!bit) } else { Rmw::Or(bit) };
    sem.count.update_void(change, access);
    if left == 0 {
        sem.wake();
    }
}

/// `down_read_killable(sem)`, by the task that runs. Of a [`RwSem::killable`] only.
///
/// # Errors
/// A signal that kills ended the wait; the semaphore is not taken.
///
/// # Panics
/// If it was not made for it: a model's mistake. So the other form.
pub fn down_read_killable(cpus: &Cpus, sem: &RwSem, current: &Task) -> Result<(), Interrupted> {
    might_sleep(cpus, "down_read_killable");
    let (bit, looked_at) = sem.reader();
    let takes_as = |role| {
        let access = acquire("down_read_killable", role).bits(looked_at);
        sem.count.update_if(NO_WRITER, Rmw::Or(bit), access).is_ok()
    };
    if !takes_as(Role::Queues { shared: true }) {
        let _in = enter("rwsem_down_read_slowpath");
        let takes = || takes_as(Role::TriesLock { shared: true });
        sem.waiters().wait((current, TASK_KILLABLE), takes)?;
    }
    sem.with_mine(|mine| mine.reads += 1);
    Ok(())
}

/// `down_write(sem)`: may sleep. Acquire. If it cannot have it at once it goes into the queue, from
/// where on no reader gets in before it.
pub fn down_write(cpus: &Cpus, sem: &RwSem) {
    might_sleep(cpus, "down_write");
    if !takes_free(sem, acquire("down_write", Role::Locks { shared: false })) {
        let _in = enter("rwsem_down_write_slowpath");
        let queue = Access::relaxed("rwsem_add_waiter").bits(ALL_QUEUED);
        sem.count.update_void(Rmw::Add(QUEUED), queue);
        let access = acquire("down_write", Role::Locks { shared: false });
        // Out of the queue, and the writer.
        let change = Rmw::Add(WRITER.wrapping_sub(QUEUED));
        sem.count.update_when(If::Clear(WRITER | ALL_READERS), change, access);
    }
    sem.with_mine(|mine| mine.writes = true);
}

/// `down_write_killable(sem)`, by the task that runs. Of a [`RwSem::killable`] only. As long as it
/// waits, no reader gets in before it; if it is killed, those who wait behind it may.
///
/// # Errors
/// A signal that kills ended the wait; the semaphore is not taken.
pub fn down_write_killable(cpus: &Cpus, sem: &RwSem, current: &Task) -> Result<(), Interrupted> {
    might_sleep(cpus, "down_write_killable");
    let access = |role| acquire("down_write_killable", role);
    if !takes_free(sem, access(Role::Queues { shared: false })) {
        let _in = enter("rwsem_down_write_slowpath");
        let queue = |primitive| Access::relaxed(primitive).bits(ALL_QUEUED);
        sem.count.update_void(Rmw::Add(QUEUED), queue("rwsem_add_waiter"));
        let change = Rmw::Add(WRITER.wrapping_sub(QUEUED));
        let nobody = If::Clear(WRITER | ALL_READERS);
        let access = access(Role::TriesLock { shared: false });
        let takes = || sem.count.update_if(nobody, change, access).is_ok();
        if let Err(killed) = sem.waiters().wait((current, TASK_KILLABLE), takes) {
            // rwsem_del_wake_waiter()
            let left = Rmw::Add(QUEUED.wrapping_neg());
            sem.count.update_void(left, queue("rwsem_del_waiter"));
            sem.wake();
            return Err(killed);
        }
    }
    sem.with_mine(|mine| mine.writes = true);
    Ok(())
}

/// `down_write_trylock(sem)`: true, and an acquire, if nobody has it or is in the queue.
pub fn down_write_trylock(sem: &RwSem) -> bool {
    let role = Role::TriesLock { shared: false };
    let taken = takes_free(sem, acquire("down_write_trylock", role));
    sem.with_mine(|mine| mine.writes |= taken);
    taken
}

/// `rwsem_write_trylock()`
fn takes_free(sem: &RwSem, access: Access) -> bool {
    sem.count.update_if(If::Equals(0), Rmw::Or(WRITER), access).is_ok()
}

/// `up_write(sem)`: release.
pub fn up_write(sem: &RwSem) {
    sem.must_be(|mine| mine.writes, "up_write");
    sem.with_mine(|mine| mine.writes = false);
    let access = release("up_write", Role::Unlocks { shared: false }).bits(WRITER);
    sem.count.update_void(Rmw::And(!WRITER), access);
    sem.wake();
}

/// `downgrade_write(sem)`: the writer becomes a reader, and nobody gets in between. Release.
pub fn downgrade_write(sem: &RwSem) {
    sem.must_be(|mine| mine.writes, "downgrade_write");
    sem.with_mine(|mine| (mine.writes, mine.reads) = (false, mine.reads + 1));
    let (bit, _) = sem.reader();
    let access = release("downgrade_write", Role::Downgrades).bits(bit | WRITER);
    sem.count.update_void(Rmw::Xor(bit | WRITER), access);
    sem.wake();
}

/// `rwsem_is_locked(sem)`: orders nothing.
pub fn rwsem_is_locked(sem: &RwSem) -> bool {
    let access = Access::relaxed("rwsem_is_locked").bits(WRITER | ALL_READERS);
    sem.count.load(access) & (WRITER | ALL_READERS) != 0
}

/// Whether the engine of this run has what waits for values: `down_read()` and the others need it.
pub fn has_rwsems() -> bool {
    abilities().waits_for_values
}
