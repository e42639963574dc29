# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""`tools/tidy --self-test`: every rule fires on a bad snippet and stays quiet on a good one."""

import tidy_cpp
import tidy_rules as rules

# (name, rule, path, bad line, good line)
LINES = [
    ("router includes engine", rules.includes, "router/x.cc", '#include "engine/engine.h"',
     '#include "common/clock.h"'),
    ("engine includes router", rules.includes, "engine/x.cc", '#include <router/config.h>', '#include <vector>'),
    ("common includes proto", rules.includes, "common/x.h", '#include "headgate/v1/engine.pb.h"',
     '#include "common/log.h"'),
    ("planner beyond facades", rules.includes, "planner/x.cc", '#include "router/audit.h"',
     '#include "router/policy.h"'),
    ("service includes tests", rules.includes, "services/x/main.cc", '#include "tests/fakes/a.h"',
     '// #include "tests/fakes/a.h"'),
    ("later stage", rules.includes, "router/policy.cc", '#include "router/dispatch.h"',
     '#include "router/classification.h"'),
    ("stage reaches upstream", rules.includes, "router/cache.cc", '#include "router/upstream/a.h"',
     '#include "router/prompt.h"'),
    ("stage reaches sensitivity", rules.includes, "router/audit.cc", '#include "router/sensitivity/a.h"',
     '#include "router/classification.h"'),
    ("stage includes router.h", rules.includes, "router/cache.cc", '#include "router/router.h"',
     '#include "router/cache.h"'),
    ("stage holds stage", rules.stage_calls, "router/dispatch.h", "Dispatch(OutputGuard& guard);",
     "Dispatch(Clock& c);"),
    ("stage owns stage", rules.stage_calls, "router/dispatch.h", "std::unique_ptr<Policy> p_;", "PolicyConfig* p_;"),
    ("wall clock", rules.bans, "router/x.cc", "auto t = absl::Now();", "auto t = clock.WallTime();"),
    ("steady clock", rules.bans, "tests/x.cc", "std::chrono::steady_clock::now()",
     "std::chrono::steady_clock::duration d;"),
    ("deadline of a call", rules.bans, "services/x.cc", "c.set_deadline(std::chrono::system_clock::now());",
     "c.set_deadline(t);"),
    ("asio timer", rules.bans, "router/x.cc", "boost::asio::steady_timer t(io);", "int deadline_timer = 0;"),
    ("sleep", rules.bans, "tests/x_test.cc", "std::this_thread::sleep_for(d);",
     "mailbox.Wait();  // never sleep_for(d)"),
    ("usleep", rules.bans, "engine/x.cc", "usleep(5);", "AsleepFor(5);"),
    ("global random", rules.bans, "router/x.cc", "std::mt19937 g(1);", "RandomBytes g = SeededRandom(1);"),
    ("random device", rules.bans, "tests/x.cc", "std::random_device d;", "std::mt19937 g(1);"),
    ("rand", rules.bans, "router/x.cc", "int i = rand();", "int i = operand();"),
    ("raw new", rules.bans, "router/x.cc", "auto* x = new Thing();", "std::unique_ptr<Thing>(new Thing())"),
    ("leaked new", rules.bans, "router/x.cc", "static auto& x = *new Thing;", "new (storage) Thing();"),
    ("raw delete", rules.bans, "router/x.cc", "delete x;", "X(const X&) = delete;"),
    ("raw delete[]", rules.bans, "router/x.cc", "delete[] x;", "void operator delete(void*);"),
    ("std::regex", rules.bans, "router/x.cc", "std::regex r;", "RE2 r;"),
    ("name lookup", rules.bans, "router/x.cc", "getaddrinfo(host, 0, &hints, &found);", "resolve_(host, answer);"),
    ("fetching", rules.bans, "router/screening.cc", "CURL* c = curl_easy_init();", "// curl_easy_init()"),
    ("DebugString", rules.bans, "router/x.cc", "m.ShortDebugString();", "status.ToString();"),
    ("printing", rules.bans, "router/x.cc", "std::cout << 1;", 'Log("std::cout");'),
    ("printf", rules.bans, "engine/x.cc", "printf(format);", "std::snprintf(b, n, f);"),
    ("python sleep", rules.bans, "tests/x.py", "time.sleep(1)", "event.wait(1)"),
    ("swallowed exception", rules.catch_all, "router/x.cc", "try { f(); } catch (...) { n = 1; }",
     "try { f(); } catch (...) { return absl::InternalError(w); }"),
    ("choice in co_await", rules.coroutines, "router/x.cc", "co_await F(a ? b : c);",
     "auto d = a ? b : c; co_await F(d, std::move(e));"),
    ("one machine's path", rules.places, "docs/x.md", "see /" + "work/tree", "see a/work/tree"),
    ("registry host", rules.places, "tools/x.sh", "curl https://" + rules.HOSTS[0] + "/simple", "pip download x"),
    ("no licence", rules.licence, "router/x.h", "#pragma once", "// " + "\n// ".join(rules.LICENCE)),
    ("long line", rules.columns, "router/x.cc", "x" * (rules.LINE_COLUMNS_MAX + 1), "x" * rules.LINE_COLUMNS_MAX),
]


