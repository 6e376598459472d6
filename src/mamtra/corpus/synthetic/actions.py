"""What people do in the templates, and the forms of the verbs: does, did, done, doing.

An action is a verb phrase that begins with its verb: ``buy a {adj} {thing}``. ``forms`` turns it
into the slots ``{do}``, ``{does}``, ``{did}``, ``{done}`` and ``{doing}``.
"""

from mamtra.corpus.synthetic.word_lists import listed

# base: past, or past and participle where they differ
IRREGULAR = {
    entry.split()[0]: entry.split()[1:]
    for entry in listed("""
        be was been, bear bore borne, beat beat beaten, become became become, begin began begun,
        bend bent, bet bet, bite bit bitten, bleed bled, blow blew blown, break broke broken,
        bring brought, build built, burst burst, buy bought, catch caught, choose chose chosen,
        come came come, cost cost, cut cut, dig dug, do did done, draw drew drawn, drink drank
        drunk, drive drove driven, eat ate eaten, fall fell fallen, feed fed, feel felt, fight
        fought, find found, fly flew flown, forget forgot forgotten, forgive forgave forgiven,
        freeze froze frozen, get got gotten, give gave given, go went gone, grind ground, grow
        grew grown, hang hung, have had, hear heard, hide hid hidden, hit hit, hold held, keep
        kept, kneel knelt, know knew known, lay laid, lead led, lean leaned, leave left, lend
        lent, let let, lie lay lain, light lit, lose lost, make made, mean meant, meet met, pay
        paid, put put, quit quit, read read, ride rode ridden, ring rang rung, rise rose risen,
        run ran run, say said, see saw seen, seek sought, sell sold, send sent, set set, sew sewed
        sewn, shake shook shaken, shoot shot, show showed shown, shut shut, sing sang sung, sink
        sank sunk, sit sat, sleep slept, slide slid, speak spoke spoken, spend spent, split split,
        spread spread, stand stood, steal stole stolen, stick stuck, strike struck, sweep swept,
        swim swam swum, swing swung, take took taken, teach taught, tear tore torn, tell told,
        think thought, throw threw thrown, understand understood, wake woke woken, wear wore worn,
        weave wove woven, weep wept, win won, wind wound, withdraw withdrew withdrawn, overcome
        overcame overcome, write wrote written
    """)
}
# the last letter is written twice before -ed and -ing
DOUBLED = frozenset(
    listed("""
        admit, beg, bet, chop, clap, cut, dig, drag, drop, forget, get, grab, hit, hug, jog, knit,
        mop, nap, nod, pat, permit, plan, put, quit, refer, regret, rob, run, rub, set, shop,
        shut, sit, skip, slip, spin, split, step, stir, stop, swim, tap, tip, trim, trip, win,
        wrap, zip
    """)
)

