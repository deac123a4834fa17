//! Texts of every kind that has ever been read wrong.

use std::ops::RangeInclusive;

/// A kind of texts, and how many of them a run makes.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) count: usize,
    pub(super) make: fn(&mut Dice) -> String,
    /// How many of a hundred are JSON, roughly.
    pub(super) accepted: RangeInclusive<usize>,
}

pub(super) const KINDS: &[Kind] = &[
    kind(
        "values of all sorts, oddly spaced",
        8000,
        |dice| value(dice, 4),
        100..=100,
    ),
    kind(
        "nearly JSON: a character too many, too few, or another",
        8000,
        damaged,
        5..=80,
    ),
    kind("floats of random bits, printed in several ways", 8000, float, 100..=100),
    kind("numbers of random digits, exponents and signs", 8000, digits, 40..=99),
    kind(
        "strings of escapes, right and wrong",
        8000,
        |dice| escapes(dice, 20),
        20..=95,
    ),
    kind("surrogates, alone and in pairs", 4000, surrogates, 100..=100),
    kind(
        "objects with names like indexes",
        4000,
        |dice| object(dice, index_name),
        100..=100,
    ),
    kind(
        "objects with names that come again, some written otherwise",
        4000,
        |dice| object(dice, repeated_name),
        100..=100,
    ),
    kind("objects of many names", 200, many_names, 100..=100),
    kind(
        "arrays and objects in each other, up to 512 levels",
        200,
        deep,
        100..=100,
    ),
    kind(
        "characters that might be space, and are or are not",
        4000,
        spaces,
        20..=90,
    ),
];

const fn kind(
    name: &'static str,
    count: usize,
    make: fn(&mut Dice) -> String,
    accepted: RangeInclusive<usize>,
) -> Kind {
    Kind {
        name,
        count,
        make,
        accepted,
    }
}

/// A source of numbers that look random (splitmix64).
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        // The bias of the remainder does not matter here.
        (self.bits() % bound as u64) as usize
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn pick<'a>(&mut self, items: &[&'a str]) -> &'a str {
        let place = self.below(items.len());
        items.get(place).copied().unwrap_or_default()
    }

    fn times(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> String) -> Vec<String> {
        let count = self.below(most + 1);
        (0..count).map(|_| make(self)).collect()
    }
}

fn space(dice: &mut Dice) -> &'static str {
    if dice.one_in(3) {
        dice.pick(&[" ", "\n", "\t", "\r", "\r\n", " \n  "])
    } else {
        ""
    }
}

fn value(dice: &mut Dice, depth: usize) -> String {
    let bare = match dice.below(if depth == 0 { 5 } else { 8 }) {
        0 => dice.pick(&["null", "true", "false"]).to_owned(),
        1 => float(dice),
        2 => integer(dice),
        3 => surrogates(dice),
        4 => format!(
            "\"{}\"",
            dice.pick(&[
                "", "post", "kia ora", "é", "私は", "🐚", "\u{2028}", "\u{7f}", "\u{feff}"
            ])
        ),
        5 => format!("[{}]", dice.times(5, |dice| value(dice, depth - 1)).join(",")),
        6 => format!("[{}]", space(dice)),
        _ => {
            let members = dice.times(6, |dice| {
                let name = match dice.below(4) {
                    0 => index_name(dice),
                    1 => repeated_name(dice),
                    2 => surrogates(dice),
                    _ => format!(
                        "\"{}\"",
                        dice.pick(&["type", "content", "__proto__", "constructor", "toJSON", "", " "])
                    ),
                };
                format!("{}{name}{}:{}", space(dice), space(dice), value(dice, depth - 1))
            });
            format!("{{{}}}", members.join(","))
        }
    };
    format!("{}{bare}{}", space(dice), space(dice))
}

fn damaged(dice: &mut Dice) -> String {
    let mut signs: Vec<char> = value(dice, 3).chars().collect();
    for _ in 0..=dice.below(2) {
        let place = dice.below(signs.len() + 1);
        let other: Vec<char> = dice
            .pick(&[
                "{", "}", "[", "]", ",", ":", "\"", "\\", "-", "+", ".", "e", "0", "1", " ", "\n", "\0", "\u{1f}", "n",
                "tr", "é", "//", "'", "\u{a0}", "u", "\\u", "NaN", ",,", "\u{feff}",
            ])
            .chars()
            .collect();
        match dice.below(3) {
            0 => drop(signs.splice(place..place, other)),
            1 => drop(signs.splice(place..(place + 1).min(signs.len()), other)),
            _ => drop(signs.splice(place..(place + 1).min(signs.len()), [])),
        }
    }
    signs.into_iter().collect()
}

