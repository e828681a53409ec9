"""How people write to a hotline, and how a raid does: a grammar of SMS texts. Pure.

Written by hand from the sizes and shares of SECURITY.md 3.3 and 3.5; no real message is known to us, and none is copied
here. What matters to a detector is kept: bare greetings that many people share, and beyond them texts that are rarely
alike; a raid's that are pasted from a few templates. Only `random()` of the generator is used, as that alone is
promised to give the same numbers on every Python.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

#: So many first messages are nothing but a greeting (SECURITY.md 3.3).
GREETING_SHARE = 0.18
#: The most typos that `vary` makes.
MOST_TYPOS = 3


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _options(text: str) -> tuple[str, ...]:
    """What stands between bars and on lines of its own."""
    return tuple(option.strip() for line in text.strip().splitlines() for option in line.split("|"))


#: What a bare greeting says, before case, punctuation and emoji.
GREETINGS = _options("""
salut | salut | salut | salut | bonjour | bonjour | bonjour | coucou | coucou | hey | hey | slt | slt | cc | cc | bjr
bonsoir | bonsoir | bsr | hello | hello | yo | wesh | hi | heyy | kikou | re | salut toi | coucou toi | salut ça va
slt cv | bonjour ça va | cc ça va | hey ça va | salut c'est moi
""")

_EMOJI = _words("😊 😉 😘 🙂 😄 😁 😍 😅 😎 🤗 👋 🙏 🌹 🔥 💪 ✌️ 😏 🤔 😇 ☀️ 🍷 ☕ 🎶 ❤️ 😂 🙈")

_SLOTS = {
    "name": _words("""
        Karim Thomas Julien Mehdi Nico Alex Kevin Antoine Maxime Sofiane Lucas Hugo Bastien Yanis Romain Florian Amine
        Guillaume Cédric Ludo Fabrice Mathieu Samir Adrien Vincent Jérôme Bilal Quentin Théo Rayan Damien Loïc Ibrahim
        Stéphane Pierre Eddy Moussa Clément Olivier Jordan Walid Benoît Greg Tony Marco Pablo Steven Axel Ismaël Rémi
        Gaël Sami Enzo Jean-Marc Patrick Didier Laurent Chloé Manon Sabrina Inès Clara Léa Sonia Camille Morgane"""),
    "place": _options("""
        à Bastille | à République | à Châtelet | à la gare de Lyon | à Montparnasse | au Vieux-Port | place Bellecour
        à la Part-Dieu | place du Capitole | aux Quinconces | à Wazemmes | quai de Valmy | aux Buttes-Chaumont
        au Monop' | au Franprix | chez Leclerc | à la Fnac | à la salle de sport | à la piscine | au marché | au parc
        devant la fac | à la bibliothèque | à la laverie | au kebab du coin | à la boulangerie | sur la plage
        au festival | au concert | à l'anniv de {name} | à la soirée de {name} | au bar irlandais | au Café du Port
        au karaoké | à la terrasse d'en face | dans le bus {number} | dans le tram | sur la ligne {digit} | dans le TER
        dans le train pour {town} | à l'arrêt de bus | à la station-service | au Mcdo de {town} | en boîte à {town}
        au bowling | au ciné | à la brocante | au salon de l'étudiant | à la pharmacie | au parking du {shop}"""),
    "shop": _words("Carrefour Auchan Lidl Décathlon Ikea Casto Super-U Intermarché"),
    "town": _words("""
        Lyon Lille Nantes Rennes Toulouse Bordeaux Marseille Grenoble Dijon Tours Metz Nancy Brest Reims Angers Rouen
        Montpellier Nice Toulon Limoges Caen Orléans Pau Créteil Nanterre Cergy Évry Melun Annecy Valence"""),
    "when": _options("""
        hier | hier soir | avant-hier | ce matin | ce midi | tout à l'heure | samedi | samedi soir | vendredi | dimanche
        lundi | mardi midi | mercredi | jeudi soir | la semaine dernière | le week-end dernier | y a une heure
        y a deux jours | vers {hour}h hier | cet aprem | cette nuit | à {hour}h"""),
    "time": _options("""
        ce soir | demain | demain soir | demain midi | ce week-end | samedi | samedi soir | dimanche aprem | vendredi
        lundi | mardi soir | mercredi | jeudi | la semaine prochaine | après {hour}h | vers {hour}h | à {hour}h{quarter}
        dans la semaine | tout de suite | un de ces quatre | après le boulot | pendant ta pause"""),
    "activity": _options("""
        boire un verre | un café | un resto | un ciné | une balade | un kebab | aller danser | un bowling | une expo
        manger une glace | un pique-nique | voir le match | un concert | un brunch | une partie de billard | un thé
        manger japonais | une pizza | faire un tour en moto | courir ensemble | aller à la mer | un laser game
        un tour au marché | une crêpe | un apéro chez {name} | aller à {town} | un burger | une soirée jeux"""),
    "wear": _options("""
        la robe rouge | le manteau vert | les cheveux bouclés | le bonnet jaune | les lunettes rondes | la veste en jean
        le sac à dos bleu | le pull rayé | les baskets blanches | l'écharpe orange | la jupe noire | le chapeau
        la casquette grise | le tatouage au poignet | les boucles d'oreilles | la chemise à fleurs | le grand sourire
        le piercing | le vélo rouge | le petit chien | la valise rose | la guitare"""),
    "mine": _options("""
        en chemise blanche | au blouson noir | avec la barbe | avec la casquette | en costard | au scooter gris
        avec le chien | en survêt bleu | avec les béquilles | au t-shirt {shop} | avec le skate | en doudoune
        qui parlait fort | avec le bouquet | avec deux potes | à la Clio blanche | en terrasse | du {floor}e étage"""),
    "job": _options("""
        le serveur | le chauffeur | ton voisin | le vigile | le prof de salsa | le pote de {name} | le cousin de {name}
        le livreur | le photographe | le DJ | le coach | le barman | le mec du wagon {digit} | le gars du guichet
        l'ami de {name} | le nouveau de la compta | le stagiaire | le collègue de {name}"""),
    "topic": _options("""
        musique | ton chat | ta série préférée | tes études | tes vacances | voyages | foot | cuisine | le Portugal
        ton boulot | bouquins | mon déménagement | astrologie | politique | la Corée | ton accent | rando | la Bretagne
        jeux vidéo | ta sœur | mon ex | escalade | photo | ton permis | le Maroc"""),
    "hour": _words("9 10 11 12 14 15 16 17 18 19 20 21 22 23"),
    "quarter": ("", "", "15", "30", "45"),
    "number": _words("12 21 26 38 42 54 62 68 75 80 91 96"),
    "digit": _words("1 2 3 4 5 6 7 8 9 11 12 13 14"),
    "floor": _words("2 3 4 5 6 7 8"),
    "hi": _options("""
        salut | slt | bonjour | coucou | hey | hello | bonsoir | cc | yo | bjr | salut toi | re | wesh | salut beauté
        | | | | | |"""),
    "me": _options("""
        c'est {name} | moi c'est {name} | {name} ici | ici {name} | c'est {name} de {town} | je suis {name}, {job}
        c'est {job} | {name} à l'appareil | c'est le mec {mine} | je suis le type {mine} | c'est {name}, {job}
        moi {name} | tu te souviens, {name} | devine, c'est {name} | voilà mon num, {name} | note-moi, {name}"""),
    "met": _options("""
        on s'est croisés {when} {place} | tu m'as filé ton num {place} | on a parlé {topic} {when} | je t'ai vue {place}
        tu avais {wear} {when} | on a rigolé {place} {when} | celui qui t'a tenu la porte {place} | on s'est vus {when}
        je t'ai aidée à porter tes sacs {place} | tu m'as souri {when} {place} | on attendait ensemble {place}
        tu m'as demandé l'heure {place} | j'étais {mine} {when} | on a dansé {when} {place} | {name} nous a présentés
        tu partais vite {when} {place} | tu lisais {place} avec {wear} | on a partagé un taxi {when} pour {town}
        tu m'as noté ton 06 sur un ticket {place} | on a matché {when} | tu as vendu ton canapé à {name}
        tu m'as dit de t'écrire {when} | je t'ai offert un verre {place} | on s'est parlé de {town} {when}
        tu descendais {place} je crois | t'étais avec {name} {when} | t'étais assise en face de moi {place}
        je t'ai abordé {when} {place} | tu cherchais la sortie {place} | on s'est tapé dans l'œil {place}
        t'as oublié ton parapluie {place} | j'ai retrouvé ta carte {place} | on fume au même endroit {place}"""),
    "ask": _options("""
        tu fais quoi {time} ? | ça te dit {activity} {time} ? | dispo {time} pour {activity} ? | t'es bien rentrée ?
        je peux t'appeler {time} ? | c'est bien ton vrai numéro ? | t'habites vers {town} ? | t'as insta ou snap ?
        on se revoit quand, {time} ? | tu préfères {activity} ou {activity} ? | tu reviens {place} {time} ?
        t'as un copain ou pas ? | tu me remets ? | t'es libre {time} ou t'as {activity} de prévu ? | tu bosses {time} ?
        je passe te prendre {time} ? | on se capte {place} {time} ? | partant pour {activity} ? | tu dors déjà ?
        tu connais {name} en fait ? | c'est quoi ton prénom déjà ? | t'es plutôt {topic} ou {topic} ? | t'as quel âge ?
        tu m'envoies une photo avec {wear} ? | et si on allait à {town} {time} ? | t'aimes {topic} ?
        pourquoi t'es partie si vite {when} ? | tu viens à la soirée de {name} {time} ? | t'es encore {place} ?
        je t'invite pour {activity}, ok ? | tu réponds jamais au tel ? | tu finis à quelle heure {time} ?
        tu veux qu'on reparle de {topic} ? | ton num finit bien par {number} ? | t'es sur {town} {time} ?"""),
    "say": _options("""
        j'ai pensé à toi toute la nuit | t'avais un sourire de fou avec {wear} | j'ai adoré parler {topic} avec toi
        désolé si j'étais lourd {when} | j'ose pas trop écrire d'habitude | {wear} ça t'allait trop bien | t'es canon
        je suis encore {place} si tu veux | je t'attends {place} {time} | fais pas la timide | je mords pas promis
        {name} m'a dit que t'étais célibataire | j'ai deux places pour {activity} {time} | tu vas pas regretter
        j'habite à {town} mais je bouge | garde mon numéro | réponds quand t'as {number} secondes | j'aime bien {wear}
        je suis {place} jusqu'à {hour}h | mon tel va couper, {number}% de batterie | t'inquiète je suis sérieux
        j'ai raconté à {name} notre rencontre | ça m'a fait plaisir {when} | faut qu'on finisse de parler {topic}
        je repars à {town} {time} | appelle-moi plutôt {time} | {activity} et je te laisse tranquille | j'insiste un peu
        c'est la première fois que je demande un num {place} | je t'offre {activity} {time} | dis oui stp
        t'as promis {activity} | j'ai perdu un pari avec {name} à cause de toi | j'ai reconnu {wear} de loin"""),
    "english": _options("""
        hi it's {name}, we met {enwhere}, {enask} | hey {name} here, {enask} | so {enask} btw it's {name}
        hello from {name}! you looked great {enwhere} | is this the girl from {town}? we talked {enwhere}, {name}
        {enask} I'm only in {town} till {enday} | hey you, still {enwhere}? {enask} | sorry my french is bad, {enask}
        it's {name}, got your number {enwhere} | {name} from {town}! {enask} | thx for the chat {enwhere}, {enask}"""),
    "enwhere": _options("""
        at the bar in {town} | on the train to {town} | at {name}'s party | in the queue at {shop} | at the hostel
        near the canal | on the night bus {number} | at the gig | at the airport | in the park | by the river in {town}
        outside the club | at the museum | at the english bookshop | on the ferry | at the conference"""),
    "enask": _options("""
        wanna grab a drink {enday}? | are you free {enday}? | can I call you {enday}? | what are you up to {enday}?
        fancy a coffee near the station {enday}? | do you have whatsapp? | coming to {name}'s place {enday}?
        how about dinner {enday} at {hour}? | got any plans {enday}? | did you get home ok? | you remember me right?
        want to show me around {town}? | are you still seeing {name}?"""),
    "enday": _options("tonight | tomorrow | on friday | saturday | sunday night | next week | around {hour} | later"),
}
_FORMS = _options("""
{hi} {me}, {met} | {hi} {me}, {met}. {ask} | {hi} {me} {met}, {say} | {hi} {met}, {ask} | {hi} {me}. {ask}
{hi} {met}, {say} | {hi} {ask} {me} | {hi} {say}. {ask} | {me}, {say} | {hi} {me}, {met}. {say}. {ask} | {met} {met}
{met}, {ask} {me} | {hi} {met}. {me} | {say}, {say} | {ask} {say} | {me}, {met} et {met} | {hi} {met} | {english}
{english} | {hi} {me} ! {ask} {ask} | {say}. {me}, {met} | {hi} {say}, {me}
""")
_LATER = _options("""
? | ?? | allo ? | alors ? | tu réponds ? | t'es là ? | {ask} | {ask} | {ask} | {say} | {say} | {say} | {say}. {ask}
pourquoi tu réponds pas ? | c'est {name} | ok | d'accord | c'est une blague ? | qui t'es en fait ? | c'est quoi ce sms
t'es sérieuse là ? | réponds stp | bon tant pis | c'est toi ou un robot ? | je comprends pas | {name} ? | lol | mdr ok
donc {activity} {time} ? | {time} alors ? | j'attends {place} | bonne nuit quand même | je réessaie {time} | hello?
who is this? | {enask} | {when} t'étais plus sympa | on avait dit {time} | {met} pourtant | laisse tomber
""")
#: What a forum pastes: its mockery is of the hotline.
RAID_TEMPLATES = (
    "Bonjour le robot, combien coûte ce message à ton association ? On en envoie mille autres ce soir",
    "Coucou c'est toute l'équipe du forum, on passe dire bonjour à ton petit répondeur en carton",
    "Trop drôle votre numéro bidon, allez répondez encore un peu, votre facture grimpe pendant qu'on rigole",
    "Alerte générale : le standard fond comme une glace au soleil, qui veut une gaufre avec ?",
    "On vide la tirelire, un SMS à la fois. Signé : les touristes du dimanche soir",
    "Je voudrais commander douze pizzas quatre fromages pour le bureau, livraison rapide merci d'avance",
    "Leçon numéro un : ne jamais afficher son numéro sur internet quand des gens s'ennuient le lundi",
    "Et hop, encore un ! Faites tourner le numéro les gars, record à battre avant minuit",
)

