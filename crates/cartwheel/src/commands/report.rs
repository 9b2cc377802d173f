//! Evaluation reports as text and pictures.

use cartwheel_engine::Report;
use cartwheel_recommend::metrics::Mean;

/// The figures as a table.
pub fn table(report: &Report) -> String {
    let cell = |m: &Mean| format!("{:.4} ±{:.4}", m.mean, m.se);
    let mut out = format!(
        "{}, feature set {}, model {}\n\n{:<18}{:<17}{:<17}{:<17}{:<17}{:<17}{}\n",
        users(report),
        report.feature_set,
        report.model.as_deref().unwrap_or("none"),
        "",
        "Recall@10",
        "NDCG@10",
        "PHR@10",
        "Recall@20",
        "NDCG@20",
        "PHR@20"
    );
    for m in &report.methods {
        let cells = [
            &m.recall_at_10,
            &m.ndcg_at_10,
            &m.phr_at_10,
            &m.recall_at_20,
            &m.ndcg_at_20,
            &m.phr_at_20,
        ];
        out.push_str(&format!("{:<18}", m.name));
        cells.iter().for_each(|c| out.push_str(&format!("{:<17}", cell(c))));
        out.truncate(out.trim_end().len());
        out.push('\n');
    }
    out.push_str(&format!(
        "\nRecall@10 against {:<16} {:+.4} ±{:.4}\nRecall@10 with half of the cart   {}\nCandidate recall                 {}\n\
         Log-loss                         {:.4}\nCalibration error                {:.4}\n",
        report.comparison.reference,
        report.comparison.difference.mean,
        report.comparison.difference.se,
        cell(&report.half_cart_recall_at_10),
        cell(&report.candidate_recall),
        report.log_loss,
        report.calibration_error
    ));
    out
}

/// The users that it is about.
fn users(report: &Report) -> String {
    match report.folds {
        0 => format!("{} gate users", report.users),
        folds => format!("{} users, {folds}-fold cross-validation", report.users),
    }
}

/// Recall@10 of each method as a bar chart in SVG.
pub fn chart(report: &Report) -> String {
    let top = report.methods.iter().map(|m| m.recall_at_10.mean).fold(1e-9, f64::max);
    let height = 50 + report.methods.len() * 34;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"14\">\n\
         <rect width=\"640\" height=\"{height}\" fill=\"#fff\"/>\n\
         <text x=\"16\" y=\"28\" font-weight=\"600\">Recall@10, {}</text>\n",
        users(report)
    );
    for (at, m) in report.methods.iter().enumerate() {
        let y = 46 + at * 34;
        let width = 380.0 * m.recall_at_10.mean / top;
        let spread = 380.0 * m.recall_at_10.se / top;
        let colour = if at + 1 == report.methods.len() { "#0b7a5b" } else { "#b8c4c0" };
        out.push_str(&format!(
            "<text x=\"16\" y=\"{}\">{}</text><rect x=\"160\" y=\"{y}\" width=\"{width:.1}\" \
             height=\"22\" rx=\"3\" fill=\"{colour}\"/><path d=\"M{:.1} {}h{:.1}\" \
             stroke=\"#333\"/><text x=\"560\" y=\"{}\">{:.3}</text>\n",
            y + 16,
            m.name,
            160.0 + width - spread,
            y + 11,
            2.0 * spread,
            y + 16,
            m.recall_at_10.mean
        ));
    }
    out.push_str("</svg>\n");
    out
}
