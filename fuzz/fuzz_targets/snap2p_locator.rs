#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| handfast_snap2p::check::locator(data));
