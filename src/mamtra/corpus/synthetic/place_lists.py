"""Words that fill the templates: places, where things lie, numbers, clock and calendar."""

from mamtra.corpus.synthetic.word_lists import listed

PLACES = {
    "city": listed("""
        London, Paris, Berlin, Rome, Madrid, Vienna, Athens, Moscow, Tokyo, New York, Boston,
        Chicago, Denver, Dallas, Houston, Seattle, Portland, Miami, Atlanta, Detroit, San
        Francisco, Los Angeles, Las Vegas, New Orleans, Philadelphia, Baltimore, Cleveland,
        Toronto, Montreal, Vancouver, Mexico City, Havana, Lima, Rio, Buenos Aires, Dublin,
        Glasgow, Manchester, Liverpool, Oxford, Cambridge, Amsterdam, Brussels, Geneva, Zurich,
        Munich, Hamburg, Venice, Florence, Milan, Naples, Barcelona, Lisbon, Prague, Warsaw,
        Budapest, Stockholm, Oslo, Copenhagen, Helsinki, Istanbul, Cairo, Jerusalem, Baghdad,
        Delhi, Bombay, Bangkok, Singapore, Hong Kong, Shanghai, Beijing, Seoul, Sydney, Melbourne
    """),
    "country": listed("""
        England, Scotland, Ireland, Wales, France, Germany, Italy, Spain, Portugal, Greece,
        Turkey, Egypt, Kenya, Nigeria, South Africa, Morocco, India, China, Japan, Korea,
        Thailand, Vietnam, Australia, New Zealand, Canada, Mexico, Brazil, Argentina, Chile, Peru,
        Cuba, Jamaica, Iceland, Norway, Sweden, Denmark, Finland, Poland, Russia, Ukraine,
        Hungary, Austria, Switzerland, Belgium, Holland, Israel, Iran, Iraq, Pakistan, the
        Philippines
    """),
    "language": listed("""
        English, French, German, Italian, Spanish, Portuguese, Greek, Turkish, Arabic, Hebrew,
        Russian, Polish, Swedish, Danish, Norwegian, Finnish, Dutch, Chinese, Japanese, Korean,
        Hindi, Latin, Irish, Welsh, Hungarian
    """),
    "place": listed("""
        park, market, library, museum, theater, cinema, station, airport, harbor, bridge, church,
        temple, mosque, cathedral, castle, palace, tower, school, college, university, hospital,
        clinic, pharmacy, bank, post office, police station, town hall, courthouse, prison, hotel,
        restaurant, cafe, bakery, bookstore, supermarket, grocery store, shopping mall, garage,
        gas station, parking lot, bus stop, stadium, gym, swimming pool, playground, zoo, circus,
        farm, barn, stable, mill, factory, warehouse, workshop, studio, gallery, laboratory,
        embassy, fountain, square, cemetery, lighthouse, windmill, subway, tunnel, highway,
        crossroads, avenue, village, suburb, campus, cottage, cabin, mansion, tavern, laundry,
        nursery, kindergarten, fire station, drugstore, hardware store, toy store, flower shop,
        barber shop, beauty salon, monastery, observatory, aquarium, racetrack, fairground,
        vineyard, orchard, quarry, dock
    """),
    "room": listed("""
        kitchen, bathroom, bedroom, living room, dining room, hall, attic, basement, cellar,
        garage, garden, yard, balcony, porch, terrace, office, closet, pantry, corridor, lobby,
        waiting room, classroom, nursery, library, guest room, laundry room, stairway
    """),
    "nature": listed("""
        river, lake, sea, ocean, beach, shore, coast, island, mountain, hill, valley, forest,
        wood, jungle, desert, meadow, field, swamp, marsh, pond, stream, waterfall, canyon, cave,
        cliff, volcano, glacier, peninsula, bay, gulf, prairie, plain, plateau, ridge, summit,
        canal, spring, reef, lagoon, dune, grove, hillside, riverbank, countryside, wilderness
    """),
    "direction": listed("""
        north, south, east, west, left, right, northeast, southwest
    """),
    "side": ("left", "right"),
    "where": (
        "at the {place}",
        "in the {room}",
        "near the {nature}",
        "in {city}",
        "by the {nature}",
        "behind the {place}",
        "in front of the {place}",
        "next to the {place}",
        "outside the {place}",
        "on the way to the {place}",
        "at home",
        "at school",
        "at work",
        "upstairs",
        "downtown",
        "in {country}",
        "across the street",
        "beside the {nature}",
    ),
    "spot": (
        "on the table",
        "under the bed",
        "in the drawer",
        "behind the sofa",
        "on the floor",
        "in my pocket",
        "inside the box",
        "on top of the shelf",
        "beneath the {furniture}",
        "in the {room}",
        "on the {furniture}",
        "beside the {furniture}",
        "near the door",
        "below the window",
        "between two chairs",
        "against the wall",
        "at the {place}",
    ),
}

