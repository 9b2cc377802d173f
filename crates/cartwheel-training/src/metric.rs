//! Parses the line of metrics that libxgboost writes after a round.

/// Converts `[3]\ttrain-auc:0.81\tvalidation-auc:0.79` into names and values.
pub(crate) fn parse(line: &str) -> Vec<(String, f64)> {
    line.split('\t')
        .skip(1)
        .filter_map(|cell| {
            let (name, value) = cell.rsplit_once(':')?;
            Some((name.to_owned(), value.trim().parse().ok()?))
        })
        .collect()
}

/// Whether a larger value of the metric, such as `validation-ndcg@10`, is better.
pub(crate) fn more_is_better(name: &str) -> bool {
    let metric = name.split_once('-').map_or(name, |(_, metric)| metric);
    let kind = metric.split_once('@').map_or(metric, |(kind, _)| kind);
    // A trailing `-` selects how groups without hits are counted.
    matches!(kind.trim_end_matches('-'), "auc" | "aucpr" | "ndcg" | "map" | "pre")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_metrics_is_parsed() {
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
    fn the_better_direction_depends_on_the_metric() {
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
