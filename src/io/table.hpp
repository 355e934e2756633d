// Named columns of equal length, as the results have them; whatever file they come from.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace fleet {

/// What the values of a column are.
enum class ColumnType { kInteger, kLong, kReal, kText };

/// A column that a table must have.
struct ColumnSpec {
  const char* name;
  ColumnType type;
};

class Table {
 public:
  using Column =
      std::variant<std::vector<std::int32_t>, std::vector<std::int64_t>, std::vector<double>, std::vector<std::string>>;

  /// Appends a column; Error if the name is taken.
  void add(std::string name, Column values);
  [[nodiscard]] const std::vector<std::pair<std::string, Column>>& columns() const { return columns_; }
  [[nodiscard]] bool has(const std::string& name) const;
  /// Error if there is no such column or it has another type.
  template <class T>
  [[nodiscard]] const std::vector<T>& column(const std::string& name) const;
  [[nodiscard]] std::size_t rows() const;
  /// Makes the column one of this type, which must be as wide as its own or wider. Error if there is none of that name,
  /// or if it is of another kind.
  void convert(const ColumnSpec& wanted);
  /// Sets every row of an integer column to `value`.
  void fill(const std::string& name, std::int32_t value);
  /// Appends the rows of `other`. A column that only one side has is filled with 0, NaN or "".
  void append(const Table& other);

 private:
  [[nodiscard]] Column* find(const std::string& name);
  [[nodiscard]] const Column* find(const std::string& name) const;

  std::vector<std::pair<std::string, Column>> columns_;
};

/// A column to be made of rows: its name, and what it takes from one, by a member or a function.
template <class Take>
struct ColumnOf {
  const char* name;
  Take take;
};
template <class Take>
ColumnOf(const char*, Take) -> ColumnOf<Take>;

/// What a table holds for a number or text of type T: integers of 32 bits for truth values and narrow ones.
template <class T>
using StoredAs = std::conditional_t<
    std::is_convertible_v<T, std::string_view>, std::string,
    std::conditional_t<std::is_floating_point_v<T>, double,
                       std::conditional_t<(sizeof(T) > sizeof(std::int32_t)), std::int64_t, std::int32_t>>>;

/// The columns of all rows, in their order: tabulate(people, ColumnOf{"name", &Person::name}, ...).
template <class Rows, class... Takes>
Table tabulate(const Rows& rows, const ColumnOf<Takes>&... columns) {
  Table table;
  const auto add = [&](const auto& column) {
    using Taken = std::decay_t<decltype(std::invoke(column.take, *std::begin(rows)))>;
    std::vector<StoredAs<Taken>> values;
    for (const auto& row : rows) values.push_back(static_cast<StoredAs<Taken>>(std::invoke(column.take, row)));
    table.add(column.name, std::move(values));
  };
  (add(columns), ...);
  return table;
}

}  // namespace fleet
