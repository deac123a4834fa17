//! The fuzz bodies, fed by proptest.
#![cfg(feature = "_check")]

use handfast_json::check;
use proptest::prelude::*;

/// JSON, more or less: trees printed with every liberty that the grammar leaves.
fn texts() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "null|true|false",
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,18})?([eE][+-]?[0-9]{1,3})?",
        strings(),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        let member = (names(), inner.clone()).prop_map(|(name, value)| format!("{name} : {value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..8).prop_map(|items| format!("[{}]", items.join(" ,"))),
            prop::collection::vec(member, 0..24).prop_map(|members| format!("{{{}\n}}", members.join(","))),
        ]
    })
}

fn strings() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[ -!#-\\[\\]-~]{0,20}",
        "\\\\[\"\\\\/bfnrt]",
        "\\\\u[0-9a-fA-F]{4}",
        "\\\\u[dD][89abAB][0-9a-f]{2}",
        "\\\\u[dD][c-fC-F][0-9a-f]{2}",
        "[é私🐚\u{2028}\u{7f}]{1,3}",
    ];
    prop::collection::vec(part, 0..6).prop_map(|parts| format!("\"{}\"", parts.concat()))
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof![strings(), "\"[0-9]{1,11}\"", "\"[ab]\"", "\"\\\\u006[12]\"",]
}

proptest! {
    #[test]
    fn what_is_read_is_printed_and_read_again(text in texts()) {
        check::text(text.as_bytes());
    }

    #[test]
    fn what_is_damaged_is_refused_or_read(text in texts(), place: prop::sample::Index, byte: u8) {
        let mut data = text.into_bytes();
        let place = place.index(data.len());
        data[place] = byte;
        check::text(&data);
        data.truncate(place);
        check::text(&data);
    }

    #[test]
    fn bytes_are_refused_or_read(data: Vec<u8>) {
        check::text(&data);
    }

    #[test]
    fn documents_are_the_values_of_their_texts(before in texts(), text in texts()) {
        let cut = before.len().min(255);
        check::document(&[&[cut as u8], &before.as_bytes()[..cut], text.as_bytes()].concat());
    }

    #[test]
    fn objects_do_what_lists_of_members_do(operations: Vec<[u8; 3]>) {
        check::object(operations.as_flattened());
    }

    #[test]
    fn objects_of_many_names_do_too(operations in prop::collection::vec(any::<[u8; 3]>(), 300..1000)) {
        check::object(operations.as_flattened());
    }
}
