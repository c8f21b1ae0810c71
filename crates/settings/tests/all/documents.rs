//! Files, what they extend, their variants, and overrides.

use meanflow_settings::{Document, Kinds, Layout, Number, PathTo, Reader, Resolved, Text, Value};
use std::path::Path;

const LAYOUT: Layout = Layout { what: "test", needs: "it needs a net", kinds: Kinds(&["net"]) };

fn keys(root: &mut Reader) -> f64 {
    root.get("title", Text::ANY, String::new());
    root.get("file", PathTo, "here".into());
    let kinds = ["mlp", "dit"];
    root.kind("net", &kinds, None, |_, r| r.get("width", Number::POSITIVE, 1.0)).unwrap_or_default()
}

fn load(folder: &Path, text: &str, overrides: &[&str]) -> Result<Vec<(f64, Resolved)>, String> {
    let file = folder.join("a.toml");
    std::fs::write(&file, text).unwrap();
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    let read = || Document::load(&file, &overrides, LAYOUT)?.read(|root, _| Some(keys(root))).done();
    read().map_err(|error| error.to_string())
}

#[test]
fn variants_and_overrides() {
    let folder = tempfile::tempdir().unwrap();
    let text = "net.mlp.width = 2\n[[variant]]\nname = \"a\"\n[[variant]]\nname = \"b\"\nnet.dit = {}\n";
    let widths = |overrides: &[&str]| -> Vec<f64> {
        load(folder.path(), text, overrides).unwrap().into_iter().map(|(width, _)| width).collect()
    };
    assert_eq!(widths(&[]), [2.0, 1.0]);
    assert_eq!(widths(&["net.mlp.width=3"]), [3.0, 1.0]);
    assert_eq!(widths(&["net.dit.width=4"]), [2.0, 4.0]);
    // Where nobody has it, it is chosen.
    let nobody = text.replace("net.dit = {}", "title = \"x\"");
    let chosen = load(folder.path(), &nobody, &["net.dit.width=4"]).unwrap();
    assert_eq!(chosen.into_iter().map(|(width, _)| width).collect::<Vec<_>>(), [4.0, 4.0]);
    let twice = load(folder.path(), text, &["title=3"]).unwrap_err();
    assert_eq!(twice.matches("error: ").count(), 1, "{twice}");
    let one = load(folder.path(), &format!("{text}net.dit.q = 1\n"), &[]).unwrap_err();
    assert!(one.starts_with("error: not valid TOML"), "{one}");
    let one = load(folder.path(), &text.replace("net.dit = {}", "net.dit = { q = 1 }"), &[]).unwrap_err();
    assert!(one.starts_with("error: unknown key `q` in `[net.dit]`, in variant `b`\n"), "{one}");
}

/// Names and widths of all variants.
fn children(text: &str) -> Result<Vec<(String, f64)>, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.toml");
    std::fs::write(&file, text).unwrap();
    let read = || {
        let document = Document::load(&file, &[], LAYOUT)?;
        let named = document.read(|root, tree| {
            let name = match tree.name.as_ref().map(|node| &node.value) {
                Some(Value::String(name)) => name.clone(),
                _ => format!("x{}", tree.suffix),
            };
            let seed = root.get("seed", Number::ANY, 0.0);
            Some((name, keys(root) + 100.0 * seed))
        });
        named.done()
    };
    let read = read().map_err(|error| error.to_string())?;
    Ok(read.into_iter().map(|(read, _)| read).collect())
}

