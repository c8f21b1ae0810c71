//! Whether a JPEG file goes on to its end: decoders fill what is missing with grey.

/// The marker at the end of a picture.
const END: u8 = 0xd9;

/// Whether the markers of a JPEG (ITU-T T.81, B.1.1) lead to that of its end. Segments are passed over by their lengths, so that an
/// end within one, as that of a thumbnail, does not count.
pub(crate) fn is_whole(bytes: &[u8]) -> bool {
    let mut at = 0;
    while let Some(marker) = next_marker(bytes, &mut at) {
        match marker {
            END => return true,
            // The beginning of a picture, and a marker for private use: nothing belongs to them.
            0xd8 | 0x01 => {}
            _ => match bytes.get(at..at + 2) {
                Some(&[high, low]) => at += usize::from(u16::from_be_bytes([high, low])),
                _ => return false,
            },
        }
    }
    false
}

/// The next marker, and the place behind it. Between markers lie compressed pixels, in which 0xff is followed by 0, by another
/// 0xff or by the number of a restart.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    let pairs = bytes.get(*at..)?.windows(2);
    let found =
        pairs.clone().position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xd0..=0xd7 | 0xff))?;
    *at += found + 2;
    bytes.get(*at - 1).copied()
}
