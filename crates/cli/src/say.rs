//! Output that outlives its reader: a run does not end because nobody reads its progress.

/// A line of chatter on stderr; whether anybody listens does not matter.
macro_rules! say {
    ($($part:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($part)*);
    }};
}

/// Ends the command because stdout takes nothing: quietly where its reader has left, as `head` does, and else with an error.
pub fn unwritten(error: &std::io::Error) -> ! {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        std::process::exit(0);
    }
    say!("error: cannot write the output: {error}");
    std::process::exit(1)
}

/// Writes what is left in the buffer of stdout.
pub fn flush() {
    if let Err(error) = std::io::Write::flush(&mut std::io::stdout()) {
        unwritten(&error);
    }
}

/// A line of data on stdout, or the end of the command.
macro_rules! tell {
    ($($part:tt)*) => {{
        use std::io::Write as _;
        if let Err(error) = writeln!(std::io::stdout(), $($part)*) {
            $crate::say::unwritten(&error);
        }
    }};
}

/// As [`tell`], without the end of the line.
macro_rules! tell_as_is {
    ($($part:tt)*) => {{
        use std::io::Write as _;
        if let Err(error) = write!(std::io::stdout(), $($part)*) {
            $crate::say::unwritten(&error);
        }
    }};
}
