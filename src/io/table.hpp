// Named columns of equal length, as the results have them; whatever file they come from.
#pragma once

#include <cstdint>
#include <string>
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

}  // namespace fleet
