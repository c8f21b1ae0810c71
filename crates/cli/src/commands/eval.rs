//! `meanflow eval`.

use crate::{Done, args::Eval, commands::progress::Shown};
use meanflow_metrics::{Quantise, Settings, networks::InceptionResize};
use meanflow_score::{Networks, Request, eval, write_statistics};
use meanflow_train::{Kinds, home::Runs};
use serde_json::{Map, Value};

/// Scores every input and prints the numbers, each input's when they are there.
pub fn run<K: Kinds>(args: Eval) -> anyhow::Result<Done> {
    let machine = Shown::new(args.on.device);
    let (json, ema, statistics) = (args.json, args.ema.clone(), args.write_stats.clone());
    let runs = Runs::<K, _>::new(&machine, ema.as_deref(), args.noise);
    let request = request::<K>(args);
    if let Some(path) = statistics {
        if let Some(written) = write_statistics(&runs, &machine, request, &path)? {
            tell!("dimension {}", written.dimension);
            tell!("n {}", written.n);
            tell!("statistics {}", written.digest);
        }
        return Ok(Done::Yes);
    }
    let mut all = Vec::new();
    let mut failures = eval(&runs, &machine, request, |output, several| {
        if json {
            all.push((output.key(), output.json()));
        } else {
            output.lines(several).iter().for_each(|line| tell!("{line}"));
            if let Some(nearest) = &output.nearest {
                say!("{}: nearest of {} by {}", nearest.path.display(), nearest.searched, nearest.space);
            }
        }
    })?;
    match &all[..] {
        [] => {}
        [(_, only)] => tell!("{only:#}"),
        _ => tell!("{:#}", Value::Object(all.into_iter().collect::<Map<_, _>>())),
    }
    match failures.len() {
        0 => Ok(Done::Yes),
        1 => Err(failures.remove(0).into()),
        _ => {
            let all: Vec<String> = failures.iter().map(ToString::to_string).collect();
            anyhow::bail!("{} problems\n  {}", all.len(), all.join("\n  "))
        }
    }
}

fn request<K: Kinds>(args: Eval) -> Request {
    let Eval { seed, repeats, neighbours, kid_subsets, kid_size, .. } = args;
    let resize = InceptionResize::NAMES.into_iter().find(|(name, _)| *name == args.resize);
    let quantise = Quantise::NAMES.into_iter().find(|(name, _)| *name == args.quantise);
    Request {
        known: K::metrics(),
        real: args.real,
        metrics: args.metrics,
        samples: args.samples,
        real_samples: args.real_samples,
        floor: args.floor,
        nfe: args.nfe,
        networks: Networks {
            inception: args.inception,
            efflite0: args.efflite0,
            resize: resize.map_or_else(Default::default, |(_, rule)| rule),
            quantise: quantise.map_or_else(Default::default, |(_, rule)| rule),
            cache: (!args.no_cache).then_some(args.cache),
            device: format!("{:?}", args.on.device),
        },
        classifier: args.classifier,
        settings: Settings { seed, repeats, neighbours, kid_subsets, kid_size, ..Settings::default() },
        nearest: args.nearest,
        nearest_of: args.nearest_of,
        ..Request::new(args.inputs)
    }
}
