"""Reading a prompt: which scene its words ask for, and which look (English and Russian)."""

import re
from collections.abc import Iterable

from backends.demo.painting.noise import generator, stable_seed
from backends.demo.painting.palette import Look

_READ_AT_MOST = 2_000  # characters; nobody's subject comes later than that
_SHORT = 3
_WORD = re.compile(r"[^\W\d_]+")

# Words are stems: a word of the prompt counts when it starts with one. Stems of up to three
# letters, and those ending in "=", must match the whole word.
SCENE_WORDS: dict[str, str] = {
    "alpine": "mountain alp= alps= alpine peak ridge summit himalaya canyon cliff valley highland"
    " гор= гора= горы= горн вершин альп скал ущель",
    "lake": "lake pond reflection river loch calm= озер рек= река= реки= отражен пруд",
    "winter": "snow winter pine= pines= ice= icy frost glacier cabin christmas cold= зим снег снеж"
    " мороз ёлк елк елов рождеств лед= ледян",
    "aurora": "aurora borealis northern= fjord iceland arctic polar сияни полярн фьорд север",
    "balloons": "balloon airship zeppelin blimp cappadocia воздушн шар= шары= дирижабл",
    "sea": "sea= seas= ocean boat ship sail harbor harbour beach coast wave surf= yacht port="
    " island lighthouse tide море моря= морск океан лодк корабл парус пляж волн берег яхт"
    " остров маяк",
    "dunes": "desert dune sand= sands= sahara camel mars martian oasis egypt пустын дюн песо песк"
    " бархан верблюд марс",
    "forest": "forest wood= woods= woodland tree mist misty fog= foggy jungle birch grove лес="
    " леса= лесу= лесн дерев туман рощ берез берёз сосн джунгл",
    "meadow": "meadow field grass poppy poppies hill prairie wildflower lavender tulip countryside"
    " farm spring= луг= поле= поля= трав мак= маки= холм лаванд тюльпан весн деревн",
    "city": "city cities skyline neon rain= rainy building street tower urban cyberpunk downtown"
    " skyscraper metropolis town= tokyo manhattan car= cars= robot mech= город улиц неон дожд"
    " небоскр киберпанк здани башн машин робот",
    "nebula": "nebula space= cosmos cosmic universe astronaut interstellar supernova spaceship"
    " starship туманност космос космич вселенн космонавт звездолёт звездолет",
    "galaxy": "galaxy galaxies spiral milky andromeda vortex галакти спирал млечн",
    "planet": "planet saturn jupiter ring= rings= moon= moons= orbit alien exoplanet планет сатурн"
    " юпитер кольц лун= луна= луны= орбит",
    "starry": "star= stars= starry gogh painterly brush impressionis oil= painting= swirl звезд"
    " звёзд ваногог гог= мазк живопис масло=",
    "dahlia": "flower dahlia rose= roses= petal bloom blossom peony chrysanthemum lotus sakura"
    " sunflower bouquet mandala цвет= цветы= цветок цветк роз= роза= розы= лепест георгин пион"
    " лотос сакур букет мандал подсолнух",
    "succulent": "succulent cactus agave echeveria artichoke суккулент кактус агав",
    "fern": "fern leaf leaves plant botanical foliage palm garden tropical green= папоротник лист="
    " листь листв растен ботанич пальм сад= сада=",
    "jellyfish": "jellyfish jelly underwater medusa coral reef fish= fishes= aquarium submarine"
    " abyss deep= медуз подводн рыб корал аквариум глубин",
    "stones": "stone pebble zen= rock= rocks= cairn meditation balance spa= buddha камн камень дзен"
    " медитац галька",
    "silk": "silk ribbon smoke abstract fractal light= energy flame fire= portrait woman man= girl"
    " boy= face= person people dancer dance music шёлк шелк лент дым= дыма= абстрак фрактал огонь"
    " огня= пламя портрет женщин мужчин девушк парень лицо= лица= человек люди= танц музык",
    "ribbons": "cat= cats= kitten dog= dogs= puppy animal fox= bird horse lion tiger wolf dragon"
    " butterfly feather wing hair= кот= кошк котён котен коты= собак щен животн лис= лиса= птиц"
    " лошад лев= тигр волк= дракон бабочк перо= перья= крыл",
    "agate": "agate mineral geode crystal gem= gems= gemstone marble jewel topographic quartz агат="
    " минерал кристалл мрамор самоцвет драгоцен",
    "bauhaus": "bauhaus geometric geometry pattern poster shape minimal mosaic tile retro= logo"
    " icon= vector quilt баухаус геометр узор плакат мозаик минимал логотип",
    "arcade": "arcade arch= arches= archway architect corridor column colonnade surreal chirico"
    " courtyard temple palace interior room= house castle арк= арка= арки= архитект коридор колонн"
    " храм= дворец интерьер комнат дом= дома= замок замк",
}  # fmt: skip

