//! Words for the shop: departments, aisles and their products.

/// `department: aisle = products; …`, one department per line.
pub(crate) const SHOP: &str = "\
produce: fresh fruit = apples, pears, oranges, bananas, grapes, plums; fresh vegetables = carrots, peppers, zucchini, broccoli, cabbage, leeks; salads = lettuce, rocket, spinach leaves, mixed leaves; fresh herbs = basil, parsley, mint, chives; mushrooms and roots = mushrooms, beetroot, radishes, potatoes; berries = strawberries, blueberries, raspberries
dairy and eggs: milk = whole milk, skimmed milk, lactose free milk, buttermilk; yogurt = plain yogurt, fruit yogurt, skyr, drinking yogurt; cheese = cheddar, gouda, mozzarella, goat cheese, brie; butter = butter, margarine, spreadable butter; eggs = free range eggs, quail eggs, large eggs; cream = whipping cream, sour cream, crème fraîche
bakery: bread = rye bread, wheat bread, sourdough loaf, toast; rolls = bread rolls, bagels, burger buns; cakes = muffins, cheesecake, carrot cake, brownies; tortillas and flat bread = tortillas, pita bread, naan
dry goods: dry pasta = spaghetti, penne, fusilli, lasagne sheets; rice and grains = basmati rice, risotto rice, couscous, quinoa; pulses = red lentils, chickpeas, black beans; flour and baking = wheat flour, baking powder, brown sugar, yeast; nuts and dried fruit = almonds, cashews, raisins, dates
sauces and spices: pasta sauce = tomato sauce, pesto, arrabbiata sauce; oils and vinegars = olive oil, sunflower oil, balsamic vinegar; spices = black pepper, paprika, cinnamon, curry powder; condiments = ketchup, mustard, mayonnaise; soy and asian sauces = soy sauce, teriyaki sauce, fish sauce
breakfast: cereal = corn flakes, granola, muesli, puffed rice; oats = rolled oats, oat bran, porridge pots; spreads = strawberry jam, honey, peanut butter, hazelnut spread; pancakes = pancake mix, maple syrup, waffles
snacks: chips = potato chips, tortilla chips, vegetable chips; dips = salsa, hummus, guacamole; crackers = wheat crackers, rice cakes, pretzels; popcorn = popcorn, caramel popcorn; snack bars = cereal bars, protein bars, fruit bars
sweets: chocolate = dark chocolate, milk chocolate, chocolate truffles; cookies = butter cookies, oat cookies, wafers; candy = gummy bears, mints, liquorice, toffees; desserts = rice pudding, jelly, chocolate pudding
beverages: juice = orange juice, apple juice, grape juice; water = still water, sparkling water, flavoured water; soft drinks = cola, lemonade, ginger ale, iced tea; energy and sport = energy drink, sports drink; coconut and plant drinks = oat drink, almond drink, soy drink
coffee and tea: coffee = ground coffee, coffee beans, instant coffee, coffee pods; tea = black tea, green tea, herbal tea, chai; cocoa = drinking chocolate, cocoa powder; filters and sweeteners = coffee filters, sweetener, sugar cubes
frozen: frozen pizza = margherita pizza, vegetable pizza, salami pizza; frozen vegetables = garden peas, green beans, sweetcorn; ice cream = vanilla ice cream, chocolate ice cream, fruit sorbet; frozen meals = lasagne, fried rice, vegetable curry; frozen fruit = frozen berries, frozen mango; frozen potatoes = fries, potato wedges
meat: poultry = chicken breast, turkey slices, chicken thighs; beef = minced beef, beef steak, beef strips; pork = pork chops, bacon, ham; sausages = bratwurst, chorizo, salami
fish: fresh fish = salmon fillet, cod fillet, trout; canned fish = tuna, sardines, mackerel; seafood = prawns, mussels, crab sticks
deli: antipasti = olives, sun dried tomatoes, artichoke hearts; fresh pasta = ravioli, tortellini, gnocchi; prepared salads = potato salad, coleslaw, pasta salad; tofu and alternatives = tofu, tempeh, vegetable burgers
canned goods: canned vegetables = peeled tomatoes, baby corn, kidney beans; soup = tomato soup, chicken soup, lentil soup; canned fruit = pineapple rings, peach halves; pickles = gherkins, pickled onions, sauerkraut
baby: baby food = fruit purée, vegetable purée, baby porridge; diapers = diapers, training pants; baby care = baby wipes, baby lotion, baby shampoo
household: cleaning = all purpose cleaner, bathroom cleaner, glass cleaner; laundry = washing powder, liquid detergent, fabric softener; paper goods = kitchen roll, toilet paper, paper napkins; bags and foil = bin bags, aluminium foil, freezer bags; dishes = dish soap, dishwasher tablets, sponges
personal care: shower = shower gel, hand soap, bath salts; hair care = shampoo, conditioner, hair gel; oral care = toothpaste, toothbrush, mouthwash; skin care = face cream, hand cream, sun lotion; shaving = razors, shaving foam
pets: cat food = cat pâté, dry cat food, cat treats; dog food = dog pâté, dry dog food, dog biscuits; pet care = cat litter, dog shampoo
international: mexican = taco shells, refried beans, jalapeños; indian = korma sauce, poppadoms, mango chutney; asian noodles = ramen noodles, rice noodles, udon; italian pantry = polenta, capers, bruschetta topping";

