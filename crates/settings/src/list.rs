//! Lists.

use crate::{
    number::{Number, Within},
    scalar::{Scalar, Wrong},
    tree::{Node, Value},
};

/// A list, none of its entries twice.
#[derive(Clone, Debug)]
pub struct List<S> {
    /// What an entry is.
    pub of: S,
    /// Whether it may have no entry.
    pub empty: bool,
}

impl<S: Scalar<Out: PartialEq>> Scalar for List<S> {
    type Out = Vec<S::Out>;

    fn expected(&self) -> String {
        format!("a list, each {} and none twice", self.of.expected())
    }

    fn read(&self, node: &Node) -> Result<Vec<S::Out>, Wrong> {
        let mut values = Vec::new();
        for item in items(node)? {
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
        show(&self.of, values)
    }

    fn blank(&self) -> Vec<S::Out> {
        vec![self.of.blank()]
    }
}

/// At least `.1` values in their order, which may be equal.
#[derive(Clone, Debug)]
pub struct Series<S>(pub S, pub usize);

impl<S: Scalar> Scalar for Series<S> {
    type Out = Vec<S::Out>;

    fn expected(&self) -> String {
        match self.1 {
            0 => format!("a list, each {}", self.0.expected()),
            least => format!("a list of at least {least}, each {}", self.0.expected()),
        }
    }

    fn read(&self, node: &Node) -> Result<Vec<S::Out>, Wrong> {
        let items = items(node)?;
        if items.len() < self.1 {
            return Err(Wrong::Must(format!("have at least {} entries", self.1)));
        }
        items.iter().map(|item| self.0.read(item)).collect()
    }

    fn show(&self, values: &Vec<S::Out>) -> String {
        show(&self.0, values)
    }

    fn blank(&self) -> Vec<S::Out> {
        (0..self.1).map(|_| self.0.blank()).collect()
    }
}

/// Two numbers.
#[derive(Clone, Copy, Debug)]
pub struct Pair(pub Number);

impl Scalar for Pair {
    type Out = [f64; 2];

    fn expected(&self) -> String {
        format!("a list of two, each {}", self.0.expected())
    }

    fn read(&self, node: &Node) -> Result<[f64; 2], Wrong> {
        match &node.value {
            Value::Array(items) if items.len() == 2 => Ok([self.0.read(&items[0])?, self.0.read(&items[1])?]),
            _ => Err(Wrong::Type("a list of two numbers".into())),
        }
    }

    fn show(&self, pair: &[f64; 2]) -> String {
        show(&self.0, pair)
    }

    fn blank(&self) -> [f64; 2] {
        [0.0; 2]
    }
}

/// Three sizes.
#[derive(Clone, Copy, Debug)]
pub struct Triple(pub Within);

impl Scalar for Triple {
    type Out = [usize; 3];

    fn expected(&self) -> String {
        format!("a list of three, each {}", self.0.expected())
    }

    fn read(&self, node: &Node) -> Result<[usize; 3], Wrong> {
        match &node.value {
            Value::Array(items) if items.len() == 3 => {
                Ok([self.0.read(&items[0])?, self.0.read(&items[1])?, self.0.read(&items[2])?])
            }
            _ => Err(Wrong::Type("a list of three integers".into())),
        }
    }

    fn show(&self, sizes: &[usize; 3]) -> String {
        show(&self.0, sizes)
    }

    fn blank(&self) -> [usize; 3] {
        [1; 3]
    }
}

fn items(node: &Node) -> Result<&[Node], Wrong> {
    match &node.value {
        Value::Array(items) => Ok(items),
        _ => Err(Wrong::Type("a list".into())),
    }
}

fn show<S: Scalar>(of: &S, values: &[S::Out]) -> String {
    let values: Vec<String> = values.iter().map(|value| of.show(value)).collect();
    format!("[{}]", values.join(", "))
}