# Scenes and words that more often tell of the cast, the light or the style than of the place
# count for less; subjects that nothing else looks like count for more.
_WEAK_SCENES = frozenset({"silk", "ribbons"})
_STRONG_SCENES = frozenset({"aurora", "balloons", "jellyfish", "planet", "galaxy"})
# Where a prompt that names only an hour is set.
_LANDSCAPES = ("alpine", "lake", "sea", "dunes", "meadow", "city")
_WEAK = (
    "moon moons луна луны star stars starry звезды звёзды rain rainy дождь mist misty fog foggy"
    " туман snow snowy pine spring pattern green room house дом calm deep poster garden flower"
    " цветы abstract brush oil painting rock rocks interior"
)
_WEAK_WORDS = frozenset(_WEAK.split())

_HUES: dict[str, float] = {
    "red= reds= crimson scarlet ruby красн алый= алая= багров": 27,
    "orange= amber tangerine rust= copper оранж янтар ржав медн": 55,
    "gold golden yellow honey ochre золот жёлт желт медов охр": 80,
    "lime= olive= chartreuse олив лайм": 120,
    "green emerald jade= mossy зелён зелен изумруд": 148,
    "teal turquoise cyan aqua= mint= бирюз мятн": 195,
    "azure sky= голуб лазур": 235,
    "blue= blues= cobalt indigo= navy= sapphire син= синий= синяя= синее= синие= кобальт": 262,
    "violet purple lilac amethyst lavender= фиолет лилов сирен пурпур": 305,
    "magenta fuchsia маджент фукси": 335,
    "pink= rosy= розов": 0,
    "brown sepia chocolate коричн сепи шоколад": 60,
}  # fmt: skip

_TIMES: dict[str, str] = {
    "dawn": "dawn sunrise morning daybreak рассвет утр= утро= утрен восход",
    "dusk": "dusk hour= sunset evening twilight закат сумер вечер",
    "night": "night midnight moon= moonlit moonlight nocturn dark ночь= ночи= ночн"
    " луна= полноч темн тёмн",
    "day": "day= daytime noon= sunny midday bright= summer день= днём= днем= полдень солнечн лет=",
}

# (chroma, light, lift, hue or None) for moods.
_MOODS: dict[str, tuple[float, float, float, float | None]] = {
    "monochrom grayscale greyscale grey= gray= black= noir= bw= silver монохром серый= серая="
    " серое= черно чёрн серебр": (0.06, 0.97, 0.0, None),
    "pastel soft= delicate dreamy tender пастел нежн мечтат": (0.72, 1.0, 0.42, None),
    "neon= vivid vibrant saturated colorful colourful cyberpunk= synthwave неон= яркий= яркая="
    " яркие= насыщен": (1.38, 1.0, 0.0, None),
    "muted faded vintage film= desaturated matte приглуш винтаж выцвет": (0.6, 0.97, 0.1, None),
    "storm= stormy gloom moody rain= rainy overcast bleak dramatic шторм буря= мрачн дожд пасмур": (
        0.7,
        0.88,
        0.0,
        None,
    ),
    "winter= snow= snowy cold= icy= frost зим= зима= зимн холодн ледян": (0.75, 1.02, 0.08, 245),
    "autumn fall= осень= осенн осен": (1.1, 1.0, 0.0, 50),
    "white= белый= белая= белое= белые=": (0.5, 1.03, 0.4, None),
    "fantasy magic= magical dream= фэнтези волшеб сказоч": (1.15, 1.0, 0.05, None),
}


