//! Every kind of reference file goes to the crate that computes it.

use crate::meanflow;
use std::path::Path;

#[test]
fn the_reference_numbers_of_every_crate_are_met() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for (file, count) in [
        ("nets/tests/data/dit_meanflow.safetensors", 49),
        ("nets/tests/data/imf_dit.safetensors", 94),
        ("data/tests/data/edm_augment.safetensors", 2),
        ("metrics/tests/data/metrics.safetensors", 17),
    ] {
        let output = meanflow(crates).args(["parity", file]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.trim_end().ends_with(&format!("compared {count} of {count}")), "{text}");
    }
}