#[test]
fn seeds_and_grids_make_children() {
    let own =
        |pairs: &[(&str, f64)]| pairs.iter().map(|(name, width)| ((*name).to_owned(), *width)).collect();
    let seeds = "seeds = [0, 7]\nnet.mlp.width = 2\n";
    assert_eq!(children(seeds), Ok(own(&[("x+seed=0", 2.0), ("x+seed=7", 702.0)])));
    let both = format!("{seeds}[sweep]\nnet.mlp.width = [3, 4.5]\n");
    let expected = own(&[
        ("x+width=3+seed=0", 3.0),
        ("x+width=3+seed=7", 703.0),
        ("x+width=4.5+seed=0", 4.5),
        ("x+width=4.5+seed=7", 704.5),
    ]);
    assert_eq!(children(&both), Ok(expected));
    // A variant of another kind has no such axis, and one with `seeds` of its own keeps them.
    let variants = "seeds = [1]\nnet.mlp.width = 2\n[sweep]\nnet.mlp.width = [3, 4]\n\
                    [[variant]]\nname = \"a\"\n[[variant]]\nname = \"b\"\nseeds = [2]\nnet.dit.width = 9\n";
    let expected = own(&[("a+width=3+seed=1", 103.0), ("a+width=4+seed=1", 104.0), ("b+seed=2", 209.0)]);
    assert_eq!(children(variants), Ok(expected));
    let rows = "net.mlp = {}\n[[sweep]]\nname = \"thin\"\nnet.mlp.width = 3\n[[sweep]]\nname = \"wide\"\nnet.mlp.width = 8\nseed = 1\n";
    assert_eq!(children(rows), Ok(own(&[("x+thin", 3.0), ("x+wide", 108.0)])));
    assert_eq!(
        children("net.mlp = {}\nseeds = []").unwrap_err().lines().next(),
        Some("error: `seeds` lists nothing")
    );
}

#[test]
fn what_makes_no_children_is_said() {
    for (text, says, points_at) in [
        ("seeds = 3", "`seeds`: expected a list of values, found an integer", "3"),
        ("seeds = [1, 1]", "two runs would end in `+seed=1`", "[1, 1]"),
        ("sweep = 3", "`sweep`: expected a table or a list of tables, found an integer", "3"),
        (
            "sweep.net.mlp.width = 3",
            "`sweep.net.mlp.width`: expected a list of values, found an integer",
            "3",
        ),
        ("sweep.net.mlp.widht = [3]", "unknown key `widht` in `[net.mlp]`", "       ^^^^^"),
        (
            "seed = 1\nsweep.net.mlp.width = [3, \"a\"]",
            "`net.mlp.width`: expected a number, found a string, in variant `width=a`",
            "\"a\"",
        ),
        ("[[sweep]]\nnet.mlp.width = 3", "missing key `name` in `[[sweep]]`", ""),
        ("swepe.net.mlp.width = [3]", "did you mean `sweep`?", "swepe"),
    ] {
        let error = children(&format!("{text}\n[net.mlp]\n")).unwrap_err();
        assert!(error.contains(says) && error.contains(points_at), "{text}: {error}");
    }
}

#[test]
fn a_part_of_a_file_is_read_whatever_else_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.toml");
    std::fs::write(&file, "strange = 1\nnet.mlp = {}\n[[variant]]\nname = 3\nnet.mlp.width = 5\n").unwrap();
    let document = Document::load(&file, &[], LAYOUT).unwrap().part("net");
    assert_eq!(document.read(|root, _| Some(keys(root))).only().unwrap().0, 5.0);
}

#[test]
fn differences_leave_out_what_they_are_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let resolved = |text: &str| load(folder.path(), text, &[]).unwrap().remove(0).1;
    let (before, after) = (resolved("net.mlp = {}"), resolved("file = \"x\"\ntitle = \"t\"\nnet.dit = {}"));
    let changed = |left_out: fn(&str, &meanflow_settings::Entry) -> bool| -> Vec<String> {
        Resolved::differences(&before, &after, left_out).into_iter().map(|change| change.key).collect()
    };
    assert_eq!(changed(|_, _| false), ["file", "net.dit.width", "net.mlp.width", "title"]);
    assert_eq!(changed(|_, entry| entry.is_path), ["net.dit.width", "net.mlp.width", "title"]);
    assert_eq!(changed(|key, _| key.starts_with("net.")), ["file", "title"]);
}
