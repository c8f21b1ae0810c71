//! The name that was probably meant.

use strsim::osa_distance;

/// What to say beside a name that does not exist: the nearest one if it is near, else all of them.
pub(crate) fn suggest<'a>(name: &str, valid: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(other) = nearest(name, valid.clone()) {
        return format!("did you mean `{other}`?");
    }
    let names: Vec<String> = valid.into_iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "there are none".to_owned() } else { format!("valid names: {}", names.join(", ")) }
}

/// The name that `name` is probably meant to be: one edit away for every three letters, neighbours that are swapped being
/// one edit.
pub(crate) fn nearest<'a>(name: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = name.chars().count();
    let limit = letters / 3;
    // Names of very different lengths are not compared letter by letter.
    let near = |other: &&str| other.chars().count().abs_diff(letters) <= limit;
    let distances = valid.into_iter().filter(near).map(|other| (osa_distance(name, other), other));
    distances.filter(|(distance, _)| *distance <= limit).min().map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names() {
        for (name, expected) in [
            ("stepz", "did you mean `steps`?"),
            ("setps", "did you mean `steps`?"),
            ("step", "did you mean `steps`?"),
            ("label_dropout", "did you mean `label-dropout`?"),
            ("colour", "valid names: `batch`, `steps`, `label-dropout`"),
            ("", "valid names: `batch`, `steps`, `label-dropout`"),
        ] {
            assert_eq!(suggest(name, ["batch", "steps", "label-dropout"]), expected);
        }
        assert_eq!(suggest("a", []), "there are none");
    }
}