ACTIONS = listed("""
        accept the invitation, admire the view, adopt a {animal}, agree to help, answer the
        telephone, answer every question, apologize to {whom}, argue about {idea}, arrange the
        flowers, arrive at the {place}, ask for directions, ask {whom} a question, attend the
        {event}, bake a cake, bake some bread, bathe the {animal}, beat the eggs, become a {job},
        beg for money, bend the wire, bite into the apple, blame {whom}, blow out the candles,
        boil the water, borrow a {thing}, borrow some money, break a window, break the {thing},
        break a leg, bring some {drink}, bring the {document}, brush the {animal}, build a house,
        build a {furniture}, burn the toast, burn the old papers, bury the treasure, buy a {adj}
        {thing}, buy a new {vehicle}, buy some {fruit}, buy a pair of {pair}, calculate the cost,
        call {whom}, call a taxi, cancel the {event}, carry the {things}, carve the turkey, catch
        a {illness}, catch the last train, catch three fish, celebrate a birthday, change the
        batteries, chase the {animal}, check the oil, cheer for the team, choose a {color}
        {clothes}, chop the onions, clap for the {job}, clean the {room}, clear the table, climb
        the {nature}, close the window, collect {things}, comb the horse, come home late, complain
        about the noise, confess everything, congratulate {whom}, consider the offer, cook some
        {food}, copy the {document}, count the money, cover the {thing}, crawl under the fence,
        cross the {nature}, cross the street, cut the grass, cut the rope, damage the {vehicle},
        dance with {whom}, decide to stay, decorate the {room}, defend the idea, deliver the
        {things}, deny everything, describe the {thing}, deserve a prize, design a {place},
        destroy the {document}, dig a hole, disappear without a trace, discover a {nature},
        discuss the {matter}, dive into the {nature}, divide the money, drag the {furniture}
        outside, draw a picture, draw the curtains, dream about {animals}, drink a {vessel} of
        {drink}, drink some {drink}, drive to the {place}, drive a {vehicle}, drop the {thing},
        dry the dishes, earn a lot of money, eat some {fruit}, eat {meal} alone, eat too much
        {food}, empty the bucket, encourage {whom}, enjoy the {event}, enter the {room}, escape
        from the {place}, examine the {body}, exchange gifts, explain the {matter}, explore the
        {nature}, express an opinion, fail the test, faint at the sight of blood, fall asleep,
        fall off the {furniture}, fasten the seat belt, feed the {animals}, feed the {animal},
        feel {feeling}, fetch some water, fight for {idea}, fill the bucket, find the {thing},
        find a {color} {thing}, finish the {document}, fix the {thing}, fix the {vehicle}, fly to
        {city}, fly over the {nature}, fold the laundry, follow {whom}, follow the path, forget
        the password, forget the {things}, forgive {whom}, freeze the meat, frighten the
        {animals}, fry the {food}, gather wood, get a haircut, get lost in the {nature}, get up
        early, give {whom} a {thing}, give {whom} some advice, give up, go to the {place}, go to
        bed early, go fishing, go shopping, go swimming, go to {city}, grab the handle, greet
        {whom}, grind the coffee, grow {fruit}, guard the {place}, guess the answer, guide the
        tourists, hang a picture on the wall, hang up the {clothes}, harvest the wheat, hear a
        {animal}, heat the oven, help {whom}, hide behind the {plant}, hide the {things}, hire a
        {job}, hold the ladder, hug {whom}, hunt for {animals}, hurry to the {place}, ignore the
        warning, imagine the future, improve the {document}, insist on the truth, inspect the
        {vehicle}, insult {whom}, interrupt {whom}, interview the {job}, introduce {whom} to
        {whom}, invent a new {thing}, invest in gold, invite {whom} to dinner, iron the {clothes},
        join the army, join the team, joke about it, judge the contest, jump over the fence, keep
        a diary, keep the secret, kick the ball, kill the weeds, kiss {whom} goodbye, kneel by the
        fire, knit a {clothes}, knock on the door, label the boxes, land safely, laugh at the
        joke, lay the table, lead the way, learn {language}, learn to swim, learn a poem by heart,
        leave the {room}, leave for {city}, lend {whom} some money, lick the spoon, lie on the
        {nature}, lift the {furniture}, light a candle, listen to the radio, listen to {whom},
        load the {vehicle}, lock the door, look for the {thing}, look out the window, lose the
        {thing}, lose the game, mail the {document}, make a mistake, make some {food}, make a
        promise, make the bed, manage the {place}, marry a {job}, measure the {room}, meet {whom}
        at the {place}, melt the butter, memorize the {document}, mend the {clothes}, mention the
        {matter}, milk the cows, miss the bus, miss {whom}, mix the ingredients, mop the floor,
        move to {city}, move the {furniture}, negotiate with the {job}, notice the {matter}, obey
        the law, observe the stars, offer {whom} a seat, open the bottle, open the window, order
        some {food}, order a {vessel} of {drink}, organize the {event}, own a {animal}, pack a
        suitcase, paint the {furniture}, paint the fence {color}, park the {vehicle}, pass the
        salt, pay the bill, pay for the {things}, peel the {fruit}, pick some {fruit}, plan a trip
        to {country}, plant a {plant}, play {sport}, play the {instrument}, play with the
        {animal}, polish the {things}, pour the {drink}, practice the {instrument}, praise the
        {job}, pray for {idea}, prepare {meal}, press the button, pretend to sleep, print the
        {document}, promise to come, pronounce the word, protect the {animals}, protest against
        the law, prove the theory, publish a {document}, pull the rope, punish the thief, push the
        {vehicle}, put on a {clothes}, put the {thing} {spot}, quit smoking, raise {animals},
        raise the {matter}, reach the {nature}, read a {document}, read the {document} {manner},
        receive a {document}, recognize {whom}, recommend the {food}, record a song, recover from
        a {illness}, recycle the paper, refuse to leave, regret the {matter}, remember the
        {event}, remove the {thing}, rent a {vehicle}, repair the {thing}, repeat the {matter},
        replace the {thing}, report the accident, rescue the {animal}, rescue the {job}, reserve a
        table, respect the {job}, rest in the shade, return the {things}, ride a {animal}, ride a
        bicycle, ring the bell, rob a bank, roll the dough, row across the {nature}, rub the
        stain, run a marathon, run to the {place}, rush to the {place}, sail around the world,
        sail to {country}, save some money, save the {animals}, say goodbye, say something
        {opinion}, scare the {animal}, scold {whom}, scratch the {furniture}, scream for help,
        search the {room}, see a {animal}, see the {job}, seek help, sell the {furniture}, sell
        {fruit}, sell an old {vehicle}, send a {document}, send {whom} a postcard, serve the
        {food}, set the alarm, settle in {country}, sew a {clothes}, shake the tree, share the
        {fruit}, sharpen the knife, shave every day, shine the shoes, shoot an arrow, shout at the
        {job}, show {whom} the {place}, show {whom} a picture, shut the gate, sign the {document},
        sing a song, sink to the bottom, sit on the {furniture}, skate on the {nature}, ski in the
        mountains, skip {meal}, sleep in a tent, sleep on the {furniture}, slice the {food}, slide
        down the hill, slip on the ice, smell the {food}, smile at {whom}, snore all night, soak
        the beans, solve the {matter}, speak {language}, speak to the {job}, spell the word
        {manner}, spend all the money, spend a week in {city}, spill the {drink}, split the wood,
        spread the news, squeeze the lemons, stand on the {furniture}, stare at the {job}, start a
        {company}, start the engine, stay at the hotel, stay in bed, steal a {thing}, step on the
        {animal}, stick a stamp on the envelope, stir the soup, stop the car, store the grain,
        stretch before the race, strike a match, study {subject}, study for the exam, suffer from
        a {illness}, suggest a {matter}, support the {job}, surprise {whom}, surrender to the
        enemy, swallow a pill, sweep the {room}, swim across the {nature}, swim in the {nature},
        swing on the rope, switch off the light, take a bath, take a photograph of the {animal},
        take a {vehicle} to the {place}, take the medicine, talk about {idea}, talk to {whom},
        taste the {food}, teach {subject}, tear the {clothes}, tease the {animal}, tell a joke,
        tell {whom} the truth, tell the {job} everything, test the {thing}, thank {whom}, think
        about the {matter}, threaten the {job}, throw a stone, throw away the {things}, tie the
        rope, touch the wall, trade {things}, train the {animal}, translate the {document}, travel
        to {country}, travel by {vehicle}, trim the hedge, trust {whom}, try on a {clothes}, tune
        the {instrument}, turn left at the {place}, turn off the heat, type a {document},
        understand the {matter}, unlock the gate, unpack the boxes, use the {thing}, vacuum the
        {room}, visit the {place}, visit {whom}, visit {country}, vote for the {job}, wait for
        {whom}, wait at the {place}, wake {whom}, walk to the {place}, walk the dog, walk along
        the {nature}, wander through the {nature}, warn {whom}, wash the {clothes}, wash the
        {vehicle}, waste time, watch the {event}, watch the {animals}, water the {plant}, wave to
        {whom}, wear a {clothes}, weave a basket, weigh the {fruit}, welcome the guests, whisper
        something, whistle a tune, win a prize, win the {event}, wind the clock, wipe the
        {furniture}, withdraw some cash, work in the {place}, work on the {document}, worry about
        {idea}, wrap the present, wrestle with the {matter}, write a {document}, write to {whom},
        yell at {whom}, zip up the {clothes}
    """)

