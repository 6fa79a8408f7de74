//! The kernel's memory model as relations between all events of a graph: its axioms, and what it
//! calls a data race. In the words of the crate's documentation, with the model's names.

use graph::Fence;

use super::brute::{Event, Graph, Tag, is_before};
use super::relation::Relation;
use super::{Change, WORDS};

/// The relations of the kernel's model.
pub struct Relations<'a> {
    events: &'a [Event],
    n: usize,
    po: Relation,
    rf: Relation,
    co: Relation,
    fr: Relation,
    int: Relation,
    rmw: Relation,
}

impl<'a> Relations<'a> {
    pub fn new(graph: &Graph<'a>) -> Relations<'a> {
        let events = graph.events;
        let n = events.len();
        let mut co = Relation::empty(n);
        for order in &graph.orders {
            for (i, &a) in order.iter().enumerate() {
                order[i + 1..].iter().for_each(|&b| co.add(a, b));
            }
        }
        let rf = Relation::of(n, |a, b| graph.from[b] == Some(a));
        let same_task = |a: usize, b: usize| {
            a == b || events[a].task == events[b].task && events[a].task != usize::MAX
        };
        Relations {
            events,
            n,
            po: Relation::of(n, |a, b| is_before(events, a, b)),
            fr: rf.inverse().then(&co),
            rf,
            co,
            int: Relation::of(n, same_task),
            rmw: Relation::of(n, |a, b| b == a + 1 && events[b].is_write_half),
        }
    }

    /// `[set]`
    fn on(&self, holds: impl Fn(&Event) -> bool) -> Relation {
        Relation::on(self.n, |e| holds(&self.events[e]))
    }

    fn tag(&self, tag: Tag) -> Relation {
        self.on(|event| event.tag == tag)
    }

    fn accesses(&self) -> Relation {
        self.on(|event| event.reads || event.writes)
    }

    fn com(&self) -> Relation {
        &(&self.rf | &self.co) | &self.fr
    }

    /// `a ; b ; c`, and so on.
    fn chain(&self, parts: &[&Relation]) -> Relation {
        let identity = Relation::on(self.n, |_| true);
        parts.iter().fold(identity, |chain, part| chain.then(part))
    }

    fn ext(&self, relation: &Relation) -> Relation {
        relation - &self.int
    }

    /// Does all happen in one order?
    pub fn is_total(&self) -> bool {
        (&self.po | &self.com()).is_acyclic()
    }

    /// Coherence of each word, and atomicity of updates.
    pub fn is_coherent(&self) -> bool {
        let same_word = Relation::of(self.n, |a, b| {
            let (a, b) = (self.events[a], self.events[b]);
            a.word == b.word && a.word != usize::MAX
        });
        let is_coherent = (&(&self.po & &same_word) | &self.com()).is_acyclic();
        let between = self.ext(&self.fr).then(&self.ext(&self.co));
        // A lock is taken right after it was given back (or made), by whomever.
        is_coherent && (&self.rmw & &between).is_empty()
    }

    /// An event of this barrier between two.
    fn fenced(&self, fence: Fence) -> Relation {
        self.chain(&[&self.po, &self.tag(Tag::Fence(fence)), &self.po])
    }

    /// From the last read before each address dependency to the access after it: to both halves of
    /// an update.
    fn addr(&self) -> Relation {
        let mut addr = Relation::empty(self.n);
        let of_task = |e: usize, x: usize| self.events[x].task == self.events[e].task;
        let is_dependency = |e: &usize| self.events[*e].tag == Tag::Fence(Fence::Address);
        for e in (0..self.n).filter(is_dependency) {
            let reads = |x: &usize| self.events[*x].reads && self.events[*x].tag != Tag::NoReturn;
            let accesses = |x: &usize| self.events[*x].reads || self.events[*x].writes;
            let read = (0..e).rev().find(|x| of_task(e, *x) && reads(x));
            let access = (e..self.n).find(|x| of_task(e, *x) && accesses(x));
            if let (Some(read), Some(access)) = (read, access) {
                addr.add(read, access);
                if access + 1 < self.n && self.events[access + 1].is_write_half {
                    addr.add(read, access + 1);
                }
            }
        }
        addr
    }

    fn po_unlock_lock_po(&self) -> Relation {
        let between = &self.po | &self.rf;
        self.chain(&[
            &self.po,
            &self.tag(Tag::Unlock),
            &between,
            &self.tag(Tag::LockRead),
            &self.po,
        ])
    }

    fn strong_fence(&self) -> Relation {
        let (m, po) = (self.accesses(), &self.po);
        let half = &self.on_updates();
        let maybe_po = po.maybe();
        let full = self.chain(&[&m, &self.fenced(Fence::Full), &m]);
        let before_atomic =
            self.chain(&[&m, &self.fenced(Fence::BeforeAtomic), half, &maybe_po, &m]);
        let after_atomic = self.chain(&[&m, &maybe_po, half, &self.fenced(Fence::AfterAtomic), &m]);
        let lock = self.tag(Tag::LockWrite);
        let after_lock = self.chain(&[&m, &maybe_po, &lock, &self.fenced(Fence::AfterLock), &m]);
        let after = self.tag(Tag::Fence(Fence::AfterUnlockLock));
        let handed_over = self.chain(&[&m, &self.po_unlock_lock_po(), &after, po, &m]);
        let grace_period = self.chain(&[po, &self.tag(Tag::GracePeriod), &maybe_po]);
        [before_atomic, after_atomic, after_lock, handed_over, grace_period]
            .iter()
            .fold(full, |all, more| &all | more)
    }

    /// `[RMW]`: both halves of updates, and the read of one that does not happen; taking a lock is
    /// none.
    fn on_updates(&self) -> Relation {
        let is_half = |e: usize| {
            self.events[e].is_failed_update
                || self.events[e].word < WORDS
                    && (0..self.n).any(|x| self.rmw.has(x, e) || self.rmw.has(e, x))
        };
        Relation::on(self.n, is_half)
    }

    /// All that the axioms are about.
    pub fn kernel(&self) -> Kernel<'_> {
        let po = &self.po;
        let m = self.accesses();
        let w = self.on(|event| event.writes);
        let marked = self.on(|event| !event.is_plain);
        let ordered_reads = self.on(|event| event.reads && event.tag != Tag::NoReturn);
        let releases = self.on(|event| matches!(event.tag, Tag::Release | Tag::Unlock));
        let acquires = self.on(|event| matches!(event.tag, Tag::Acquire | Tag::LockRead));
        let acq_po = self.chain(&[&acquires, po, &m]);
        let po_rel = self.chain(&[&m, po, &releases]);
        let rmb = self.chain(&[&ordered_reads, &self.fenced(Fence::Read), &ordered_reads]);
        let wmb = self.chain(&[&w, &self.fenced(Fence::Write), &w]);
        let strong = self.strong_fence();
        let nonrw = &(&strong | &po_rel) | &acq_po;
        let fence = &(&nonrw | &wmb) | &rmb;
        let handed_over = self.po_unlock_lock_po();
        let (rfe, rfi) = (self.ext(&self.rf), &self.rf & &self.int);

        let computes = |event: &Event| {
            event.is_write_half && matches!(event.change, Change::Add(_) | Change::AddVoid(_))
        };
        let data = self.rmw.then(&self.on(computes));
        let control = self.chain(&[&ordered_reads, &self.fenced(Fence::Control), &w]);
        let overwrite = &self.co | &self.fr;
        let addr = self.addr();
        let plain = self.on(|event| event.is_plain);
        let to_r = &self.chain(&[&(&data | &addr), &marked, &rfi]) | &addr;
        let to_w = &(&data | &control) | &(&overwrite & &self.int);
        let to_w = &to_w | &self.chain(&[&addr, &plain, &wmb]);
        let ppo = &(&to_r | &to_w) | &(&(&fence | &handed_over) & &self.int);

        let cumulative = rfe.then(&marked).maybe().then(&(&strong | &po_rel));
        let rmw_sequence = self.rf.then(&self.rmw).star();
        let one = &(&cumulative | &wmb) | &handed_over;
        let cumul_fence = self.chain(&[&marked, &one, &marked, &rmw_sequence]);
        let prop = self.chain(&[
            &marked,
            &self.ext(&overwrite).maybe(),
            &cumul_fence.star(),
            &marked,
            &rfe.maybe(),
            &marked,
        ]);
        let identity = Relation::on(self.n, |_| true);
        let step = &(&ppo | &rfe) | &(&(&prop - &identity) & &self.int);
        let hb = self.chain(&[&marked, &step, &marked]);
        let pb = self.chain(&[&prop, &strong, &hb.star(), &marked]);
        let rcu_fence = self.rcu_fence(&hb, &pb, &prop);
        let rb = self.chain(&[&prop, &rcu_fence, &hb.star(), &pb.star(), &marked]);
        Kernel {
            relations: self,
            marked,
            rfe,
            rmw_sequence,
            strong: &strong | &rcu_fence,
            nonrw,
            fence: &fence | &rcu_fence,
            addr,
            cumul_fence,
            hb,
            pb,
            rb,
        }
    }

