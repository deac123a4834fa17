//! Measures the boxes of one record, 4096 bytes and 18, sealed and opened by the newest libsodium. One JSON object a line.

use libsodium_sys::{crypto_secretbox_detached, crypto_secretbox_open_detached, sodium_init, sodium_version_string};
use std::ffi::CStr;
use std::hint::black_box;
use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_millis(300);
const RECORD: usize = 4096;
const HEADER: usize = 18;
/// Records between two looks at the clock.
const BATCH: usize = 16;

const KEY: [u8; 32] = [7; 32];
const NONCE: [u8; 24] = [3; 24];

struct Boxed {
    cipher: Vec<u8>,
    tag: [u8; 16],
}

fn seal(plain: &[u8], out: &mut Boxed) {
    // SAFETY: the lengths are those of the buffers, and libsodium is initialised in `main`.
    unsafe {
        crypto_secretbox_detached(
            out.cipher.as_mut_ptr(),
            out.tag.as_mut_ptr(),
            plain.as_ptr(),
            plain.len() as u64,
            NONCE.as_ptr(),
            KEY.as_ptr(),
        );
    }
}

fn open(boxed: &Boxed, plain: &mut [u8]) {
    assert_eq!(boxed.cipher.len(), plain.len());
    // SAFETY: as above.
    let result = unsafe {
        crypto_secretbox_open_detached(
            plain.as_mut_ptr(),
            boxed.cipher.as_ptr(),
            boxed.tag.as_ptr(),
            plain.len() as u64,
            NONCE.as_ptr(),
            KEY.as_ptr(),
        )
    };
    assert_eq!(result, 0, "authentic");
}

fn megabytes(mut work: impl FnMut()) -> f64 {
    work();
    let start = Instant::now();
    let mut bytes = 0;
    while start.elapsed() < PERIOD {
        for _ in 0..BATCH {
            work();
        }
        bytes += BATCH * RECORD;
    }
    bytes as f64 / start.elapsed().as_secs_f64() / 1e6
}

fn main() {
    // SAFETY: nothing else runs yet; the version is a constant text.
    let version = unsafe {
        assert!(sodium_init() >= 0, "libsodium starts");
        CStr::from_ptr(sodium_version_string())
    };
    let version = version.to_string_lossy();
    let empty = |len| Boxed {
        cipher: vec![0; len],
        tag: [0; 16],
    };
    let (mut body, mut header) = (empty(RECORD), empty(HEADER));
    let (mut record, mut small) = (vec![5; RECORD], vec![5; HEADER]);
    let sealing = megabytes(|| {
        seal(black_box(&record), &mut body);
        seal(black_box(&small), &mut header);
        black_box((&body.tag, &header.tag));
    });
    let opening = megabytes(|| {
        open(black_box(&header), &mut small);
        open(black_box(&body), &mut record);
        black_box((&record, &small));
    });
    for (name, value) in [("seal", sealing), ("open", opening)] {
        let name = format!("libsodium: {name}");
        println!(
            "{}",
            serde_json::json!({ "name": name, "value": value, "unit": "MB/s", "version": version })
        );
    }
}
