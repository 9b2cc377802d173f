//! The record of how the parameters of sources were chosen as text.

use cartwheel_feature_set::{ParameterSearch, SourceSearch};

/// The outcome, and a line for each parameter: its values with their last scores, and why one of them
/// was chosen.
pub fn text(record: &SourceSearch) -> String {
    let mut out = format!("Parameters of the sources: {}\n", record.outcome);
    let [few, all] = record.questions[..] else { return out };
    out.push_str(&format!(
        "  NDCG of the source's list over {all} questions; in brackets, over the first {few} of them\n"
    ));
    for search in &record.parameters {
        out.push_str(&line(search));
    }
    out
}

fn line(search: &ParameterSearch) -> String {
    let rungs = search.trials.iter().map(|trial| trial.scores.len()).max().unwrap_or_default();
    let trials = search.trials.iter().map(|trial| {
        let mark = if trial.value == search.chosen { "*" } else { "" };
        let score = match trial.scores.last() {
            Some(score) if trial.scores.len() == rungs => format!("{score:.4}"),
            Some(score) => format!("({score:.4})"),
            None => "–".to_owned(),
        };
        format!("{}{mark} {score}", trial.value)
    });
    let trials = trials.collect::<Vec<_>>().join(", ");
    format!("  {:<20}{trials}\n  {:<20}{}\n", search.name, "", search.outcome)
}

#[cfg(test)]
mod tests {
    use cartwheel_feature_set::ParameterTrial;

    use super::*;

    #[test]
    fn each_parameter_has_its_values_and_the_chosen_one_a_mark() {
        let trial = |value, scores: &[f64]| ParameterTrial { value, scores: scores.to_owned() };
        let search = ParameterSearch {
            name: "visit_back".to_owned(),
            source: "visit".to_owned(),
            trials: vec![trial(0.8, &[0.3, 0.31]), trial(0.5, &[0.32, 0.33]), trial(1.0, &[0.2])],
            chosen: 0.5,
            outcome: "It was chosen.".to_owned(),
        };
        let record = SourceSearch {
            questions: vec![500, 2000],
            parameters: vec![search],
            outcome: "Chosen for this shop: visit_back = 0.5.".to_owned(),
            ..SourceSearch::default()
        };
        let expected = "\
Parameters of the sources: Chosen for this shop: visit_back = 0.5.
  NDCG of the source's list over 2000 questions; in brackets, over the first 500 of them
  visit_back          0.8 0.3100, 0.5* 0.3300, 1 (0.2000)
                      It was chosen.
";
        assert_eq!(text(&record), expected);
        let off = SourceSearch { outcome: "The search is off.".to_owned(), ..Default::default() };
        assert_eq!(text(&off), "Parameters of the sources: The search is off.\n");
    }
}
