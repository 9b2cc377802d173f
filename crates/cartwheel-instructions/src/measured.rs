//! What is counted.

/// The function whose instructions are counted. Its name is an argument of Valgrind.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
#[inline(never)]
pub fn cartwheel_measured(work: &mut dyn FnMut()) {
    work();
    // Keeps the call above from becoming a jump, after which Valgrind would not see the return.
    std::hint::black_box(());
}

/// Runs `work` twice: once so that nothing is done for the first time, and then measured.
pub fn measure(mut work: impl FnMut()) {
    work();
    cartwheel_measured(&mut work);
}
