"""Sentence patterns about the world: home, food, nature, time, news, school, how to do things."""

WORLD = """
The weather in {city} is {weather} in {month}.
It was {weather} and {weather} {past}.
It will be {weather} {future}.
It's {degree} {weather} today.
If it's {weather} {future}, we'll {do}.
A {weather} {season} is bad for the {fruit}.
The sky over the {nature} was {color}.
Rain fell on the {nature} for {number} {unit}.
The snow near the {place} is {number} inches deep.
There was thunder and lightning near {city}.
The wind blew the {clothes} off the {plant}.
A thick fog covered {city} until {clock}.
It rained in {country} for {number} {unit}.
The {place} stands at the edge of the {nature}.
The border between {country} and {country} is {number} {measure} long.
The streets of {city} are full of {things}.
The houses near the {place} have {color} roofs.
The corner of the {room} is {adj}.
From the hills you can see the whole {nature}.
{city} is a {adj} place in {season}.
Both sides of the {vehicle} are {color}.
The same {thing} was {spot} {past}.
There's only one {thing} left {spot}.
There isn't enough {food} for {whom}.
The {vehicle} is faster than the {vehicle}.
The stairs to the {room} are {adj} and {adj}.
This {thing} sounds {opinion}.
Someone left {small} {things} {spot}.
Another {vehicle} is waiting {where}.
We spent our holidays near the {nature} in {country}.
The sun rose over the {nature} at {clock}.
The {nature} is {number} miles from the {place}.
The {nature} lies to the {direction} of {city}.
Turn {side} at the {place} and walk {number} meters.
The {place} is between the {place} and the {place}.
There is a {adj} {place} near the {nature}.
There are {number} {animals} in the {nature}.
There were {number} {things} {spot}.
There isn't a {place} in this village.
The {animal} {did_animal}.
The {animal} {did_animal} and {did_animal}.
A {color} {animal} {did_animal} {past}.
{animals} {often} {do_animal}.
{animals} and {animals} {do_animal}.
{possessive} {animal} likes to {do_animal}.
The {animal} is {doing_animal} {where}.
Why does the {animal} {do_animal}?
Can a {animal} {do_animal}?
A {animal} is bigger than a {animal}.
The {animal} was as {adj} as a {thing}.
I saw a {animal} and {small} {animals} at the zoo.
The {animal} with the {color} {body} {did_animal}.
We planted a {plant} beside the {place}.
The {plant} in the {room} needs water.
The {plant} grows {manner} in {season}.
The leaves of the {plant} are {color}.
{who} put the {thing} {spot}.
The {adj} {thing} is {spot}.
{possessive} {thing} is made of {material}.
This {thing} is {degree} {adj}.
These {things} are {adj} and {adj}.
Those {adj} {things} belong to {whom}.
The {color} {thing} costs {number} dollars.
The {furniture} in the {room} is {adj}.
A {material} {furniture} stood {where}.
The {thing} is bigger than the {thing}.
My {thing} is broken, so I need a {adj} one.
{one} bought a {adj} {adj} {thing} {where}.
{one} lost a {material} {thing} {past}.
{one} found {possessive} {things} {spot}.
I can't find {possessive} {color} {clothes}.
This {clothes} is too {adj} for {whom}.
{one} needs a new pair of {pair}.
{possessive} {pair} are {color} and {adj}.
The {vehicle} stopped in front of the {place}.
The {vehicle} to {city} leaves at {clock}.
{one} came by {vehicle} and left by {vehicle}.
The {color} {vehicle} hit a {plant}.
The {vehicle} broke down near the {nature}.
A {adj} {vehicle} is coming down the road.
The {place} opens at {clock} and closes at {clock}.
The {place} is closed {every}.
The {room} of the {place} was {adj} and {weather}.
The {adj} {place} was built in {year}.
We stayed in a {adj} {place} by the {nature}.
"""

FOOD = """
{food} and {fruit} are {taste}.
The {food} tastes {taste}.
The {food} was {degree} {taste}.
This {food} is {taste}, but the {food} isn't.
{one} had {food} with {fruit} for {meal}.
{one} ate {small} {fruit} {past}.
{one} likes {food} more than {food}.
I'd like {food} and a {vessel} of {drink}.
We need {food}, {fruit} and {drink}.
Could I have some {food}, please?
Is there any {drink} in the {vessel}?
Do you take sugar in your {drink}?
{fruit} are {taste} in {season}.
The {fruit} cost {number} cents a pound.
Add {small} spoons of {food} and stir {manner}.
Cut the {fruit} into {small} pieces.
Boil the {food} for {number} minutes.
Mix the {food} with {drink} and wait {number} minutes.
Put the {food} in the oven at {clock}.
Wash the {fruit} before you {do}.
There is no {drink} left in the {place}.
My {relative} makes {taste} {food}.
The waiter brought {food}, but {one} had ordered {fruit}.
A {vessel} of {drink} stood {spot}.
"""

