//! The comment at the top of an experiment file: the abstract of the comparison.

/// A heading (`Purpose`, `Paper`, …; empty for plain text) and what is said under it.
pub type Entry = (String, String);

/// Splits the leading comment lines into entries: `# Name: text` begins one, other lines go on with it.
///
/// Several entries may share a line when three or more spaces separate them, as in `# Expect: …   Paper: …`.
pub fn entries(config: &str) -> Vec<Entry> {
    let lines = config.lines().map(str::trim).skip_while(|line| line.is_empty());
    let comment = lines.take_while(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#'));
    let mut out: Vec<Entry> = Vec::new();
    for line in comment {
        for part in parts(line.trim()) {
            match heading(part) {
                Some((name, text)) => out.push((name.to_owned(), text.trim().to_owned())),
                None if part.is_empty() => {}
                None => match out.last_mut() {
                    Some((_, text)) => *text = format!("{text} {part}").trim().to_owned(),
                    None => out.push((String::new(), part.to_owned())),
                },
            }
        }
    }
    out
}

/// Cuts before every `   Name:`.
fn parts(line: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = line;
    let mut from = 0;
    while let Some(gap) = rest[from..].find("   ") {
        let after = rest[from + gap..].trim_start();
        let start = rest.len() - after.len();
        if heading(after).is_some() {
            out.push(rest[..from + gap].trim());
            rest = after;
            from = 0;
        } else {
            from = start;
        }
    }
    out.push(rest.trim());
    out
}

/// `Name: text`, where the name is one capitalised word.
fn heading(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.split_once(':')?;
    let word = name.chars().all(char::is_alphabetic) && name.starts_with(char::is_uppercase);
    (word && name.len() <= 16 && (rest.is_empty() || rest.starts_with(' '))).then_some((name, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_a_header() {
        let text = "\n# One step against many.\n# Purpose: a test,\n#   on two lines.   Run: meanflow run x.toml\n#\n# Expect:  half\nname = 1 # no\n# Not: here\n";
        let pairs = [
            ("", "One step against many."),
            ("Purpose", "a test, on two lines."),
            ("Run", "meanflow run x.toml"),
            ("Expect", "half"),
        ];
        let expected: Vec<Entry> = pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        assert_eq!(entries(text), expected);
        assert!(entries("name = 1").is_empty());
    }
}
