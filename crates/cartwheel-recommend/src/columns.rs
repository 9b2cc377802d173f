//! The meaning of the columns of a feature row.

pub use cartwheel_features::Subject;

/// Describes a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// The column's name in [`crate::FEATURES`].
    pub name: &'static str,
    /// The column in plain words.
    pub label: &'static str,
    /// The unit of its values.
    pub unit: &'static str,
    /// Its subject.
    pub subject: Subject,
}

/// Returns the description of a column.
pub fn column(name: &str) -> Option<&'static Column> {
    COLUMNS.iter().find(|column| column.name == name)
}

const fn of(
    subject: Subject,
    name: &'static str,
    label: &'static str,
    unit: &'static str,
) -> Column {
    Column { name, label, unit, subject }
}

const COLUMNS: &[Column] = &[
    of(Subject::Customer, "user_orders", "Orders of the customer", "orders"),
    of(Subject::Customer, "user_periods", "Time since the customer's first order", "days"),
    of(Subject::Customer, "user_mean_days_since_prior", "Time between two orders", "days"),
    of(Subject::Customer, "user_products", "Products in all orders", "lines"),
    of(Subject::Customer, "user_distinct_products", "Different products bought", "products"),
    of(Subject::Customer, "user_reorder_ratio", "Lines that were bought before", "share"),
    of(Subject::Customer, "user_mean_basket", "Size of an order", "products"),
    of(Subject::Customer, "user_recent_basket", "Size of the newest orders", "products"),
    of(
        Subject::Customer,
        "user_recent_reorder_ratio",
        "Lines of the newest orders that were bought before",
        "share",
    ),
    of(Subject::Popularity, "prod_orders", "Orders with the product", "orders"),
    of(Subject::Popularity, "prod_reorders", "Times it was bought again", "orders"),
    of(Subject::Popularity, "prod_first_orders", "Customers who bought it", "customers"),
    of(Subject::Popularity, "prod_second_orders", "Customers who bought it twice", "customers"),
    of(Subject::Popularity, "prod_reorder_ratio", "Its orders by earlier buyers", "share"),
    of(Subject::Popularity, "prod_repeat_ratio", "Its buyers who bought it again", "share"),
    of(Subject::Popularity, "prod_share", "Orders of the shop with it", "share"),
    of(Subject::Popularity, "prod_recent_share", "The same in the last weeks", "share"),
    of(Subject::Popularity, "prod_recent_share_fast", "The same in the last days", "share"),
    of(Subject::Popularity, "prod_trend", "Last days against last weeks", "ratio"),
    of(Subject::Popularity, "prod_heat", "Last weeks against all time", "ratio"),
    of(Subject::Popularity, "prod_weeks_on_sale", "Time since its first sale", "weeks"),
    of(Subject::Habit, "up_order_count", "Times the customer bought it", "orders"),
    of(Subject::Habit, "up_first_order_number", "First order with it", "order number"),
    of(Subject::Habit, "up_last_order_number", "Last order with it", "order number"),
    of(Subject::Habit, "up_avg_cart_position", "Its place in the cart", "position"),
    of(Subject::Habit, "up_order_ratio", "Orders of the customer with it", "share"),
    of(Subject::Habit, "up_ratio_since_first", "The same since the first one", "share"),
    of(Subject::Habit, "up_orders_since_last", "Orders since the last one with it", "orders"),
    of(Subject::Habit, "up_recency", "Purchases, newer ones counted more", "orders"),
    of(Subject::Habit, "up_recency_place", "Its place among the customer's products", "place"),
    of(Subject::Habit, "up_fast_recency", "Purchases in the last few orders", "orders"),
    of(Subject::Habit, "up_day_recency", "Purchases in the last weeks", "orders"),
    of(Subject::Habit, "up_recency_share", "Its part of the customer's purchases", "share"),
    of(Subject::Habit, "up_orders_before_last", "Orders between its last two", "orders"),
    of(Subject::Habit, "up_expected", "Expected number in the next order", "products"),
    of(Subject::Habit, "up_days_since_last", "Time since the last purchase", "days"),
    of(Subject::Habit, "up_mean_gap_days", "Time between two purchases", "days"),
    of(Subject::Habit, "up_due", "Time since the last one, in usual gaps", "ratio"),
    of(Subject::Habit, "up_mean_gap_orders", "Orders between two purchases", "orders"),
    of(Subject::Habit, "up_hazard_orders", "Bought again after as many orders", "share"),
    of(Subject::Habit, "up_hazard_days", "Bought again after as many days", "share"),
    of(Subject::Taste, "taste_score", "Bought together with the customer's products", "score"),
    of(Subject::Next, "next_score", "Bought next by such customers", "share"),
    of(Subject::Next, "next_lift", "The same against all customers", "ratio"),
    of(Subject::Visit, "visit_touches", "Events of the visit", "events"),
    of(Subject::Visit, "visit_products", "Products of the visit", "products"),
    of(Subject::Visit, "visit_minutes_since", "Time since the last event", "minutes"),
    of(Subject::Visit, "visit_last_repeats", "Events with the last product", "events"),
    of(Subject::Visit, "seen_count", "Events of the visit with the product", "events"),
    of(Subject::Visit, "seen_places_ago", "Products looked at since", "products"),
    of(Subject::Visit, "seen_minutes_ago", "Time since it was looked at", "minutes"),
    of(Subject::Visit, "seen_removed", "Taken out of the cart", "yes or no"),
    of(Subject::Visit, "follow_last", "Looked at after the last product", "score"),
    of(Subject::Visit, "follow_score", "Looked at after the visit's products", "score"),
    of(Subject::Visit, "follow_far", "The same, in two steps", "score"),
    of(Subject::Visit, "together_score", "In the same visits as the visit's products", "score"),
    of(Subject::Visit, "together_max", "The same, for the closest product", "score"),
    of(Subject::Visit, "together_last", "The same, for the last product", "score"),
    of(Subject::Visit, "leads_to_score", "Bought after the visit's products", "score"),
    of(Subject::Visit, "nearest_score", "In the most similar visits", "score"),
    of(Subject::Visit, "nearest_close", "In similar visits, next to the last product", "score"),
    of(Subject::Popularity, "prod_touch_share", "Events of the shop with the product", "share"),
    of(Subject::Popularity, "prod_touch_recent_share", "The same in the last weeks", "share"),
    of(Subject::Popularity, "prod_touch_recent_share_fast", "The same in the last days", "share"),
    of(Subject::Popularity, "prod_touch_heat", "Last weeks against all time, of events", "ratio"),
    of(Subject::Popularity, "prod_adds_per_view", "Additions to carts per view", "ratio"),
    of(Subject::Popularity, "prod_orders_per_view", "Orders per view", "ratio"),
    of(Subject::Aisle, "user_aisle_share", "The customer's purchases from its aisle", "share"),
    of(
        Subject::Aisle,
        "user_department_share",
        "The customer's purchases from its department",
        "share",
    ),
    of(Subject::Cart, "cart_size", "Products in the cart", "products"),
    of(Subject::Cart, "cart_score_max", "Bought together with one of the cart", "score"),
    of(Subject::Cart, "cart_score_mean", "Bought together with the cart", "score"),
    of(Subject::Cart, "cart_aisle_share", "Products of the cart from its aisle", "share"),
    of(Subject::Cart, "cart_department_share", "Products of the cart from its department", "share"),
    of(Subject::Moment, "context_dow", "Day of the week", "day"),
    of(Subject::Moment, "context_hour", "Time of the day", "hour"),
    of(Subject::Moment, "context_days_since_prior", "Time since the newest order", "days"),
    of(Subject::Habit, "source_history", "Proposed because it was bought before", "yes or no"),
    of(Subject::Visit, "source_seen", "Proposed because it was looked at", "yes or no"),
    of(Subject::Cart, "source_cart", "Proposed because of the cart", "yes or no"),
    of(Subject::Visit, "source_visit", "Proposed because of the visit", "yes or no"),
    of(Subject::Taste, "source_taste", "Proposed because of the taste", "yes or no"),
    of(Subject::Next, "source_next", "Proposed because such customers buy it next", "yes or no"),
    of(Subject::Popularity, "source_popular", "Proposed because it is popular", "yes or no"),
    of(Subject::Affinity, "attraction_score", "Attracted by the customer's products", "score"),
    of(Subject::Affinity, "attraction_last", "Attracted by the newest order", "score"),
    of(Subject::Affinity, "attraction_lift", "Attracted, against its popularity", "ratio"),
    of(Subject::Affinity, "attraction_relative", "Attracted, against the best new one", "share"),
    of(Subject::Affinity, "companion_score", "Buyers like those of the products", "score"),
    of(Subject::Affinity, "companion_relative", "The same, against the best new one", "share"),
    of(Subject::Affinity, "source_affinity", "Proposed because of its buyers", "yes or no"),
    of(Subject::Content, "content_score", "Like what the customer buys", "likeness"),
    of(Subject::Content, "content_max", "The same, for the most similar product", "likeness"),
    of(Subject::Content, "content_now", "Like what the visit or the cart holds", "likeness"),
    of(Subject::Content, "price_ratio", "Its price against the customer's usual one", "ratio"),
    of(Subject::Content, "source_content", "Proposed because of its likeness", "yes or no"),
    of(Subject::Search, "search_match", "Words of the newest search that it has", "share"),
    of(Subject::Search, "search_best", "The same, for the closest search", "share"),
    of(Subject::Search, "search_minutes_ago", "Time since a search with its words", "minutes"),
    of(Subject::Search, "source_search", "Proposed because of a search", "yes or no"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FEATURES;

    #[test]
    fn every_column_is_described_once() {
        let mut described: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
        let mut columns = FEATURES.to_vec();
        described.sort_unstable();
        columns.sort_unstable();
        assert_eq!(described, columns);
    }
}
