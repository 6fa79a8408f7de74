//! Data races, as the kernel's model defines them: two accesses of different tasks to one word, one
//! at least a write, one at least plain, and nothing makes sure that the one is over, and visible
//! to the other task, when the other begins.
//!
//! Most pairs are ordered by a release and an acquire, a lock, or a spawn or join, and that is
//! quickly seen. For the others the definition is evaluated as it stands. There, unlike in
//! `rows.rs`, no order comes from plain accesses: the compiler may do with them what it wants.
//!
//! That the search takes plain accesses to be ordered like marked ones loses no race. If a plain
//! access makes a difference, an edge of reads-from, coherence or from-reads between it and another
//! task's access is part of an order that the kernel's model does not know; the first such edge is
//! a race by itself, and the part of the graph up to there is the same with both. In a program
//! without races there is no such edge. (Tested on random programs.)

use crate::bits::Bits;
use crate::event::{Event, NONE, mark};
use crate::graph::Graph;
use crate::matrix::Matrix;

impl<const W: usize> Graph<W> {
    /// Two events that race, the one that comes first by coherence or reads-from before the other.
    pub(crate) fn race(&self) -> Option<(usize, usize)> {
        let conflicts = self.unordered_conflicts();
        if conflicts.is_empty() {
            return None;
        }
        let relations = Relations::new(self);
        let visible = relations.visible();
        conflicts.into_iter().find(|&(a, b)| relations.is_race(&visible, a, b))
    }

    /// Conflicting accesses, one of them plain, that no chain of releases and acquires orders. Of a
    /// pair the first is the one that is read from, or overwritten.
    fn unordered_conflicts(&self) -> Vec<(usize, usize)> {
        let events = &self.shape.events;
        let mut plain = events.iter().enumerate().filter(|(_, event)| event.has(mark::PLAIN));
        if plain.by_ref().next().is_none() {
            return Vec::new();
        }
        let synchronized = self.synchronized();
        let mut conflicts = Vec::new();
        for (a, event) in events.iter().enumerate().filter(|(_, event)| event.has(mark::PLAIN)) {
            let same_word = self.of_word[usize::from(event.word)];
            let others = same_word.minus(&self.of_task[usize::from(event.task)]);
            for b in others.iter() {
                let other = &events[b];
                let is_seen_before = other.has(mark::PLAIN) && b < a;
                let conflict = (event.is_write() || other.is_write()) && !is_seen_before;
                if conflict && !synchronized[a].has(b) && !synchronized[b].has(a) {
                    conflicts.push(if self.is_earlier(a, b) { (a, b) } else { (b, a) });
                }
            }
        }
        conflicts
    }

    /// Does `a` come before `b` by coherence, reads-from (of it or of an earlier write), or
    /// from-reads? They conflict.
    fn is_earlier(&self, a: usize, b: usize) -> bool {
        let (first, second) = (&self.shape.events[a], &self.shape.events[b]);
        let place = |id: usize, event: &Event| {
            let write = if event.is_write() { id as u16 } else { event.from };
            self.shape.place(event.word, write)
        };
        let (first, is_write) = (place(a, first), second.is_write());
        let second = place(b, second);
        first < second || first == second && !is_write
    }

    /// For each event, those that come before it by program order, and by releases that are
    /// acquired, perhaps from a later update in a chain of updates.
    fn synchronized(&self) -> Vec<Bits<W>> {
        let mut before = vec![Bits::EMPTY; self.len()];
        // For each write, what an acquire that reads from it gets.
        let mut released = vec![Bits::EMPTY; self.len()];
        for &id in &self.shape.order {
            let id = usize::from(id);
            let event = &self.shape.events[id];
            let mut all = Bits::EMPTY;
            if let Some(last) = self.shape.before(event) {
                all = before[last].with(last);
            }
            if event.is_read() && event.from != NONE && self.acquires(event) {
                all.add(&released[usize::from(event.from)]);
            }
            before[id] = all;
            if event.has(mark::RELEASE | mark::FULL_AFTER) {
                released[id] = all.with(id);
            }
            if event.is_write() && event.has(mark::UPDATE) {
                let from = self.shape.event(self.shape.read_half(event)).from;
                if from != NONE {
                    let carried = released[usize::from(from)];
                    released[id].add(&carried);
                }
            }
        }
        before
    }

    /// Is everything after this read ordered after it? An acquire, or an update with full barriers.
    fn acquires(&self, read: &Event) -> bool {
        let write = |read: &Event| {
            self.shape.nth(read.task, read.index + 2).map(|id| &self.shape.events[id])
        };
        read.has(mark::ACQUIRE)
            || read.has(mark::UPDATE)
                && write(read).is_some_and(|write| write.has(mark::FULL_AFTER))
    }
}

/// The relations of the kernel's model, of a whole graph. The names are the model's.
struct Relations<'a, const W: usize> {
    graph: &'a Graph<W>,
    marked: Matrix<W>,
    po: Matrix<W>,
    rfe: Matrix<W>,
    int: Matrix<W>,
    co: Matrix<W>,
    fr: Matrix<W>,
    rmw_sequence: Matrix<W>,
    /// Address dependencies.
    addr: Matrix<W>,
    /// Barriers: strong ones; what stops reads and writes; and all.
    strong: Matrix<W>,
    nonrw: Matrix<W>,
    fence: Matrix<W>,
    cumul_fence: Matrix<W>,
    xbstar: Matrix<W>,
}

