// Copyright 2026 The Headgate Authors
// SPDX-License-Identifier: Apache-2.0

// Charts as SVG and a page around them: plain text, no scripts, no outside assets. The same data give the same bytes.
//
// Thread-safety: pure functions.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace headgate::planner {

struct Series {
  std::string name;
  std::vector<double> values;  // all series of a chart have the same number
};
struct Chart {
  std::string title;
  std::string x_label, y_label;
  double x_from = 0, x_to = 1;
  std::vector<Series> series;
};
std::string LineChart(const Chart& chart);
// Each series on top of the ones before it.
std::string AreaChart(const Chart& chart);

struct Bar {
  std::string name;
  double low = 0, high = 0;    // from low to high; a simple bar begins at 0
};
// `middle`: a line that all bars refer to.
std::string BarChart(const std::string& title, const std::string& unit, const std::vector<Bar>& bars, double middle);

using Table = std::vector<std::vector<std::string>>;  // the first row is the head
std::string HtmlTable(const Table& table);
std::string MarkdownTable(const Table& table);
std::string HtmlPage(const std::string& title, const std::string& body);
std::string Escape(const std::string& text);  // for HTML

}  // namespace headgate::planner
