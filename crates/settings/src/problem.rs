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
    pub(crate) fn order(&self) -> (bool, String, usize) {
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
    /// More problems than anyone reads at once: a file with so many is of another kind.
    pub const SHOWN: usize = 50;

    /// The problems from top to bottom; at least one.
    pub fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_cached_key(Problem::order);
        Self { problems }
    }

    /// Whether the file is right and only the data that it names is not.
    pub fn is_about_data(&self) -> bool {
        self.problems.iter().all(|problem| problem.about_data)
    }

    /// The first problems with their snippets, at most [`SHOWN`](Self::SHOWN), and how many there are. `colour` is for terminals
    /// only.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let count = self.problems.len();
        let shown = self.problems.iter().take(Self::SHOWN);
        let mut parts: Vec<String> = shown.map(|problem| problem.render(&renderer)).collect();
        if count > Self::SHOWN {
            parts.push(format!(
                "{count} problems, of which these are the first {}; nothing was started",
                Self::SHOWN
            ));
        } else if count > 1 {
            parts.push(format!("{count} problems, nothing was started"));
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
