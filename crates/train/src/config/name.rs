//! Names of experiments and variants: they become folders.

use meanflow_settings::{Node, Problem, Reader, Scalar, Value, Wrong, quote};

/// A name that is one folder, on every system.
pub(super) struct Name;

/// What is wrong with a name, if anything.
fn fault(name: &str) -> Option<&'static str> {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '=');
    match name {
        "" => Some("not be empty"),
        name if name.contains(['/', '\\']) => Some("be one folder, without a slash"),
        name if name.starts_with('.') => Some("not begin with a dot"),
        name if name.starts_with('-') => Some("not begin with a hyphen"),
        name if name.contains(char::is_whitespace) => Some("have no blanks"),
        name if !name.chars().all(allowed) => Some("consist of letters, digits and `-_.+=`"),
        _ => None,
    }
}

impl Scalar for Name {
    type Out = String;

    fn expected(&self) -> String {
        "the name of a folder".to_owned()
    }

    fn read(&self, node: &Node) -> Result<String, Wrong> {
        match &node.value {
            Value::String(name) => match fault(name) {
                Some(must) => Err(Wrong::Must(must.to_owned())),
                None => Ok(name.clone()),
            },
            _ => Err(Wrong::Type("a string".to_owned())),
        }
    }

    fn show(&self, name: &String) -> String {
        quote(name)
    }

    fn blank(&self) -> String {
        String::new()
    }
}

/// The name of the experiment; by default the file's stem.
pub(super) fn experiment(root: &mut Reader, stem: &str) -> String {
    if !root.has("name")
        && let Some(must) = fault(stem)
    {
        let message = format!("the file's own name cannot be that of the experiment: it must {must}");
        root.problem(Problem::new(root.at("name"), message).help("add `name = \"…\"` to the file"));
    }
    root.get("name", Name, stem.to_owned())
}

/// The name of a variant. `report` is the folder of the report, beside those of the variants.
pub(super) fn variant(root: &mut Reader, node: &Node) -> String {
    let read = match Name.read(node) {
        Ok(name) if name == "report" => {
            Err(Wrong::Must("not be `report`, the folder of the report".to_owned()))
        }
        read => read,
    };
    read.unwrap_or_else(|wrong| {
        root.wrong("variant.name", node, wrong);
        String::new()
    })
}

/// Names that two variants share.
pub(super) fn twice<'a>(names: impl Iterator<Item = &'a Node>) -> Vec<Problem> {
    let mut seen: Vec<&str> = Vec::new();
    let mut problems = Vec::new();
    for node in names {
        let Value::String(name) = &node.value else { continue };
        if seen.contains(&name.as_str()) {
            let message = format!("two variants are named `{name}`");
            problems.push(Problem::new(&node.place, message).help("each needs a folder of its own"));
        }
        seen.push(name);
    }
    problems
}
