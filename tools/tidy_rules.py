# Copyright 2026 The Headgate Authors
# SPDX-License-Identifier: Apache-2.0
"""The rules of tools/tidy. A rule is a function from the tree to findings (path, line, message); each message names
what to do instead. A tree is a dict from path to text, so that the self-test can hand in bad ones."""

import os
import re

from tidy_cpp import code_only, functions

STAGES = ["admission", "screening", "classification", "conversation", "masking", "cache", "policy", "dispatch",
          "output_guard", "accounting", "audit"]
# True while docs/metrics.md and docs/life-of-a-request.md may be missing.
DOCS_MAY_BE_MISSING = False

CPP = (".cc", ".h")
CODE = CPP + (".py", ".sh", ".go", ".java", ".proto", ".cmake")
LINE_COLUMNS_MAX = 120
BUDGETS = {".cc": 500, ".h": 250, ".py": 500, ".sh": 500}
MAIN_LINES_MAX = 150
FUNCTION_LINES_MAX = 70

MAY_INCLUDE = {
    "common": {"common"},
    "router": {"router", "common", "headgate"},
    "engine": {"engine", "common", "headgate"},
    "planner": {"planner", "router", "common", "headgate"},
    "services": {"services", "router", "engine", "planner", "common", "headgate"},
}
OURS = {"common", "router", "engine", "planner", "services", "tests", "bench", "headgate"}


def is_cpp(path):
    return path.endswith(CPP)


def shebang(text):
    return text.split("\n", 1)[0] if text.startswith("#!") else ""


def is_script(text):
    return re.search(r"\b(ba|da)?sh\b|python", shebang(text)) is not None


def lines_of(text, pattern):
    for match in pattern.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match


