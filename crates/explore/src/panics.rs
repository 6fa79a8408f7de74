//! A panic of a model is a verdict, and is not printed as it happens.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic;
use std::sync::Once;

thread_local! {
    static SILENT: Cell<u32> = const { Cell::new(0) };
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Makes this thread's panics silent where [`silently`] says so. Other panics go where they went.
pub(crate) fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // shuttle installs a hook of its own with its first run. From then on it would print the
        // last schedule with every panic of the process, also with a failed assertion of a test
        // that has explored something before: it is taken away again.
        let previous = panic::take_hook();
        shuttle::check_random(|| {}, 1);
        panic::set_hook(Box::new(move |info| {
            if SILENT.get() == 0 {
                return previous(info);
            }
            let place = info.location().map(|l| format!(" at {}:{}", l.file(), l.line()));
            let text = payload_text(info.payload());
            LAST.replace(format!("{text}{}", place.unwrap_or_default()));
        }));
    });
}

/// While it lives, what panics on this thread is remembered, not printed.
pub(crate) struct Silence(());

impl Silence {
    pub(crate) fn begin() -> Silence {
        SILENT.set(SILENT.get() + 1);
        Silence(())
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        SILENT.set(SILENT.get() - 1);
    }
}

/// Runs `f`; what panics in it is remembered, not printed.
pub(crate) fn silently<R>(f: impl FnOnce() -> R) -> R {
    let _silence = Silence::begin();
    f()
}

/// What the panic said, with its place if the hook saw it.
pub(crate) fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload_text(payload);
    let seen = LAST.take();
    if seen.starts_with(&text) && !seen.is_empty() { seen } else { text }
}

fn payload_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|s| (*s).to_string());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".into())
}
