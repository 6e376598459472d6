"""Sentence patterns about daily life: statements, questions, requests, replies and stories.

A pattern holds slots such as ``{name}`` that ``filling`` replaces by words of the lists; "a"
becomes "an" by itself where a vowel follows, and the first letter becomes a capital.
"""

PEOPLE = """
{one} {did} {past}.
{one} {did}.
{who} {did} and then {did}.
{who} didn't {do} {past}.
{one} doesn't {do} very often.
{many} don't {do} anymore.
{one} {often} {does} {every}.
{many} {often} {do} {every}.
{one} will {do} {future}.
{many} will {do} {future}.
{who} won't {do} {future}.
{one} is going to {do} {future}.
{many} are going to {do}.
{one} is {doing} right now.
{many} are {doing} {where}.
{one} was {doing} when {one} arrived.
{many} were {doing} while {one} was {doing}.
{one} has never {done}.
{many} have already {done}.
{one} hasn't {done} yet.
{many} haven't {done} since {month}.
{one} had {done} before {many} {did}.
{who} used to {do} {every}.
{who} would like to {do}.
{one} wants to {do} {future}.
{many} want to {do}.
{one} forgot to {do}.
{who} tried to {do}, but it was too {opinion}.
{who} decided to {do} instead of {doing}.
{one} loves {doing}.
{one} hates {doing} {every}.
{many} enjoy {doing} {where}.
{one} is good at {doing}.
{one} is afraid of {doing}.
{who} {did} {manner}.
{one} {manner} {did}.
{one} is {degree} {personal}.
{possessive} {relative} is {personal} and {personal}.
The {job} was {degree} {feeling}.
{many} were {feeling} after the {event}.
{one} looked {feeling} {past}.
{one} is a {personal} {job}.
{one} became a {job} in {year}.
{one} works as a {job} in {city}.
{possessive} {relative} is a {job}.
{one} is {number} years old.
{one} is older than {one}.
{one} has {small} brothers and {small} sisters.
{name} {surname} lives in {city}.
{name} and {name} got married in {month}.
{one} speaks {language} and {language}.
{one} comes from {country}.
{one} was born in {city} in {year}.
{possessive} {relative} studies {subject} in {city}.
{one} teaches {subject} at the {place}.
{possessive} {relative} hurt {possessive} {body}.
{one} has a {illness}.
My {body} hurts when I {do}.
{one} wore a {color} {clothes} and a {adj} {clothes}.
{one} has {color} hair and {color} eyes.
The {personal} {job} {did}.
The {job} with the {color} {clothes} {did}.
The {job} who {did} is {personal}.
Nobody likes a {personal} {job}.
{one} asked {whom} to {do}.
{one} told {whom} not to {do}.
{one} helped {whom} {do}.
{one} saw {whom} {doing} {past}.
{one} heard {many} talking about {idea}.
{one} gave {whom} a {adj} {thing}.
{who} met a {personal} {job} {where}.
{one} never says a word about {idea}.
{one} seems {feeling}, don't you think?
Everybody {did} except {whom}.
Somebody {did} {past}.
Both {name} and {name} {did}.
The woman {where} {did} by herself.
The man {where} {did} all by himself.
The boy and the girl {did} {where}.
The baby is {degree} {feeling} today.
The crowd outside the {place} was {feeling}.
{possessive} daughters {often} {do}.
{one} stepped into the {room} and {did}.
{one} has done nothing lately except {doing}.
{one} was named after a {personal} {job}.
{one} said in a loud voice that {one} {did}.
{one} took a deep breath and {did}.
{one} wished for a {adj} {thing}.
Neither {name} nor {name} {did}.
Either {one} or {one} will {do}.
"""

