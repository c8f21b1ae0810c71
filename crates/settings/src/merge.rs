//! How trees are laid over each other.

use crate::{
    layout::Kinds,
    tree::{Node, Table, Value},
};

/// Lays `over` on `base`: tables merge key by key, anything else is replaced, and a table of a kind replaces another kind
/// as a whole.
pub fn merge(base: &mut Table, over: Table, kinds: Kinds) {
    merge_at(base, over, kinds, &mut Vec::new());
}

fn merge_at(base: &mut Table, over: Table, kinds: Kinds, path: &mut Vec<String>) {
    if kinds.at(path) && !over.is_empty() {
        base.retain(|kind, _| over.contains_key(kind));
    }
    for (key, node) in over {
        match (base.get_mut(&key).map(|below| &mut below.value), node.value) {
            (Some(Value::Table(below)), Value::Table(above)) => {
                path.push(key);
                merge_at(below, above, kinds, path);
                path.pop();
            }
            (_, value) => {
                base.insert(key, Node { value, ..node });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{parse, source::Source};

    fn tree(text: &str) -> Table {
        parse::table(&Source::file("test", text, "")).unwrap()
    }

    fn show(table: &Table) -> String {
        let entries = table.iter().map(|(key, node)| match &node.value {
            Value::Table(inner) => format!("{key}={{{}}}", show(inner)),
            _ => format!("{key}={}", &node.place.source.text[node.place.span.clone()]),
        });
        entries.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn merging() {
        for (base, over, expected) in [
            ("a=1\nb=2", "b=3\nc=4", "a=1 b=3 c=4"),
            ("t={a=1,b=2}", "t.b=3", "t={a=1 b=3}"),
            ("t={a=1}", "t=2", "t=2"),
            ("t=2", "t={a=1}", "t={a=1}"),
            ("l=[1,2]", "l=[3]", "l=[3]"),
            ("net.dit={patch=2,width=8}", "net.dit.width=16", "net={dit={patch=2 width=16}}"),
            ("net.dit={patch=2}", "net.mlp={width=3}", "net={mlp={width=3}}"),
            ("net.dit={patch=2}", "net={}", "net={dit={patch=2}}"),
            (
                "objective.meanflow={share=0.5,time={logit-normal={mean=1,std=2}}}",
                "objective.meanflow.time={logit-normal={mean=3}}",
                "objective={meanflow={share=0.5 time={logit-normal={mean=3 std=2}}}}",
            ),
            (
                "objective.meanflow={share=0.5,time={logit-normal={mean=1}}}",
                "objective.meanflow.time={uniform={}}",
                "objective={meanflow={share=0.5 time={uniform={}}}}",
            ),
        ] {
            let mut base_tree = tree(base);
            merge(&mut base_tree, tree(over), Kinds(&["net", "objective", "objective.*.time"]));
            assert_eq!(show(&base_tree), expected, "{base} <- {over}");
        }
    }
}
