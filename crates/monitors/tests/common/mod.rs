//! Events, tasks and executions for the tests of monitors.
#![allow(dead_code, reason = "each test file uses a part")]

use selvedge_trace::{
    Action, Context, End, Event, Execution, Finding, Monitor, Name, PathId, Paths, TaskInfo,
    Waiting,
};

pub const A: u32 = 0;
pub const B: u32 = 1;
pub const GUARD: u32 = 2;

pub fn event(task: u8, action: Action, object: u32) -> Event {
    let name = if object < 256 { Name::new("object").nth(object as usize) } else { Name::new("") };
    Event { primitive: "primitive", name, ..Event::of(task, action, object) }
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
