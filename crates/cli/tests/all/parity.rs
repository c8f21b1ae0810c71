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

/// Whatever is wrong with a file, the message says with which.
#[test]
fn a_file_that_cannot_be_compared_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let good = Path::new(env!("CARGO_MANIFEST_DIR")).join("../nets/tests/data/dit_meanflow.safetensors");
    let whole = std::fs::read(good).unwrap();
    let length = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let header = String::from_utf8(whole[8..8 + length].to_vec()).unwrap();
    for (old, new) in [
        ("dit-meanflow", "dit-meanflux"),
        ("hidden_size", "hidden_siza"),
        ("\"in.x\"", "\"in.q\""),
        ("\"in.t\"", "\"in.q\""),
        ("\"param.x_embedder", "\"param.y_embedder"),
    ] {
        let bad = header.replacen(old, new, 1);
        assert!(bad != header && bad.len() == header.len(), "{old}");
        let bytes = [&whole[..8], bad.as_bytes(), &whole[8 + length..]].concat();
        std::fs::write(folder.path().join("bad.safetensors"), bytes).unwrap();
        let output = meanflow(folder.path()).args(["parity", "bad.safetensors"]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && text.contains("bad.safetensors"), "{old}: {text}");
    }
}