OF_ANIMALS = listed("""
        bark at the moon, bite the {job}, build a nest, climb a tree, crawl along the wall, creep
        closer, dig in the ground, drink from the {nature}, eat leaves, eat insects, escape at
        night, fly over the {nature}, follow the {job}, growl at {whom}, hide in the {nature},
        hunt at night, jump over the {furniture}, live near the {nature}, roar, run away, scratch
        the door, sing in the morning, sleep all day, sleep in the {room}, sleep under the
        {plant}, sniff the air, swim in the {nature}, wander into the {place}, chase the ball,
        attack the {animals}, steal the {food}, stare at the {animal}, rest in the shade, drink
        some water, lick a paw, shake with fear
    """)


def inflect(verb: str) -> dict[str, str]:
    """The five forms of an English verb, by spelling rules and the list of irregular ones."""
    doubled = verb + verb[-1] if verb in DOUBLED else verb
    if verb.endswith("ee") or not verb.endswith("e"):
        doing = doubled + "ing"
    else:
        doing = (verb[:-2] + "y" if verb.endswith("ie") else verb[:-1]) + "ing"
    after_consonant = len(verb) > 1 and verb[-1] == "y" and verb[-2] not in "aeiou"
    if after_consonant:
        regular, does = verb[:-1] + "ied", verb[:-1] + "ies"
    else:
        regular = verb + "d" if verb.endswith("e") else doubled + "ed"
        does = verb + ("es" if verb.endswith(("s", "sh", "ch", "x", "z", "o")) else "s")
    does = {"have": "has", "be": "is"}.get(verb, does)
    parts = IRREGULAR.get(verb, [regular])
    return {"do": verb, "does": does, "did": parts[0], "done": parts[-1], "doing": doing}


def forms(actions: tuple[str, ...], ending: str = "") -> dict[str, tuple[str, ...]]:
    """Slots for all forms of a list of actions: ``do``, ``does``, ``did``, ``done``, ``doing``.

    Args:
        actions: verb phrases that begin with the plain verb.
        ending: put behind the slots' names, to tell lists apart.
    """
    slots: dict[str, list[str]] = {}
    for action in actions:
        verb, _, rest = action.partition(" ")
        for form, word in inflect(verb).items():
            slots.setdefault(form + ending, []).append(f"{word} {rest}".strip())
    return {name: tuple(phrases) for name, phrases in slots.items()}
