//! What each metric is, in plain words.

/// One or two sentences on a metric; nothing for a name that is not known here.
pub fn metric(name: &str) -> Option<&'static str> {
    Some(match name {
        "w2" => {
            "Exact 2-Wasserstein distance between the samples and as many data points: the root of the least mean squared \
             distance over all one-to-one pairings, found by solving the assignment problem in double precision."
        }
        "sliced_w2" => {
            "Sliced 2-Wasserstein distance between the samples and as many data points: the root mean square, over random \
             directions, of the one-dimensional 2-Wasserstein distances of the projections."
        }
        "energy" => {
            "Energy distance, 2·E|X−Y| − E|X−X′| − E|Y−Y′| over all pairs of samples X and data Y (a V-statistic, no square \
             root)."
        }
        "fd_pca64" => {
            "Fréchet distance, |m₁−m₂|² + tr(S₁ + S₂ − 2(S₁S₂)^½), between Gaussians fitted to samples and data, on the \
             first 64 principal components of the real pixels, in double precision. It is not the FID: no feature network \
             is involved. Values compare only for the same data and the same n. A score in the features of a network, fd_efflite0, \
             stands beside it where `meanflow data fetch efficientnet-lite0` had put that network's weights before the run ended."
        }
        "fd_efflite0" => {
            "Fréchet distance between Gaussians fitted to samples and as many real images, in the 1,280 features of \
             EfficientNet-Lite0, which was trained on ImageNet; in double precision. It is not the FID, whose network is another. Values \
             compare only for the same data and the same n; the floor is the distance of other real images."
        }
        _ => return None,
    })
}
