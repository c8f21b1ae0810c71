use super::*;
use crate::{Model, label_tensor};
use burn::backend::Flex;
use meanflow_core::{Backbone, Clock, Condition, Streams};
use meanflow_nets::{DitConfig, NetConfig};
use meanflow_state::{self as state, Named, Texts};
use std::path::PathBuf;

const SHAPE: [usize; 3] = [2, 4, 4];

fn small() -> DitConfig {
    DitConfig { width: 4, heads: 2, ..DitConfig::preset("nano2").unwrap() }
}

fn tiny(depth: usize) -> NetConfig {
    NetConfig::Dit(DitConfig { depth, ..small() })
}

fn fresh(config: &NetConfig) -> Net<Flex, NetConfig> {
    config.init(SHAPE, Some(3), &Streams::new(0), &Default::default()).unwrap()
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../weights/tests/data/torch_dit.pth")
}

fn how(prefix: Option<&str>, partial: bool) -> Load {
    Load { prefix: prefix.map(str::to_owned), partial }
}

fn refused(config: &NetConfig, path: &Path, how: &Load) -> String {
    load(fresh(config), config, SHAPE, path, how).expect_err("it does not fit").to_string()
}

/// A state dict with the official names, written by PyTorch 2.15, and what a forward pass in PyTorch makes of it.
#[test]
fn a_state_dict_of_pytorch_gives_the_outputs_of_pytorch() {
    let (net, report) = load(fresh(&tiny(1)), &tiny(1), SHAPE, &file(), &how(None, false)).unwrap();
    assert_eq!((report.convention, report.prefix.as_str()), ("PyTorch (DiT, SiT)", "model."));
    assert_eq!((report.loaded, report.missing.len(), report.unused.len()), (25, 0, 0));
    let device = Default::default();
    let z: Vec<f32> = (0..64).map(|i| (1.7 * f64::from(i)).sin() as f32).collect();
    let z = Tensor::<Flex, 4>::from_data(TensorData::new(z, [2, 2, 4, 4]), &device);
    let times = |values: [f32; 2]| Tensor::<Flex, 1>::from_floats(values, &device);
    let labels = label_tensor(&[2, 3], &device);
    // The file's second time is t − r.
    let out = net.forward(z, times([0.0, 0.35]), times([1.0, 0.6]), &Condition::labels(labels)).into_data();
    let known = include_str!("../../tests/data/torch_dit_output.txt");
    let known: Vec<f32> = known.split_whitespace().map(|number| number.parse().unwrap()).collect();
    assert_eq!(known.len(), 64);
    for (value, known) in out.iter::<f32>().zip(known) {
        assert!((value - known).abs() < 2e-5, "{value} is not {known}");
    }
}

#[test]
fn a_part_of_a_network_is_taken_when_that_is_allowed() {
    // `ema` holds, in half precision, everything but the block.
    let said = refused(&tiny(1), &file(), &how(Some("ema."), false));
    assert!(
        said.contains("torch_dit.pth") && said.contains("10 tensors") && said.contains("ema.blocks.0."),
        "{said}"
    );
    let (_, report) = load(fresh(&tiny(1)), &tiny(1), SHAPE, &file(), &how(Some("ema."), true)).unwrap();
    assert_eq!((report.loaded, report.missing.len(), report.unused.len()), (15, 10, 0));
    let (_, report) = load(fresh(&tiny(2)), &tiny(2), SHAPE, &file(), &how(None, true)).unwrap();
    assert_eq!((report.loaded, report.missing.len()), (25, 10));
}

