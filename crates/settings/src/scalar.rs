//! The types of value that a key can have: how each is read, checked and written back.

use crate::{
    period::{Every, Unit},
    tree::{Node, Value},
};
use std::path::{Component, Path, PathBuf};

/// Why a value cannot be used.
pub enum Wrong {
    /// Another type was expected, named with its article.
    Type(String),
    /// The value must be something that it is not; "must be …".
    Must(String),
    /// The value is not one of these names.
    Name(Vec<String>),
    /// The value is unusable for this reason, and this may help.
    Because(String, String),
}

/// A type of value.
pub trait Scalar {
    /// What is read.
    type Out;
    /// Reads a value.
    fn read(&self, node: &Node) -> Result<Self::Out, Wrong>;
    /// The TOML text that reads back as the same value.
    fn show(&self, value: &Self::Out) -> String;
    /// Stands in for a value that could not be read, so that reading can go on and find the other problems.
    fn blank(&self) -> Self::Out;
}

/// Quotes a string for TOML.
pub fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A finite number in an interval.
pub struct Number {
    holds: fn(f64) -> bool,
    must: &'static str,
}

impl Number {
    /// Any finite number.
    pub const ANY: Self = Self { holds: |_| true, must: "be finite" };
    /// Above 0.
    pub const POSITIVE: Self = Self { holds: |x| x > 0.0, must: "be above 0" };
    /// At least 0.
    pub const NOT_NEGATIVE: Self = Self { holds: |x| x >= 0.0, must: "be at least 0" };
    /// From 0 to 1.
    pub const UNIT: Self = Self { holds: |x| (0.0..=1.0).contains(&x), must: "be between 0 and 1" };
    /// From 0 to 1, without 1.
    pub const BELOW_ONE: Self =
        Self { holds: |x| (0.0..1.0).contains(&x), must: "be at least 0 and below 1" };

    /// A finite number for which `holds` holds; what it must is said if it does not: "be above 0".
    pub const fn new(holds: fn(f64) -> bool, must: &'static str) -> Self {
        Self { holds, must }
    }
}

impl Scalar for Number {
    type Out = f64;

    fn read(&self, node: &Node) -> Result<f64, Wrong> {
        let number = match node.value {
            Value::Float(number) => number,
            Value::Integer(number) => number as f64,
            _ => return Err(Wrong::Type("a number".into())),
        };
        if !number.is_finite() {
            Err(Wrong::Must("be finite".into()))
        } else if !(self.holds)(number) {
            Err(Wrong::Must(self.must.into()))
        } else {
            Ok(number)
        }
    }

    fn show(&self, number: &f64) -> String {
        format!("{number:?}")
    }

    fn blank(&self) -> f64 {
        0.0
    }
}

/// An integer from `.0` to `.1`.
pub struct Within(pub usize, pub usize);

impl Scalar for Within {
    type Out = usize;

    fn read(&self, node: &Node) -> Result<usize, Wrong> {
        let Value::Integer(integer) = node.value else { return Err(Wrong::Type("an integer".into())) };
        match usize::try_from(integer) {
            Ok(count) if (self.0..=self.1).contains(&count) => Ok(count),
            Ok(count) if count > self.1 => Err(Wrong::Must(format!("be at most {}", self.1))),
            Err(_) if integer > 0 => Err(Wrong::Must(format!("be at most {}", self.1))),
            _ => Err(Wrong::Must(format!("be at least {}", self.0))),
        }
    }

    fn show(&self, count: &usize) -> String {
        count.to_string()
    }

    fn blank(&self) -> usize {
        self.0.max(1)
    }
}

impl Within {
    /// What TOML can hold.
    pub const LARGEST: usize = i64::MAX as usize;

    /// A size that is multiplied with others: small enough that no product overflows.
    pub const SIZE: Self = Self(1, 1 << 16);

    /// A number of samples.
    pub const SAMPLES: Self = Self(1, 1 << 24);
}

/// `true` or `false`.
pub struct Flag;