    /// Chains of grace periods and sections.
    fn rcu_fence(&self, hb: &Relation, pb: &Relation, prop: &Relation) -> Relation {
        let po = &self.po;
        let gp = self.tag(Tag::GracePeriod);
        let section = self.sections().inverse();
        let link = self.chain(&[&po.maybe(), &hb.star(), &pb.star(), prop, po]);
        let mut order = gp.clone();
        loop {
            let around = [
                self.chain(&[&gp, &link, &section]),
                self.chain(&[&section, &link, &gp]),
                self.chain(&[&gp, &link, &order, &link, &section]),
                self.chain(&[&section, &link, &order, &link, &gp]),
                self.chain(&[&order, &link, &order]),
            ];
            let more = around.iter().fold(order.clone(), |all, more| &all | more);
            if more == order {
                return self.chain(&[po, &order, &po.maybe()]);
            }
            order = more;
        }
    }

    /// Matching beginnings and ends of sections.
    fn sections(&self) -> Relation {
        let mut sections = Relation::empty(self.n);
        let mut begun: Vec<usize> = Vec::new();
        for (e, event) in self.events.iter().enumerate() {
            begun.retain(|&b| self.events[b].task == event.task);
            match event.tag {
                Tag::SectionBegins => begun.push(e),
                Tag::SectionEnds => {
                    if let Some(b) = begun.pop() {
                        sections.add(b, e);
                    }
                }
                _ => {}
            }
        }
        sections
    }
}