#: Of a hundred people so many write neatly, and so many more casually; the rest shorten whatever they can.
_NEAT, _CASUAL = 0.35, 0.75
_SHORT = {
    word: short
    for word, _, short in (
        pair.partition("=")
        for pair in _options("""
            c'est=c | salut=slt | bonjour=bjr | pourquoi=pk | quand=qd | quoi=koi | avec=avc | tu fais=tfk | qui=ki
            toujours=tjrs | beaucoup=bcp | je suis=jsuis | demain=2m1 | dans=ds | tout=tt | t'es=t | j'ai=g | que=ke
            week-end=we | désolé=dsl | numéro=num | réponds=rep | bien=bi1 | on s'est=on c | pas=pa | t'as=ta
            d'accord=dac | quel=kel | toi=toa""")
    )
}
_SHORTENED = re.compile(r"\b(?:" + "|".join(re.escape(word) for word in _SHORT) + r")(?!\w)")
_UNACCENTED = str.maketrans("àâäéèêëîïôöùûüçÀÂÉÈÊÎÔÇ", "aaaeeeeiioouuucAAEEEIOC") | {ord("œ"): "oe"}
_SLOT = re.compile(r"\{(\w+)\}")
_GAPS = re.compile(r" {2,}| (?=[,.])")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def genuine(random: Random) -> str:
    """The first text of somebody who was given the number, mostly French; `GREETING_SHARE` of them only greet."""
    if random.random() < GREETING_SHARE:
        return _greeting(random)
    return _written(_choice(random, _FORMS), random)


