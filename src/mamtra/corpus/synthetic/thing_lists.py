"""More words that fill the templates: what can be eaten, bought, seen, felt and thought about."""

from mamtra.corpus.synthetic.word_lists import listed

FOOD = {
    "food": listed("""
        bread, butter, cheese, rice, pasta, soup, salad, chicken, beef, pork, ham, bacon, turkey,
        lamb, fish, salmon, tuna, shrimp, lobster, crab, pizza, spaghetti, steak, sausage, stew,
        curry, toast, oatmeal, cereal, yogurt, cream, honey, jam, jelly, sugar, salt, pepper,
        flour, garlic, mustard, ketchup, vinegar, chocolate, candy, ice cream, popcorn, gravy,
        pudding, cake, pie, roast duck, tofu, corn, cabbage, lettuce, spinach, celery, broccoli,
        fried rice, mashed potato, apple pie, maple syrup, peanut butter, cinnamon, ginger
    """),
    "fruit": listed("""
        apples, pears, oranges, lemons, limes, bananas, grapes, cherries, peaches, plums,
        strawberries, blueberries, raspberries, melons, pineapples, coconuts, figs, dates,
        apricots, mangoes, tomatoes, potatoes, carrots, onions, beans, peas, cucumbers, mushrooms,
        peppers, pumpkins, radishes, turnips, olives, almonds, walnuts, peanuts, chestnuts, eggs,
        sandwiches, cookies, pancakes, noodles, hamburgers, biscuits, muffins, waffles, dumplings,
        oysters
    """),
    "drink": listed("""
        water, milk, tea, coffee, juice, lemonade, beer, wine, cider, soda, cocoa, orange juice,
        hot chocolate, mineral water, green tea, whiskey, champagne, apple juice, iced tea, black
        coffee, tomato juice, rum, brandy, punch
    """),
    "taste": listed("""
        sweet, sour, salty, bitter, spicy, bland, fresh, delicious, stale, rotten, greasy, crisp,
        juicy, tender, tough, raw, ripe, creamy, crunchy, awful, wonderful, overcooked, tasty,
        burnt, strange, moldy, disgusting, rich, heavy, light
    """),
    "vessel": listed("""
        glass, cup, bottle, jug, bowl, jar, can, pot, mug, pitcher, spoonful, bucket, barrel,
        gallon, drop, carton, flask
    """),
}

