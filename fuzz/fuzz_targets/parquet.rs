#![no_main]

libfuzzer_sys::fuzz_target!(
    // The lake turns a panic of its Parquet reader into an error. libFuzzer's hook would end
    // the process before that. Panics that are not caught still end it.
    init: std::panic::set_hook(Box::new(|_| ())),
    |bytes: &[u8]| cartwheel_fuzz::parquet(bytes)
);