#[test]
fn another_architecture_is_one_error_that_names_file_and_tensor() {
    let other = NetConfig::Dit(DitConfig { width: 8, depth: 1, ..small() });
    let said = refused(&other, &file(), &how(None, true));
    assert!(said.contains("torch_dit.pth") && said.contains("`model.") && said.contains("shape"), "{said}");
    let said = refused(&tiny(2), &file(), &how(None, false));
    assert!(said.contains("10 tensors are missing") && said.contains("model.blocks.1."), "{said}");
    let mlp =
        NetConfig::Mlp(meanflow_nets::MlpConfig { width: 4, depth: 2, octaves: 0, clock: Clock::default() });
    let said = refused(&mlp, &file(), &how(None, false));
    assert!(said.contains("none of its tensors"), "{said}");
    let said = refused(&tiny(1), &file(), &how(Some("wrong."), false));
    assert!(said.contains("under `wrong.`"), "{said}");
}

/// Writes a file of the network's tensors under names and values of `change`.
fn written(change: impl Fn(&str, &mut TensorData) -> Vec<String>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    let mut tensors = Named::new();
    for (name, mut data) in parameters(&fresh(&tiny(1))) {
        for name in change(&name, &mut data) {
            tensors.insert(name, data.clone());
        }
    }
    state::write(&path, &tensors, Default::default()).unwrap();
    (folder, path)
}

#[test]
fn own_names_and_flax_names() {
    let (_folder, own) = written(|name, _| vec![format!("net.{name}")]);
    let (net, report) = load(fresh(&tiny(1)), &tiny(1), SHAPE, &own, &how(None, false)).unwrap();
    assert_eq!((report.convention, report.prefix.as_str(), report.loaded), ("meanflow", "net.", 25));
    assert_eq!(parameters(&net), parameters(&fresh(&tiny(1))));

    let flax = &tiny(1).conventions(SHAPE)[1];
    let flax = |name: &str| flax.entry(name).0.replace('.', "/");
    let (_folder, path) = written(|name, data| {
        // The patch kernel is HWIO there.
        if name == "Dit.x_embedder.weight" {
            data.shape = [2, 2, 2, 4].into();
        }
        vec![format!("ema_params/net/{}", flax(name))]
    });
    let (net, report) = load(fresh(&tiny(1)), &tiny(1), SHAPE, &path, &how(None, false)).unwrap();
    assert_eq!(
        (report.convention, report.prefix.as_str(), report.loaded),
        ("Flax (Gsunshine/meanflow)", "ema_params.net.", 25)
    );
    assert_eq!(parameters(&net), parameters(&fresh(&tiny(1))));
}

#[test]
fn several_networks_need_a_name_and_broken_numbers_are_refused() {
    let (_folder, path) = written(|name, _| vec![format!("net.{name}"), format!("ema.0.{name}")]);
    let said = refused(&tiny(1), &path, &how(None, false));
    assert!(said.contains("`ema.0.`, `net.`") && said.contains("init.prefix"), "{said}");
    assert_eq!(
        load(fresh(&tiny(1)), &tiny(1), SHAPE, &path, &how(Some("ema.0."), false)).unwrap().1.loaded,
        25
    );

    let (_folder, path) = written(|name, data| {
        if name == "Dit.blocks.0.qkv.bias" {
            *data = TensorData::new(vec![f32::NAN; 12], [12]);
        }
        vec![name.to_owned()]
    });
    let said = refused(&tiny(1), &path, &how(None, false));
    assert!(
        said.contains("x.safetensors") && said.contains("`Dit.blocks.0.qkv.bias` holds the value NaN"),
        "{said}"
    );

    let bytes = std::fs::read(&path).unwrap();
    // A bit of a number, in a file that says what its content sums up to.
    let (_own, own) = written(|name, _| vec![format!("net.{name}")]);
    let mut damaged = std::fs::read(&own).unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(&own, &damaged).unwrap();
    assert!(refused(&tiny(1), &own, &how(None, false)).contains("checksum"));
    std::fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
    assert!(refused(&tiny(1), &path, &how(None, false)).contains("x.safetensors"));
    std::fs::write(&path, b"\x80\x02old").unwrap();
    assert!(refused(&tiny(1), &path, &how(None, false)).contains("which no state dict needs"));
}