def words_of(text: str) -> list[str]:
    """The words of `text` in lower case and in order, from its first few thousand characters."""
    return _WORD.findall(text[:_READ_AT_MOST].casefold())


def _stems(table: Iterable[tuple[str, str]]) -> list[tuple[str, bool, str]]:
    """Each stem with whether it must be the whole word, and the key it stands for."""
    return [
        (stem.rstrip("="), stem.endswith("=") or len(stem) <= _SHORT, key)
        for key, stems in table
        for stem in stems.split()
    ]


_SCENE_STEMS = _stems(SCENE_WORDS.items())
_HUE_STEMS = _stems((stems, stems) for stems in _HUES)
_TIME_STEMS = _stems(_TIMES.items())
_MOOD_STEMS = _stems((stems, stems) for stems in _MOODS)


def _matches(word: str, stems: list[tuple[str, bool, str]]) -> list[str]:
    """The keys of the longest stems that `word` answers to."""
    hits = [
        (len(stem), key)
        for stem, whole, key in stems
        if (word == stem if whole else word.startswith(stem))
    ]
    longest = max((length for length, _ in hits), default=0)
    return [key for length, key in hits if length == longest]


def _weight(word: str, scene: str) -> float:
    """How much `word` counts for `scene`."""
    if scene in _WEAK_SCENES or word in _WEAK_WORDS:
        return 0.55
    return 1.4 if scene in _STRONG_SCENES else 1.0


def choose_scene(prompt: str, *, seed: int) -> str:
    """The scene most words ask for (earlier ones count more); unknown words pick one by hash."""
    score: dict[str, float] = {}
    for place, word in enumerate(words_of(prompt)):
        for scene in _matches(word, _SCENE_STEMS):
            score[scene] = score.get(scene, 0.0) + _weight(word, scene) / (1 + 0.02 * place)
    if score:
        return max(score, key=lambda scene: score[scene])
    hour = any(_matches(word, _TIME_STEMS) for word in words_of(prompt))
    names = _LANDSCAPES if hour else tuple(SCENE_WORDS)
    return names[stable_seed(prompt, seed) % len(names)]


def choose_look(prompt: str, *, negative: str, seed: int) -> Look:
    """The look that the colour, mood and time words ask for, turned a little by seed and text.

    A word in `negative` is never obeyed, even if the prompt names it too.
    """
    unwanted = set(words_of(negative))
    wanted = [word for word in words_of(prompt) if word not in unwanted]
    hues = list(dict.fromkeys(_HUES[k] for w in wanted for k in _matches(w, _HUE_STEMS)))
    times = [key for word in wanted for key in _matches(word, _TIME_STEMS)]
    moods = list(dict.fromkeys(key for word in wanted for key in _matches(word, _MOOD_STEMS)))
    chroma, light, lift = 1.0, 1.0, 0.0
    for mood in moods:
        chroma, light = chroma * _MOODS[mood][0], light * _MOODS[mood][1]
        lift = max(lift, _MOODS[mood][2])
    if not hues:
        hues = [hue for mood in moods if (hue := _MOODS[mood][3]) is not None]
    by_seed, by_text = generator("look", seed), generator("look", prompt, negative)
    turn = by_seed.uniform(-1, 1) + 0.35 * by_text.uniform(-1, 1)
    return Look(
        hues=tuple(hues[:3]),
        turn=float(turn * (7 if hues else 16)),
        chroma=float(min(max(chroma * by_seed.uniform(0.92, 1.08), 0.03), 1.45)),
        light=float(light * by_text.uniform(0.98, 1.02)),
        lift=lift,
        time=times[0] if times else None,
    )