/// The relations of the axioms, and of races.
pub struct Kernel<'a> {
    relations: &'a Relations<'a>,
    marked: Relation,
    rfe: Relation,
    rmw_sequence: Relation,
    strong: Relation,
    nonrw: Relation,
    fence: Relation,
    addr: Relation,
    cumul_fence: Relation,
    hb: Relation,
    pb: Relation,
    rb: Relation,
}

/// What makes sure that an access is over, and seen, before another: of two writes, a write before
/// a read, and a read before a write.
struct Visible {
    ww: Relation,
    wr: Relation,
    rw: Relation,
}

impl Kernel<'_> {
    /// The axioms beyond coherence and atomicity.
    pub fn holds(&self) -> bool {
        self.hb.is_acyclic()
            && self.pb.is_acyclic()
            && self.rb.is_irreflexive()
            && self.is_plainly_coherent()
    }

    fn visible(&self) -> Visible {
        let r = self.relations;
        let read_barrier = r.fenced(Fence::Read);
        let ordered = r.on(|event| event.reads && event.tag != Tag::NoReturn);
        let returning = r.on(|event| event.tag != Tag::NoReturn);
        let (rmb_before, rmb_after) = (
            r.chain(&[&ordered, &read_barrier, &returning]),
            r.chain(&[&returning, &read_barrier, &ordered]),
        );
        let xb = (&(&self.hb | &self.pb) | &self.rb).star();
        let vis = r.chain(&[
            &self.cumul_fence.star(),
            &self.rfe.maybe(),
            &self.marked,
            &(&r.chain(&[&self.strong, &self.marked, &xb]) | &(&xb & &r.int)),
        ]);
        let w_pre = self.marked.then(&(&self.fence | &self.addr).maybe());
        let r_pre = &(&self.nonrw | &self.addr) | &rmb_before;
        let r_pre = self.marked.then(&r_pre.maybe());
        let w_post = r.chain(&[&self.fence.maybe(), &self.marked, &self.rmw_sequence]);
        let r_post = (&self.nonrw | &rmb_after).maybe().then(&self.marked);
        let before = |pre: &Relation| {
            let strongly = r.chain(&[&self.strong, &xb, pre]);
            &(&self.fence | &strongly) | &r.chain(&[&w_post, &vis, pre])
        };
        Visible {
            ww: before(&w_pre),
            wr: before(&r_pre),
            rw: &self.fence | &r.chain(&[&r_post, &xb, &w_pre]),
        }
    }

    /// Accesses of different tasks, one of them plain. An initial write is over before all.
    fn may_race(&self) -> Relation {
        let events = self.relations.events;
        let may_race = Relation::of(self.relations.n, |a, b| {
            let (a, b) = (events[a], events[b]);
            let are_accesses = (a.reads || a.writes) && (b.reads || b.writes);
            let is_initial = a.task == usize::MAX;
            are_accesses && (a.is_plain || !is_initial && b.is_plain)
        });
        self.relations.ext(&may_race)
    }

    /// No plain access goes against an order that the model guarantees for it.
    fn is_plainly_coherent(&self) -> bool {
        let r = self.relations;
        let Visible { ww, wr, rw } = self.visible();
        let against = [&r.rf & &rw.inverse(), &r.fr & &wr.inverse(), &r.co & &ww.inverse()];
        against.iter().all(|against| (&self.may_race() & against).is_empty())
    }

    pub fn is_racy(&self) -> bool {
        let r = self.relations;
        let events = r.events;
        let Visible { ww, wr, rw } = self.visible();
        let is_marked = |e: usize| !events[e].is_plain;
        let over = Relation::of(r.n, |a, b| is_marked(a) || rw.has(a, b));
        let seen = Relation::of(r.n, |a, b| is_marked(b) || wr.has(a, b));
        let ww_nonrace = &(&ww & &over) & &seen;
        let may_race = self.may_race();
        let ww_race = &(&may_race & &r.co) - &ww_nonrace;
        let read_later = r.co.maybe().then(&r.rf);
        let wr_race = &(&(&may_race & &read_later) - &wr) - &rw.inverse();
        let rw_race = &(&may_race & &r.fr) - &rw;
        [ww_race, wr_race, rw_race].iter().any(|race| !race.is_empty())
    }
}
