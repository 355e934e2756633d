#include "io/table.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "base/error.hpp"

namespace fleet {
namespace {

using Integers = std::vector<std::int32_t>;
using Longs = std::vector<std::int64_t>;
using Reals = std::vector<double>;
using Texts = std::vector<std::string>;

template <class T>
T filler() {
  if constexpr (std::is_same_v<T, double>) return std::numeric_limits<double>::quiet_NaN();
  return T{};
}

/// Makes whole numbers as wide as those of `other`, or reals where those are.
void widen(Table::Column& column, const Table::Column& other) {
  const bool reals = std::holds_alternative<Reals>(other);
  if (const auto* integers = std::get_if<Integers>(&column)) {
    if (reals) column = Reals(integers->begin(), integers->end());
    if (std::holds_alternative<Longs>(other)) column = Longs(integers->begin(), integers->end());
  } else if (const auto* longs = std::get_if<Longs>(&column)) {
    if (reals) column = Reals(longs->begin(), longs->end());
  }
}

const char* kind_of(const Table::Column& column) {
  constexpr std::array kKinds = {"whole numbers of 32 bits", "whole numbers of 64 bits", "reals", "texts"};
  return kKinds[column.index()];
}

/// `values` as reals, each of which must be the same number.
Reals as_reals(const Longs& values, const char* name) {
  constexpr std::int64_t kExact = std::int64_t{1} << 53U;  // beyond it not every whole number is a double
  for (std::size_t row = 0; row < values.size(); ++row) {
    require(values[row] >= -kExact && values[row] <= kExact, "column ", name, " holds ", values[row], " in row ", row,
            "; expected numbers that a real can stand for");
  }
  return {values.begin(), values.end()};
}

}  // namespace

Table::Column* Table::find(const std::string& name) {
  const auto found = std::find_if(columns_.begin(), columns_.end(), [&](const auto& c) { return c.first == name; });
  return found == columns_.end() ? nullptr : &found->second;
}

const Table::Column* Table::find(const std::string& name) const {
  const auto found = std::find_if(columns_.begin(), columns_.end(), [&](const auto& c) { return c.first == name; });
  return found == columns_.end() ? nullptr : &found->second;
}

bool Table::has(const std::string& name) const {
  return find(name) != nullptr;
}

void Table::add(std::string name, Column values) {
  require(!has(name), "a table has two columns called ", name);
  columns_.emplace_back(std::move(name), std::move(values));
}

template <class T>
const std::vector<T>& Table::column(const std::string& name) const {
  const Column* found = find(name);
  require(found != nullptr, "there is no column ", name);
  const auto* values = std::get_if<std::vector<T>>(found);
  require(values != nullptr, "column ", name, " has another type");
  return *values;
}
template const std::vector<std::int32_t>& Table::column(const std::string&) const;
template const std::vector<std::int64_t>& Table::column(const std::string&) const;
template const std::vector<double>& Table::column(const std::string&) const;
template const std::vector<std::string>& Table::column(const std::string&) const;

std::size_t Table::rows() const {
  if (columns_.empty()) return 0;
  return std::visit([](const auto& values) { return values.size(); }, columns_.front().second);
}

void Table::convert(const ColumnSpec& wanted) {
  Column* found = find(wanted.name);
  require(found != nullptr, "there is no column ", wanted.name);
  const auto* integers = std::get_if<Integers>(found);
  const auto* longs = std::get_if<Longs>(found);
  if (wanted.type == ColumnType::kLong && integers != nullptr) *found = Longs(integers->begin(), integers->end());
  if (wanted.type == ColumnType::kReal && integers != nullptr) *found = Reals(integers->begin(), integers->end());
  if (wanted.type == ColumnType::kReal && longs != nullptr) *found = as_reals(*longs, wanted.name);
  constexpr std::array kExpected = {"whole numbers of 32 bits", "whole numbers", "numbers", "texts"};
  const auto type = static_cast<std::size_t>(wanted.type);  // in the order of Column's alternatives
  require(found->index() == type, "column ", wanted.name, " holds ", kind_of(*found), "; expected ", kExpected[type]);
}

void Table::fill(const std::string& name, std::int32_t value) {
  Column* found = find(name);
  if (found == nullptr) return;
  auto* values = std::get_if<Integers>(found);
  require(values != nullptr, "column ", name, " holds ", kind_of(*found), "; expected whole numbers of 32 bits");
  std::fill(values->begin(), values->end(), value);
}

void Table::append(const Table& other) {
  const std::size_t before = rows();
  const std::size_t added = other.rows();
  for (const auto& column : other.columns_) {
    const std::string& name = column.first;  // clang before 16 lets no lambda capture a structured binding
    Column theirs = column.second;
    Column* mine = find(name);
    if (mine != nullptr) {  // whole numbers beside reals are reals
      widen(*mine, theirs);
      widen(theirs, *mine);
    }
    std::visit(
        [&](const auto& values) {
          using Values = std::decay_t<decltype(values)>;
          if (mine == nullptr) {
            columns_.emplace_back(name, Values(before, filler<typename Values::value_type>()));
            mine = &columns_.back().second;
          }
          auto* own = std::get_if<Values>(mine);
          require(own != nullptr, "column ", name, " holds ", kind_of(theirs), ", and ", kind_of(*mine),
                  " in the tables before");
          own->insert(own->end(), values.begin(), values.end());
        },
        theirs);
  }
  for (auto& [name, column] : columns_) {
    std::visit(
        [&](auto& values) {
          using T = typename std::decay_t<decltype(values)>::value_type;
          values.resize(before + added, filler<T>());
        },
        column);
  }
}

}  // namespace fleet
