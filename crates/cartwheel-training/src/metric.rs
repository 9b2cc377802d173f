//! The line of metrics that libxgboost writes after a round.

/// From `[3]\ttrain-auc:0.81\tvalidation-auc:0.79` to names and values.
pub(crate) fn parse(line: &str) -> Vec<(String, f64)> {
    line.split('\t')
        .skip(1)
        .filter_map(|cell| {
            let (name, value) = cell.rsplit_once(':')?;
            Some((name.to_owned(), value.trim().parse().ok()?))
        })
        .collect()
}

/// Whether training makes the metric, such as `validation-ndcg@10`, larger.
pub(crate) fn more_is_better(name: &str) -> bool {
    let metric = name.split_once('-').map_or(name, |(_, metric)| metric);
    let kind = metric.split_once('@').map_or(metric, |(kind, _)| kind);
    // A `-` at the end says how a group without hits is counted.
    matches!(kind.trim_end_matches('-'), "auc" | "aucpr" | "ndcg" | "map" | "pre")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_metrics() {
        let metric = |name: &str, value| (name.to_owned(), value);
        assert_eq!(
            parse("[12]\ttrain-auc:0.8125\ttrain-logloss:0.5\tvalidation-ndcg@10-:1e-3\n"),
            [
                metric("train-auc", 0.8125),
                metric("train-logloss", 0.5),
                metric("validation-ndcg@10-", 1e-3),
            ]
        );
        assert!(parse("[0]").is_empty());
        assert!(parse("").is_empty());
    }

    #[test]
    fn which_way_is_better() {
        for name in
            ["train-auc", "v-aucpr", "v-ndcg", "v-ndcg@10", "v-ndcg@10-", "v-map@5", "v-pre"]
        {
            assert!(more_is_better(name), "{name}");
        }
        for name in ["train-logloss", "v-error", "v-error@0.7", "v-rmse", "v-mape", "v-mae"] {
            assert!(!more_is_better(name), "{name}");
        }
    }
}
