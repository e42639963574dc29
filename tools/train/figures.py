# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""Ordinary texts full of figures, made of figures.txt: lists, tables, logs, sums, series. They teach the topic model
that figures, units and signs say nothing by themselves. generate.py calls it."""

import functools
import os
import random

HERE = os.path.dirname(os.path.abspath(__file__))


@functools.cache
def domains(lang):
    """Of each: what is counted, its units, what it runs over, what is asked."""
    found = []
    with open(os.path.join(HERE, "figures.txt"), encoding="utf-8") as f:
        for line in f:
            line = line.rstrip("\n")
            if line.startswith("## "):
                wanted = line[3:] == lang
            elif line and not line.startswith("#") and wanted:
                found.append([part.strip().split(",") for part in line.split("|")])
    return found


def figure(r):
    """A number as people write it, 1 to 7 digits and rarely more."""
    n = r.choice([1, 1, 2, 2, 2, 3, 3, 4, 5, 6, 7])
    whole = r.randint(10 ** (n - 1), 10**n - 1)
    return r.choice(
        [
            lambda: str(whole),
            lambda: str(whole),
            lambda: str(whole),
            lambda: f"{whole:,}",
            lambda: f"{r.uniform(0, 10 ** min(n, 4)):.{r.choice([1, 1, 2, 2, 3])}f}",
            lambda: f"{r.uniform(0, 10):.{r.choice([1, 1, 2, 3])}f}",
            lambda: f".{r.randint(1, 99):02d}",
        ]
    )()


def special(r):
    a, b = sorted((r.randint(0, 99), r.randint(0, 99)))
    return r.choice(
        [
            lambda: f"{a}-{b}",
            lambda: f"{a}/{b}",
            lambda: f"{a}:{b:02d}",
            lambda: f"{a} x {b}",
            lambda: f"{a}x{b}",
            lambda: f"{b}%",
            lambda: f"{r.uniform(0, 99):.1f}%",
            lambda: f"+{a}",
            lambda: f"-{b}",
            lambda: f"+/- {r.uniform(0, 9):.1f}",
            lambda: f"~{b}",
            lambda: f"<{b}",
            lambda: f"{r.randint(0, 23):02d}:{b % 60:02d}",
            lambda: f"{a}h {b}m",
            lambda: f"{a} to {b}",
            lambda: f"{a} of {b}",
            lambda: f"({b})",
            lambda: f"{a}k",
            lambda: f"1e{a % 12}",
            lambda: f"{r.choice('ABCDEFGHKLMPRSTVX')}{b}",
            lambda: f"{r.choice(['v', 'rev ', 'no. ', '#', 'x', 'n=', 'k='])}{b}",
        ]
    )()


class Writer:
    def __init__(self, domain, lang, r):
        self.things, self.units, self.series, self.asked = domain
        self.han, self.r = lang == "zh", r

    def value(self):
        r = self.r
        if r.random() < 0.22:
            return special(r)
        gap = "" if self.han or r.random() < 0.4 else " "
        return figure(r) + (gap + r.choice(self.units) if r.random() < 0.55 else "")

    def thing(self):
        name = self.r.choice(self.things)
        return name if self.han or self.r.random() < 0.8 else name.capitalize()

    def listed(self):
        """oats 22 g, dates 14 g"""
        r = self.r
        between = r.choice([" ", " ", ": ", " = ", "=", ", "] if not self.han else ["", "", "：", " ", "是", "="])
        joint = r.choice([", ", ", ", "; ", " / ", " + ", "\n"] if not self.han else ["，", "，", "、", "；", " ", "\n"])
        parts = []
        for _ in range(r.randint(2, 7)):
            turned = r.random() < 0.25
            parts.append(self.value() + " " + self.thing() if turned else self.thing() + between + self.value())
        return joint.join(parts)

    def run(self):
        """wk0 100, wk1 41, wk2 29"""
        r = self.r
        name, first, step = r.choice(self.series), r.randint(0, 4), r.choice([1, 1, 1, 5, 10])
        between = r.choice([" ", ": ", " - ", "="])
        joint = r.choice([", ", "; ", "\n", " "]) if not self.han else r.choice(["，", "；", "\n", " "])
        gap = r.choice(["", " "])
        rows = [f"{name}{gap}{first + i * step}{between}{figure(r)}" for i in range(r.randint(3, 8))]
        return joint.join(rows)

    def row(self):
        """2.1 4.0 6.2 8.1"""
        r = self.r
        joint = r.choice([", ", " ", " ", ",", "; ", " -> "])
        places = r.randint(0, 3)
        top = 10 ** r.randint(1, 5)
        values = [f"{r.uniform(0, top):.{places}f}" for _ in range(r.randint(3, 9))]
        return self.thing() + r.choice([" ", ": ", " = ", " (" + r.choice(self.units) + ") "]) + joint.join(values)

    def table(self):
        r = self.r
        sign = r.choice([",", ",", ";", " | ", "|", "\t", "  "])
        columns = r.randint(2, 6)
        lines = [sign.join(self.thing() for _ in range(columns))] if r.random() < 0.85 else []
        for _ in range(r.randint(2, 6)):
            first = r.choice([self.thing, lambda: special(r), lambda: r.choice(self.series) + str(r.randint(1, 400))])()
            lines.append(sign.join([first] + [figure(r) for _ in range(columns - 1)]))
        return "\n".join(lines)

    def keys(self):
        """timeout = 30s"""
        r = self.r
        between, joint = r.choice([": ", "=", " = ", " ", ":"]), r.choice(["\n", " ", ", ", "; "])
        names = [self.thing().replace(" ", r.choice("_-.")).lower() for _ in range(r.randint(2, 6))]
        return joint.join(name + between + self.value() for name in names)

    def change(self):
        r, thing, a, b = self.r, self.thing(), self.value(), self.value()
        if self.han:
            return r.choice(
                [f"{thing}从{a}变成{b}", f"{thing}由{a}到{b}", f"{thing}{a}，比上次的{b}多", f"{thing}：{a} → {b}"]
            )
        return r.choice(
            [
                f"{thing} went from {a} to {b}",
                f"{thing} {a} vs {b}",
                f"{thing} is {a}, should be {b}",
                f"{thing} {a} -> {b}",
            ]
        )

    def said(self):
        """my boiler falls from 1.5 bar to .8"""
        r, t, u, a, b, c = self.r, self.thing(), self.thing(), self.value(), self.value(), self.value()
        if self.han:
            return r.choice(
                [
                    f"我的{t}是{a}，{u}{b}",
                    f"{t}用了{a}，{u}还剩{b}",
                    f"如果{t}是{a}而{u}是{b}，{self.r.choice(self.series)}{r.randint(1, 60)}会怎样",
                    f"{t}在{a}之后显示{b}",
                    f"按{a}的{t}和{b}的{u}算出来是{c}",
                    f"有{a}{t}、{b}{u}，一共{c}",
                    f"{t}最多{a}，现在{b}",
                ]
            )
        return r.choice(
            [
                f"I have {a} of {t} and {b} of {u}",
                f"my {t} is {a} and the {u} {b}",
                f"the {t} shows {a} after {b}",
                f"with {t} at {a} and {u} at {b} I get {c}",
                f"if {t} = {a} and {u} = {b}, what is {self.thing()}",
                f"{t} keeps at {a}, {u} drops to {b} after {c}",
                f"we need {a} {t}, max {b} {u}, {c} per {self.thing()}",
                f"{a} or {b} for the {t}? the {u} says {c}",
                f"how many {t} for {a} {u} and {b} {self.thing()}",
                f"{t} ({a}), {u} ({b}), {self.thing()} ({c})",
                f"last time {t} {a}, now {b}, the {u} is {c}",
            ]
        )

    def total(self):
        r = self.r
        joint = r.choice([" + ", " x ", " * ", " - ", ", "])
        return joint.join(self.value() for _ in range(r.randint(2, 5))) + r.choice([" = ", " = ", " -> "]) + figure(r)

    def text(self):
        r = self.r
        make = [self.listed, self.listed, self.said, self.said, self.run, self.row, self.table, self.keys, self.change]
        make.append(self.total)
        count = r.choice([1, 1, 2, 2, 3]) if r.random() < 0.75 else r.randint(4, 10)
        parts = [r.choice(make)() for _ in range(count)]
        if r.random() < 0.85:
            parts.insert(0 if r.random() < 0.3 else len(parts), r.choice(self.asked))
        joint = r.choice(["\n", ". ", ". ", ", ", "\n\n"]) if not self.han else r.choice(["\n", "。", "，", "。", " "])
        text = joint.join(parts)
        return text if r.random() < 0.6 else text + r.choice(["?", "?", ".", "!"] if not self.han else "？。")


def text(lang, r):
    return Writer(r.choice(domains(lang)), lang, r).text()


def rows(lang, count, seed):
    r = random.Random(f"{seed}-figures-{lang}")
    for _ in range(count):
        yield text(lang, r)
