# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""Invented identifiers, with right or wrong check digits, and frames to put them in."""

import string


def digits(r, n):
    return "".join(r.choice(string.digits) for _ in range(n))


def luhn(body):
    total = 0
    for i, c in enumerate(reversed(body)):
        d = int(c) * (2 if i % 2 == 0 else 1)
        total += d - 9 if d > 9 else d
    return str(-total % 10)


def wrong(alphabet, right, r):
    return r.choice([c for c in alphabet if c != right])


def resident_id(r, good=True):
    body = (
        r.choice(["110105", "310104", "440106", "510107", "330106", "420111"])
        + f"{r.randint(1950, 2006)}{r.randint(1, 12):02d}{r.randint(1, 28):02d}{r.randint(1, 999):03d}"
    )
    weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
    check = "10X98765432"[sum(int(c) * w for c, w in zip(body, weights)) % 11]
    return body + (check if good else wrong("0123456789", check, r))


def bank_card(r, good=True):
    prefix, length = r.choice(
        [("622202", 19), ("622848", 19), ("621700", 19), ("4", 16), ("51", 16), ("2221", 16), ("6225", 16)]
    )
    body = prefix + digits(r, length - 1 - len(prefix))
    check = luhn(body)
    return body + (check if good else wrong(string.digits, check, r))


def iban(r, good=True):
    country, bban = r.choice(
        [
            ("DE", digits(r, 18)),
            ("GB", "WEST" + digits(r, 14)),
            ("FR", digits(r, 23)),
            ("NL", "ABNA" + digits(r, 10)),
        ]
    )
    number = "".join(str(int(c, 36)) for c in bban + country + "00")
    check = f"{98 - int(number) % 97:02d}"
    return country + (check if good else f"{(int(check) + 1) % 97:02d}") + bban


def hk_id(r, good=True):
    letter, body = r.choice("ACDEGKMRZ"), digits(r, 6)
    values = [36, ord(letter) - 55] + [int(c) for c in body]
    check = "0123456789A"[-sum(v * w for v, w in zip(values, range(9, 1, -1))) % 11]
    return f"{letter}{body}({check if good else wrong('0123456789A', check, r)})"


def nhs(r, good=True):
    while True:
        body = r.choice("4679") + digits(r, 8)
        check = 11 - sum(int(c) * w for c, w in zip(body, range(10, 1, -1))) % 11
        if check != 10:
            right = str(check % 11)
            return body + (right if good else wrong(string.digits, right, r))


def mobile(r, good=True):
    return (r.choice(["138", "139", "159", "186", "177", "133"]) if good else "12" + r.choice("012")) + digits(r, 8)


def email(r, good=True):
    name = r.choice(["liwei", "zhang.min", "k.fraser", "olga_p", "tom.reid"]) + digits(r, 2)
    return (
        f"{name}@{r.choice(['163.com', 'qq.com', 'gmail.com', 'outlook.com'])}" if good else f"{name}@example.com"
    )


def api_key(r, good=True):
    return "sk-" + (
        "".join(r.choice(string.ascii_letters + string.digits) for _ in range(32))
        if good
        else "xxxxxxxxxxxxxxxxxxxx"
    )


# name -> (generator, has a check digit or fixed prefix, frames by language; `{}` is the value)
KINDS = {
    "resident_id": (
        resident_id,
        True,
        {
            "zh": ["我的身份证号是{}", "客户证件号码：{}，帮我核对", "{}这个人在系统里查不到"],
            "en": ["resident id {} please verify", "her Chinese ID is {}"],
        },
    ),
    "bank_card": (
        bank_card,
        True,
        {
            "zh": ["卡号{}，转账失败", "银行卡：{}", "把钱打到{}"],
            "en": ["my card {} was declined", "card number: {}"],
        },
    ),
    "iban": (iban, True, {"zh": ["国际账号{}，怎么汇款"], "en": ["please pay to IBAN {}", "transfer from {}"]}),
    "hk_id": (hk_id, True, {"zh": ["香港身份证号码{}"], "en": ["HKID {} on the form"]}),
    "uk_nhs": (nhs, True, {"zh": ["NHS号码：{}"], "en": ["NHS number {}", "nhs no: {}"]}),
    "mobile": (
        mobile,
        False,
        {"zh": ["手机号{}", "打我电话{}", "联系人电话：{}"], "en": ["call me at {}", "phone: {}"]},
    ),
    "email": (
        email,
        False,
        {"zh": ["邮箱{}，收不到验证码", "发到 {} 吧"], "en": ["write to {}", "her email is {}"]},
    ),
    "api_key": (api_key, True, {"zh": ["密钥{}，返回401"], "en": ["my key is {}", "api_key={}"]}),
}
# For wrong check digits: by the label policy a number that its own words name is sensitive all the same.
NEUTRAL = {"zh": ["{} 这个编号查一下进度", "流水 {} 什么状态", "订单{}"], "en": ["order {} status", "ref {} please", "what is {}"]}
# Letters and signs carry these: digits written as words, or separators, say nothing of what somebody would send.
DIGITS_ONLY = {"resident_id", "bank_card", "mobile", "uk_nhs"}
