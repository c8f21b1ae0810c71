//! Many variants of one: `seeds = [0, 1, 2]`, and a grid of values under `[sweep]`.

use crate::{
    layout::Kinds,
    merge::merge,
    problem::{Problem, Where},
    source::Place,
    tree::{Node, Table, Value},
};

/// The keys that make children; they are used up.
pub(crate) const KEYS: [&str; 2] = ["seeds", "sweep"];

/// A child: what it adds to the name of its variant, such as `+share=0.25+seed=1`, and its tree.
pub(crate) struct Child {
    pub suffix: String,
    pub table: Table,
}

/// The choices of one axis, of which every child takes one.
type Axis = Vec<Choice>;

/// One choice: a word for it, and the keys that it lays over the variant.
#[derive(Clone)]
struct Choice {
    word: String,
    changes: Table,
}

/// The children of a variant, itself alone if there is nothing to choose. The axes of `[sweep]` come in the order of their keys and
/// the seeds last; the last axis changes fastest. A key of a kind that the variant does not have is no axis of it.
pub(crate) fn children(mut table: Table, kinds: Kinds) -> Result<Vec<Child>, Problem> {
    let (seeds, sweep) = (table.remove("seeds"), table.remove("sweep"));
    let mut axes = Vec::new();
    match sweep.as_ref().map(|node| (node, &node.value)) {
        None => {}
        Some((_, Value::Table(grid))) => grids(grid, &table, kinds, &mut Vec::new(), &mut axes)?,
        Some((node, Value::Array(rows))) => axes.push(listed(node, rows)?),
        Some((node, other)) => {
            let message =
                format!("`sweep`: expected a table or a list of tables, found {}", other.type_name());
            return Err(Problem::new(&node.place, message).help(GRID));
        }
    }
    if let Some(node) = &seeds {
        axes.push(values(node, &[("seed".to_owned(), node.key.clone())], "seeds")?);
    }
    let mut children = vec![Child { suffix: String::new(), table }];
    for axis in axes {
        let with = |child: Child| {
            let one = |choice: &Choice| {
                let mut table = child.table.clone();
                merge(&mut table, choice.changes.clone(), kinds);
                Child { suffix: format!("{}+{}", child.suffix, choice.word), table }
            };
            axis.iter().map(one).collect::<Vec<_>>()
        };
        children = children.into_iter().flat_map(with).collect();
    }
    distinct(&children, seeds.or(sweep))?;
    Ok(children)
}

const GRID: &str = "write lists of values, `sweep.train.batch = [64, 256]`, or rows, `[[sweep]]`";

/// Every list below `[sweep]` is an axis.
fn grids(
    grid: &Table,
    variant: &Table,
    kinds: Kinds,
    path: &mut Vec<Step>,
    axes: &mut Vec<Axis>,
) -> Result<(), Problem> {
    for (key, node) in grid {
        path.push((key.clone(), node.key.clone()));
        match &node.value {
            Value::Table(_) if elsewhere(path, variant, kinds) => {}
            Value::Table(inner) => grids(inner, variant, kinds, path, axes)?,
            _ => {
                let keys: Vec<&str> = path.iter().map(|(key, _)| key.as_str()).collect();
                axes.push(values(node, path, &format!("sweep.{}", keys.join(".")))?);
            }
        }
        path.pop();
    }
    Ok(())
}

/// Whether the path names a kind, and the variant has another.
fn elsewhere(path: &[Step], variant: &Table, kinds: Kinds) -> bool {
    let path: Vec<&str> = path.iter().map(|(key, _)| key.as_str()).collect();
    let [above @ .., kind] = &path[..] else { return false };
    let mut table = variant;
    for key in above {
        let Some(Value::Table(inner)) = table.get(*key).map(|node| &node.value) else { return false };
        table = inner;
    }
    !above.is_empty() && kinds.at(above) && !table.is_empty() && !table.contains_key(*kind)
}

/// A key on the way down, and where it is written.
type Step = (String, Place);

/// The axis of a list of values of the key `path`.
fn values(node: &Node, path: &[Step], shown: &str) -> Result<Axis, Problem> {
    let Value::Array(items) = &node.value else {
        let message = format!("`{shown}`: expected a list of values, found {}", node.value.type_name());
        return Err(Problem::new(&node.place, message).help(GRID));
    };
    if items.is_empty() {
        return Err(Problem::new(&node.place, format!("`{shown}` lists nothing")));
    }
    let leaf = path.last().map(|(key, _)| key.as_str()).unwrap_or_default();
    let choice = |item: &Node| {
        let nested = path.iter().rev().fold(item.value.clone(), |value, (key, at)| {
            let node = Node { value, place: item.place.clone(), key: at.clone() };
            Value::Table(Table::from([(key.clone(), node)]))
        });
        let Value::Table(changes) = nested else { unreachable!("a path has a key") };
        Choice { word: format!("{leaf}={}", word(&item.place)), changes }
    };
    Ok(items.iter().map(choice).collect())
}

/// The axis of `[[sweep]]`: each row has a name and any keys.
fn listed(node: &Node, rows: &[Node]) -> Result<Axis, Problem> {
    let choice = |row: &Node| {
        let Value::Table(table) = &row.value else {
            let message = format!("`sweep`: expected a table, found {}", row.value.type_name());
            return Err(Problem::new(&row.place, message).help(GRID));
        };
        let mut changes = table.clone();
        match changes.remove("name").map(|name| name.value) {
            Some(Value::String(word)) => Ok(Choice { word, changes }),
            _ => Err(Problem::new(&row.place, "missing key `name` in `[[sweep]]`")
                .help("a word that the names of its runs end in")),
        }
    };
    if rows.is_empty() {
        return Err(Problem::new(&node.place, "`sweep` lists nothing"));
    }
    rows.iter().map(choice).collect()
}

/// A value as it is written, in characters that the name of a folder may have.
fn word(place: &Place) -> String {
    let written = place.source.text[place.span.clone()].trim_matches(['"', '\'']);
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '=');
    let parts: Vec<&str> = written.split(|c| !plain(c)).filter(|part| !part.is_empty()).collect();
    parts.join("-")
}

/// Two children of one name would share a folder.
fn distinct(children: &[Child], node: Option<Node>) -> Result<(), Problem> {
    let mut seen = std::collections::BTreeSet::new();
    match children.iter().find(|child| !seen.insert(&child.suffix)) {
        None => Ok(()),
        Some(twice) => {
            let place = node.map_or(Where::Nowhere, |node| Where::from(&node.place));
            Err(Problem::new(place, format!("two runs would end in `{}`", twice.suffix))
                .help("each value, or name of a row, once"))
        }
    }
}
