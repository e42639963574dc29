# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""Words for the slots of the templates. Everything is invented or common knowledge; nothing comes from a person's data.
A slot is a function of a random.Random; (text, "PERSON") marks a span."""

import os
import string

import figures

HERE = os.path.dirname(os.path.abspath(__file__))


def lines(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as f:
        return [line.rstrip("\n") for line in f if line.strip() and not line.startswith("#")]


SURNAMES = lines("data/cn_surnames.txt")
EN_FIRST = lines("data/en_names.txt")
# COMPOUNDS, EN_BANKS, ... as words.txt names them.
globals().update((name, words.split("|")) for name, words in (line.split(" = ", 1) for line in lines("words.txt")))


def digits(n):
    return lambda r: str(r.randint(1, 9)) + "".join(r.choice(string.digits) for _ in range(n - 1))


def secret(r):
    return "".join(r.choice(string.ascii_letters + string.digits) for _ in range(r.choice([20, 24, 32, 40])))


def password(r):
    kind = r.randrange(4)
    if kind == 0:
        return (
            r.choice(["Summer", "Welcome", "Dragon", "Admin", "Qwer", "Hello", "Passw0rd", "Huawei"])
            + r.choice("@#!_")
            + str(r.randint(10, 2030))
        )
    if kind == 1:
        return "".join(r.choice(string.ascii_letters + string.digits + "!@#$%&*") for _ in range(r.randint(8, 14)))
    if kind == 2:
        return r.choice(["zhang", "liwei", "root", "test", "mike", "anna"]) + str(r.randint(100, 199999))
    return secret(r)[:10]


def number(low, high, decimals=0):
    return lambda r: f"{r.uniform(low, high):.{decimals}f}" if decimals else str(r.randint(low, high))


def dotted_name(r):
    """Names of other peoples of China and of foreigners, in characters."""
    parts = ["".join(r.choice(TRANSCRIBED) for _ in range(r.randint(2, 4))) for _ in range(2)]
    return parts[0] + r.choice("··•.") + parts[1] if r.random() < 0.92 else parts[0]


def zh_name(r):
    roll = r.random()
    if roll < 0.04:
        return dotted_name(r)
    surname = r.choice(SURNAMES[:60]) if roll < 0.5 else r.choice(SURNAMES[:420]) if roll < 0.88 else r.choice(SURNAMES)
    given = "".join(r.choice(GIVEN) for _ in range(1 if r.random() < 0.28 and len(surname) == 1 else 2))
    return surname + given


def new_word(r):
    """A name that is in no list: a listed one with another letter or ending."""
    name = r.choice(EN_FIRST)
    if r.random() < 0.5:
        at = r.randrange(len(name))
        letters = "aeiouyáéíóöüø" if name[at] in "aeiouy" else "bcdfghjklmnprstvwzłñç"
        name = name[:at] + r.choice(letters if r.random() < 0.3 else letters[:6]) + name[at + 1 :]
    else:
        name += r.choice("ski sen son ova enko idis oğlu escu ian tti wala nen berg quist dottir ez".split())
    return name.capitalize()


def en_last(r):
    roll = r.random()
    last = r.choice(EN_LAST) if roll < 0.45 else r.choice(EN_FIRST).capitalize() if roll < 0.7 else new_word(r)
    if r.random() < 0.12:
        last = r.choice(["O'", "Mc", "van der ", "van ", "de ", "de la ", "Al-", "El ", "bin ", "Di ", "von "]) + last
    if r.random() < 0.08:
        last += "-" + (new_word(r) if r.random() < 0.5 else r.choice(EN_LAST))
    return last


def en_name(r):
    roll = r.random()
    first = r.choice(EN_COMMON_FIRST) if roll < 0.35 else r.choice(EN_FIRST).capitalize() if roll < 0.7 else new_word(r)
    if r.random() < 0.05:
        first += "-" + r.choice(EN_FIRST).capitalize()
    middle = f" {r.choice(string.ascii_uppercase)}." if r.random() < 0.08 else ""
    if r.random() < 0.06:
        middle = " " + new_word(r)
    last = en_last(r)
    name = f"{first}{middle} {last}"
    if r.random() < 0.1:
        name = f"{r.choice(EN_LAST)}-{last}" if r.random() < 0.2 else f"{last}, {first}"
    style = r.random()
    return name.upper() if style < 0.06 else name.lower() if style < 0.13 else name


def zh_person(r):
    roll = r.random()
    if roll < 0.93:
        return zh_name(r)
    return en_name(r) if roll < 0.96 else r.choice(SURNAMES[:40]) + r.choice(["某某", "先生", "女士", "某"])


def zh_street(r):
    road = "".join(r.choice(ROAD_CHARS) for _ in range(2)) + r.choice(
        ["路", "街", "大道", "巷", "胡同", "东路", "南路", "西街", "中路", "弄"]
    )
    return f"{road}{r.randint(1, 1999)}号"


def zh_room(r):
    return r.choice(
        [
            lambda: f"{r.randint(1, 30)}栋{r.randint(1, 4)}单元{r.randint(1, 33)}{r.randint(1, 9):02d}室",
            lambda: f"{r.randint(1, 30)}号楼{r.randint(101, 3305)}",
            lambda: f"{r.randint(1, 30)}-{r.randint(1, 4)}-{r.randint(101, 2504)}",
            lambda: f"{r.choice('ABCD')}座{r.randint(101, 3305)}室",
            lambda: f"{r.randint(1, 12)}幢{r.randint(101, 1802)}",
            lambda: f"{r.choice('一二三四五六七八')}单元{r.choice('一二三四五六')}楼{r.choice(['左', '右', '东', '西'])}户",
        ]
    )()


PARTS = "一期 二期 东区 南区 十二街区 F组团 C区 北苑".split()
LANES = "永安巷 后海胡同 槐树里 石桥弄 建国里 桥西巷".split()
WORKS = "老纺织厂家属院 铁路局宿舍 二中家属楼 供销社家属院 粮站宿舍".split()
DORMS = "紫荆公寓 梅园宿舍 桂苑 学生公寓".split()
TAIWAN = "新北市板橋區縣民大道 台中市西屯區文化路 高雄市三民區民生路 臺北市大安區和平東路".split()
HONG_KONG = "九龍觀塘翠屏道 新界沙田大涌橋路 香港北角英皇道".split()


def zh_address(r):
    city, district, compound = r.choice(ZH_CITIES), r.choice(ZH_DISTRICTS), r.choice(COMPOUNDS)
    if r.random() < 0.3:
        compound = "".join(r.choice(ROAD_CHARS) for _ in range(2)) + r.choice(
            ["小区", "花园", "苑", "家园", "公寓", "新村", "城"]
        )
    return r.choice(
        [
            f"{city}市{district}{zh_street(r)}{compound}{zh_room(r)}",
            f"{city}{district}{compound}{zh_room(r)}",
            f"{district}{zh_street(r)}{zh_room(r)}",
            f"{compound}{zh_room(r)}",
            f"{city}市{district}{zh_street(r)}",
            f"{city}市{zh_street(r)}{compound}{zh_room(r)}",
            f"{compound}{r.choice(PARTS)}{r.choice(['', ' '])}{r.randint(1, 20)}-{r.randint(101, 2306)}",
            f"{r.choice(LANES)}{r.randint(1, 99)}号院{r.randint(1, 9)}排{r.randint(1, 9)}号",
            f"{r.choice(WORKS)}{r.randint(1, 20)}-{r.randint(1, 6)}-{r.randint(101, 702)}",
            f"{r.choice(DORMS)}{r.randint(1, 20)}号楼{r.choice('东西南北')}{r.randint(101, 799)}",
            f"{city}市{district}{zh_street(r)}{compound}{zh_room(r)}，邮编{r.randint(100000, 860000)}",
            f"{r.choice(TAIWAN)}{r.choice('一二三四')}段{r.randint(1, 300)}{r.choice(['巷', '號'])}{r.randint(1, 30)}號"
            f"{r.randint(2, 12)}樓",
            f"{r.choice(HONG_KONG)}{r.randint(1, 300)}號{r.choice(['翠楣樓', '麗閣', '海景閣'])}{r.randint(1, 40)}"
            f"{r.choice('ABCD室')}",
            f"{r.choice(ZH_CITIES)}市{r.choice('临宁安平丰清')}{r.choice('江县安丰水远')}县"
            f"{r.choice('石新大高东')}{r.choice('桥店塘坝岭')}镇"
            f"{r.choice('李王陈上下')}{r.choice('家庄村湾坪')}村{r.randint(1, 12)}组{r.randint(1, 99)}号",
        ]
    )


def en_address(r):
    number_ = r.choice(
        [
            str(r.randint(1, 9999)),
            f"{r.randint(1, 99)}{r.choice('ABC')}",
            f"Flat {r.randint(1, 40)}, {r.randint(1, 300)}",
        ]
    )
    street = f"{number_} {r.choice(EN_STREETS)}"
    street += f"{' ' + r.choice(EN_STREETS) if r.random() < 0.1 else ''} {r.choice(EN_SUFFIX)}"
    unit = r.choice(
        [
            "",
            "",
            f" Apt {r.randint(1, 30)}{r.choice('ABC')}",
            f", Unit {r.randint(1, 60)}",
            f" #{r.randint(1, 900)}",
        ]
    )
    city = r.choice(EN_CITIES)
    tail = r.choice(
        [
            f", {city}, {r.choice(EN_STATES)} {r.randint(10000, 99950)}",
            f", {city}",
            f", {city} {r.choice(EN_STATES)}",
            f", {city} {r.choice(['LS', 'BS', 'M', 'SE', 'EH', 'G', 'CF'])}{r.randint(1, 28)} {r.randint(1, 9)}"
            f"{r.choice('ABDEFGH')}{r.choice('JLNPQRS')}",
            "",
            f"\n{city}, {r.choice(EN_STATES)} {r.randint(10000, 99950)}",
        ]
    )
    text = street + unit + tail
    return text.lower() if r.random() < 0.08 else text


STREET_WORDS = "brae loan rise hollow bluff trail mews run gate wynd quay strand glen cove bend green fold view".split()
GERMAN = "strasse straße allee weg gasse platz str.".split()
NORTHERN = "gatan gata gade vej veien tie laan straat".split()
ROMANCE = "Calle Via Avenida Rua Carrer Viale ul. Plaza".split()


def new_address(r):
    """Street and house as other countries write them, and with streets that are in no list."""
    word, city, n = new_word(r), new_word(r) if r.random() < 0.6 else r.choice(EN_CITIES), r.randint(1, 180)
    digits_ = r.choice([5, 5, 4])
    code = digits(digits_)(r) if r.random() < 0.8 else f"{r.randint(100, 999)} {r.randint(10, 99)}"
    road = f"{word} {r.choice(STREET_WORDS).capitalize()}"
    french = r.choice(["rue", "avenue", "impasse", "chemin", "boulevard"]) + r.choice([" ", " de ", " du "])
    return r.choice(
        [
            f"{word}{r.choice(GERMAN)} {n}, {code} {city}",
            f"{word}{r.choice(NORTHERN)} {n}{r.choice('ABC')}, {code} {city}",
            f"{n} {french}{word}, {code} {city}",
            f"{r.choice(ROMANCE)} {word} {n}, {r.choice(['', '2º B, ', 'int. 4, '])}{code} {city}",
            f"{r.randint(1, 9)}/{n} {road}, {city} {r.randint(1000, 9999)}",
            f"{n}{r.choice(['', 'a', 'b'])} {road}, {city}",
            f"House {n}, {word} {r.choice(['Close', 'Estate', 'Gardens', 'Court'])}, {city}",
            f"{r.choice(['Flat', 'Unit', 'Apartment'])} {r.randint(1, 60)}, {n} {road}, {city}",
            f"Block {n}, {word} Street {r.randint(1, 40)}, #{r.randint(2, 25):02d}-{n}, {city} {digits(6)(r)}",
            f"The Old {r.choice(['Mill', 'Forge', 'Rectory', 'Dairy'])}, {n} {word} Lane, {city}",
            en_address(r),
        ]
    )


def lab(items):
    """A laboratory item and its figure, as notes write them."""

    def make(r):
        value = r.choice([str(r.randint(2, 980)), f"{r.uniform(0.1, 30):.1f}", f"{r.uniform(0.01, 9):.2f}"])
        mark = r.choice(["", "", "", "", "↑", "↓", "!", " (H)"])
        return r.choice(items) + r.choice([" ", " ", "", ": ", " = "]) + value + mark

    return make


def choice(items):
    return lambda r: r.choice(items)


def marked(make, kind):
    return lambda r: (make(r), kind)


COMMON = {
    "age": number(18, 92),
    "n1": number(1, 9),
    "n2": number(11, 98),
    "n3": number(101, 990),
    "n4": digits(4),
    "n5": digits(5),
    "n6": digits(6),
    "n7": digits(7),
    "n9": digits(9),
    "n12": digits(12),
    "n13": lambda r: "17" + digits(11)(r),
    "year": number(1965, 2025),
    "mg": choice(["5", "10", "20", "25", "50", "100", "250", "500"]),
    "bp": lambda r: f"{r.randint(95, 180)}/{r.randint(55, 110)}",
    "temp": number(36, 40, 1),
    "tempf": number(97, 103, 1),
    "lab": number(1, 20, 1),
    "mailname": lambda r: r.choice(EN_FIRST) + r.choice(["", ".", "_"]) + r.choice(EN_FIRST),
    "pw2": lambda r: r.choice(EN_FIRST) + r.choice("._") + str(r.randint(1, 999)),
    "key": secret,
    "pw": password,
    "acct": lambda r: digits(r.choice([9, 10, 12, 16, 19]))(r),
    "card": lambda r: " ".join(digits(4)(r) for _ in range(4)),
    "ip": lambda r: f"10.{r.randint(0, 99)}.{r.randint(0, 99)}.{r.randint(2, 250)}",
    "host": choice(["db01.prod", "10.2.3.9", "mysql-main", "rds.corp.local", "cache-2"]),
    "db": choice(["orders", "crm", "app", "prod", "hr"]),
    "dom": choice(["acme.io", "corp.cn", "shop.net", "cloudly.com"]),
}

ZH = dict(COMMON)
ZH.update(
    {
        "figs": lambda r: figures.text("zh", r),
        "p": marked(zh_person, "PERSON"),
        "p2": marked(zh_person, "PERSON"),
        "pub": marked(lambda r: r.choice(ZH_PUBLIC) if r.random() < 0.75 else zh_name(r), "PUBLIC"),
        "f": marked(lambda r: r.choice(ZH_FICTION) if r.random() < 0.2 else zh_name(r), "PUBLIC"),
        "fic": marked(choice(ZH_FICTION), "PUBLIC"),
        "addr": marked(zh_address, "ADDRESS"),
        "date": lambda r: r.choice(
            [
                f"{r.randint(1955, 2024)}年{r.randint(1, 12)}月{r.randint(1, 28)}日",
                f"{r.randint(1955, 2024)}-{r.randint(1, 12):02d}-{r.randint(1, 28):02d}",
                f"{r.randint(1955, 2024)}.{r.randint(1, 12)}",
            ]
        ),
        "month": number(1, 12),
        "money": lambda r: r.choice(
            [
                f"{r.randint(12, 990) * 100}元",
                f"{r.randint(1, 99)},{r.randint(100, 999)}.{r.randint(10, 99)}",
                f"{r.randint(2, 90)}千",
                f"{r.randint(800, 99000)}",
                f"{r.randint(1, 60)}万",
            ]
        ),
        "wan": lambda r: r.choice([str(r.randint(3, 9000)), f"{r.uniform(1, 99):.1f}"]),
        "co": lambda r: (
            r.choice(ZH_PUBLIC_COMPANIES)
            if r.random() < 0.2
            else r.choice(ZH_COMPANIES_HEAD) + r.choice(ZH_COMPANIES_TAIL)
        ),
        "dept": choice(ZH_DEPTS),
        "job": choice(ZH_JOBS),
        "school": choice(ZH_SCHOOLS),
        "major": choice(ZH_MAJORS),
        "dis": choice(ZH_DISEASES),
        "sym": choice(ZH_SYMPTOMS),
        "drug": choice(ZH_DRUGS),
        "hosp": choice(ZH_HOSPITALS),
        "bank": choice(ZH_BANKS),
        "city": choice(ZH_CITIES),
        "tech": choice(ZH_TECH),
        "prose": choice(ZH_PROSE),
        "proj": choice(ZH_PROJECTS),
        "find": choice(ZH_FINDINGS),
        "proc": choice(ZH_PROCS),
        "hr": choice(ZH_HR),
        "life": choice(ZH_LIFE),
        "kin": choice(ZH_KIN),
        "nick": choice(ZH_NICK),
        "staff": choice(ZH_STAFF),
        "labv": lab(ZH_LABS),
        "lab2": choice(ZH_LABS),
        "deal": choice(ZH_DEALS),
    }
)

EN = dict(COMMON)
EN.update(
    {
        "figs": lambda r: figures.text("en", r),
        "p": marked(en_name, "PERSON"),
        "p2": marked(lambda r: r.choice(EN_COMMON_FIRST) if r.random() < 0.5 else en_name(r), "PERSON"),
        "pub": marked(lambda r: r.choice(EN_PUBLIC) if r.random() < 0.7 else en_name(r), "PUBLIC"),
        "f": marked(lambda r: r.choice(EN_FICTION) if r.random() < 0.2 else en_name(r), "PUBLIC"),
        "fic": marked(choice(EN_FICTION), "PUBLIC"),
        "addr": marked(lambda r: en_address(r) if r.random() < 0.8 else new_address(r), "ADDRESS"),
        "newaddr": marked(new_address, "ADDRESS"),
        "date": lambda r: r.choice(
            [
                f"{r.choice(MONTHS)} {r.randint(1, 28)}, {r.randint(1950, 2024)}",
                f"{r.randint(1, 12):02d}/{r.randint(1, 28):02d}/{r.randint(1950, 2024)}",
                f"{r.randint(1950, 2024)}-{r.randint(1, 12):02d}-{r.randint(1, 28):02d}",
                f"{r.randint(1, 28)} {r.choice(MONTHS)} {r.randint(1950, 2024)}",
            ]
        ),
        "month": choice(MONTHS),
        "money": lambda r: r.choice(
            [
                f"${r.randint(1, 990)},{r.randint(0, 999):03d}",
                f"${r.randint(15, 990)}k",
                f"£{r.randint(900, 90000)}",
                f"${r.randint(1, 90)}.{r.randint(1, 9)}M",
                f"{r.randint(1000, 90000)}",
                f"€{r.randint(1, 99)},{r.randint(0, 999):03d}",
                f"${r.randint(10, 9999)}.{r.randint(10, 99)}",
            ]
        ),
        "co": lambda r: (
            r.choice(EN_PUBLIC_COMPANIES)
            if r.random() < 0.2
            else f"{r.choice(EN_COMPANY_HEAD)} {r.choice(EN_COMPANY_TAIL)}"
        ),
        "dept": choice(EN_DEPTS),
        "job": choice(EN_JOBS),
        "school": choice(EN_SCHOOLS),
        "dis": choice(EN_DISEASES),
        "sym": choice(EN_SYMPTOMS),
        "drug": choice(EN_DRUGS),
        "hosp": choice(EN_HOSPITALS),
        "bank": choice(EN_BANKS),
        "city": choice(EN_CITIES),
        "tech": choice(EN_TECH),
        "prose": choice(EN_PROSE),
        "proj": choice(WORDS_A),
        "find": choice(EN_FINDINGS),
        "proc": choice(EN_PROCS),
        "hr": choice(EN_HR),
        "life": choice(EN_LIFE),
        "kin": choice(EN_KIN),
        "nick": choice(EN_NICK),
        "staff": choice(EN_STAFF),
        "labv": lab(EN_LABS),
        "lab2": choice(EN_LABS),
        "deal": choice(EN_DEALS),
        "nat": choice("British American Indian Nigerian Polish Chinese Brazilian Canadian".split()),
    }
)
