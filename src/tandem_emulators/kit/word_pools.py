"""Word pools by locale, read once from Faker's provider modules and completed with a few of our own."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from random import Random
from typing import Any

TRADES = ("Logistics", "Medical", "Software", "Foods", "Energy", "Consulting", "Media", "Textiles", "Tools", "Travel")
INDUSTRIES = (
    "Accounting",
    "Broadcasting Printing and Publishing",
    "Consulting",
    "Design, Direction and Creative Management",
    "Eating and Drinking Places",
    "Insurance",
    "Legal Services",
    "Wholesale",
)
NOTES = (
    "Met at the trade fair; asked for the price list.",
    "Prefers calls after 14:00.",
    'Said: "send it again, with the new <logo> & terms".',
    "Budget is decided in November,\twaits for the board.",
    "Übernahme läuft – bitte erst nächstes Jahr.",
    "重要なお客様",
    "Old customer number: 00417; see contract ‘A/7’.",
)


@dataclass(frozen=True)
class Locale:
    name: str
    country: str
    weight: int
    firsts: Sequence[str]
    lasts: Sequence[str]
    cities: Sequence[str]
    regions: Sequence[str]
    streets: Sequence[str]
    company_suffixes: Sequence[str]
    salutations: Sequence[str]
    phone_format: str
    postal_format: str
    number_first: bool = False

    def first_name(self, rng: Random) -> str:
        return rng.choice(self.firsts)

    def last_name(self, rng: Random) -> str:
        return rng.choice(self.lasts)

    def phone(self, rng: Random) -> str:
        return _fill(self.phone_format, rng)

    def postal_code(self, rng: Random) -> str:
        return _fill(self.postal_format, rng)

    def street(self, rng: Random) -> str:
        street, number = rng.choice(self.streets), rng.randrange(1, 190)
        return f"{number} {street}" if self.number_first else f"{street} {number}"


def _fill(pattern: str, rng: Random) -> str:
    digits = iter(str(rng.randrange(10**11, 10**12)))
    return "".join(next(digits) if letter == "#" else letter for letter in pattern)


@cache
def locales() -> tuple[Locale, ...]:
    return tuple(
        Locale(firsts=_names(key, "first_names"), lasts=_names(key, "last_names"), **rest) for key, rest in _LOCALES
    )


@cache
def locale(name: str) -> Locale:
    return next(found for found in locales() if found.name == name)


@cache
def job_titles() -> Sequence[str]:
    return tuple(job for job in _provider("job", "en_US").jobs if len(job) <= 60)


def _names(key: str, kind: str) -> Sequence[str]:
    """Faker keeps some pools as weighted dictionaries, and the Polish family names under another name."""
    provider = _provider("person", key)
    pool = tuple(getattr(provider, kind))
    return pool if len(pool) > 10 else tuple(provider.unisex_last_names)


def _provider(kind: str, key: str) -> Any:
    return import_module(f"faker.providers.{kind}.{key}").Provider


_LOCALES: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "en_US",
        {
            "name": "en_US",
            "country": "United States",
            "weight": 34,
            "cities": ("Seattle", "Austin", "Boston", "Denver", "Chicago", "Portland", "Raleigh", "San José"),
            "regions": ("WA", "TX", "MA", "CO", "IL", "OR", "NC", "CA"),
            "streets": ("Main Street", "Oak Avenue", "2nd Street", "Market Street", "Elm Drive", "Lake View Road"),
            "company_suffixes": ("Inc.", "LLC", "Group", "& Sons", "Corp."),
            "salutations": ("Mr.", "Ms.", "Dr."),
            "phone_format": "+1 (###) 555-0###",
            "postal_format": "#####",
            "number_first": True,
        },
    ),
    (
        "de_DE",
        {
            "name": "de_DE",
            "country": "Germany",
            "weight": 18,
            "cities": ("Berlin", "München", "Köln", "Hamburg", "Leipzig", "Nürnberg", "Lübeck"),
            "regions": ("Bayern", "Hessen", "Sachsen", "Nordrhein-Westfalen", "Baden-Württemberg"),
            "streets": ("Hauptstraße", "Bahnhofstraße", "Gartenweg", "Lindenallee", "Schloßplatz", "Am Markt"),
            "company_suffixes": ("GmbH", "AG", "GmbH & Co. KG", "e. K."),
            "salutations": ("Herr", "Frau", "Dr."),
            "phone_format": "+49 ### #######",
            "postal_format": "#####",
        },
    ),
    (
        "fr_FR",
        {
            "name": "fr_FR",
            "country": "France",
            "weight": 13,
            "cities": ("Paris", "Lyon", "Nîmes", "Besançon", "Orléans", "Saint-Étienne"),
            "regions": ("Île-de-France", "Bretagne", "Occitanie", "Auvergne-Rhône-Alpes"),
            "streets": ("rue de la Paix", "avenue Jean Jaurès", "boulevard Voltaire", "place de l'Église"),
            "company_suffixes": ("SARL", "S.A.", "SAS", "et Fils"),
            "salutations": ("M.", "Mme"),
            "phone_format": "+33 # ## ## ## ##",
            "postal_format": "#####",
            "number_first": True,
        },
    ),
    (
        "es_ES",
        {
            "name": "es_ES",
            "country": "Spain",
            "weight": 11,
            "cities": ("Madrid", "Málaga", "León", "Cádiz", "Logroño", "A Coruña"),
            "regions": ("Andalucía", "Cataluña", "Castilla y León", "País Vasco"),
            "streets": ("Calle Mayor", "Avenida de la Constitución", "Paseo del Prado", "Plaza de España"),
            "company_suffixes": ("S.L.", "S.A.", "y Cía."),
            "salutations": ("Sr.", "Sra.", "Dña."),
            "phone_format": "+34 ### ### ###",
            "postal_format": "#####",
        },
    ),
    (
        "pl_PL",
        {
            "name": "pl_PL",
            "country": "Poland",
            "weight": 9,
            "cities": ("Warszawa", "Łódź", "Kraków", "Gdańsk", "Wrocław", "Poznań"),
            "regions": ("mazowieckie", "małopolskie", "łódzkie", "śląskie"),
            "streets": ("ul. Długa", "ul. Kościuszki", "al. Jerozolimskie", "ul. Świętojańska"),
            "company_suffixes": ("Sp. z o.o.", "S.A.", "s.c."),
            "salutations": ("Pan", "Pani"),
            "phone_format": "+48 ### ### ###",
            "postal_format": "##-###",
        },
    ),
    (
        "ja_JP",
        {
            "name": "ja_JP",
            "country": "Japan",
            "weight": 9,
            "cities": ("東京", "大阪", "名古屋", "札幌", "福岡"),
            "regions": ("東京都", "大阪府", "愛知県", "北海道", "福岡県"),
            "streets": ("丸の内一丁目", "本町二丁目", "栄三丁目", "中央通り"),
            "company_suffixes": ("株式会社", "合同会社", "K.K."),
            "salutations": ("様",),
            "phone_format": "+81 ##-####-####",
            "postal_format": "###-####",
        },
    ),
    (
        "ar_AA",
        {
            "name": "ar_AA",
            "country": "United Arab Emirates",
            "weight": 6,
            "cities": ("دبي", "أبوظبي", "الشارقة", "عجمان"),
            "regions": ("دبي", "أبوظبي", "الشارقة"),
            "streets": ("شارع الشيخ زايد", "شارع الاستقلال", "شارع الكورنيش"),
            "company_suffixes": ("ذ.م.م", "LLC", "Trading Est."),
            "salutations": ("السيد", "السيدة"),
            "phone_format": "+971 # ### ####",
            "postal_format": "#####",
        },
    ),
)
