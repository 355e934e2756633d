// Tables of named columns, wherever they come from.
#include "io/table.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "complaint.hpp"

namespace fleet {
namespace {

using Ints = std::vector<std::int32_t>;
using Longs = std::vector<std::int64_t>;
using Reals = std::vector<double>;
using Texts = std::vector<std::string>;

Table every_type() {
  Table table;
  table.add("small", Ints{1, -2, std::numeric_limits<std::int32_t>::min()});
  table.add("large", Longs{1, -2, std::numeric_limits<std::int64_t>::max()});
  table.add("real", Reals{0.1, -HUGE_VAL, std::numeric_limits<double>::denorm_min()});
  table.add("text", Texts{"", "zürich 東京 🤖", "two\nlines\tand a tab"});
  return table;
}

TEST(Table, appended_rows_follow_and_missing_columns_are_filled) {
  Table table;
  table.add("both", Ints{1, 2});
  table.add("left", Reals{0.5, 0.25});
  table.add("left text", Texts{"a", "b"});
  Table other;
  other.add("right", Longs{7});
  other.add("right text", Texts{"c"});
  other.add("right real", Reals{1.0});
  other.add("both", Ints{3});
  table.append(other);
  EXPECT_EQ(table.rows(), 3U);
  EXPECT_EQ(table.column<std::int32_t>("both"), (Ints{1, 2, 3}));
  EXPECT_TRUE(std::isnan(table.column<double>("left")[2]));
  EXPECT_EQ(table.column<std::string>("left text"), (Texts{"a", "b", ""}));
  EXPECT_EQ(table.column<std::int64_t>("right"), (Longs{0, 0, 7}));
  EXPECT_EQ(table.column<std::string>("right text"), (Texts{"", "", "c"}));
  EXPECT_TRUE(std::isnan(table.column<double>("right real")[1]));
  EXPECT_EQ(table.column<double>("right real")[2], 1.0);
}

TEST(Table, appending_to_an_empty_table_copies) {
  Table table;
  table.append(every_type());
  EXPECT_EQ(table.columns(), every_type().columns());
  table.append(Table());
  EXPECT_EQ(table.columns(), every_type().columns());
}

TEST(Table, columns_are_refused_by_name_and_type) {
  Table table = every_type();
  EXPECT_NE(complaint([&] { table.add("small", Ints{}); }).find("small"), std::string::npos);
  EXPECT_NE(complaint([&] { (void)table.column<double>("small"); }).find("small"), std::string::npos);
  EXPECT_NE(complaint([&] { (void)table.column<double>("absent"); }).find("absent"), std::string::npos);
  Table other;
  other.add("small", Texts{"1"});
  EXPECT_NE(complaint([&] { table.append(other); }).find("small"), std::string::npos);
}

TEST(Table, fill_sets_every_row_of_one_column) {
  Table table = every_type();
  table.fill("small", 7);
  EXPECT_EQ(table.column<std::int32_t>("small"), (Ints{7, 7, 7}));
  EXPECT_EQ(table.column<std::int64_t>("large"), every_type().column<std::int64_t>("large"));
}

TEST(Table, joined_whole_numbers_are_as_wide_as_the_widest) {
  for (const bool first : {true, false}) {
    Table narrow, wide;
    narrow.add("n", Ints{1});
    wide.add("n", Longs{std::int64_t{1} << 40U});
    Table joined = first ? narrow : wide;
    joined.append(first ? wide : narrow);
    EXPECT_EQ(joined.column<std::int64_t>("n").size(), 2U);
    EXPECT_EQ(joined.column<std::int64_t>("n")[first ? 0 : 1], 1);
  }
}

TEST(Table, columns_become_wider_and_never_narrower_or_of_another_kind) {
  const auto converted = [](const char* name, ColumnType type) {
    Table table = every_type();
    table.convert({name, type});
    return table;
  };
  EXPECT_EQ(converted("small", ColumnType::kInteger).columns(), every_type().columns());
  EXPECT_EQ(converted("small", ColumnType::kLong).column<std::int64_t>("small"),
            (Longs{1, -2, std::numeric_limits<std::int32_t>::min()}));
  EXPECT_EQ(converted("small", ColumnType::kReal).column<double>("small")[1], -2.0);
  struct Case {
    const char* name;
    ColumnType type;
    const char* found;
  };
  for (const Case& bad : {Case{"large", ColumnType::kInteger, "64 bits"},
                          {"large", ColumnType::kReal, "9223372036854775807"},
                          {"real", ColumnType::kInteger, "reals"},
                          {"real", ColumnType::kLong, "reals"},
                          {"real", ColumnType::kText, "reals"},
                          {"text", ColumnType::kReal, "texts"},
                          {"small", ColumnType::kText, "32 bits"},
                          {"absent", ColumnType::kText, "no column"}}) {
    const std::string message = complaint([&] { (void)converted(bad.name, bad.type); });
    EXPECT_NE(message.find(bad.name), std::string::npos) << message;
    EXPECT_NE(message.find(bad.found), std::string::npos) << message;
  }
}

TEST(Table, only_whole_numbers_of_32_bits_are_filled) {
  Table table = every_type();
  EXPECT_NE(complaint([&] { table.fill("large", 7); }).find("large"), std::string::npos);
  EXPECT_EQ(table.columns(), every_type().columns());
}

}  // namespace
}  // namespace fleet