/// A file under the official names is what this reads: of every network that has such names, to the bit.
#[test]
fn what_is_exported_for_another_program_comes_back() {
    use meanflow_nets::{ImfDitConfig, UnetConfig};
    let unet = UnetConfig { width: 8, multipliers: vec![1, 2], blocks: 1, ..UnetConfig::ddpmpp() };
    let imf =
        ImfDitConfig { patch: 2, width: 8, depth: 2, heads: 2, head_depth: 1, ..ImfDitConfig::published() };
    let networks = [tiny(1), NetConfig::ImfDit(imf), NetConfig::Unet(unet)];
    let folder = tempfile::tempdir().unwrap();
    for config in networks {
        let net: Net<Flex, NetConfig> =
            config.init(SHAPE, Some(3), &Streams::new(0), &Default::default()).unwrap();
        let other: Net<Flex, NetConfig> =
            config.init(SHAPE, Some(3), &Streams::new(1), &Default::default()).unwrap();
        let model = Model::bare(config.clone(), SHAPE, Some(3), &net);
        for convention in &config.conventions(SHAPE)[1..] {
            for name in ["x.pth", "x.safetensors"] {
                let path = folder.path().join(name);
                model.write_for(convention.key, &path).unwrap();
                let (back, report) = load(other.clone(), &config, SHAPE, &path, &how(None, false)).unwrap();
                assert_eq!(report.convention, convention.name, "{config:?}");
                assert_eq!(parameters(&back), parameters(&net), "{config:?} {name}");
            }
        }
    }
    let model = Model::bare(tiny(1), SHAPE, Some(3), &fresh(&tiny(1)));
    let said = model.write_for("keras", &folder.path().join("y.pth")).unwrap_err().to_string();
    assert!(said.contains("keras") && said.contains("torch"), "{said}");
}

#[test]
fn a_file_that_describes_another_network_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    let file = |values: fn(&str, &mut TensorData)| {
        let mut tensors = parameters(&fresh(&tiny(1)));
        for (name, data) in &mut tensors {
            values(name, data);
        }
        let entries = [
            ("format", "meanflow-network-1"),
            ("net", "[net.dit]\npatch = 2\nwidth = 4\ndepth = 1\nheads = 2\nmlp-ratio = 4.0\n"),
            ("shape", "2 4 4"),
            ("classes", "3"),
            ("solver", "meanflow"),
            ("guidance", "none"),
            ("velocity", "average"),
            ("seed", "0"),
            ("ema", "none"),
            ("step", "1"),
        ];
        let metadata: Texts = entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        state::write(&path, &tensors, metadata.clone()).unwrap();
        (tensors, metadata)
    };
    let (tensors, metadata) = file(|_, _| ());
    assert_eq!(load(fresh(&tiny(1)), &tiny(1), SHAPE, &path, &how(None, false)).unwrap().1.loaded, 25);
    Model::<NetConfig>::open(&path).unwrap();
    // The same shapes, and another function.
    let other = NetConfig::Dit(DitConfig { depth: 1, heads: 1, ..small() });
    let said = refused(&other, &path, &how(None, false));
    assert!(
        said.contains("x.safetensors") && said.contains("`heads: 2`") && said.contains("`heads: 1`"),
        "{said}"
    );
    assert_eq!(load(fresh(&other), &other, SHAPE, &path, &how(None, true)).unwrap().1.loaded, 25);
    // What the description says is compared with the weights before anything of that size is made.
    for (key, value) in [
        ("classes", "0"),
        ("classes", "100000000000"),
        ("classes", "16000000"),
        ("classes", "none"),
        ("shape", "2 0 4"),
        ("shape", "3 100000 100000"),
        ("shape", "2 4"),
        ("guidance", "nan 0 1"),
        ("guidance", "2 0.9 0.1"),
        ("net", "[net.dit]\npatch = 2\nwidth = 400000\ndepth = 100000\nheads = 2\nmlp-ratio = 4.0\n"),
        ("net", "[net.dit"),
    ] {
        let mut metadata = metadata.clone();
        metadata.insert(key.into(), value.into());
        state::write(&path, &tensors, metadata).unwrap();
        let said = Model::<NetConfig>::open(&path).expect_err(value).to_string();
        assert!(said.contains("x.safetensors"), "{said}");
    }
    file(|name, data| {
        if name == "Dit.blocks.0.qkv.bias" {
            *data = TensorData::new(vec![f32::NAN; 12], [12]);
        }
    });
    let said = Model::<NetConfig>::open(&path).unwrap_err().to_string();
    assert!(said.contains("`Dit.blocks.0.qkv.bias` holds the value NaN"), "{said}");
}

