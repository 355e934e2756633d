#include "sweep/summary.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <iomanip>
#include <map>
#include <numeric>
#include <sstream>
#include <vector>

#include "base/error.hpp"
#include "io/results.hpp"
#include "train/round_loop.hpp"

namespace fleet {
namespace {

/// Metrics between 0 and 1, shown in percent.
constexpr std::array<std::string_view, 2> kShares = {"accuracy", "success"};

/// The metric that a workload names first; "" where nothing was measured.
std::string headline(const Table& metrics) {
  const auto& names = metrics.column<std::string>("metric");
  return names.empty() ? "" : names.front();
}

/// Final score of each cell: [cell]; NaN where there is none.
std::vector<double> final_scores(const Table& metrics, const std::string& metric, std::size_t cells) {
  const auto& cell = metrics.column<std::int32_t>("cell");
  const auto& round = metrics.column<std::int32_t>("round");
  const auto& robot = metrics.column<std::int32_t>("robot");
  const auto& split = metrics.column<std::string>("split");
  const auto& name = metrics.column<std::string>("metric");
  const auto& value = metrics.column<double>("value");
  struct Last {
    std::int32_t round = 0;
    bool merged = false;
    double sum = 0.0;
    int count = 0;
  };
  std::vector<Last> last(cells);
  for (std::size_t i = 0; i < cell.size(); ++i) {
    if (split[i] != "test" || name[i] != metric) continue;
    Last& best = last[static_cast<std::size_t>(cell[i])];
    const bool merged = robot[i] == kMergedPolicy;
    if (round[i] > best.round || (round[i] == best.round && merged && !best.merged)) {
      best = {.round = round[i], .merged = merged};
    }
    if (round[i] == best.round && merged == best.merged) {
      best.sum += value[i];
      ++best.count;
    }
  }
  std::vector<double> scores;
  for (const Last& best : last) scores.push_back(best.count > 0 ? best.sum / best.count : NAN);
  return scores;
}

std::vector<std::string> column_text(const Table& table, const std::string& name) {
  for (const auto& [known, column] : table.columns()) {
    if (known != name) continue;
    return std::visit(
        [](const auto& values) {
          std::vector<std::string> texts;
          for (const auto& value : values) texts.push_back(cat(value));
          return texts;
        },
        column);
  }
  return std::vector<std::string>(table.rows());
}

/// Of a share: mean and standard deviation in percent.
std::string mean_and_deviation(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0.0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  char text[64];
  if (values.size() > 1) {
    std::snprintf(text, sizeof text, "%.1f ± %.1f", 100.0 * mean, 100.0 * std::sqrt(squares / (n - 1.0)));
  } else {
    std::snprintf(text, sizeof text, "%.1f", 100.0 * mean);
  }
  return text;
}

/// Of a metric without bounds, which may be infinite: the median, with the least and the largest.
std::string median_and_range(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const double median = (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2.0;
  char text[96];
  if (values.size() > 1) {
    std::snprintf(text, sizeof text, "%.4g (%.4g to %.4g)", median, values.front(), values.back());
  } else {
    std::snprintf(text, sizeof text, "%.4g", median);
  }
  return text;
}

/// Columns on a screen: "±" is two bytes wide.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

std::string padded(const std::string& text, std::size_t width, bool left) {
  const std::string fill(width - std::min(width, width_of(text)), ' ');
  return left ? text + fill : fill + text;
}

void print_rows(std::ostream& out, const std::vector<std::vector<std::string>>& rows, std::size_t labels) {
  std::vector<std::size_t> widths(rows.front().size(), 0);
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], width_of(row[c]));
  }
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t c = 0; c < widths.size(); ++c)
      out << (c > 0 ? "  " : "  ") << padded(rows[r][c], widths[c], c < labels);
    out << '\n';
    if (r == 0) {
      const std::size_t total = std::accumulate(widths.begin(), widths.end(), 2 * widths.size());
      out << "  " << std::string(total - 2, '-') << '\n';
    }
  }
}

}  // namespace

void print_summary(std::ostream& out, const std::filesystem::path& results) {
  const Hdf5Reader file(results);
  const Table cells = read_cells(file);
  const Table metrics = read_metrics(file, cells.rows());
  const std::string metric = headline(metrics);
  const bool share = std::find(kShares.begin(), kShares.end(), metric) != kShares.end();
  const std::vector<double> scores = final_scores(metrics, metric, cells.rows());
  const std::vector<std::string> methods = column_text(cells, "merge.method");
  std::vector<std::string> axes;
  std::istringstream keys(file.read_text_attribute("cells", "axes"));
  for (std::string key; std::getline(keys, key);) {
    if (key != "merge.method" && key != "seed") axes.push_back(key);
  }

  std::vector<std::string> method_order;
  std::vector<std::vector<std::string>> setting_order;
  std::map<std::pair<std::vector<std::string>, std::string>, std::vector<double>> values;
  std::vector<std::vector<std::string>> texts;
  for (const std::string& key : axes) texts.push_back(column_text(cells, key));
  for (std::size_t i = 0; i < cells.rows(); ++i) {
    std::vector<std::string> setting;
    for (const auto& column : texts) setting.push_back(column[i]);
    if (std::find(setting_order.begin(), setting_order.end(), setting) == setting_order.end())
      setting_order.push_back(setting);
    if (std::find(method_order.begin(), method_order.end(), methods[i]) == method_order.end())
      method_order.push_back(methods[i]);
    if (!std::isnan(scores[i])) values[{setting, methods[i]}].push_back(scores[i]);
  }

  std::vector<std::vector<std::string>> rows(1);
  for (const std::string& key : axes) rows[0].push_back(key.substr(key.rfind('.') + 1));
  rows[0].insert(rows[0].end(), method_order.begin(), method_order.end());
  std::size_t seeds = 1;
  for (const auto& setting : setting_order) {
    rows.push_back(setting);
    for (const std::string& method : method_order) {
      const auto found = values.find({setting, method});
      rows.back().push_back(found == values.end() ? "-"
                            : share               ? mean_and_deviation(found->second)
                                                  : median_and_range(found->second));
      if (found != values.end()) seeds = std::max(seeds, found->second.size());
    }
  }
  const char* spread = share ? "mean ± standard deviation" : "median, least and largest";
  out << "Final test " << metric << (share ? " in %" : "")
      << (seeds > 1 ? cat(", ", spread, " over ", seeds, " seeds") : "") << ":\n\n";
  print_rows(out, rows, axes.size());
}

}  // namespace fleet
