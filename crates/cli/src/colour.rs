//! Whether what is said may be coloured.

use std::{
    env,
    io::{IsTerminal, stderr},
};

/// On a terminal, unless `NO_COLOR` says otherwise (<https://no-color.org>).
pub fn wanted() -> bool {
    stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
