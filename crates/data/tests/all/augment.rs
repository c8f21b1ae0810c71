//! The augmentation: reference numbers, pictures that a person can check, and what is drawn how often.

use std::fs;
use std::path::Path;

use chacha20::rand_core::SeedableRng;
use meanflow_data::augment::{Draw, EdmConfig, apply, parity};
use proptest::prelude::*;
use safetensors::SafeTensors;

/// Images, draws, expected images and labels made by the published pipeline.
#[test]
fn agrees_with_the_published_pipeline() {
    let bytes = include_bytes!("../data/edm_augment.safetensors");
    let file = SafeTensors::deserialize(bytes).expect("a safetensors file");
    let tensor = |name: &str| -> Vec<f32> {
        let data = file.tensor(name).expect(name).data();
        data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    };
    let [xflip, scale, aniso, angle, translate] =
        ["xflip", "scale_w", "aniso_w", "aniso_angle", "translate_w"]
            .map(|name| tensor(&format!("in.{name}")));
    let draws: Vec<Draw> = (0..8)
        .map(|i| Draw {
            xflip: xflip[i] == 1.0,
            scale: scale[i].into(),
            aniso: aniso[i].into(),
            angle: angle[i].into(),
            translate: [translate[i].into(), translate[8 + i].into()],
        })
        .collect();
    assert!(draws.iter().filter(|draw| draw.xflip && draw.aniso != 0.0).count() > 1);
    let (mut given, expected) = (tensor("in.images"), tensor("out.images"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/edm_augment.safetensors");
    let compared = parity(&path).expect("a reference file");
    assert_eq!(
        compared.rows.iter().map(|row| &row.name[..]).collect::<Vec<_>>(),
        ["out.images", "out.labels"]
    );
    // Single precision of the reference alone gives 2e-6.
    assert!(compared.passed() && compared.rows.iter().all(|row| row.error < Some(1e-5)), "{compared}");

    // With margins that are ample for each image, the border differs a little; the rest does not.
    apply(&mut given, [3, 32, 32], &draws);
    let largest = expected.iter().map(|x| x.abs()).fold(0.0, f32::max);
    for (at, (found, expected)) in given.iter().zip(&expected).enumerate() {
        let border = [at % 32, at / 32 % 32].iter().any(|x| [0, 31].contains(x));
        let error = (found - expected).abs() / largest;
        assert!(error < if border { 1e-3 } else { 2e-4 }, "{error:e} at {at}");
    }
}

#[test]
fn reference_files_that_differ_or_are_wrong_do_not_pass() {
    let bytes = include_bytes!("../data/edm_augment.safetensors");
    let here = tempfile::tempdir().expect("a temporary folder");
    let file = here.path().join("x.safetensors");
    // The last number of the file belongs to one of the tensors that are compared or read.
    let mut changed = bytes.to_vec();
    let last = changed.len() - 4;
    changed[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&file, &changed).expect("a writable folder");
    assert!(!parity(&file).expect("a reference file").passed());
    fs::write(&file, &bytes[..bytes.len() - 4]).expect("a writable folder");
    let error = parity(&file).expect_err("a truncated file").to_string();
    assert!(error.contains("x.safetensors is not a valid safetensors file"), "{error}");
    // Another name in the header, of the same length.
    let renamed = |from: &str, to: &str| {
        let text = bytes.iter().map(|&byte| byte as char).collect::<String>().replacen(from, to, 1);
        fs::write(&file, text.chars().map(|c| c as u8).collect::<Vec<_>>()).expect("a writable folder");
        parity(&file)
    };
    let compared = renamed("out.labels", "out.lapels").expect("a reference file");
    let unhandled = compared.rows.iter().find(|row| row.name == "out.lapels").expect("it is listed");
    assert!(unhandled.error.is_none() && !unhandled.pass);
    let error = renamed("in.xflip", "in.xflop").expect_err("a tensor is missing").to_string();
    assert!(error.contains("`in.xflip`"), "{error}");
}

/// A picture of `#` (1) and `.` (−1).
fn draw_picture(rows: &[&str]) -> Vec<f32> {
    rows.iter().flat_map(|row| row.chars().map(|c| if c == '#' { 1.0 } else { -1.0 })).collect()
}

fn show(picture: &[f32], width: usize) -> Vec<String> {
    picture
        .chunks_exact(width)
        .map(|row| row.iter().map(|&x| if x > 0.0 { '#' } else { '.' }).collect())
        .collect()
}

/// What becomes of a picture.
fn warped(rows: &[&str], draw: Draw) -> Vec<String> {
    let width = rows[0].len();
    let mut picture = draw_picture(rows);
    apply(&mut picture, [1, rows.len(), width], &[draw]);
    show(&picture, width)
}

const FLAG: [&str; 16] = [
    "................",
    "................",
    "...########.....",
    "...########.....",
    "...########.....",
    "...########.....",
    "...##...........",
    "...##...........",
    "...##...........",
    "...##...........",
    "...##...........",
    "...##...........",
    "................",
    "................",
    "................",
    "................",
];

#[test]
fn a_mirrored_flag_flies_to_the_left() {
    let expected: Vec<String> = FLAG.iter().map(|row| row.chars().rev().collect()).collect();
    assert_eq!(warped(&FLAG, Draw { xflip: true, ..Draw::default() }), expected);
}

#[test]
fn a_shift_of_one_moves_an_eighth_of_the_side_right_and_down() {
    // 0.125 of 16 pixels are 2, to the right; and twice that, down. Above, the reflection about the first row
    // comes in.
    let expected = [
        ".....########...",
        ".....########...",
        ".....########...",
        "................",
        "................",
        "................",
        ".....########...",
        ".....########...",
        ".....########...",
        ".....########...",
        ".....##.........",
        ".....##.........",
        ".....##.........",
        ".....##.........",
        ".....##.........",
        ".....##.........",
    ];
    assert_eq!(warped(&FLAG, Draw { translate: [1.0, 2.0], ..Draw::default() }), expected);
}

/// A block of 8×8 in the middle of 32×32.
fn block() -> Vec<String> {
    (0..32).map(|y| row(12..20, (12..20).contains(&y))).collect()
}

fn row(filled: std::ops::Range<usize>, at_all: bool) -> String {
    (0..32).map(|x| if at_all && filled.contains(&x) { '#' } else { '.' }).collect()
}

/// What becomes of the block, without the reflections about the border that a smaller picture shows.
fn warped_block(draw: Draw) -> Vec<String> {
    let block = block();
    let whole = warped(&block.iter().map(String::as_str).collect::<Vec<_>>(), draw);
    let middle = |at: usize| (6..26).contains(&at);
    let keep = |y: usize, row: &str| {
        row.char_indices().map(|(x, pixel)| if middle(x) && middle(y) { pixel } else { '.' }).collect()
    };
    whole.iter().enumerate().map(|(y, row)| keep(y, row)).collect()
}

#[test]
fn scaling_by_five_steps_doubles_and_by_minus_five_halves() {
    // 2^(0.2·5) = 2: a block of 8 becomes one of 16; 2^(−1): one of 4.
    let square = |from, to| (0..32).map(|y| row(from..to, (from..to).contains(&y))).collect::<Vec<_>>();
    assert_eq!(warped_block(Draw { scale: 5.0, ..Draw::default() }), square(8, 24));
    assert_eq!(warped_block(Draw { scale: -5.0, ..Draw::default() }), square(14, 18));
}

#[test]
fn stretching_widens_along_the_axis_and_narrows_across() {
    let wide: Vec<_> = (0..32).map(|y| row(8..24, (14..18).contains(&y))).collect();
    assert_eq!(warped_block(Draw { aniso: 5.0, ..Draw::default() }), wide);
    // Along an axis at a right angle to it, the block becomes high and narrow.
    let high: Vec<_> = (0..32).map(|y| row(14..18, (8..24).contains(&y))).collect();
    assert_eq!(
        warped_block(Draw { aniso: 5.0, angle: std::f64::consts::FRAC_PI_2, ..Draw::default() }),
        high
    );
    // Along the diagonal that rises to the right: the corners on it move out, those beside it in.
    let slanted = warped_block(Draw { aniso: 5.0, angle: std::f64::consts::FRAC_PI_4, ..Draw::default() });
    let pixel = |x: usize, y: usize| slanted[y].as_bytes()[x];
    assert_eq!(
        [pixel(22, 9), pixel(9, 22), pixel(13, 13), pixel(18, 18)].map(char::from),
        ['#', '#', '.', '.']
    );
}

#[test]
fn what_is_not_warped_keeps_its_exact_pixels() {
    let picture: Vec<f32> = (0..3 * 8 * 8).map(|i| (i as f32 * 0.37).sin()).collect();
    let mut same = picture.clone();
    apply(&mut same, [3, 8, 8], &[Draw { angle: 1.0, ..Draw::default() }]);
    assert_eq!(same, picture);
    // The way through the doubled image and back, as the reference takes it always, gives it back as well.
    let mut warped = picture.clone();
    apply(&mut warped, [3, 8, 8], &[Draw { translate: [1e-9, 0.0], ..Draw::default() }]);
    let largest = warped.iter().zip(&picture).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(largest < 2e-6, "{largest:e}");
}

fn draws(config: &EdmConfig, count: usize) -> Vec<Draw> {
    let mut rng = chacha20::ChaCha8Rng::seed_from_u64(5);
    (0..count).map(|_| config.draw(&mut rng)).collect()
}

#[test]
fn the_published_recipe_draws_what_it_should_as_often_as_it_should() {
    const COUNT: usize = 50_000;
    let draws = draws(&EdmConfig::default(), COUNT);
    let share =
        |holds: fn(&Draw) -> bool| draws.iter().filter(|draw| holds(draw)).count() as f64 / COUNT as f64;
    // Four standard deviations of a share of 50,000 are below 0.009.
    for (found, expected) in [
        (share(|draw| draw.xflip), 0.5),
        (share(|draw| draw.scale != 0.0), 0.12),
        (share(|draw| draw.aniso != 0.0), 0.12),
        (share(|draw| draw.aniso != 0.0 && draw.angle != 0.0), 0.06),
        (share(|draw| draw.translate != [0.0; 2]), 0.12),
        (share(|draw| draw.scale != 0.0 && draw.aniso != 0.0), 0.0144),
    ] {
        assert!((found - expected).abs() < 0.009, "{found} for {expected}");
    }
    for values in [
        draws.iter().map(|draw| draw.scale).filter(|w| *w != 0.0).collect::<Vec<_>>(),
        draws.iter().map(|draw| draw.aniso).filter(|w| *w != 0.0).collect(),
        draws.iter().flat_map(|draw| draw.translate).filter(|w| *w != 0.0).collect(),
    ] {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|w| w * w).sum::<f64>() / count;
        assert!(mean.abs() < 4.0 / count.sqrt() && (variance - 1.0).abs() < 6.0 / count.sqrt());
    }
    // Angles cover the circle.
    let angles: Vec<f64> = draws.iter().map(|draw| draw.angle).filter(|angle| *angle != 0.0).collect();
    for quarter in 0..4 {
        let from = std::f64::consts::FRAC_PI_2 * (f64::from(quarter) - 2.0);
        let here = angles.iter().filter(|&&a| a >= from && a < from + std::f64::consts::FRAC_PI_2).count();
        assert!((here as f64 / angles.len() as f64 - 0.25).abs() < 0.04);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Filters and interpolation keep a flat picture flat, as long as the warp sees no further than one
    /// reflection.
    #[test]
    fn a_flat_picture_stays_flat(value in -1f32..1.0, scale in -0.8..2.0, aniso in -1.5..1.5, angle in -3.1..3.1, x in -1.0..1.0, y in -1.0..1.0) {
        let mut picture = vec![value; 3 * 16 * 12];
        apply(&mut picture, [3, 16, 12], &[Draw { xflip: true, scale, aniso, angle, translate: [x, y] }]);
        for pixel in picture {
            prop_assert!((pixel - value).abs() < 1e-4, "{} for {}", pixel, value);
        }
    }

    #[test]
    fn labels_say_what_was_done(seed: u64, p in 0.0..1.0) {
        let config = EdmConfig { p, ..EdmConfig::default() };
        let draw = config.draw(&mut chacha20::ChaCha8Rng::seed_from_u64(seed));
        let [flip, scale, along, across, x, y] = draw.labels();
        prop_assert_eq!(flip == 1.0, draw.xflip);
        prop_assert_eq!(scale, draw.scale as f32);
        prop_assert!((f64::from(along.hypot(across)) - draw.aniso.abs()).abs() < 1e-5);
        prop_assert_eq!([x, y], draw.translate.map(|w| w as f32));
    }
}

#[test]
fn settings_out_of_range_are_named() {
    let check = |config: EdmConfig| config.check().map_err(|error| error.to_string());
    assert_eq!(check(EdmConfig::default()), Ok(()));
    assert_eq!(
        check(EdmConfig { p: 1.5, ..EdmConfig::default() }),
        Err("augment.edm.p = 1.5: must be between 0 and 1".to_owned())
    );
    assert_eq!(
        check(EdmConfig { scale: -1.0, ..EdmConfig::default() }),
        Err("augment.edm.scale = -1: must be at least 0".to_owned())
    );
}