THINGS = {
    "thing": listed("""
        book, lamp, clock, mirror, vase, candle, pillow, blanket, towel, carpet, curtain, radio,
        camera, telephone, computer, keyboard, printer, television, battery, calculator, watch,
        ring, necklace, bracelet, wallet, purse, umbrella, suitcase, backpack, envelope, notebook,
        pencil, pen, eraser, ruler, map, calendar, dictionary, magazine, newspaper, photograph,
        painting, statue, toy, doll, puzzle, kite, balloon, ball, drum, knife, fork, spoon,
        kettle, frying pan, toaster, oven, stove, refrigerator, dishwasher, vacuum cleaner, iron,
        broom, mop, sponge, comb, brush, toothbrush, razor, soap dish, needle, thread, button,
        zipper, rope, chain, hook, ladder, hammer, saw, screwdriver, wrench, drill, shovel, rake,
        axe, wheelbarrow, lawn mower, hose, flashlight, lighter, ashtray, tent, sleeping bag,
        compass, telescope, microscope, thermometer, magnet, typewriter, microphone, speaker,
        remote control, flag, trophy, medal, coin, stamp, postcard, ticket, passport, receipt,
        diary, lock, key, doorbell, light bulb, bell, whistle, cage, bird feeder, flower pot,
        sewing machine, fan, air conditioner, heater, fishing rod, surfboard, skateboard, helmet,
        tablet, charger, cable
    """),
    "things": listed("""
        books, keys, glasses, shoes, tickets, letters, flowers, tools, stamps, coins, bags, boxes,
        clothes, dishes, papers, photographs, toys, cards, gloves, plates, cups, bottles, pencils,
        scissors, blankets, candles, curtains, bricks, nails, screws, ropes, stones, shells,
        feathers, leaves, seeds, bones, maps, newspapers, packages, documents, passports,
        medicines, batteries, records, magazines, jewels, pearls, diamonds, weapons, drums,
        ladders, wheels
    """),
    "furniture": listed("""
        table, chair, sofa, couch, bed, desk, shelf, bookcase, cupboard, wardrobe, dresser,
        drawer, bench, stool, armchair, rocking chair, cradle, counter, piano, fireplace,
        nightstand, mattress, cabinet, rug, chest
    """),
    "clothes": listed("""
        shirt, blouse, sweater, jacket, coat, raincoat, suit, dress, skirt, vest, tie, scarf, hat,
        cap, helmet, belt, uniform, apron, bathrobe, swimsuit, costume, sweatshirt, T-shirt, wig,
        veil, crown, kimono, tuxedo, overcoat, cardigan
    """),
    "pair": listed("""
        shoes, boots, sandals, slippers, sneakers, socks, stockings, gloves, mittens, jeans,
        trousers, shorts, pajamas, glasses, sunglasses, earrings, skates, skis, headphones,
        binoculars, tights, scissors, pliers, crutches
    """),
    "color": listed("""
        red, blue, green, yellow, orange, purple, pink, brown, black, white, gray, gold, silver,
        dark blue, light green, bright red, pale yellow, violet, turquoise, beige, crimson, navy
        blue, ivory, scarlet, maroon
    """),
    "material": listed("""
        wood, stone, glass, metal, steel, iron, copper, bronze, gold, silver, plastic, rubber,
        leather, cotton, wool, silk, linen, velvet, paper, cardboard, clay, marble, brick,
        concrete, aluminum, bamboo, straw, wax, ivory, denim, nylon, porcelain, tin, lead, oak
    """),
    "animal": listed("""
        dog, cat, horse, cow, sheep, goat, pig, donkey, rabbit, mouse, rat, hamster, squirrel,
        fox, wolf, bear, deer, lion, tiger, leopard, elephant, giraffe, zebra, camel, monkey,
        gorilla, kangaroo, koala, panda, hippopotamus, rhinoceros, crocodile, alligator, snake,
        lizard, turtle, frog, toad, spider, bee, wasp, butterfly, moth, ant, beetle, mosquito,
        grasshopper, snail, worm, fish, shark, whale, dolphin, seal, octopus, jellyfish, eagle,
        hawk, owl, crow, raven, pigeon, dove, sparrow, robin, swallow, duck, goose, swan, chicken,
        rooster, turkey, peacock, parrot, penguin, ostrich, pelican, seagull, bat, hedgehog,
        badger, otter, beaver, raccoon, skunk, moose, buffalo, bull, calf, puppy, kitten, pony,
        ox, mule, lobster
    """),
    "animals": listed("""
        dogs, cats, horses, cows, sheep, goats, pigs, rabbits, mice, wolves, bears, deer, lions,
        elephants, monkeys, snakes, frogs, spiders, bees, butterflies, ants, birds, fish, sharks,
        whales, dolphins, eagles, owls, ducks, geese, swans, chickens, parrots, penguins, bats,
        insects, reptiles, camels, foxes, oxen, ponies, puppies, kittens, turtles, zebras
    """),
    "plant": listed("""
        tree, flower, rose, tulip, daisy, lily, sunflower, orchid, violet, bush, hedge, grass,
        moss, fern, ivy, cactus, weed, vine, oak, pine, maple, birch, willow, palm tree, apple
        tree, cherry tree, bamboo, clover, seed, root, branch, leaf, trunk, blossom, thorn
    """),
    "vehicle": listed("""
        car, truck, bus, taxi, train, tram, van, motorcycle, bicycle, scooter, tractor, ambulance,
        fire engine, police car, helicopter, airplane, jet, rocket, ship, boat, ferry, canoe,
        kayak, sailboat, yacht, submarine, raft, wagon, carriage, sled, bulldozer, limousine,
        minivan, jeep, trailer, spaceship, barge, cart
    """),
    "body": listed("""
        head, neck, shoulder, arm, elbow, wrist, hand, finger, thumb, back, chest, stomach, hip,
        leg, knee, ankle, foot, toe, eye, ear, nose, mouth, tooth, tongue, throat, chin, cheek,
        forehead, jaw, heel, skin, heart, lung, brain, rib, spine, thigh, eyebrow, lip, muscle
    """),
    "limb": listed("arm, hand, leg, foot, knee, elbow, shoulder, thumb, finger, eyebrow"),
    "illness": listed("""
        cold, fever, cough, headache, toothache, stomachache, sore throat, rash, bruise, broken
        arm, sprained ankle, bad back, runny nose, allergy, infection, burn, black eye, twisted
        knee, nosebleed, blister, earache, cramp, migraine, stiff neck
    """),
    "sport": listed("""
        football, soccer, basketball, baseball, tennis, golf, hockey, volleyball, rugby, cricket,
        badminton, table tennis, chess, checkers, cards, darts, pool, dominoes, softball, marbles,
        hide and seek, water polo, poker, bridge
    """),
    "instrument": listed("""
        piano, guitar, violin, cello, flute, clarinet, trumpet, trombone, saxophone, drums, harp,
        organ, accordion, banjo, oboe, harmonica, tuba, viola, bass, mandolin
    """),
    "subject": listed("""
        mathematics, history, geography, biology, chemistry, physics, economics, law, medicine,
        music, art, literature, philosophy, psychology, sociology, engineering, grammar, algebra,
        geometry, astronomy, architecture, politics, religion, computer science, statistics,
        anatomy, poetry, drama, business, journalism, agriculture, archaeology, ecology, genetics
    """),
    "document": listed("""
        letter, report, essay, contract, message, poem, novel, article, speech, recipe, list,
        note, review, diary, song, story, play, book, memo, email, script, textbook, summary,
        chapter, headline, invitation, petition, will, proposal, thesis, manual, questionnaire
    """),
    "event": listed("""
        party, wedding, funeral, meeting, concert, game, match, race, exam, test, lecture, lesson,
        parade, festival, picnic, trip, vacation, holiday, ceremony, election, trial, war, storm,
        flood, earthquake, drought, strike, conference, interview, performance, rehearsal,
        banquet, contest, tournament, auction, exhibition, debate, voyage, flight, journey, hike,
        graduation, celebration, anniversary, reunion, blizzard, revolution, battle, crisis,
        accident, fire, heat wave, hurricane, tour, harvest, carnival, bazaar, press conference,
        siege
    """),
}

