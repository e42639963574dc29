// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

#include "planner/plot.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace headgate::planner {
namespace {

constexpr double kWidth = 860, kHeight = 260, kLeft = 70, kRight = 150, kTop = 30, kBottom = 40;
constexpr const char* kColours[] = {"#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#a463f2", "#97bbf5"};

// 1, 2 or 5 times a power of ten, for about five ticks.
double TickStep(double span) {
  if (!(span > 0)) return 1;
  const double raw = span / 5;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (raw <= factor * power) return factor * power;
  }
  return 10 * power;
}

class Frame {
 public:
  Frame(const Chart& chart, double low, double high) : chart_(chart), low_(low), high_(high > low ? high : low + 1) {}

  double X(size_t index, size_t count) const {
    return kLeft + (kWidth - kLeft - kRight) * (count < 2 ? 0 : static_cast<double>(index) / (count - 1.0));
  }
  double Y(double value) const {
    return kHeight - kBottom - (kHeight - kTop - kBottom) * (value - low_) / (high_ - low_);
  }

  std::string Begin() const {
    std::string svg = absl::StrFormat(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n"
        "<text x=\"%.0f\" y=\"18\" class=\"t\">%s</text>\n",
        kWidth, kHeight, Escape(chart_.title), kLeft, Escape(chart_.title));
    const double step = TickStep(high_ - low_);
    for (double tick = std::ceil(low_ / step) * step; tick <= high_ + step * 1e-9; tick += step) {
      absl::StrAppendFormat(&svg,
                            "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" class=\"g\"/>"
                            "<text x=\"%.1f\" y=\"%.1f\" class=\"y\">%g</text>\n",
                            kLeft, kWidth - kRight, Y(tick), Y(tick), kLeft - 6, Y(tick) + 4,
                            std::abs(tick) < step * 1e-9 ? 0 : tick);
    }
    const double x_step = TickStep(chart_.x_to - chart_.x_from);
    for (double tick = std::ceil(chart_.x_from / x_step) * x_step; tick <= chart_.x_to; tick += x_step) {
      const double x = kLeft + (kWidth - kLeft - kRight) * (tick - chart_.x_from) / (chart_.x_to - chart_.x_from);
      absl::StrAppendFormat(&svg, "<text x=\"%.1f\" y=\"%.0f\" class=\"x\">%g</text>\n", x, kHeight - kBottom + 16,
                            tick);
    }
    absl::StrAppendFormat(&svg, "<text x=\"%.0f\" y=\"%.0f\" class=\"x\">%s</text>\n", (kLeft + kWidth - kRight) / 2,
                          kHeight - 6, Escape(chart_.x_label));
    absl::StrAppendFormat(&svg, "<text x=\"12\" y=\"%.0f\" class=\"x\" transform=\"rotate(-90 12 %.0f)\">%s</text>\n",
                          kHeight / 2, kHeight / 2, Escape(chart_.y_label));
    return svg;
  }
  std::string End() const {
    std::string svg;
    for (size_t i = 0; i < chart_.series.size(); ++i) {
      const double y = kTop + 16.0 * static_cast<double>(i);
      absl::StrAppendFormat(&svg,
                            "<rect x=\"%.0f\" y=\"%.0f\" width=\"10\" height=\"10\" fill=\"%s\"/>"
                            "<text x=\"%.0f\" y=\"%.0f\">%s</text>\n",
                            kWidth - kRight + 12, y, Colour(i), kWidth - kRight + 27, y + 9,
                            Escape(chart_.series[i].name));
    }
    return svg + "</svg>\n";
  }
  static const char* Colour(size_t index) { return kColours[index % std::size(kColours)]; }

 private:
  const Chart& chart_;
  const double low_, high_;
};

}  // namespace

