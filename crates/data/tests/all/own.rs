//! A kind of data from outside the crate: a file like this one, and a line in a list.

use std::path::Path;
use std::sync::Arc;

use chacha20::ChaCha8Rng;
use meanflow_data::density::{Density, Drawn};
use meanflow_data::{
    DataConfig, DataError, DataKind, Dataset, Description, KINDS, Kind, Origin, Presence, SwissRollConfig,
    list, random, read,
};
use meanflow_settings::{ConfigError, Document, Layout, Reader, Within};

static CORNERS: Kind = Kind {
    name: "corners",
    description: "plane: the corners of a square",
    origin: Origin::BuiltIn,
    read: |r| DataConfig::new(CornersConfig::read(r)),
};

#[derive(Clone, Debug, PartialEq)]
struct CornersConfig {
    points: usize,
}

impl CornersConfig {
    fn read(r: &mut Reader) -> Self {
        Self { points: r.get("points", Within(0, 100), 40) }
    }
}

struct Corners;

impl Density for Corners {
    fn draw(&self, rng: &mut ChaCha8Rng) -> ([f64; 2], usize) {
        let corner = random::below(rng, 4);
        ([corner / 2, corner % 2].map(|side| 2.0 * side as f64 - 1.0), corner)
    }
}

impl DataKind for CornersConfig {
    fn kind(&self) -> &'static Kind {
        &CORNERS
    }

    fn describe(&self) -> Result<Description, DataError> {
        DataError::require(self.points >= 4, "points", self.points, "must be at least 4")?;
        Ok(Description { shape: [2, 1, 1], classes: None, items: Some(self.points) })
    }

    fn open(&self) -> Result<Arc<dyn Dataset>, DataError> {
        self.describe()?;
        Ok(Arc::new(Drawn::new(CORNERS.name, Corners, None, self.points, 0)))
    }
}

fn all() -> Vec<&'static Kind> {
    KINDS.iter().copied().chain([&CORNERS]).collect()
}

fn load(text: &str, kinds: &[&'static Kind]) -> Result<(DataConfig, Description), ConfigError> {
    let document = Document::of_text("a.toml", text, Layout::of("test"))?;
    Ok(document.read(|root, _| read(root, kinds, None)).only()?.0)
}

#[test]
fn it_is_read_described_and_opened_like_those_that_are_built_in() {
    let (data, description) = load("data.corners.points = 8", &all()).expect("a kind of the list");
    assert_eq!((data.name(), description.items), ("corners", Some(8)));
    assert_eq!(data.open().expect("valid settings").len(), 8);
    assert_eq!(data.get(), Some(&CornersConfig { points: 8 }));
    assert!(data.get::<SwissRollConfig>().is_none());
    assert_eq!(data.clone(), data);
    assert_ne!(data, DataConfig::new(CornersConfig { points: 9 }));
    assert_ne!(data, DataConfig::new(SwissRollConfig::default()));
    let listed = list(&all(), Path::new("none")).pop().expect("a kind");
    assert_eq!((listed.name, listed.presence), ("corners", Presence::BuiltIn));
}

#[test]
fn what_is_wrong_with_it_is_said_like_the_rest() {
    let first = |text, kinds: &[&'static Kind]| {
        let error = load(text, kinds).expect_err(text).to_string();
        error.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(first("data.corners = {}", KINDS), "error: `data` has no kind `corners`");
    assert_eq!(first("data.corners.point = 8", &all()), "error: unknown key `point` in `[data.corners]`");
    assert_eq!(
        first("data.corners.points = 3", &all()),
        "error: `data.corners.points` = 3: must be at least 4"
    );
    assert_eq!(
        first("data.corners.points = -1", &all()),
        "error: `data.corners.points` must be at least 0, found -1"
    );
}
