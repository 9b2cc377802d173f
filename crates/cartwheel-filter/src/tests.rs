//! The language as a request uses it, and its agreement with itself.

use cartwheel_catalogue::Product;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::ast::{Expr, Literal, Node, Operator};
use crate::decimal::Decimal;
use crate::name::{Fact, Field, Name};
use crate::parse::parse;
use crate::*;

const NOW_MS: i64 = 1_780_000_000_000;
const DAY_MS: i64 = 86_400_000;

fn product(fields: Value) -> Product {
    Product::from_json(fields).unwrap()
}

fn item(product: &Product) -> Item<'_> {
    Item {
        product_id: product.product_id.as_str(),
        department: product.department().unwrap_or_default(),
        aisle: product.aisle().unwrap_or_default(),
        product: Some(product),
        added_at_ms: None,
    }
}

fn tea() -> Product {
    product(json!({
        "product_id": "tea-1", "categories": ["Drinks", "Tea"], "brand": "Uji", "price": "12.90",
        "list_price": "14.90", "currency": "EUR", "stock": 12, "tags": ["green", "organic"],
        "created_at": NOW_MS - 3 * DAY_MS - 1, "attributes":
            {"roast level": "light", "caffeine": 3.5, "vegan": true, "notes": ["grass", "nut"]},
    }))
}

fn context() -> Context {
    let values = json!({
        "brand": "Uji", "budget": 13, "brands": ["Uji", "Ito"], "guest price": null, "on": true,
    });
    let Value::Object(values) = values else { unreachable!() };
    Context::from_json(values).unwrap()
}

fn expression(text: &str) -> Expression {
    match Expression::parse(text, context(), Source::Shopper) {
        Ok(expression) => expression,
        Err(error) => panic!("{error}\n{}", error.excerpt()),
    }
}

/// Whether the tea fulfils an expression, for a user with three orders and two pieces of another
/// product in the cart.
fn holds(text: &str) -> bool {
    let tea = tea();
    let cup = product(json!({"product_id": "cup", "price": "9.00", "categories": ["Kitchen"]}));
    let shopper = Shopper { is_guest: false, orders: 3, cart: vec![(item(&cup), 2)] };
    let condition = expression(text).bind(&shopper);
    let one = condition.matches(&item(&tea), NOW_MS);
    let selected = condition.select(&Index::new([None, Some(item(&tea))]), NOW_MS);
    assert_eq!(selected.iter().collect::<Vec<_>>(), if one { vec![1] } else { vec![] }, "{text}");
    one
}

#[test]
fn expressions_mean_what_they_say() {
    for text in [
        "price < 20 and department = \"Drinks\" and not (\"alcohol\" in tags)",
        "brand = context.brand and price <= cart.max_price * 1.5",
        "price <= context.budget AND brand IN context.brands",
        "brand not in ['Ito', 'Other']",
        "list_price - price >= 2 and price / list_price < 0.9",
        "aisle in [\"Coffee\", \"Tea\"] and 'Drinks' in categories",
        "age_days = 3 and age_days < 4",
        "stock > 10 and in_stock and in_stock = true and in_stock != false",
        "attributes.\"roast level\" = 'light' and attributes.caffeine * 2 = 7",
        "attributes.vegan and 'nut' in attributes.notes",
        "product_id != 'tea-2' and currency = 'EUR'",
        "cart.size = 1 and cart.total = 18 and cart.min_price = cart.max_price",
        "not user.is_guest and user.orders >= 3 and context.on",
        "'cup' in cart.products and 'Kitchen' in cart.departments",
        "department not in cart.departments",
        "price + -0.9 = 12 and 2 + 2 * 3 = 8 and 7 - 2 - 1 = 4",
        "has(price) and has(attributes.vegan) and not has(attributes.size)",
        "not price = 1 and (price = 12.9 or price / 0 = 1)",
    ] {
        assert!(holds(text), "{text}");
    }
}

#[test]
fn a_comparison_with_a_missing_value_is_false() {
    for text in [
        "attributes.size = 1",
        "attributes.size != 1",
        "attributes.size < 1 or attributes.size >= 1",
        "price / 0 = price",
        "price * 999999999999 > 1",
        "context.\"guest price\" = price",
        "'x' in attributes.size",
        "'light' in attributes.\"roast level\"",
        "attributes.caffeine = 'strong'",
        "attributes.caffeine != 'strong'",
        "'Uji' in cart.brands",
    ] {
        assert!(!holds(text), "{text}");
        assert!(holds(&format!("not ({text})")), "{text}");
    }
    let none = Shopper::default();
    let of_nothing = |text| expression(text).bind(&none).matches(&item(&tea()), NOW_MS);
    assert!(!of_nothing("price <= cart.max_price * 1.5"), "an empty cart has no prices");
    assert!(of_nothing("cart.size = 0 or price <= cart.max_price * 1.5"));
    assert!(of_nothing("cart.total = 0"));
}