std::string Escape(const std::string& text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

std::string LineChart(const Chart& chart) {
  double low = 0, high = 0;
  for (const Series& series : chart.series) {
    for (const double value : series.values) low = std::min(low, value), high = std::max(high, value);
  }
  const Frame frame(chart, low, high);
  std::string svg = frame.Begin();
  for (size_t s = 0; s < chart.series.size(); ++s) {
    const auto& values = chart.series[s].values;
    std::string points;
    for (size_t i = 0; i < values.size(); ++i) {
      absl::StrAppendFormat(&points, "%.1f,%.1f ", frame.X(i, values.size()), frame.Y(values[i]));
    }
    absl::StrAppendFormat(&svg, "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\"/>\n", points,
                          Frame::Colour(s));
  }
  return svg + frame.End();
}

std::string AreaChart(const Chart& chart) {
  const size_t count = chart.series.empty() ? 0 : chart.series.front().values.size();
  std::vector<double> top(count, 0), below(count, 0);
  for (const Series& series : chart.series) {
    for (size_t i = 0; i < count; ++i) top[i] += series.values[i];
  }
  const Frame frame(chart, 0, count == 0 ? 1 : *std::max_element(top.begin(), top.end()));
  std::string svg = frame.Begin();
  for (size_t s = 0; s < chart.series.size(); ++s) {
    std::string upper, lower;
    for (size_t i = 0; i < count; ++i) {
      const double value = below[i] + chart.series[s].values[i];
      absl::StrAppendFormat(&upper, "%.1f,%.1f ", frame.X(i, count), frame.Y(value));
      lower = absl::StrFormat("%.1f,%.1f ", frame.X(i, count), frame.Y(below[i])) + lower;
      below[i] = value;
    }
    absl::StrAppendFormat(&svg, "<polygon points=\"%s%s\" fill=\"%s\" fill-opacity=\"0.8\"/>\n", upper, lower,
                          Frame::Colour(s));
  }
  return svg + frame.End();
}

std::string BarChart(const std::string& title, const std::string& unit, const std::vector<Bar>& bars, double middle) {
  double low = std::min(0.0, middle), high = middle;
  for (const Bar& bar : bars) low = std::min({low, bar.low, bar.high}), high = std::max({high, bar.low, bar.high});
  if (!(high > low)) high = low + 1;
  const double height = kTop + 22.0 * static_cast<double>(bars.size()) + 30;
  const double left = 260, right = kWidth - 120;
  const auto x = [&](double value) { return left + (right - left) * (value - low) / (high - low); };
  std::string svg = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n"
      "<text x=\"10\" y=\"18\" class=\"t\">%s</text>\n",
      kWidth, height, Escape(title), Escape(title));
  for (size_t i = 0; i < bars.size(); ++i) {
    const double y = kTop + 22.0 * static_cast<double>(i);
    const auto [from, to] = std::minmax(bars[i].low, bars[i].high);
    absl::StrAppendFormat(&svg,
                          "<text x=\"%.0f\" y=\"%.1f\" class=\"y\">%s</text>"
                          "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"14\" fill=\"%s\"/>"
                          "<text x=\"%.1f\" y=\"%.1f\">%.4g</text>\n",
                          left - 8, y + 12, Escape(bars[i].name), x(from), y, std::max(1.0, x(to) - x(from)),
                          Frame::Colour(i), x(to) + 6, y + 12, to);
  }
  absl::StrAppendFormat(&svg,
                        "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.0f\" y2=\"%.0f\" stroke=\"#333\"/>"
                        "<text x=\"%.1f\" y=\"%.0f\" class=\"x\">%.4g %s</text>\n</svg>\n",
                        x(middle), x(middle), kTop - 4, height - 22, x(middle), height - 8, middle, Escape(unit));
  return svg;
}

std::string HtmlTable(const Table& table) {
  std::string html = "<table>\n";
  for (size_t row = 0; row < table.size(); ++row) {
    const char* tag = row == 0 ? "th" : "td";
    html += "<tr>";
    for (const std::string& cell : table[row]) absl::StrAppend(&html, "<", tag, ">", Escape(cell), "</", tag, ">");
    html += "</tr>\n";
  }
  return html + "</table>\n";
}

std::string MarkdownTable(const Table& table) {
  std::string text;
  for (size_t row = 0; row < table.size(); ++row) {
    for (const std::string& cell : table[row])
      absl::StrAppend(&text, "| ", absl::StrReplaceAll(cell, {{"|", "\\|"}}), " ");
    text += "|\n";
    if (row > 0) continue;
    for (size_t i = 0; i < table[row].size(); ++i) text += "|---";
    text += "|\n";
  }
  return text;
}

std::string HtmlPage(const std::string& title, const std::string& body) {
  return absl::StrCat(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>", Escape(title),
      "</title>\n<style>body{font:15px/1.5 system-ui,sans-serif;max-width:900px;margin:2em auto;padding:0 "
      "1em;color:#222}"
      "table{border-collapse:collapse;margin:1em 0}th,td{border:1px solid #ccc;padding:3px 8px;text-align:left;"
      "font-variant-numeric:tabular-nums}th{background:#f3f3f3}svg{width:100%;height:auto;margin:1em 0}"
      "svg text{font:11px system-ui,sans-serif;fill:#333}svg .t{font-size:13px;font-weight:600}"
      "svg .x{text-anchor:middle}svg .y{text-anchor:end}svg .g{stroke:#e5e5e5}.warn{background:#fff4e0;padding:.5em "
      "1em;"
      "border-left:4px solid #efb118}</style></head>\n<body>\n<h1>",
      Escape(title), "</h1>\n", body, "</body></html>\n");
}

}  // namespace headgate::planner
