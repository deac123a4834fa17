//! Recorded from the JavaScript originals; the files say how.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use handfast_stack::camel_case;

#[test]
fn names_are_camel_cased_as_the_original_does_it() {
    let file: serde_json::Value = serde_json::from_str(include_str!("vectors/camel-case.json")).unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    assert!(vectors.len() > 500);
    for vector in vectors {
        let name = vector["name"].as_str().unwrap();
        assert_eq!(camel_case(name), vector["camel"], "{name:?}");
    }
}
