//! Quantiles of what was measured, where a mean would be that of the worst moment.

/// The value below which `share` of the values lie: one of them, or not a number if there are none.
#[must_use]
pub fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let index = (values.len().saturating_sub(1) as f64 * share).round() as usize;
    values.get(index).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_values_whatever_their_order() {
        let values = || vec![5.0, 1.0, 4.0, 2.0, 3.0];
        let of: BTreeMap<_, _> =
            [0, 10, 50, 90, 100].map(|percent| (percent, quantile(values(), f64::from(percent) / 100.0))).into();
        assert_eq!(of, [(0, 1.0), (10, 1.0), (50, 3.0), (90, 5.0), (100, 5.0)].into());
        assert!(quantile(Vec::new(), 0.5).is_nan());
    }
}
