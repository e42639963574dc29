// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// The decision: evaluation model, recommendation, migration checklists, as Markdown and as a page.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "planner/tco.h"

namespace headgate::planner {
namespace {

constexpr uint64_t kSeed = 20261122;
constexpr int kDraws = 1000;
constexpr double kSpendingForLocal = 500'000;  // CNY a year; published
constexpr double kCallForCloud = 0.1;          // CNY a call; published

std::string Money(double value) { return absl::StrFormat("%.0f", value); }

Criterion FromAnswer(const char* group, const char* name, double weight, Answer answer, bool yes_is_local) {
  Criterion criterion{group,  name, answer == Answer::kUnknown ? "not answered" : answer == Answer::kYes ? "yes" : "no",
                      weight, 0,    0};
  if (answer == Answer::kUnknown) return criterion;
  ((answer == Answer::kYes) == yes_is_local ? criterion.local : criterion.cloud) = weight;
  return criterion;
}

Table CostTable(const TcoProfile& profile, const Tco& tco) {
  Table table = {{absl::StrCat("present value, ", profile.currency), "cloud", "local", "hybrid",
                  "calls in the last year", "replicas", "utilisation (output)", "hybrid replicas",
                  "hybrid utilisation"}};
  for (const int years : {1, 3, 5}) {
    const YearCost& last = tco.years[static_cast<size_t>(years) - 1];
    table.push_back({absl::StrCat(years, years == 1 ? " year" : " years"),
                     tco.cloud_known ? Money(tco.Cloud(years)) : "undetermined",
                     tco.local_known ? Money(tco.Local(years)) : "undetermined",
                     tco.cloud_known && tco.work_known ? Money(tco.Hybrid(years)) : "undetermined",
                     last.calls > 0 ? absl::StrFormat("%.0f", last.calls) : "-",
                     tco.work_known ? absl::StrFormat("%.0f", last.replicas) : "-",
                     tco.work_known ? absl::StrFormat("%.1f %%", 100 * last.utilisation) : "-",
                     tco.work_known ? absl::StrFormat("%.0f", last.hybrid_replicas) : "-",
                     tco.work_known ? absl::StrFormat("%.1f %%", 100 * last.hybrid_utilisation) : "-"});
  }
  return table;
}

// What the sums are made of, year by year, before discounting, with the inputs that each part comes from.
class Parts {
 public:
  Parts(const TcoProfile& profile, const Tco& tco) : tco_(tco) {
    table_ = {{absl::StrCat("not discounted, ", profile.currency), "year 1", "year 2", "year 3", "year 4", "year 5",
               "from the inputs"}};
  }
  template <class Value>
  void Add(const char* side, const char* name, const Value& value, const char* from) {
    std::vector<std::string> row = {absl::StrCat(side, ": ", name)};
    double sum = 0;
    for (const YearCost& year : tco_.years) {
      sum += value(year);
      row.push_back(Money(value(year)));
    }
    row.emplace_back(from);
    if (sum > 0) table_.push_back(std::move(row));
  }
  void AddFleet(const char* side, LocalParts YearCost::*fleet) {
    const struct {
      const char* name;
      double LocalParts::*part;
      const char* from;
    } parts[] = {
        {"hardware", &LocalParts::hardware, "replicas x gpus_per_replica x gpu_price, replaced after life_years"},
        {"power", &LocalParts::power, "(watts_per_gpu + server_watts) x 8766 h x pue x tariff_per_kwh"},
        {"staff", &LocalParts::staff, "staff_per_year x staff_share"},
        {"maintenance", &LocalParts::maintenance, "gpus x gpu_price x maintenance_share"},
        {"facility, transfer", &LocalParts::facility, "facility_per_year, transfer_per_year"},
        {"base, customising", &LocalParts::base, "base_once, customising_once"}};
    for (const auto& row : parts) {
      Add(side, row.name, [&](const YearCost& year) { return (year.*fleet).*row.part; }, row.from);
    }
  }
  Table Take() { return std::move(table_); }

