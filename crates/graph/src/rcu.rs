//! The axiom of grace periods: a chain of grace periods and read-side critical sections, with at
//! least as many of the former as of the latter, is a strong fence, and closes no cycle.

use crate::bits::Bits;
use crate::event::Kind;
use crate::graph::Graph;
use crate::matrix::Matrix;

/// A grace period, or the outermost of nested sections. A chain enters a section at its end and
/// leaves it at its beginning: what is after the beginning may be before the grace period.
struct Link<const W: usize> {
    is_grace_period: bool,
    task: usize,
    /// How many events of the task come before the point where a chain enters.
    enter: usize,
    /// The event at which a chain leaves.
    leave: usize,
    /// Events from which a way (`happens-before`, `propagates-before`, `propagates`, program
    /// order) leads to where a chain enters.
    from: Bits<W>,
}

impl<const W: usize> Link<W> {
    fn new(is_grace_period: bool, task: usize, enter: usize, leave: usize) -> Self {
        Link { is_grace_period, task, enter, leave, from: Bits::EMPTY }
    }
}

impl<const W: usize> Graph<W> {
    /// Can the axiom of grace periods be broken at all?
    pub(crate) fn waits_for_readers(&self) -> bool {
        self.grace_periods > 0 && self.sections > 0
    }

    /// The axiom. Rows of the kernel's model must be fresh. A section that has not ended reaches to
    /// the end of its task: it is still open if the task waits for good.
    pub(crate) fn grace_periods_wait(&self) -> bool {
        if !self.waits_for_readers() {
            return true;
        }
        let mut links = self.links();
        for link in &mut links {
            link.from = self.ways_to(link);
        }
        let follows = matrix(&links, |a, b| self.follows(a, b));
        let orders = orders(&links, &follows);
        let count = links.len();
        !(0..count).any(|a| (0..count).any(|b| orders[a][b] && follows[b][a]))
    }

    /// All of them; which ways lead there is not known yet.
    fn links(&self) -> Vec<Link<W>> {
        let mut links = Vec::new();
        for (task, events) in self.shape.tasks.iter().enumerate() {
            let mut begun = Vec::new();
            for (index, &id) in events.iter().enumerate() {
                match self.shape.event(id).kind {
                    Kind::GracePeriod => links.push(Link::new(true, task, index, index)),
                    Kind::SectionBegins => begun.push(index),
                    Kind::SectionEnds => {
                        if let Some(leave) = begun.pop()
                            && begun.is_empty()
                        {
                            links.push(Link::new(false, task, index, leave));
                        }
                    }
                    _ => {}
                }
            }
            if let Some(&leave) = begun.first() {
                links.push(Link::new(false, task, events.len(), leave));
            }
        }
        links
    }

    /// Each grace period to itself, and each end of a section (or the last event of its task) to
    /// its beginning.
    pub(crate) fn grace_periods_and_sections(&self) -> (Matrix<W>, Matrix<W>) {
        let events = &self.shape.events;
        let periods = Matrix::on(self.len(), |e| events[e].kind == Kind::GracePeriod);
        let mut sections = Matrix::empty(self.len());
        for link in self.links().iter().filter(|link| !link.is_grace_period) {
            let task = &self.shape.tasks[link.task];
            let end = task.get(link.enter).or(task.last()).expect("a section has begun");
            sections.add(usize::from(*end), usize::from(task[link.leave]));
        }
        (periods, sections)
    }

    /// See [`Link::from`].
    fn ways_to(&self, link: &Link<W>) -> Bits<W> {
        let Some(last) = self.shape.nth(link.task as u16, link.enter as u16) else {
            return Bits::EMPTY;
        };
        let near = self.rows[last].all_propagates;
        let far = near.or(&self.comes_before(&near));
        far.iter().fold(far, |all, x| all.or(&self.rows[x].happens))
    }

    /// Does a way lead from where a chain leaves `a` to where it enters `b`?
    fn follows(&self, a: &Link<W>, b: &Link<W>) -> bool {
        let after = &self.shape.tasks[a.task][a.leave + 1..];
        a.task == b.task && a.leave < b.enter || after.iter().any(|&x| b.from.has(usize::from(x)))
    }
}

fn matrix<const W: usize>(
    links: &[Link<W>],
    holds: impl Fn(&Link<W>, &Link<W>) -> bool,
) -> Vec<Vec<bool>> {
    links.iter().map(|a| links.iter().map(|b| holds(a, b)).collect()).collect()
}

/// From which link to which is there a chain with no more sections than grace periods?
fn orders<const W: usize>(links: &[Link<W>], follows: &[Vec<bool>]) -> Vec<Vec<bool>> {
    let count = links.len();
    let mut orders = matrix(links, |a, b| std::ptr::eq(a, b) && a.is_grace_period);
    loop {
        let mut more = orders.clone();
        for a in 0..count {
            for b in 0..count {
                let is_mixed = links[a].is_grace_period != links[b].is_grace_period;
                let around = || follows[a][b] || joined(&follows[a], &orders, |y| follows[y][b]);
                more[a][b] |= is_mixed && around();
                more[a][b] |= joined(&orders[a], follows, |y| orders[y][b]);
            }
        }
        if more == orders {
            return orders;
        }
        orders = more;
    }
}

/// Does a way lead through one of `first`, then by `middle`, to one that `last` holds of?
fn joined(first: &[bool], middle: &[Vec<bool>], last: impl Fn(usize) -> bool) -> bool {
    (0..first.len()).any(|x| first[x] && (0..first.len()).any(|y| middle[x][y] && last(y)))
}
