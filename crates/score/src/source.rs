//! What a path or a data set holds, as a source of samples.

use crate::{Machine, ScoreError, error::Of, home::Home};
use meanflow_data::{
    DataConfig, Dataset, Floats, Hdf5Config, array_names, read_floats, read_rows, read_text,
    write_floats_with,
};
use meanflow_metrics::{Images, Input, Origin, Pictures, Statistics, StatisticsNames};
use ndarray::Array2;
use std::{error::Error, path::Path, sync::Arc};

/// Name of an array of features in an HDF5 file.
const FEATURES: &str = "features";

/// Opens a folder of pictures, a `.npy`, `.npz`, `.h5` or `.hdf5` file, or the data of an experiment file.
pub(crate) fn open(home: &impl Home, machine: &impl Machine, path: &Path) -> Result<Input, ScoreError> {
    match ending(path) {
        "toml" => of_dataset(home.data(path)?),
        "h5" | "hdf5" if path.is_file() => of_hdf5(path),
        _ => {
            let source = Input::open(path)?;
            if let Some(note) = source.note() {
                machine.note(&format!("note: {}: {note}", path.display()));
            }
            Ok(source)
        }
    }
}

/// The data set of an experiment file or an HDF5 file, the two that may hold labels; in the order of [`open`].
pub(crate) fn labelled(home: &impl Home, path: &Path) -> Result<Arc<dyn Dataset>, ScoreError> {
    match ending(path) {
        "toml" => home.data(path),
        "h5" | "hdf5" if path.is_file() => Ok(DataConfig::new(Hdf5Config::new(path)).open()?),
        _ => Err(ScoreError::Unfit(format!(
            "{} holds no labels; an HDF5 file may, and the data of an experiment file",
            path.display()
        ))),
    }
}

/// All samples of a data set: points as rows, all else as pictures that are read when they are needed.
pub(crate) fn of_dataset(data: Arc<dyn Dataset>) -> Result<Input, ScoreError> {
    let (shape, count) = (data.shape(), data.len());
    match shape {
        [_, 1, 1] => Ok(of_values(read_rows(&*data, 0..count)?, shape)),
        shape => Ok(Input::Images(Images::elsewhere(Arc::new(Stored(data)), count, shape))),
    }
}

/// Points as rows, all else as pictures.
pub(crate) fn of_values(values: Vec<f32>, shape: [usize; 3]) -> Input {
    match shape {
        [dimension, 1, 1] => {
            let rows = values.len() / dimension;
            Input::Rows(Array2::from_shape_vec((rows, dimension), values).expect("whole rows"))
        }
        shape => Input::Images(Images::floats(values, shape)),
    }
}

struct Stored(Arc<dyn Dataset>);

impl Pictures for Stored {
    fn read(&self, indices: &[usize]) -> Result<Vec<f32>, Box<dyn Error + Send + Sync>> {
        Ok(read_rows(&*self.0, indices.iter().copied())?)
    }
}

fn of_hdf5(path: &Path) -> Result<Input, ScoreError> {
    let names = array_names(path)?;
    if let Some(pair) = StatisticsNames::among(&names) {
        let [mu, sigma] = pair.names();
        let (mean, covariance) = (read_floats(path, mu)?, read_floats(path, sigma)?);
        let covariance = matrix(covariance, path, sigma)?;
        let origin = Origin::read(|name| read_text(path, name))?;
        let statistics = Statistics::checked(mean.values, covariance, path, pair)?;
        return Ok(Input::Statistics(Statistics { origin, ..statistics }));
    }
    if names.iter().any(|name| name == FEATURES) {
        return Ok(Input::rows(matrix(read_floats(path, FEATURES)?, path, FEATURES)?, path, FEATURES)?);
    }
    if let Some([there, missing]) = StatisticsNames::half(&names) {
        let path = path.display();
        return Err(ScoreError::Unfit(format!("{path}: {missing}: is missing, but {there} is there")));
    }
    of_dataset(DataConfig::new(Hdf5Config::new(path)).open()?)
}

fn matrix(array: Floats, path: &Path, name: &str) -> Result<Array2<f64>, ScoreError> {
    let path = path.display();
    let axes = <[usize; 2]>::try_from(&array.shape[..]).map_err(|_| {
        ScoreError::Unfit(format!("{path}: {name}: has the shape {:?} instead of two axes", array.shape))
    })?;
    Ok(Array2::from_shape_vec(axes, array.values).expect("as many values as the shape says"))
}

/// Writes mean and covariance as `mu` and `sigma` into an `.npz`, `.h5` or `.hdf5` file.
pub(crate) fn write_statistics(statistics: &Statistics, path: &Path) -> Result<(), ScoreError> {
    let names = StatisticsNames::Plain;
    match ending(path) {
        "npz" => Ok(statistics.write(path, names)?),
        "h5" | "hdf5" => {
            let size = statistics.dimension();
            let mean = Floats { shape: vec![size], values: statistics.mean.clone() };
            let values = statistics.covariance.iter().copied().collect();
            let covariance = Floats { shape: vec![size, size], values };
            let [mu, sigma] = names.names();
            let texts = statistics.origin.as_ref().map(Origin::entries).unwrap_or_default();
            write_floats_with(path, &[(mu, &mean), (sigma, &covariance)], &texts)
                .of(|| "statistics".to_owned())
        }
        _ => unreachable!("checked before"),
    }
}

/// Whether statistics can be written there.
pub(crate) fn takes_statistics(path: &Path) -> bool {
    matches!(ending(path), "npz" | "h5" | "hdf5")
}

fn ending(path: &Path) -> &str {
    path.extension().and_then(|ending| ending.to_str()).unwrap_or_default()
}
