//! Every way in which a file can be wrong, and the message it gets.

use super::{IMAGES, SMALL, folder, load_in, message};

/// The message that `text` gets, with `overrides`.
fn refused(text: &str, overrides: &[&str]) -> String {
    let folder = folder(&[("experiment.toml", text.as_bytes())]);
    match load_in(&folder, "experiment.toml", overrides) {
        Ok(_) => panic!("accepted:\n{text}\n{overrides:?}"),
        Err(error) => message(folder.path(), &error),
    }
}

/// `text` with `from` replaced, or added below it where `to` begins with a line break.
fn with(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not in the text");
    text.replacen(from, to, 1)
}

#[track_caller]
fn check(text: &str, overrides: &[&str], expected: &str) {
    assert_eq!(refused(text, overrides), expected.trim_matches('\n'), "\n{text}\n{overrides:?}");
}

/// The first line of the only problem.
#[track_caller]
fn says(text: &str, overrides: &[&str], expected: &str) {
    let refused = refused(text, overrides);
    assert_eq!(refused.lines().next(), Some(format!("error: {expected}").as_str()), "\n{refused}");
    assert_eq!(refused.matches("error: ").count(), 1, "\n{refused}");
}

#[test]
fn unknown_key() {
    check(
        &with(SMALL, "steps = 100", "stepz = 100"),
        &[],
        r"",
    );
}
