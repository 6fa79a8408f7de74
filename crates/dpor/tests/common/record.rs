//! An observer that writes down how every execution ended, and its schedule.

use std::cell::RefCell;
use std::rc::Rc;

use dpor::{End, Next, Observer, Step};

pub type Ends = Rc<RefCell<Vec<(End, Vec<Step>)>>>;

struct Record(Ends);

impl Observer for Record {
    fn execution_ended(&mut self, end: &End, schedule: &[Step]) -> Next {
        self.0.borrow_mut().push((end.clone(), schedule.to_vec()));
        Next::Continue
    }
}

/// The observer, and where it writes.
pub fn record() -> (Ends, Box<dyn Observer>) {
    let ends = Ends::default();
    (ends.clone(), Box::new(Record(ends)))
}