_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+["<]([^">]+)[">]', re.M)


def includes(tree):
    """Which module may include which; which stage may know which."""
    for path, text in tree.items():
        module = path.split("/")[0]
        if not is_cpp(path) or module not in MAY_INCLUDE:
            continue
        for line, match in lines_of(code_only(text, keep_strings=True), _INCLUDE):
            target = match.group(1)
            owner = target.split("/")[0]
            if owner in OURS and "/" in target and owner not in MAY_INCLUDE[module]:
                yield path, line, (f"{module}/ may not include {owner}/: move what both need to common/, or talk over "
                                   "proto/headgate/v1")
            facade = re.match(r"router/(policy|accounting|config|budget|quote|scaling|traffic_meter|"
                              r"upstream/(circuit_breaker|cloud_limit|endpoint_choice|waiting_lines))\.h", target)
            if module == "planner" and owner == "router" and not facade:
                yield path, line, ("planner/ sees of router/ only config.h, policy.h, accounting.h and what feeds "
                                   "them: budget.h, quote.h, scaling.h, traffic_meter.h, and of upstream/ what waits "
                                   "for nothing: circuit_breaker.h, cloud_limit.h, endpoint_choice.h, waiting_lines.h")
            yield from stage_include(path, line, target)


def stage_include(path, line, target):
    stage = re.fullmatch(r"router/(\w+)\.(?:h|cc)", path)
    other = re.fullmatch(r"router/(\w+)\.h", target)
    if target == "router/router.h" and not re.match(r"router/(router\w*|explain|rules)\.|services/", path):
        yield path, line, "only router.cc knows the path: hand the value in instead of including router/router.h"
    if not stage or stage.group(1) not in STAGES:
        return
    name = stage.group(1)
    if other and other.group(1) in STAGES and STAGES.index(other.group(1)) > STAGES.index(name):
        yield path, line, (f"stage {name} may include the values of earlier stages only; {other.group(1)} is "
                           "later: let router.cc hand its value in")
    if target.startswith("router/upstream/") and name != "dispatch" and target != "router/upstream/upstream_error.h":
        yield path, line, f"stage {name} may not include router/upstream/: only dispatch talks to upstreams"
    if target.startswith("router/sensitivity/") and name not in ("screening", "classification", "output_guard"):
        yield path, line, f"stage {name} may not include router/sensitivity/: take Sensitivity from classification"


def stage_calls(tree):
    """A stage never holds another stage: only router.cc knows the order."""
    classes = {camel(stage): stage for stage in STAGES}
    holds = re.compile(r"\b(" + "|".join(classes) + r")\s*[&*]|\b(?:unique_ptr|shared_ptr|optional)<(?:const )?("
                       + "|".join(classes) + r")>")
    for path, text in tree.items():
        stage = re.fullmatch(r"router/(\w+)\.(?:h|cc)", path)
        if not stage or stage.group(1) not in STAGES:
            continue
        for line, match in lines_of(code_only(text), holds):
            name = match.group(1) or match.group(2)
            if classes[name] != stage.group(1):
                yield path, line, (f"stage {stage.group(1)} holds stage {name}: let router.cc call both and hand "
                                   "values over")


def budgets(tree, ratchet):
    """Sizes of files and functions. `ratchet`: what may be larger, and how large; it may only shrink."""
    seen = set()
    for path, text in tree.items():
        suffix = os.path.splitext(path)[1]
        limit = BUDGETS.get(suffix, 500 if is_script(text) else None)
        if limit is None:
            continue
        if os.path.basename(path) in ("main.cc",) or path.endswith("_main.cc"):
            limit = MAIN_LINES_MAX
        advice = "split it by what its parts know; a main only parses and wires" if limit == MAIN_LINES_MAX else \
            "split it by what its parts know"
        yield from over(path, 1, path, text.count("\n"), limit, advice, ratchet, seen)
        if is_cpp(path):
            for name, line, size in functions(code_only(text)):
                yield from over(path, line, f"{path}:{name}", size, FUNCTION_LINES_MAX,
                                "name its steps and make them functions", ratchet, seen)
    for key in ratchet:
        if key not in seen:
            yield "tools/tidy-ratchet.txt", 1, f"{key} is within its budget now: remove its line"


def over(path, line, key, size, limit, advice, ratchet, seen):
    allowed = ratchet.get(key)
    if size <= limit:
        return
    seen.add(key)
    if allowed is None or size > allowed:
        yield path, line, f"{key} has {size} lines, {allowed or limit} are allowed: {advice}"
    elif size < allowed:
        yield path, line, f"{key} has shrunk to {size} lines: lower its line in tools/tidy-ratchet.txt"


# (where it is allowed, pattern over code without comments and literals, what to do instead)
BANS = [
    (r"common/clock\.cc|tests/integration/system/clock_step\.cc",
     r"_clock::now\b|\babsl::Now\s*\(|\bgettimeofday\s*\(|\bclock_gettime\s*\(|\btime\s*\((?:nullptr|NULL|0)\)",
     "no clock of its own: take a Clock (common/clock.h) by constructor"),
    (r"common/clock\.\w+",
     r"\b(?:steady_timer|system_timer|high_resolution_timer|basic_waitable_timer)\b|\basio::deadline_timer\b",
     "no asio timer: use Clock::CallAt (common/clock.h)"),
    (r"$^", r"\bsleep_for\b|\bsleep_until\b|\bu?sleep\s*\(|\bnanosleep\s*\(|\bSleepFor\s*\(",
     "no sleep: wait for the event itself (Mailbox, Process::WaitForLine) or move a ManualClock"),
    (r"common/digest\.\w+",
     r"\bstd::rand\b|\bs?rand\s*\(|\brandom_device\b|\bdefault_random_engine\b|\bBitGen\b",
     "no generator of its own: take RandomBytes (common/digest.h); tests use SeededRandom(seed)"),
    (r"common/digest\.\w+|tests/.*", r"\bmt19937", "no generator of its own: take RandomBytes (common/digest.h)"),
    (r"$^", r"(?<!operator )\bnew\b(?!\s*\()\s+[\w:]+|(?<!operator )(?<!= )(?<!=)\bdelete\b(?:\s*\[\s*\])?\s*[\w(*]",
     "no raw new or delete: std::make_unique, or std::unique_ptr<T>(new T(...)) where the constructor is private"),
    (r"$^", r"\bstd::w?(?:regex|smatch|cmatch)\b", "std::regex backtracks: use RE2, or Vectorscan for many patterns"),
    (r"(tests|bench)/.*|router/upstream/(?:dns_resolve|redis_connection)\.cc",
     r"\basync_resolve\b|\bresolver\s*\.\s*resolve\b|\bgetaddrinfo\b|\bgethostbyname\w*|\bres_n?query\b",
     "names are resolved by router/upstream/dns_resolve only, so that nothing in a request ever is"),
    (r"tests/.*|services/cli/.*|router/upstream/\w+\.cc", r"\bcurl_easy_(?:setopt|init|perform)\b",
     "no fetching here: only the clients of configured upstreams do, or a URL in a request could be fetched"),
    (r"tests/.*", r"\b(?:Short|Utf8)?DebugString\s*\(", "DebugString prints content: log ids, sizes, reason codes"),
    (r"(services|tests|bench|tools)/.*|common/log\.cc", r"\bstd::c(?:out|err|log)\b|\b[fs]?printf\s*\(|\bputs\s*\(",
     "no printing here: HG_LOG (common/log.h), or return the text to services/"),
]
_BANS = [(re.compile(where), re.compile(what), instead) for where, what, instead in BANS]


def bans(tree):
    """Calls that break determinism, memory safety or confidentiality."""
    for path, text in tree.items():
        if not is_cpp(path) or path.startswith("examples/"):
            continue
        code = _OWNED_NEW.sub(r"\1   ", code_only(text))
        if path.startswith("tests/"):
            code = _CALL_DEADLINE.sub("set_deadline(", code)
        for where, what, instead in _BANS:
            if where.fullmatch(path):
                continue
            for line, match in lines_of(code, what):
                yield path, line, f"`{match.group().strip()}`: {instead}"
    for path, text in tree.items():
        if path.startswith("tests/") and path.endswith(".py"):
            for line, _ in lines_of(text, re.compile(r"\btime\.sleep\(")):
                yield path, line, "`time.sleep`: no sleep: wait for the event itself"


# A gRPC client knows no deadline but an absolute one.
_CALL_DEADLINE = re.compile(r"\bset_deadline\s*\(\s*std::chrono::system_clock::now\b")
# A factory's way to a private constructor.
_OWNED_NEW = re.compile(r"\b((?:unique|shared)_ptr<[\w:]+>\s*\(\s*)new\b")

_CATCH_ALL = re.compile(r"\bcatch\s*\(\s*\.\.\.\s*\)\s*\{")
_HANDLED = re.compile(r"\bthrow\b|Status|Error\b|current_exception|terminate|abort|HG_LOG|// becomes ")


def catch_all(tree):
    """`catch (...)` that swallows."""
    for path, text in tree.items():
        if not is_cpp(path):
            continue
        code = code_only(text)
        for line, match in lines_of(code, _CATCH_ALL):
            depth, end = 1, match.end()
            while depth and end < len(code):
                depth += {"{": 1, "}": -1}.get(code[end], 0)
                end += 1
            if not _HANDLED.search(text[match.end():end]):
                yield path, line, ("`catch (...)` swallows: rethrow, return a Status, log it, or say in a comment what "
                                   "it `// becomes ...`")


_AWAIT = re.compile(r"\bco_await\b")
_STATEMENT_END = re.compile(r"[;{}]|$")


def coroutines(tree):
    """g++ 12 destroys a temporary that `?:` makes inside a co_await expression wrongly: measured, it crashes."""
    for path, text in tree.items():
        if not is_cpp(path):
            continue
        code = code_only(text)
        for line, match in lines_of(code, _AWAIT):
            begin = max(code.rfind(mark, 0, match.start()) for mark in ";{}") + 1
            statement = code[begin:_STATEMENT_END.search(code, match.end()).start()]
            if re.search(r"\?[^;]*[^:]:(?!:)", statement):
                yield path, line, "`?:` in a co_await expression crashes with g++ 12: name the choice in a local first"


HOSTS = ["pypi" + ".org", "files.pythonhosted" + ".org", "deb.debian" + ".org", "security.debian" + ".org",
         "archive.ubuntu" + ".com", "crates" + ".io", "registry.npmjs" + ".org", "proxy.golang" + ".org",
         "repo1.maven" + ".org", "repo.maven.apache" + ".org", "huggingface" + ".co"]
_HOST = re.compile("|".join(r"(?<![\w.-])" + re.escape(host) + r"\b" for host in HOSTS))
_HOME = re.compile(r"(?<![\w./$}-])/(?:work|home|root)/\w")


def places(tree):
    """Names of places that exist on one machine only, or that configuration must choose."""
    for path, text in tree.items():
        for line, match in lines_of(text, _HOST):
            yield path, line, f"{match.group()}: no registry hosts; name the package in tools/pins or tools/packages"
        for line, match in lines_of(text, _HOME):
            yield path, line, (f"`{match.group()}...`: no path of one machine; use $HOME, $XDG_CACHE_HOME or a "
                               "temporary folder")


LICENCE = ("Copyright 2026 The Headgate Authors", "SPDX-License-Identifier: Apache-2.0")


def licence(tree):
    """Two lines at the head of every source file."""
    for path, text in tree.items():
        if path.endswith((".cc", ".h", ".py", ".sh", ".go", ".java")) or is_script(text):
            head = text.split("\n")[:4]
            if not all(any(line in row for row in head) for line in LICENCE):
                yield path, 1, "put the two licence lines at the head, as in common/clock.h"


def columns(tree):
    for path, text in tree.items():
        if path.endswith(CODE) or is_script(text) or os.path.basename(path) in ("CMakeLists.txt", "Makefile"):
            for number, line in enumerate(text.split("\n"), 1):
                if len(line) > LINE_COLUMNS_MAX:
                    yield path, number, f"{len(line)} columns: break the line before {LINE_COLUMNS_MAX}"


def camel(stage):
    return "".join(word.capitalize() for word in stage.split("_"))


def stages(tree):
    """Stage name = file = class = heading in the documents, everywhere in the same order."""
    for stage in STAGES:
        for suffix in (".h", ".cc"):
            if f"router/{stage}{suffix}" not in tree:
                yield f"router/{stage}{suffix}", 1, f"stage {stage} needs this file"
        header = tree.get(f"router/{stage}.h", "")
        if header and not re.search(rf"\bclass {camel(stage)}\b", code_only(header)):
            yield f"router/{stage}.h", 1, f"stage {stage} needs class {camel(stage)}"
    for document in ("docs/life-of-a-request.md", "router/README.md", "docs/architecture.md", "README.md"):
        text = tree.get(document)
        if text is None:
            if not DOCS_MAY_BE_MISSING:
                yield document, 1, "the document is missing"
            continue
        headings = [(number, re.sub(r"[`#*\d.]|\s", "", line)) for number, line in enumerate(text.split("\n"), 1)
                    if line.startswith("#")]
        found = [(number, name) for number, name in headings if name in STAGES]
        if document == "docs/life-of-a-request.md":
            if [name for _, name in found] != STAGES:
                yield document, 1, "its headings must be the stages in their order: " + ", ".join(STAGES)
        else:
            for stage in STAGES:
                if not re.search(rf"\b{stage}\b", text):
                    yield document, 1, f"it does not name stage {stage}"


_REASON = re.compile(r'"([a-z]+(?:_[a-z]+)*)"')


def reasons(tree):
    """Every reason code of policy is explained where users look it up, and in policy.h."""
    for line, match in lines_of(code_only(tree.get("router/policy.cc", ""), keep_strings=True),
                                _REASON):
        for document, form in (("docs/life-of-a-request.md", f"| `{match.group(1)}` |"),
                               ("router/policy.h", match.group(1))):
            if form not in tree.get(document, ""):
                yield "router/policy.cc", line, f"reason code {match.group(1)} is not in {document}: explain it there"


_METRIC = re.compile(r"(?<![\w/:-])(headgate_(?:router|engine)_[a-z0-9_]*[a-z0-9]|vllm:[a-z0-9_]*[a-z0-9])(?![\w(:/*])")
_METRIC_LITERAL = re.compile(r'"((?:headgate_(?:router|engine)_|vllm:|gen_ai_)[a-z0-9_]+)"')
_SUFFIX = re.compile(r"_(bucket|sum|count)$")


def metrics(tree):
    """Every metric that documents and monitoring name exists in code, and every one in code is documented."""
    in_code = {}
    for path, text in tree.items():
        if is_cpp(path) and path.split("/")[0] in ("common", "router", "engine", "services"):
            for line, match in lines_of(code_only(text, keep_strings=True), _METRIC_LITERAL):
                in_code.setdefault(match.group(1), (path, line))
    page = tree.get("docs/metrics.md")
    if page is None:
        if not DOCS_MAY_BE_MISSING:
            yield "docs/metrics.md", 1, "the document is missing: it names every metric"
    for path, text in tree.items():
        if path != "docs/metrics.md" and not path.startswith("monitoring/"):
            continue
        for line, match in lines_of(text, _METRIC):
            name = match.group(1)
            if name not in in_code and _SUFFIX.sub("", name) not in in_code:
                yield path, line, f"no code makes the metric {name}: correct the name or remove it"
    for name, (path, line) in in_code.items():
        if page is not None and name not in page:
            yield path, line, f"metric {name} is not in docs/metrics.md: document it there"


TREE_RULES = [includes, stage_calls, bans, catch_all, coroutines, places, licence, columns, stages, reasons, metrics]
