//! Files of settings: TOML, what it extends, variants, and messages with places.

use crate::Target;
use meanflow_settings::{Document, Flag, Kinds, Layout, Or, Reader, Text, Within};

/// As experiment files have it.
const LAYOUT: Layout = Layout {
    what: "experiment",
    needs: "it needs a table",
    kinds: Kinds(&["data", "net", "objective", "objective.*.time", "optimizer"]),
};

pub(super) const TARGET: Target = Target {
    name: "settings",
    seeds: &["fuzz/corpus/settings"],
    together: true,
    cost: 1,
    read: |folder| {
        let read = |root: &mut Reader| {
            root.get("name", Or("off", Text::SOME), None);
            root.get("flag", Flag, false);
            let seed = root.get("seed", Within(0, 1 << 32), 0);
            root.section("data", |data: &mut Reader| {
                data.section("two-moons", |kind: &mut Reader| {
                    kind.get("points", Within(1, 1 << 20), 1);
                });
            });
            seed
        };
        for name in ["main.toml", "variants.toml"] {
            let document = Document::load(&folder.join(name), &["flag=false".to_owned()], LAYOUT);
            let read = document.and_then(|document| document.read(|root, _| Some(read(root))).done());
            read.map(drop).map_err(|error| {
                error.render(true);
                error.render(false)
            })?;
        }
        Ok(())
    },
};
