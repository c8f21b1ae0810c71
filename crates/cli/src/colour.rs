//! Whether what is said may be coloured.

use std::{
    env,
    ffi::OsStr,
    io::{IsTerminal, stderr},
};

/// On a terminal, unless `NO_COLOR` says otherwise (<https://no-color.org>).
pub fn wanted() -> bool {
    may_be(stderr().is_terminal(), env::var_os("NO_COLOR").as_deref())
}

fn may_be(terminal: bool, no_color: Option<&OsStr>) -> bool {
    terminal && no_color.is_none_or(OsStr::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_is_obeyed_whatever_it_says() {
        assert!(may_be(true, None) && may_be(true, Some(OsStr::new(""))));
        for value in ["1", "0", "false"] {
            assert!(!may_be(true, Some(OsStr::new(value))));
        }
        assert!(!may_be(false, None) && !may_be(false, Some(OsStr::new(""))));
    }
}
