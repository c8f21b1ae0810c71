//! Emoji: categories, what is set aside, and pictures that are not what the table says.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use image::{Rgba, RgbaImage};
use meanflow_data::{DataConfig, EmojiConfig, read_rows};

/// 40 glyphs in two categories, of which every second has two skin tones, and a skin tone by itself. The
/// picture of a glyph has its number as red value, that of a variant also a green one; glyphs 3 and 4 look the
/// same.
fn set(folder: &Path) {
    fs::create_dir_all(folder.join("img/google/64")).expect("a writable folder");
    let picture = |name: &str, red: u8, green: u8| {
        let picture = RgbaImage::from_pixel(64, 64, Rgba([red, green, 0, 255]));
        picture.save(folder.join("img/google/64").join(name)).expect("a writable folder");
    };
    let mut entries = vec![r#"{"image": "tone.png", "category": "Component"}"#.to_owned()];
    for glyph in 0..40 {
        picture(&format!("{glyph}.png"), if glyph == 4 { 3 } else { glyph }, 0);
        let category = if glyph < 10 { "Flags" } else { "Objects" };
        let mut variants = Vec::new();
        if glyph % 2 == 0 {
            for tone in 1..3 {
                picture(&format!("{glyph}-{tone}.png"), glyph, tone);
                variants.push(format!(r#""{tone}": {{"image": "{glyph}-{tone}.png"}}"#));
            }
        }
        entries.push(format!(
            r#"{{"image": "{glyph}.png", "category": "{category}", "skin_variations": {{{}}}}}"#,
            variants.join(", ")
        ));
    }
    fs::write(folder.join("emoji.json"), format!("[{}]", entries.join(", "))).expect("a writable folder");
}

fn reds(rows: &[f32], size: usize) -> Vec<u8> {
    rows.chunks(3 * size * size).map(|row| (127.5 * row[0] + 127.5).round() as u8).collect()
}

#[test]
fn glyphs_are_set_aside_with_their_variants_and_copies() {
    let here = tempfile::tempdir().expect("a temporary folder");
    set(here.path());
    let open = |config: EmojiConfig| DataConfig::new(config).open().expect("a whole set");
    let whole = open(EmojiConfig { held_out: 0.0, ..EmojiConfig::new(here.path()) });
    assert_eq!((whole.len(), whole.shape(), whole.classes()), (80, [3, 32, 32], Some(9)));
    let without = open(EmojiConfig { held_out: 0.0, skin_tones: false, ..EmojiConfig::new(here.path()) });
    assert_eq!((without.len(), without.label(0), without.label(39)), (40, Some(2), Some(4)));

    let plain = open(EmojiConfig { held_out: 0.0, labels: false, ..EmojiConfig::new(here.path()) });
    assert_eq!((plain.len(), plain.classes(), plain.label(0)), (80, None, None));

    for held_out in [0.1, 0.3, 0.5, 0.7] {
        let config = EmojiConfig { held_out, size: 16, ..EmojiConfig::new(here.path()) };
        let data = open(config.clone());
        let described = DataConfig::new(config).describe().expect("a whole set");
        assert_eq!((described.items, described.shape), (Some(data.len()), [3, 16, 16]));
        let kept = reds(&read_rows(&*data, 0..data.len()).expect("in memory"), 16);
        let aside = data.held_out(80, 0).expect("in memory").expect("some");
        let aside = reds(&aside, 16);
        assert_eq!(kept.len() + aside.len(), 80);
        assert!(aside.len() >= (80.0 * held_out) as usize);
        // Glyph 4 has the picture of glyph 3, so the variants of 4 (red 4) stay with glyph 3 too.
        let glyphs = |reds: Vec<u8>| reds.into_iter().map(|red| if red == 4 { 3 } else { red }).collect();
        let (kept, aside): (BTreeSet<u8>, BTreeSet<u8>) = (glyphs(kept), glyphs(aside));
        assert!(kept.is_disjoint(&aside), "{kept:?} and {aside:?}");
    }
}

#[test]
fn tables_and_pictures_that_are_wrong_are_named() {
    let here = tempfile::tempdir().expect("a temporary folder");
    let error = || {
        let opened = DataConfig::new(EmojiConfig::new(here.path())).open();
        opened.err().expect("something wrong").to_string()
    };
    assert!(error().contains("emoji.json"), "{}", error());
    set(here.path());
    RgbaImage::new(32, 64).save(here.path().join("img/google/64/7.png")).expect("a writable folder");
    assert!(error().ends_with("7.png: images of 64×64 expected, 64×32 found"), "{}", error());
    fs::remove_file(here.path().join("img/google/64/7.png")).expect("it was there");
    assert!(error().contains("7.png: "), "{}", error());
    fs::write(here.path().join("emoji.json"), "[{]").expect("a writable folder");
    assert!(error().contains("emoji.json: "), "{}", error());
}

/// A table that somebody else made does not open files outside its folder.
#[test]
fn names_that_lead_out_of_the_folder_are_refused() {
    let here = tempfile::tempdir().expect("a temporary folder");
    set(here.path());
    RgbaImage::new(64, 64).save(here.path().join("out.png")).expect("a writable folder");
    for name in ["../../../out.png", "/etc/out.png", "..", "", "64/0.png"] {
        let table = format!(r#"[{{"image": "{name}", "category": "Flags"}}]"#);
        fs::write(here.path().join("emoji.json"), table).expect("a writable folder");
        let error = DataConfig::new(EmojiConfig::new(here.path())).open().err().expect("no name").to_string();
        let expected = format!(
            "emoji.json: entry 0 names the image {name:?}, which is no name of a file in img/google/64"
        );
        assert!(error.ends_with(&expected), "{error}");
    }
}
