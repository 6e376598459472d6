"""The words that fill the templates: names and people, and how lists of words are written.

Each list belongs to a slot of the templates, written ``{name}``. An entry may hold slots itself.
Everything is in American spelling, because the synthesizer that speaks it is American.
"""


def listed(text: str) -> tuple[str, ...]:
    """Split a block of entries at its commas."""
    return tuple(" ".join(entry.split()) for entry in text.split(","))


PEOPLE = {
    "name": listed("""
        Anna, Ben, Clara, David, Emma, Frank, Grace, Henry, Ida, Jack, Kate, Leo, Maria, Noah,
        Olivia, Paul, Rachel, Sam, Tom, Victor, Wendy, Alice, Brian, Carol, Daniel, Ella, Fred,
        George, Hannah, Isaac, Julia, Kevin, Laura, Mark, Nina, Oscar, Peter, Rose, Simon, Teresa,
        Walter, Adam, Betty, Charles, Diana, Edward, Fiona, Greg, Helen, Ivan, Jane, Karen, Linda,
        Martin, Nancy, Owen, Patrick, Robert, Susan, Tina, William, Amy, Bob, Chris, Dora, Eric,
        Gloria, Harry, Irene, James, John, Lucy, Max, Molly, Nick, Philip, Ruth, Steven, Sarah,
        Thomas, Vera, Andrew, Barbara, Cathy, Donna, Emily, Florence, Gordon, Howard, Jenny, Judy,
        Keith, Lisa, Margaret, Matthew, Michael, Neil, Pamela, Richard, Roger, Sandra, Sophie,
        Stella, Timothy
    """),
    "surname": listed("""
        Adams, Baker, Brown, Carter, Clark, Cooper, Davis, Edwards, Evans, Fisher, Fox, Gray,
        Green, Hall, Harris, Hill, Hughes, Jackson, Johnson, Jones, Kelly, King, Lee, Lewis, Long,
        Marshall, Martin, Miller, Mitchell, Moore, Morgan, Morris, Murphy, Nelson, Parker,
        Phillips, Price, Reed, Roberts, Robinson, Rogers, Russell, Scott, Shaw, Smith, Stone,
        Taylor, Turner, Walker, Ward, Watson, White, Williams, Wilson, Wood, Wright, Young
    """),
    "relative": listed("""
        mother, father, sister, brother, aunt, uncle, cousin, grandmother, son, grandfather,
        daughter, nephew, niece, wife, husband, stepfather, roommate, best friend, neighbor, boss,
        boyfriend, girlfriend, mother-in-law, twin brother, older sister, younger brother,
        grandson, granddaughter, godmother, landlord, teammate, partner, classmate, old friend,
        father-in-law, fiance, colleague, assistant, babysitter, tenant
    """),
    "job": listed("""
        teacher, doctor, nurse, farmer, baker, butcher, carpenter, plumber, electrician, driver,
        pilot, sailor, soldier, lawyer, judge, banker, clerk, cashier, waiter, waitress, chef,
        gardener, painter, sculptor, writer, poet, journalist, editor, photographer, actor,
        actress, singer, dancer, musician, conductor, librarian, professor, student, scientist,
        engineer, mechanic, architect, builder, dentist, surgeon, pharmacist, veterinarian,
        barber, hairdresser, tailor, shoemaker, jeweler, miner, fisherman, hunter, shepherd,
        guard, detective, policeman, fireman, firefighter, mailman, secretary, accountant,
        manager, director, salesman, merchant, mayor, governor, senator, ambassador, diplomat,
        priest, bishop, monk, nun, king, queen, prince, princess, knight, captain, general,
        officer, referee, coach, athlete, boxer, cyclist, swimmer, goalkeeper, astronaut,
        biologist, chemist, physicist, geologist, historian, philosopher, psychologist, economist,
        translator, interpreter, receptionist, porter, tourist, passenger, customer, witness,
        prisoner, burglar, pirate, magician, clown, inventor, candidate, volunteer, programmer,
        designer, consultant, therapist, paramedic, janitor, cleaner, locksmith, blacksmith,
        bricklayer, cowboy, explorer, guest, patient, stranger, visitor, beggar, orphan, widow,
        teenager, toddler, gentleman, lady, villager, peasant, servant, nobleman
    """),
    "group": listed("""
        the children, the students, the neighbors, the workers, the farmers, the players, the
        tourists, the soldiers, the doctors, the voters, the villagers, the customers, the boys,
        the girls, the guests, the twins, the sailors, the engineers, the musicians, the refugees,
        the firefighters, the researchers, my parents, my cousins, my friends, our grandparents,
        her sisters, his brothers, their teachers, most people, many families, a few people, some
        of us, both of them, all the men, two women, three strangers, several drivers, the police,
        the actors, the judges, the scouts, the nurses, the lawyers, the reporters
    """),
    "one": (
        "{name}",
        "{name}",
        "my {relative}",
        "the {job}",
        "he",
        "she",
        "our {relative}",
        "the {job}",
        "a {job}",
        "{title} {surname}",
        "his {relative}",
        "her {relative}",
    ),
    "many": ("we", "they", "{group}", "{name} and {name}", "you", "{group}"),
    "who": ("I", "we", "they", "he", "she", "{one}", "{one}", "{group}", "{name}", "you"),
    "whom": (
        "them",
        "him",
        "her",
        "everyone",
        "{name}",
        "the {job}",
        "the {job}",
        "{name}",
        "nobody",
        "{title} {surname}",
        "the children",
        "the {relative}",
        "the others",
        "the {adj_job} {job}",
    ),
    "adj_job": listed("""
        old, young, new, local, other, tall, friendly, famous, angry, kind, retired, former,
        foreign, honest, busy, brave, experienced, unknown, royal, chief
    """),
    "title": ("Mister", "Doctor", "Professor", "Captain", "Judge", "Senator", "Miss", "Sergeant"),
    "possessive": ("my", "your", "his", "her", "our", "their", "{name}'s", "my {relative}'s"),
}