/// When accesses are over and visible: what orders a write before a write, a write before a read,
/// and a read before a write.
struct Visible<const W: usize> {
    ww: Matrix<W>,
    wr: Matrix<W>,
    rw: Matrix<W>,
}

impl<'a, const W: usize> Relations<'a, W> {
    fn new(graph: &'a Graph<W>) -> Self {
        let n = graph.len();
        let events = &graph.shape.events;
        let po = Matrix::of(n, |a, b| {
            events[a].task == events[b].task && events[a].index < events[b].index
        });
        let int = Matrix::of(n, |a, b| events[a].task == events[b].task);
        let rf = Matrix::of(n, |a, b| events[b].is_read() && usize::from(events[b].from) == a);
        let mut co = Matrix::empty(n);
        for word in &graph.shape.words {
            for (place, &a) in word.writes.iter().enumerate() {
                let later = word.writes[place + 1..].iter();
                later.for_each(|&b| co.add(usize::from(a), usize::from(b)));
            }
        }
        let fr = Matrix::of(n, |a, b| {
            let (read, write) = (&events[a], &events[b]);
            let conflict = read.is_read() && write.is_write() && read.word == write.word;
            conflict
                && read.word != NONE
                && graph.shape.place(read.word, read.from) < graph.shape.place(write.word, b as u16)
        });
        let rmw = Matrix::of(n, |a, b| {
            let write = &events[b];
            write.is_write()
                && write.has(mark::UPDATE)
                && events[a].task == write.task
                && events[a].index + 1 == write.index
        });
        let addr = Matrix::of(n, |a, b| {
            events[a].task == events[b].task && events[a].index + 1 == events[b].reach.address
        });
        let mut relations = Relations {
            graph,
            addr,
            marked: Matrix::on(n, |e| !events[e].has(mark::PLAIN)),
            rfe: rf.minus(&int),
            rmw_sequence: rf.then(&rmw).star(),
            po,
            int,
            co,
            fr,
            strong: Matrix::empty(n),
            nonrw: Matrix::empty(n),
            fence: Matrix::empty(n),
            cumul_fence: Matrix::empty(n),
            xbstar: Matrix::empty(n),
        };
        relations.fill(&rmw);
        relations
    }

    fn n(&self) -> usize {
        self.graph.len()
    }