def later(random: Random) -> str:
    """Any further text of his: shorter, and more often the same as others'."""
    return _written(_choice(random, _LATER), random)


def vary(text: str, random: Random) -> str:
    """A template as a raid's script changes it: up to `MOST_TYPOS` typos, and an emoji, a number or both at its end."""
    for _ in range(int(random.random() * (MOST_TYPOS + 1))):
        text = _typo(text, random)
    kind = random.random()
    if kind < 0.7:
        text += f" {_choice(random, _EMOJI)}"
    if kind >= 0.4:
        text += f" {int(random.random() * 100_000)}"
    return text


def _greeting(random: Random) -> str:
    text = _choice(random, GREETINGS)
    case = random.random()
    text = text.capitalize() if case < 0.45 else text.upper() if case < 0.5 else text
    text += _choice(random, ("", "", "", " !", "!", "!!", "...", ".", " ?", " :)", ","))
    return f"{text} {_choice(random, _EMOJI)}" if random.random() < 0.2 else text


def _written(form: str, random: Random) -> str:
    """A form filled in, in the manner of one writer."""
    text = _GAPS.sub(lambda gap: "" if len(gap[0]) == 1 else " ", _filled(form, random)).strip(" ,")
    manner = random.random()
    if manner < _NEAT:
        text = text[:1].upper() + text[1:]
    else:
        text = text.lower() if random.random() < 0.7 else text
        share = 0.25 if manner < _CASUAL else 0.8
        text = _SHORTENED.sub(lambda word: _SHORT[word[0]] if random.random() < share else word[0], text)
        if random.random() < share + 0.2:
            text = text.translate(_UNACCENTED)
        if random.random() < share:
            text = text.replace(" ?", "" if random.random() < 0.5 else "?").replace("'", "")
    if random.random() < 0.2:
        text = _typo(text, random).strip()
    if random.random() < 0.25:
        text += f" {_choice(random, _EMOJI)}"
    return text


def _filled(form: str, random: Random) -> str:
    return _SLOT.sub(lambda slot: _filled(_choice(random, _SLOTS[slot[1]]), random), form)


def _typo(text: str, random: Random) -> str:
    """One letter is left out, doubled, swapped with the next, or another."""
    if len(text) < 4:
        return text
    at = int(random.random() * (len(text) - 1))
    kind = int(random.random() * 4)
    if kind == 0:
        return text[:at] + text[at + 1 :]
    if kind == 1:
        return text[:at] + text[at] + text[at:]
    if kind == 2:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text[:at] + _choice(random, _LETTERS) + text[at + 1 :]


def _choice(random: Random, options: Sequence[str]) -> str:
    return options[int(random.random() * len(options))]