/// What an official file holds beside its weights says how its network computes.
#[test]
fn other_constants_are_refused() {
    use meanflow_nets::UnetConfig;
    let unet = |filter: &[f64]| {
        let filter = filter.to_vec();
        UnetConfig { width: 8, multipliers: vec![1, 2], blocks: 1, filter, ..UnetConfig::ddpmpp() }
    };
    let networks = [
        (
            NetConfig::Unet(unet(&[1.0, 1.0])),
            NetConfig::Unet(unet(&[1.0, 3.0, 3.0, 1.0])),
            "enc.2x2_down.conv0.resample_filter",
        ),
        (tiny(1), tiny(1), "pos_embed"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    for (config, other, name) in networks {
        let net: Net<Flex, NetConfig> =
            config.init(SHAPE, Some(3), &Streams::new(0), &Default::default()).unwrap();
        let conventions = config.conventions(SHAPE);
        let convention = conventions.last().unwrap();
        Model::bare(config.clone(), SHAPE, Some(3), &net).write_for(convention.key, &path).unwrap();
        let mut tensors = state::read(&path).unwrap().1;
        let (_, HostTensor { shape, values }) = &convention.constants[0];
        tensors.insert(name.to_owned(), TensorData::new(values.clone(), shape.clone()));
        state::write(&path, &tensors, Texts::new()).unwrap();
        assert_eq!(load(net.clone(), &config, SHAPE, &path, &how(None, false)).unwrap().1.unused.len(), 0);
        if other == config {
            let values = values.iter().rev().copied().collect();
            tensors.insert(name.to_owned(), TensorData::new::<f32, _>(values, shape.clone()));
            state::write(&path, &tensors, Texts::new()).unwrap();
        }
        let said = load(net, &other, SHAPE, &path, &how(None, false)).unwrap_err().to_string();
        assert!(said.contains(name) && said.contains("computes otherwise"), "{said}");
    }
}

#[test]
fn what_is_no_weight_is_an_error_where_it_is_needed_alone() {
    let integers = || TensorData::new(vec![1_i64, 2], [2]);
    let (_folder, path) = written(|name, _| vec![name.to_owned()]);
    let mut tensors = state::read(&path).unwrap().1;
    tensors.insert("step".to_owned(), integers());
    state::write(&path, &tensors, Texts::new()).unwrap();
    let said = refused(&tiny(1), &path, &how(None, false));
    assert!(said.contains("no place for 1 tensors: step;"), "{said}");
    assert_eq!(load(fresh(&tiny(1)), &tiny(1), SHAPE, &path, &how(None, true)).unwrap().1.loaded, 25);
    tensors.insert("Dit.blocks.0.qkv.bias".to_owned(), integers());
    state::write(&path, &tensors, Texts::new()).unwrap();
    let said = refused(&tiny(1), &path, &how(None, true));
    assert!(said.contains("`Dit.blocks.0.qkv.bias`") && said.contains("I64, which no weights are"), "{said}");
    // Two spellings of one name.
    let (_folder, path) = written(|name, _| vec![name.to_owned(), name.replace('.', "/")]);
    let said = refused(&tiny(1), &path, &how(None, false));
    assert!(said.contains("are one name"), "{said}");
}
