//! Files, what they extend, their variants, and overrides.

use meanflow_settings::{Document, Kinds, Layout, Number, PathTo, Reader, Resolved, Text};
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
    assert_eq!(widths(&["net.dit.width=4"]), [4.0, 4.0]);
    let twice = load(folder.path(), text, &["title=3"]).unwrap_err();
    assert_eq!(twice.matches("error: ").count(), 1, "{twice}");
    let one = load(folder.path(), &format!("{text}net.dit.q = 1\n"), &[]).unwrap_err();
    assert!(one.starts_with("error: not valid TOML"), "{one}");
    let one = load(folder.path(), &text.replace("net.dit = {}", "net.dit = { q = 1 }"), &[]).unwrap_err();
    assert!(one.starts_with("error: unknown key `q` in `[net.dit]`, in variant `b`\n"), "{one}");
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