#[test]
fn errors_have_a_position_and_a_suggestion() {
    let cases = [
        ("price < 20 and departement = 'Tea'", 16, "departement", Some("department")),
        ("departmnet = 'Tea'", 1, "departmnet", Some("department")),
        ("department = Tea", 14, "Tea", None),
        ("price == 3", 7, "==", Some("=")),
        ("price < 3 && in_stock", 11, "&&", Some("and")),
        ("price <", 8, "", None),
        ("price < 3 in_stock", 11, "in_stock", None),
        ("price < 'cheap'", 9, "'cheap'", None),
        ("price = 'cheap'", 9, "'cheap'", None),
        ("brand < 'b'", 1, "brand", None),
        ("tags = 'organic'", 1, "tags", None),
        ("tags in 'organic'", 1, "tags", None),
        ("price", 1, "price", None),
        ("(price < 3) = in_stock", 1, "(price < 3)", None),
        ("1 < price < 3", 11, "<", None),
        ("brand = context.brnad", 9, "context.brnad", Some("context.brand")),
        ("price < cart.maxprice", 9, "cart.maxprice", Some("cart.max_price")),
        ("attribute.size = 1", 1, "attribute.size", Some("attributes.size")),
        ("brand = 'Uji", 9, "'", None),
        ("brand = 'a\\b'", 11, "\\", None),
        ("price < 1.1234567", 9, "1.1234567", None),
        ("brand in []", 11, "]", None),
        ("price < 3;", 10, ";", None),
        ("", 1, "", None),
        ("ärger = 1", 1, "ä", None),
    ];
    for (text, position, marked, suggestion) in cases {
        let error = Expression::parse(text, context(), Source::Shopper).unwrap_err();
        assert_eq!(error.position(), position, "{text}: {error}");
        assert_eq!(error.suggestion(), suggestion, "{text}: {error}");
        assert!(!error.expected().is_empty() && error.to_string().ends_with(['.', '?']));
        let lines: Vec<&str> = error.excerpt().lines().collect();
        let start = lines.last().unwrap().chars().take_while(|c| *c == ' ').count();
        let carets = lines.last().unwrap().trim_start().chars().count();
        let shown: String = text.chars().skip(start).take(carets).collect();
        assert_eq!(shown, marked, "{text}:\n{}", error.excerpt());
    }
    let everybody = Expression::parse("cart.size > 1", context(), Source::Everybody);
    assert!(everybody.unwrap_err().to_string().contains("no shopper"));
}

#[test]
fn the_excerpt_of_a_long_text_is_short() {
    let text = format!("{}\nprize < 3", "price < 3 and ".repeat(50));
    let error = Expression::parse(&text, Context::default(), Source::Everybody).unwrap_err();
    assert_eq!((error.position(), error.suggestion()), (702, Some("price")));
    assert!(error.excerpt().lines().all(|line| line.chars().count() <= 90), "{}", error.excerpt());
    assert!(error.excerpt().lines().count() == 2);
}

#[test]
fn the_work_of_an_expression_is_bounded() {
    let parse = |text: &str| Expression::parse(text, Context::default(), Source::Everybody);
    let chain = |count: usize| vec!["price=1"; count].join(" or ");
    assert!(parse(&chain(100)).is_ok());
    let too_many = parse(&chain(101)).unwrap_err();
    assert!(too_many.to_string().contains("too many parts"), "{too_many}");
    for deep in ["(", "-", "not ", "not -(", "1 + ("] {
        let text = deep.repeat(MAX_LENGTH / deep.len());
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains("too deep") || error.contains("too many"), "{deep}: {error}");
    }
    let long = format!("{}price = 1", " ".repeat(MAX_LENGTH));
    assert!(parse(&long).unwrap_err().to_string().contains("too long"));
    assert!(parse(&format!("{}price = 1", " ".repeat(MAX_LENGTH - 9))).is_ok());
}

