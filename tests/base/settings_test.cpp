#include "base/settings.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace fleet {
namespace {

Settings one(const std::string& key, Value value) {
  return {{key, {std::move(value), {"a.toml", 3, 5}}}};
}

/// The message of the ConfigError that `act` throws.
template <class Act>
std::string complaint(Act act) {
  try {
    act();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(SettingsReader, a_missing_key_leaves_the_default_and_is_recorded) {
  const Settings none;
  SettingsReader reader(none);
  int robots = 5;
  reader.read("fleet.robots", robots, at_least(1), "A key of this test.");
  EXPECT_EQ(robots, 5);
  EXPECT_EQ(to_text(reader.resolved()), "fleet.robots = 5\n");
}

TEST(SettingsReader, values_of_every_type_are_read) {
  Settings settings;
  settings["b"].value = true;
  settings["i"].value = std::int64_t{3};
  settings["d"].value = 0.5;
  settings["whole"].value = std::int64_t{2};
  settings["s"].value = std::string("text");
  settings["l"].value = Value::List{Value(std::int64_t{4}), Value(std::int64_t{8})};
  SettingsReader reader(settings);
  bool b = false;
  int i = 0;
  double d = 0.0;
  double whole = 0.0;
  std::string s;
  std::vector<int> l{1, 2, 3};
  reader.read("b", b, "A key of this test.");
  reader.read("i", i, {}, "A key of this test.");
  reader.read("d", d, {}, "A key of this test.");
  reader.read("whole", whole, {}, "A key of this test.");
  reader.read("s", s, "A key of this test.");
  reader.read("l", l, {}, "A key of this test.");
  EXPECT_TRUE(b);
  EXPECT_EQ(i, 3);
  EXPECT_EQ(d, 0.5);
  EXPECT_EQ(whole, 2.0);
  EXPECT_EQ(s, "text");
  EXPECT_EQ(l, (std::vector{4, 8}));
}

TEST(SettingsReader, a_wrong_type_names_place_key_value_and_what_would_be_right) {
  const Settings settings = one("fleet.robots", std::string("five"));
  const std::string message = complaint([&] {
    int robots = 5;
    SettingsReader(settings).read("fleet.robots", robots, at_least(1), "A key of this test.");
  });
  EXPECT_EQ(message,
            "a.toml:3:5: fleet.robots = \"five\": expected an integer, got a string\n"
            "  fleet.robots: A key of this test.");
}

TEST(SettingsReader, a_number_out_of_range_names_the_range) {
  const Settings settings = one("fleet.alpha", 0.0);
  const std::string message = complaint([&] {
    double alpha = 1.0;
    SettingsReader(settings).read("fleet.alpha", alpha, above(0), "A key of this test.");
  });
  EXPECT_EQ(message, "a.toml:3:5: fleet.alpha = 0.0: expected a number above 0\n  fleet.alpha: A key of this test.");
  for (const double bad : {std::nan(""), HUGE_VAL}) {
    const Settings other = one("fleet.alpha", bad);
    EXPECT_NE(complaint([&] {
                double alpha = 1.0;
                SettingsReader(other).read("fleet.alpha", alpha, above(0), "A key of this test.");
              }),
              "");
  }
}

TEST(SettingsReader, an_integer_beyond_int_is_refused_not_wrapped) {
  const Settings settings = one("n", std::int64_t{1} << 40U);
  EXPECT_NE(complaint([&] {
              int n = 0;
              SettingsReader(settings).read("n", n, {}, "A key of this test.");
            }),
            "");
}

TEST(SettingsReader, what_is_asked_of_a_key_is_noted_once_as_it_is_by_default) {
  constexpr std::array<std::string_view, 2> kChoices = {"average", "fleet-merge"};
  const Settings settings = one("n", std::int64_t{9});
  KeyNotes notes;
  SettingsReader reader(settings, &notes);
  int n = 5;
  std::string method = "average";
  reader.read("n", n, at_least(1), "A key of this test.");
  reader.read("n", n, at_least(1), "A key of this test.");
  reader.read("merge.method", method, kChoices, "Another key of this test.");
  const KeyNotes expected = {
      {"n", {.type = "integer", .range = at_least(1), .standard = std::int64_t{5}, .about = "A key of this test."}},
      {"merge.method",
       {.type = "name",
        .choices = {"average", "fleet-merge"},
        .standard = std::string("average"),
        .about = "Another key of this test."}}};
  EXPECT_EQ(notes, expected);
  EXPECT_EQ(reader.resolved().at("n").about, "A key of this test.");
}

TEST(SettingsReader, a_key_has_one_default_wherever_it_is_read) {
  const Settings nothing;
  KeyNotes notes;
  SettingsReader reader(nothing, &notes);
  int some = 5;
  int more = 1;
  reader.read("robots", some, at_least(1), "A key of this test.");
  EXPECT_THROW(reader.read("robots", more, at_least(1), "A key of this test."), Error);
  EXPECT_NO_THROW(reader.read("robots", some, at_least(1), "A key of this test."));
}

TEST(SettingsReader, a_misspelt_choice_is_corrected) {
  const Settings settings = one("merge.method", std::string("fleet-marge"));
  constexpr std::array<std::string_view, 2> kChoices = {"average", "fleet-merge"};
  const std::string message = complaint([&] {
    std::string method = "average";
    SettingsReader(settings).read("merge.method", method, kChoices, "A key of this test.");
  });
  EXPECT_NE(message.find("did you mean \"fleet-merge\"?"), std::string::npos) << message;
}

TEST(SettingsReader, matrices_are_rows_of_numbers) {
  const auto list = [](std::initializer_list<Value> items) { return Value::List(items); };
  const auto read = [](Value value) {
    Rows rows{{7.0}};
    const Settings settings = one("m", std::move(value));
    SettingsReader(settings).read("m", rows, "A key of this test.");
    return rows;
  };
  EXPECT_EQ(read(list({list({1.0, std::int64_t{2}}), list({3.0, 4.0})})), (Rows{{1.0, 2.0}, {3.0, 4.0}}));
  EXPECT_EQ(read(list({1.0, 2.0})), (Rows{{1.0, 2.0}}));
  EXPECT_EQ(read(0.5), (Rows{{0.5}}));
  EXPECT_EQ(read(Value::List()), Rows{});
  EXPECT_EQ(complaint([&] {
              read(list({list({1.0, 2.0}), list({3.0})}));
            }),
            "a.toml:3:5: m = [[1.0, 2.0], [3.0]]: row 2 has 1 numbers, row 1 has 2\n  m: A key of this test.");
  EXPECT_EQ(complaint([&] {
              read(list({list({1.0}), 3.0}));
            }),
            "a.toml:3:5: m = [[1.0], 3.0]: expected rows of numbers, say [[1, 0], [0, 1]]\n  m: A key of this test.");
  EXPECT_NE(complaint([&] { read(std::string("x")); }), "");
}

TEST(SettingsReader, matrices_read_back_as_they_were_resolved) {
  const Settings none;
  SettingsReader first(none);
  Rows rows{{0.1, 2.0}, {3.0, -4.0}};
  first.read("m", rows, "A key of this test.");
  Rows again;
  SettingsReader(first.resolved()).read("m", again, "A key of this test.");
  EXPECT_EQ(again, rows);
}

TEST(SettingsReader, a_list_of_numbers_keeps_to_its_range) {
  std::vector<double> weights{1.0};
  const Settings good = one("w", Value::List{Value(0.5), Value(std::int64_t{2})});
  SettingsReader(good).read("w", weights, above(0), "A key of this test.");
  EXPECT_EQ(weights, (std::vector<double>{0.5, 2.0}));
  const Settings bad = one("w", Value::List{Value(0.5), Value(0.0)});
  EXPECT_NE(complaint([&] { SettingsReader(bad).read("w", weights, above(0), "A key of this test."); }).find("above 0"),
            std::string::npos);
}

TEST(Settings, an_unknown_key_is_named_with_the_nearest_known_one) {
  Settings known;
  known["fleet.alpha"];
  known["train.epochs"];
  EXPECT_EQ(complaint([&] { reject_unknown_keys(one("fleet.alhpa", 1.0), known); }),
            "a.toml:3:5: fleet.alhpa = 1.0: unknown key; did you mean fleet.alpha?");
  // The right name in the wrong table.
  EXPECT_EQ(complaint([&] { reject_unknown_keys(one("merge.epochs", std::int64_t{1}), known); }),
            "a.toml:3:5: merge.epochs = 1: unknown key; did you mean train.epochs?");
  EXPECT_EQ(complaint([&] { reject_unknown_keys(one("zzzzzzz", 1.0), known); }),
            "a.toml:3:5: zzzzzzz = 1.0: unknown key: nothing here reads it");
  EXPECT_EQ(complaint([&] { reject_unknown_keys(one("train.epochs", 1.0), known); }), "");
  const Reasons ruled_out{{"zzzzzzz", "it is late"}, {"train.epochs", "another reads it"}};
  EXPECT_EQ(complaint([&] { reject_unknown_keys(one("zzzzzzz", 1.0), known, ruled_out); }),
            "a.toml:3:5: zzzzzzz = 1.0: it is late");
  EXPECT_EQ(complaint([&] { reject_unknown_keys(one("train.epochs", 1.0), known, ruled_out); }), "");
}

TEST(Value, numbers_are_written_so_that_they_read_back_the_same) {
  EXPECT_EQ(Value(0.1).to_string(), "0.1");
  EXPECT_EQ(Value(1.0).to_string(), "1.0");
  EXPECT_EQ(Value(1e-12).to_string(), "1e-12");
  EXPECT_EQ(Value(std::string("a\"b\\")).to_string(), R"("a\"b\\")");
  for (const double x : {0.1, 1.0 / 3.0, 1e300, -2.5e-17}) EXPECT_EQ(std::stod(Value(x).to_string()), x);
}

TEST(SettingsReader, a_word_from_the_command_line_that_looks_like_a_number_is_told_to_be_quoted) {
  for (const Value& value : {Value(1e5), Value(true), Value(std::int64_t{5})}) {
    const Settings settings{{"name", {value, {"--set"}}}};
    SettingsReader reader(settings);
    std::string name;
    EXPECT_NE(complaint([&] { reader.read("name", name, "A key of this test."); }).find("--set 'name=\"...\"'"),
              std::string::npos);
    const Settings written = one("name", value);
    SettingsReader of_file(written);
    EXPECT_EQ(complaint([&] { of_file.read("name", name, "A key of this test."); }).find("--set"), std::string::npos);
  }
}

TEST(SettingsReader, bounds_are_written_out) {
  const Settings settings = one("i", Value(std::int64_t{0}));
  SettingsReader reader(settings);
  int i = 0;
  EXPECT_NE(complaint([&] { reader.read("i", i, between(1, 1e6), "A key of this test."); }).find("from 1 to 1000000"),
            std::string::npos);
}

TEST(Reject, shows_no_more_of_a_value_than_a_message_has_room_for) {
  std::string umlauts;
  for (int i = 0; i < 1000; ++i) umlauts += "ö";
  for (const std::string& text : {umlauts, "x" + umlauts}) {
    const std::string message = complaint([&] { reject(text, {Value(text), {}}, "no"); });
    EXPECT_LT(message.size(), 500U);
    EXPECT_EQ(message.find("\xb6..."), message.find("...") - 1) << "cut between characters";
  }
}

}  // namespace
}  // namespace fleet