    fn events(&self) -> &'a [Event] {
        &self.graph.shape.events
    }

    /// `a ; b ; c`, and so on.
    fn chain(parts: &[&Matrix<W>]) -> Matrix<W> {
        let (first, rest) = parts.split_first().expect("a chain has parts");
        rest.iter().fold((*first).clone(), |chain, part| chain.then(part))
    }

    /// Events that a barrier covers, before events after it.
    fn covered(
        &self,
        reach: impl Fn(&Event) -> u16,
        holds: impl Fn(&Event, &Event) -> bool,
    ) -> Matrix<W> {
        let events = self.events();
        Matrix::of(self.n(), |a, b| {
            let (a, b) = (&events[a], &events[b]);
            a.task == b.task && a.index < reach(b) && holds(a, b)
        })
    }

    fn fill(&mut self, rmw: &Matrix<W>) {
        let events = self.events();
        let handed_over = self.handed_over();
        let strong = self.covered(|e| e.reach.strong, |_, _| true).or(&self.crossed());
        let is_ordered = |a: &Event, b: &Event| a.is_ordered_read() && b.is_ordered_read();
        let rmb = self.covered(|e| e.reach.read, is_ordered);
        let wmb = self.covered(|e| e.reach.write, |a, b| a.is_write() && b.is_write());
        let control = self.covered(|e| e.reach.control, |a, b| a.is_ordered_read() && b.is_write());
        let releases = Matrix::on(self.n(), |e| events[e].has(mark::RELEASE));
        let acquires = Matrix::on(self.n(), |e| events[e].has(mark::ACQUIRE));
        let po_rel = self.po.then(&releases);
        let acq_po = acquires.then(&self.po);
        let nonrw = strong.or(&po_rel).or(&acq_po);
        let fence = nonrw.or(&wmb).or(&rmb);
        let marked = &self.marked;
        let overwrite = self.co.or(&self.fr);
        let computed = Matrix::on(self.n(), |e| events[e].has(mark::COMPUTED));
        let rfi =
            Matrix::of(self.n(), |a, b| events[b].is_read() && usize::from(events[b].from) == a)
                .and(&self.int);
        let addr = &self.addr;
        let dependent = rmw.then(&computed).or(addr).then(marked).then(&rfi);
        let plain = Matrix::on(self.n(), |e| events[e].has(mark::PLAIN));
        let dependent = dependent.or(addr).or(&addr.then(&plain).then(&wmb));
        let ppo = fence.or(&handed_over).and(&self.int);
        let ppo = ppo.or(&control).or(&dependent).or(&overwrite.and(&self.int));

        let cumulative = self.rfe.then(marked).maybe().then(&strong.or(&po_rel));
        let one = cumulative.or(&wmb).or(&handed_over);
        let cumul_fence = Self::chain(&[marked, &one, marked, &self.rmw_sequence]);
        let prop = Self::chain(&[
            marked,
            &overwrite.minus(&self.int).maybe(),
            &cumul_fence.star(),
            marked,
            &self.rfe.maybe(),
            marked,
        ]);
        let back = prop.minus(&Matrix::on(self.n(), |_| true)).and(&self.int);
        let hb = Self::chain(&[marked, &ppo.or(&self.rfe).or(&back), marked]);
        let pb = Self::chain(&[&prop, &strong, &hb.star(), marked]);
        let rcu = self.rcu_fence(&hb, &pb, &prop);
        let rb = Self::chain(&[&prop, &rcu, &hb.star(), &pb.star(), marked]);
        self.xbstar = hb.or(&pb).or(&rb).star();
        self.strong = strong.or(&rcu);
        self.fence = fence.or(&rcu);
        self.nonrw = nonrw;
        self.cumul_fence = cumul_fence;
    }

    /// po-unlock-lock-po.
    fn handed_over(&self) -> Matrix<W> {
        let events = self.events();
        let unlocks = Matrix::on(self.n(), |e| events[e].has(mark::UNLOCK));
        let locks = Matrix::on(self.n(), |e| events[e].is_read() && events[e].has(mark::LOCK));
        let between = self.po.or(&self.rfe);
        Self::chain(&[&self.po, &unlocks, &between, &locks, &self.po])
    }

    /// Strong fences by a barrier after unlock and lock, from another task.
    fn crossed(&self) -> Matrix<W> {
        let events = self.events();
        let after = Matrix::on(self.n(), |e| events[e].has(mark::AFTER_UNLOCK_LOCK));
        self.handed_over().then(&after).then(&self.po.maybe())
    }

    /// Chains of grace periods and sections, with what is before and after them.
    fn rcu_fence(&self, hb: &Matrix<W>, pb: &Matrix<W>, prop: &Matrix<W>) -> Matrix<W> {
        if self.graph.grace_periods == 0 {
            return Matrix::empty(self.n());
        }
        let (gp, section) = self.graph.grace_periods_and_sections();
        let maybe_po = self.po.maybe();
        let link = Self::chain(&[&maybe_po, &hb.star(), &pb.star(), prop, &self.po]);
        let mut order = gp.clone();
        loop {
            let inner = Self::chain(&[&link, &order, &link]).or(&link);
            let more = order
                .or(&Self::chain(&[&gp, &inner, &section]))
                .or(&Self::chain(&[&section, &inner, &gp]))
                .or(&Self::chain(&[&order, &link, &order]));
            if more == order {
                break;
            }
            order = more;
        }
        Self::chain(&[&self.po, &order, &maybe_po])
    }

    fn visible(&self) -> Visible<W> {
        let marked = &self.marked;
        let rmb_before = self
            .covered(|e| e.reach.read, |a, b| a.is_ordered_read() && !b.has(mark::RETURNS_NOTHING));
        let rmb_after = self
            .covered(|e| e.reach.read, |a, b| !a.has(mark::RETURNS_NOTHING) && b.is_ordered_read());
        let w_pre = marked.then(&self.fence.or(&self.addr).maybe());
        let r_pre = marked.then(&self.nonrw.or(&self.addr).or(&rmb_before).maybe());
        let w_post = Self::chain(&[&self.fence.maybe(), marked, &self.rmw_sequence]);
        let r_post = self.nonrw.or(&rmb_after).maybe().then(marked);
        let strongly = Self::chain(&[&self.strong, marked, &self.xbstar]);
        let vis = Self::chain(&[
            &self.cumul_fence.star(),
            &self.rfe.maybe(),
            marked,
            &strongly.or(&self.xbstar.and(&self.int)),
        ]);
        let strong = self.strong.then(&self.xbstar);
        let after_write = w_post.then(&vis);
        Visible {
            ww: self.fence.or(&strong.then(&w_pre)).or(&after_write.then(&w_pre)),
            wr: self.fence.or(&strong.then(&r_pre)).or(&after_write.then(&r_pre)),
            rw: self.fence.or(&Self::chain(&[&r_post, &self.xbstar, &w_pre])),
        }
    }

    /// Do two conflicting accesses, of which the first comes first, race?
    fn is_race(&self, visible: &Visible<W>, a: usize, b: usize) -> bool {
        let (first, second) = (&self.events()[a], &self.events()[b]);
        let Visible { ww, wr, rw } = visible;
        if first.is_write() && second.is_write() {
            let is_over = !first.has(mark::PLAIN) || rw.has(a, b);
            let is_seen = !second.has(mark::PLAIN) || wr.has(a, b);
            !(ww.has(a, b) && is_over && is_seen)
        } else if first.is_write() {
            !wr.has(a, b) && !rw.has(b, a)
        } else {
            !rw.has(a, b)
        }
    }
}
