#include "sweep/summary.hpp"

#include <algorithm>
#include <cmath>
#include <compare>
#include <cstdio>
#include <iomanip>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <sstream>
#include <vector>

#include "base/error.hpp"
#include "io/results.hpp"
#include "train/round_loop.hpp"
#include "train/target.hpp"

namespace fleet {
namespace {

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

/// A column's values, each once, in the order in which they come, and how they are shown.
struct Distinct {
  std::vector<std::size_t> place;  ///< of each row's value in `texts`
  std::vector<std::string> texts;  ///< no two alike
};

std::string text_of(double value, int digits) {
  std::ostringstream text;
  text << std::setprecision(digits) << value;
  return text.str();
}

/// With as many digits as tell them apart, of which 17 do for all reals.
std::vector<std::string> texts_of(const std::vector<double>& values) {
  for (int digits = 6;; ++digits) {
    std::vector<std::string> texts;
    for (const double value : values) texts.push_back(text_of(value, digits));
    const std::set<std::string> apart(texts.begin(), texts.end());
    if (apart.size() == texts.size() || digits == std::numeric_limits<double>::max_digits10) return texts;
  }
}
template <class T>
std::vector<std::string> texts_of(const std::vector<T>& values) {
  std::vector<std::string> texts;
  for (const T& value : values) texts.push_back(cat(value));
  return texts;
}

template <class T>
Distinct distinct_of(const std::vector<T>& values) {
  // A cell that lacks the column has NaN there, which is one value and not, as IEEE has it, none.
  const auto before = [](const T& a, const T& b) {
    if constexpr (std::is_same_v<T, double>) return std::strong_order(a, b) < 0;
    return a < b;
  };
  std::map<T, std::size_t, decltype(before)> places(before);
  Distinct distinct;
  std::vector<T> each;
  for (const T& value : values) {
    const auto [known, is_new] = places.emplace(value, each.size());
    if (is_new) each.push_back(value);
    distinct.place.push_back(known->second);
  }
  distinct.texts = texts_of(each);
  return distinct;
}

/// Of a column that is not there: nothing in every row.
Distinct distinct_values(const Table& table, const std::string& name) {
  for (const auto& [known, column] : table.columns()) {
    if (known == name) return std::visit([](const auto& values) { return distinct_of(values); }, column);
  }
  return {.place = std::vector<std::size_t>(table.rows()), .texts = {""}};
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
  if (metric.empty()) {
    out << "no cell has a final test\n";
    return;
  }
  const bool share = is_share(metric);
  const std::vector<double> scores = final_scores(metrics, metric, cells.rows());
  const Distinct methods = distinct_values(cells, "merge.method");
  std::vector<std::string> axes;
  std::istringstream keys(file.read_text_attribute("cells", "axes"));
  for (std::string key; std::getline(keys, key);) {
    if (key != "merge.method" && key != "seed") axes.push_back(key);
  }

  using Places = std::vector<std::size_t>;
  std::vector<Places> setting_order;
  std::map<std::pair<Places, std::size_t>, std::vector<double>> values;  // of a setting and a method
  std::vector<Distinct> columns;
  for (const std::string& key : axes) columns.push_back(distinct_values(cells, key));
  std::set<Places> known;
  for (std::size_t i = 0; i < cells.rows(); ++i) {
    Places setting;
    for (const Distinct& column : columns) setting.push_back(column.place[i]);
    if (known.insert(setting).second) setting_order.push_back(setting);
    if (!std::isnan(scores[i])) values[{setting, methods.place[i]}].push_back(scores[i]);
  }

  std::vector<std::vector<std::string>> rows(1);
  for (const std::string& key : axes) rows[0].push_back(key.substr(key.rfind('.') + 1));
  rows[0].insert(rows[0].end(), methods.texts.begin(), methods.texts.end());
  std::size_t seeds = 1;
  for (const Places& setting : setting_order) {
    std::vector<std::string>& row = rows.emplace_back();
    for (std::size_t k = 0; k < axes.size(); ++k) row.push_back(columns[k].texts[setting[k]]);
    for (std::size_t method = 0; method < methods.texts.size(); ++method) {
      const auto found = values.find({setting, method});
      row.push_back(found == values.end() ? "-"
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
