//! What all files of a kind have in common.

/// What is the same in all files of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What such a file describes, for messages: "the … file".
    pub what: &'static str,
    /// What to say to an empty file.
    pub needs: &'static str,
    /// The tables of which a later one replaces an earlier one as a whole.
    pub kinds: Kinds,
}

impl Layout {
    /// Of files without kinds.
    pub const fn of(what: &'static str) -> Self {
        Self { what, needs: "it needs at least one key", kinds: Kinds(&[]) }
    }
}

/// The tables that hold one kind each, so that `[net.dit]` and `[net.mlp]` exclude each other: dotted paths in which `*`
/// is any key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds(pub &'static [&'static str]);

impl Kinds {
    /// Whether the table at `path` holds one kind.
    pub fn at<S: AsRef<str>>(self, path: &[S]) -> bool {
        let matches = |pattern: &&str| {
            let parts: Vec<&str> = pattern.split('.').collect();
            let same = |(part, key): (&&str, &S)| *part == "*" || *part == key.as_ref();
            parts.len() == path.len() && parts.iter().zip(path).all(same)
        };
        self.0.iter().any(matches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let kinds = Kinds(&["net", "objective.*.time"]);
        for (path, holds) in [
            (&[][..], false),
            (&["net"], true),
            (&["net", "dit"], false),
            (&["objective"], false),
            (&["objective", "meanflow", "time"], true),
            (&["objective", "meanflow", "weight"], false),
        ] {
            assert_eq!(kinds.at(path), holds, "{path:?}");
        }
    }
}