LIFE = """
Money can't buy {idea}.
{idea} is more important than {idea}.
Without {idea} there is no {idea}.
{idea} and {idea} go together.
{one} knows nothing about {idea}.
{one} wrote a {document} about {idea}.
The {document} was about {idea} and {idea}.
The {document} is {degree} {opinion}.
It is {opinion} to {do}.
It is {opinion} that {one} {did}.
It was a {opinion} {matter}.
That {matter} was {degree} {opinion}.
The {matter} was {opinion} from the start.
{one} had a {opinion} {matter}.
{one} made a {opinion} {matter} {past}.
{possessive} {matter} surprised {whom}.
Every {matter} has a {matter}.
{doing} is {opinion}.
{doing} is better than {doing}.
{one} felt {feeling} because {one} {did}.
{one} was too {feeling} to {do}.
If {one} {did}, {many} would be {feeling}.
If you {do}, you'll be {feeling}.
If I were {whom}, I would {do}.
If {one} had {done}, I would have {done}.
Unless you {do}, {one} will {do}.
When {one} {did}, {one} {did}.
While {one} was {doing}, the {animal} {did_animal}.
After {one} {did}, {many} {did}.
Before you {do}, {do}.
As soon as {many} {did}, {one} {did}.
Although it was {weather}, {one} {did}.
Because {one} was {feeling}, {one} {did}.
{one} {did} so that {many} could {do}.
{one} {did} until {clock}.
The more you {do}, the more {feeling} you become.
{one} is as {personal} as {one}.
{one} is more {personal} than {one}.
{subject} is {opinion}, but {subject} isn't.
{one} failed {subject} {past}.
We have a {subject} lesson on {day}.
The exam in {subject} lasts {number} minutes.
{many} play {sport} {every}.
{one} plays the {instrument} {manner}.
{one} won the {sport} {event} {past}.
Our team lost by {number} points.
The {event} begins at {clock} on {day}.
The {event} lasted {number} {unit}.
The {event} in {city} was {opinion}.
The {event} was canceled because of the {event}.
The {event} is on {month} {ordinal}.
Today is {day}, {month} {ordinal}.
It's {clock}.
It's {clock} on {day}.
It happened on a {weather} {day} in {month}.
{one} has lived in {country} for {number} years.
{number} plus {small} is more than {small}.
It weighs {number} pounds and costs {number} dollars.
The {nature} is {number} {measure} deep.
The temperature fell to {number} degrees.
Call me at five, {small}, {small}, {small}.
Page {number} is missing from the {document}.
Room {number} is on the {ordinal} floor.
{one} paid {number} dollars for {small} {things}.
It cost {whom} {number} dollars to {do}.
{one} owes {whom} {number} dollars.
"""

NEWS = """
The {company} will hire {number} people {future}.
The {company} fired {number} workers {past}.
The {company} announced a new {matter} {past}.
The {company} has lost {number} million dollars.
A spokesman for the {company} called it {opinion}.
The {company} of {city} is worried about {issue}.
The head of the {company} resigned {past}.
The {job} denied the {matter}.
The {job} was elected in {year}.
The {job} gave a speech about {issue}.
{title} {surname} said {issue} would decide the {event}.
{title} {surname} of {country} arrived in {city} {past}.
The president will visit {country} {future}.
The new law on {issue} is {opinion}.
{issue} was the main topic of the {event}.
People in {country} are angry about {issue}.
Voters in {city} care about {issue}.
{country} and {country} signed an agreement on {issue}.
{country} beat {country} in the final {event}.
A {event} hit {country} {past}, and {number} people were hurt.
Police in {city} arrested a {job} {past}.
A {adj} {vehicle} crashed near {city} {past}.
Scientists in {city} studied {animals} and {animals}.
Researchers found {number} {adj} {things} in {country}.
The {event} was watched by {number} million people.
The price of {food} rose by {number} percent.
The price of {material} fell {past}.
Nobody was hurt in the {event} at the {place}.
The population of {city} grew by {number} percent.
A {company} in {city} makes {adj} {things}.
"""

STORIES = """
Once upon a time there was a {personal} {job}.
A {personal} {job} lived in a {adj} {place} by the {nature}.
The {job} had a {animal} that could {do}.
One {weather} morning the {animal} {did_animal}.
Suddenly the {animal} {did_animal}.
Nobody knew that the {job} had {done}.
The {job} opened the {adj} {furniture} and found a {thing}.
Inside the {place} there was a {adj} {thing}.
I have {done}, said the {job}.
Don't {do}, whispered {one}.
Where is my {thing}, asked the {job}.
The {job} looked at the {animal} and smiled.
In the end, {one} {did}.
From that day on, {one} {often} {did}.
At {clock} the {job} {did} {manner}.
The {job} hid the {thing} {spot}.
Deep in the {nature}, a {animal} {did_animal}.
The {job} and the {job} {did} together.
For {number} years the {job} {did}.
The {personal} {job} never {did} again.
"""

INSTRUCTIONS = """
First, {do}; then {do}.
To {do}, you need a {thing}.
Use a {adj} {thing} to {do}.
Press the {color} button to start the {thing}.
Hold the {thing} in your {side} hand.
Take {small} {things} and put them {spot}.
Keep the {thing} away from {animals}.
Wait {number} {unit} before you {do}.
Do not {do} in the {room}.
Write your name {spot}.
Bend your {body} and count to {number}.
Raise your {side} {limb} {manner}.
"""

SHORT = """
Yes.
No.
Maybe.
Thank you.
You're welcome.
I don't know.
Of course.
Come in!
Wait!
Help!
Never mind.
Not yet.
Good luck!
Good night.
Well done!
Hurry up!
What's that?
Who's there?
How are you?
I'm {feeling}.
He's {personal}.
She's {feeling}.
It's {opinion}.
We're {feeling}.
They're {personal}.
{name}?
{day}.
{number}.
{city}, {country}.
A {adj} {thing}.
{adj}, {adj}, {adj}.
{color} {things}.
{thing} and {thing}.
{food} or {food}?
{fruit}, {fruit} and {fruit}.
{animal}, {animal}, {animal}.
{manner}, please.
Not {degree} {opinion}.
{weather} and {weather}.
{month} {ordinal}.
"""
