//! Where and when a rule holds.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// Where and when a rule holds: everywhere and always, apart from what is given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = RuleScope))]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Names of placements; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub placements: Vec<String>,
    /// A condition on shopper, cart and context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(example = "user.orders > 3"))]
    pub segment: Option<String>,
    /// The department or aisle that the request has to be about, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// The first day, in the shop's time zone.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "day")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = Date))]
    pub from: Option<Date>,
    /// The last day, in the shop's time zone.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "day")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = Date))]
    pub until: Option<Date>,
    /// Days of the week, in the shop's time zone; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weekdays: Vec<Weekday>,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Weekday {
    const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];

    /// The weekday of a date.
    fn of(date: Date) -> Self {
        let since_monday = date.weekday().to_monday_zero_offset().unsigned_abs();
        Self::ALL[usize::from(since_monday) % 7]
    }
}

/// Days that are looked at to find one in two scopes: each weekday is among any seven.
const WEEK: usize = 7;

impl Scope {
    /// Whether it restricts nothing.
    pub fn is_everywhere(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it contains a day.
    pub(crate) fn contains_day(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day)
            && self.until.is_none_or(|until| day <= until)
            && (self.weekdays.is_empty() || self.weekdays.contains(&Weekday::of(day)))
    }

    /// Whether it contains any day from `today` on.
    pub(crate) fn comes(&self, today: Date) -> bool {
        self.meets_in_time(&Self::default(), today)
    }

    /// Whether one request from `today` on may be in both. Segments are taken to overlap: whether
    /// a shopper can be in both is not decided.
    pub(crate) fn meets(&self, other: &Self, today: Date) -> bool {
        let shared = |name| other.placements.contains(name);
        let is_shared = self.placements.is_empty()
            || other.placements.is_empty()
            || self.placements.iter().any(shared);
        let is_one_category = match (&self.category, &other.category) {
            (Some(one), Some(another)) => one == another,
            _ => true,
        };
        is_shared && is_one_category && self.meets_in_time(other, today)
    }

    fn meets_in_time(&self, other: &Self, today: Date) -> bool {
        let first = [self.from, other.from].into_iter().flatten().fold(today, Date::max);
        let days = std::iter::successors(Some(first), |day| day.tomorrow().ok());
        days.take(WEEK).any(|day| self.contains_day(day) && other.contains_day(day))
    }
}

/// Days as `2026-12-24`.
mod day {
    use jiff::civil::Date;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(
        day: &Option<Date>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match day {
            Some(day) => serializer.collect_str(day),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Date>, D::Error> {
        let text: Option<String> = Option::deserialize(deserializer)?;
        let read = |text: String| {
            let is_day = text.len() == 10;
            let day = text.parse().ok().filter(|_| is_day);
            day.ok_or_else(|| D::Error::custom(format!("{text:?} is no day such as 2026-12-24")))
        };
        text.map(read).transpose()
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use serde_json::json;

    use super::*;

    fn scope(json: serde_json::Value) -> Scope {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_scope_contains_its_first_and_last_day_and_its_weekdays() {
        let advent = scope(json!({"from": "2026-12-01", "until": "2026-12-24"}));
        assert!(!advent.contains_day(date(2026, 11, 30)));
        assert!(advent.contains_day(date(2026, 12, 1)) && advent.contains_day(date(2026, 12, 24)));
        assert!(!advent.contains_day(date(2026, 12, 25)));
        let weekend = scope(json!({"weekdays": ["saturday", "sunday"]}));
        assert!(weekend.contains_day(date(2026, 11, 28)), "a Saturday");
        assert!(!weekend.contains_day(date(2026, 11, 30)));
        assert!(Scope::default().contains_day(date(2026, 1, 1)));
    }

    #[test]
    fn scopes_meet_if_one_request_may_be_in_both() {
        let today = date(2026, 11, 28);
        let meets = |a, b| {
            let (a, b) = (scope(a), scope(b));
            assert_eq!(a.meets(&b, today), b.meets(&a, today));
            a.meets(&b, today)
        };
        assert!(meets(json!({}), json!({"placements": ["home"]})));
        assert!(!meets(json!({"placements": ["cart"]}), json!({"placements": ["home", "mail"]})));
        assert!(!meets(json!({"category": "Tea"}), json!({"category": "Milk"})));
        assert!(meets(json!({"category": "Tea"}), json!({"segment": "cart.size = 0"})));
        assert!(!meets(json!({"until": "2026-12-01"}), json!({"from": "2026-12-02"})));
        assert!(!meets(json!({"weekdays": ["monday"]}), json!({"weekdays": ["friday"]})));
        let week = json!({"from": "2026-12-01", "until": "2026-12-03"});
        assert!(!meets(week.clone(), json!({"weekdays": ["monday"]})), "Tuesday to Thursday");
        assert!(meets(week, json!({"weekdays": ["thursday"]})));
    }

    #[test]
    fn a_scope_without_a_day_to_come_is_known() {
        let today = date(2026, 11, 28);
        assert!(!scope(json!({"until": "2026-11-27"})).comes(today));
        assert!(scope(json!({"until": "2026-11-28"})).comes(today));
        assert!(!scope(json!({"from": "2026-12-02", "until": "2026-12-01"})).comes(today));
        let never = json!({"from": "2026-12-01", "until": "2026-12-03", "weekdays": ["monday"]});
        assert!(!scope(never).comes(today));
        assert!(Scope::default().comes(today));
    }

    #[test]
    fn days_are_read_as_they_are_written() {
        let json = json!({"from": "2026-12-01", "weekdays": ["monday"]});
        assert_eq!(serde_json::to_value(scope(json.clone())).unwrap(), json);
        for wrong in ["2026-12-32", "tomorrow", "2026-12-01T10:00:00", ""] {
            let read = serde_json::from_value::<Scope>(json!({"from": wrong}));
            assert!(read.is_err(), "{wrong}");
        }
        assert!(serde_json::from_value::<Scope>(json!({"placement": "home"})).is_err());
    }
}
