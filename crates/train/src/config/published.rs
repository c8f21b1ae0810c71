//! `[[published]]`: what a paper reports of a variant. Nothing is computed from it; the report shows it beside what came out.

use meanflow_settings::{Number, Reader, Text, Within};

/// Reads the tables into the record of the configuration, where the report finds them.
pub(super) fn read(root: &mut Reader) {
    root.each("published", |r| {
        r.need("variant", Text::SOME);
        r.need("metric", Text::SOME);
        r.need("nfe", Within::SIZE);
        r.need("value", Number::ANY);
        r.need("source", Text::SOME);
    });
}