 private:
  const Tco& tco_;
  Table table_;
};

Table PartsTable(const TcoProfile& profile, const Tco& tco) {
  const auto fixed = [](const YearCost& y) { return y.cloud - y.cloud_calls; };
  Parts parts(profile, tco);
  if (tco.cloud_known) {
    parts.Add("cloud", "calls", [](const YearCost& y) { return y.cloud_calls; },
              "volume.*, cloud prices, peak_share, peak_factor, price_drift_per_year");
    parts.Add("cloud", "fixed", fixed, "cloud.base_per_year, transfer_per_year, customising_once");
  }
  if (tco.local_known) parts.AddFleet("local", &YearCost::parts);
  if (tco.cloud_known && tco.work_known) {
    parts.Add("hybrid", "calls on the cloud", [](const YearCost& y) { return y.hybrid_calls; },
              "what hybrid replicas have no room for: volume.*, sensitive_share, cloud prices");
    parts.Add("hybrid", "cloud, fixed", fixed, "as of the cloud");
    parts.AddFleet("hybrid", &YearCost::hybrid_parts);
  }
  return parts.Take();
}

// Whether a volume takes part at all: fixed sums have no break-even.
bool HasVolume(const TcoProfile& profile, const Tco& tco) {
  return tco.cloud_known && tco.local_known && tco.call_price > 0 && profile.Get("volume.calls_per_year") > 0;
}

Table CurveTable(const TcoProfile& profile) {
  Table table = {{"calls a year", "cloud", "local", "hybrid", "the cheapest"}};
  for (double calls = 1e4; calls <= 1.1e10; calls *= 10) {
    TcoProfile at = profile;
    at.inputs["volume.calls_per_year"].value = calls;
    const Tco tco = ComputeTco(at);
    const std::pair<double, const char*> sides[] = {
        {tco.Cloud(3), "cloud"}, {tco.Local(3), "local"}, {tco.Hybrid(3), "hybrid"}};
    table.push_back({absl::StrFormat("%.0f", calls), Money(tco.Cloud(3)), Money(tco.Local(3)), Money(tco.Hybrid(3)),
                     std::min_element(std::begin(sides), std::end(sides))->second});
  }
  return table;
}

Table TornadoTable(const TcoProfile& profile, const std::vector<Swing>& swings) {
  constexpr size_t kShown = 10;
  Table table = {{"input", "from", "to", "local - cloud at the low end", "at the high end"}};
  for (const Swing& swing : swings) {
    if (table.size() > kShown) break;
    const Input& input = profile.inputs.at(swing.key);
    const bool own = input.low < input.high;
    table.push_back({swing.key, absl::StrFormat("%g", swing.from),
                     absl::StrCat(absl::StrFormat("%g", swing.to), own ? "" : " (+-25 %)"), Money(swing.low),
                     Money(swing.high)});
  }
  return table;
}

Table BandTable(const TcoProfile& profile, const MonteCarlo& draws) {
  Table table = {{absl::StrCat("three years, ", profile.currency), "5 %", "50 %", "95 %"}};
  for (const auto& [name, band] :
       {std::pair{"cloud", draws.cloud}, std::pair{"local", draws.local}, std::pair{"hybrid", draws.hybrid}}) {
    table.push_back({name, Money(band.p5), Money(band.p50), Money(band.p95)});
  }
  return table;
}

// Break-even curve, tornado and band, where both sides are known.
std::string Uncertainty(const TcoProfile& profile, const Tco& tco) {
  if (!HasVolume(profile, tco)) return "";
  std::string text = absl::StrCat("\n## Break-even over three years\n\n", MarkdownTable(CurveTable(profile)));
  absl::StrAppend(&text, "\n## What decides: local - cloud over three years when one input moves\n\n",
                  MarkdownTable(TornadoTable(profile, Tornado(profile))));
  const MonteCarlo draws = Simulate(profile, kSeed, kDraws);
  int ranged = 0;
  for (const auto& [key, input] : profile.inputs) ranged += input.low < input.high ? 1 : 0;
  absl::StrAppendFormat(&text,
                        "\n## Band: %d draws (seed %d), triangular over the %d inputs with a range\n\n%s\nLocal is "
                        "cheaper than the cloud in %.1f %% of the draws.\n",
                        draws.draws, kSeed, ranged, MarkdownTable(BandTable(profile, draws)),
                        100 * draws.local_cheaper);
  return text;
}

Table InputTable(const TcoProfile& profile) {
  Table table = {{"input", "value", "range", "date", "source"}};
  for (const auto& [key, input] : profile.inputs) {
    table.push_back({key, absl::StrFormat("%g", input.value),
                     input.low < input.high ? absl::StrFormat("%g to %g", input.low, input.high) : "-", input.date,
                     input.source});
  }
  return table;
}

// Every published figure beside what the inputs give for the same volume and years.
Table PublishedTable(const TcoProfile& profile) {
  Table table = {{"published", "calls a year", "side", "years", "published sum", "from the inputs", "what that means"}};
  for (const Published& row : profile.published) {
    TcoProfile at = profile;
    if (row.calls_per_year > 0) {
      Input& calls = at.inputs["volume.calls_per_year"];
      calls.value = calls.low = calls.high = row.calls_per_year;
    }
    const Tco tco = ComputeTco(at);
    const auto add = [&](const char* side, double sum, double years, bool known, double computed) {
      if (sum <= 0) return;
      std::string meaning = "undetermined: the inputs do not say how it comes about";
      if (known) {
        const double share = computed > 0 ? sum / computed - 1 : 0;
        meaning = std::abs(share) < 0.005 ? "reproduced"
                                          : absl::StrFormat(
                                                "%+.1f %% against the inputs: a discount, or an input, that "
                                                "was not published",
                                                100 * share);
      }
      table.push_back({row.what, row.calls_per_year > 0 ? Money(row.calls_per_year) : "-", side,
                       absl::StrFormat("%g", years), Money(sum), known ? Money(computed) : "-", meaning});
    };
    const auto sum = [&](double years, auto side) {
      return years < 1 ? (tco.*side)(1) * years : (tco.*side)(static_cast<int>(std::lround(std::min(5.0, years))));
    };
    add("cloud", row.cloud, row.cloud_years, tco.cloud_known, sum(row.cloud_years, &Tco::Cloud));
    add("local", row.local, row.local_years, tco.local_known, sum(row.local_years, &Tco::Local));
    if (row.cloud > 0 && row.local > 0 && row.cloud_years != row.local_years) {
      const double scaled = row.cloud * row.local_years / row.cloud_years;
      table.push_back({row.what, "", "both", "", "", "",
                       absl::StrFormat("the horizons do not match: %g years of cloud at the published yearly sum are "
                                       "%.0f, against %.0f local",
                                       row.local_years, scaled, row.local)});
    }
    if (!row.note.empty()) table.push_back({row.what, "", "", "", "", "", row.note});
  }
  return table;
}

std::string BreakEvenLine(const TcoProfile& profile, const Tco& tco) {
  if (!tco.cloud_known || !tco.local_known) return "Break-even: undetermined.\n";
  if (!HasVolume(profile, tco)) {
    for (int years = 1; years <= 5; ++years) {
      if (tco.Local(years) <= tco.Cloud(years)) {
        return absl::StrFormat("Break-even in time: local has cost less from year %d on; no volume is given.\n", years);
      }
    }
    return "Break-even in time: not within five years; no volume is given.\n";
  }
  const auto calls = BreakEvenCalls(profile, 3);
  if (!calls)
    return "Break-even over three years: at no volume; each further call costs more locally than on the cloud.\n";
  return absl::StrFormat("Break-even over three years: local stays cheaper from %.0f calls a year on.\n", *calls);
}

// What no input holds and is in no sum therefore.
std::string NotIncluded(const TcoProfile& profile, const Tco& tco) {
  if (!tco.local_known) return "";
  std::vector<std::string> absent;
  for (const auto& [key, what] : {std::pair{"local.gpu_price", "GPUs"}, std::pair{"local.watts_per_gpu", "power"},
                                  std::pair{"local.staff_per_year", "staff"},
                                  std::pair{"local.spare_replicas", "spares"},
                                  std::pair{"local.maintenance_share", "maintenance"},
                                  std::pair{"local.facility_per_year", "facility"}}) {
    if (!profile.Has(key)) absent.push_back(absl::StrCat(what, " (", key, ")"));
  }
  if (absent.empty()) return "";
  return absl::StrCat("No input names ", absl::StrJoin(absent, ", "),
                      ": they count as nothing in the local sums, unless a fixed sum holds them.\n");
}

// What the reader is told about a side that does not pay.
std::string PriceOfIndependence(const TcoProfile& profile, const Tco& tco) {
  if (!tco.cloud_known || !tco.local_known) return "";
  const double more = tco.Local(3) - tco.Cloud(3);
  const double hybrid = tco.Hybrid(3) - tco.Cloud(3);
  const char* by = tco.work_known ? "" : " by these fixed sums";
  if (more <= 0) {
    return absl::StrFormat("Local saves %s %s over three years%s.\n", Money(-more), profile.currency, by);
  }
  const double calls = tco.years[0].calls + tco.years[1].calls + tco.years[2].calls;
  if (!tco.work_known) {
    return absl::StrFormat("**Local does not pay on price alone**: it costs %s %s more over three years%s.\n",
                           Money(more), profile.currency, by);
  }
  // Replicas for the mean instead of the peak, always busy: what is left of the difference buys short queues.
  TcoProfile no_room = profile;
  for (const char* key : {"volume.peak_to_mean", "local.utilisation_max"}) no_room.inputs[key].value = 1;
  const double room = tco.Local(3) - ComputeTco(no_room).Local(3);
  std::string latency = "not measured: `--audit`";
  if (const auto& r = profile.recorded; r && r->local_first.answers > 0 && r->cloud_first.answers > 0) {
    latency = absl::StrFormat("first token in the log, local %.2f s, cloud %.2f s (median), %.2f s and %.2f s (95 %%)",
                              r->local_first.p50_s, r->cloud_first.p50_s, r->local_first.p95_s, r->cloud_first.p95_s);
  }
  Table table = {{absl::StrCat("what it buys, three years, ", profile.currency), "costs", "how that is computed"}};
  const double sensitive = profile.Get("volume.sensitive_share");
  table.push_back({absl::StrFormat("privacy: the sensitive %.0f %% never leave", 100 * sensitive),
                   hybrid > 0 ? Money(hybrid) : "nothing", "hybrid - cloud; spare room is filled with ordinary calls"});
  table.push_back({"independence of the provider: nothing leaves", Money(more),
                   absl::StrFormat("local - cloud; %.4f a call, %s beyond privacy", calls > 0 ? more / calls : 0,
                                   Money(tco.Local(3) - tco.Hybrid(3)))});
  table.push_back({"latency: room for the peak, so that calls need not wait", Money(std::max(0.0, room)),
                   absl::StrCat("part of local: against peak_to_mean 1 and utilisation_max 1; ", latency)});
  return absl::StrCat("**Local does not pay on price alone.** It costs ", Money(more), " ", profile.currency,
                      " more than the cloud over three years.\n\n", MarkdownTable(table));
}

std::string Body(const TcoProfile& profile, const Tco& tco) {
  std::string text = absl::StrCat("# ", profile.name, "\n\n");
  for (const std::string& note : profile.notes) absl::StrAppend(&text, "> ", note, "\n");
  absl::StrAppend(&text, "\n", MarkdownTable(CostTable(profile, tco)), "\n", BreakEvenLine(profile, tco),
                  PriceOfIndependence(profile, tco), NotIncluded(profile, tco));
  if (const Table parts = PartsTable(profile, tco); parts.size() > 1) {
    absl::StrAppend(&text, "\n## What the sums are made of\n\n", MarkdownTable(parts));
  }
  text += Uncertainty(profile, tco);
  if (!tco.undetermined.empty()) {
    absl::StrAppend(&text, "\nThe inputs do not determine everything. Missing: ", absl::StrJoin(tco.undetermined, ", "),
                    ".\n");
  }
  if (profile.Has("local.watts_per_gpu") && profile.Has("local.tariff_per_kwh")) {
    const double day = profile.Get("local.watts_per_gpu") / 1000 * 24 * profile.Get("local.tariff_per_kwh");
    absl::StrAppendFormat(&text, "\nPower of one GPU: %g W x 24 h x %g = %.2f %s a day before PUE.\n",
                          profile.Get("local.watts_per_gpu"), profile.Get("local.tariff_per_kwh"), day,
                          profile.currency);
  }
  if (!profile.published.empty()) {
    absl::StrAppend(&text, "\n## Published figures\n\n", MarkdownTable(PublishedTable(profile)));
  }
  const std::vector<Criterion> criteria = Evaluate(profile, tco);
  Table table = {{"group", "criterion", "weight", "measured", "local", "cloud"}};
  for (const Criterion& c : criteria) {
    const bool known = c.local + c.cloud > 0;
    table.push_back({c.group, c.name, absl::StrFormat("%g", c.weight), c.measured,
                     known ? absl::StrFormat("%g", c.local) : "?", known ? absl::StrFormat("%g", c.cloud) : "?"});
  }
  absl::StrAppend(&text, "\n## Evaluation (technical 30, economic 40, urgency 30)\n\n", MarkdownTable(table), "\n",
                  Recommendation(profile, tco, criteria), "\n\n## Migration\n\n", Checklists(profile, tco),
                  "\n## Inputs\n\n", MarkdownTable(InputTable(profile)));
  return text;
}

std::string Charts(const TcoProfile& profile, const Tco& tco) {
  std::string svg;
  if (!tco.cloud_known || !tco.local_known) return svg;
  const bool volume = HasVolume(profile, tco);
  Chart years{"Running total", "years", profile.currency, 1, 5, {{"cloud", {}}, {"local", {}}, {"hybrid", {}}}};
  for (int n = 1; n <= 5; ++n) {
    years.series[0].values.push_back(tco.Cloud(n));
    years.series[1].values.push_back(tco.Local(n));
    years.series[2].values.push_back(tco.Hybrid(n));
  }
  svg += LineChart(years);
  if (volume) {
    Chart curve{"Break-even over three years",
                "calls a year, powers of ten",
                "log10 of the cost",
                3,
                9,
                {{"cloud", {}}, {"local", {}}, {"hybrid", {}}}};
    for (double power = 3; power <= 9.001; power += 0.1) {
      TcoProfile at = profile;
      at.inputs["volume.calls_per_year"].value = std::pow(10, power);
      const Tco there = ComputeTco(at);
      const double costs[] = {there.Cloud(3), there.Local(3), there.Hybrid(3)};
      for (int i = 0; i < 3; ++i) curve.series[i].values.push_back(std::log10(std::max(1.0, costs[i])));
    }
    svg += LineChart(curve);
  }
  if (!volume) return svg;
  std::vector<Bar> bars;
  for (const Swing& swing : Tornado(profile)) {
    if (bars.size() < 10) bars.push_back({swing.key, swing.low, swing.high});
  }
  svg += BarChart("Local - cloud over three years when one input moves", profile.currency, bars,
                  tco.Local(3) - tco.Cloud(3));
  const MonteCarlo draws = Simulate(profile, kSeed, kDraws);
  svg += BarChart(absl::StrFormat("Three years, 5 to 95 %% of %d draws; local cheaper in %.0f %%", draws.draws,
                                  100 * draws.local_cheaper),
                  profile.currency,
                  {{"cloud", draws.cloud.p5, draws.cloud.p95},
                   {"local", draws.local.p5, draws.local.p95},
                   {"hybrid", draws.hybrid.p5, draws.hybrid.p95}},
                  draws.cloud.p50);
  return svg;
}

}  // namespace

std::vector<Criterion> Evaluate(const TcoProfile& profile, const Tco& tco) {
  const Evaluation& e = profile.evaluation;
  std::vector<Criterion> out;
  out.push_back(FromAnswer("technical", "a team that runs GPUs", 20, e.gpu_team, true));
  out.push_back(FromAnswer("technical", "only basic skills", 10, e.only_basic_skills, false));
  // The thresholds were published in CNY: without a rate they are not compared with another currency.
  const double rate = profile.per_cny.value_or(0);
  const auto threshold = [&](double cny) {
    const std::string text = absl::StrFormat("%g CNY", cny);
    if (rate <= 0 || profile.currency == "CNY") return text;
    return absl::StrFormat("%s (%.5g %s)", text, cny * rate, profile.currency);
  };
  Criterion spending{"economic", absl::StrCat("cloud spending of ", threshold(kSpendingForLocal), " a year or more"),
                     "undetermined", 25, 0, 0};
  if (tco.cloud_known) {
    spending.measured = absl::StrCat(Money(tco.years[0].cloud), " ", profile.currency);
    if (rate > 0) {
      (tco.years[0].cloud >= kSpendingForLocal * rate ? spending.local : spending.cloud) = spending.weight;
    } else {
      spending.measured += ": no rate from CNY in fx";
    }
  }
  Criterion call{"economic", absl::StrCat("a call costs below ", threshold(kCallForCloud)), "undetermined", 15, 0, 0};
  if (tco.call_price > 0) {
    call.measured = absl::StrFormat("%.6f %s", tco.call_price, profile.currency);
    if (rate > 0) {
      (tco.call_price < kCallForCloud * rate ? call.cloud : call.local) = call.weight;
    } else {
      call.measured += ": no rate from CNY in fx";
    }
  }
  out.push_back(spending);
  out.push_back(call);
  out.push_back(FromAnswer("urgency", "needed online within 72 h", 20, e.online_within_72h, true));
  out.push_back(FromAnswer("urgency", "an answer after 24 h is acceptable", 10, e.response_24h_acceptable, false));
  return out;
}

std::string Recommendation(const TcoProfile& profile, const Tco& tco, const std::vector<Criterion>& criteria) {
  double local = 0, cloud = 0, open = 0;
  for (const Criterion& c : criteria) {
    local += c.local;
    cloud += c.cloud;
    if (c.local + c.cloud == 0) open += c.weight;
  }
  std::string text = absl::StrFormat("Points: local %g, cloud %g, open %g. ", local, cloud, open);
  if (std::abs(local - cloud) <= open) {
    text += "Undecided: the open points could turn it. Answer them, or run the pilot.";
  } else if (local > cloud) {
    text += "Recommendation: local.";
    if (tco.cloud_known && tco.local_known && tco.Local(3) > tco.Cloud(3)) {
      text += " The points and the price disagree: see what it costs above; hybrid is the middle.";
    }
  } else {
    text += "Recommendation: cloud";
    text += profile.Get("volume.sensitive_share") > 0 ? ", with the sensitive share local (hybrid)." : ".";
  }
  if (profile.currency != "CNY" && profile.per_cny) {
    absl::StrAppend(&text, " Thresholds converted: ", profile.per_cny_source, ".");
  }
  return text;
}

std::string TcoMarkdown(const TcoProfile& profile) { return Body(profile, ComputeTco(profile)); }

std::string TcoHtml(const TcoProfile& profile) {
  const Tco tco = ComputeTco(profile);
  const std::vector<Criterion> criteria = Evaluate(profile, tco);
  std::string body = Charts(profile, tco);
  absl::StrAppend(&body, HtmlTable(CostTable(profile, tco)), "<p>", Escape(BreakEvenLine(profile, tco)), "</p>\n");
  absl::StrAppend(&body, "<h2>What the sums are made of</h2>", HtmlTable(PartsTable(profile, tco)));
  if (!profile.published.empty())
    absl::StrAppend(&body, "<h2>Published figures</h2>", HtmlTable(PublishedTable(profile)));
  absl::StrAppend(&body, "<h2>Evaluation</h2><p>", Escape(Recommendation(profile, tco, criteria)),
                  "</p>\n<h2>Inputs</h2>", HtmlTable(InputTable(profile)), "<h2>As text</h2><pre>",
                  Escape(Body(profile, tco)), "</pre>\n");
  return HtmlPage(profile.name, body);
}

}  // namespace headgate::planner