#[test]
fn the_values_of_a_request_are_checked() {
    let read = |values: Value| match values {
        Value::Object(values) => Context::from_json(values),
        _ => unreachable!(),
    };
    for bad in [
        json!({"a": {"b": 1}}),
        json!({"a": [1]}),
        json!({"a": 1e300}),
        json!({"a": "x".repeat(201)}),
        json!({"a": vec!["x"; 201]}),
    ] {
        assert_eq!(read(bad).unwrap_err().field, "context.a");
    }
    let many = (0..51).map(|n| (n.to_string(), json!(n))).collect();
    assert_eq!(Context::from_json(many).unwrap_err().field, "context");
}

/// The blocks of a kind in the documentation.
fn documented(kind: &str) -> Vec<&'static str> {
    let page = include_str!("../../../docs/filters.md");
    let blocks = page.split("```").skip(1).step_by(2);
    blocks.filter_map(|block| block.strip_prefix(kind)?.strip_prefix('\n')).collect()
}

#[test]
fn the_documentation_is_true() {
    let values = json!({"brand": "Uji", "hidden_aisles": ["Beer"]});
    let Value::Object(values) = values else { unreachable!() };
    let context = Context::from_json(values).unwrap();
    let read = |text: &str| Expression::parse(text, context.clone(), Source::Shopper);
    let examples: Vec<&str> = documented("filter").into_iter().flat_map(str::lines).collect();
    assert!(examples.len() >= 10);
    for example in examples {
        assert!(read(example).is_ok(), "{example}: {:?}", read(example));
    }
    let errors = documented("filter-error");
    assert!(errors.len() >= 2);
    for block in errors {
        let error = read(block.lines().next().unwrap()).unwrap_err();
        assert_eq!(format!("{}\n{error}\n", error.excerpt()), block);
    }
    let page = include_str!("../../../docs/filters.md");
    let names = Field::NAMED.map(|(name, _)| name).into_iter().chain(Fact::NAMED.map(|f| f.0));
    for name in names {
        assert!(page.contains(&format!("`{name}`")), "{name} is not documented");
    }
    let grammar = documented("text")[0].trim();
    let parser = include_str!("parse.rs").replace("//! ", "");
    assert!(parser.contains(grammar), "the grammar differs from that of the parser");
}

#[test]
fn only_ages_depend_on_the_time() {
    let depends = |text| expression(text).bind(&Shopper::default()).depends_on_time();
    assert!(depends("price < 3 or not (2 * age_days < 3)"));
    assert!(!depends("price < 3 or has(age_days)"));
}

fn node(expr: Expr) -> Node {
    Node { expr, at: 0..0 }
}

fn texts() -> impl Strategy<Value = String> {
    select(vec!["a", "b", "c d", "\"", "\\", "'é'", "and"]).prop_map(str::to_owned)
}

fn names() -> impl Strategy<Value = Name> {
    let fields = Field::NAMED.map(|(_, field)| Name::Field(field)).to_vec();
    let facts = Fact::NAMED.map(|(_, fact)| Name::Fact(fact)).to_vec();
    prop_oneof![
        select(fields),
        select(facts),
        texts().prop_map(|name| Name::Field(Field::Attribute(name))),
        texts().prop_map(Name::Context),
    ]
}

/// Any tree, whether it makes sense or not.
fn trees() -> impl Strategy<Value = Node> {
    let literal = prop_oneof![
        any::<bool>().prop_map(Literal::Flag),
        (0..10_i64.pow(18)).prop_map(|units| Literal::Number(Decimal::from_stored(units))),
        texts().prop_map(Literal::Text),
        prop::collection::vec(texts(), 1..4).prop_map(Literal::Texts),
    ];
    let leaf = prop_oneof![
        literal.prop_map(|literal| node(Expr::Literal(literal))),
        names().prop_map(|name| node(Expr::Name(name))),
        names().prop_map(|name| node(Expr::Has(name))),
    ];
    leaf.prop_recursive(6, 40, 2, |inner| {
        let operators = Operator::ALL.map(|(_, operator)| operator).to_vec();
        prop_oneof![
            inner.clone().prop_map(|inner| node(Expr::Not(Box::new(inner)))),
            inner.clone().prop_map(|inner| node(Expr::Minus(Box::new(inner)))),
            (select(operators), inner.clone(), inner).prop_map(|(o, a, b)| node(Expr::Binary(
                o,
                Box::new(a),
                Box::new(b)
            ))),
        ]
    })
}