impl Scalar for Flag {
    type Out = bool;

    fn read(&self, node: &Node) -> Result<bool, Wrong> {
        match node.value {
            Value::Boolean(flag) => Ok(flag),
            _ => Err(Wrong::Type("true or false".into())),
        }
    }

    fn show(&self, flag: &bool) -> String {
        flag.to_string()
    }

    fn blank(&self) -> bool {
        false
    }
}

/// One of some names, each with what it means. Never empty.
pub struct Choice<T>(pub Vec<(&'static str, T)>);

impl<T: Clone + PartialEq> Scalar for Choice<T> {
    type Out = T;

    fn read(&self, node: &Node) -> Result<T, Wrong> {
        let Value::String(name) = &node.value else { return Err(Wrong::Type("a string".into())) };
        let found = self.0.iter().find(|(valid, _)| valid == name);
        let names = || self.0.iter().map(|(name, _)| (*name).to_owned()).collect();
        found.map(|(_, value)| value.clone()).ok_or_else(|| Wrong::Name(names()))
    }

    fn show(&self, value: &T) -> String {
        let name = self.0.iter().find(|(_, other)| other == value).map_or("", |(name, _)| name);
        quote(name)
    }

    fn blank(&self) -> T {
        self.0[0].1.clone()
    }
}

/// A text that is not empty.
pub struct Text;

impl Scalar for Text {
    type Out = String;

    fn read(&self, node: &Node) -> Result<String, Wrong> {
        match &node.value {
            Value::String(text) if text.is_empty() => Err(Wrong::Must("not be empty".into())),
            Value::String(text) => Ok(text.clone()),
            _ => Err(Wrong::Type("a string".into())),
        }
    }

    fn show(&self, text: &String) -> String {
        quote(text)
    }

    fn blank(&self) -> String {
        String::new()
    }
}

/// A path, relative to the folder of the file it is written in (for `--set`, to the current folder).
pub struct PathTo;

impl Scalar for PathTo {
    type Out = PathBuf;

    fn read(&self, node: &Node) -> Result<PathBuf, Wrong> {
        match &node.value {
            Value::String(path) if path.is_empty() => Err(Wrong::Must("not be empty".into())),
            Value::String(path) => Ok(without_dots(&node.place.source.folder.join(path))),
            _ => Err(Wrong::Type("a path".into())),
        }
    }

    fn show(&self, path: &PathBuf) -> String {
        quote(&path.to_string_lossy())
    }

    fn blank(&self) -> PathBuf {
        PathBuf::new()
    }
}

/// `a/../b` as `b`. The folder of a source is canonical, so this only misjudges links inside the written path.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// A list, none of its entries twice.
pub struct List<S> {
    /// What an entry is.
    pub of: S,
    /// Whether it may have no entry.
    pub empty: bool,
}

impl<S: Scalar<Out: PartialEq>> Scalar for List<S> {
    type Out = Vec<S::Out>;

    fn read(&self, node: &Node) -> Result<Vec<S::Out>, Wrong> {
        let Value::Array(items) = &node.value else { return Err(Wrong::Type("a list".into())) };
        let mut values = Vec::new();
        for item in items {
            let value = self.of.read(item)?;
            if values.contains(&value) {
                return Err(Wrong::Because(
                    format!("holds {} twice", self.of.show(&value)),
                    "name each once".into(),
                ));
            }
            values.push(value);
        }
        if values.is_empty() && !self.empty { Err(Wrong::Must("not be empty".into())) } else { Ok(values) }
    }

    fn show(&self, values: &Vec<S::Out>) -> String {
        let values: Vec<String> = values.iter().map(|value| self.of.show(value)).collect();
        format!("[{}]", values.join(", "))
    }

    fn blank(&self) -> Vec<S::Out> {
        vec![self.of.blank()]
    }
}

/// Two numbers.
pub struct Pair(pub Number);

impl Scalar for Pair {
    type Out = [f64; 2];

    fn read(&self, node: &Node) -> Result<[f64; 2], Wrong> {
        match &node.value {
            Value::Array(items) if items.len() == 2 => Ok([self.0.read(&items[0])?, self.0.read(&items[1])?]),
            _ => Err(Wrong::Type("a list of two numbers".into())),
        }
    }

    fn show(&self, pair: &[f64; 2]) -> String {
        format!("{pair:?}")
    }

    fn blank(&self) -> [f64; 2] {
        [0.0; 2]
    }
}

/// Three sizes.
pub struct Triple(pub Within);

impl Scalar for Triple {
    type Out = [usize; 3];

    fn read(&self, node: &Node) -> Result<[usize; 3], Wrong> {
        match &node.value {
            Value::Array(items) if items.len() == 3 => {
                Ok([self.0.read(&items[0])?, self.0.read(&items[1])?, self.0.read(&items[2])?])
            }
            _ => Err(Wrong::Type("a list of three integers".into())),
        }
    }

    fn show(&self, sizes: &[usize; 3]) -> String {
        format!("{sizes:?}")
    }

    fn blank(&self) -> [usize; 3] {
        [1; 3]
    }
}

/// Another type, or this word for "none", so that every key has a value that can be written down.
pub struct Or<S>(pub &'static str, pub S);

impl<S: Scalar> Scalar for Or<S> {
    type Out = Option<S::Out>;

    fn read(&self, node: &Node) -> Result<Option<S::Out>, Wrong> {
        match &node.value {
            Value::String(word) if word == self.0 => Ok(None),
            _ => match self.1.read(node) {
                Err(Wrong::Type(expected)) => Err(Wrong::Type(format!("{expected} or {:?}", self.0))),
                other => other.map(Some),
            },
        }
    }

    fn show(&self, value: &Option<S::Out>) -> String {
        value.as_ref().map_or_else(|| quote(self.0), |value| self.1.show(value))
    }

    fn blank(&self) -> Option<S::Out> {
        None
    }
}

/// Up to here every step has a number of its own in an `f64`.
const MOST_STEPS: u64 = 1 << 53;

/// A period that is counted in steps.
pub struct Steps {
    /// Samples of a step.
    pub batch: usize,
    /// Samples of an epoch, if known.
    pub items: Option<usize>,
    /// The fewest steps.
    pub least: u64,
}

/// A period and how many steps it takes.
#[derive(Clone, Copy)]
pub struct Length {
    /// As it was written.
    pub every: Every,
    /// The same in steps.
    pub steps: u64,
}

impl Length {
    /// Of so many steps.
    pub fn steps(steps: u64) -> Self {
        Self { every: Every::steps(steps), steps }
    }
}

impl Scalar for Steps {
    type Out = Length;

    fn read(&self, node: &Node) -> Result<Length, Wrong> {
        let every = period(node)?;
        let steps = every
            .in_steps(self.batch, self.items)
            .map_err(|error| Wrong::Because(error.to_string(), Every::GRAMMAR.into()))?;
        match steps {
            steps if steps < self.least => Err(Wrong::Must(format!("be at least {} steps", self.least))),
            steps if steps > MOST_STEPS => Err(Wrong::Must(format!("be at most {MOST_STEPS} steps"))),
            steps => Ok(Length { every, steps }),
        }
    }

    fn show(&self, length: &Length) -> String {
        quote(&length.every.to_string())
    }

    fn blank(&self) -> Length {
        Length::steps(1)
    }
}

/// A period as it is written; an integer counts steps.
///
/// # Errors
/// What is wrong with it.
pub fn period(node: &Node) -> Result<Every, Wrong> {
    match &node.value {
        Value::Integer(steps) if *steps < 0 => Err(Wrong::Must("be at least 0".into())),
        Value::Integer(steps) => Ok(Every { count: *steps as f64, unit: Unit::Steps }),
        Value::String(text) => text
            .parse()
            .map_err(|error: crate::PeriodError| Wrong::Because(error.to_string(), Every::GRAMMAR.into())),
        _ => Err(Wrong::Type("a period".into())),
    }
}
