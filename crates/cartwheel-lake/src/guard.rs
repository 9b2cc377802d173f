//! Readers that panic over damaged files.

use std::any::Any;
use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    /// Whether a panic of this thread is an error of the file that it reads.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs what reads a file that may be damaged, and nothing else. Parquet's reader trusts
/// some offsets and lengths of a file and panics over wrong ones: that is an error of the
/// file like any other, and not printed.
///
/// # Errors
/// Those of `read`; `InvalidData` with the panic's message when it panics.
pub fn guarded<T>(read: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !GUARDED.get() {
                others(panic);
            }
        }));
    });
    let outer = GUARDED.replace(true);
    let result = caught(read);
    GUARDED.set(outer);
    result
}

/// Runs what works on what was read: its panic is printed, and an error all the same, so
/// that one file ends no job.
pub(crate) fn caught<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(damaged(&*panic)))
}

fn damaged(panic: &(dyn Any + Send)) -> io::Error {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    let text = text.map(|text| format!(": {text}")).unwrap_or_default();
    io::Error::new(io::ErrorKind::InvalidData, format!("the file is damaged{text}"))
}
