//! The price of diversity, as a table and as a chart.

use cartwheel_engine::DiversityPoint;
use cartwheel_recommend::Diversity;

use crate::commands::report::probability;

/// The price of diversity: a line for each setting of the dials.
pub fn table(points: &[DiversityPoint]) -> String {
    let mut out = format!(
        "{:<13}{:<9}{:<17}{:<29}{:<10}{:<12}{}\n",
        "calibration", "variety", "Recall@10", "difference", "distance", "categories", "coverage"
    );
    for point in points {
        let DiversityPoint { dials, recall_at_10: recall, difference, .. } = point;
        let recall = format!("{:.4} ±{:.4}", recall.mean, recall.se);
        let p = probability(difference.p_value);
        let difference = match dials == &Diversity::NONE {
            true => String::new(),
            false => format!("{:+.4} ±{:.4}  p {p}", difference.mean, difference.se),
        };
        out.push_str(&format!(
            "{:<13}{:<9}{recall:<17}{difference:<29}{:<10.3}{:<12.3}{:>6.1} %\n",
            dials.calibration,
            dials.variety,
            point.intra_list_distance,
            point.category_distance,
            100.0 * point.coverage
        ));
    }
    out
}

/// Recall@10 at the settings of each dial as curves in SVG, with standard errors.
pub fn chart(points: &[DiversityPoint]) -> String {
    const LEFT: f64 = 70.0;
    const TOP: f64 = 60.0;
    const WIDTH: f64 = 520.0;
    const HEIGHT: f64 = 220.0;
    let recalls = || points.iter().map(|point| point.recall_at_10);
    let most = recalls().map(|recall| recall.mean + recall.se).fold(f64::MIN_POSITIVE, f64::max);
    let least = recalls().map(|recall| recall.mean - recall.se).fold(most, f64::min);
    let (most, least) = ((most * 50.0).ceil() / 50.0, (least * 50.0).floor() / 50.0);
    let x = |dial: f32| LEFT + f64::from(dial) * WIDTH;
    let y = |recall: f64| TOP + (most - recall) / (most - least).max(f64::MIN_POSITIVE) * HEIGHT;
    let mut out = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 330\" \
         font-family=\"system-ui, sans-serif\" font-size=\"14\">\n\
         <rect width=\"640\" height=\"330\" fill=\"#fff\"/>\n\
         <text x=\"16\" y=\"28\" font-weight=\"600\">Recall@10 by the dials of diversity</text>\n"
        .to_owned();
    for recall in [least, most] {
        let at = y(recall);
        out.push_str(&format!(
            "<path d=\"M{LEFT} {at:.1}h{WIDTH}\" stroke=\"#ddd\"/>\
             <text x=\"16\" y=\"{:.1}\">{recall:.2}</text>\n",
            at + 5.0
        ));
    }
    for dial in [0.0, 0.5, 1.0] {
        let (at, below) = (x(dial), TOP + HEIGHT + 22.0);
        out.push_str(&format!(
            "<text x=\"{at:.1}\" y=\"{below}\" text-anchor=\"middle\">{dial}</text>\n"
        ));
    }
    type Dial = fn(&Diversity) -> f32;
    let dials: [(&str, &str, Dial, Dial); 2] = [
        ("calibration", "#0b7a5b", |dials| dials.calibration, |dials| dials.variety),
        ("variety", "#b25d00", |dials| dials.variety, |dials| dials.calibration),
    ];
    for (number, (name, colour, dial, other)) in dials.into_iter().enumerate() {
        let turned = points.iter().filter(|point| other(&point.dials) == 0.0);
        let (mut line, mut errors) = (String::new(), String::new());
        for DiversityPoint { dials, recall_at_10: recall, .. } in turned {
            let (x, y, spread) = (x(dial(dials)), y(recall.mean), y(0.0) - y(recall.se));
            line.push_str(&format!("{x:.1},{y:.1} "));
            errors.push_str(&format!("M{x:.1} {:.1}v{:.1}", y - spread, 2.0 * spread));
        }
        let legend = 90.0 + 130.0 * number as f64;
        out.push_str(&format!(
            "<path d=\"{errors}\" stroke=\"{colour}\" opacity=\"0.4\"/>\
             <polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\
             <text x=\"{legend}\" y=\"50\" fill=\"{colour}\">{name}</text>\n",
            line.trim_end()
        ));
    }
    out.push_str("</svg>\n");
    out
}

#[cfg(test)]
mod tests {
    use cartwheel_recommend::metrics::Mean;
    use cartwheel_recommend::paired::Paired;

    use super::*;

    fn point(calibration: f32, variety: f32, recall: f64) -> DiversityPoint {
        DiversityPoint {
            dials: Diversity { calibration, variety },
            recall_at_10: Mean { mean: recall, se: 0.01 },
            difference: Paired { mean: -0.05, se: 0.01, p_value: 0.0 },
            intra_list_distance: 1.0,
            category_distance: 0.5,
            coverage: 0.1,
        }
    }

    #[test]
    fn each_dial_has_a_curve_from_the_plain_ranking_on() {
        let points = [point(0.0, 0.0, 0.4), point(1.0, 0.0, 0.35), point(0.0, 1.0, 0.32)];
        let chart = chart(&points);
        let curves: Vec<&str> = chart.split("points=\"").skip(1).collect();
        assert_eq!(curves.len(), 2);
        let ends = |curve: &&str| -> Vec<String> {
            curve.split('"').next().unwrap().split(' ').map(str::to_owned).collect()
        };
        let (calibration, variety) = (ends(&curves[0]), ends(&curves[1]));
        assert_eq!((calibration.len(), variety.len()), (2, 2));
        assert_eq!(calibration[0], variety[0], "both begin at the plain ranking");
        let height = |point: &str| point.split(',').nth(1).unwrap().parse::<f64>().unwrap();
        assert!(height(&variety[1]) > height(&calibration[1]), "less recall stands lower");
    }

    #[test]
    fn columns_stay_apart() {
        let text = table(&[point(0.5, 0.0, 0.4)]);
        assert!(text.contains("p < 0.0001  1.000"), "{text}");
    }
}