TIMES = {
    "day": listed("Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday"),
    "month": listed("""
        January, February, March, April, May, June, July, August, September, October, November,
        December
    """),
    "season": listed("spring, summer, autumn, winter, fall"),
    "small": listed("two, three, four, five, six, seven, eight, nine, ten, eleven, twelve"),
    "number": listed("""
        two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen, fourteen,
        fifteen, sixteen, seventeen, eighteen, nineteen, twenty, twenty-one, twenty-five, thirty,
        thirty-two, thirty-six, forty, forty-four, forty-eight, fifty, fifty-three, sixty,
        sixty-five, seventy, seventy-seven, eighty, eighty-nine, ninety, ninety-nine, one hundred,
        two hundred, five hundred, one thousand, six thousand, ten thousand
    """),
    "year": listed("""
        nineteen ten, nineteen eighteen, nineteen thirty-three, nineteen forty-five, nineteen
        fifty-two, nineteen sixty-nine, nineteen seventy-four, nineteen eighty-one, nineteen
        ninety-six, two thousand, two thousand four, twenty ten, twenty sixteen, twenty twenty,
        twenty twenty-three, seventeen eighty-nine, eighteen forty-eight
    """),
    "ordinal": listed("""
        first, second, third, fourth, fifth, sixth, seventh, eighth, ninth, tenth, eleventh,
        twelfth, thirteenth, fifteenth, sixteenth, eighteenth, nineteenth, twentieth,
        twenty-first, twenty-second, twenty-third, twenty-sixth, thirtieth, thirty-first
    """),
    "clock": (
        "{small} o'clock",
        "half past {small}",
        "a quarter to {small}",
        "a quarter past {small}",
        "{small} thirty",
        "{small} fifteen",
        "noon",
        "midnight",
        "ten to {small}",
        "twenty past {small}",
        "{small} forty-five",
    ),
    "unit": listed("""
        seconds, minutes, hours, days, weeks, months, years, nights, decades, centuries
    """),
    "measure": listed("""
        inches, feet, yards, miles, meters, kilometers, ounces, pounds, tons, gallons, liters,
        degrees, acres, percent, dollars, cents, euros, calories, volts, watts
    """),
    "past": (
        "yesterday",
        "last night",
        "last week",
        "this morning",
        "on {day}",
        "last {day}",
        "last {season}",
        "in {month}",
        "{small} days ago",
        "a week ago",
        "an hour ago",
        "a long time ago",
        "the other day",
        "earlier today",
        "yesterday evening",
        "last month",
        "in {year}",
        "over the weekend",
        "just now",
        "before {meal}",
        "after {meal}",
        "during the {event}",
        "all afternoon",
        "on {month} {ordinal}",
    ),
    "future": (
        "tomorrow",
        "tonight",
        "next week",
        "on {day}",
        "next {day}",
        "next {season}",
        "in {month}",
        "in {small} days",
        "soon",
        "later today",
        "this evening",
        "next month",
        "in an hour",
        "after {meal}",
        "before {meal}",
        "tomorrow morning",
        "at {clock}",
        "during the {event}",
        "by the end of {month}",
        "the day after tomorrow",
    ),
    "meal": listed("breakfast, lunch, dinner, supper, dessert, school, work, church, practice"),
    "often": listed("""
        always, usually, often, sometimes, rarely, seldom, never, occasionally, regularly, hardly
        ever, almost always, frequently, generally, normally
    """),
    "every": (
        "every day",
        "every {day}",
        "every morning",
        "every night",
        "once a week",
        "twice a month",
        "three times a year",
        "on {day}s",
        "in the morning",
        "in the evening",
        "every {season}",
        "from time to time",
        "now and then",
        "all the time",
        "on weekends",
        "at night",
    ),
}
