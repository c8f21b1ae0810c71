//! What is wrong with a file, rendered the way cargo renders its errors.

use crate::source::{Place, Source};
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use std::{fmt, sync::Arc};

/// What a problem points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Where {
    /// Bytes of a source.
    Place(Place),
    /// A whole source, for what is missing from it.
    Whole(Arc<Source>),
    /// Nothing that could be read.
    Nowhere,
}

/// One thing wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, with the values in it.
    pub message: String,
    /// Where it is.
    pub place: Where,
    /// A word beside the caret.
    pub label: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
    /// Whether the file is right and the data that it names is not.
    pub about_data: bool,
}

impl Problem {
    /// A problem at a place.
    pub fn new(place: impl Into<Where>, message: impl Into<String>) -> Self {
        Self { message: message.into(), place: place.into(), label: None, help: None, about_data: false }
    }

    /// With a word beside the caret.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// With what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The problem with its snippet: file, line, caret, help.
    fn render(&self, renderer: &Renderer) -> String {
        let title = match &self.place {
            Where::Place(place) if place.source.is_override => {
                format!("{} (from --set)", self.message)
            }
            _ => self.message.clone(),
        };
        let title = Level::ERROR.primary_title(title);
        let group = match &self.place {
            Where::Place(place) => {
                let caret = AnnotationKind::Primary.span(place.span.clone()).label(self.label.clone());
                title.element(Snippet::source(&place.source.text).path(&place.source.name).annotation(caret))
            }
            Where::Whole(source) => title.element(Origin::path(&source.name)),
            Where::Nowhere => Group::with_title(title),
        };
        let group = match &self.help {
            Some(help) => group.element(Level::HELP.message(help)),
            None => group,
        };
        renderer.render(&[group])
    }

    /// Files before overrides, then from top to bottom.
    fn order(&self) -> (bool, String, usize) {
        match &self.place {
            Where::Place(place) => (place.source.is_override, place.source.name.clone(), place.span.start),
            Where::Whole(source) => (source.is_override, source.name.clone(), usize::MAX),
            Where::Nowhere => (true, String::new(), usize::MAX),
        }
    }
}

impl From<Place> for Where {
    fn from(place: Place) -> Self {
        Where::Place(place)
    }
}

impl From<&Place> for Where {
    fn from(place: &Place) -> Self {
        Where::Place(place.clone())
    }
}

impl From<&Where> for Where {
    fn from(place: &Where) -> Self {
        place.clone()
    }
}

impl From<&Arc<Source>> for Where {
    fn from(source: &Arc<Source>) -> Self {
        Where::Whole(source.clone())
    }
}

/// Everything that is wrong with a file, at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// From top to bottom; never empty.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    /// The problems from top to bottom.
    pub fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(Problem::order);
        Self { problems }
    }

    /// Whether the file is right and only the data that it names is not.
    pub fn is_about_data(&self) -> bool {
        self.problems.iter().all(|problem| problem.about_data)
    }

    /// All problems with their snippets. `colour` is for terminals only.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut parts: Vec<String> = self.problems.iter().map(|problem| problem.render(&renderer)).collect();
        if self.problems.len() > 1 {
            parts.push(format!("{} problems, nothing was started", self.problems.len()));
        }
        parts.join("\n\n")
    }
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for ConfigError {}

/// What to say beside a name that does not exist: the nearest one if it is near, else all of them.
pub(crate) fn suggest<'a>(name: &str, valid: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(other) = nearest(name, valid.clone()) {
        return format!("did you mean `{other}`?");
    }
    let names: Vec<String> = valid.into_iter().map(|name| format!("`{name}`")).collect();
    format!("valid names: {}", names.join(", "))
}

/// The name that `name` is probably meant to be: one edit away for every three letters.
pub(crate) fn nearest<'a>(name: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = name.chars().count() / 3;
    let (far, other) = valid.into_iter().map(|other| (distance(name, other), other)).min()?;
    (far <= limit).then_some(other)
}

/// Edit distance with transpositions of neighbours (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let best = change.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                if swapped { best.min(rows[i - 2][j - 2] + 1) } else { best }
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("steps", "steps", 0),
            ("stepz", "steps", 1),
            ("wdith", "width", 1),
            ("", "abc", 3),
            ("label_dropout", "label-dropout", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn a_far_name_lists_all() {
        assert_eq!(suggest("stepz", ["batch", "steps"]), "did you mean `steps`?");
        assert_eq!(suggest("colour", ["batch", "steps"]), "valid names: `batch`, `steps`");
    }
}