QUALITIES = {
    "adj": listed("""
        old, new, big, small, large, little, tiny, huge, heavy, light, long, short, wide, narrow,
        thick, thin, round, square, flat, deep, clean, dirty, broken, cheap, expensive, beautiful,
        ugly, strange, ordinary, famous, useful, useless, valuable, precious, fragile, strong,
        weak, soft, hard, smooth, rough, sharp, dull, bright, dark, plain, fancy, modern, ancient,
        antique, secret, empty, full, rusty, dusty, muddy, shiny, colorful, wooden, golden,
        comfortable, simple, perfect, rare, common, lovely, terrible, splendid, enormous,
        gigantic, magnificent, elegant, curious, mysterious, unusual, familiar, foreign, local,
        private, public, temporary, permanent, dangerous, harmless, slippery, sticky, wet, dry,
        damp, frozen, hollow, solid, crooked, straight, steep, shallow, faded, torn, second-hand,
        homemade, electric, automatic, portable, official, genuine, fake, historic, remarkable,
        peculiar, suitable
    """),
    "personal": listed("""
        kind, friendly, polite, rude, honest, clever, smart, stupid, lazy, brave, shy, quiet,
        noisy, funny, serious, generous, selfish, patient, stubborn, careful, careless, gentle,
        cruel, wise, foolish, proud, modest, greedy, loyal, reliable, talented, famous, rich,
        wealthy, poor, popular, handsome, pretty, tall, short, slim, strong, weak, healthy, sick,
        blind, deaf, elderly, middle-aged, young, cheerful, gloomy, nervous, calm, curious,
        ambitious, mature, childish, charming, boring, intelligent, creative, sensible, sensitive,
        helpful, energetic, absent-minded, hard-working, self-confident, thoughtful, jealous,
        arrogant, humble, cautious, eager, grateful, courageous, mischievous, optimistic,
        pessimistic, skillful, clumsy, witty
    """),
    "feeling": listed("""
        happy, sad, angry, tired, hungry, thirsty, sleepy, bored, excited, worried, afraid,
        scared, nervous, surprised, shocked, confused, disappointed, embarrassed, ashamed, lonely,
        jealous, proud, pleased, delighted, satisfied, relaxed, calm, upset, annoyed, furious,
        exhausted, frightened, dizzy, sick, cheerful, hopeful, curious, guilty, grateful, anxious,
        impatient, uncomfortable, miserable, amazed, relieved, desperate, helpless, fine, better
    """),
    "weather": listed("""
        sunny, cloudy, rainy, windy, snowy, foggy, stormy, warm, cold, hot, cool, chilly, humid,
        dry, wet, mild, freezing, icy, clear, bright, gray, dark, misty, awful, beautiful,
        pleasant, terrible, gloomy, muggy, breezy, overcast, damp
    """),
    "opinion": listed("""
        interesting, boring, exciting, useful, easy, difficult, hard, important, funny, strange,
        wonderful, terrible, fantastic, awful, excellent, ridiculous, impossible, possible,
        necessary, unnecessary, amazing, surprising, confusing, complicated, simple, obvious,
        perfect, unfair, fair, wrong, true, false, dangerous, safe, risky, expensive, reasonable,
        clear, normal, typical, tragic, impressive, disappointing, annoying, frightening,
        remarkable, weird, convenient, embarrassing, unbelievable, unlikely, relevant, brilliant,
        pointless, sensible, illegal, worthwhile, suspicious, essential, ideal, dreadful, urgent,
        inevitable, pathetic
    """),
    "manner": listed("""
        slowly, quickly, quietly, loudly, carefully, carelessly, gently, suddenly, easily,
        happily, sadly, angrily, nervously, calmly, politely, rudely, bravely, proudly, secretly,
        silently, softly, seriously, patiently, eagerly, cheerfully, anxiously, awkwardly, gladly,
        gracefully, honestly, immediately, kindly, lazily, neatly, perfectly, poorly, rapidly,
        safely, simply, smoothly, successfully, thoughtfully, together, well, badly, alone, on
        purpose, by accident, without a word, with a smile, in a hurry, as usual, with great care,
        properly, reluctantly, gradually, deliberately, desperately, efficiently, fluently,
        generously
    """),
    "degree": listed("""
        very, really, too, quite, so, rather, extremely, pretty, a bit, terribly, not very,
        absolutely, fairly, surprisingly, unusually, perfectly, completely, hardly, almost, truly
    """),
    "idea": listed("""
        patience, courage, freedom, justice, peace, love, hope, fear, anger, joy, sorrow, grief,
        pride, shame, trust, honesty, loyalty, friendship, kindness, wisdom, knowledge, power,
        wealth, poverty, success, failure, luck, fate, beauty, truth, faith, duty, honor, fame,
        ambition, curiosity, imagination, creativity, intelligence, experience, education,
        science, nature, health, happiness, safety, privacy, democracy, tradition, culture,
        history, language, money, time, sleep, silence, laughter, music, humor, memory,
        discipline, equality, respect, sympathy, jealousy, greed, violence, revenge, corruption,
        pollution, hunger, unemployment, innocence, independence, responsibility, generosity,
        technology, progress, teamwork
    """),
    "matter": listed("""
        problem, question, answer, idea, plan, reason, solution, mistake, decision, choice,
        chance, change, difference, result, rule, secret, promise, lie, joke, story, accident,
        habit, dream, wish, goal, project, method, theory, opinion, suggestion, offer, excuse,
        complaint, explanation, discovery, invention, experiment, challenge, opportunity,
        tradition, situation, advantage, disadvantage, argument, coincidence, comparison,
        conclusion, definition, example, exception, experience, improvement, impression,
        misunderstanding, principle, compromise
    """),
    "company": listed("""
        company, bank, airline, factory, hospital, university, newspaper, government, city
        council, union, police department, school board, museum, court, committee, ministry,
        football club, orchestra, railroad, shipping firm, television station, insurance company,
        charity, army, navy, parliament, senate, oil company, steel industry, publisher, hotel
        chain, software company, fire department, car maker, construction firm, research institute
    """),
    "issue": listed("""
        taxes, prices, wages, crime, traffic, housing, education, health care, immigration,
        energy, climate change, air pollution, public transport, national security, foreign trade,
        inflation, unemployment, poverty, food safety, nuclear power, human rights, gun control,
        water shortages, rising rents, the budget, the economy, the environment, the election
    """),
}
