//! The record of a search for hyperparameters as text.

use cartwheel_engine::{SearchRecord, Trial};

/// The outcome, and a line for each trial.
pub fn text(record: &SearchRecord) -> String {
    let mut out = format!("Search for hyperparameters: {}\n", record.outcome);
    let Some(first) = record.trials.first() else { return out };
    let names: Vec<&String> = first.hyperparameters.keys().collect();
    let mut head = format!("  {:<9}", "TRIAL");
    names.iter().for_each(|name| head.push_str(&format!("{name:<18}")));
    let rungs =
        record.rounds.iter().map(|rounds| format!("{:<21}", format!("LOGLOSS OF {rounds} ROUNDS")));
    head.extend(rungs);
    out.push_str(&format!("{}\n", head.trim_end()));
    for trial in &record.trials {
        out.push_str(line(trial, &names, record.chosen).trim_end());
        out.push('\n');
    }
    out
}

fn line(trial: &Trial, names: &[&String], chosen: Option<u32>) -> String {
    let mark = if chosen == Some(trial.number) { "*" } else { "" };
    let mut line = format!("  {:<9}", format!("{}{mark}", trial.number));
    for name in names {
        let value = trial.hyperparameters.get(*name).map_or("", String::as_str);
        line.push_str(&format!("{value:<18}"));
    }
    line.extend(trial.losses.iter().map(|loss| format!("{:<21}", format!("{loss:.5}"))));
    line.extend(trial.error.iter().map(|error| format!("failed: {}", error.replace('\n', " "))));
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trial_has_a_line_and_the_chosen_one_a_mark() {
        let trial = |number, depth: &str, losses: &[f64], error: Option<&str>| Trial {
            number,
            hyperparameters: [("max_depth".to_owned(), depth.to_owned())].into(),
            losses: losses.to_owned(),
            error: error.map(str::to_owned),
        };
        let record = SearchRecord {
            rounds: vec![40, 160],
            trials: vec![
                trial(0, "5", &[0.2, 0.15], None),
                trial(1, "3", &[0.25], None),
                trial(2, "8", &[], Some("no\nmemory")),
            ],
            chosen: Some(0),
            outcome: "Nothing is better.".to_owned(),
            ..SearchRecord::default()
        };
        let expected = "\
Search for hyperparameters: Nothing is better.
  TRIAL    max_depth         LOGLOSS OF 40 ROUNDS LOGLOSS OF 160 ROUNDS
  0*       5                 0.20000              0.15000
  1        3                 0.25000
  2        8                 failed: no memory
";
        assert_eq!(text(&record), expected);
        let off = SearchRecord { outcome: "The search is off.".to_owned(), ..Default::default() };
        assert_eq!(text(&off), "Search for hyperparameters: The search is off.\n");
    }
}