/// First words of product names.
pub(crate) const KINDS: [&str; 36] = [
    "Organic",
    "Classic",
    "Farmhouse",
    "Crisp",
    "Golden",
    "Village",
    "Mild",
    "Sunny",
    "Garden",
    "Homestyle",
    "Fresh",
    "Alpine",
    "Harvest",
    "Simple",
    "Tender",
    "Rustic",
    "Select",
    "Pure",
    "Light",
    "Country",
    "Coastal",
    "Meadow",
    "Morning",
    "Evening",
    "Little",
    "Grand",
    "Valley",
    "Orchard",
    "Northern",
    "Southern",
    "Winter",
    "Summer",
    "Everyday",
    "Market",
    "Heritage",
    "Wholesome",
];

/// Package sizes, at the end of product names.
pub(crate) const SIZES: [&str; 10] = [
    "",
    "family pack",
    "small",
    "large",
    "twin pack",
    "value pack",
    "single",
    "half size",
    "refill",
    "party size",
];

/// Aisles whose products are bought together.
pub(crate) const TOGETHER: [(&str, &str); 18] = [
    ("dry pasta", "pasta sauce"),
    ("chips", "dips"),
    ("cereal", "milk"),
    ("coffee", "milk"),
    ("bread", "butter"),
    ("pancakes", "berries"),
    ("mexican", "beef"),
    ("diapers", "baby care"),
    ("tortillas and flat bread", "salads"),
    ("fresh pasta", "cheese"),
    ("rice and grains", "indian"),
    ("asian noodles", "soy and asian sauces"),
    ("salads", "oils and vinegars"),
    ("sausages", "condiments"),
    ("eggs", "pork"),
    ("oats", "nuts and dried fruit"),
    ("laundry", "paper goods"),
    ("yogurt", "spreads"),
];

/// The range of prices of a department, in cents.
pub(crate) const PRICES: [(&str, u32, u32); 20] = [
    ("produce", 89, 549),
    ("dairy and eggs", 79, 649),
    ("bakery", 99, 699),
    ("dry goods", 89, 799),
    ("sauces and spices", 129, 899),
    ("breakfast", 149, 749),
    ("snacks", 99, 499),
    ("sweets", 99, 699),
    ("beverages", 79, 499),
    ("coffee and tea", 199, 1499),
    ("frozen", 149, 899),
    ("meat", 299, 1999),
    ("fish", 199, 2499),
    ("deli", 149, 799),
    ("canned goods", 89, 449),
    ("baby", 99, 1999),
    ("household", 149, 1299),
    ("personal care", 129, 1499),
    ("pets", 99, 2999),
    ("international", 129, 699),
];

/// Invented brands.
pub(crate) const BRANDS: [&str; 24] = [
    "Brookfell",
    "Tarnwick",
    "Ellisdale",
    "Marrowby",
    "Quillmoor",
    "Fennimoor",
    "Ottersby",
    "Larkholm",
    "Dunmarrow",
    "Wickenshaw",
    "Hollowmere",
    "Pinfield",
    "Saltgrove",
    "Amberwell",
    "Corvane",
    "Drumlea",
    "Estermoor",
    "Glaswick",
    "Hartsby",
    "Ivelden",
    "Kestermill",
    "Norbeck",
    "Rushgate",
    "Thornbeck",
];