TALK = """
Good morning, {name}.
Good evening, {title} {surname}.
Hello, {name}, how are you?
Hi, my name is {name} {surname}.
Thank you for the {adj} {thing}.
Thanks for {doing}.
Nice to meet you, {title} {surname}.
Goodbye, {name}, see you {future}.
See you {future}.
Happy birthday, {name}!
I'm sorry about the {thing}.
Excuse me, where is the {place}?
Excuse me, is this {possessive} {thing}?
Yes, I {did} {past}.
Yes, we {often} {do}.
No, I didn't {do}.
No, thank you, I don't like {food}.
Well, I'm {degree} {feeling}.
Of course we'll {do}.
Sure, I can {do} {future}.
I'm afraid I can't {do} {future}.
I don't know, ask the {job}.
I'll {do} if you {do}.
Maybe {one} {did}.
Perhaps we should {do}.
Please {do}.
Please don't {do}.
{name}, please {do} {future}.
Don't {do}, {name}!
Never {do} before {meal}.
Let's {do} {future}.
Let's not {do}.
Could you {do}, please?
Would you {do} for me?
Can you {do} {future}?
Can I {do} now?
May I {do}?
Do you mind if I {do}?
Would you like some {food}?
Would you like a {vessel} of {drink}?
Do you want {fruit} or {fruit}?
Do you like {doing}?
Do you ever {do}?
Did you {do} {past}?
Did {one} {do}?
Does {one} {often} {do}?
Is {one} {doing}?
Are you {doing}?
Are you {feeling}, {name}?
Aren't you {feeling}?
Have you ever {done}?
Has {one} {done}?
Haven't you {done} yet?
Will you {do} {future}?
Won't you {do}?
Shall we {do}?
Should I {do} or {do}?
Who {did} {past}?
Who is going to {do}?
Who is that {personal} {job}?
Whose {thing} is this?
Whose {clothes} is {spot}?
What did {one} do {past}?
What is {spot}?
What {color} is {possessive} {clothes}?
What a {opinion} {matter}!
What a {adj} {thing}!
How {opinion}!
How {feeling} {one} is!
Where did {one} {do}?
Where is {possessive} {thing}?
Where can I buy {adj} {things}?
Where are my {things}?
When will {one} {do}?
When did {many} {do}?
Why did {one} {do}?
Why didn't you {do}?
Why are {many} {doing}?
Why is {one} so {feeling}?
How did {one} {do}?
How many {things} do you need?
How many {animals} live {where}?
How much is this {adj} {thing}?
How much {food} should I buy?
How often do you {do}?
How long does it take to {do}?
How far is it to the {nature}?
Which {thing} is {possessive} favorite?
Which is better, {drink} or {drink}?
You {did}, didn't you?
You haven't {done}, have you?
Is it true that {one} is {feeling}?
It's {opinion}, isn't it?
{one} said that {one} {did}.
{one} thinks that {idea} is {opinion}.
I think {one} {did}.
I believe that {many} will {do}.
I don't think {one} will {do}.
I hope {one} will {do} {future}.
I guess {many} {did}.
I wonder whether {one} {did}.
I know who {did}.
I remember {doing} with {whom}.
I can't stand {doing}.
I'd rather {do} than {do}.
I'd love to {do} {future}.
I've just {done}.
I've been {doing} for {number} {unit}.
We've {done} {small} times.
We'd better {do}.
You'd better {do} before {meal}.
They've {done}, but we haven't.
They'll {do} when it gets {weather}.
She's {doing} in the {room}.
He's {doing} with {whom}.
He'll {do} at {clock}.
There's a {animal} in the {room}!
That's {degree} {opinion}.
It's too {weather} to {do}.
It isn't {opinion} to {do}.
It was {opinion} of {whom} to {do}.
You can't {do} here.
You must {do} first.
You mustn't {do} in the {place}.
You don't have to {do}.
You should {do} more often.
You shouldn't {do} at {clock}.
{one} might {do} {future}.
{one} couldn't {do} because of the {event}.
{one} wouldn't {do} without {whom}.
{one} must have {done}.
{one} could have {done}.
You should have {done} {past}.
Stop {doing} and {do}!
Try to {do} {manner}.
Remember to {do}.
Go to the {place} and {do}.
Look at that {adj} {thing}!
Look, the {animal} is {doing_animal}!
Watch out for the {adj} {vehicle}!
"""
