//! `"off"` or a table; a word or a table of a kind; the list of keys that comes of them.

use super::{faults, read};
use meanflow_settings::{Choice, Number, PathTo, Reader, Text, Within};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Law {
    Uniform,
    Normal { mean: f64, std: f64 },
}

fn law(r: &mut Reader) -> Option<Law> {
    r.either("law", "a law", &["uniform"], &["normal"], "uniform", |name, r| match name {
        "normal" => {
            Law::Normal { mean: r.get("mean", Number::ANY, 0.0), std: r.get("std", Number::POSITIVE, 1.0) }
        }
        _ => Law::Uniform,
    })
}

fn guidance(on: bool) -> impl Fn(&mut Reader) -> Option<f64> {
    move |r| r.section("eval", |r| r.off_or("guidance", on, |r| r.get("omega", Number::POSITIVE, 2.0)))
}

#[test]
fn off_or_a_table() {
    for (text, on, expected, resolved) in [
        ("", false, None, "guidance = \"off\""),
        ("", true, Some(2.0), "guidance.omega = 2.0"),
        ("eval.guidance = \"off\"", true, None, "guidance = \"off\""),
        ("eval.guidance = {}", false, Some(2.0), "guidance.omega = 2.0"),
        ("eval.guidance.omega = 3", true, Some(3.0), "guidance.omega = 3.0"),
    ] {
        let (value, all) = read(text, guidance(on)).unwrap();
        assert_eq!(value, expected, "{text}");
        assert_eq!(all.to_toml(), format!("\n[eval]\n{resolved}\n"), "{text}");
        // What is written down reads back as itself.
        assert_eq!(read(&all.to_toml(), guidance(!on)).unwrap().0, expected);
    }
    assert_eq!(
        faults("eval.guidance = 1", guidance(true)),
        ["`eval.guidance`: expected a table or \"off\", found an integer (-)"]
    );
    assert_eq!(
        faults("eval.guidance.omeag = 1", guidance(false)),
        ["unknown key `omeag` in `[eval.guidance]` (did you mean `omega`?)"]
    );
}

#[test]
fn a_word_or_a_table_of_a_kind() {
    for (text, expected, resolved) in [
        ("", Law::Uniform, "law = \"uniform\"\n"),
        ("law = \"uniform\"", Law::Uniform, "law = \"uniform\"\n"),
        (
            "law.normal = {}",
            Law::Normal { mean: 0.0, std: 1.0 },
            "law.normal.mean = 0.0\nlaw.normal.std = 1.0\n",
        ),
        (
            "law.normal.std = 2",
            Law::Normal { mean: 0.0, std: 2.0 },
            "law.normal.mean = 0.0\nlaw.normal.std = 2.0\n",
        ),
    ] {
        let (value, all) = read(text, law).unwrap();
        assert_eq!((value, all.to_toml().as_str()), (Some(expected), resolved), "{text}");
    }
    for text in
        ["law = \"normal\"", "law = {}", "law = { normal = {}, other = {} }", "law.uniform = {}", "law = 3"]
    {
        assert_eq!(
            faults(text, law),
            ["`law`: is not a law (write \"uniform\" or { normal = { … } })"],
            "{text}"
        );
    }
    assert_eq!(
        faults("law.normal = { std = 0, q = 1 }", law),
        [
            "`law.normal.std` must be above 0, found 0 (-)",
            "unknown key `q` in `[law.normal]` (valid names: `mean`, `std`)"
        ]
    );
}

#[test]
fn keys_of_a_reader() {
    let keys = Reader::keys(|r| {
        r.need("path", PathTo);
        guidance(false)(r);
        law(r);
        r.kind("net", &["mlp"], Some("mlp"), |_, r| {
            r.get("width", Within(1, 8), 4);
            r.get("act", Choice(vec![("relu", 0), ("silu", 1)]), 1);
            r.get("note", Text::ANY, String::new());
        });
    });
    let lines: Vec<String> = keys
        .iter()
        .map(|key| {
            let default = key.default.as_deref().unwrap_or("needed");
            format!("{} {} = {default}: {}", key.header, key.key, key.expected)
        })
        .collect();
    assert_eq!(
        lines,
        [
            " path = needed: a path",
            "[eval] guidance = \"off\": \"off\" or a table",
            "[eval] guidance.omega = 2.0: a number above 0",
            " law = \"uniform\": a law",
            " law.normal.mean = 0.0: a number",
            " law.normal.std = 1.0: a number above 0",
            "[net.mlp] width = 4: an integer from 1 to 8",
            "[net.mlp] act = \"silu\": \"relu\" or \"silu\"",
            "[net.mlp] note = \"\": a text",
        ]
    );
}
