//! A data set of one's own: grey pictures of discs, squares and rings, drawn as they are needed.

use meanflow::{
    data::{
        DataConfig, DataError, DataKind, Dataset, Description, Kind, Origin,
        dataset::digest_of,
        random::{below, keyed, unit},
    },
    settings::{Reader, Within},
};
use std::sync::Arc;

/// Discs, squares, rings.
const CLASSES: usize = 3;

/// Its entry of the registry.
pub static KIND: Kind = Kind {
    name: "shapes",
    description: "pictures: discs, squares and rings",
    origin: Origin::BuiltIn,
    read: |r| DataConfig::new(ShapesConfig::read(r)),
};

/// `[data.shapes]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ShapesConfig {
    /// Number of pictures.
    pub items: usize,
    /// Side of a picture, in pixels.
    pub size: usize,
}

impl ShapesConfig {
    fn read(r: &mut Reader) -> Self {
        Self { items: r.get("items", Within::SAMPLES, 2000), size: r.get("size", Within(8, 256), 16) }
    }
}

impl DataKind for ShapesConfig {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn describe(&self) -> Result<Description, DataError> {
        Ok(Description { shape: [1, self.size, self.size], classes: Some(CLASSES), items: Some(self.items) })
    }

    fn open(&self) -> Result<Arc<dyn Dataset>, DataError> {
        Ok(Arc::new(Shapes { items: self.items, size: self.size }))
    }
}

struct Shapes {
    items: usize,
    size: usize,
}

impl Shapes {
    /// Picture `index` of the set `name`: its class, and where and how large its shape is.
    fn draw(&self, name: &str, index: usize, sample: &mut [f32]) -> usize {
        let mut rng = keyed(0, name, index as u64);
        let (class, size) = (below(&mut rng, CLASSES), self.size as f64);
        let radius = size * (0.2 + 0.15 * unit(&mut rng));
        let [x, y] = [0; 2].map(|_| radius + (size - 2.0 * radius) * unit(&mut rng));
        for (place, pixel) in sample.iter_mut().enumerate() {
            let dx = ((place % self.size) as f64 + 0.5 - x).abs();
            let dy = ((place / self.size) as f64 + 0.5 - y).abs();
            let far = dx.hypot(dy);
            let depth = match class {
                0 => radius - far,
                1 => radius - dx.max(dy),
                _ => (radius - far).min(far - 0.5 * radius),
            };
            // A ramp one pixel wide, from black to white.
            *pixel = 2.0 * (depth + 0.5).clamp(0.0, 1.0) as f32 - 1.0;
        }
        class
    }

    fn pixels(&self) -> usize {
        self.size * self.size
    }
}

impl Dataset for Shapes {
    fn name(&self) -> &str {
        KIND.name
    }

    fn len(&self) -> usize {
        self.items
    }

    fn shape(&self) -> [usize; 3] {
        [1, self.size, self.size]
    }

    fn classes(&self) -> Option<usize> {
        Some(CLASSES)
    }

    fn read(&self, index: usize, sample: &mut [f32]) -> Result<(), DataError> {
        self.draw("shapes", index, sample);
        Ok(())
    }

    fn label(&self, index: usize) -> Option<usize> {
        Some(below(&mut keyed(0, "shapes", index as u64), CLASSES))
    }

    fn digest(&self) -> String {
        let mut picture = vec![0.0; self.pixels()];
        digest_of((0..self.items).flat_map(|index| {
            self.draw("shapes", index, &mut picture);
            picture.clone()
        }))
    }

    /// Fresh ones, from other keys than those of training.
    fn held_out(&self, count: usize, draw: u64) -> Result<Option<Vec<f32>>, DataError> {
        let (name, mut values) = (format!("held-out/{draw}"), vec![0.0; count * self.pixels()]);
        for (index, picture) in values.chunks_exact_mut(self.pixels()).enumerate() {
            self.draw(&name, index, picture);
        }
        Ok(Some(values))
    }
}
