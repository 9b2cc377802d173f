#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cartwheel_fuzz::rules(bytes));