fn integer(dice: &mut Dice) -> String {
    let shift = dice.below(64);
    let sign = if dice.one_in(3) { "-" } else { "" };
    format!("{sign}{}", dice.bits() >> shift)
}

fn float(dice: &mut Dice) -> String {
    let number = loop {
        let number = match dice.below(3) {
            0 => f64::from_bits(dice.bits()),
            // Like time in milliseconds, with some places behind the point.
            1 => (dice.bits() >> 11) as f64 / 10_f64.powi(dice.below(12) as i32),
            _ => f64::from_bits(0x3e00_0000_0000_0000 | (dice.bits() >> 4 & 0x01ff_ffff_ffff_ffff)),
        };
        if number.is_finite() {
            break number;
        }
    };
    match dice.below(5) {
        0 => format!("{number:e}"),
        1 => format!("{number:.17e}"),
        2 => format!("{number:E}"),
        3 if number.abs() < 1e30 => format!("{number:.20}"),
        _ => format!("{number}"),
    }
}

fn digits(dice: &mut Dice) -> String {
    let some = |dice: &mut Dice, most: usize| -> String {
        dice.times(most, |dice| {
            dice.pick(&["0", "0", "1", "5", "9", "37", "00", "99"]).to_owned()
        })
        .concat()
    };
    let mut number = dice.pick(&["", "", "", "-", "-0", "+"]).to_owned();
    number += dice.pick(&[
        "1",
        "9",
        "4",
        "0",
        "0",
        "10",
        "900719925474099",
        "450359962737049",
        "99999999999999999999",
    ]);
    if dice.one_in(2) && !number.ends_with('0') {
        number += &some(dice, 20);
    }
    if dice.one_in(2) {
        number += ".";
        number += dice.pick(&["0", "000000", "000001", "5", "1", "9", ""]);
        number += &some(dice, 16);
    }
    if dice.one_in(3) {
        number += dice.pick(&["e", "E"]);
        number += dice.pick(&["", "+", "-"]);
        number += dice.pick(&[
            "0", "5", "6", "7", "20", "21", "22", "300", "308", "309", "323", "324", "0007", "",
        ]);
        number += dice.pick(&["", "", "", "0", "00000000000"]);
    }
    number
}

fn escapes(dice: &mut Dice, most: usize) -> String {
    let parts = dice.times(most, |dice| match dice.below(60) {
        0 => dice
            .pick(&[
                "\\x41", "\\'", "\\u12", "\\u{41}", "\\U0041", "\n", "\t", "\0", "\u{1f}", "\\", "\"", "\\a", "\\0",
            ])
            .to_owned(),
        1..8 => format!("\\u{:04x}", dice.below(0x10000)),
        8..12 => format!("\\u{:04X}", dice.below(0x300)),
        12..15 => format!("\\u00{:02x}", dice.below(0x20)),
        15..35 => dice
            .pick(&["\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t"])
            .to_owned(),
        _ => dice
            .pick(&[
                "a",
                "/",
                " ",
                "seven b",
                "sixteen bytes 16",
                "é",
                "€",
                "😀",
                "\u{2028}",
                "\u{7f}",
                "\u{80}",
                "\u{ffff}",
            ])
            .to_owned(),
    });
    format!("\"{}\"", parts.concat())
}

fn surrogates(dice: &mut Dice) -> String {
    let parts = dice.times(6, |dice| match dice.below(5) {
        0 => format!("\\ud{:x}{:02x}", 8 + dice.below(4), dice.below(256)),
        1 => format!("\\uD{:X}{:02X}", 12 + dice.below(4), dice.below(256)),
        2 => format!("\\ud83{:x}\\ude{:02X}", dice.below(16), dice.below(256)),
        3 => dice
            .pick(&[
                "\\ud7ff",
                "\\ue000",
                "\\udbff\\udfff",
                "\\ud800\\udc00",
                "\\udc00\\ud800",
            ])
            .to_owned(),
        _ => dice.pick(&["a", "😀", "\\n", "\u{d7ff}", "\u{e000}"]).to_owned(),
    });
    format!("\"{}\"", parts.concat())
}

