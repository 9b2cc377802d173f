//! The memory allocator. Requests and folds allocate small and often: docs/performance.md.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Sets after how many milliseconds free pages go back to the system.
pub fn keep_free_pages(ms: std::ffi::c_long) {
    /// `mi_option_purge_delay` of mimalloc.h, for which the bindings have no name.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
    // SAFETY: sets a number.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, ms) };
}
