//! Reports over several questions to a user.

use cartwheel_feature_set::Label;
use cartwheel_features::{Example, Histories};

use super::shop::{model, regular, release};
use crate::Report;
use crate::judgement::Judgement;

/// Questions to users: of every second the answer is a product that the user often buys.
fn examples(users: u32) -> Vec<Example> {
    let example = |n: u32| Example {
        user_id: format!("u{n}"),
        order_number: 5,
        state: regular(),
        context: Default::default(),
        cart: Some(Vec::new()),
        basket: if n.is_multiple_of(2) { vec![0, 7] } else { vec![8] },
    };
    (0..users).map(example).collect()
}

fn report(examples: Vec<Example>) -> Report {
    let judged = Judgement {
        set: "fs-1",
        catalogues: vec![release(None).catalogue],
        examples,
        folds: 0,
        since_ms: None,
        label: Label::NextInteraction,
        histories: Histories::default(),
    };
    let model = model();
    judged.report(Some("m-1"), &|_| Some(&model), None)
}

#[test]
fn asking_every_user_the_same_again_makes_no_figure_more_certain() {
    let once = report(examples(11));
    let again = report(examples(11).into_iter().flat_map(|e| [e.clone(), e.clone(), e]).collect());
    assert_eq!((once.users, once.questions), (11, 11));
    assert_eq!((again.users, again.questions), (11, 33));
    assert!(again.quality().contains("(33 questions to 11 gate users)"), "{}", again.quality());
    let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
    let mut errors = 0.0;
    for (a, b) in once.methods.iter().zip(&again.methods) {
        for (a, b) in [(a.recall_at_10, b.recall_at_10), (a.ndcg_at_20, b.ndcg_at_20)] {
            assert!(close(a.mean, b.mean) && close(a.se, b.se), "{a:?} {b:?}");
            errors += a.se;
        }
        assert!(a.model_lead.zip(b.model_lead).is_none_or(|(a, b)| close(a.se, b.se)));
        let (a, b) = (a.slices.unwrap(), b.slices.unwrap());
        assert!(close(a.guest_recall_at_10.se, b.guest_recall_at_10.se));
        assert_eq!(a.guest_recall_at_10.users, b.guest_recall_at_10.users);
    }
    assert!(errors > 0.1, "the users differ");
    assert!(close(once.comparison.difference.se, again.comparison.difference.se));
    assert!(close(once.candidate_recall.se, again.candidate_recall.se));
}

#[test]
fn a_visit_without_the_event_counts_for_the_calibration_alone() {
    let answered = report(examples(6));
    let mut all = examples(6);
    all.extend(examples(6).into_iter().map(|e| Example { basket: Vec::new(), ..e }));
    let all = report(all);
    assert_eq!((all.users, all.questions), (6, 6));
    assert_eq!(all.recall_at_10(), answered.recall_at_10());
    let rows = |report: &Report| report.calibration.iter().map(|bin| bin.rows).sum::<usize>();
    assert_eq!(rows(&all), 2 * rows(&answered));
    let happened = |report: &Report| {
        report.calibration.iter().map(|bin| bin.observed * bin.rows as f64).sum::<f64>()
    };
    assert!((happened(&all) - happened(&answered)).abs() < 1e-9 && happened(&all) > 0.0);
}