/// Texts of conditions that make sense, over the products of [`products`].
fn conditions() -> impl Strategy<Value = String> {
    let text = select(vec!["'a'", "'b'", "brand", "aisle", "department", "attributes.x"]);
    let list = select(vec!["['a']", "['a', 'b']", "tags", "categories", "attributes.x"]);
    let value =
        select(vec!["0", "1", "2.5", "price", "list_price", "stock", "age_days", "attributes.x"]);
    let number = value.prop_map(str::to_owned).prop_recursive(2, 4, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|a| format!("-({a})")),
            (select(vec!["+", "-", "*", "/"]), inner.clone(), inner)
                .prop_map(|(o, a, b)| format!("({a} {o} {b})")),
        ]
    });
    let comparison = select(vec!["=", "!=", "<", "<=", ">", ">="]);
    let equality = || select(vec!["=", "!="]);
    let flag = select(vec!["in_stock", "attributes.x", "true", "false"]);
    let test = prop_oneof![
        (number.clone(), comparison, number).prop_map(|(a, o, b)| format!("{a} {o} {b}")),
        (text.clone(), equality(), text.clone()).prop_map(|(a, o, b)| format!("{a} {o} {b}")),
        (flag.clone(), equality(), flag.clone()).prop_map(|(a, o, b)| format!("{a} {o} {b}")),
        (text, list).prop_map(|(a, b)| format!("{a} in {b}")),
        flag.prop_map(str::to_owned),
        select(vec!["price", "tags", "attributes.x", "in_stock"]).prop_map(|f| format!("has({f})")),
    ];
    test.prop_recursive(4, 12, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|a| format!("not ({a})")),
            (select(vec!["and", "or"]), inner.clone(), inner)
                .prop_map(|(o, a, b)| format!("({a}) {o} ({b})")),
        ]
    })
}

fn products() -> impl Strategy<Value = Vec<Option<Product>>> {
    let price = || select(vec![json!(null), json!("0"), json!("1.00"), json!("2.5"), json!("7")]);
    let name = || select(vec![json!(null), json!("a"), json!("b")]);
    let names = || select(vec![json!([]), json!(["a"]), json!(["b", "a", "b"]), json!(["c"])]);
    let attribute = select(vec![
        json!(null),
        json!(1),
        json!(2.5),
        json!(1e300),
        json!("a"),
        json!("b"),
        json!(true),
        json!(false),
        json!([]),
        json!(["a", "a"]),
        json!(["b", "c"]),
    ]);
    let stock = select(vec![json!(null), json!(0), json!(1), json!(7)]);
    let age = select(vec![json!(null), json!(NOW_MS), json!(NOW_MS - DAY_MS), json!(NOW_MS + 1)]);
    let fields = (price(), price(), name(), names(), names(), attribute, stock, age);
    let one =
        fields.prop_map(|(price, list_price, brand, categories, tags, x, stock, created_at)| {
            product(json!({
                "product_id": "p", "price": price, "list_price": list_price, "brand": brand,
                "categories": categories, "tags": tags, "attributes": {"x": x}, "stock": stock,
                "created_at": created_at,
            }))
        });
    prop::collection::vec(prop::option::weighted(0.9, one), 1..30)
}

#[test]
fn a_text_is_checked_before_its_values_are_known_and_joined_with_another() {
    for text in ["brand = context.b", "context.t in tags", "price < context.p * 2"] {
        Expression::check(text, Source::Shopper).unwrap();
    }
    assert_eq!(Expression::check("brnd = 'a'", Source::Shopper).unwrap_err().position(), 1);
    let read = |text| Expression::parse(text, Context::default(), Source::Everybody).unwrap();
    let both = read("price < 5 or price > 9").and(read("stock = 1"));
    assert_eq!(both.to_string(), "(price < 5 or price > 9) and stock = 1");
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same(tree in trees()) {
        let text = tree.to_string();
        let read = parse(&text);
        prop_assert_eq!(read.as_ref(), Ok(&tree), "{}", text);
    }

    #[test]
    fn the_index_selects_what_each_product_fulfils(text in conditions(), products in products()) {
        let parsed = Expression::parse(&text, Context::default(), Source::Everybody);
        let expression = parsed.map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        let condition = expression.bind(&Shopper::default());
        let index = Index::new(products.iter().map(|product| product.as_ref().map(item)));
        let selected = condition.select(&index, NOW_MS);
        for (place, product) in (0..).zip(&products) {
            let one = product.as_ref().is_some_and(|p| condition.matches(&item(p), NOW_MS));
            prop_assert_eq!(selected.contains(place), one, "{} of {:?}", text, product);
        }
    }

    #[test]
    fn no_text_causes_a_panic(text in "[a-z_.0-9<>=!()'\"\\\\\\[\\], +*/-]{0,60}") {
        if let Err(error) = Expression::parse(&text, Context::default(), Source::Shopper) {
            prop_assert!((1..=text.chars().count() + 1).contains(&error.position()));
        }
    }
}
