//! `meanflow eval`.

use crate::{Done, args::Eval, commands::progress::Shown};
use meanflow_metrics::Settings;
use meanflow_score::{Networks, Output, Request, eval, write_statistics};
use meanflow_train::{Kinds, home::Runs};
use serde_json::{Map, Value};

/// Scores every input and prints the numbers, each input's when they are there.
pub fn run<K: Kinds>(args: Eval) -> anyhow::Result<Done> {
    let machine = Shown::new(args.on.device);
    let runs = Runs::<K, _>::new(&machine, args.ema.as_deref(), args.noise);
    let request = request(&args);
    if let Some(path) = &args.write_stats {
        if let Some(written) = write_statistics(&runs, &machine, request, path)? {
            tell!("dimension {}", written.dimension);
            tell!("n {}", written.n);
            tell!("statistics {}", written.digest);
        }
        return Ok(Done::Yes);
    }
    let mut all = Vec::new();
    let mut failures = eval(&runs, &machine, request, |output, several| {
        if args.json {
            all.push((output.key(), output.json()));
        } else {
            print(output, several);
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

fn print(output: &Output, several: bool) {
    for line in output.lines(several) {
        tell!("{line}");
    }
    if let Some(nearest) = &output.nearest {
        say!("{}: nearest of {} by {}", nearest.path.display(), nearest.searched, nearest.space);
    }
}

fn request(args: &Eval) -> Request {
    let Eval { seed, repeats, neighbours, kid_subsets, kid_size, .. } = *args;
    Request {
        inputs: args.inputs.clone(),
        real: args.real.clone(),
        metrics: args.metrics.clone(),
        samples: args.samples,
        real_samples: args.real_samples,
        floor: args.floor,
        nfe: args.nfe.clone(),
        networks: Networks {
            inception: args.inception.clone(),
            efflite0: args.efflite0.clone(),
            resize: args.resize.into(),
            quantise: args.quantise.into(),
            cache: (!args.no_cache).then(|| args.cache.clone()),
            device: format!("{:?}", args.on.device),
        },
        classifier: args.classifier.clone(),
        settings: Settings { seed, repeats, neighbours, kid_subsets, kid_size, ..Settings::default() },
        nearest: args.nearest.clone(),
        nearest_of: args.nearest_of,
    }
}
