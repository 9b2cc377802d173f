#![no_main]

libfuzzer_sys::fuzz_target!(
    // The lake turns a panic of its reader into an error: libFuzzer's own hook would end
    // the process before. What nobody turns into an error still ends it.
    init: std::panic::set_hook(Box::new(|_| ())),
    |bytes: &[u8]| cartwheel_fuzz::parquet(bytes)
);