def body(lines):
    return "int F(int a) {\n" + "  a += 1;\n" * (lines - 2) + "}\n"


def line_rules(check):
    for name, rule, path, bad, good in LINES:
        found = list(rule({path: bad + "\n"}))
        check(name + ": fires", len(found) == 1 and found[0][:2] == (path, 1))
        check(name + ": quiet", not list(rule({path: good + "\n"})))


def budget_rules(check):
    def messages(tree, ratchet=None):
        return [message for _, _, message in rules.budgets(tree, ratchet or {})]

    full, over = "x;\n" * 500, "x;\n" * 501
    check("file budget", messages({"router/x.cc": over}) and not messages({"router/x.cc": full}))
    check("header budget", messages({"router/x.h": "x;\n" * 251}) and not messages({"router/x.h": "x;\n" * 250}))
    check("main budget", messages({"services/x/main.cc": "x;\n" * 151}))
    check("function budget", messages({"a/x.cc": body(71)}) and not messages({"a/x.cc": body(70)}))
    nested = "namespace a {\nclass B : public C {\n" + body(71) + "};\n}\n"
    check("function in namespace and class", messages({"a/x.cc": nested}))
    check("ratchet allows", not messages({"router/x.cc": over}, {"router/x.cc": 501}))
    check("ratchet may not grow", messages({"router/x.cc": over + "x;\n"}, {"router/x.cc": 501}))
    check("ratchet must shrink", "lower" in messages({"router/x.cc": over}, {"router/x.cc": 502})[0])
    check("ratchet must go", "remove" in messages({"router/x.cc": full}, {"router/x.cc": 501})[0])


def tree_rules(check):
    good = {f"router/{stage}{suffix}": f"class {rules.camel(stage)} {{}};\n"
            for stage in rules.STAGES for suffix in (".h", ".cc")}
    good["docs/life-of-a-request.md"] = "".join(f"## `{stage}`\n" for stage in rules.STAGES)
    for document in ("router/README.md", "docs/architecture.md", "README.md"):
        good[document] = " ".join(rules.STAGES)

    def without(path, replacement=None):
        tree = {key: text for key, text in good.items() if key != path}
        return tree if replacement is None else {**tree, path: replacement}

    check("stages: quiet", not list(rules.stages(good)))
    check("stage file missing", list(rules.stages(without("router/policy.cc"))))
    check("stage class missing", list(rules.stages(without("router/output_guard.h", "class Guard;\n"))))
    check("stage heading missing", list(rules.stages(without("docs/life-of-a-request.md", "## policy\n"))))
    check("stage order", list(rules.stages(without("docs/life-of-a-request.md", "".join(
        f"## {stage}\n" for stage in reversed(rules.STAGES))))))
    check("stage in README missing", list(rules.stages(without("router/README.md", "admission"))))

    coded = {"router/policy.cc": 'return "over";\n', "router/policy.h": "over",
             "docs/life-of-a-request.md": "| `over` |"}
    check("reasons: quiet", not list(rules.reasons(coded)))
    check("reason unexplained", list(rules.reasons({**coded, "docs/life-of-a-request.md": "over"})))

    code = {"router/x.cc": 'Get("headgate_router_things_total")\n'}
    check("metrics: quiet", not list(rules.metrics({**code, "docs/metrics.md": "`headgate_router_things_total`"})))
    check("metric undocumented", list(rules.metrics({**code, "docs/metrics.md": "nothing"})))
    unknown = {"docs/metrics.md": "headgate_router_things_total vllm:nothing"}
    check("metric unknown", len(list(rules.metrics({**code, **unknown}))) == 1)
    check("histogram suffix", not list(rules.metrics({
        "engine/x.cc": '"vllm:time_seconds"', "docs/metrics.md": "vllm:time_seconds",
        "monitoring/rules.yaml": "rate(vllm:time_seconds_bucket[5m])"})))


def cpp_parts(check):
    code = tidy_cpp.code_only('int a; // new X\n"new Y" R"(\n"new" Z)" \'"\' new W;\n')
    check("comments and literals are blank", code.count("new") == 1 and code.count("\n") == 3)
    names = [name for name, _, _ in tidy_cpp.functions(
        "const T kTable[] = {{F(1)}, {F(2)}};\nA::A(int b) : c_{b} {\n  if (b) { d(); }\n}\nint G() { return 1; }\n"
        "struct S { void M() const { f([&](int x) { return x; }); } int n = 0; };\n")]
    check("functions are found", names == ["A::A", "G", "M"])


def run():
    failed = []
    count = 0

    def check(name, passed):
        nonlocal count
        count += 1
        if not passed:
            failed.append(name)
            print("FAILED", name)

    for part in (line_rules, budget_rules, tree_rules, cpp_parts):
        part(check)
    print(f"tidy self-test: {count} checks, {len(failed)} failed")
    return 1 if failed else 0
