//! Parameters chosen by their path.

/// Whether the path of a parameter fits one of the patterns, in which `*` stands for any characters, dots too.
pub(crate) fn any(patterns: &[String], path: &str) -> bool {
    patterns.iter().any(|pattern| fits(pattern.as_bytes(), path.as_bytes()))
}

fn fits(pattern: &[u8], path: &[u8]) -> bool {
    match pattern {
        [] => path.is_empty(),
        [b'*', rest @ ..] => (0..=path.len()).any(|start| fits(rest, &path[start..])),
        [byte, rest @ ..] => path.first() == Some(byte) && fits(rest, &path[1..]),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn stars_stand_for_anything() {
        let any = |pattern: &str, path| super::any(&[pattern.to_owned()], path);
        for pattern in ["blocks.0.qkv.bias", "*.bias", "*", "blocks.*", "*0*", "blocks.*.bias", "**bias"] {
            assert!(any(pattern, "blocks.0.qkv.bias"), "{pattern}");
        }
        for pattern in ["", "bias", "*.weight", "blocks", "blocks.*.bia", "*blocks.1*"] {
            assert!(!any(pattern, "blocks.0.qkv.bias"), "{pattern}");
        }
    }
}
