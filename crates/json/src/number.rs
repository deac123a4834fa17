//! Numbers as JavaScript has them.

use crate::out::Out;
use std::{fmt, hash};

/// A number of JavaScript: 64 bits of floating point, nothing else.
///
/// It prints as `String(number)` does in JavaScript, the shortest digits that read back as the same number. What is not finite
/// prints as `null`, `-0` as `0`.
///
/// ```
/// use handfast_json::{Number, parse};
/// assert_eq!(parse("[1.0, 1E5, 1e21, 1e-7, -0, 12345678901234567890, 1e400]").unwrap().to_compact(),
///     "[1,100000,1e+21,1e-7,0,12345678901234567000,null]");
/// assert_eq!(Number::from(3_u8).as_u64(), Some(3));
/// ```
#[derive(Clone, Copy, Default)]
pub struct Number(f64);

/// 2^64 and 2^63, the first floats that the integer types do not hold.
const OVER_U64: f64 = 18_446_744_073_709_551_616.0;
const OVER_I64: f64 = 9_223_372_036_854_775_808.0;

impl Number {
    /// The number.
    pub const fn as_f64(self) -> f64 {
        self.0
    }

    /// The number, if it is whole and neither negative nor 2^64 and more. Beyond 2^53 not every integer has a float of its
    /// own, so this is then the nearest to what was written.
    pub fn as_u64(self) -> Option<u64> {
        let whole = self.0 >= 0.0 && self.0 < OVER_U64 && self.0.fract() == 0.0;
        // The cast is exact: it is a whole number in range.
        whole.then_some(self.0 as u64)
    }

    /// The number, if it is whole and within the type; see [`as_u64`](Self::as_u64).
    pub fn as_i64(self) -> Option<i64> {
        let whole = self.0 >= -OVER_I64 && self.0 < OVER_I64 && self.0.fract() == 0.0;
        whole.then_some(self.0 as i64)
    }

    /// Whether it is neither infinite nor no number at all: what is not finite prints as `null`.
    pub fn is_finite(self) -> bool {
        self.0.is_finite()
    }

    /// Appends the number as JavaScript prints it.
    pub(crate) fn write(self, out: &mut impl Out) {
        // Minus zero is zero as an integer, which is how it prints.
        if let Some(whole) = self.as_i64().filter(|whole| whole.unsigned_abs() < 1 << 53) {
            if whole < 0 {
                out.push_str("-");
            }
            write_integer(whole.unsigned_abs(), out);
        } else if self.0.is_finite() {
            out.push_str(ryu_js::Buffer::new().format_finite(self.0));
        } else {
            out.push_str("null");
        }
    }
}

/// Appends an integer of at most 16 digits.
fn write_integer(mut whole: u64, out: &mut impl Out) {
    let mut digits = [0_u8; 20];
    let mut length = 0;
    for place in digits.iter_mut().rev() {
        // The remainder is below ten.
        *place = b'0' + (whole % 10) as u8;
        whole /= 10;
        length += 1;
        if whole == 0 {
            break;
        }
    }
    let used = digits.get(20 - length..).unwrap_or_default();
    out.push_str(std::str::from_utf8(used).unwrap_or_default());
}

/// Zero and minus zero are equal, and so is what is no number to itself: equal numbers print alike.
impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || (self.0.is_nan() && other.0.is_nan())
    }
}

impl Eq for Number {}

impl hash::Hash for Number {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        // Adding zero makes minus zero zero; all that is no number counts as one.
        let number = if self.0.is_nan() { f64::NAN } else { self.0 + 0.0 };
        number.to_bits().hash(state);
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut json = String::new();
        self.write(&mut json);
        f.write_str(&json)
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

macro_rules! from_exact {
    ($($type:ty)*) => {$(
        impl From<$type> for Number {
            fn from(number: $type) -> Self {
                Self(number.into())
            }
        }
    )*};
}
from_exact!(u8 u16 u32 i8 i16 i32 f32 f64);

macro_rules! from_rounded {
    ($($type:ty)*) => {$(
        /// The nearest float, which beyond 2^53 may be another number: as JavaScript reads such an integer.
        impl From<$type> for Number {
            fn from(number: $type) -> Self {
                Self(number as f64)
            }
        }
    )*};
}
from_rounded!(u64 i64 usize isize u128 i128);
