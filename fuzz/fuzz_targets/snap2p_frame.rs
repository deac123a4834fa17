#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    handfast_snap2p::check::varint(data);
    handfast_snap2p::check::frame(data);
});
