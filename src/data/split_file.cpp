#include "data/split_file.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <tuple>
#include <utility>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "data/plain_text.hpp"
#include "io/hdf5.hpp"

namespace fleet {
namespace {

constexpr std::int32_t kMostRobots = 1'000'000;
constexpr std::array<std::string_view, 3> kParts = {"train", "held_out", "test"};

/// Rows of the table, and where they stand.
struct SplitRows {
  std::vector<std::int32_t> samples;
  std::vector<std::int32_t> robots;
  std::vector<std::uint8_t> parts;  // places in kParts
  std::string unit;                 // of a place: "line" or "row"
  std::size_t first = 0;            // number of the first row's place
};

std::uint8_t part_of(std::string_view name, const std::string& where) {
  const auto part = std::ranges::find(kParts, name);
  require(part != kParts.end(), where, ": part is \"", name, "\", expected train, held_out or test");
  return static_cast<std::uint8_t>(part - kParts.begin());
}

std::vector<std::string_view> cells_of(std::string_view line) {
  std::vector<std::string_view> cells;
  for (;;) {
    const std::size_t comma = line.find(',');
    std::string_view cell = line.substr(0, comma);
    while (cell.starts_with(' ')) cell.remove_prefix(1);
    while (cell.ends_with(' ') || cell.ends_with('\r')) cell.remove_suffix(1);
    cells.push_back(cell);
    if (comma == std::string_view::npos) return cells;
    line.remove_prefix(comma + 1);
  }
}

std::int32_t whole_number(std::string_view text, const char* column, const std::string& where) {
  std::int32_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(error == std::errc() && end == text.data() + text.size() && value >= 0, where, ": ", column, " is \"", text,
          "\", expected a whole number from 0");
  return value;
}

SplitRows read_csv(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  const std::vector<std::string_view> lines = split_lines(text);
  const std::string name = path.string();
  require(!lines.empty(), name, " is empty, expected a line with the names of columns: sample,robot");
  const std::vector<std::string_view> header = cells_of(lines.front());
  const auto place = [&](std::string_view column) -> std::optional<std::size_t> {
    const auto found = std::ranges::find(header, column);
    if (found == header.end()) return std::nullopt;
    return static_cast<std::size_t>(found - header.begin());
  };
  const auto sample = place("sample");
  const auto robot = place("robot");
  const auto part = place("part");
  require(sample && robot, name, ":1: the columns are \"", lines.front(), "\", expected sample and robot among them");
  SplitRows rows{.unit = "line", .first = 2};
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::string where = cat(name, ':', i + 1);
    const std::vector<std::string_view> cells = cells_of(lines[i]);
    require(cells.size() == header.size(), where, ": there are ", cells.size(), " values for ", header.size(),
            " columns");
    rows.samples.push_back(whole_number(cells[*sample], "sample", where));
    rows.robots.push_back(whole_number(cells[*robot], "robot", where));
    rows.parts.push_back(part ? part_of(cells[*part], where) : std::uint8_t{0});
  }
  return rows;
}

SplitRows read_hdf5(const std::filesystem::path& path) {
  constexpr std::array kWanted = {ColumnSpec{"sample", ColumnType::kInteger},
                                  ColumnSpec{"robot", ColumnType::kInteger}};
  const Table table = Hdf5Reader(path).read_table("split", kWanted);
  SplitRows rows{.samples = table.column<std::int32_t>("sample"),
                 .robots = table.column<std::int32_t>("robot"),
                 .parts = {},
                 .unit = "row"};
  const bool has_parts =
      std::ranges::any_of(table.columns(), [](const auto& column) { return column.first == "part"; });
  rows.parts.resize(rows.samples.size(), 0);
  for (std::size_t i = 0; i < rows.samples.size(); ++i) {
    const std::string where = cat(path.string(), ": row ", i);
    require(rows.samples[i] >= 0, where, ": sample is ", rows.samples[i], ", expected a whole number from 0");
    require(rows.robots[i] >= 0, where, ": robot is ", rows.robots[i], ", expected a whole number from 0");
    if (has_parts) rows.parts[i] = part_of(table.column<std::string>("part")[i], where);
  }
  return rows;
}

/// Error for a sample that one robot has twice for the same part.
void check_once(const SplitRows& rows, const std::string& name) {
  std::vector<std::size_t> order(rows.samples.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto key = [&](std::size_t i) { return std::tuple(rows.robots[i], rows.parts[i], rows.samples[i]); };
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) { return std::pair(key(a), a) < std::pair(key(b), b); });
  for (std::size_t i = 1; i < order.size(); ++i) {
    const std::size_t second = order[i];
    require(key(order[i - 1]) != key(second), name, ": ", rows.unit, ' ', rows.first + second, ": robot ",
            rows.robots[second], " has sample ", rows.samples[second], " already, by ", rows.unit, ' ',
            rows.first + order[i - 1]);
  }
}

}  // namespace

SplitFile read_split(const std::filesystem::path& path) {
  const std::string extension = path.extension().string();
  const SplitRows rows = extension == ".h5" || extension == ".hdf5" ? read_hdf5(path) : read_csv(path);
  const std::string name = path.string();
  require(!rows.samples.empty(), name, " gives no robot any sample");
  check_once(rows, name);
  const std::int32_t last = *std::ranges::max_element(rows.robots);
  require(last < kMostRobots, name, " has a robot ", last, ", expected fewer than ", kMostRobots, " robots");
  SplitFile split;
  split.shards.resize(static_cast<std::size_t>(last) + 1);
  split.test.resize(split.shards.size());
  Hash digest;
  for (std::size_t i = 0; i < rows.samples.size(); ++i) {
    const std::int32_t sample = rows.samples[i];
    const auto robot = static_cast<std::size_t>(rows.robots[i]);
    const std::string_view part = kParts[rows.parts[i]];
    digest.add(static_cast<std::uint64_t>(sample)).add(static_cast<std::uint64_t>(robot)).add(part);
    if (part == "test") {
      split.test[robot].push_back(sample);
      split.largest_test = std::max(split.largest_test, sample);
      continue;
    }
    Shard& shard = split.shards[robot];
    (part == "train" ? shard.train : shard.held_out).push_back(sample);
    split.largest_sample = std::max(split.largest_sample, sample);
  }
  split.digest = digest.hex();
  return split;
}

}  // namespace fleet
