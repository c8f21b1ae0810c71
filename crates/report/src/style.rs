//! Colours and the writing of numbers, the same in every figure and table.

/// A colour, 8 bits a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color(pub u8, pub u8, pub u8);

/// Text and data marks that belong to no variant. The page's style sheet turns these four for dark screens.
pub const INK: Color = Color(0x1F, 0x23, 0x28);
/// Secondary text.
pub const MUTED: Color = Color(0x65, 0x6D, 0x76);
/// Axes.
pub const AXIS: Color = Color(0x8C, 0x95, 0x9F);
/// Grid lines.
pub const GRID: Color = Color(0xE4, 0xE7, 0xEB);
/// Real data and noise, on light and dark alike.
pub const DATA: Color = Color(0x76, 0x7E, 0x87);

/// M. Okabe, K. Ito, "Color universal design" (2008), without its black and its yellow, which is unreadable on white.
const VARIANTS: [Color; 6] = [
    Color(0x00, 0x72, 0xB2),
    Color(0xD5, 0x5E, 0x00),
    Color(0x00, 0x9E, 0x73),
    Color(0xCC, 0x79, 0xA7),
    Color(0xE6, 0x9F, 0x00),
    Color(0x56, 0xB4, 0xE9),
];

/// The colour of the variant at this place; repeats after six.
pub fn variant_color(place: usize) -> Color {
    VARIANTS[place % VARIANTS.len()]
}

/// Whether the variant at this place is drawn dashed, because its colour repeats.
pub fn variant_dashed(place: usize) -> bool {
    (place / VARIANTS.len()) % 2 == 1
}

/// The class of the page's style sheet that has this colour.
pub fn variant_class(place: usize) -> String {
    format!("v{}", place % VARIANTS.len())
}

/// A number with `decimals` digits after the point, groups of thousands, and a true minus sign.
pub fn fixed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "NaN".to_owned() } else { "∞".to_owned() };
    }
    let text = format!("{:.decimals$}", value.abs());
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), ""), |(whole, rest)| (whole, rest));
    let mut out = String::new();
    if value < 0.0 && text.bytes().any(|b| b.is_ascii_digit() && b != b'0') {
        out.push('−');
    }
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if !rest.is_empty() {
        out.push('.');
        out.push_str(rest);
    }
    out
}

/// Digits after the point that give three significant digits of this value, at most five.
pub fn decimals(value: f64) -> usize {
    if value == 0.0 || !value.is_finite() {
        return 2;
    }
    (2 - value.abs().log10().floor() as i32).clamp(0, 5) as usize
}

/// A number to three significant digits; very small and very large ones as a power of ten.
pub fn short(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && value.is_finite() && !(1e-4..1e7).contains(&size) {
        let exponent = size.log10().floor();
        return format!("{}×10{}", fixed(value / 10f64.powf(exponent), 1), superscript(exponent as i32));
    }
    fixed(value, decimals(value))
}

/// A count with thousands separated.
pub fn count(value: u64) -> String {
    fixed(value as f64, 0)
}

/// An exponent in raised digits.
pub fn superscript(exponent: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let digits = exponent.unsigned_abs().to_string();
    let sign = if exponent < 0 { "⁻" } else { "" };
    sign.chars().chain(digits.bytes().map(|digit| DIGITS[usize::from(digit - b'0')])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let cases = [
            (41.234, "41.2"),
            (0.98765, "0.988"),
            (2000.0, "2,000"),
            (1_234_567.0, "1,234,567"),
            (-3.0, "−3.00"),
            (0.0, "0.00"),
            (0.000_012, "1.2×10⁻⁵"),
            (3.4e9, "3.4×10⁹"),
            (f64::NAN, "NaN"),
        ];
        for (value, expected) in cases {
            assert_eq!(short(value), expected);
        }
        assert_eq!(fixed(-0.0001, 2), "0.00");
        assert_eq!(count(57_600), "57,600");
    }
}
