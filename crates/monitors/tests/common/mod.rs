//! Events, tasks and executions for the tests of monitors.
#![allow(dead_code, reason = "each test file uses a part")]

use selvedge_trace::{
    Action, Class, Context, End, Event, Execution, Finding, Monitor, Name, Order, PathId, Paths,
    TaskInfo, Touch, Waiting,
};

pub const A: u32 = 0;
pub const B: u32 = 1;
pub const GUARD: u32 = 2;

pub fn event(task: u8, action: Action, object: u32) -> Event {
    Event {
        task,
        cpu: task,
        context: Context::Task,
        path: PathId::ROOT,
        call: 0,
        action,
        primitive: "primitive",
        object,
        name: if object < 256 { Name::new("object").nth(object as usize) } else { Name::new("") },
        class: Class::None,
        bit: None,
        order: Order::Relaxed,
        old: 0,
        new: 0,
        stale: false,
        racy: false,
        at: "",
        in_waker: false,
        touch: Touch::default(),
    }
}

pub fn tasks() -> Vec<TaskInfo> {
    let info =
        |cpu: u8| TaskInfo { name: format!("task{cpu}"), cpu: Some(cpu), context: Context::Task };
    (0..3).map(info).collect()
}

pub fn show(monitor: &mut impl Monitor, events: &[Event], end: &End) -> Option<Finding> {
    let (paths, tasks) = (Paths::default(), tasks());
    monitor.execution(&Execution { events, paths: &paths, tasks: &tasks, end })
}

pub fn waits(task: u8, object: u32) -> Waiting {
    let name = Name::new("object").nth(object as usize);
    let (primitive, path) = ("spin_lock", PathId::ROOT);
    Waiting { task, primitive, object, end_of: None, name, path, spins: false }
}