fn index_name(dice: &mut Dice) -> String {
    let name = match dice.below(4) {
        0 => dice.below(12).to_string(),
        1 => (dice.bits() as u32).to_string(),
        2 => dice
            .pick(&[
                "4294967293",
                "4294967294",
                "4294967295",
                "4294967296",
                "9007199254740991",
                "9007199254740992",
                "-0",
                "-1",
                "00",
                "01",
                "1.0",
                "1e3",
                "+1",
                " 1",
                "1 ",
                "99999999999",
                "0x1",
                "１",
            ])
            .to_owned(),
        _ => (dice.bits() >> dice.below(64)).to_string(),
    };
    // Some of it written as escapes.
    let written = name.chars().map(|sign| {
        if dice.one_in(12) && sign.is_ascii() {
            format!("\\u{:04x}", u32::from(sign))
        } else {
            sign.to_string()
        }
    });
    format!("\"{}\"", written.collect::<String>())
}

fn repeated_name(dice: &mut Dice) -> String {
    dice.pick(&[
        "\"a\"",
        "\"\\u0061\"",
        "\"b\"",
        "\"ab\"",
        "\"\"",
        "\"/\"",
        "\"\\/\"",
        "\"\\n\"",
        "\"\\u000a\"",
        "\"\\ud800\"",
        "\"\\uD800\"",
        "\"😀\"",
        "\"\\ud83d\\ude00\"",
        "\"1\"",
        "\"\\u0031\"",
        "\"__proto__\"",
        "\"\\\\\"",
        "\"\\u005c\"",
    ])
    .to_owned()
}

fn object(dice: &mut Dice, name: fn(&mut Dice) -> String) -> String {
    let members = dice.times(24, |dice| {
        let value = if dice.one_in(16) {
            object(dice, name)
        } else {
            integer(dice)
        };
        format!(
            "{}:{value}",
            if dice.one_in(8) {
                escapes_only_right(dice)
            } else {
                name(dice)
            }
        )
    });
    format!("{{{}}}", members.join(","))
}

fn escapes_only_right(dice: &mut Dice) -> String {
    format!(
        "\"{}\"",
        dice.times(2, |dice| dice.pick(&["x", "\\n", "\\\"", "y", "\\u007a"]).to_owned())
            .concat()
    )
}

fn many_names(dice: &mut Dice) -> String {
    let bound = 1 + dice.below(1000);
    let members: Vec<String> = (0..dice.below(1000))
        .map(|place| {
            let name = dice.below(bound);
            let letter = if dice.one_in(4) { "" } else { "n" };
            format!("\"{letter}{name}\":{place}")
        })
        .collect();
    format!("{{{}}}", members.join(","))
}

fn deep(dice: &mut Dice) -> String {
    // Some levels hold an empty array beside the next one, so the deepest of all are 512 levels.
    let levels = if dice.one_in(10) { 511 } else { dice.below(200) };
    let (mut text, mut ends) = (String::new(), Vec::new());
    for _ in 0..levels {
        let (begin, end) = match dice.below(5) {
            0 => ("[1,", ",2]"),
            1 => ("{\"a\":", "}"),
            2 => ("{\"a\":0,\"1\":", ",\"0\":[]}"),
            3 => ("{\"a\":[],\"a\":", "}"),
            _ => ("[", "]"),
        };
        text += begin;
        ends.push(end);
    }
    text += "null";
    text.extend(ends.into_iter().rev());
    text
}

fn spaces(dice: &mut Dice) -> String {
    let mut text = String::new();
    for part in ["[", "1", ",", "{", "\"a\"", ":", "true", "}", "]"] {
        text += if dice.one_in(3) {
            dice.pick(&[" ", "\n", "\r", "\t", "  \n", "\r\n"])
        } else if dice.one_in(20) {
            dice.pick(&[
                "\u{b}", "\u{c}", "\u{a0}", "\u{2028}", "\u{feff}", "\u{85}", "\0", "/**/", "\u{3000}",
            ])
        } else {
            ""
        };
        text += part;
    }
    text + space(dice)
}
