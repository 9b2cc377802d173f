//! Turning panics over damaged files into errors.

use std::any::Any;
use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    /// Whether this thread is within [`guarded`].
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs code that only reads a file that may be damaged, and turns a panic into an error.
/// Parquet's reader trusts some offsets and lengths of a file and panics if they are wrong. Such
/// a panic is an error of the file like any other, so it is not printed.
///
/// # Errors
/// The errors of `read`; `InvalidData` with the panic's message if it panics.
pub fn guarded<T>(read: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !GUARDED.get() {
                previous(panic);
            }
        }));
    });
    let outer = GUARDED.replace(true);
    let result = caught(read);
    GUARDED.set(outer);
    result
}

/// Runs code that processes the content of a file. A panic is printed and becomes an error, so
/// that one file does not end a job.
pub(crate) fn caught<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(damaged(&*panic)))
}

fn damaged(panic: &(dyn Any + Send)) -> io::Error {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    let text = text.map(|text| format!(": {text}")).unwrap_or_default();
    io::Error::new(io::ErrorKind::InvalidData, format!("the file is damaged{text}"))
}
