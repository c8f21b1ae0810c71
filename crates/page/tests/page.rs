//! The page as a file, and its noise against the program's.

use meanflow_page::{Generator, Grid, LICENCE, PageError, Runtime, Steps, page};
use rand_distr::{Distribution, StandardNormal};
use std::process::Command;

fn generator() -> Generator {
    Generator {
        title: "garments".to_owned(),
        experiment: "quickstart/<garments>".to_owned(),
        step: 7,
        weights_sha256: "ab12".to_owned(),
        shape: [1, 28, 28],
        classes: Some(10),
        seed: 3,
        solver: Steps::Meanflow,
        start: 1.0,
        grids: vec![Grid { nfe: 2, times: vec![1.0, 0.5, 0.0] }],
        file: b"network".to_vec(),
    }
}

fn runtime() -> Runtime {
    Runtime { script: b"export {}".to_vec(), wasm: b"wasm".to_vec() }
}

/// What a browser would fetch from elsewhere starts with one of these.
const FETCHED: [&str; 5] = ["src=", "href=", "http://", "url(", "@import"];

#[test]
fn everything_is_in_the_page_and_nothing_is_fetched() {
    let html = page(&[generator(), generator()], &runtime()).unwrap();
    for id in ["about", "runtime", "wasm", "model-0", "model-1"] {
        assert_eq!(html.matches(&format!("id=\"{id}\"")).count(), 1, "{id}");
    }
    for word in FETCHED {
        assert!(!html.contains(word), "{word}");
    }
    assert!(html.contains(r#""grids":[{"nfe":2,"times":[1.0,0.5,0.0]}]"#));
    let owner = LICENCE.lines().find(|line| line.starts_with("Copyright")).unwrap();
    assert!(html.contains(owner), "the licence is in the page");
    assert!(html.contains("quickstart/\\u003cgarments>"), "no tag comes out of a name");
}

#[test]
fn only_pictures_of_one_data_set_are_shown() {
    let with = |shape| page(&[generator(), Generator { shape, ..generator() }], &runtime());
    assert!(matches!(with([2, 1, 1]), Err(PageError::NoPictures { .. })));
    assert!(matches!(with([4, 32, 32]), Err(PageError::NoPictures { .. })));
    assert!(matches!(with([3, 28, 28]), Err(PageError::Others { .. })));
    assert_eq!(page(&[], &runtime()), Err(PageError::Empty));
    assert_eq!(page(&[Generator { grids: Vec::new(), ..generator() }], &runtime()), Err(PageError::Empty));
}

/// 200,000 draws reach every branch of the ziggurat, the tail included.
#[test]
fn the_noise_of_the_page_is_that_of_the_program() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/assets/noise.js");
    let program = format!(
        "const n = require('{script}').normals(12345678901, 200000);\
         process.stdout.write(Buffer.from(n.buffer));"
    );
    let Ok(output) = Command::new("node").args(["-e", &program]).output() else {
        println!("node is not installed: the noise of the page is not compared");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page: Vec<f32> = output.stdout.as_chunks().0.iter().map(|&four| f32::from_le_bytes(four)).collect();
    let mut rng = meanflow_random::keyed(12_345_678_901, "eval-noise", 0);
    let ours: Vec<f32> = std::iter::repeat_with(|| StandardNormal.sample(&mut rng)).take(200_000).collect();
    assert_eq!(page.len(), ours.len());
    let worst = page.iter().zip(&ours).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= 1e-6, "{worst}");
}
