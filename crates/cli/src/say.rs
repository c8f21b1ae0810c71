//! Output that outlives its reader: a run does not end because nobody reads its progress.

/// A line of chatter on stderr; whether anybody listens does not matter.
macro_rules! say {
    ($($part:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($part)*);
    }};
}

/// A line of data on stdout; where its reader has left, as `head` does, the command ends quietly.
macro_rules! tell {
    ($($part:tt)*) => {{
        use std::io::Write as _;
        if writeln!(std::io::stdout(), $($part)*).is_err() {
            std::process::exit(0);
        }
    }};
}

/// As [`tell`], without the end of the line.
macro_rules! tell_as_is {
    ($($part:tt)*) => {{
        use std::io::Write as _;
        if write!(std::io::stdout(), $($part)*).is_err() {
            std::process::exit(0);
        }
    }};
}
