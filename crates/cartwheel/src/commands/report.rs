//! Evaluation reports as text and pictures.

use cartwheel_engine::Report;
use cartwheel_recommend::due_dates::DueSlice;
use cartwheel_recommend::metrics::{Bin, Mean};
use cartwheel_recommend::slices::{Slice, Slices};

/// The figures as a table.
pub fn table(report: &Report) -> String {
    let cell = |m: &Mean| format!("{:.4} ±{:.4}", m.mean, m.se);
    let mut out = format!(
        "{}, feature set {}, model {}\nPredicts {}{}\n\n{:<18}{:<17}{:<17}{:<17}{:<17}{:<17}{}\n",
        users(report),
        report.feature_set,
        report.model.as_deref().unwrap_or("none"),
        report.label,
        if report.event.is_empty() { String::new() } else { format!(": {}", report.event) },
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
        "\nRecall@10 against {:<16} {:+.4} ±{:.4}{}\nRecall@10 with half of the cart   {}\nCandidate recall                 {}\n\
         Log-loss                         {:.4}\nCalibration error                {:.4}\n",
        report.comparison.reference,
        report.comparison.difference.mean,
        report.comparison.difference.se,
        report.comparison.p_value.map_or_else(String::new, |p| format!("  p {}", probability(p))),
        cell(&report.half_cart_recall_at_10),
        cell(&report.candidate_recall),
        report.log_loss,
        report.calibration_error
    ));
    out.push_str(&calibration(report));
    out.push_str(&due_dates(report));
    out.push_str(&leads(report));
    out.push_str(&slices(report));
    out
}

/// Predicted and observed rates of candidates, by rising probability.
fn calibration(report: &Report) -> String {
    if report.calibration.is_empty() {
        return String::new();
    }
    let row = |name: &str, rate: fn(&Bin) -> f64| {
        let rates = report.calibration.iter().map(|bin| format!("{:>8.4}", rate(bin)));
        format!("{name:<18}{}\n", rates.collect::<String>())
    };
    let rows = report.calibration[0].rows;
    format!(
        "\nProbabilities in bins of {rows} candidates:\n{}{}",
        row("  predicted", |bin| bin.predicted),
        row("  observed", |bin| bin.observed)
    )
}

/// How well the dates of next purchases hold.
fn due_dates(report: &Report) -> String {
    let Some(dates) = &report.due_dates else { return String::new() };
    let mut out = format!(
        "\nNext purchases within their intervals of {:.0} %: {:.1} % ±{:.1}\n{:<18}{:>9}{:>9}{:>12}{:>12}\n",
        100.0 * dates.interval,
        100.0 * dates.within.mean,
        100.0 * dates.within.se,
        "  bought before",
        "number",
        "within",
        "error/days",
        "width/days"
    );
    let mut row = |name: &str, slice: &DueSlice| {
        out.push_str(&format!(
            "{name:<18}{:>9}{:>7.1} %{:>12.1}{:>12.1}\n",
            slice.purchases,
            100.0 * slice.within,
            slice.error_days,
            slice.width_days
        ));
    };
    for (at, slice) in dates.slices.iter().enumerate() {
        let name = match dates.slices.get(at + 1) {
            Some(next) if next.from == slice.from + 1 => format!("  {} x", slice.from),
            Some(next) => format!("  {}-{} x", slice.from, next.from - 1),
            None => format!("  {} x or more", slice.from),
        };
        row(&name, slice);
    }
    row("  all", &dates.all);
    out.push_str(&format!(
        "  Median error in days, bought twice or more: {:.1}; if the mean gap repeats {:.1}, the last gap {:.1}\n",
        dates.repeated.error_days, dates.mean_gap_error_days, dates.last_gap_error_days
    ));
    out
}

/// A p-value.
pub(super) fn probability(p: f64) -> String {
    if p < 0.0001 { "< 0.0001".to_owned() } else { format!("{p:.4}") }
}

/// The model against each baseline, user by user.
fn leads(report: &Report) -> String {
    let strongest = report.strongest().map(|method| method.name.as_str());
    let mut out = String::new();
    for method in &report.methods {
        let Some(lead) = method.model_lead else { continue };
        let mark = if strongest == Some(&method.name) { "  the strongest baseline" } else { "" };
        let (name, p) = (&method.name, probability(lead.p_value));
        out.push_str(&format!("  {name:<18}{:+.4} ±{:.4}  p {p:<10}{mark}", lead.mean, lead.se));
        out.truncate(out.trim_end().len());
        out.push('\n');
    }
    if out.is_empty() {
        return out;
    }
    format!("\nRecall@10 of the model minus that of a baseline, paired by question:\n{out}")
}

/// A column of the table of slices.
type Column = (&'static str, fn(&Slices) -> Slice);

const SLICES: [Column; 5] = [
    ("bought before", |s| s.rep_recall_at_10),
    ("new to user", |s| s.expl_recall_at_10),
    ("as guests", |s| s.guest_recall_at_10),
    ("1-3 orders", |s| s.few_orders_recall_at_10),
    ("new products", |s| s.new_product_recall_at_10),
];

/// Recall@10 by slices, and the spread of the first 10.
fn slices(report: &Report) -> String {
    let rows: Vec<(&str, Slices)> =
        report.methods.iter().filter_map(|m| Some((m.name.as_str(), m.slices?))).collect();
    let Some((_, first)) = rows.first() else { return String::new() };
    let mut out = format!("\n{:<18}", "Recall@10 of");
    SLICES.iter().for_each(|(name, _)| out.push_str(&format!("{name:<15}")));
    out.push_str("coverage  long tail  novelty  distance\n");
    for (name, slices) in &rows {
        out.push_str(&format!("{name:<18}"));
        for (_, slice) in SLICES {
            let slice = slice(slices);
            let cell = match slice.users {
                0 => "–".to_owned(),
                _ => format!("{:.4} ±{:.3}", slice.mean, slice.se),
            };
            out.push_str(&format!("{cell:<15}"));
        }
        let Slices { coverage, long_tail, novelty, intra_list_distance, .. } = slices;
        let (coverage, long_tail) = (100.0 * coverage, 100.0 * long_tail);
        out.push_str(&format!("{coverage:>6.1} %  {long_tail:>7.1} %  {novelty:>7.2}"));
        out.push_str(&format!("  {intra_list_distance:>8.3}\n"));
    }
    out.push_str(&format!("{:<18}", "users"));
    SLICES.iter().for_each(|(_, slice)| out.push_str(&format!("{:<15}", slice(first).users)));
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// The users that it is about.
fn users(report: &Report) -> String {
    let date = |ms| jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
    if let Some(since_ms) = report.since_ms {
        return format!("{} users with orders since {}", report.users, date(since_ms));
    }
    match report.folds {
        0 => format!("{}{} gate users", report.asked(), report.users),
        folds => format!("{}{} users, {folds}-fold cross-validation", report.asked(), report.users),
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
